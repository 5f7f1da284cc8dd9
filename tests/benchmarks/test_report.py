"""What a benchmark tells: one table that pipes, and JSON that several runs add to."""

from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.comparison import Comparison
from benchmarks.figures import Figure
from benchmarks.report import COLUMNS, Machine, OtherMachine, Report, read
from benchmarks.rounds import Row, Sample

MACHINE = Machine("a processor", 2, 8_000_000_000, "Linux")
OURS = Row("wmtui", "ours", 1000, Sample(2.0, 1.0, 0.5, 3_000_000, 0.1, 0.25, None), 0.5, 2.0, 3, 1)
COMPARISON = Comparison("MySQL → S3", (OURS,), {"dlt merge": "could not be installed"})
FIGURE = Figure("first frame", 200, "ms", 1.5, 2)


def shown(report: Report) -> list[list[str]]:
    """The cells of each line of the table as it is piped."""
    console = Console(width=300)
    with console.capture() as capture:
        console.print(report.table())
    lines = [line.strip() for line in capture.get().splitlines() if line.strip()]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_table_is_one_of_markdown() -> None:
    report = Report(MACHINE).with_comparison(COMPARISON).with_figures("screen", (FIGURE,))
    cells = shown(report)
    assert cells[0] == list(COLUMNS)
    assert {len(line) for line in cells} == {len(COLUMNS)}
    assert set("".join(cells[1])) <= set("-:")


def test_a_contestant_has_its_figures_and_ratios() -> None:
    found = dict(zip(COLUMNS, shown(Report(MACHINE).with_comparison(COMPARISON))[3], strict=True))
    assert found == {
        "what": "wmtui",
        "result": "500 rows/s",
        "of the limit": "0.50",
        "× best peer": "2.00",
        "s": "2.00",
        "client CPU s": "1.00",
        "servers CPU s": "0.50",
        "rows/client CPU s": "1,000",
        "MB": "3",
        "longest statement s": "0.2",
        "longest snapshot s": "",
        "rounds": "3, 1 noisy",
        "budget": "",
    }


def test_a_peer_that_failed_is_told_by_name() -> None:
    assert shown(Report(MACHINE).with_comparison(COMPARISON))[4][0] == "dlt merge failed: could not be installed"
    assert not COMPARISON.failed


def test_a_failure_of_wmtui_is_no_detail() -> None:
    assert replace(COMPARISON, failures={"wmtui, 2 workers": "exit 1"}).failed


def test_a_comparison_without_any_row_failed() -> None:
    assert replace(COMPARISON, rows=()).failed


@pytest.mark.parametrize(
    ("figure", "bound"),
    [
        (FIGURE, "≤ 2: met"),
        (replace(FIGURE, ratio=2.5), "≤ 2: missed"),
        (Figure("pace", 900_000, "files/s", budget=1_000_000, at_least=True), "≥ 1,000,000: missed"),
        (Figure("told", 1, "s"), ""),
    ],
)
def test_a_figure_says_whether_its_budget_is_met(figure: Figure, bound: str) -> None:
    assert shown(Report(MACHINE).with_figures("some", (figure,)))[3][-1] == bound


def test_json_says_what_was_measured(tmp_path: Path) -> None:
    report = Report(MACHINE, {"MySQL": "9.7"}).with_comparison(COMPARISON).with_figures("screen", (FIGURE,))
    path = tmp_path / "report.json"
    path.write_bytes(report.to_json())
    assert read(path) == report


def test_a_later_run_replaces_what_it_measured_again_and_keeps_the_rest() -> None:
    other = replace(COMPARISON, title="MySQL → S3 → PostgreSQL")
    older = Report(MACHINE, {"MySQL": "9.6"}).with_comparison(COMPARISON).with_comparison(other)
    again = replace(COMPARISON, failures={})
    newer = Report(MACHINE, {"MySQL": "9.7"}).with_comparison(again).with_figures("screen", (FIGURE,))
    both = newer.added_to(older)
    assert both.comparisons == (again, other)
    assert both.figures == {"screen": (FIGURE,)}
    assert both.versions == {"MySQL": "9.7"}


def test_figures_of_two_machines_are_not_mixed() -> None:
    with pytest.raises(OtherMachine):
        Report(MACHINE).added_to(Report(replace(MACHINE, cores=64)))

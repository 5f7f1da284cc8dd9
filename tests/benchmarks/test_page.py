"""The page of performance: it is what its figures say, and what it tells to type is understood."""

import re
import shlex
from collections.abc import Iterator
from xml.etree import ElementTree

import pytest

from benchmarks.__main__ import main, results
from benchmarks.comparison import Comparison
from benchmarks.figures import Figure
from benchmarks.page import FIGURES, PAGE, PLOT, page
from benchmarks.plot import draw
from benchmarks.report import Report, read

REPORT = read(FIGURES)
TYPED = re.findall(r"(?m)^\.venv/bin/python -m benchmarks( .*)?$", PAGE.read_text(encoding="utf-8"))


def test_the_page_and_the_plot_are_what_their_figures_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(REPORT)
    assert PLOT.read_text(encoding="utf-8") == draw(REPORT)


def test_the_plot_has_a_bar_for_every_program() -> None:
    picture = ElementTree.fromstring(draw(REPORT))
    bars = picture.findall("{http://www.w3.org/2000/svg}rect")[1:]
    assert len(bars) == sum(len(comparison.rows) for comparison in REPORT.comparisons) > 0
    assert all(0 < float(bar.attrib["width"]) < float(picture.attrib["width"]) for bar in bars)


def test_the_page_tells_what_to_type() -> None:
    assert len(TYPED) >= 5


@pytest.mark.parametrize("arguments", TYPED)
def test_every_command_of_the_page_is_understood(arguments: str) -> None:
    words = shlex.split(arguments, comments=True)
    if "--help" not in words:
        main.make_context("benchmarks", words)


def test_a_benchmark_that_is_none_is_refused() -> None:
    with pytest.raises(Exception, match="is not one of 'extraction'"):
        main.make_context("benchmarks", ["extractoin"])


def test_a_benchmark_that_fails_is_told_and_keeps_what_it_found() -> None:
    def failing() -> Iterator[Figure]:
        yield Figure("first", 1, "s")
        raise AssertionError("2 rows of 3 arrived")

    first, failed = results("backlog", failing())
    assert first == Figure("first", 1, "s")
    assert isinstance(failed, Comparison)
    assert failed.failed
    assert failed.failures == {"wmtui, backlog": "2 rows of 3 arrived"}


def test_a_benchmark_that_works_again_is_no_longer_told_to_have_failed() -> None:
    failed = Report(REPORT.machine).with_comparison(Comparison("backlog", (), {"wmtui, backlog": "why"}))
    assert failed.without_failure("backlog") == Report(REPORT.machine)

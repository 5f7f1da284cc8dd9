"""The page of guarantees and the suite say the same: every step has a row, every row a test that is there.

Guards against promises that nothing tries any more, steps of the protocol that no page describes, and versions that
were changed since.
"""

import ast
import re
from pathlib import Path

import pytest

from tests.chaos.steps import REDSHIFT_STEPS, STEPS
from tests.servers.sources import SOURCES

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "guarantees.md").read_text(encoding="utf-8")


def rows(title: str) -> list[list[str]]:
    """The cells of the table below a heading, without its head."""
    section = PAGE.split(f"## {title}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


def quoted(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


KILLED = rows("Killed here")
RAN = rows("What ran where")


def test_every_step_of_the_protocol_that_processes_are_killed_at_has_a_row_and_no_other() -> None:
    named = [step for step, *_ in KILLED for step in quoted(step)]
    steps = {step for steps in STEPS.values() for step in steps} | {step for _, step in REDSHIFT_STEPS}
    assert len(named) == len(set(named))
    assert set(named) == {step.partition(":")[2] for step in steps}


@pytest.mark.parametrize("row", KILLED, ids=lambda row: quoted(row[0])[0])
def test_a_row_says_what_is_there_what_happens_next_and_which_test_shows_it(row: list[str]) -> None:
    assert len(row) == 6
    assert all(row)
    (name,) = quoted(row[-1])
    path, _, function = name.partition("::")
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    assert function in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_every_server_that_tests_start_is_in_the_table_of_what_ran_where() -> None:
    kinds = " ".join(row[0].lower() for row in RAN)
    for kind in (*SOURCES, "postgresql", "pgbouncer", "redshift", "duckdb", "s3"):
        assert kind in kinds


def test_versions_that_are_pinned_are_the_ones_named() -> None:
    pinned = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line)
    versions = " ".join(row[1] for row in RAN)
    assert f"moto {pinned['moto']}" in versions
    assert [row[1] for row in RAN if "DuckDB" in row[0]] == [pinned["duckdb"]]


def test_every_path_and_make_target_that_the_page_names_is_there() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for name in quoted(PAGE):
        if name.startswith("tests/"):
            assert (ROOT / name.partition("::")[0]).exists(), name
        if name.startswith("make "):
            assert re.search(rf"^{name.split()[1]}:", makefile, re.MULTILINE), name

"""`wmtui clean`: lists first, asks, and removes exactly what it listed."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.cli.conftest import Wmtui
from tests.cli.test_files_status_doctor import foreign
from tests.stack import Stack

PART = (
    "incremental/shop.orders/year=2025/month=08/day=14/shop.orders_20250814T120000Z_0198a4f3c0001a2b3c_1_00000.parquet"
)
PROBE = "watermark/probe/0123.json"


@pytest.fixture
def _leftovers(wmtui: Wmtui, stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """A part of a run without document and a forgotten probe, two days old, beside a file of somebody else."""
    monkeypatch.setattr("wmtui.cli.invocation.utc_now", stack.clock)
    wmtui("sync", "-t", "shop.orders")
    objects = stack.service.workspace.objects
    objects.put(PART, b"PAR1")
    objects.put(PROBE, b"1")
    foreign(stack, "other.parquet")
    stack.clock.advance(timedelta(days=2))


pytestmark = pytest.mark.usefixtures("_leftovers")


def test_a_dry_run_lists_and_touches_nothing(wmtui: Wmtui, stack: Stack) -> None:
    before = stack.keys("")

    found, people = wmtui("clean", "--dry-run", "--json"), wmtui("clean", "--dry-run", "--read-only")

    assert (found.code, people.code) == (0, 0)
    assert found.json["errors"] == []
    part, probe = found.json["leftovers"]
    assert part == {
        "table": "shop.orders",
        "key": PART,
        "size": 4,
        "why": "run 0198a4f3c0001a2b3c has no document",
        "removed": False,
    }
    assert (probe["table"], probe["key"], probe["removed"]) == (None, PROBE, False)
    assert PART in people.out
    assert "2 leftovers found" in people.err
    assert stack.keys("") == before


def test_after_a_yes_exactly_that_is_removed(wmtui: Wmtui, stack: Stack) -> None:
    before = stack.keys("")

    found = wmtui("clean", "--yes", "--json")

    assert found.code == 0
    assert [leftover["removed"] for leftover in found.json["leftovers"]] == [True, True]
    assert sorted(set(before) - set(stack.keys(""))) == [PART, PROBE]
    assert wmtui("clean", "--json").json["leftovers"] == []


def test_with_a_table_the_stores_own_leftovers_stay(wmtui: Wmtui, stack: Stack) -> None:
    found = wmtui("clean", "-t", "shop.orders", "--yes")

    assert found.code == 0
    assert "removed 1 object" in found.err
    assert PART not in stack.keys("")
    assert PROBE in stack.keys("")


def test_without_a_yes_nothing_is_removed(wmtui: Wmtui, stack: Stack, answer: Callable[[str], None]) -> None:
    before = stack.keys("")
    unattended = wmtui("clean")
    answer("n")
    refused = wmtui("clean")
    assert stack.keys("") == before
    answer("y")
    agreed = wmtui("clean")

    assert (unattended.code, refused.code, agreed.code) == (2, 2, 0)
    assert PART in unattended.out
    assert "--yes" in unattended.err
    assert "Remove 2 objects?" in refused.err
    assert PART not in stack.keys("")


def test_a_table_that_cannot_be_told_does_not_keep_the_others_from_being_cleaned(wmtui: Wmtui, stack: Stack) -> None:
    key = "watermark/tables/shop.items.json"
    stack.service.workspace.objects.put(key, b"{")

    found = wmtui("clean", "--yes", "--json")

    assert found.code == 1
    assert found.json["errors"][0]["table"] == "shop.items"
    assert key in found.err
    assert PART not in stack.keys("")


def test_read_only_removes_nothing(wmtui: Wmtui, stack: Stack) -> None:
    before = stack.keys("")

    assert wmtui("clean", "--yes", "--read-only").code == 2
    assert stack.keys("") == before

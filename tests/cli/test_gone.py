"""A watermark whose document was deleted: every door says so, nothing is read or loaded, and one command mends it."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Wmtui
from tests.stack import Stack

ORDERS = ("-t", "shop.orders")
GONE = ("the watermark of shop.orders is gone", "its document was deleted; the journal has serial 3")
CURE = "`wmtui watermark undo -t shop.orders` brings it back"


def document(stack: Stack) -> Path:
    return stack.path.parent / "lake/watermark/tables/shop.orders.json"


@pytest.fixture
def left(wmtui: Wmtui, stack: Stack) -> dict[str, Any]:
    """A table synced once, with news since, whose document is deleted; returns its fields."""
    assert wmtui("sync", *ORDERS).code == 0
    fields: dict[str, Any] = json.loads(document(stack).read_text())
    stack.insert((9, "1.00", "news", stack.ago(minutes=1)))
    document(stack).unlink()
    return fields


@pytest.mark.parametrize(
    "line",
    [
        ("watermark", "get", *ORDERS),
        ("watermark", "get", *ORDERS, "--json"),
        ("watermark", "list"),
        ("watermark", "history", *ORDERS),
        ("files", *ORDERS),
        ("status",),
        ("doctor", *ORDERS),
        ("verify", *ORDERS),
        ("sync", *ORDERS, "--dry-run"),
        ("sync", *ORDERS),
        ("sync", *ORDERS, "--redshift-only"),
        ("sync", *ORDERS, "--redshift-only", "--reprocess"),
        ("sync", *ORDERS, "--backup-only"),
        ("watermark", "pin", *ORDERS, "--reason", "x"),
        ("clean", *ORDERS),
        ("--run",),
    ],
    ids=" ".join,
)
@pytest.mark.usefixtures("left")
def test_every_door_says_that_it_is_gone_and_changes_nothing(wmtui: Wmtui, stack: Stack, line: tuple[str, ...]) -> None:
    parts, rows = stack.keys(), stack.warehouse_rows()

    found = wmtui(*line)

    told = " ".join((found.out + found.err).split())
    assert found.code == 1
    assert all(text in told for text in (*GONE, CURE)), told
    assert not document(stack).exists()
    assert (stack.keys(), stack.warehouse_rows()) == (parts, rows)


@pytest.mark.usefixtures("left")
def test_status_and_list_have_a_word_of_its_own_for_it(wmtui: Wmtui) -> None:
    assert "✗ gone" in wmtui("watermark", "list").out
    assert "✗ gone" in wmtui("status").out
    states = {found["table"]: found for found in wmtui("status", "--json").json["tables"]}
    assert states["shop.orders"]["problem"] == "gone"


@pytest.mark.usefixtures("left")
def test_the_other_tables_of_a_run_go_on(wmtui: Wmtui, stack: Stack) -> None:
    stack.insert((1, "1.00", "one", stack.ago(minutes=1)), name="items")

    assert wmtui("--run").code == 1

    assert len(stack.warehouse_rows("items")) == 1


def test_undo_brings_it_back_and_the_next_sync_goes_on_where_it_was(
    wmtui: Wmtui, stack: Stack, left: dict[str, Any]
) -> None:
    back = wmtui("watermark", "undo", *ORDERS, "--reason", "deleted by a script", "--json")

    assert back.code == 0, back.err
    assert {name: value for name, value in back.json.items() if name != "metadata"} == {
        name: value for name, value in left.items() if name != "metadata"
    }
    assert back.json["metadata"]["serial"] == left["metadata"]["serial"] + 1
    last = wmtui("watermark", "history", *ORDERS, "--json").json["changes"][-1]
    assert (last["action"], last["reason"], last["diff"]) == ("restored", "deleted by a script", {})
    assert stack.sync_one().rows_extracted == 1
    assert stack.warehouse_rows() == stack.source_rows()


def test_undo_may_name_an_earlier_change(wmtui: Wmtui, stack: Stack) -> None:
    for point in ("aug4", "aug1"):
        wmtui("watermark", "set", *ORDERS, point)
    document(stack).unlink()

    found = wmtui("watermark", "undo", *ORDERS, "--to", "1", "--json")

    assert (found.code, found.json["last_mysql_data_timestamp"]) == (0, "2025-08-04 00:00:00")
    assert found.json["metadata"]["serial"] == 3


@pytest.mark.parametrize(
    ("line", "decided"),
    [(("set", *ORDERS, "aug4"), ("2025-08-04 00:00:00", 1)), (("reset", *ORDERS), (None, 2))],
    ids=["set", "reset"],
)
def test_somebody_may_decide_otherwise(
    wmtui: Wmtui, stack: Stack, left: dict[str, Any], line: tuple[str, ...], decided: tuple[str | None, int]
) -> None:
    found = wmtui("watermark", *line, "--json")

    assert found.code == 0, found.err
    assert (found.json["last_mysql_data_timestamp"], found.json["epoch"]) == decided
    assert found.json["fence"] == left["fence"]
    stack.sync_one()
    assert stack.warehouse_rows() == stack.source_rows()


def test_what_get_printed_before_may_be_given_back(wmtui: Wmtui, stack: Stack, tmp_path: Path) -> None:
    wmtui("watermark", "set", *ORDERS, "aug4")
    (tmp_path / "document.json").write_text(wmtui("watermark", "get", *ORDERS, "--json").out)
    document(stack).unlink()

    found = wmtui("watermark", "set", *ORDERS, "--from-file", str(tmp_path / "document.json"), "--json")

    assert (found.code, found.json["last_mysql_data_timestamp"]) == (0, "2025-08-04 00:00:00")


def test_a_run_that_died_is_resumed_after_its_watermark_came_back(wmtui: Wmtui, stack: Stack) -> None:
    wmtui("watermark", "set", *ORDERS, "aug4")
    stack.service.workspace.watermarks.change(
        stack.table(), "run started", lambda _: {"pending_extraction": "0123456789abcdef01", "fence": 3}
    )
    document(stack).unlink()

    assert wmtui("watermark", "undo", *ORDERS, "--json").json["pending_extraction"] == "0123456789abcdef01"
    stack.sync_one()
    assert stack.mark()["pending_extraction"] is None
    assert stack.warehouse_rows() == stack.source_rows()


@pytest.mark.usefixtures("left")
def test_a_table_whose_journal_is_gone_too_is_new(wmtui: Wmtui, stack: Stack) -> None:
    for entry in document(stack).parent.parent.glob("journal/shop.orders/*"):
        entry.unlink()

    assert wmtui("watermark", "get", *ORDERS, "--json").json["last_mysql_data_timestamp"] is None

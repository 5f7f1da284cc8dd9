"""`wmtui watermark history` and `undo`: who changed what, and back."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Wmtui
from tests.cli.test_watermark import corrupt
from tests.stack import Stack

ORDERS = ("-t", "shop.orders")


def lake(stack: Stack) -> Path:
    return stack.path.parent / "lake"


def entry_path(stack: Stack, serial: int) -> Path:
    return lake(stack) / f"watermark/journal/shop.orders/{serial:012d}.json"


def edit_outside(stack: Stack, **fields: Any) -> None:
    """Edit the document as another tool does."""
    path = lake(stack) / "watermark/tables/shop.orders.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def document(wmtui: Wmtui) -> Any:
    return wmtui("watermark", "get", *ORDERS, "--json").json


def test_history_says_who_changed_what_when_and_why(wmtui: Wmtui, stack: Stack) -> None:
    wmtui("watermark", "set", *ORDERS, "aug4", "--reason", "late files")
    wmtui("sync", *ORDERS)

    found = wmtui("watermark", "history", *ORDERS, "--json")

    assert found.code == 0
    assert [entry["serial"] for entry in found.json["changes"]] == [1, 2, 3, 4]
    assert [entry["action"] for entry in found.json["changes"]] == ["set", "run started", "extracted", "loaded"]
    first = found.json["changes"][0]
    assert (first["reason"], first["at"][-1]) == ("late files", "Z")
    assert first["diff"]["last_mysql_data_timestamp"] == {"old": None, "new": "2025-08-04 00:00:00"}
    assert "table_name" not in first["diff"]
    assert (
        stack.mark()["last_mysql_data_timestamp"]
        == found.json["changes"][2]["diff"]["last_mysql_data_timestamp"]["new"]
    )


def test_history_reads_at_80_columns_with_the_newest_change_last(wmtui: Wmtui) -> None:
    wmtui("watermark", "set", *ORDERS, "aug4", "--reason", "late files")
    wmtui("watermark", "set", *ORDERS, "aug1")

    lines = wmtui("watermark", "history", *ORDERS).out.splitlines()

    assert lines[0].startswith("   1  20")
    assert lines[0].endswith("  set: late files")
    assert lines.index("      backup_strategy  sequential → manual_cli") < len(lines) - 3
    assert "      last_mysql_data_timestamp  2025-08-04 00:00:00 → 2025-08-01 00:00:00" in lines[-3:]
    assert max(map(len, lines)) <= 80


def test_history_may_be_cut_to_the_newest(wmtui: Wmtui) -> None:
    for point in ("aug4", "aug1", "1week"):
        wmtui("watermark", "set", *ORDERS, point)

    assert [
        entry["serial"] for entry in wmtui("watermark", "history", *ORDERS, "--last", "2", "--json").json["changes"]
    ] == [2, 3]
    assert wmtui("watermark", "history", *ORDERS, "--last", "0").code == 2


def test_a_table_nobody_touched_has_no_history(wmtui: Wmtui, stack: Stack) -> None:
    found = wmtui("watermark", "history", *ORDERS, "--json")

    assert (found.code, found.json["changes"]) == (0, [])
    assert "it was never changed" in wmtui("watermark", "history", *ORDERS).err
    assert stack.keys("") == []


@pytest.mark.parametrize("data", ["", "[", '{"serial": 2}', None])
def test_an_entry_that_cannot_be_read_is_reported_by_key_beside_the_others(
    wmtui: Wmtui, stack: Stack, data: str | None
) -> None:
    for point in ("aug4", "aug1", "1week"):
        wmtui("watermark", "set", *ORDERS, point)
    entry_path(stack, 2).unlink()
    if data is not None:
        entry_path(stack, 2).write_text(data)

    found, people = wmtui("watermark", "history", *ORDERS, "--json"), wmtui("watermark", "history", *ORDERS)

    assert (found.code, people.code) == (1, 1)
    assert [entry.get("serial") for entry in found.json["changes"]] == [1, None, 3]
    assert found.json["changes"][1]["key"] == "watermark/journal/shop.orders/000000000002.json"
    assert found.json["changes"][1]["key"] in found.err
    assert people.out.count("  set") == 2


def test_a_corrupt_watermark_does_not_hide_its_history(wmtui: Wmtui, stack: Stack) -> None:
    wmtui("watermark", "set", *ORDERS, "aug4")
    key = corrupt(stack)

    found = wmtui("watermark", "history", *ORDERS, "--json")

    assert found.code == 1
    assert [entry.get("action") for entry in found.json["changes"]] == ["set", None]
    assert found.json["changes"][1]["key"] == key


def test_a_change_whose_journal_entry_was_not_copied_yet_is_shown_all_the_same(wmtui: Wmtui, stack: Stack) -> None:
    wmtui("watermark", "set", *ORDERS, "aug4")
    entry_path(stack, 1).unlink()

    assert [entry["serial"] for entry in wmtui("watermark", "history", *ORDERS, "--json").json["changes"]] == [1]


def test_an_edit_made_outside_is_reported_adopted_by_the_next_change_and_undoable(wmtui: Wmtui, stack: Stack) -> None:
    wmtui("watermark", "set", *ORDERS, "aug4")
    edit_outside(stack, last_mysql_data_timestamp="2025-08-02 00:00:00", x_note="mine")
    before = sorted(stack.keys(""))

    last = wmtui("watermark", "history", *ORDERS, "--json").json["changes"][-1]

    assert (last["serial"], last["actor"], last["action"]) == (None, None, "external")
    assert "not adopted" in last["reason"]
    assert last["diff"]["last_mysql_data_timestamp"] == {"old": "2025-08-04 00:00:00", "new": "2025-08-02 00:00:00"}
    assert "   -  -  somebody  external" in wmtui("watermark", "history", *ORDERS).out
    assert sorted(stack.keys("")) == before

    undone = wmtui("watermark", "undo", *ORDERS, "--json").json

    assert (undone["last_mysql_data_timestamp"], undone["x_note"]) == ("2025-08-04 00:00:00", None)
    actions = [entry["action"] for entry in wmtui("watermark", "history", *ORDERS, "--json").json["changes"]]
    assert actions == ["set", "external", "undo"]
    again = wmtui("watermark", "undo", *ORDERS, "--json").json
    assert (again["last_mysql_data_timestamp"], again["x_note"]) == ("2025-08-02 00:00:00", "mine")


def test_undo_is_a_new_change_that_restores_what_was_before_and_prints_the_consequence(wmtui: Wmtui) -> None:
    wmtui("watermark", "set", *ORDERS, "aug4")
    wmtui("watermark", "set", *ORDERS, "2025-08-09 20:00:01")

    found = wmtui("watermark", "undo", *ORDERS, "--reason", "wrong table")

    assert found.code == 0
    assert "extraction will begin at update_at >= 2025-08-04 00:00:00 UTC" in found.out
    after = document(wmtui)
    assert after["last_mysql_data_timestamp"] == "2025-08-04 00:00:00"
    assert after["metadata"]["serial"] == 3
    last = wmtui("watermark", "history", *ORDERS, "--json").json["changes"][-1]
    assert (last["action"], last["reason"]) == ("undo", "wrong table")


def test_undo_of_undo_does_it_again(wmtui: Wmtui) -> None:
    wmtui("watermark", "set", *ORDERS, "aug4")
    wmtui("watermark", "set", *ORDERS, "aug1")

    points = [wmtui("watermark", "undo", *ORDERS, "--json").json["last_mysql_data_timestamp"] for _ in range(4)]

    assert points == ["2025-08-04 00:00:00", "2025-08-01 00:00:00"] * 2


def test_undo_goes_back_to_any_serial(wmtui: Wmtui) -> None:
    for point in ("aug4", "aug1", "1week"):
        wmtui("watermark", "set", *ORDERS, point)

    found = wmtui("watermark", "undo", *ORDERS, "--to", "1", "--json")

    assert found.json["last_mysql_data_timestamp"] == "2025-08-04 00:00:00"
    assert found.json["metadata"]["serial"] == 4


def test_an_edit_is_taken_back_behind_what_runs_wrote_since(wmtui: Wmtui, stack: Stack) -> None:
    wmtui("sync", *ORDERS, "--backup-only")
    wmtui("watermark", "set", *ORDERS, "aug4")
    before = document(wmtui)
    wmtui("watermark", "set", *ORDERS, "aug1", "--reason", "too early")
    wmtui("sync", *ORDERS, "--redshift-only")

    way = stack.service.history.last_edit(stack.table())

    assert way is not None
    assert way.edit is not None
    assert (way.edit.reason, way.to) == ("too early", 3)
    assert wmtui("watermark", "undo", *ORDERS, "--to", "3").code == 0
    after = document(wmtui)
    kept = {"metadata", "fence", "warehouses"}
    assert not {name for name in before if before[name] != after.get(name)} - kept
    assert not {name for name in after if after[name] != before.get(name)} - kept
    assert [noted["status"] for noted in after["warehouses"].values()] == ["pending"]


def test_going_back_to_before_all_changes_makes_a_new_table_of_it(wmtui: Wmtui, stack: Stack) -> None:
    wmtui("watermark", "set", *ORDERS, "aug4")
    wmtui("watermark", "set", *ORDERS, "aug1")

    found = wmtui("watermark", "undo", *ORDERS, "--to", "0", "--force", "--json")

    assert (found.code, found.json["last_mysql_data_timestamp"]) == (0, None)
    assert stack.service.history.way_back(stack.table(), 2).diff["last_mysql_data_timestamp"] == (
        None,
        "2025-08-01 00:00:00",
    )


def test_without_an_edit_by_hand_there_is_no_way_back(wmtui: Wmtui, stack: Stack) -> None:
    wmtui("sync", *ORDERS)

    assert stack.service.history.last_edit(stack.table()) is None


def test_undo_of_the_first_change_makes_a_new_table_of_it(wmtui: Wmtui) -> None:
    new = document(wmtui)
    wmtui("watermark", "set", *ORDERS, "aug4")

    found = wmtui("watermark", "undo", *ORDERS, "--json").json

    assert {name for name in new if new[name] != found[name]} == {"metadata"}


@pytest.mark.parametrize(
    ("changes", "line", "words"),
    [
        ([], (), "nothing is known of what was before"),
        (["aug4"], ("--to", "7"), "has no change 7"),
        (["aug4"], ("--to", "1"), "the watermark is as it was then"),
        (["aug4"], ("--to", "-1"), "--to"),
        (["aug4"], ("--read-only",), "read-only"),
    ],
)
def test_what_cannot_be_undone_is_refused_and_changes_nothing(
    wmtui: Wmtui, changes: list[str], line: tuple[str, ...], words: str
) -> None:
    for point in changes:
        wmtui("watermark", "set", *ORDERS, point)
    before = document(wmtui)

    found = wmtui("watermark", "undo", *ORDERS, *line)

    assert (found.code, found.out) == (2, "")
    assert words in found.err
    assert document(wmtui) == before


def test_a_corrupt_entry_is_not_gone_back_to(wmtui: Wmtui, stack: Stack) -> None:
    for point in ("aug4", "aug1"):
        wmtui("watermark", "set", *ORDERS, point)
    entry = json.loads(entry_path(stack, 1).read_text())
    entry["after"]["last_mysql_data_timestamp"] = 5
    entry_path(stack, 1).write_text(json.dumps(entry))

    found = wmtui("watermark", "undo", *ORDERS, "--to", "1")

    assert found.code == 1
    assert "watermark/journal/shop.orders/000000000001.json" in found.err
    assert document(wmtui)["metadata"]["serial"] == 2


def test_without_a_primary_key_going_back_needs_force(wmtui: Wmtui, stack: Stack) -> None:
    stack.reload(orders={"primary_key": []})
    wmtui("watermark", "set", *ORDERS, "aug1")
    wmtui("watermark", "set", *ORDERS, "aug4")

    refused = wmtui("watermark", "undo", *ORDERS)
    forced = wmtui("watermark", "undo", *ORDERS, "--force", "--json")
    forward = wmtui("watermark", "undo", *ORDERS, "--json")

    assert refused.code == 2
    assert "appends the same rows" in refused.err
    assert forced.json["last_mysql_data_timestamp"] == "2025-08-01 00:00:00"
    assert forward.json["last_mysql_data_timestamp"] == "2025-08-04 00:00:00"


def test_without_a_primary_key_taking_a_reset_back_needs_force(wmtui: Wmtui, stack: Stack) -> None:
    stack.reload(orders={"primary_key": []})
    wmtui("watermark", "reset", *ORDERS, "--force")

    assert wmtui("watermark", "undo", *ORDERS).code == 2
    assert wmtui("watermark", "undo", *ORDERS, "--force", "--json").json["epoch"] == 1

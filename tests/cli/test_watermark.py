"""`wmtui watermark`: get, set, reset, list."""

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Outcome, Wmtui
from tests.stack import Stack

ORDERS = ("-t", "shop.orders")


def corrupt(stack: Stack, name: str = "orders") -> str:
    """Make a table's watermark unreadable; returns its key."""
    key = f"watermark/tables/shop.{name}.json"
    path = stack.path.parent / "lake" / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{ broken")
    return key


def test_get_of_a_table_never_synced_is_the_document_of_a_new_table(wmtui: Wmtui) -> None:
    found = wmtui("watermark", "get", *ORDERS, "--json")

    assert found.code == 0
    assert found.json["table_name"] == "shop.orders"
    assert found.json["last_mysql_data_timestamp"] is None
    assert found.json["mysql_status"] == "pending"


def test_get_shows_every_field_to_people(wmtui: Wmtui) -> None:
    wmtui("watermark", "set", *ORDERS, "2025-08-09 20:00:01")

    lines = dict(line.split(None, 1) for line in wmtui("watermark", "get", *ORDERS).out.splitlines())

    assert lines["last_mysql_data_timestamp"] == "2025-08-09 20:00:01 UTC"
    assert lines["backup_strategy"] == "manual_cli"
    assert lines["mode"] == "manual"
    assert lines["last_error"] == "-"
    assert lines["serial"].startswith("1, ")


def test_a_point_is_shown_in_both_zones_where_they_differ(wmtui: Wmtui, stack: Stack) -> None:
    stack.document["profiles"]["test"]["timezone"] = "Asia/Shanghai"
    stack.reload()

    found = wmtui("watermark", "set", *ORDERS, "2025-08-09 20:00:01")

    assert "2025-08-09 20:00:01 Asia/Shanghai (2025-08-09T12:00:01Z)" in found.out


def test_get_with_files_lists_those_that_were_loaded(wmtui: Wmtui) -> None:
    before = wmtui("watermark", "get", *ORDERS, "--show-files", "--json").json
    wmtui("sync", *ORDERS)

    after = wmtui("watermark", "get", *ORDERS, "--show-files", "--json").json

    assert before["processed_s3_files"] == []
    (file,) = after["processed_s3_files"]
    assert sorted(file) == ["etag", "key", "load_id", "loaded_at"]
    assert file["key"].startswith("incremental/shop.orders/")
    people = wmtui("watermark", "get", *ORDERS, "--show-files").out
    assert "1 file loaded in epoch 1" in people
    assert file["key"] in people


def test_get_without_a_table_is_the_system_watermark_and_says_that_tables_are_preferred(wmtui: Wmtui) -> None:
    wmtui("watermark", "set", "aug4", "--force")

    data, people = wmtui("watermark", "get", "--json"), wmtui("watermark", "get")

    assert data.json == {"system_watermark": "2025-08-04 00:00:00"}
    assert people.out == "2025-08-04 00:00:00 UTC\n"
    assert "watermarks of tables are preferred" in data.err
    assert "watermarks of tables are preferred" in people.err


def test_set_prints_the_document_and_its_consequence(wmtui: Wmtui) -> None:
    wmtui("sync", *ORDERS, "--backup-only")

    found = wmtui("watermark", "set", *ORDERS, "--timestamp", "1day")

    assert found.code == 0
    assert "mode                        manual" in found.out
    assert "Found 1 files, filtered to 1 files for loading" in found.out
    assert "extraction will begin at update_at >= " in found.out


def test_set_as_json_keeps_the_consequence_off_stdout(wmtui: Wmtui) -> None:
    found = wmtui("watermark", "set", *ORDERS, "--timestamp", "aug4", "--json")

    assert found.json["last_mysql_data_timestamp"] == "2025-08-04 00:00:00"
    assert "Found 0 files, filtered to 0 files for loading" in found.err
    assert "extraction will begin at update_at >= 2025-08-04 00:00:00 UTC" in found.err


def test_without_a_primary_key_extraction_begins_behind_the_point(wmtui: Wmtui, stack: Stack) -> None:
    stack.reload(items={"primary_key": []})

    assert "at update_at > 2025-08-04 00:00:00" in wmtui("watermark", "set", "-t", "shop.items", "aug4").out


@pytest.mark.parametrize("place", ["file", "stdin"])
def test_what_get_printed_set_accepts(
    wmtui: Wmtui, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    wmtui("sync", *ORDERS)
    wmtui("watermark", "set", *ORDERS, "aug4")
    document = wmtui("watermark", "get", *ORDERS, "--show-files", "--json").json
    document["last_mysql_data_timestamp"] = "2025-08-05 00:00:00"
    text = json.dumps(document)
    (tmp_path / "document.json").write_text(text)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))

    found = wmtui("watermark", "set", *ORDERS, "--from-file", "-" if place == "stdin" else "document.json", "--json")

    assert found.code == 0, found.err
    assert found.json["last_mysql_data_timestamp"] == "2025-08-05 00:00:00"
    assert "processed_s3_files" not in found.json


def test_a_document_somebody_has_overtaken_is_a_conflict(wmtui: Wmtui, tmp_path: Path) -> None:
    wmtui("watermark", "set", *ORDERS, "aug4")
    (tmp_path / "document.json").write_text(wmtui("watermark", "get", *ORDERS, "--json").out)
    wmtui("watermark", "set", *ORDERS, "aug1")

    found = wmtui("watermark", "set", *ORDERS, "--from-file", "document.json")

    assert found.code == 5
    assert "2025-08-04 00:00:00" in found.err
    assert "2025-08-01 00:00:00" in found.err


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"{ broken", "document.json is not JSON"),
        (b"\xff\xfe", "document.json is not JSON"),
        (b"[]", "document.json is no watermark"),
        (b'{"table_name": "shop.items"}', "no watermark of shop.orders"),
        (None, "cannot read document.json"),
    ],
)
def test_a_file_that_is_no_watermark_of_the_table_changes_nothing(
    wmtui: Wmtui, tmp_path: Path, content: bytes | None, words: str
) -> None:
    if content is not None:
        (tmp_path / "document.json").write_bytes(content)

    found = wmtui("watermark", "set", *ORDERS, "--from-file", "document.json")

    assert (found.code, found.out) == (2, "")
    assert words in found.err
    assert wmtui("watermark", "get", *ORDERS, "--json").json["metadata"]["serial"] == 0


def test_a_preset_of_tables_yaml_is_a_point(wmtui: Wmtui, stack: Stack) -> None:
    stack.document["presets"] = {"quarter": "2025-07-01 00:00:00"}
    stack.reload()

    assert wmtui("watermark", "set", "quarter", "--force", "--json").json == {"system_watermark": "2025-07-01 00:00:00"}


def test_reset_makes_a_table_new_in_the_next_epoch(wmtui: Wmtui) -> None:
    wmtui("watermark", "set", *ORDERS, "aug4")

    found = wmtui("watermark", "reset", *ORDERS, "--json")

    assert found.code == 0
    assert found.json["last_mysql_data_timestamp"] is None
    assert found.json["epoch"] == 2
    assert "extraction will begin at the beginning" in found.err


def test_a_reset_table_begins_at_the_system_watermark(wmtui: Wmtui) -> None:
    wmtui("watermark", "set", "aug4", "--yes")

    found = wmtui("watermark", "reset", *ORDERS)

    assert "extraction will begin at the system watermark 2025-08-04 00:00:00 UTC" in found.out


def system(wmtui: Wmtui) -> str | None:
    """The system watermark as it is."""
    found: str | None = wmtui("watermark", "get", "--json").json["system_watermark"]
    return found


@pytest.mark.parametrize("verb", ["set", "reset"])
def test_moving_the_system_watermark_needs_a_yes(wmtui: Wmtui, answer: Callable[[str], None], verb: str) -> None:
    unattended = wmtui("watermark", verb, "aug4")
    answer("n")
    refused = wmtui("watermark", verb, "aug4")
    untouched = system(wmtui)
    answer("y")
    agreed = wmtui("watermark", verb, "aug4")

    assert (unattended.code, refused.code, agreed.code) == (2, 2, 0)
    assert "--force" in unattended.err
    assert "Move the system watermark to 2025-08-04 00:00:00 UTC?" in refused.err
    assert (untouched, system(wmtui)) == (None, "2025-08-04 00:00:00")


@pytest.mark.parametrize("yes", ["--force", "--yes"])
def test_a_yes_beforehand_moves_the_system_watermark(wmtui: Wmtui, yes: str) -> None:
    found = wmtui("watermark", "set", "2025-08-04", yes, "--json")

    assert (found.code, found.json) == (0, {"system_watermark": "2025-08-04 00:00:00"})


def test_resetting_to_a_preset_says_that_it_is_a_fresh_start(wmtui: Wmtui) -> None:
    assert "fresh start" in wmtui("watermark", "reset", "1week", "--force").err


def test_at_a_terminal_a_reset_asks_first(wmtui: Wmtui, answer: Callable[[str], None]) -> None:
    wmtui("watermark", "set", *ORDERS, "aug4")
    answer("n")
    refused = wmtui("watermark", "reset", *ORDERS)
    answer("y")
    agreed = wmtui("watermark", "reset", *ORDERS, "--json")

    assert (refused.code, refused.out) == (2, "")
    assert "shop.orders was not reset" in refused.err
    assert agreed.code == 0
    assert agreed.json["epoch"] == 2


def test_nobody_is_asked_what_is_refused_anyway(wmtui: Wmtui, answer: Callable[[str], None]) -> None:
    answer("y")

    found = wmtui("watermark", "reset", *ORDERS, "--read-only")

    assert found.code == 2
    assert "Reset" not in found.err


@pytest.mark.parametrize(
    "line",
    [
        ("set", *ORDERS, "aug4", "--read-only"),
        ("reset", *ORDERS, "--read-only"),
        ("set", "aug4", "--force", "--read-only"),
        ("set", *ORDERS),
        ("set",),
        ("set", "--timestamp", "aug4", "--force"),
        ("set", "--from-file", "x.json"),
        ("set", *ORDERS, "--timestamp", "aug4", "--from-file", "x.json"),
        ("set", *ORDERS, "--timestamp", "aug4", "aug1"),
        ("set", *ORDERS, "2099-01-01"),
        ("set", *ORDERS, "2025-02-30"),
        ("set", *ORDERS, "yesterday"),
        ("set", "-t", "shop.ordres", "aug4"),
        ("set", "-t", "orders", "aug4"),
        ("reset",),
        ("reset", *ORDERS, "aug4"),
        ("get", "--show-files"),
        ("get", "extra"),
        ("gt",),
        (),
    ],
    ids=" ".join,
)
def test_a_line_that_cannot_mean_anything_is_refused_and_changes_nothing(
    wmtui: Wmtui, stack: Stack, line: tuple[str, ...]
) -> None:
    found = wmtui("watermark", *line)

    assert (found.code, found.out) == (2, "")
    assert found.err.startswith("wmtui: ")
    assert "\n  next: " in found.err
    assert "Traceback" not in found.err
    assert stack.keys("") == []


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (("set", "-t", "shop.ordres", "aug4"), ["unknown table 'shop.ordres'", "shop.orders"]),
        (("set", *ORDERS, "--timestamp", "aug4", "--from-file", "x"), ["--timestamp", "--from-file"]),
        (("set", *ORDERS, "auf4"), ["unknown preset 'auf4'", "aug4, aug1, 1day", "did you mean aug4?"]),
        (("set", *ORDERS, "2099-01-01"), ["in the future", "--force"]),
        (("reset", *ORDERS, "aug4"), ["-t and PRESET exclude each other"]),
        (("gt",), ["no command `wmtui watermark gt`", "did you mean `wmtui watermark get`?"]),
    ],
)
def test_a_refusal_names_what_is_wrong_and_what_would_be_right(
    wmtui: Wmtui, line: tuple[str, ...], words: list[str]
) -> None:
    found = wmtui("watermark", *line)

    assert [word for word in words if word not in found.err] == []


def test_a_future_point_is_accepted_when_forced(wmtui: Wmtui) -> None:
    found = wmtui("watermark", "set", *ORDERS, "2099-01-01", "--force", "--json")

    assert found.json["last_mysql_data_timestamp"] == "2099-01-01 00:00:00"


def rows(found: Outcome) -> dict[str, list[str]]:
    """A plain table by its first column."""
    lines = [line.split("  ") for line in found.out.splitlines()[1:]]
    return {line[0]: [cell.strip() for cell in line[1:] if cell.strip()] for line in lines}


def test_list_shows_every_table_also_those_never_synced(wmtui: Wmtui) -> None:
    wmtui("sync", *ORDERS)

    found = wmtui("watermark", "list")

    orders, items = rows(found)["shop.orders"], rows(found)["shop.items"]
    assert orders[:4] == ["✓ ok", "automated", "✓ success", "✓ success"]
    assert orders[-2].endswith(" ago")
    assert orders[-1] == "- never"
    assert items == [
        "✗ never synced", "automated", "· pending", "· pending", "-", "-", "0", "never synced", "- never",
    ]  # fmt: skip


def test_list_names_documents_that_it_does_not_read(wmtui: Wmtui, stack: Stack) -> None:
    objects = stack.service.workspace.objects
    objects.put("watermark/tables/shop_orders.json", b'{"table_name": "shop.orders"}')

    people, data = wmtui("watermark", "list"), wmtui("watermark", "list", "--json")

    for found in (people, data):
        assert found.code == 0
        assert "watermark/tables/shop_orders.json: shop.orders's watermark as the older tool wrote it" in found.err


def test_list_as_json_has_each_tables_document_lag_and_waiting_files(wmtui: Wmtui) -> None:
    wmtui("watermark", "set", *ORDERS, "aug4")

    found = wmtui("watermark", "list", "--json")

    orders, items = found.json["tables"]
    assert orders["document"] == wmtui("watermark", "get", *ORDERS, "--json").json
    assert (orders["mode"], orders["waiting"], orders["held_back"], orders["last_success"]) == (
        "manual",
        0,
        False,
        None,
    )
    assert orders["lag_seconds"] > 0
    assert (items["table"], items["mode"], items["lag_seconds"]) == ("shop.items", "automated", None)


def test_an_unreadable_watermark_is_reported_with_its_key_beside_the_others(wmtui: Wmtui, stack: Stack) -> None:
    key = corrupt(stack)

    data, people = wmtui("watermark", "list", "--json"), wmtui("watermark", "list")

    assert (data.code, people.code) == (1, 1)
    broken, whole = data.json["tables"]
    assert (broken["table"], broken["code"], broken["error"]["code"]) == ("shop.orders", 1, "document-unreadable")
    assert key in broken["error"]["what"]
    assert (whole["table"], whole["error"]) == ("shop.items", None)
    assert rows(people)["shop.orders"][0] == "✗ unreadable"
    assert rows(people)["shop.items"][:2] == ["✗ never synced", "automated"]
    assert key in people.err


@pytest.mark.parametrize("line", [("get",), ("set", "aug4"), ("reset",)], ids=" ".join)
def test_an_unreadable_watermark_is_never_overwritten(wmtui: Wmtui, stack: Stack, line: tuple[str, ...]) -> None:
    key = corrupt(stack)

    found = wmtui("watermark", line[0], *ORDERS, *line[1:])

    assert (found.code, found.out) == (1, "")
    assert key in found.err
    assert (stack.path.parent / "lake" / key).read_text() == "{ broken"


def test_a_status_nobody_knows_is_shown_as_it_is(wmtui: Wmtui, stack: Stack) -> None:
    wmtui("watermark", "set", *ORDERS, "aug4")
    path = stack.path.parent / "lake/watermark/tables/shop.orders.json"
    path.write_text(path.read_text().replace('"mysql_status": "success"', '"mysql_status": "pau\\u001bsed"'))

    assert "? pau\\x1bsed" in wmtui("watermark", "list").out


@pytest.mark.parametrize(("size", "words"), [(9 * 2**20, "too large"), (65 * 2**20, "more than")])
def test_a_huge_document_is_refused(wmtui: Wmtui, tmp_path: Path, size: int, words: str) -> None:
    document = {**wmtui("watermark", "get", *ORDERS, "--json").json, "x_large": "x" * size}
    (tmp_path / "document.json").write_text(json.dumps(document))

    found = wmtui("watermark", "set", *ORDERS, "--from-file", str(tmp_path / "document.json"))

    assert (found.code, found.out) == (2, "")
    assert words in found.err


def test_a_reason_that_is_a_book_is_refused(wmtui: Wmtui) -> None:
    found = wmtui("watermark", "set", *ORDERS, "aug4", "--reason", "x" * 2_001)

    assert found.code == 2
    assert "the reason is too long" in found.err

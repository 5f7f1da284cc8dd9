"""A failure of any kind inside one table's work is that table's result: the others go on, and the summary comes."""

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Outcome, Wmtui
from tests.stack import Stack
from wmtui.errors import StoreDenied
from wmtui.objects.directory import DirectoryStore

ORDERS, ITEMS = ("-t", "shop.orders"), ("-t", "shop.items")
SECRET = "s3cr3t-word"
NO_LIMIT = 10**9


def breaks(monkeypatch: pytest.MonkeyPatch, place: str, table: str = "shop.orders") -> None:
    """An unexpected exception at a place in the code, whenever it is about this table."""
    module, _, name = place.rpartition(".")
    owner = import_module(module)
    work = getattr(owner, name)

    def broken(*arguments: Any, **named: Any) -> Any:
        about = [getattr(each, "table", each) for each in (*arguments, *named.values())]
        if any(str(each) == table for each in about):
            raise KeyError(SECRET)
        return work(*arguments, **named)

    monkeypatch.setattr(owner, name, broken)


def by_table(found: Outcome) -> dict[str, Any]:
    return {table["table"]: table for table in found.json["tables"]}


@pytest.mark.parametrize(
    ("place", "strategy"),
    [
        ("wmtui.pipeline.sync.extract_table", "sequential"),
        ("wmtui.pipeline.sync.extract_table", "inter-table"),
        ("wmtui.pipeline.sync.extract_table", "intra-table"),
        ("wmtui.pipeline.sync.load_table", "sequential"),
        ("wmtui.watermarks.lease.acquire", "sequential"),
    ],
)
def test_a_sync_goes_on_with_the_others(
    wmtui: Wmtui, stack: Stack, monkeypatch: pytest.MonkeyPatch, place: str, strategy: str
) -> None:
    stack.insert((1, "1.00", "item", stack.ago(hours=1)), name="items")
    breaks(monkeypatch, place)

    found = wmtui("sync", *ORDERS, *ITEMS, "-s", strategy, "--json", "--log-file", "wmtui.log")

    orders, items = by_table(found).values()
    assert found.code == 1
    assert (orders["status"], orders["code"], orders["error"]["code"], orders["error"]["kind"]) == (
        "failed", 1, "bug", "bug",
    )  # fmt: skip
    assert "this is a bug in wmtui (KeyError)" in found.err
    assert (items["status"], items["rows_loaded"]) == ("success", 1)
    assert SECRET not in found.out + found.err
    assert "Traceback" not in found.err
    assert "Traceback (most recent call last)" in (stack.path.parent / "wmtui.log").read_text()
    assert "Traceback" in wmtui("sync", *ORDERS, "--debug").err


def test_a_bug_in_one_table_does_not_hide_that_it_holds_no_lease(wmtui: Wmtui, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        breaks(patch, "wmtui.pipeline.sync.load_table")
        assert wmtui("sync", *ORDERS).code == 1

    assert wmtui("locks", "--json").json["locks"] == []
    assert wmtui("sync", *ORDERS).code == 0


@pytest.mark.parametrize(
    ("line", "place"),
    [
        (("watermark", "list"), "wmtui.watermarks.lease.read"),
        (("status",), "wmtui.watermarks.lease.read"),
        (("verify", *ORDERS, *ITEMS), "wmtui.verify.verify_table.verify_table"),
        (("sync", *ORDERS, *ITEMS, "--dry-run"), "wmtui.pipeline.load.table_ledger.read_ledger"),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, tuple) else "",
)
def test_whoever_looks_at_many_tables_tells_of_the_others(
    wmtui: Wmtui, monkeypatch: pytest.MonkeyPatch, line: tuple[str, ...], place: str
) -> None:
    assert wmtui("sync", *ORDERS, *ITEMS).code == 0
    breaks(monkeypatch, place)

    found = wmtui(*line, "--json")

    tables = by_table(found)
    assert found.code == found.json["exit_code"] == 1
    assert (tables["shop.orders"]["error"]["code"], tables["shop.items"]["error"]) == ("bug", None)
    assert wmtui(*line).code == 1


def test_locks_and_clean_tell_of_the_others(wmtui: Wmtui, monkeypatch: pytest.MonkeyPatch) -> None:
    breaks(monkeypatch, "wmtui.watermarks.lease.read")

    locks, clean = wmtui("locks", "--json"), wmtui("clean", "--dry-run", "--json")

    assert (locks.code, clean.code) == (1, 1)
    assert [lock["error"]["code"] for lock in locks.json["locks"]] == ["bug"]
    assert [(each["table"], each["error"]["code"]) for each in clean.json["errors"]] == [("shop.orders", "bug")]


def test_a_picture_shows_the_others(wmtui: Wmtui, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    breaks(monkeypatch, "wmtui.watermarks.lease.read")

    assert wmtui("--screenshot", "all.svg").code == 0

    picture = (tmp_path / "all.svg").read_text().replace("&#160;", " ")
    assert "shop.items" in picture
    assert "bug" in picture


def refusing(monkeypatch: pytest.MonkeyPatch, prefix: str, times: int = NO_LIMIT) -> None:
    """The store takes nothing under a prefix."""
    put, left = DirectoryStore.put, [times]

    def denied(self: DirectoryStore, key: str, data: bytes, **conditions: Any) -> str:
        if key.startswith(prefix) and left[0] > 0:
            left[0] -= 1
            raise StoreDenied(f"cannot write {key}", "denied", "grant it")
        return put(self, key, data, **conditions)

    monkeypatch.setattr(DirectoryStore, "put", denied)


def test_what_was_loaded_is_counted_although_its_record_was_not_written(
    wmtui: Wmtui, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        refusing(patch, "watermark/loads/")
        found = wmtui("sync", *ORDERS, "--json")

    (orders,) = found.json["tables"]
    assert (found.code, orders["error"]["code"], orders["error"]["kind"]) == (4, "store-denied", "refusal")
    assert (orders["rows_extracted"], orders["rows_loaded"], orders["files_loaded"]) == (3, 3, 1)
    assert "3 rows extracted and 3 rows loaded and committed; then it failed: " in found.err
    assert len(stack.warehouse_rows()) == 3
    assert wmtui("sync", *ORDERS, "--json").json["tables"][0]["rows_loaded"] == 0


def test_what_was_extracted_is_counted_although_the_watermark_was_not_written(
    wmtui: Wmtui, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(self: Any, table: Any, action: str, *arguments: Any, **named: Any) -> Any:
        if action == "extracted":
            raise StoreDenied("cannot write the watermark", "denied", "grant it")
        return original(self, table, action, *arguments, **named)

    original = type(stack.service.workspace.watermarks).change
    with monkeypatch.context() as patch:
        patch.setattr(type(stack.service.workspace.watermarks), "change", denied)
        found = wmtui("sync", *ORDERS, "--json")

    (orders,) = found.json["tables"]
    assert (found.code, orders["rows_extracted"], orders["files_written"], orders["rows_loaded"]) == (4, 3, 1, 0)
    assert "3 rows extracted and committed; then it failed: " in found.err
    assert wmtui("sync", *ORDERS, "--json").json["tables"][0]["rows_loaded"] == 3


TIMES = ("0001-01-01 00:00:00", "9999-12-31 23:59:59.999999")
INSTANTS = ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z")


def _deep(document: Any, names: tuple[str, ...], end: int) -> None:
    """Put every time of these names, wherever it stands, at an end of time."""
    if isinstance(document, dict):
        for name, inner in document.items():
            if name in names and isinstance(inner, str):
                document[name] = (INSTANTS if inner.endswith("Z") else TIMES)[end]
            else:
                _deep(inner, names, end)
    elif isinstance(document, list):
        for inner in document:
            _deep(inner, names, end)


@pytest.mark.parametrize(("end", "zone"), [(0, "Asia/Shanghai"), (1, "America/New_York")], ids=["first", "last"])
@pytest.mark.parametrize(
    ("folder", "fields"),
    [
        ("tables/shop.orders.json", ("last_mysql_data_timestamp",)),
        ("tables/shop.orders.json", ("last_mysql_extraction_time", "load_floor", "placed")),
        ("locks/shop.orders.json", ("last_success", "extracted_to", "extracted_from", "clock_read", "at")),
        ("runs/shop.orders", ("low", "high", "cursor_at", "min_cursor", "max_cursor", "seen_from", "started")),
        ("loads/shop.orders", ("started", "ended")),
    ],
    ids=["data timestamp", "times", "lock", "run", "load"],
)
def test_a_document_at_the_ends_of_time_is_that_tables_error_and_no_bug(
    wmtui: Wmtui, tmp_path: Path, end: int, zone: str, folder: str, *, fields: tuple[str, ...]
) -> None:
    assert wmtui("--run").code == 0
    tables = tmp_path / "tables.yaml"
    tables.write_text(tables.read_text().replace("  test:\n", f"  test:\n    timezone: {zone}\n", 1))
    place = tmp_path / "lake/watermark" / folder
    for path in [place] if place.is_file() else list(place.iterdir()):
        document = json.loads(path.read_text())
        _deep(document, fields, end)
        path.write_text(json.dumps(document))

    for line in (("watermark", "list"), ("status",), ("sync", *ORDERS, *ITEMS, "--dry-run"), ("sync", *ORDERS, *ITEMS)):
        found = wmtui(*line, "--json")
        assert "bug" not in found.out + found.err, (line, found.err)
    for line in (("files", *ORDERS), ("watermark", "history", *ORDERS), ("verify", *ORDERS), ("locks",)):
        assert "bug in wmtui" not in wmtui(*line).err

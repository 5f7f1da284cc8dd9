"""What is written can be read: the bounds of reading hold for every write, so that no table gets stuck."""

import json
import string
import tempfile
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.clock import NOON, HandClock
from wmtui.errors import TableError, Unreadable, UsageError, WmtuiError
from wmtui.layout import lock_key, watermark_key
from wmtui.model import TableName
from wmtui.objects import ObjectStore
from wmtui.objects.directory import DirectoryStore
from wmtui.watermarks import changes, lease
from wmtui.watermarks.bounds import LONGEST_TEXT
from wmtui.watermarks.documents import decode, is_deeper
from wmtui.watermarks.journal import Journal
from wmtui.watermarks.model import Watermark
from wmtui.watermarks.store import Author, WatermarkStore
from wmtui.watermarks.timestamps import parse_instant, parse_point, parse_wall, to_instant

ANA = Author("ana", "host-1")
TABLE = TableName("shop", "orders")

COUNTS = st.sampled_from([-1, 0, 1, 10**12 - 1, 10**12, 10**18 - 1, 10**18, 1.0, True, None, "1"])
TIMES = st.sampled_from(
    ["0001-01-01 00:00:00", "0002-01-01 00:00:00", "2025-08-10 00:00:00", "9998-12-31 23:59:59", "9999-12-31 00:00:00"]
)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "last_mysql_data_timestamp": TIMES | st.none(),
    "last_mysql_extraction_time": TIMES.map(lambda text: f"{text[:10]}T00:00:00Z") | st.none(),
    "load_floor": TIMES.map(lambda text: f"{text[:10]}T00:00:00+14:00") | st.none(),
    "last_processed_key": st.sampled_from([None, [], [1], ["a"], [1.5], [10**40]]),
    "epoch": COUNTS,
    "fence": COUNTS,
    "highest_epoch": COUNTS,
    "mysql_rows_extracted": COUNTS,
    "redshift_rows_loaded": COUNTS,
    "s3_file_count": COUNTS,
    "mysql_status": st.sampled_from(["success", "paused", None, 3]),
    "last_error": st.text(string.printable, max_size=20) | st.just("x" * 10_000) | st.sampled_from([None, 5]),
    "pin": st.sampled_from([None, {}, {"until": "soon"}, {"until": "2025-08-10T00:00:00Z"}, 5]),
    "warehouses": st.sampled_from([{}, {"w": {}}, {"w": 5}, [], {"w": {"rows": "x"}}, {"w": {"error": "y" * 5_000}}]),
    "timezone": st.sampled_from([None, "UTC", "Asia/Shanghai", "Mars/Olympus"]),
    "x_other": st.recursive(st.integers() | st.text(max_size=3), lambda inner: st.lists(inner, max_size=2)),
}
PATCHES = st.fixed_dictionaries({}, optional=VALUES)


@settings(max_examples=60, deadline=None)
@given(st.lists(PATCHES | st.sampled_from(["set", "reset", "undo", "outside"]), min_size=1, max_size=6))
def test_whatever_is_written_can_be_read_and_gone_back_to(steps: list[Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        objects = DirectoryStore(folder, HandClock())
        watermarks = WatermarkStore(objects, HandClock(), ANA)
        left: dict[int, Any] = {}
        for step in steps:
            try:
                mark = watermarks.change(TABLE, "import", lambda seen, step=step: patch(seen, step))
            except WmtuiError:
                assert len(left) == watermarks.read(TABLE).watermark.serial
            else:
                left[mark.serial] = mark.content
                assert watermarks.read(TABLE).watermark == mark
        journal = Journal(objects, TABLE)
        assert {serial: journal.left_by(serial)[0] for serial in journal.serials()} == left


def patch(seen: Watermark, step: Any) -> Any:
    """What an operation changes."""
    if step == "set":
        return changes.set_point(seen, parse_wall("2025-08-10 00:00:00"), NOON, NOON)
    if step == "reset":
        return changes.reset(seen)
    return changes.undo(seen, Watermark.new(TABLE)) if isinstance(step, str) else step


@pytest.mark.parametrize(
    "fields",
    [{"fence": 10**12}, {"epoch": 10**12}, {"mysql_rows_extracted": 10**18}, {"warehouses": {"w": 5}}],
    ids=str,
)
def test_a_change_that_nobody_could_read_again_is_refused_and_nothing_is_written(
    folder: ObjectStore, clock: HandClock, table: TableName, fields: dict[str, Any]
) -> None:
    watermarks = WatermarkStore(folder, clock, ANA)
    mark = watermarks.change(table, "note", lambda _: {"x": 1})

    with pytest.raises(TableError, match="it could not be read again"):
        watermarks.change(table, "note", lambda _: fields)

    assert watermarks.read(table).watermark == mark


def test_a_serial_without_room_is_refused(folder: ObjectStore, clock: HandClock, table: TableName) -> None:
    document = {"table_name": str(table), "metadata": {"serial": 10**12 - 1}}
    folder.put(watermark_key(table), json.dumps(document).encode())

    with pytest.raises(TableError, match="serial is 1000000000000"):
        WatermarkStore(folder, clock, ANA).change(table, "note", lambda _: {"x": 1})


@pytest.mark.parametrize(("token", "fence"), [(10**12 - 1, 0), (0, 10**12 - 1), (0, 10**17)])
def test_a_token_without_room_is_refused_before_it_is_written(
    folder: ObjectStore, clock: HandClock, table: TableName, token: int, fence: int
) -> None:
    folder.put(lock_key(table), json.dumps({"token": token}).encode())

    with pytest.raises(TableError, match="the next token is"):
        lease.acquire(folder, clock, ANA, table, "run-1", fence=fence)

    assert lease.read(folder, table).token == token


def test_a_lock_with_a_token_that_no_run_can_have_is_unreadable(folder: ObjectStore, table: TableName) -> None:
    folder.put(lock_key(table), json.dumps({"token": 10**12}).encode())

    with pytest.raises(Unreadable, match="token is 1000000000000"):
        lease.read(folder, table)


def test_an_error_has_no_more_room_than_it_needs(folder: ObjectStore, clock: HandClock, table: TableName) -> None:
    watermarks = WatermarkStore(folder, clock, ANA)
    noted = {"w1": {"error": "y" * 100_000}, "w2": {"error": None}}

    mark = watermarks.change(table, "failed", lambda _: {"last_error": "x" * 100_000, "warehouses": noted})

    errors = [mark.fields["last_error"], mark.fields["warehouses"]["w1"]["error"]]
    assert [(len(error), error[-1]) for error in errors] == [(LONGEST_TEXT, "…")] * 2
    assert mark.fields["warehouses"]["w2"] == {"error": None}


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(("levels", "deeper"), [(0, False), (99, False), (100, False), (101, True), (500, True)])
def test_depth_is_counted_in_levels(levels: int, deeper: bool) -> None:
    assert is_deeper(nested(levels), 100) is deeper


def test_a_document_that_could_not_be_written_again_is_not_read(
    folder: ObjectStore, clock: HandClock, table: TableName
) -> None:
    watermarks = WatermarkStore(folder, clock, ANA)
    folder.put(watermark_key(table), json.dumps({"table_name": str(table), "x_deep": nested(95)}).encode())
    mark = watermarks.change(table, "note", lambda _: {"x_deep": nested(94)})
    assert watermarks.read(table).watermark == mark

    folder.put(watermark_key(table), json.dumps({"table_name": str(table), "x_deep": nested(120)}).encode())
    with pytest.raises(Unreadable, match="nested too deeply"):
        watermarks.read(table)


def test_many_brackets_are_not_depth(table: TableName) -> None:
    data = json.dumps({"table_name": str(table), "x": [[] for _ in range(1_000)]}).encode()

    assert Watermark.decode(table, data, "k").fields["x"] == decode("k", data)["x"]


@pytest.mark.parametrize("text", ["0001-12-31T23:59:59Z", "9999-01-01T00:00:00Z"])
def test_times_that_no_zone_can_move_are_the_only_ones(text: str) -> None:
    with pytest.raises(ValueError, match="outside the years"):
        parse_instant(text)
    with pytest.raises(ValueError, match="outside the years"):
        parse_wall(text[:19].replace("T", " "))


@pytest.mark.parametrize("zone", ["UTC", "Asia/Shanghai", "America/Los_Angeles"])
@pytest.mark.parametrize("text", ["0001-01-01", "0002-01-01", "9998-12-31", "9999-12-31", "-9999999h"])
def test_a_typed_point_is_refused_or_can_be_read_in_every_form(text: str, zone: str) -> None:
    from zoneinfo import ZoneInfo

    try:
        wall = parse_point(text, now=NOON, zone=ZoneInfo(zone), presets={}, force=True)
    except UsageError:
        return
    assert parse_wall(wall.isoformat(" ")) == wall
    assert parse_instant(to_instant(wall, ZoneInfo(zone)).isoformat()) == to_instant(wall, ZoneInfo(zone))

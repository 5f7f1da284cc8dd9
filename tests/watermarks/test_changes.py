"""Changing watermarks: compare-and-swap, the journal, lost answers, and edits made behind wmtui's back.

Guards against lost updates, against one's own successful write reported as a conflict, against servers that ignore
conditions, and against watermarks that come back by themselves after a reset.
"""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from tests.clock import NOON, HandClock
from tests.servers.s3 import (
    Environ,
    S3Server,
    Serve,
    hang_up,
    ignore_headers,
    refuse,
    require_unquoted_etags,
    serve_then,
)
from wmtui.config import S3Config
from wmtui.errors import ConditionsIgnored, Conflict, StoreError, Unreadable, WatermarkGone
from wmtui.layout import watermark_key
from wmtui.model import TableName
from wmtui.objects import ObjectStore
from wmtui.objects.directory import DirectoryStore
from wmtui.objects.s3 import S3Store
from wmtui.watermarks import changes
from wmtui.watermarks.journal import Journal
from wmtui.watermarks.journal_entries import taken_back
from wmtui.watermarks.model import Json, Watermark
from wmtui.watermarks.store import Author, WatermarkStore
from wmtui.watermarks.timestamps import parse_wall

ANA = Author("ana", "host-1")
BEN = Author("ben", "host-2")
POINT = parse_wall("2025-08-10 00:00:00")


def note(text: str) -> Callable[[Watermark], Json]:
    return lambda _: {"last_error": text}


def count(mark: Watermark) -> Json:
    return {"x_count": mark.fields.get("x_count", 0) + 1}


def entries(objects: ObjectStore, table: TableName) -> list[Json]:
    return list(Journal(objects, table))


def write_outside(objects: ObjectStore, table: TableName, **fields: Any) -> None:
    """Edit the document as another tool does: unconditionally, leaving its bookkeeping as it is."""
    key = watermark_key(table)
    document = json.loads(objects.get(key).data)
    objects.put(key, json.dumps({**document, **fields}).encode())


def assert_unbroken(objects: ObjectStore, table: TableName) -> None:
    """Every change begins with what the one before it left."""
    journal = entries(objects, table)
    assert [entry["serial"] for entry in journal] == list(range(1, len(journal) + 1))
    for earlier, later in pairwise(journal):
        assert later["previous"] == earlier["serial"]
        left, _ = Journal(objects, table).left_by(later["serial"])
        assert taken_back(left, later) == Journal(objects, table).left_by(earlier["serial"])[0]


@pytest.fixture
def lake(s3: S3Server) -> ObjectStore:
    return S3Store(f"s3://{s3.new_bucket()}/lake", S3Config(endpoint_url=s3.endpoint_url))


@pytest.fixture
def on_s3(lake: ObjectStore, clock: HandClock) -> WatermarkStore:
    """The watermark store on S3, its conditions proven."""
    watermarks = WatermarkStore(lake, clock, ANA)
    watermarks.require_conditions()
    return watermarks


def test_a_change_is_recorded_with_who_when_why_and_what(
    watermarks: WatermarkStore, objects: ObjectStore, table: TableName
) -> None:
    watermarks.change(table, "set", lambda mark: changes.set_point(mark, POINT, NOON, NOON), reason="late files")

    (entry,) = entries(objects, table)
    mark = watermarks.read(table).watermark
    assert (entry["serial"], entry["action"], entry["reason"]) == (1, "set", "late files")
    assert (entry["actor"], entry["host"], entry["at"]) == ("ana", "host-1", "2025-08-14T12:00:00Z")
    assert entry["after"] == mark.content
    assert taken_back(mark.content, entry) == Watermark.new(table).content
    assert mark.change is not None
    assert {**mark.change, "after": mark.content, "metadata": entry["metadata"]} == entry
    assert mark.fields["metadata"]["updated_at"] == "2025-08-14T12:00:00Z"


def test_edits_of_eight_threads_all_count_and_the_journal_has_no_gap(
    watermarks: WatermarkStore, objects: ObjectStore, table: TableName
) -> None:
    edits = 10 if isinstance(objects, DirectoryStore) else 3

    def edit(_: int) -> None:
        for _ in range(edits):
            watermarks.change(table, "count", count)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(edit, range(8)))

    mark = watermarks.read(table).watermark
    assert mark.fields["x_count"] == mark.serial == 8 * edits
    assert len(entries(objects, table)) == 8 * edits
    assert_unbroken(objects, table)


def test_conditions_are_proven_once_however_many_threads_begin(
    lake: ObjectStore, s3: S3Server, clock: HandClock
) -> None:
    s3.faults.add(require_unquoted_etags, method="PUT", times=None)
    watermarks = WatermarkStore(lake, clock, ANA)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: watermarks.require_conditions(), range(8)))

    assert len({key for _, key in s3.requests if "/probe/" in key}) == 1


@pytest.mark.parametrize("lost", [hang_up, refuse(500, "InternalError"), refuse(503, "SlowDown")])
def test_a_write_whose_answer_was_lost_is_neither_a_conflict_nor_applied_twice(
    on_s3: WatermarkStore, lake: ObjectStore, s3: S3Server, table: TableName, lost: Any
) -> None:
    seen = on_s3.change(table, "count", count)
    s3.faults.add(serve_then(lost), method="PUT", key="watermark/tables/")

    mark = on_s3.change(table, "count", count, based_on=seen)

    assert mark.fields["x_count"] == 2
    assert mark == on_s3.read(table).watermark
    assert len(entries(lake, table)) == 2


def test_a_write_that_landed_counts_even_if_every_answer_is_an_error(
    on_s3: WatermarkStore, lake: ObjectStore, s3: S3Server, table: TableName
) -> None:
    s3.faults.add(serve_then(refuse(500, "InternalError")), method="PUT", key="watermark/tables/", times=None)

    assert on_s3.change(table, "count", count).fields["x_count"] == 1

    s3.faults.clear()
    assert on_s3.read(table).watermark.serial == 1
    assert len(entries(lake, table)) == 1


def test_a_lost_answer_counts_even_if_somebody_else_has_written_since(
    on_s3: WatermarkStore, lake: ObjectStore, s3: S3Server, clock: HandClock, table: TableName
) -> None:
    other = WatermarkStore(lake, clock, BEN)
    other.require_conditions()

    def overtaken(environ: Environ, serve: Serve) -> Any:
        serve(environ)
        other.change(table, "count", count)
        return refuse(412, "PreconditionFailed")(environ, serve)

    s3.faults.add(overtaken, method="PUT", key="watermark/tables/")

    on_s3.change(table, "count", count)

    assert on_s3.read(table).watermark.fields["x_count"] == 2
    assert [entry["actor"] for entry in entries(lake, table)] == ["ana", "ben"]


def test_a_failure_before_the_write_changes_nothing_and_is_an_error(
    on_s3: WatermarkStore, lake: ObjectStore, s3: S3Server, table: TableName
) -> None:
    s3.faults.add(refuse(500, "InternalError"), method="PUT", key="watermark/tables/", times=None)

    with pytest.raises(StoreError):
        on_s3.change(table, "count", count)

    assert list(lake.list("watermark/tables/")) == list(lake.list("watermark/journal/")) == []


def test_a_blind_change_is_computed_again_on_what_another_writer_left(
    watermarks: WatermarkStore, objects: ObjectStore, clock: HandClock, table: TableName
) -> None:
    other = WatermarkStore(objects, clock, BEN)
    interruptions = iter([True])

    def edit(mark: Watermark) -> Json:
        if next(interruptions, False):
            other.change(table, "count", count)
        return count(mark)

    watermarks.change(table, "count", edit)

    assert watermarks.read(table).watermark.fields["x_count"] == 2
    assert_unbroken(objects, table)


def test_a_change_based_on_an_older_document_is_a_conflict_that_shows_both(
    watermarks: WatermarkStore, objects: ObjectStore, clock: HandClock, table: TableName
) -> None:
    seen = watermarks.change(table, "set", lambda mark: changes.set_point(mark, POINT, NOON, NOON))
    other = WatermarkStore(objects, clock, BEN)
    other.change(table, "set", lambda mark: changes.set_point(mark, parse_wall("2025-08-11"), NOON, NOON))

    with pytest.raises(Conflict) as conflict:
        watermarks.change(table, "count", count, based_on=seen)

    for part in ("serial 1", "2025-08-10 00:00:00", "serial 2", "2025-08-11 00:00:00", "ben"):
        assert part in conflict.value.why
    assert "x_count" not in watermarks.read(table).watermark.fields


def test_a_change_based_on_what_is_lost_in_the_race_is_a_conflict_too(
    watermarks: WatermarkStore, objects: ObjectStore, clock: HandClock, table: TableName
) -> None:
    seen = watermarks.change(table, "count", count)
    other = WatermarkStore(objects, clock, BEN)

    def edit(mark: Watermark) -> Json:
        other.change(table, "count", count)
        return count(mark)

    with pytest.raises(Conflict):
        watermarks.change(table, "count", edit, based_on=seen)

    assert watermarks.read(table).watermark.fields["x_count"] == 2


@pytest.mark.parametrize("key", ["watermark/tables/", "watermark/journal/"])
def test_a_write_that_meets_another_under_way_is_tried_again(
    on_s3: WatermarkStore, lake: ObjectStore, s3: S3Server, table: TableName, key: str
) -> None:
    seen = on_s3.change(table, "count", count)
    s3.faults.add(refuse(409, "ConditionalRequestConflict"), method="PUT", key=key, times=2)

    on_s3.change(table, "count", count, based_on=seen)

    assert on_s3.read(table).watermark.fields["x_count"] == 2
    assert_unbroken(lake, table)


@pytest.mark.parametrize("header", ["If-Match", "If-None-Match"])
def test_a_server_that_ignores_conditions_is_not_edited(
    lake: ObjectStore, s3: S3Server, clock: HandClock, table: TableName, header: str
) -> None:
    lake.put(watermark_key(table), Watermark.new(table).encode())
    before = list(lake.list(""))
    s3.faults.add(ignore_headers(header), method="PUT", times=None)
    watermarks = WatermarkStore(lake, clock, ANA)

    for _ in range(2):
        with pytest.raises(ConditionsIgnored):
            watermarks.change(table, "reset", changes.reset)
        with pytest.raises(ConditionsIgnored):
            watermarks.set_system(POINT)

    assert list(lake.list("")) == before
    assert watermarks.read(table).watermark.serial == 0


def test_a_change_whose_journal_entry_could_not_be_copied_stands_and_the_next_one_copies_it(
    on_s3: WatermarkStore, lake: ObjectStore, s3: S3Server, table: TableName
) -> None:
    s3.faults.add(refuse(503, "SlowDown"), method="PUT", key="watermark/journal/", times=None)
    on_s3.change(table, "count", count)
    assert entries(lake, table) == []

    s3.faults.clear()
    on_s3.change(table, "count", count)

    assert [entry["action"] for entry in entries(lake, table)] == ["count", "count"]
    assert_unbroken(lake, table)


def test_a_journal_entry_missing_after_a_crash_is_written_before_the_next_change(
    watermarks: WatermarkStore, objects: ObjectStore, table: TableName
) -> None:
    watermarks.change(table, "first", count)
    watermarks.change(table, "second", count)
    objects.delete(Journal(objects, table).key(2))

    watermarks.change(table, "third", count)

    assert [entry["action"] for entry in entries(objects, table)] == ["first", "second", "third"]
    assert_unbroken(objects, table)


def test_a_journal_that_holds_another_change_under_a_serial_is_reported_and_kept(
    watermarks: WatermarkStore, objects: ObjectStore, table: TableName
) -> None:
    watermarks.change(table, "first", count)
    key = Journal(objects, table).key(1)
    objects.put(key, b'{"serial": 1, "write_id": "somebody else"}')

    with pytest.raises(Unreadable, match="another change"):
        watermarks.change(table, "second", count)

    assert json.loads(objects.get(key).data)["write_id"] == "somebody else"
    assert watermarks.read(table).watermark.serial == 1


def test_other_objects_between_journal_entries_are_no_entries(
    watermarks: WatermarkStore, objects: ObjectStore, table: TableName
) -> None:
    watermarks.change(table, "first", count)
    for name in ("README.md", "000000000001.json.bak", "zzz"):
        objects.put(f"watermark/journal/{table.key}/{name}", b"x")

    watermarks.change(table, "second", count)

    assert [entry["serial"] for entry in entries(objects, table)] == [1, 2]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[",
        b"[]",
        b"{}",
        b'{"serial": 2, "before": {}, "after": {}}',
        b'{"serial": 1, "before": {}, "after": []}',
        b'{"serial": 1, "before": {"epoch": "first"}, "after": {}}',
    ],
)
def test_a_corrupt_journal_entry_is_reported_by_key(
    watermarks: WatermarkStore, objects: ObjectStore, table: TableName, data: bytes
) -> None:
    watermarks.change(table, "first", count)
    key = Journal(objects, table).key(1)
    objects.put(key, data)

    with pytest.raises(Unreadable) as error:
        Journal(objects, table).get(1)

    assert error.value.key == key


def test_an_edit_made_outside_is_adopted_before_the_next_change(
    watermarks: WatermarkStore, objects: ObjectStore, table: TableName
) -> None:
    watermarks.change(table, "first", count)
    write_outside(objects, table, last_mysql_data_timestamp="2025-08-01 00:00:00")

    mark = watermarks.change(table, "second", note("x"))

    journal = entries(objects, table)
    assert [entry["action"] for entry in journal] == ["first", "external", "second"]
    changed = journal[1]["changed"]["last_mysql_data_timestamp"]
    assert changed == {"before": None, "after": "2025-08-01 00:00:00"}
    assert mark.fields["last_mysql_data_timestamp"] == "2025-08-01 00:00:00"
    assert_unbroken(objects, table)


def test_reading_an_edit_made_outside_reports_it_and_writes_nothing(
    watermarks: WatermarkStore, objects: ObjectStore, table: TableName
) -> None:
    watermarks.change(table, "first", count)
    assert watermarks.unadopted(table) is None
    write_outside(objects, table, x_count=7)
    before = list(objects.list(""))

    assert watermarks.read(table).watermark.fields["x_count"] == 7
    found = watermarks.unadopted(table)

    assert found is not None
    assert (found[0]["x_count"], found[1].fields["x_count"]) == (1, 7)
    assert list(objects.list("")) == before


def test_a_change_that_lands_while_reading_is_not_taken_for_an_edit_made_outside(
    watermarks: WatermarkStore,
    objects: ObjectStore,
    clock: HandClock,
    table: TableName,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watermarks.change(table, "first", count)
    other = WatermarkStore(objects, clock, BEN)
    newest, overtaking = Journal.newest, iter([True])

    def overtaken(journal: Journal, since: int = 0) -> tuple[int, Json | None]:
        if next(overtaking, False):
            other.change(table, "count", count)
        return newest(journal, since)

    monkeypatch.setattr(Journal, "newest", overtaken)

    assert watermarks.unadopted(table) is None


@pytest.mark.parametrize("serials", ["kept", "dropped"])
def test_a_change_based_on_an_edit_made_outside_is_no_conflict(
    watermarks: WatermarkStore, objects: ObjectStore, table: TableName, serials: str
) -> None:
    """A run over another tool's document bases its writes on what it read there."""
    if serials == "kept":
        watermarks.change(table, "first", count)
        write_outside(objects, table, last_mysql_data_timestamp="2025-08-01 00:00:00")
    else:
        document = {"table_name": str(table), "last_mysql_data_timestamp": "2025-08-01 00:00:00"}
        objects.put(watermark_key(table), json.dumps(document).encode())
    seen = watermarks.read(table).watermark

    mark = watermarks.change(table, "run started", note("x"), based_on=seen)

    assert mark.fields["last_mysql_data_timestamp"] == "2025-08-01 00:00:00"
    assert [entry["action"] for entry in entries(objects, table)][-2:] == ["external", "run started"]


def test_an_edit_made_outside_since_is_a_conflict_although_its_serial_is_the_same(
    watermarks: WatermarkStore, objects: ObjectStore, table: TableName
) -> None:
    seen = watermarks.change(table, "first", count)
    write_outside(objects, table, last_mysql_data_timestamp="2025-08-01 00:00:00")

    with pytest.raises(Conflict):
        watermarks.change(table, "second", note("x"), based_on=seen)

    assert watermarks.read(table).watermark.fields["last_error"] is None


def test_a_document_restored_from_an_older_version_goes_on_behind_the_journal(
    watermarks: WatermarkStore, objects: ObjectStore, table: TableName
) -> None:
    watermarks.change(table, "first", lambda _: {"fence": 3, "x_count": 1})
    older = objects.get(watermark_key(table)).data
    watermarks.change(table, "second", lambda _: {"fence": 9, "x_count": 2})
    objects.put(watermark_key(table), older)

    mark = watermarks.change(table, "third", note("x"))

    assert (mark.serial, mark.fields["x_count"], mark.fence) == (4, 1, 9)
    assert [entry["action"] for entry in entries(objects, table)] == ["first", "second", "external", "third"]


def test_no_epoch_is_used_twice_although_a_change_goes_back_behind_it(
    watermarks: WatermarkStore, objects: ObjectStore, table: TableName
) -> None:
    first = watermarks.change(table, "count", count)
    watermarks.change(table, "reset", changes.reset)
    undone = watermarks.change(table, "undo", lambda mark: changes.undo(mark, first))
    assert (undone.epoch, undone.next_epoch) == (1, 3)

    objects.delete(watermark_key(table))

    assert watermarks.change(table, "reset", changes.reset, by_hand=True).epoch == 3
    assert watermarks.change(table, "reset", changes.reset).epoch == 4


def test_epoch_and_fence_do_not_go_back_when_the_document_was_replaced_outside(
    watermarks: WatermarkStore, objects: ObjectStore, table: TableName
) -> None:
    watermarks.change(table, "reset", changes.reset)
    watermarks.change(table, "run", lambda _: {"fence": 7})
    document = {"table_name": str(table), "last_mysql_data_timestamp": "2025-08-01 00:00:00"}
    objects.put(watermark_key(table), json.dumps(document).encode())

    mark = watermarks.change(table, "note", note("x"))

    assert (mark.epoch, mark.fence, mark.serial) == (2, 7, 4)
    assert mark.data_timestamp == parse_wall("2025-08-01")


def test_no_watermark_comes_back_by_itself(
    watermarks: WatermarkStore, objects: ObjectStore, clock: HandClock, table: TableName
) -> None:
    watermarks.change(table, "set", lambda mark: changes.set_point(mark, POINT, NOON, NOON))
    watermarks.change(table, "reset", changes.reset)
    assert WatermarkStore(objects, clock, ANA).read(table).watermark.position is None

    objects.delete(watermark_key(table))
    for attempt in (watermarks.read, watermarks.current, lambda table: watermarks.change(table, "note", note("x"))):
        with pytest.raises(WatermarkGone):
            attempt(table)
    assert watermarks.standing(table).position is None
    assert list(objects.list("watermark/tables/")) == []


class Overtaken(DirectoryStore):
    """Somebody else writes the document before every one of our writes."""

    def put(self, key: str, data: bytes, *, if_match: str | None = None, if_absent: bool = False) -> str:
        if key.startswith("watermark/tables/"):
            document = {"table_name": "shop.orders", "x_random": uuid4().hex}
            super().put(key, json.dumps(document).encode())
        return super().put(key, data, if_match=if_match, if_absent=if_absent)


def test_a_change_gives_up_after_a_bounded_number_of_lost_races(
    tmp_path: Any, clock: HandClock, table: TableName, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wmtui.watermarks.documents.time", SimpleNamespace(sleep=lambda _: None))
    watermarks = WatermarkStore(Overtaken(str(tmp_path), clock), clock, ANA)

    with pytest.raises(Conflict, match="could not change"):
        watermarks.change(table, "note", lambda mark: {"last_error": f"{mark.serial}"})


def test_the_system_watermark_is_absent_set_and_moved(watermarks: WatermarkStore, objects: ObjectStore) -> None:
    assert watermarks.system() is None

    for text in ("2025-08-09 20:00:01", "2025-08-04 00:00:00"):
        watermarks.set_system(parse_wall(text))
        assert watermarks.system() == parse_wall(text)
        assert objects.get("watermark/last_run_timestamp.txt").data.decode().strip() == text


def test_the_system_watermark_holds_whole_seconds(watermarks: WatermarkStore) -> None:
    watermarks.set_system(parse_wall("2025-08-09 20:00:01.75"))

    assert watermarks.system() == parse_wall("2025-08-09 20:00:01")


@pytest.mark.parametrize("data", [b"", b"yesterday", b"\xff\xfe", b"2025-08-09T20:00:01Z"])
def test_a_garbled_system_watermark_is_reported_by_key_and_not_overwritten(
    watermarks: WatermarkStore, objects: ObjectStore, data: bytes
) -> None:
    key = "watermark/last_run_timestamp.txt"
    objects.put(key, data)

    with pytest.raises(Unreadable) as error:
        watermarks.system()
    with pytest.raises(Unreadable):
        watermarks.set_system(POINT)

    assert error.value.key == key
    assert objects.get(key).data == data


def test_moving_the_system_watermark_with_a_lost_answer_is_no_conflict(on_s3: WatermarkStore, s3: S3Server) -> None:
    on_s3.set_system(parse_wall("2025-08-01"))
    s3.faults.add(serve_then(hang_up), method="PUT", key="last_run_timestamp")
    s3.faults.add(refuse(409, "ConditionalRequestConflict"), method="PUT", key="last_run_timestamp")

    on_s3.set_system(POINT)

    assert on_s3.system() == POINT


def test_two_who_move_the_system_watermark_at_once_learn_of_each_other(
    on_s3: WatermarkStore, lake: ObjectStore, s3: S3Server
) -> None:
    on_s3.set_system(parse_wall("2025-08-01"))

    def overtaken(environ: Environ, serve: Serve) -> Any:
        lake.put("watermark/last_run_timestamp.txt", b"2025-08-02 00:00:00\n")
        return serve(environ)

    s3.faults.add(overtaken, method="PUT", key="last_run_timestamp")

    with pytest.raises(Conflict, match="at the same moment") as conflict:
        on_s3.set_system(POINT)

    assert "2025-08-02 00:00:00" in conflict.value.why

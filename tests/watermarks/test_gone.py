"""A document that was deleted: an alarm as long as its journal is there, until somebody decides.

Guards against a table that silently begins again at the system watermark.
"""

import json

import pytest

from tests.clock import NOON, HandClock
from tests.servers.s3 import S3Server
from wmtui.config import S3Config
from wmtui.errors import Conflict, Unreadable, WatermarkGone
from wmtui.layout import watermark_key
from wmtui.model import TableName
from wmtui.objects import ObjectStore
from wmtui.objects.s3 import S3Store
from wmtui.watermarks import changes
from wmtui.watermarks.journal import Journal
from wmtui.watermarks.model import Watermark
from wmtui.watermarks.store import Author, WatermarkStore
from wmtui.watermarks.timestamps import parse_wall

ANA = Author("ana", "host-1")
POINT = parse_wall("2025-08-10 00:00:00")


def run(watermarks: WatermarkStore, table: TableName, count: int = 60) -> Watermark:
    """A table with a history in which epoch, fence and fields of other tools moved."""
    watermarks.change(table, "reset", changes.reset)
    watermarks.change(table, "note", lambda _: {"fence": 7, "x_team": {"name": "a"}, "pin": {"owner": "ana"}})
    for number in range(3, count + 1):
        mark = watermarks.change(table, "note", lambda _, n=number: {"x": n, "pending_extraction": f"run-{n}"})
    return mark


def test_a_deleted_document_is_gone_and_no_new_table(
    watermarks: WatermarkStore, objects: ObjectStore, table: TableName
) -> None:
    run(watermarks, table, 3)
    objects.delete(watermark_key(table))
    before = list(objects.list(""))

    for attempt in (watermarks.read, watermarks.current, watermarks.unadopted):
        with pytest.raises(WatermarkGone) as gone:
            attempt(table)
    with pytest.raises(WatermarkGone):
        watermarks.change(table, "run started", lambda _: {"fence": 8})

    assert gone.value.in_one_line == (
        "the watermark of shop.orders is gone: its document was deleted; the journal has serial 3 — "
        "`wmtui watermark undo -t shop.orders` brings it back; `wmtui watermark set` or `reset` decides otherwise"
    )
    assert gone.value.key == watermark_key(table)
    assert list(objects.list("")) == before


@pytest.mark.parametrize("count", [1, 3, 49, 50, 51, 60])
def test_it_comes_back_exactly_under_a_serial_of_its_own(
    folder: ObjectStore, clock: HandClock, table: TableName, count: int
) -> None:
    watermarks = WatermarkStore(folder, clock, ANA)
    watermarks.change(table, "reset", changes.reset)
    mark = run(watermarks, table, count) if count > 1 else watermarks.read(table).watermark
    clock.advance(hours=1)
    folder.delete(watermark_key(table))

    back = watermarks.restore(table, reason="deleted by mistake")

    assert back == watermarks.read(table).watermark
    assert back.content == mark.content
    assert back.serial == mark.serial + 1
    assert back.fields["metadata"]["created_at"] == mark.fields["metadata"]["created_at"]
    assert back.change is not None
    told = (back.change["action"], back.change["reason"], back.change["changed"])
    assert told == ("restored", "deleted by mistake", {})
    assert watermarks.unadopted(table) is None
    assert Journal(folder, table).left_by(back.serial)[0] == mark.content


def test_to_decide_otherwise_keeps_what_no_decision_is_about(
    watermarks: WatermarkStore, objects: ObjectStore, table: TableName
) -> None:
    run(watermarks, table, 4)
    objects.delete(watermark_key(table))

    mark = watermarks.change(table, "set", lambda seen: changes.set_point(seen, POINT, NOON, NOON), by_hand=True)

    assert (mark.serial, mark.epoch, mark.fence, mark.data_timestamp) == (5, 2, 7, POINT)
    assert mark.fields["x_team"] == {"name": "a"}
    assert mark.fields["pin"] == {"owner": "ana"}


def test_a_reset_of_one_that_is_gone_uses_no_epoch_again(
    watermarks: WatermarkStore, objects: ObjectStore, table: TableName
) -> None:
    run(watermarks, table, 4)
    objects.delete(watermark_key(table))

    assert watermarks.change(table, "reset", changes.reset, by_hand=True).epoch == 3


def test_with_a_gap_in_the_journal_it_is_not_guessed_but_somebody_may_decide(
    folder: ObjectStore, clock: HandClock, table: TableName
) -> None:
    watermarks = WatermarkStore(folder, clock, ANA)
    run(watermarks, table, 6)
    journal = Journal(folder, table)
    folder.delete(journal.key(4))
    folder.delete(watermark_key(table))

    with pytest.raises(Unreadable, match="missing") as refused:
        watermarks.restore(table)
    mark = watermarks.change(table, "reset", changes.reset, by_hand=True)

    assert refused.value.key == journal.key(4)
    assert (mark.serial, mark.epoch, mark.fence) == (7, 3, 7)
    assert journal.left_by(7)[0] == mark.content


def test_a_journal_that_is_gone_too_is_a_new_table(
    watermarks: WatermarkStore, objects: ObjectStore, table: TableName
) -> None:
    run(watermarks, table, 3)
    for info in [*objects.list("watermark/tables/"), *objects.list("watermark/journal/")]:
        objects.delete(info.key)

    assert watermarks.read(table).watermark == Watermark.new(table)
    assert watermarks.change(table, "note", lambda _: {"x": 1}).serial == 1


def test_one_that_is_there_again_is_not_overwritten(folder: ObjectStore, clock: HandClock, table: TableName) -> None:
    watermarks = WatermarkStore(folder, clock, ANA)
    run(watermarks, table, 3)
    data = folder.get(watermark_key(table)).data

    with pytest.raises(Conflict, match="there again"):
        watermarks.restore(table)

    assert folder.get(watermark_key(table)).data == data


class Between(S3Store):
    """Somebody makes the first change of a table between its document's 404 and the look at its journal."""

    other: WatermarkStore | None = None

    def list(self, prefix, *, after=""):  # type: ignore[no-untyped-def]  # as the protocol
        other, self.other = self.other, None
        if other is not None:
            other.change(TableName("shop", "orders"), "first", lambda _: {"x": 1})
        return super().list(prefix, after=after)


def test_the_first_change_of_a_new_table_is_no_alarm_for_who_reads_meanwhile(
    s3: S3Server, clock: HandClock, table: TableName
) -> None:
    lake = Between(f"s3://{s3.new_bucket()}/lake", S3Config(endpoint_url=s3.endpoint_url))
    lake.other = WatermarkStore(S3Store(lake.root, S3Config(endpoint_url=s3.endpoint_url)), clock, ANA)

    assert WatermarkStore(lake, clock, ANA).read(table).watermark.fields["x"] == 1


def test_only_a_table_without_document_costs_a_second_request(s3: S3Server, clock: HandClock, table: TableName) -> None:
    lake = S3Store(f"s3://{s3.new_bucket()}/lake", S3Config(endpoint_url=s3.endpoint_url))
    watermarks = WatermarkStore(lake, clock, ANA)
    watermarks.change(table, "note", lambda _: {"x": 1})

    s3.requests.clear()
    watermarks.read(table)
    assert len(s3.requests) == 1
    s3.requests.clear()
    watermarks.read(TableName("shop", "new"))
    assert len(s3.requests) == 2


@pytest.mark.parametrize("name", ["999999999999", "000000000009"])
@pytest.mark.parametrize("data", [b"", b"{}", b'{"serial": 9, "before": {}, "after": {"epoch": -1}}'])
def test_a_stray_key_in_the_journal_is_in_nobodys_way(
    folder: ObjectStore, clock: HandClock, table: TableName, name: str, data: bytes
) -> None:
    watermarks = WatermarkStore(folder, clock, ANA)
    for number in range(3):
        watermarks.change(table, "note", lambda _, n=number: {"x": n})
    stray = f"watermark/journal/{table.key}/{name}.json"
    folder.put(stray, data)

    assert watermarks.unadopted(table) is None
    for number in range(3, 12):
        mark = watermarks.change(table, "note", lambda _, n=number: {"x": n})

    assert mark == watermarks.read(table).watermark
    assert mark.fields["x"] == 11
    assert folder.get(stray).data == data
    assert Journal(folder, table).left_by(mark.serial)[0] == mark.content
    folder.delete(watermark_key(table))
    assert watermarks.restore(table).content == mark.content


def test_a_stray_key_makes_no_deleted_document_of_a_new_table(
    folder: ObjectStore, clock: HandClock, table: TableName
) -> None:
    folder.put(f"watermark/journal/{table.key}/000000000001.json", b"{}")
    watermarks = WatermarkStore(folder, clock, ANA)

    assert watermarks.read(table).watermark == Watermark.new(table)
    mark = watermarks.change(table, "note", lambda _: {"x": 1})
    assert mark == watermarks.change(table, "note", lambda _: {}) or watermarks.read(table).watermark.fields["x"] == 1
    assert json.loads(folder.get(f"watermark/journal/{table.key}/000000000001.json").data) == {}

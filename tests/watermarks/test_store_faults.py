"""The watermark store where answers get lost and others write at the same moment, and what it notes beside a change."""

import getpass
import json
import socket
from collections.abc import Callable
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest

from tests.answers import Unreliable
from tests.clock import HandClock
from wmtui.errors import Conflict, PreconditionFailed, StoreError, TableError, Unreadable, WatermarkGone
from wmtui.layout import STORE, SYSTEM_WATERMARK, watermark_key
from wmtui.model import TableName
from wmtui.objects import ObjectStore
from wmtui.watermarks import store, store_identity
from wmtui.watermarks.bounds import VERSION
from wmtui.watermarks.documents import Json
from wmtui.watermarks.journal import Journal
from wmtui.watermarks.model import Watermark, digest_of
from wmtui.watermarks.store import Author, StoredWatermark, WatermarkStore
from wmtui.watermarks.timestamps import parse_wall

ANA = Author("ana", "host-1")
TABLE = TableName("shop", "orders")
KEY = watermark_key(TABLE)


class Marks:
    """A watermark store on objects that fail as the test says."""

    def __init__(self, folder: ObjectStore, clock: HandClock) -> None:
        self.clock = clock
        self.documents = Unreliable(folder, "watermark/tables/")
        self.journals = Unreliable(cast(ObjectStore, self.documents), "watermark/journal/")
        self.system = Unreliable(cast(ObjectStore, self.journals), SYSTEM_WATERMARK)
        self.objects = cast(ObjectStore, self.system)
        self.store = WatermarkStore(self.objects, clock, ANA)
        self.store.identity()

    def change(self, action: str = "count", **options: Any) -> Watermark:
        return self.store.change(TABLE, action, count, **options)

    def note(self, **fields: Any) -> Watermark:
        return self.store.change(TABLE, "note", lambda _: fields)

    def journal(self) -> list[Json]:
        return list(Journal(self.objects, TABLE))

    def outside(self, **fields: Any) -> None:
        """Edit the document as another tool does."""
        self.objects.put(KEY, json.dumps({**json.loads(self.objects.get(KEY).data), **fields}).encode())


def count(mark: Watermark) -> Json:
    return {"x_count": mark.fields.get("x_count", 0) + 1}


@pytest.fixture
def marks(folder: ObjectStore, clock: HandClock) -> Marks:
    return Marks(folder, clock)


# What a change notes beside itself.


def test_a_document_says_when_it_was_made_and_changed_by_which_format_and_whose_store_it_is_in(marks: Marks) -> None:
    marks.change()
    marks.clock.advance(minutes=5)
    mark = marks.change("second", reason="because")

    metadata = mark.fields["metadata"]
    assert (metadata["created_at"], metadata["updated_at"]) == ("2025-08-14T12:00:00Z", "2025-08-14T12:05:00Z")
    assert (metadata["version"], metadata["serial"]) == (VERSION, 2)
    assert metadata["store"] == marks.store.identity().id
    entry = metadata["change"]
    assert (entry["serial"], entry["at"], entry["actor"], entry["host"]) == (2, "2025-08-14T12:05:00Z", "ana", "host-1")
    assert (entry["action"], entry["reason"]) == ("second", "because")
    assert entry["write_id"] == metadata["write_id"] == mark.write_id
    assert (entry["previous"], entry["changed"]) == (1, {"x_count": {"before": 1, "after": 2}})
    assert (entry["epoch"], entry["fence"], entry["whole"]) == (1, 0, False)
    assert entry["digest"] == digest_of(mark.content)
    assert marks.journal()[1] == entry
    assert marks.store.read(TABLE) == StoredWatermark(mark, marks.objects.head(KEY).etag, 2)


def test_the_first_change_every_fiftieth_and_those_of_others_are_copied_with_the_whole_content(marks: Marks) -> None:
    first = marks.change()
    for _ in range(49):
        marks.change()
    marks.outside(last_error="edited")
    marks.change()
    assert [entry["serial"] for entry in marks.journal() if "after" in entry] == [1, 50, 51]
    assert marks.journal()[0]["after"] == first.content
    assert Journal(marks.objects, TABLE).left_by(52)[0] == marks.store.read(TABLE).watermark.content


def test_each_change_has_an_id_of_its_own(marks: Marks) -> None:
    assert marks.change().write_id != marks.change().write_id


@pytest.mark.parametrize(
    ("document", "patch", "noted"),
    [
        (None, {}, "Europe/Berlin"),
        ("Europe/Berlin", {}, "Europe/Berlin"),
        ("Asia/Tokyo", {}, "Asia/Tokyo"),
        ("Asia/Tokyo", {"timezone": None}, "Europe/Berlin"),
        ("Asia/Tokyo", {"timezone": "America/New_York"}, "America/New_York"),
    ],
)
def test_a_change_notes_the_profiles_zone_unless_the_point_stays_in_another(
    marks: Marks, document: str | None, patch: Json, noted: str
) -> None:
    if document is not None:
        there = WatermarkStore(marks.objects, marks.clock, ANA, ZoneInfo(document))
        there.change(TABLE, "set", lambda _: {"last_mysql_data_timestamp": "2025-08-14 10:00:00"})
    here = WatermarkStore(marks.objects, marks.clock, ANA, ZoneInfo("Europe/Berlin"))
    assert here.change(TABLE, "note", lambda _: patch).timezone == noted


def test_who_changes_is_this_user_of_this_host_or_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "host-9")
    monkeypatch.setattr(getpass, "getuser", lambda: "ben")
    assert Author.current() == Author("ben", "host-9")

    def nobody() -> str:
        raise KeyError("no such uid")

    monkeypatch.setattr(getpass, "getuser", nobody)
    assert Author.current() == Author("unknown", "host-9")


# Lost answers.


@pytest.mark.parametrize("answer", [PreconditionFailed(), StoreError("no answer")])
def test_a_change_whose_answer_was_lost_counts_once(marks: Marks, answer: Exception) -> None:
    seen = marks.change()
    marks.documents.fail(landing=[answer])
    mark = marks.change(based_on=seen)

    assert mark == marks.store.read(TABLE).watermark
    assert mark.fields["x_count"] == 2
    assert [entry["serial"] for entry in marks.journal()] == [1, 2]


def test_a_change_whose_answer_was_lost_counts_although_somebody_has_written_since(marks: Marks) -> None:
    other = WatermarkStore(marks.objects, marks.clock, Author("ben", "host-2"))
    put = marks.documents.put

    def overtaken(key: str, data: bytes, **conditions: Any) -> str:
        if not key.startswith("watermark/tables/"):
            return put(key, data, **conditions)
        marks.documents.put = put  # type: ignore[method-assign]
        put(key, data, **conditions)
        other.change(TABLE, "count", count)
        raise StoreError("no answer")

    marks.documents.put = overtaken  # type: ignore[method-assign]
    mark = marks.change()

    assert (mark.serial, mark.fields["x_count"]) == (1, 1)
    assert marks.store.read(TABLE).watermark.fields["x_count"] == 2
    assert [entry["actor"] for entry in marks.journal()] == ["ana", "ben"]


def test_a_change_that_did_not_land_is_an_error_or_tried_again(marks: Marks) -> None:
    marks.documents.fail(refusing=[StoreError("no answer")])
    with pytest.raises(StoreError, match="no answer"):
        marks.change()
    assert marks.journal() == []

    marks.change()
    marks.documents.fail(refusing=[PreconditionFailed(), PreconditionFailed()])
    assert marks.change().fields["x_count"] == 2
    assert marks.documents.puts == 3


def test_a_change_whose_entry_could_not_be_copied_stands_and_the_next_one_copies_it(marks: Marks) -> None:
    marks.journals.fail(refusing=[StoreError("no answer")])
    assert marks.change().serial == 1
    assert marks.journal() == []
    marks.change("second")
    assert [entry["action"] for entry in marks.journal()] == ["count", "second"]


def test_a_change_gives_up_after_sixty_lost_races_and_names_what_to_look_at(
    marks: Marks, monkeypatch: pytest.MonkeyPatch
) -> None:
    marks.change()
    pauses: list[int] = []
    monkeypatch.setattr("wmtui.watermarks.documents.pause", pauses.append)
    marks.documents.fail(refusing=[PreconditionFailed() for _ in range(99)])
    with pytest.raises(Conflict) as refused:
        marks.change()
    assert refused.value.what == "could not change the watermark of shop.orders"
    assert refused.value.why == "60 times another process was quicker"
    assert pauses == list(range(60))


# What a change is based on.


def test_a_change_based_on_an_older_document_names_both_and_who_was_quicker(marks: Marks) -> None:
    seen = marks.note(last_mysql_data_timestamp="2025-08-14 10:00:00")
    marks.note(last_mysql_data_timestamp="2025-08-14 11:00:00")
    with pytest.raises(Conflict) as refused:
        marks.change(based_on=seen)
    assert refused.value.what == "the watermark of shop.orders changed meanwhile"
    assert refused.value.why == (
        "you saw serial 1 at 2025-08-14 10:00:00; now it is serial 2 at 2025-08-14 11:00:00, by ana"
    )
    assert "`wmtui watermark get -t shop.orders`" in refused.value.next_step


def test_a_change_that_nobody_could_read_again_is_not_made(marks: Marks) -> None:
    before = marks.change()
    with pytest.raises(TableError, match="was not changed") as refused:
        marks.note(last_mysql_data_timestamp="soon")
    assert refused.value.why.startswith("it could not be read again: ")
    assert KEY in refused.value.next_step
    with pytest.raises(TableError, match="was not changed"):
        marks.note(epoch="first")
    with pytest.raises(TableError, match="was not changed"):
        marks.note(table_name="shop.other")
    assert marks.store.read(TABLE).watermark == before


def test_a_document_of_an_older_format_is_written_in_this_one(marks: Marks) -> None:
    marks.change()
    marks.outside(metadata={**marks.store.read(TABLE).watermark.fields["metadata"], "version": 1})
    assert marks.change().fields["metadata"]["version"] == VERSION


def test_texts_without_end_are_cut_before_they_are_written(marks: Marks) -> None:
    assert len(marks.note(last_error="x" * 10**6).fields["last_error"]) < 10**5


# A document that is gone.


def gone(marks: Marks) -> Watermark:
    """A document that was deleted, as it was: with an entry that has the whole content before its last change."""
    marks.note(last_error="first", fence=3)
    marks.clock.advance(minutes=1)
    left = marks.note(last_mysql_data_timestamp="2025-08-14 10:00:00", epoch=2)
    marks.objects.delete(KEY)
    return left


def test_a_document_that_is_gone_is_an_alarm_for_whoever_reads_or_changes_it(marks: Marks) -> None:
    left = gone(marks)
    for ask in (
        lambda: marks.store.read(TABLE),
        lambda: marks.store.current(TABLE),
        lambda: marks.store.unadopted(TABLE),
        marks.change,
        lambda: marks.change(based_on=left),
    ):
        with pytest.raises(WatermarkGone) as alarm:
            ask()
        assert (alarm.value.what, alarm.value.serial) == ("the watermark of shop.orders is gone", 2)
        assert alarm.value.key == KEY
    assert len(marks.journal()) == 2


def test_what_the_journal_knows_of_it_stands_until_somebody_decides(marks: Marks) -> None:
    left = gone(marks)
    standing = marks.store.standing(TABLE)
    assert standing.content == left.content
    assert standing.serial == 2
    assert marks.store.standing(TableName("shop", "new")) == Watermark.new(TableName("shop", "new"))
    marks.store.restore(TABLE)
    assert marks.store.standing(TABLE) == marks.store.read(TABLE).watermark


def test_it_is_restored_as_its_last_change_left_it_as_a_change_of_its_own(marks: Marks) -> None:
    left = gone(marks)
    marks.clock.advance(minutes=1)
    mark = marks.store.restore(TABLE, reason="deleted by mistake")

    assert mark == marks.store.read(TABLE).watermark
    assert mark.content == left.content
    assert (mark.serial, mark.epoch, mark.fence) == (3, 2, 3)
    assert mark.fields["metadata"]["created_at"] == "2025-08-14T12:00:00Z"
    entry = marks.journal()[2]
    assert (entry["action"], entry["reason"], entry["previous"]) == ("restored", "deleted by mistake", 2)
    assert (entry["changed"], entry["after"]) == ({}, left.content)
    assert marks.store.unadopted(TABLE) is None


def test_of_a_table_that_no_change_is_known_of_a_new_document_is_restored(marks: Marks) -> None:
    marks.objects.put(Journal(marks.objects, TABLE).key(4), b"{}")
    mark = marks.store.restore(TABLE)
    assert (mark.serial, mark.content) == (5, {**Watermark.new(TABLE).content, "timezone": "UTC"})
    assert marks.store.read(TABLE).watermark == mark


def test_what_is_there_again_is_not_restored_over(marks: Marks) -> None:
    gone(marks)
    mark = marks.store.restore(TABLE)
    with pytest.raises(Conflict, match="is there again"):
        marks.store.restore(TABLE)
    assert marks.store.read(TABLE).watermark == mark


def test_it_is_not_restored_where_the_journal_does_not_tell_all_of_it_and_epoch_and_fence_stand_all_the_same(
    marks: Marks,
) -> None:
    gone(marks)
    marks.objects.delete(Journal(marks.objects, TABLE).key(1))
    with pytest.raises(Unreadable, match="missing"):
        marks.store.restore(TABLE)

    standing = marks.store.standing(TABLE)
    assert (standing.serial, standing.epoch, standing.fence, standing.position) == (2, 2, 3, None)

    mark = marks.change("set", by_hand=True)
    assert (mark.serial, mark.epoch, mark.fence, mark.fields["x_count"]) == (3, 2, 3, 1)
    entry = marks.journal()[-1]
    assert (entry["previous"], entry["changed"], entry["after"]) == (2, {}, mark.content)


def test_a_change_by_hand_brings_it_back_with_what_it_held(marks: Marks) -> None:
    left = gone(marks)
    mark = marks.change("set", by_hand=True, based_on=marks.store.standing(TABLE))
    assert mark.content == {**left.content, "x_count": 1}
    assert (mark.serial, marks.journal()[-1]["changed"]) == (3, {"x_count": {"after": 1}})


def test_the_first_change_of_a_new_table_that_lands_between_two_requests_is_no_alarm(
    marks: Marks, monkeypatch: pytest.MonkeyPatch
) -> None:
    newest, others = Journal.newest, iter([True])

    def overtaken(journal: Journal, since: int = 0) -> Any:
        if next(others, False):
            WatermarkStore(marks.objects, marks.clock, ANA).change(TABLE, "count", count)
        return newest(journal, since)

    monkeypatch.setattr(Journal, "newest", overtaken)
    assert marks.store.read(TABLE).watermark.fields["x_count"] == 1


def test_a_serial_under_which_stands_what_is_no_entry_is_left_out(marks: Marks) -> None:
    marks.objects.put(Journal(marks.objects, TABLE).key(4), b"{}")
    new = marks.store.read(TABLE)
    assert (new.watermark, new.etag, new.used) == (Watermark.new(TABLE), None, 4)
    assert marks.change().serial == 5
    assert marks.change().serial == 6
    assert marks.store.read(TABLE).used == 6
    marks.objects.put(Journal(marks.objects, TABLE).key(9), b"{}")
    assert marks.change().serial == 10


def test_a_change_based_on_what_was_seen_gives_way_to_one_that_lands_in_the_race(
    marks: Marks, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = marks.change()
    put, races = marks.documents.put, iter([True])

    def overtaken(key: str, data: bytes, **conditions: Any) -> str:
        if key.startswith("watermark/tables/") and next(races, False):
            WatermarkStore(marks.objects, marks.clock, ANA).change(TABLE, "other", count)
        return put(key, data, **conditions)

    monkeypatch.setattr(marks.documents, "put", overtaken)
    with pytest.raises(Conflict):
        marks.change(based_on=seen)
    assert marks.store.read(TABLE).watermark.fields["x_count"] == 2


def test_a_blind_change_is_computed_on_what_another_left(marks: Marks, monkeypatch: pytest.MonkeyPatch) -> None:
    marks.change()
    put, races = marks.documents.put, iter([True])

    def overtaken(key: str, data: bytes, **conditions: Any) -> str:
        if key.startswith("watermark/tables/") and next(races, False):
            WatermarkStore(marks.objects, marks.clock, ANA).change(TABLE, "other", count)
        return put(key, data, **conditions)

    monkeypatch.setattr(marks.documents, "put", overtaken)
    assert marks.change().fields["x_count"] == 3
    assert [entry["action"] for entry in marks.journal()] == ["count", "other", "count"]


# Documents changed behind wmtui's back.


def test_an_edit_from_outside_becomes_a_change_of_its_own_that_says_what_was_there_before(marks: Marks) -> None:
    first = marks.note(last_error="x", fence=4)
    marks.outside(last_error="edited", fence=1)
    found = marks.store.unadopted(TABLE)
    assert found is not None
    assert (found[0], found[1].fields["last_error"]) == (first.content, "edited")

    mark = marks.store.current(TABLE)

    assert (mark.serial, mark.fields["last_error"], mark.fence) == (2, "edited", 4)
    entry = marks.journal()[1]
    assert (entry["action"], entry["reason"], entry["previous"]) == ("external", "changed outside wmtui", 1)
    assert entry["changed"] == {"last_error": {"before": "x", "after": "edited"}}
    assert entry["after"] == mark.content
    assert first.fence == 4
    assert marks.store.current(TABLE) == mark
    assert marks.store.unadopted(TABLE) is None


def test_an_edit_over_a_change_that_was_not_copied_yet_is_told_by_the_entry_in_the_document(marks: Marks) -> None:
    marks.note(last_error="x")
    second = marks.note(last_error="y")
    marks.objects.delete(Journal(marks.objects, TABLE).key(2))  # Its process died before it copied the entry.
    marks.outside(last_error="edited")
    found = marks.store.unadopted(TABLE)
    assert found is not None
    assert (found[0], found[1].fields["last_error"]) == (second.content, "edited")


def test_a_corrupt_document_is_named_by_its_key(marks: Marks) -> None:
    marks.objects.put(KEY, b"{")
    for ask in (marks.store.read, marks.store.current, marks.store.unadopted, marks.store.standing):
        with pytest.raises(Unreadable) as error:
            ask(TABLE)
        assert error.value.key == KEY


def test_a_document_of_another_tool_is_adopted_with_nothing_before_it(marks: Marks) -> None:
    document = {"table_name": "shop.orders", "last_mysql_data_timestamp": "2025-08-14 10:00:00", "epoch": 3}
    marks.objects.put(KEY, json.dumps(document).encode())
    found = marks.store.unadopted(TABLE)
    assert found is not None
    assert found[0] == {}

    mark = marks.store.current(TABLE)
    assert (mark.serial, mark.epoch, mark.fields["last_mysql_data_timestamp"]) == (1, 3, "2025-08-14 10:00:00")


def test_an_older_version_that_was_put_back_keeps_its_epoch_and_the_highest_fence(marks: Marks) -> None:
    marks.note(epoch=1, fence=2)
    older = marks.objects.get(KEY).data
    marks.note(epoch=5, fence=9)
    newer = marks.store.read(TABLE).watermark
    marks.objects.put(KEY, older)
    found = marks.store.unadopted(TABLE)
    assert found is not None
    assert (found[0], found[1].epoch) == (newer.content, 1)

    mark = marks.store.current(TABLE)
    assert (mark.serial, mark.epoch, mark.fence) == (3, 1, 9)
    assert [entry["action"] for entry in marks.journal()] == ["note", "note", "external"]
    assert marks.journal()[2]["changed"]["epoch"] == {"before": 5, "after": 1}
    assert marks.journal()[2]["previous"] == 2
    assert mark.fields["highest_epoch"] == 5


def test_an_edit_from_outside_over_a_journal_that_lost_entries_keeps_the_fence_that_is_known(marks: Marks) -> None:
    marks.note(fence=7)
    marks.note(last_error="x")
    marks.outside(last_error="edited", fence=1, timezone=None)
    marks.objects.delete(Journal(marks.objects, TABLE).key(1))

    mark = marks.store.current(TABLE)

    assert (mark.serial, mark.fence, mark.fields["last_error"]) == (3, 7, "edited")
    assert marks.journal()[-1]["changed"] == {}


def test_a_document_of_another_tool_over_a_journal_keeps_epoch_and_fence(marks: Marks) -> None:
    marks.note(fence=7, epoch=4)
    marks.objects.put(KEY, json.dumps({"table_name": "shop.orders", "fence": 9}).encode())
    mark = marks.store.current(TABLE)
    assert (mark.serial, mark.epoch, mark.fence) == (2, 4, 9)


def test_a_new_table_and_one_that_nobody_touched_are_not_changed_outside(marks: Marks) -> None:
    assert marks.store.unadopted(TABLE) is None
    assert marks.store.current(TABLE) == Watermark.new(TABLE)
    assert marks.store.read(TABLE) == StoredWatermark(Watermark.new(TABLE), None)
    mark = marks.change()
    assert marks.store.unadopted(TABLE) is None
    assert marks.store.current(TABLE) == mark
    assert [entry["action"] for entry in marks.journal()] == ["count"]


def test_a_document_that_is_written_all_the_time_is_not_taken_for_an_edit_from_outside(
    marks: Marks, monkeypatch: pytest.MonkeyPatch
) -> None:
    marks.note(last_error="x")
    marks.outside(last_error="edited")
    read, number = marks.store._get, iter(range(10**6))
    reads: list[int] = []

    def restless(table: TableName) -> StoredWatermark:
        reads.append(1)
        return StoredWatermark(read(table).watermark, f"etag-{next(number)}")

    monkeypatch.setattr(marks.store, "_get", restless)
    assert marks.store.unadopted(TABLE) is None
    assert len(reads) == 120


# The system watermark.


def test_the_system_watermark_is_moved_by_whole_seconds_and_read_as_it_was_written(marks: Marks) -> None:
    assert marks.store.system() is None
    marks.store.set_system(parse_wall("2025-08-10 00:00:00.75"))
    assert marks.objects.get(SYSTEM_WATERMARK).data == b"2025-08-10 00:00:00\n"
    assert marks.store.system() == parse_wall("2025-08-10 00:00:00")
    marks.store.set_system(parse_wall("2025-08-11 00:00:00"))
    assert marks.store.system() == parse_wall("2025-08-11 00:00:00")


def test_moving_the_system_watermark_survives_a_lost_answer(marks: Marks) -> None:
    marks.system.fail(landing=[PreconditionFailed()])
    marks.store.set_system(parse_wall("2025-08-10 00:00:00.75"))
    assert marks.store.system() == parse_wall("2025-08-10 00:00:00")


def test_who_moves_the_system_watermark_second_learns_where_it_is(marks: Marks) -> None:
    marks.store.set_system(parse_wall("2025-08-10 00:00:00"))
    marks.system.fail(refusing=[PreconditionFailed() for _ in range(9)])
    with pytest.raises(Conflict) as refused:
        marks.store.set_system(parse_wall("2025-08-12 00:00:00"))
    assert refused.value.why == "it is 2025-08-10 00:00:00 now"


def test_a_garbled_system_watermark_is_named(marks: Marks) -> None:
    marks.objects.put(SYSTEM_WATERMARK, b"\xff yesterday")
    for ask in (marks.store.system, lambda: marks.store.set_system(parse_wall("2025-08-12"))):
        with pytest.raises(Unreadable) as error:
            cast(Callable[[], None], ask)()
        assert error.value.key == SYSTEM_WATERMARK
    assert marks.objects.get(SYSTEM_WATERMARK).data == b"\xff yesterday"


# The identity of the store.


def test_conditions_are_proven_once_and_by_whatever_writes_first(
    folder: ObjectStore, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    proven: list[ObjectStore] = []
    monkeypatch.setattr(store, "prove_conditions", proven.append)
    for first in (
        lambda s: s.require_conditions(),
        lambda s: s.identity(),
        lambda s: s.set_system(parse_wall("2025-08-12")),
        lambda s: s.change(TABLE, "count", count),
    ):
        made = WatermarkStore(folder, clock, ANA)
        proven.clear()
        first(made)
        first(made)
        made.require_conditions()
        assert proven == [folder]


def test_the_store_says_who_made_it_and_when_and_knows_it_again(marks: Marks, monkeypatch: pytest.MonkeyPatch) -> None:
    document = json.loads(marks.objects.get(STORE).data)
    (root,) = document["roots"]
    assert (root["at"], root["by"]) == ("2025-08-14T12:00:00Z", "ana@host-1")

    def asked(*_: Any, **__: Any) -> Any:
        raise AssertionError("it is known")

    monkeypatch.setattr(store_identity, "ensure", asked)
    monkeypatch.setattr(store_identity, "read", asked)
    assert marks.store.identity().id == document["id"]
    assert marks.store.known_identity() == marks.store.identity()


def test_an_identity_that_was_only_read_is_read_again_after_ten_seconds_or_when_somebody_changed_it(
    marks: Marks, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, reads, read = [100.0], [], store_identity.read

    def counted(objects: ObjectStore) -> Any:
        reads.append(1)
        return read(objects)

    monkeypatch.setattr(store_identity, "read", counted)
    monkeypatch.setattr(store.time, "monotonic", lambda: now[0])
    reader = WatermarkStore(marks.objects, marks.clock, ANA)
    known = reader.known_identity()
    assert known is not None
    assert known.id == marks.store.identity().id
    for seconds, expected in [(100.0, 1), (110.0, 1), (110.5, 2), (111.0, 2)]:
        now[0] = seconds
        assert reader.known_identity() == known
        assert len(reads) == expected
    reader.forget_identity()
    assert reader.known_identity() == known
    assert len(reads) == 3


def test_a_store_that_nothing_was_written_to_has_no_identity_to_know(folder: ObjectStore, clock: HandClock) -> None:
    reader = WatermarkStore(folder, clock, ANA)
    assert reader.known_identity() is None
    assert reader.known_identity() is None
    assert list(folder.list("")) == []


def test_the_warehouse_of_a_profile_is_noted_once_and_known_at_once(
    marks: Marks, monkeypatch: pytest.MonkeyPatch
) -> None:
    marks.store.remember_warehouse("prod", "w1")
    before = marks.objects.head(STORE)
    marks.clock.advance(minutes=1)
    marks.store.remember_warehouse("prod", "w1")
    assert marks.objects.head(STORE) == before
    marks.store.remember_warehouse("test", "w1")
    marks.store.remember_warehouse("prod", "w2")
    reader = WatermarkStore(marks.objects, marks.clock, ANA)
    known = reader.known_identity()
    assert known is not None
    assert known.warehouses == {"prod": "w2", "test": "w1"}

    def asked(*_: Any, **__: Any) -> Any:
        raise AssertionError("it is known")

    monkeypatch.setattr(store_identity, "ensure", asked)
    monkeypatch.setattr(store_identity, "read", asked)
    assert marks.store.identity() == marks.store.known_identity() == known

"""What a selection rests on: the notes that earlier loads left, how far back it looks, and what it says it found."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from tests.clock import NOON, HandClock
from tests.files.conftest import HOUR, TABLE, TARGET, WAREHOUSE, Lake, automated, manual, new_run
from wmtui.errors import UsageError
from wmtui.files import decisions
from wmtui.files.decisions import Decisions
from wmtui.files.listing import Lister
from wmtui.files.selection import (
    Choice,
    FileFilter,
    LedgerLoads,
    Loading,
    WholeListing,
    earlier_runs,
    listing_note,
    listing_notes,
    noted_listing,
    settled_mark,
    settled_marks,
    settled_run,
)
from wmtui.files.verdicts import FileKind, VerdictReason
from wmtui.objects import ObjectInfo
from wmtui.runs.load_records import Destination, Load
from wmtui.runs.run_document import RunStore
from wmtui.watermarks import lease
from wmtui.watermarks.lease import Heartbeat
from wmtui.watermarks.lock_document import LockDocument
from wmtui.watermarks.model import Watermark

MARK = automated()
HERE = Loading(Destination(WAREHOUSE, TARGET))
NONE = decisions.NONE
RUN = new_run(NOON - timedelta(days=3)).run


def beat(**fields: Any) -> Heartbeat:
    return Heartbeat(TABLE, LockDocument.of({"decisions": 0, **fields}), "etag", timedelta(0), NOON)


def settled(mark: Any = None, **changes: Any) -> Heartbeat:
    """The lock document after a load that left this mark."""
    left = {"run": RUN, "epoch": 1, "load_floor": None, "target": TARGET, "decisions": 0, "load": "load-1"}
    return beat(settled_in={WAREHOUSE: {**left, **changes} if mark is None else mark})


# Up to which run nothing is left.


def test_a_load_leaves_the_run_and_what_it_was_judged_by() -> None:
    mark = automated(epoch=4, load_floor="2025-08-01T00:00:00Z")
    assert settled_mark(RUN, mark, HERE, Decisions(7), "load-9") == {
        "run": RUN,
        "epoch": 4,
        "load_floor": "2025-08-01T00:00:00Z",
        "target": TARGET,
        "decisions": 7,
        "load": "load-9",
    }


def test_a_settled_run_counts_as_long_as_everything_it_was_judged_by_holds() -> None:
    ledger = LedgerLoads({}, frozenset({"load-1"}))
    assert settled_run(MARK, settled(), HERE, NONE) == RUN
    assert settled_run(MARK, settled(), HERE, NONE, ledger) == RUN
    assert settled_run(MARK, settled(load=None), HERE, NONE, LedgerLoads({}, frozenset())) == RUN
    for heartbeat in (
        beat(),
        settled(epoch=2),
        settled(load_floor="2025-08-01T00:00:00Z"),
        settled(target="other"),
        settled(decisions=1),
        settled(load=5),
        settled(run=""),
        settled(run=None),
        settled(surprise=1),
        settled("no mark"),
    ):
        assert settled_run(MARK, heartbeat, HERE, NONE, ledger) == ""
    assert settled_run(MARK, settled(), HERE, Decisions(1), ledger) == ""
    assert settled_run(MARK, settled(), HERE, NONE, LedgerLoads({}, frozenset({"load-2"}))) == ""
    assert settled_run(MARK, settled(), Loading(Destination("other", TARGET)), NONE) == ""


def test_what_is_settled_where_the_warehouse_has_no_id_is_under_no_name() -> None:
    left = settled_mark(RUN, MARK, HERE, NONE, None)
    assert settled_run(MARK, beat(settled_in={"": left}), Loading(Destination(None, TARGET)), NONE) == RUN
    assert settled_run(MARK, settled(), Loading(Destination(None, TARGET)), NONE) == ""


@pytest.mark.parametrize("garbled", [None, [], "x", 5])
def test_what_is_no_set_of_marks_is_none(garbled: Any) -> None:
    assert settled_marks(beat(settled_in=garbled)) == {}
    assert listing_notes(beat(listed_in=garbled)) == {}
    assert settled_marks(beat()) == listing_notes(beat()) == {}
    assert settled_marks(beat(settled_in={"a": {"run": RUN}, "b": garbled})) == {"a": {"run": RUN}}
    assert listing_notes(beat(listed_in={"a": {"at": 1}, "b": garbled})) == {"a": {"at": 1}}


def test_a_new_run_sorts_behind_every_run_that_the_lock_document_names() -> None:
    other = new_run(NOON - timedelta(days=2)).run
    marks = {"w1": {"run": RUN}, "w2": {"run": "garbled"}, "w3": {"run": 5}, "w4": {}}
    assert earlier_runs(beat(committed_run=other, settled_in=marks)) == [other, RUN]
    assert earlier_runs(beat(committed_run="garbled")) == []
    assert earlier_runs(beat()) == []


# What the last load saw of all days.


def noted(**changes: Any) -> Heartbeat:
    return beat(listed_in={WAREHOUSE: {**listing_note(MARK, HERE, NONE, 3, NOON - HOUR), **changes}})


def test_a_load_notes_how_many_files_it_held_back_when_it_listed_all_days_and_by_what() -> None:
    mark = automated(epoch=4, load_floor="2025-08-01T00:00:00Z")
    assert listing_note(mark, HERE, Decisions(7), 3, NOON) == {
        "held_back": 3,
        "at": "2025-08-14T12:00:00Z",
        "judged_by": [4, "2025-08-01T00:00:00Z", False, TARGET, 7],
    }
    assert listing_note(manual("2025-08-01"), HERE, NONE, 0, NOON)["judged_by"] == [1, None, True, TARGET, 0]


def test_the_note_holds_as_long_as_what_it_was_judged_by() -> None:
    assert noted_listing(MARK, noted(), HERE, NONE) == WholeListing(3, NOON - HOUR)
    for heartbeat in (
        beat(),
        noted(held_back="3"),
        noted(held_back=True),
        noted(at="soon"),
        noted(at=None),
        noted(at=5),
        noted(judged_by=None),
        beat(listed_in={WAREHOUSE: {}}),
        beat(listed_in={"other": listing_note(MARK, HERE, NONE, 3, NOON)}),
    ):
        assert noted_listing(MARK, heartbeat, HERE, NONE) is None
    assert noted_listing(automated(epoch=2), noted(), HERE, NONE) is None
    assert noted_listing(MARK, noted(), HERE, Decisions(1)) is None
    assert noted_listing(MARK, noted(), Loading(Destination(WAREHOUSE, "other")), NONE) is None
    nowhere = beat(listed_in={"": listing_note(MARK, HERE, NONE, 3, NOON)})
    assert noted_listing(MARK, nowhere, Loading(Destination(None, TARGET)), NONE) == WholeListing(3, NOON)


# How far back a selection looks.


def note(lake: Lake, at: datetime, held_back: int = 0, **fields: Any) -> None:
    """A listing of all days at this time, by the watermark that tests here have."""
    lake.leave({"decisions": 0, "listed_in": {WAREHOUSE: listing_note(MARK, HERE, NONE, held_back, at)}, **fields})


@pytest.mark.parametrize(
    ("ago", "since"),
    [
        (timedelta(0), date(2025, 8, 13)),
        (timedelta(hours=8) - timedelta(seconds=1), date(2025, 8, 13)),
        (timedelta(hours=8), None),
        (-timedelta(seconds=1), None),
        (None, None),
    ],
)
def test_all_days_are_listed_again_after_eight_hours_or_where_nobody_knows_when_they_were(
    lake: Lake, ago: timedelta | None, since: date | None
) -> None:
    if ago is not None:
        note(lake, NOON - ago, held_back=2)
    found = lake.select(MARK)
    assert found.since == since
    expected = (NOON - ago, 2) if ago is not None and since else (NOON if ago is not None else None, 0)
    assert (found.whole_at, found.held_back) == expected


def test_who_asks_for_all_days_or_loaded_files_and_a_manual_watermark_gets_all_days(lake: Lake) -> None:
    note(lake, NOON, held_back=2)
    for choice in (Choice(all_days=True), Choice(reprocess=True)):
        found = lake.select(MARK, choice=choice)
        assert (found.since, found.held_back, found.whole_at) == (None, 0, NOON)
    assert lake.select(manual("2025-08-01")).since is None
    assert lake.select(MARK).since == date(2025, 8, 13)


def test_the_window_begins_a_day_before_the_session_or_on_the_day_of_the_oldest_run_that_is_not_settled(
    lake: Lake, clock: HandClock
) -> None:
    clock.advance(days=-5)
    first = lake.run()
    clock.advance(days=2)
    second = lake.run()
    clock.advance(days=3)
    assert first.started.date() == date(2025, 8, 9)
    note(lake, NOON)
    assert lake.select(MARK).since == date(2025, 8, 9)
    left = settled_mark(first.run, MARK, HERE, NONE, None)
    note(lake, NOON, settled_in={WAREHOUSE: left})
    assert lake.select(MARK).since == second.started.date() == date(2025, 8, 11)
    note(lake, NOON, settled_in={WAREHOUSE: {**left, "run": second.run}})
    assert lake.select(MARK).since == date(2025, 8, 13)
    assert lake.select(automated(NOON - 2 * HOUR)).since == date(2025, 8, 13)
    assert lake.select(automated(NOON - 3 * HOUR)).since == date(2025, 8, 12)


def test_a_file_newly_held_back_has_all_days_counted_again(lake: Lake, clock: HandClock) -> None:
    floor = automated(load_floor="2025-08-14T11:00:00Z")
    clock.advance(days=-9)
    lake.foreign("old")
    clock.advance(days=9)
    lake.leave({"decisions": 0, "listed_in": {WAREHOUSE: listing_note(floor, HERE, NONE, 1, NOON - HOUR)}})
    found = lake.select(floor)
    assert (found.since, found.held_back, found.whole_at) == (date(2025, 8, 13), 1, NOON - HOUR)

    clock.advance(minutes=-61)
    lake.foreign("late")
    clock.advance(minutes=61)
    lake.leave({"decisions": 0, "listed_in": {WAREHOUSE: listing_note(floor, HERE, NONE, 1, NOON - 2 * HOUR)}})
    found = lake.select(floor)
    assert (found.since, found.held_back, found.whole_at) == (None, 2, NOON)
    assert [file.key.rpartition("/")[2] for file in found.held_back_files] == ["old.parquet", "late.parquet"]


def test_a_file_held_back_that_was_written_when_all_days_were_last_listed_is_in_that_count(
    lake: Lake, clock: HandClock
) -> None:
    floor = automated(load_floor="2025-08-14T11:00:00Z")
    clock.advance(hours=-1)
    lake.foreign("late")
    clock.advance(hours=1)
    lake.leave({"decisions": 0, "listed_in": {WAREHOUSE: listing_note(floor, HERE, NONE, 2, NOON - HOUR)}})
    found = lake.select(floor)
    assert [file.last_modified for file in found.held_back_files] == [NOON - HOUR]
    assert (found.since, found.held_back, found.whole_at) == (date(2025, 8, 13), 2, NOON - HOUR)
    assert found.holds_back_since(NOON - HOUR - timedelta(seconds=1))


def test_loads_of_the_day_before_the_window_are_known(lake: Lake, clock: HandClock) -> None:
    clock.advance(days=-3)
    old = lake.foreign("a")
    lake.load(old)
    clock.advance(days=3)
    note(lake, NOON)
    assert lake.select(MARK).loaded == {}
    clock.advance(days=-1, hours=-13)
    recent = lake.foreign("b")
    lake.load(recent)
    clock.advance(days=1, hours=13)
    found = lake.select(MARK)
    assert set(found.loaded) == {recent.key}
    assert set(lake.select(MARK, choice=Choice(all_days=True)).loaded) == {old.key, recent.key}


# What a selection says.


def test_a_selection_has_a_verdict_for_each_file_in_words_and_by_what_it_was_judged(lake: Lake) -> None:
    lake.foreign("a")
    loaded = lake.foreign("b")
    lake.load(loaded)
    found = lake.select(MARK, keyless=True)
    assert [file.key.rpartition("/")[2] for file in found.selected] == ["a.parquet"]
    assert (found.basis.keyless, found.basis.epoch, found.basis.session is None) == (True, 1, False)
    assert not found.by_ledger
    assert found.decisions == NONE
    assert found.held_back_files == []
    assert [found.explain(verdict) for verdict in found.verdicts] == [
        "inside the session window",
        "loaded at 2025-08-14T12:00:00Z by load load-20250814120000-0",
    ]
    assert (found.summary.found, found.summary.selected) == (2, 1)
    by_ledger = lake.select(MARK, ledger=LedgerLoads({}, frozenset()))
    assert by_ledger.by_ledger
    assert len(by_ledger.selected) == 2


def test_a_file_that_is_named_wrongly_is_refused_with_the_nearest_key(lake: Lake) -> None:
    key = lake.foreign("orders-1").key
    with pytest.raises(UsageError) as refused:
        lake.select(MARK, choice=Choice(keys=(key[:-1],)))
    assert (refused.value.what, refused.value.next_step) == (f"no file {key[:-1]}", f"did you mean {key}?")
    with pytest.raises(UsageError) as refused:
        lake.select(MARK, choice=Choice(keys=("x",)))
    assert refused.value.next_step == "see `wmtui files` for the keys"
    found = lake.select(MARK, choice=Choice(keys=(key, key), reprocess=True))
    assert [(v.file.key, v.reason) for v in found.verdicts] == [(key, VerdictReason.IN_SESSION)]


def test_named_files_are_loaded_again_whatever_their_time_and_others_only_if_no_point_excludes_them(lake: Lake) -> None:
    info = lake.foreign("a")
    lake.load(info)
    point = manual("2025-08-20")
    assert [v.reason for v in lake.select(point).verdicts] == [VerdictReason.LOADED]
    assert [v.reason for v in lake.select(point, choice=Choice(reprocess=True)).verdicts] == [
        VerdictReason.BEFORE_WATERMARK
    ]
    named = Choice(reprocess=True, keys=(info.key,))
    assert [v.reason for v in lake.select(point, choice=named).verdicts] == [VerdictReason.REPROCESSED]
    assert [v.reason for v in lake.select(MARK, choice=Choice(reprocess=True)).verdicts] == [VerdictReason.REPROCESSED]


def test_the_hint_follows_from_what_was_asked_for(lake: Lake) -> None:
    info = lake.foreign("a")
    lake.load(info)
    found = lake.select(manual("2025-08-20"), choice=Choice(reprocess=True))
    assert found.summary.hint == "1 file enters if you set 2025-08-14 11:59:59"


def test_the_hint_counts_neither_what_is_loaded_nor_what_somebody_skipped(lake: Lake) -> None:
    loaded, skipped = lake.foreign("a"), lake.foreign("b")
    lake.foreign("c")
    lake.load(loaded)
    will = decisions.Decision(skipped.etag, decisions.Will.SKIP, "anna@host", NOON, "a test export")
    lake.leave({"decisions": decisions.change(lake.objects, TABLE, {skipped.key: will}).serial})
    hint = lake.select(manual("2025-08-20")).summary.hint
    assert hint.startswith("1 file enters if you set 2025-08-14 11:59:59; 1 file was loaded before")


def test_points_of_a_table_without_zone_are_in_the_profiles(lake: Lake) -> None:
    lake.foreign("a")
    files = FileFilter(lake.objects, Lister(lake.objects, (TABLE,)), ZoneInfo("Asia/Shanghai"))
    found = files.select(manual("2025-08-20"), HERE, lease.read(lake.objects, TABLE), None)
    assert found.basis.after == datetime(2025, 8, 19, 16, tzinfo=UTC)
    assert found.summary.hint == "1 file enters if you set 2025-08-14 19:59:59"
    new = Watermark.new(TABLE)
    by_system = files.select(new, HERE, lease.read(lake.objects, TABLE), datetime(2025, 8, 14, 20))
    assert [v.reason for v in by_system.verdicts] == [VerdictReason.BEFORE_SYSTEM]
    assert by_system.verdicts[0].boundary == NOON


def test_archived_files_are_asked_for_only_where_they_would_be_loaded_and_come_in_once_restored(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    cold, loaded = lake.foreign("cold"), lake.foreign("loaded")
    lake.load(loaded)
    listed, asked, restored = lake.objects.list, [], [False]

    def archived(prefix: str, **options: Any) -> Any:
        return (replace(info, archived=info.key.endswith(".parquet")) for info in listed(prefix, **options))

    def head(key: str) -> ObjectInfo:
        asked.append(key)
        return replace(cold, archived=not restored[0])

    monkeypatch.setattr(lake.objects, "list", archived)
    monkeypatch.setattr(lake.objects, "head", head)
    assert [v.reason for v in lake.select(MARK).verdicts] == [VerdictReason.ARCHIVED, VerdictReason.LOADED]
    assert asked == [cold.key]
    restored[0] = True
    found = lake.select(MARK)
    assert [v.reason for v in found.verdicts] == [VerdictReason.IN_SESSION, VerdictReason.LOADED]
    again = lake.select(MARK, choice=Choice(reprocess=True, keys=(loaded.key,)))
    assert [v.reason for v in again.verdicts] == [VerdictReason.REPROCESSED]
    assert found.verdicts[0].file.kind is FileKind.DATA


@pytest.mark.parametrize(
    ("fields", "same", "expected"),
    [
        ({}, True, VerdictReason.IN_SESSION),
        ({}, False, VerdictReason.REPLACED),
        ({"footer": None}, True, VerdictReason.REPLACED),
        ({"size": 1}, True, VerdictReason.REPLACED),
    ],
)
def test_a_part_whose_etag_is_another_one_is_read_where_its_size_is_right_and_is_its_runs_by_its_footer(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any], same: bool, expected: VerdictReason
) -> None:
    run = lake.run()
    size = lake.objects.head(run.parts[0].key).size
    part = replace(run.parts[0], **{"footer": "digest", "size": size, "etag": "of the upload", **fields})
    stored = RunStore(lake.objects, TABLE).read(run.run)
    assert stored is not None
    changed = stored.run.with_range(0, replace(stored.run.ranges[0], parts=(part,)))
    RunStore(lake.objects, TABLE).save(changed, stored.etag)
    read: list[tuple[Any, ...]] = []

    def content(*args: Any) -> bool:
        read.append(args)
        return same

    monkeypatch.setattr("wmtui.files.selection.same_content", content)
    assert [v.reason for v in lake.select(MARK).verdicts] == [expected]
    assert read == ([] if fields else [(lake.objects, part.key, "digest")])

    read.clear()
    stored = RunStore(lake.objects, TABLE).read(run.run)
    assert stored is not None
    as_it_is = replace(part, etag=run.parts[0].etag)
    changed = stored.run.with_range(0, replace(stored.run.ranges[0], parts=(as_it_is,)))
    RunStore(lake.objects, TABLE).save(changed, stored.etag)
    assert [v.reason for v in lake.select(MARK).verdicts] == [VerdictReason.IN_SESSION]
    assert read == []
    lake.load(part)
    assert [v.reason for v in lake.select(MARK).verdicts] == [VerdictReason.LOADED]
    assert read == []


def test_what_the_ledger_says_is_loaded_is_loaded(lake: Lake) -> None:
    info = lake.foreign("a")
    known = LedgerLoads({info.key: Load(info.etag, NOON, "load-1")}, frozenset({"load-1"}))
    assert [v.reason for v in lake.select(MARK, ledger=known).verdicts] == [VerdictReason.LOADED]
    assert [v.reason for v in lake.select(MARK).verdicts] == [VerdictReason.IN_SESSION]


def test_decisions_are_asked_for_only_where_the_lock_document_does_not_say_that_there_are_none(lake: Lake) -> None:
    info = lake.foreign("a")
    made = decisions.change(
        lake.objects,
        TABLE,
        {info.key: decisions.Decision(info.etag, decisions.Will.SKIP, "anna@host", NOON, "a test export")},
    )
    assert lake.select(MARK).decisions == made
    assert [v.reason for v in lake.select(MARK).verdicts] == [VerdictReason.SKIPPED]
    assert lake.select(MARK).summary.reasons == {VerdictReason.SKIPPED: 1}
    assert lake.select(MARK).explain(lake.select(MARK).verdicts[0]) == (
        "skipped by anna@host at 2025-08-14T12:00:00Z: a test export"
    )
    lake.leave({"decisions": 0})
    assert lake.select(MARK).decisions == NONE
    assert lease.read(lake.objects, TABLE).decisions == 0

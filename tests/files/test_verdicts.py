"""Load this file or not: the six rules, as properties and at their edges.

Guards against loaded files coming in again, unfinished or replaced parts, files lost behind a moving session window,
empty results without a reason, and a hint that promises what following it does not bring.
"""

import itertools
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from msgspec.structs import replace

from tests.clock import NOON
from tests.files.conftest import UTC_ZONE, automated, manual
from wmtui.files.summary import explain, summarise
from wmtui.files.verdicts import (
    RULES,
    SELECTED,
    SESSION,
    Basis,
    Candidate,
    PartOf,
    Reprocess,
    Verdict,
    VerdictReason,
    judge,
)
from wmtui.runs.load_records import Load, Loads
from wmtui.runs.run_document import RunState
from wmtui.texts import format_duration
from wmtui.watermarks import changes
from wmtui.watermarks.model import Watermark
from wmtui.watermarks.timestamps import parse_point, to_instant

SECOND = timedelta(seconds=1)
SHANGHAI = ZoneInfo("Asia/Shanghai")
BERLIN = ZoneInfo("Europe/Berlin")


def file(at: datetime = NOON, name: str = "a", part: PartOf | None = None) -> Candidate:
    return Candidate(f"k/{name}", f"s3://b/k/{name}", f"etag-{name}", 100, at, part)


def own(name: str = "a", *, state: RunState | None = RunState.COMMITTED, epoch: int = 1, etag: str = "") -> PartOf:
    return PartOf("0198a4f3c0001a2b3c", state, epoch, etag or f"etag-{name}", 10)


def reason(
    candidate: Candidate, basis: Basis, loaded: Loads | None = None, again: Reprocess = Reprocess.NO
) -> VerdictReason:
    (verdict,) = judge([candidate], basis, loaded or {}, again)
    return verdict.reason


def loads(*files: Candidate) -> Loads:
    return {f.key: Load(f.etag, NOON, "load-1") for f in files}


MANUAL = Basis(1, after=NOON)
SYSTEM = Basis(1, after=NOON, system=True)
AUTOMATED = Basis(1, extraction_time=NOON)
NOTHING = Basis(1)

TIMES = st.integers(-40 * 3600, 40 * 3600).map(lambda seconds: NOON + timedelta(seconds=seconds))
PARTS = st.none() | st.builds(
    PartOf,
    st.just("0198a4f3c0001a2b3c"),
    st.none() | st.sampled_from(RunState),
    st.integers(1, 2),
    st.none() | st.sampled_from(["e0", "e1"]),
    st.just(10),
)
FILES = st.lists(
    st.builds(
        lambda number, etag, at, part: Candidate(f"k{number}", f"s3://b/k{number}", etag, 1, at, part),
        st.integers(0, 20),
        st.sampled_from(["e0", "e1"]),
        TIMES,
        PARTS,
    ),
    max_size=12,
    unique_by=lambda candidate: candidate.key,
)
BASES = st.one_of(
    st.builds(
        lambda at, system, keyless: Basis(1, after=at, system=system, keyless=keyless),
        TIMES,
        st.booleans(),
        st.booleans(),
    ),
    st.builds(
        lambda at, floor, keyless: Basis(1, extraction_time=at, load_floor=floor, keyless=keyless),
        TIMES,
        st.none() | TIMES,
        st.booleans(),
    ),
    st.builds(lambda keyless: Basis(1, keyless=keyless), st.booleans()),
)
LOADED = st.dictionaries(
    st.integers(0, 20).map("k{}".format), st.sampled_from(["e0", "e1"]).map(lambda etag: Load(etag, NOON, "load-1"))
)


@given(FILES, BASES, LOADED, st.sampled_from(Reprocess))
def test_every_candidate_has_exactly_one_verdict_with_a_rule_and_words(
    files: list[Candidate], basis: Basis, loaded: Loads, again: Reprocess
) -> None:
    verdicts = judge(files, basis, loaded, again)

    assert [verdict.file for verdict in verdicts] == files
    for verdict in verdicts:
        assert verdict.selected == (verdict.reason in SELECTED)
        assert 2 <= verdict.rule <= 6
        assert explain(verdict, loaded)
        assert (verdict.distance is None) == (verdict.boundary is None)


@given(FILES, BASES, LOADED)
def test_a_loaded_file_is_never_selected(files: list[Candidate], basis: Basis, loaded: Loads) -> None:
    for verdict in judge(files, basis, loaded):
        known = loaded.get(verdict.file.key)
        if known is not None and (verdict.file.part is not None or known.etag == verdict.file.etag):
            assert verdict.reason is VerdictReason.LOADED


@given(FILES, BASES, LOADED, st.sampled_from([Reprocess.NO, Reprocess.NAMED]))
def test_changed_content_comes_into_a_table_without_key_only_by_name(
    files: list[Candidate], basis: Basis, loaded: Loads, again: Reprocess
) -> None:
    for verdict in judge(files, basis, loaded, again):
        known = loaded.get(verdict.file.key)
        if known is not None and known.etag != verdict.file.etag and verdict.file.part is None:
            held_back = basis.keyless and again is Reprocess.NO
            assert (verdict.reason is VerdictReason.CHANGED) == held_back


@given(FILES, BASES, LOADED, st.sampled_from(Reprocess))
def test_a_part_that_no_committed_run_lists_as_it_is_never_comes_in_unless_it_was_loaded_so_before(
    files: list[Candidate], basis: Basis, loaded: Loads, again: Reprocess
) -> None:
    for verdict in judge(files, basis, loaded, again):
        part = verdict.file.part
        known = loaded.get(verdict.file.key)
        if verdict.selected and part is not None and (known is None or known.etag != verdict.file.etag):
            assert (part.state, part.etag) == (RunState.COMMITTED, verdict.file.etag)


@given(FILES, LOADED, TIMES, st.timedeltas(timedelta(0), timedelta(days=2)), BASES)
def test_widening_a_manual_window_drops_no_file(
    files: list[Candidate], loaded: Loads, at: datetime, wider: timedelta, kind: Basis
) -> None:
    point = replace(kind, after=at, extraction_time=None)
    narrow, wide = judge(files, point, loaded), judge(files, replace(point, after=at - wider), loaded)

    assert all(after.selected for before, after in zip(narrow, wide, strict=True) if before.selected)


@given(FILES, LOADED, TIMES, st.none() | TIMES)
def test_the_window_of_a_session_only_takes_files_that_no_watermark_would_also_take(
    files: list[Candidate], loaded: Loads, at: datetime, floor: datetime | None
) -> None:
    session = judge(files, Basis(1, extraction_time=at, load_floor=floor), loaded)
    everything = judge(files, NOTHING, loaded)

    assert all(v.selected for v, s in zip(everything, session, strict=True) if s.selected)


@given(FILES, BASES, LOADED, st.sampled_from([Reprocess.NO, Reprocess.LOADED]), st.sampled_from([UTC_ZONE, BERLIN]))
def test_following_the_hint_selects_exactly_as_many_files_as_it_said(
    files: list[Candidate], basis: Basis, loaded: Loads, again: Reprocess, zone: ZoneInfo
) -> None:
    summary = summarise(judge(files, basis, loaded, again), basis, loaded, zone, reprocess=again)
    promise, _, point = summary.hint.partition("; ")[0].partition(" if you set ")
    if not point:
        return
    assert summary.selected == 0
    wall = parse_point(point, now=NOON, zone=zone, presets={}, force=True)
    new = Watermark.new(automated().table)
    followed = Basis.of(new.patched(changes.set_point(new, wall, to_instant(wall, zone), NOON)), None, zone)

    selected = sum(v.selected for v in judge(files, replace(followed, keyless=basis.keyless), loaded, again))

    assert selected == int(promise.split()[0]) > 0


@given(FILES, BASES, LOADED)
def test_nothing_selected_is_always_explained(files: list[Candidate], basis: Basis, loaded: Loads) -> None:
    summary = summarise(judge(files, basis, loaded), basis, loaded, UTC_ZONE)

    assert summary.found == len(files) == sum(summary.reasons.values())
    assert bool(summary.hint) == (summary.found > 0 and (summary.selected == 0 or summary.held_back > 0))


@pytest.mark.parametrize("basis", [MANUAL, SYSTEM])
def test_a_file_as_old_as_the_point_is_out_and_a_second_later_it_is_in(basis: Basis) -> None:
    after = VerdictReason.AFTER_SYSTEM if basis.system else VerdictReason.AFTER_WATERMARK
    before = VerdictReason.BEFORE_SYSTEM if basis.system else VerdictReason.BEFORE_WATERMARK

    assert reason(file(NOON), basis) is before
    assert reason(file(NOON - SECOND), basis) is before
    assert reason(file(NOON + SECOND), basis) is after


def test_both_ends_of_the_session_window_are_in_and_a_second_beyond_is_out() -> None:
    for end in (NOON - SESSION, NOON, NOON + SESSION):
        assert reason(file(end), AUTOMATED) is VerdictReason.IN_SESSION
    for outside in (NOON - SESSION - SECOND, NOON + SESSION + SECOND):
        assert reason(file(outside), AUTOMATED) is VerdictReason.OUTSIDE_SESSION


def test_a_verdict_of_a_session_names_the_end_of_the_window_that_is_nearest() -> None:
    low, high = NOON - SESSION, NOON + SESSION
    for at, end in [
        (low - SECOND, low),
        (low, low),
        (NOON - SECOND, low),
        (NOON, high),
        (NOON + SECOND, high),
        (high, high),
        (high + SECOND, high),
    ]:
        (verdict,) = judge([file(at)], AUTOMATED, {})
        assert (verdict.boundary, verdict.distance) == (end, abs(at - end))
    old = NOON - timedelta(days=90)
    (carried,) = judge([file(old, part=own())], AUTOMATED, {})
    (floored,) = judge([file(old)], replace(AUTOMATED, load_floor=NOON), {})
    (manual_one,) = judge([file(old)], MANUAL, {})
    assert (carried.boundary, floored.boundary, manual_one.boundary) == (low, NOON, NOON)


def test_a_committed_part_that_was_never_loaded_is_carried_over_at_any_age() -> None:
    """Session windows move with every run; without this, older parts are never loaded and nobody notices."""
    old = NOON - timedelta(days=90)

    assert reason(file(old, part=own()), AUTOMATED) is VerdictReason.CARRIED_OVER
    assert reason(file(old), AUTOMATED) is VerdictReason.OUTSIDE_SESSION


@pytest.mark.parametrize(("epoch", "why"), [(1, VerdictReason.EARLIER_EPOCH), (3, VerdictReason.LATER_EPOCH)])
def test_a_part_of_another_epoch_is_out_at_any_age_while_manual_and_system_watermarks_take_it(
    epoch: int, why: VerdictReason
) -> None:
    part = own(epoch=epoch)

    for at in (NOON, NOON + SECOND, NOON - timedelta(days=90)):
        assert reason(file(at, part=part), replace(AUTOMATED, epoch=2)) is why
    assert reason(file(NOON, part=part), replace(AUTOMATED, epoch=2, load_floor=NOON)) is why
    assert reason(file(NOON + SECOND, part=part), replace(MANUAL, epoch=2)) is VerdictReason.AFTER_WATERMARK
    assert reason(file(NOON + SECOND, part=part), replace(SYSTEM, epoch=2)) is VerdictReason.AFTER_SYSTEM
    assert reason(file(NOON, part=part), replace(NOTHING, epoch=2)) is VerdictReason.NO_WATERMARK


def test_parts_of_another_epoch_are_not_held_back_and_the_hint_says_what_lets_them_in() -> None:
    files = [file(NOON, name, own(name, epoch=epoch)) for name, epoch in (("a", 1), ("b", 1), ("c", 3))]

    summary = summarise(judge(files, replace(AUTOMATED, epoch=2), {}), 2, {}, UTC_ZONE)

    assert (summary.selected, summary.held_back, summary.enter_at) == (0, 0, None)
    assert summary.reasons == {VerdictReason.EARLIER_EPOCH: 2, VerdictReason.LATER_EPOCH: 1}
    assert "2 files are of an earlier epoch" in summary.hint
    assert "`sync --redshift-only`" in summary.hint
    assert "1 file is of a later epoch" in summary.hint


def test_what_is_not_behind_the_load_floor_stays_out_even_in_the_session_or_carried_over() -> None:
    basis = replace(AUTOMATED, load_floor=NOON)

    for part in (None, own()):
        assert reason(file(NOON, part=part), basis) is VerdictReason.BEFORE_FLOOR
        assert reason(file(NOON + SECOND, part=part), basis) is VerdictReason.IN_SESSION
    assert reason(file(NOON - timedelta(days=9), part=own()), basis) is VerdictReason.BEFORE_FLOOR


@pytest.mark.parametrize(
    ("timezone", "newest", "taken"),
    [
        (None, datetime(2025, 8, 14, 14), True),  # By the profile's clock, in Berlin: the floor itself.
        (None, datetime(2025, 8, 14, 14, 0, 0, 1), True),
        (None, datetime(2025, 8, 14, 13, 59, 59, 999999), False),
        ("Europe/Berlin", datetime(2025, 8, 14, 14), True),
        ("Asia/Shanghai", datetime(2025, 8, 14, 20), True),
        ("Asia/Shanghai", datetime(2025, 8, 14, 19, 59, 59), False),
        ("UTC", datetime(2025, 8, 14, 12), True),
        ("UTC", datetime(2025, 8, 14, 11, 59, 59), False),
        (None, None, False),
    ],
)
def test_a_part_with_rows_from_the_floor_on_is_in_whatever_the_stores_clock_says(
    timezone: str | None, newest: datetime | None, taken: bool
) -> None:
    """The sync right after a `set` must not lose its parts to LastModified's whole seconds, or to a clock behind."""
    part = structs.replace(own(), max_cursor=newest, timezone=timezone)
    basis = Basis(1, extraction_time=NOON + timedelta(hours=1), load_floor=NOON, zone=BERLIN)

    for at in (NOON, NOON - timedelta(minutes=5)):
        assert reason(file(at, part=part), basis) is (VerdictReason.IN_SESSION if taken else VerdictReason.BEFORE_FLOOR)
    assert reason(file(NOON + SECOND, part=part), basis) is VerdictReason.IN_SESSION
    assert reason(file(NOON), basis) is VerdictReason.BEFORE_FLOOR


@pytest.mark.parametrize("basis", [MANUAL, SYSTEM, AUTOMATED, NOTHING])
@pytest.mark.parametrize("part", [own(state=RunState.RUNNING), own(state=RunState.ABANDONED), own(state=None)])
def test_parts_of_a_run_that_is_not_committed_are_out(basis: Basis, part: PartOf) -> None:
    assert reason(file(NOON + SECOND, part=part), basis) is VerdictReason.UNCOMMITTED


@pytest.mark.parametrize("basis", [MANUAL, SYSTEM, AUTOMATED, NOTHING])
def test_a_part_its_committed_run_does_not_list_is_out_and_one_that_was_replaced_is_told_apart(basis: Basis) -> None:
    unlisted = structs.replace(own(), etag=None)

    assert reason(file(NOON + SECOND, part=unlisted), basis) is VerdictReason.UNLISTED
    assert reason(file(NOON + SECOND, part=own(etag="other")), basis) is VerdictReason.REPLACED


def test_without_any_watermark_every_file_is_in() -> None:
    assert reason(file(datetime(1990, 1, 1, tzinfo=UTC)), NOTHING) is VerdictReason.NO_WATERMARK


def test_a_file_is_known_by_its_key_wherever_the_store_lies() -> None:
    known = file(NOON + SECOND)
    loaded = loads(known)

    assert reason(known, MANUAL, loaded) is VerdictReason.LOADED
    assert reason(structs.replace(known, uri="s3://other/k/a"), MANUAL, loaded) is VerdictReason.LOADED
    assert reason(structs.replace(known, key="k/b"), MANUAL, loaded) is VerdictReason.AFTER_WATERMARK


def test_a_foreign_file_that_changed_after_loading_is_judged_by_its_time_where_a_key_keeps_rows_single() -> None:
    late, early = file(NOON + SECOND, "late"), file(NOON, "early")
    loaded = loads(late, early)
    changed = [structs.replace(known, etag="other") for known in (late, early)]

    assert [reason(f, MANUAL, loaded) for f in changed] == [
        VerdictReason.AFTER_WATERMARK,
        VerdictReason.BEFORE_WATERMARK,
    ]


@pytest.mark.parametrize("basis", [MANUAL, SYSTEM, AUTOMATED, NOTHING])
def test_a_foreign_file_of_a_keyless_table_that_changed_after_loading_is_held_back(basis: Basis) -> None:
    known, basis = file(NOON + SECOND), replace(basis, keyless=True)
    changed, loaded = structs.replace(known, etag="other"), loads(known)

    summary = summarise(judge([changed], basis, loaded), basis, loaded, UTC_ZONE)

    assert reason(known, basis, loaded) is VerdictReason.LOADED
    assert reason(changed, basis, {}) in SELECTED
    assert summary.reasons == {VerdictReason.CHANGED: 1}
    assert summary.held_back == 1
    assert summary.hint == "1 file was changed after loading; `--reprocess --key …` loads one all the same"
    assert reason(changed, basis, loaded, Reprocess.NAMED) in SELECTED


def test_the_hint_of_a_keyless_table_promises_no_file_that_is_held_back_for_its_content() -> None:
    basis = replace(MANUAL, keyless=True)
    known = [file(NOON - timedelta(hours=hours), f"{hours}") for hours in (1, 2)]
    files = [structs.replace(known[0], etag="other"), known[1], file(NOON - timedelta(hours=3), "new")]

    summary = summarise(judge(files, basis, loads(*known)), basis, loads(*known), UTC_ZONE)

    assert summary.hint.startswith("1 file enters if you set 2025-08-14 08:59:59; 1 file was loaded before")


def test_of_a_file_that_went_back_to_its_first_content_only_the_last_load_counts() -> None:
    known = file(NOON + SECOND)
    loaded = loads(structs.replace(known, etag="v2"))

    for etag, expected in (("v2", VerdictReason.LOADED), ("v1", VerdictReason.AFTER_WATERMARK)):
        assert reason(structs.replace(known, etag=etag), MANUAL, loaded) is expected
    assert reason(known, replace(MANUAL, keyless=True), loaded) is VerdictReason.CHANGED


@pytest.mark.parametrize("keyless", [False, True])
@pytest.mark.parametrize("basis", [MANUAL, SYSTEM, AUTOMATED, NOTHING])
def test_a_part_of_our_own_is_loaded_by_its_key_alone_whatever_its_run_says(basis: Basis, keyless: bool) -> None:
    basis, known = replace(basis, keyless=keyless), file(NOON + SECOND)

    for part in (own(), own(state=RunState.ABANDONED), own(state=None), own(etag="other")):
        copied = structs.replace(known, etag="copied in pieces", part=part)
        assert reason(copied, basis, loads(known)) is VerdictReason.LOADED


def test_a_loaded_part_with_other_content_is_loaded_again_only_as_its_run_wrote_it() -> None:
    known = file(NOON + SECOND, part=own())
    other = structs.replace(known, etag="other")
    as_written = structs.replace(other, part=own(etag="other"))

    for again in (Reprocess.LOADED, Reprocess.NAMED):
        assert reason(known, AUTOMATED, loads(known), again) is VerdictReason.REPROCESSED
        assert reason(as_written, AUTOMATED, loads(known), again) is VerdictReason.REPROCESSED
        assert reason(other, AUTOMATED, loads(known), again) is VerdictReason.REPLACED


def test_reprocessing_takes_loaded_files_again_unless_a_point_excludes_them() -> None:
    late, early = file(NOON + SECOND, "late"), file(NOON - timedelta(days=2), "early")
    loaded = loads(late, early)

    for basis in (AUTOMATED, NOTHING):
        assert [reason(f, basis, loaded, Reprocess.LOADED) for f in (late, early)] == [VerdictReason.REPROCESSED] * 2
    assert reason(late, MANUAL, loaded, Reprocess.LOADED) is VerdictReason.AFTER_WATERMARK
    assert reason(early, MANUAL, loaded, Reprocess.LOADED) is VerdictReason.BEFORE_WATERMARK
    assert reason(late, SYSTEM, loaded, Reprocess.LOADED) is VerdictReason.AFTER_SYSTEM
    assert reason(early, MANUAL, loaded, Reprocess.NAMED) is VerdictReason.REPROCESSED


def test_the_basis_of_a_watermark_is_manual_session_point_or_system_in_that_order() -> None:
    system = datetime(2025, 8, 1)
    instant = datetime(2025, 7, 31, 16, tzinfo=UTC)
    at_eight = Basis(1, after=datetime(2025, 8, 9, 12, 0, 1, tzinfo=UTC))
    point = {"last_mysql_data_timestamp": "2025-08-09 20:00:01"}

    def basis(mark: Watermark, system: datetime | None = system) -> Basis:
        return Basis.of(mark, system, SHANGHAI)

    assert basis(manual("2025-08-09 20:00:01", last_mysql_extraction_time="2025-08-14T15:30:45Z")) == at_eight
    assert basis(automated().patched(point)) == replace(AUTOMATED, zone=SHANGHAI)
    assert basis(automated(load_floor="2025-08-14T11:00:00Z")) == replace(
        AUTOMATED, zone=SHANGHAI, load_floor=NOON - timedelta(hours=1)
    )
    assert basis(automated().patched({**point, "last_mysql_extraction_time": None})) == at_eight
    assert basis(Watermark.new(automated().table)) == Basis(1, after=instant, system=True)
    assert basis(automated().patched({"last_mysql_data_timestamp": None})) == Basis(1, after=instant, system=True)
    assert basis(Watermark.new(automated().table), None) == Basis(1, system=True)


@pytest.mark.parametrize("keyless", [False, True])
def test_the_basis_of_every_kind_says_whether_the_table_has_a_primary_key(keyless: bool) -> None:
    for mark in (Watermark.new(automated().table), manual("2025-08-09 20:00:01"), automated()):
        for system in (None, datetime(2025, 8, 1)):
            assert Basis.of(mark, system, UTC_ZONE, keyless=keyless).keyless is keyless
    assert not Basis.of(automated(), None, UTC_ZONE).keyless


def test_the_log_says_how_files_are_chosen() -> None:
    assert MANUAL.describe() == (
        "Using manual watermark-based incremental Redshift loading: files after 2025-08-14T12:00:00Z"
    )
    assert "Using system watermark-based" in SYSTEM.describe()
    assert AUTOMATED.describe() == (
        "Using session-based incremental Redshift loading: files from 2025-08-14T02:00:00Z to 2025-08-14T22:00:00Z"
    )
    assert NOTHING.describe() == "Using no watermark: every file is loaded"


def test_the_summary_of_nothing_selected_names_every_change_that_would_help() -> None:
    late = NOON - timedelta(hours=16, minutes=12, seconds=30)
    files = [
        *(file(late + n * SECOND, f"old-{n}") for n in range(3)),
        *(file(NOON, f"loaded-{n}") for n in range(12)),
        file(NOON, "open", own("open", state=RunState.RUNNING)),
        file(NOON, "swapped", own(etag="other")),
    ]
    loaded = loads(*files[3:15])

    summary = summarise(judge(files, AUTOMATED, loaded), AUTOMATED, loaded, UTC_ZONE)

    assert str(summary) == "Found 17 files, filtered to 0 files for loading"
    assert (summary.held_back, summary.only_held_back) == (4, True)
    assert summary.hint.split("; ") == [
        "3 files enter if you set 2025-08-13 19:47:29",
        "12 files were loaded before",
        "`--reprocess` loads them again",
        "1 file is of a run that is not committed",
        "the next full sync settles it",
        "1 file was replaced after the run that wrote them",
        "see `wmtui files`",
    ]


def test_the_hints_point_is_in_the_profiles_zone() -> None:
    verdicts = judge([file(NOON)], MANUAL, {})

    assert summarise(verdicts, MANUAL, {}, SHANGHAI).hint == "1 file enters if you set 2025-08-14 19:59:59"


def test_files_that_are_loaded_or_unfinished_are_not_held_back() -> None:
    done, unfinished = file(NOON, "a"), file(NOON, "b", own("b", state=RunState.RUNNING))

    summary = summarise(judge([done, unfinished], AUTOMATED, loads(done)), AUTOMATED, loads(done), UTC_ZONE)

    assert (summary.selected, summary.held_back, summary.only_held_back) == (0, 0, False)
    assert not summarise([], AUTOMATED, {}, UTC_ZONE).held_back
    assert summarise([], AUTOMATED, {}, UTC_ZONE).hint == ""


@pytest.mark.parametrize(
    ("candidate", "basis", "loaded", "words"),
    [
        (file(NOON), AUTOMATED, loads(file()), "loaded at 2025-08-14T12:00:00Z by load load-1"),
        (
            structs.replace(file(part=own()), etag="other"),
            AUTOMATED,
            loads(file()),
            "loaded at 2025-08-14T12:00:00Z by load load-1; its content is not what was loaded",
        ),
        (
            structs.replace(file(), etag="other"),
            replace(AUTOMATED, keyless=True),
            loads(file()),
            "its content changed after it was loaded, and the table has no primary key",
        ),
        (file(part=own(state=RunState.RUNNING)), AUTOMATED, {}, "its run 0198a4f3c0001a2b3c is running"),
        (file(part=own(state=None)), AUTOMATED, {}, "its run 0198a4f3c0001a2b3c is unknown"),
        (file(part=structs.replace(own(), etag=None)), AUTOMATED, {}, "its run 0198a4f3c0001a2b3c does not list it"),
        (file(part=own(etag="x")), AUTOMATED, {}, "its content is not what its run wrote"),
        (file(NOON + 62 * SECOND), MANUAL, {}, "1 m 2 s after the watermark"),
        (file(NOON - 62 * SECOND), MANUAL, {}, "1 m 2 s too old: not after the watermark 2025-08-14T12:00:00Z"),
        (file(NOON), MANUAL, {}, "0 s too old: not after the watermark 2025-08-14T12:00:00Z"),
        (file(NOON), AUTOMATED, {}, "inside the session window"),
        (file(NOON - timedelta(days=9), part=own()), AUTOMATED, {}, "carried over: a committed part never loaded"),
        (file(NOON - timedelta(hours=13, minutes=12)), AUTOMATED, {}, "outside the session window by 3 h 12 m"),
        (file(NOON + timedelta(hours=13, minutes=12)), AUTOMATED, {}, "outside the session window by 3 h 12 m"),
        (file(NOON), replace(AUTOMATED, load_floor=NOON), {}, "before the load floor 2025-08-14T12:00:00Z"),
        (file(part=own(epoch=2)), AUTOMATED, {}, "of a later epoch: that reset was taken back"),
        (file(part=own()), replace(AUTOMATED, epoch=2), {}, "of an earlier epoch: the table was reset since"),
        (file(NOON + SECOND), SYSTEM, {}, "1 s after the system watermark"),
        (file(NOON), SYSTEM, {}, "0 s too old: not after the system watermark 2025-08-14T12:00:00Z"),
        (file(NOON), NOTHING, {}, "no watermark excludes it"),
    ],
)
def test_a_verdict_is_explained_in_words(candidate: Candidate, basis: Basis, loaded: Loads, words: str) -> None:
    (verdict,) = judge([candidate], basis, loaded)

    assert explain(verdict, loaded).startswith(words.replace("never loaded", "that was never loaded"))


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (0.4, "0 s"),
        (59, "59 s"),
        (60, "1 m"),
        (61, "1 m 1 s"),
        (3600, "1 h"),
        (3605, "1 h"),
        (11_520, "3 h 12 m"),
        (86_400, "1 d"),
        (90_000, "1 d 1 h"),
        (400 * 86_400, "400 d"),
    ],
)
def test_a_distance_is_told_in_its_two_largest_units(seconds: float, words: str) -> None:
    assert format_duration(timedelta(seconds=seconds)) == words


@given(st.integers(0, 10**9))
def test_a_distance_in_words_is_never_longer_than_the_distance_nor_a_unit_shorter(seconds: int) -> None:
    sizes = {"d": 86_400, "h": 3600, "m": 60, "s": 1}
    words = format_duration(timedelta(seconds=seconds)).split()
    amounts = list(zip(words[::2], words[1::2], strict=True))

    told = sum(int(amount) * sizes[unit] for amount, unit in amounts)
    largest = sizes[amounts[0][1]]
    assert 0 <= seconds - told < max(largest // 24, 1)


def test_every_reason_belongs_to_a_rule() -> None:
    assert set(RULES) == set(VerdictReason)
    assert Verdict(file(), VerdictReason.LOADED).rule == 2
    assert [r for r, _ in itertools.groupby(sorted(RULES.values()))] == [1, 2, 3, 4, 5, 6]

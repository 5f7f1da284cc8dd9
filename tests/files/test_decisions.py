"""Files that somebody decided about, that nobody can read yet, or that are out without anybody having decided.

Guards against a table that is called complete while files lie in the store that no load will ever take, against rows of
a writer's aborted attempts, and against a decision that outlives the content it was made about.
"""

from datetime import timedelta

import pytest

from tests.clock import NOON, HandClock
from tests.files.conftest import TABLE, TARGET, WAREHOUSE, Lake, automated, manual
from tests.servers.s3 import S3Server
from wmtui.config import S3Config
from wmtui.errors import Unreadable
from wmtui.files import decisions
from wmtui.files.leftovers import leftover_parts
from wmtui.files.selection import Choice, Selection
from wmtui.files.verdicts import Basis, Candidate, Decision, FileKind, PartOf, Reprocess, VerdictReason, Will, judge
from wmtui.layout import decisions_key, in_staging_area, part_key
from wmtui.objects import ObjectInfo
from wmtui.objects.s3 import S3Store
from wmtui.runs.load_records import Load
from wmtui.runs.run_document import RunState

AUTOMATED = Basis(1, extraction_time=NOON)
FLOOR = Basis(1, extraction_time=NOON, load_floor=NOON - timedelta(hours=1))


def file(at: timedelta = timedelta(0), *, part: PartOf | None = None, kind: FileKind = FileKind.DATA) -> Candidate:
    return Candidate("k/a", "s3://b/k/a", "e1", 100, NOON + at, part, kind)


def decision(will: Will = Will.SKIP, etag: str = "e1") -> Decision:
    return Decision(etag, will, "anna@host", NOON, "a test export")


def reason(
    candidate: Candidate,
    basis: Basis = AUTOMATED,
    *,
    loaded: str = "",
    decided: Decision | None = None,
    again: Reprocess = Reprocess.NO,
) -> VerdictReason:
    loads = {"k/a": Load(loaded, NOON, "load-1")} if loaded else {}
    (verdict,) = judge([candidate], basis, loads, again, {"k/a": decided} if decided else {})
    assert verdict.file is candidate
    return verdict.reason


def decide(lake: Lake, will: Will, *files: ObjectInfo) -> None:
    """What the service leaves: the document, and its serial in the lock document."""
    new = {info.key: Decision(info.etag, will, "anna@host", NOON, "a test export") for info in files}
    serial = decisions.change(lake.objects, TABLE, new).serial
    lake.leave({"decisions": serial})


def words(selection: Selection) -> dict[str, str]:
    return {verdict.file.key.rpartition("/")[2]: verdict.outcome for verdict in selection.verdicts}


@pytest.mark.parametrize("again", Reprocess)
@pytest.mark.parametrize(
    ("will", "expected"), [(Will.SKIP, VerdictReason.SKIPPED), (Will.WRITE_OFF, VerdictReason.WRITTEN_OFF)]
)
def test_a_file_somebody_decided_about_is_never_loaded_whoever_names_it(
    will: Will, expected: VerdictReason, again: Reprocess
) -> None:
    assert reason(file(), again=again) in (VerdictReason.IN_SESSION, VerdictReason.NAMED)
    assert reason(file(), decided=decision(will), again=again) is expected


def test_a_decision_holds_for_the_content_it_was_made_about_and_no_other() -> None:
    assert reason(file(), decided=decision(etag="e0")) is VerdictReason.IN_SESSION


def test_what_is_loaded_stays_loaded_whatever_is_decided_about_it_or_where_it_lies() -> None:
    assert reason(file(), loaded="e1", decided=decision()) is VerdictReason.LOADED
    assert reason(file(kind=FileKind.ARCHIVED), loaded="e1") is VerdictReason.LOADED
    assert reason(file(kind=FileKind.STAGING), loaded="e1") is VerdictReason.LOADED


def test_a_replaced_part_can_be_given_up_and_one_that_no_run_vouches_for_needs_no_decision() -> None:
    replaced = PartOf("0198a4f3c0001a2b3c", RunState.COMMITTED, 1, "written", 10)
    running = PartOf("0198a4f3c0001a2b3c", RunState.RUNNING, 1, None, None)
    unlisted = PartOf("0198a4f3c0001a2b3c", RunState.COMMITTED, 1, None, None)

    assert reason(file(part=replaced)) is VerdictReason.REPLACED
    assert reason(file(part=replaced), decided=decision()) is VerdictReason.SKIPPED
    assert reason(file(part=running), decided=decision()) is VerdictReason.UNCOMMITTED
    assert reason(file(part=unlisted), decided=decision()) is VerdictReason.UNLISTED


@pytest.mark.parametrize("again", Reprocess)
def test_an_archived_file_is_out_where_it_would_be_loaded_and_keeps_its_reason_where_not(again: Reprocess) -> None:
    assert reason(file(kind=FileKind.ARCHIVED), again=again) is VerdictReason.ARCHIVED
    assert reason(file(kind=FileKind.ARCHIVED), decided=decision(), again=again) is VerdictReason.SKIPPED
    before = file(-timedelta(hours=2), kind=FileKind.ARCHIVED)
    assert reason(before, FLOOR) is VerdictReason.BEFORE_FLOOR


def test_a_file_in_a_staging_area_is_no_data_whatever_its_time() -> None:
    for at in (timedelta(0), -timedelta(days=2)):
        assert reason(file(at, kind=FileKind.STAGING)) is VerdictReason.STAGING
        assert reason(file(at, kind=FileKind.STAGING), again=Reprocess.NAMED) is VerdictReason.STAGING


@pytest.mark.parametrize("basis", [FLOOR, Basis(1, after=NOON), Basis(1, after=NOON, system=True)])
def test_naming_a_file_that_is_out_for_its_time_loads_it(basis: Basis) -> None:
    old = file(-timedelta(hours=2))
    assert reason(old, basis) not in (VerdictReason.NAMED, VerdictReason.LOADED)
    assert reason(old, basis, again=Reprocess.NAMED) is VerdictReason.NAMED
    assert reason(old, basis, again=Reprocess.LOADED) is not VerdictReason.NAMED


@pytest.mark.parametrize(
    ("name", "staging"),
    [
        ("_temporary/0/attempt/part-0.parquet", True),
        (".hive-staging_hive_2025/a.parquet", True),
        ("year=2025/__magic/a.parquet", True),
        ("_delta_log/00000.checkpoint.parquet", True),
        ("year=2025/_SUCCESS.parquet", True),
        (".part-0.parquet", True),
        ("_region=eu/a.parquet", False),
        ("year=2025/month=08/a.parquet", False),
        ("a_b/.c/../a.parquet", True),
        ("late_arrivals/a.parquet", False),
    ],
)
def test_writers_staging_areas_are_known_by_their_names(name: str, staging: bool) -> None:
    assert in_staging_area(TABLE, f"incremental/shop.orders/{name}") == staging


def test_files_of_a_staging_area_are_told_and_not_loaded(lake: Lake) -> None:
    lake.put("incremental/shop.orders/_temporary/0/a.parquet")
    lake.put("incremental/shop.orders/_region=eu/b.parquet")

    selection = lake.select(manual("2025-08-14 11:59:59"))

    assert words(selection) == {"a.parquet": "out", "b.parquet": "next"}
    assert selection.summary.reasons == {VerdictReason.STAGING: 1, VerdictReason.AFTER_WATERMARK: 1}
    assert selection.held_back == 0


def test_a_part_of_a_table_whose_name_begins_with_an_underscore_is_data() -> None:
    from wmtui.model import TableName

    table = TableName("_shop", "orders")
    key = part_key(table, NOON, "0198a4f3c0001a2b3c", 1, 0)
    assert not in_staging_area(table, key)


def test_a_decision_is_taken_back_and_the_file_is_judged_as_ever(lake: Lake) -> None:
    info = lake.foreign("a")
    decide(lake, Will.SKIP, info)
    selection = lake.select(automated())
    assert selection.selected == []
    (verdict,) = selection.verdicts
    assert selection.explain(verdict) == "skipped by anna@host at 2025-08-14T12:00:00Z: a test export"

    lake.leave({"decisions": decisions.change(lake.objects, TABLE, {}, frozenset({info.key})).serial})
    assert words(lake.select(automated())) == {"a.parquet": "next"}


def test_decisions_are_read_where_the_lock_document_does_not_say_that_there_are_none(lake: Lake) -> None:
    info = lake.foreign("a")
    decide(lake, Will.SKIP, info)
    for left in ({}, {"decisions": None}, {"decisions": "x"}):
        lake.leave(left)
        assert lake.select(automated()).selected == []


def test_a_corrupt_document_of_decisions_stops_the_table(lake: Lake) -> None:
    lake.foreign("a")
    for garbage in (b"{", b"[]", b'{"table": "shop.items"}', b"[" * 100_000):
        lake.objects.put(decisions_key(TABLE), garbage)
        with pytest.raises(Unreadable, match="decisions"):
            lake.select(automated())


def test_a_decision_voids_what_was_settled_so_that_a_part_taken_back_is_seen_again(
    lake: Lake, clock: HandClock
) -> None:
    clock.advance(days=-5)
    run = lake.run()
    clock.advance(days=5)
    (part,) = run.parts
    lake.settle(run.run)
    assert lake.select(automated()).verdicts == []

    serial = decisions.change(lake.objects, TABLE, {}).serial
    fields = {
        "settled_in": {
            WAREHOUSE: {"run": run.run, "epoch": 1, "load_floor": None, "target": TARGET, "decisions": 0, "load": None}
        }
    }
    lake.leave({**fields, "decisions": serial})
    assert [found.key for found in lake.select(automated()).selected] == [part.key]


def test_a_file_written_now_into_an_old_folder_is_seen_by_every_door_within_the_session_window(
    lake: Lake, clock: HandClock
) -> None:
    lake.settle("")
    old_folder = lake.put("incremental/shop.orders/year=2020/month=01/day=01/late.parquet")
    shown = lake.select(automated(), choice=Choice(all_days=True))
    assert [found.key for found in shown.selected] == [old_folder.key]

    narrow = lake.select(automated())
    assert (narrow.selected, narrow.since is None, narrow.whole_at) == ([], False, NOON)
    clock.advance(hours=8)
    later = lake.select(automated(clock()))
    assert [found.key for found in later.selected] == [old_folder.key]
    assert (later.since, later.whole_at) == (None, clock())


def test_until_the_first_load_and_after_a_change_of_what_files_are_judged_by_all_days_are_listed(lake: Lake) -> None:
    lake.put("incremental/shop.orders/year=2020/month=01/day=01/a.parquet")
    assert lake.select(automated()).since is None
    lake.settle("")
    assert lake.select(automated()).since is not None
    assert lake.select(automated(load_floor="2025-08-14T09:00:00Z")).since is None
    assert lake.select(automated(epoch=2)).since is None
    assert lake.select(automated(), warehouse="another").since is None


def test_files_that_were_held_back_when_all_days_were_listed_are_counted_until_they_are_listed_again(
    lake: Lake, clock: HandClock
) -> None:
    at = f"{NOON:%Y-%m-%dT%H:%M:%SZ}"
    lake.leave(
        {"listed_in": {WAREHOUSE: {"held_back": 3, "at": at, "judged_by": [1, None, False, TARGET, 0]}}, "decisions": 0}
    )
    clock.advance(hours=1)
    assert lake.select(automated()).held_back == 3
    clock.advance(hours=8)
    assert lake.select(automated(clock())).held_back == 0


def test_a_new_file_that_is_held_back_has_all_days_listed_for_the_right_count(lake: Lake, clock: HandClock) -> None:
    lake.put("incremental/shop.orders/year=2020/month=01/day=01/a.parquet")
    lake.settle("")
    clock.advance(hours=1)
    lake.put("incremental/shop.orders/year=2025/month=08/day=14/late.parquet")

    found = lake.select(automated(NOON - timedelta(hours=12)))

    assert (found.since, found.held_back) == (None, 2)


@pytest.mark.parametrize(
    "garbage",
    [None, 7, "x", {WAREHOUSE: {}}, {WAREHOUSE: {"held_back": "3", "at": "x"}}, {WAREHOUSE: {"held_back": 1, "at": 7}}],
)
def test_a_garbled_note_of_a_listing_only_means_listing_all_days(lake: Lake, garbage: object) -> None:
    lake.leave({"listed_in": garbage})
    assert lake.select(automated()).since is None


@pytest.mark.parametrize("storage_class", ["GLACIER", "DEEP_ARCHIVE"])
def test_an_archived_object_is_held_back_until_it_is_restored(
    s3: S3Server, clock: HandClock, storage_class: str
) -> None:
    bucket = s3.new_bucket()
    objects = S3Store(f"s3://{bucket}", S3Config(endpoint_url=s3.endpoint_url))
    lake = Lake(objects, clock)
    client = objects._client()
    key = "incremental/shop.orders/a.parquet"
    client.put_object(Bucket=bucket, Key=key, Body=b"x", StorageClass=storage_class)  # type: ignore[arg-type]
    client.put_object(Bucket=bucket, Key=f"{key[:-9]}b.parquet", Body=b"x", StorageClass="GLACIER_IR")

    assert words(lake.select(manual("2025-01-01 00:00:00"))) == {"a.parquet": "held back", "b.parquet": "next"}

    client.restore_object(Bucket=bucket, Key=key, RestoreRequest={"Days": 1})
    assert words(lake.select(manual("2025-01-01 00:00:00"))) == {"a.parquet": "next", "b.parquet": "next"}


def test_a_part_that_somebody_moved_is_no_leftover(lake: Lake, clock: HandClock) -> None:
    run = lake.run()
    (part,) = run.parts
    moved = part.key.replace("incremental/shop.orders/", "incremental/shop.orders/backup/")
    lake.objects.put(moved, lake.objects.get(part.key).data)
    later = clock() + timedelta(days=2)
    assert [found.key for found in leftover_parts(lake.objects, automated(), (), later)] == [moved]

    lake.objects.delete(part.key)
    assert leftover_parts(lake.objects, automated(), (), later) == []

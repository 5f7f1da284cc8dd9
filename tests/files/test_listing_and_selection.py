"""From a watermark to the files that are loaded next, on real stores.

Guards against files that nobody sees: those past the first page of a listing, in yesterday's folder, under a name that
did not parse, or behind an error taken for an empty folder; and against listing that costs more every month.
"""

import io
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from msgspec.structs import replace

from tests.clock import NOON, HandClock
from tests.files.conftest import HOUR, TABLE, TARGET, WAREHOUSE, Lake, automated, manual
from tests.servers.s3 import S3Server, refuse
from wmtui.config import S3Config
from wmtui.errors import StoreError, Unreadable, UsageError
from wmtui.files.listing import Lister
from wmtui.files.selection import Choice, LedgerLoads, Selection
from wmtui.files.verdicts import VerdictReason
from wmtui.model import TableName
from wmtui.objects import ObjectInfo, ObjectStore, StoredObject
from wmtui.objects.directory import DirectoryStore
from wmtui.objects.s3 import S3Store
from wmtui.runs.footers import footer_digest
from wmtui.runs.load_records import Load, LoadedFile, LoadRecord, LoadRecords
from wmtui.runs.run_document import Run, RunState, RunStore
from wmtui.watermarks.model import Watermark

NEW = Watermark.new(TABLE)


def names(selection: Selection) -> list[str]:
    return [file.key.rpartition("/")[2].removesuffix(".parquet") for file in selection.selected]


def reasons(selection: Selection) -> dict[str, VerdictReason]:
    return {v.file.key: v.reason for v in selection.verdicts}


class Counting(DirectoryStore):
    """Notes the keys that listings yield and documents that are read."""

    def __init__(self, root: str, clock: HandClock) -> None:
        super().__init__(root, clock)
        self.listed: list[str] = []
        self.read: list[str] = []

    def list(self, prefix: str, *, after: str = "") -> Iterator[ObjectInfo]:
        for info in super().list(prefix, after=after):
            self.listed.append(info.key)
            yield info

    def get(self, key: str, *, last: int | None = None) -> StoredObject:
        self.read.append(key)
        return super().get(key, last=last)


@pytest.fixture
def counting(tmp_path: Path, clock: HandClock) -> Counting:
    return Counting(str(tmp_path), clock)


def test_files_past_the_first_page_of_a_listing_are_found(s3: S3Server) -> None:
    bucket = s3.new_bucket()
    folder = "incremental/shop.orders/year=2025/month=08/day=09/"
    s3.fill(bucket, (f"{folder}{number:05}.parquet" for number in range(1200)))
    flat = "incremental/year=2025/month=08/day=09/shop_orders_20250809_120000_batch_"
    s3.fill(bucket, (f"{flat}{number:05}.parquet" for number in range(1100)))
    objects = S3Store(f"s3://{bucket}", S3Config(endpoint_url=s3.endpoint_url))

    listing = Lister(objects, [TABLE]).find(TABLE, None, ())

    assert len(listing.candidates) == 2300


def test_automated_mode_finds_unloaded_parts_of_yesterday_and_of_months_ago(lake: Lake, clock: HandClock) -> None:
    clock.advance(days=-90)
    old = lake.run(parts=2)
    clock.advance(days=89)
    yesterday = lake.run()
    clock.advance(days=1)
    today = lake.run()

    selection = lake.select(automated())

    assert [file.key for file in selection.selected] == [p.key for run in (old, yesterday, today) for p in run.parts]
    assert selection.summary.reasons == {VerdictReason.CARRIED_OVER: 3, VerdictReason.IN_SESSION: 1}


def test_the_session_window_begins_the_day_before_if_midnight_lies_in_it(lake: Lake, clock: HandClock) -> None:
    clock.now = NOON.replace(hour=23, minute=30) - timedelta(days=1)
    lake.foreign("late-last-night")
    clock.now = NOON.replace(hour=1)

    assert names(lake.select(automated(clock()))) == ["late-last-night"]


def test_a_folder_named_by_a_clock_ahead_or_behind_is_still_listed(lake: Lake) -> None:
    """The writer's zone names the folder, the store's clock stamps the file."""
    for day in ("13", "14", "15"):
        lake.put(f"incremental/shop.orders/year=2025/month=08/day={day}/{day}.parquet")

    assert sorted(names(lake.select(automated()))) == ["13", "14", "15"]


def test_a_manual_watermark_looks_at_every_day(lake: Lake) -> None:
    lake.put("incremental/shop.orders/year=2020/month=01/day=01/reloaded.parquet")
    lake.put("incremental/shop.orders/loose.parquet")
    lake.put("incremental/shop.orders/~archive/deep/er.parquet")

    assert sorted(names(lake.select(manual("2025-08-14 11:59:59")))) == ["er", "loose", "reloaded"]


def test_automated_mode_sees_files_in_no_day_folder(lake: Lake) -> None:
    lake.put("incremental/shop.orders/loose.parquet")
    lake.put("incremental/shop.orders/archive/a.parquet")
    lake.put("incremental/shop.orders/zoo/z.parquet")

    assert sorted(names(lake.select(automated()))) == ["a", "loose", "z"]


def test_listing_costs_as_much_as_what_is_new_whatever_the_history(tmp_path: Path, clock: HandClock) -> None:
    def cost(days: int) -> int:
        folder = tmp_path / f"{days}"
        folder.mkdir()
        objects = Counting(str(folder), clock)
        lake = Lake(objects, clock)
        clock.now = NOON - timedelta(days=days)
        for _ in range(days):
            run = lake.run()
            load_id = lake.load(*run.parts)
            day = f"incremental/year={clock():%Y/month=%m/day=%d}"
            lake.put(f"{day}/shop_orders_{clock():%Y%m%d_%H%M%S}_batch_0.parquet")
            clock.advance(days=1)
        lake.settle(run.run, load_id)
        new = lake.run()
        objects.listed.clear()
        objects.read.clear()
        assert [file.key for file in lake.select(automated()).selected] == [new.parts[0].key]
        return len(objects.listed) + len(objects.read)

    assert cost(40) == cost(5)


def test_run_documents_are_read_only_for_files_that_are_not_loaded(counting: Counting, clock: HandClock) -> None:
    lake = Lake(counting, clock)
    runs = []
    for _ in range(5):
        runs.append(lake.run(parts=3))
        clock.advance(seconds=1)
    for run in runs[:4]:
        lake.load(*run.parts)
    counting.read.clear()

    selection = lake.select(automated())

    assert [key for key in counting.read if "/runs/" in key] == [RunStore(counting, TABLE).key(runs[4].run)]
    assert selection.summary.reasons == {VerdictReason.LOADED: 12, VerdictReason.IN_SESSION: 3}


def test_the_flat_layout_is_listed_once_for_all_tables(counting: Counting) -> None:
    tables = [TableName("shop", f"t_{number}") for number in range(12)]
    for table in tables:
        counting.put(f"incremental/year=2025/month=08/day=14/shop_{table.name}_20250814_120000_batch_1.parquet", b"x")
    lister = Lister(counting, tables)

    found = {table: [c.key for c in lister.find(table, None, ()).candidates] for table in tables}

    assert all(f"shop_{table.name}_2025" in key for table, keys in found.items() for key in keys)
    assert [len(keys) for keys in found.values()] == [1] * 12
    assert len(counting.listed) == 12


def test_a_flat_file_that_fits_two_tables_is_loaded_by_neither_and_reported_by_both(objects: ObjectStore) -> None:
    one, other = TableName("a", "b_c"), TableName("a_b", "c")
    key = "incremental/year=2025/month=08/day=14/a_b_c_20250814_120000_batch_1.parquet"
    objects.put(key, b"x")

    for table in (one, other):
        listing = Lister(objects, [one, other]).find(table, None, ())
        assert (listing.candidates, listing.ambiguous) == ([], [key])
    assert [c.key for c in Lister(objects, [one]).find(one, None, ()).candidates] == [key]


def test_files_of_similarly_named_tables_are_no_candidates(objects: ObjectStore, clock: HandClock) -> None:
    tables = [TableName("settlement", name) for name in ("claim", "claim_detail", "t_1", "t_10")]
    lake = Lake(objects, clock)
    for table in tables:
        lake.foreign(table.name, table)
        lake.put(f"incremental/year=2025/month=08/day=14/settlement_{table.name}_20250814_120000_batch_0.parquet")

    for table in tables:
        keys = [c.key for c in Lister(objects, tables).find(table, None, ()).candidates]
        assert len(keys) == 2
        assert all(f"/{table.name}.parquet" in key or f"settlement_{table.name}_2025" in key for key in keys)


def test_names_that_are_no_parquet_files_and_prefixes_listed_are_reported(lake: Lake) -> None:
    odd = ["incremental/shop.orders/_SUCCESS", "incremental/shop.orders/year=2025/month=08/day=14/a.parquet.crc"]
    for key in odd:
        lake.put(key)

    listing = lake.select(automated()).listing

    assert (listing.candidates, listing.unparsed) == ([], odd)
    assert listing.prefixes == ("incremental/shop.orders/", "incremental/year=")


def test_keys_with_odd_characters_are_candidates_like_any_other(objects: ObjectStore, clock: HandClock) -> None:
    lake = Lake(objects, clock)
    odd = sorted(f"a b+c%2F&é你🚚'\"#?=~{number}" for number in range(3))
    infos = [lake.foreign(name) for name in odd]
    lake.load(infos[0])

    selection = lake.select(NEW)

    assert names(selection) == odd[1:]
    assert reasons(selection)[infos[0].key] is VerdictReason.LOADED


def test_candidates_come_oldest_first(lake: Lake, clock: HandClock) -> None:
    for name in ("c", "a", "b"):
        lake.foreign(name)
        clock.advance(seconds=1)
    lake.foreign("aa")

    assert names(lake.select(NEW)) == ["c", "a", "b", "aa"]


def test_an_error_while_listing_is_an_error_not_an_empty_list(s3: S3Server, clock: HandClock) -> None:
    objects = S3Store(f"s3://{s3.new_bucket()}", S3Config(endpoint_url=s3.endpoint_url))
    lake = Lake(objects, clock)
    lake.foreign("a")
    for mark in (NEW, automated(), manual("2025-08-09 00:00:00")):
        s3.faults.add(refuse(403, "AccessDenied"), method="GET", key="^$", times=None)
        with pytest.raises(StoreError):
            lake.select(mark)
        s3.faults.clear()

    assert names(lake.select(NEW)) == ["a"]


def test_a_store_that_is_not_there_is_an_error_not_an_empty_list(tmp_path: Path, clock: HandClock) -> None:
    objects = DirectoryStore(str(tmp_path / "not mounted"), clock)

    with pytest.raises(StoreError):
        Lister(objects, [TABLE]).find(TABLE, None, ())


def test_a_corrupt_run_document_stops_the_table_rather_than_dropping_its_parts(lake: Lake) -> None:
    run = lake.run()
    lake.objects.put(RunStore(lake.objects, TABLE).key(run.run), b"{")

    with pytest.raises(Unreadable):
        lake.select(automated())


def test_parts_count_only_by_a_committed_document_that_lists_key_and_etag(lake: Lake, clock: HandClock) -> None:
    by_state = {state: lake.run(state=state) for state in RunState if not clock.advance(seconds=1)}
    lost = lake.run(token=2)
    lake.objects.delete(RunStore(lake.objects, TABLE).key(lost.run))
    clock.advance(seconds=1)
    unlisted = lake.run(token=3)
    stored = RunStore(lake.objects, TABLE).read(unlisted.run)
    assert stored is not None
    RunStore(lake.objects, TABLE).save(unlisted.with_range(0, replace(unlisted.ranges[0], parts=())), stored.etag)
    replaced = lake.run(token=4)
    lake.objects.put(replaced.parts[0].key, b"other content")

    for mark in (NEW, automated(), manual("2025-08-09 00:00:00")):
        found = reasons(lake.select(mark))
        assert found[by_state[RunState.RUNNING].parts[0].key] is VerdictReason.UNCOMMITTED
        assert found[by_state[RunState.ABANDONED].parts[0].key] is VerdictReason.UNCOMMITTED
        assert found[lost.parts[0].key] is VerdictReason.UNCOMMITTED
        assert found[unlisted.parts[0].key] is VerdictReason.UNLISTED
        assert found[replaced.parts[0].key] is VerdictReason.REPLACED
    assert [f.key for f in lake.select(NEW).selected] == [by_state[RunState.COMMITTED].parts[0].key]


def test_loads_of_more_than_a_month_and_5000_files_ago_still_count(lake: Lake, clock: HandClock) -> None:
    clock.advance(days=-400)
    old = lake.foreign("old")
    others = tuple(LoadedFile(f"k{n}", f"uri-{n}", "e", 1) for n in range(6000))
    loaded = (LoadedFile(old.key, lake.objects.uri(old.key), old.etag, 1), *others)
    LoadRecords(lake.objects, TABLE).add(LoadRecord("load-0", "orders", 1, 1, clock(), clock(), loaded, WAREHOUSE))
    for _ in range(40):
        clock.advance(days=10)
        lake.load()

    selection = lake.select(manual("2020-01-01 00:00:00"))

    assert reasons(selection) == {old.key: VerdictReason.LOADED}


def test_in_automated_mode_files_loaded_since_the_window_began_are_known(lake: Lake, clock: HandClock) -> None:
    clock.now = NOON.replace(hour=23) - timedelta(days=1)
    lake.load(*lake.run(parts=2).parts)
    clock.now = NOON.replace(hour=1)
    lake.load(lake.foreign("a"))

    assert lake.select(automated(clock())).summary.reasons == {VerdictReason.LOADED: 3}


def test_a_file_loaded_in_an_earlier_epoch_or_into_another_target_or_warehouse_may_be_loaded(lake: Lake) -> None:
    run = lake.run()
    lake.load(*run.parts, target="orders_copy")
    lake.load(*run.parts, warehouse="warehouse-2")
    assert lake.select(automated()).summary.selected == 1

    lake.load(*run.parts)
    assert lake.select(automated()).summary.selected == 0
    assert lake.select(automated(epoch=2)).summary.reasons == {VerdictReason.EARLIER_EPOCH: 1}
    assert lake.select(manual("2025-08-09 00:00:00", epoch=2)).summary.selected == 1


def test_the_ledger_decides_where_it_was_asked(lake: Lake) -> None:
    run = lake.run()
    lake.load(*run.parts)
    files = lake.select(automated())
    assert (files.summary.selected, files.by_ledger) == (0, False)

    by_ledger = lake.select(automated(), ledger=LedgerLoads({}, frozenset()))

    assert (by_ledger.summary.selected, by_ledger.by_ledger) == (1, True)


def test_a_load_of_before_warehouses_had_ids_counts_until_the_warehouse_is_asked(lake: Lake) -> None:
    run = lake.run()
    lake.load(*run.parts, warehouse=None)

    for warehouse in (None, WAREHOUSE):
        assert lake.select(automated(), warehouse=warehouse).summary.reasons == {VerdictReason.LOADED: 1}
        asked = lake.select(automated(), warehouse=warehouse, ledger=LedgerLoads({}, frozenset()))
        assert asked.summary.reasons == {VerdictReason.IN_SESSION: 1}


def test_a_file_that_went_back_to_its_first_content_was_not_loaded_last(lake: Lake, clock: HandClock) -> None:
    key = lake.foreign("a").key
    for content in (b"v1", b"v2"):
        lake.objects.put(key, content)
        clock.advance(seconds=1)
        lake.load(lake.objects.head(key))
    assert reasons(lake.select(automated())) == {key: VerdictReason.LOADED}

    lake.objects.put(key, b"v1")

    assert reasons(lake.select(automated())) == {key: VerdictReason.IN_SESSION}
    assert reasons(lake.select(automated(), keyless=True)) == {key: VerdictReason.CHANGED}


def test_a_loaded_part_stays_loaded_whatever_its_etag_and_its_run_document_is_not_read(
    counting: Counting, clock: HandClock
) -> None:
    lake = Lake(counting, clock)
    run = lake.run()
    lake.load(*run.parts)
    counting.put(run.parts[0].key, b"other content")
    counting.read.clear()

    assert lake.select(automated()).summary.reasons == {VerdictReason.LOADED: 1}
    assert [key for key in counting.read if "/runs/" in key or key.endswith(".parquet")] == []


def parquet(value: int) -> bytes:
    """A file whose size does not depend on the value."""
    made = io.BytesIO()
    pq.write_table(pa.table({"id": pa.array([value], pa.int64())}), made, compression="none")
    return made.getvalue()


def list_as_written(lake: Lake, run: Run, data: bytes, **fields: Any) -> str:
    """Make the run's document list its only part as written with this content under another ETag; returns its key."""
    stored = RunStore(lake.objects, TABLE).read(run.run)
    assert stored is not None
    footer = footer_digest(data)
    assert footer is not None
    part = replace(run.parts[0], **{"etag": "before", "size": len(data), "footer": footer, **fields})
    RunStore(lake.objects, TABLE).save(run.with_range(0, replace(run.ranges[0], parts=(part,))), stored.etag)
    return part.key


def test_a_part_whose_etag_alone_changed_is_what_its_run_wrote(lake: Lake) -> None:
    """Encrypted again, or copied in pieces."""
    run, data = lake.run(), parquet(7)
    key = list_as_written(lake, run, data)
    lake.objects.put(key, data)

    selection = lake.select(automated())

    assert reasons(selection) == {key: VerdictReason.IN_SESSION}
    assert [file.etag for file in selection.selected] == [lake.objects.head(key).etag]


@pytest.mark.parametrize("fields", [{}, {"footer": None}, {"size": 1}])
def test_a_part_of_another_footer_or_size_was_replaced(lake: Lake, fields: dict[str, Any]) -> None:
    run, other = lake.run(), parquet(8)
    data = other if fields else parquet(7)
    assert len(data) == len(other)
    key = list_as_written(lake, run, data, **fields)
    lake.objects.put(key, other)

    assert reasons(lake.select(automated())) == {key: VerdictReason.REPLACED}


def test_a_loaded_part_copied_in_pieces_since_is_loaded_again_and_one_with_other_content_is_not(lake: Lake) -> None:
    run, data = lake.run(), parquet(7)
    lake.load(*run.parts)
    key = list_as_written(lake, run, data)
    lake.objects.put(key, data)
    assert reasons(lake.select(automated(), choice=Choice(reprocess=True))) == {key: VerdictReason.REPROCESSED}

    lake.objects.put(key, parquet(8))

    for choice in (Choice(reprocess=True), Choice(reprocess=True, keys=(key,))):
        assert reasons(lake.select(automated(), choice=choice)) == {key: VerdictReason.REPLACED}


def test_runs_settled_by_the_last_load_are_not_looked_at_again(counting: Counting, clock: HandClock) -> None:
    lake = Lake(counting, clock)
    clock.advance(days=-20)
    old = lake.run()
    lake.load(*old.parts)
    clock.advance(days=10)
    open_run = lake.run()
    clock.advance(days=10)
    lake.settle(old.run)

    selection = lake.select(automated())

    assert [f.key for f in selection.selected] == [open_run.parts[0].key]
    assert [c.key for c in selection.listing.candidates] == [open_run.parts[0].key]


@pytest.mark.parametrize("change", [{"epoch": 2}, {"load_floor": "2025-08-01T00:00:00Z"}])
def test_what_was_settled_counts_no_more_after_a_set_or_a_reset(
    lake: Lake, clock: HandClock, change: dict[str, object]
) -> None:
    clock.advance(days=-5)
    run = lake.run(epoch=change.get("epoch", 1))
    clock.advance(days=5)
    lake.settle(run.run)
    assert lake.select(automated()).listing.candidates == []

    assert [f.key for f in lake.select(automated(**change)).selected] == [run.parts[0].key]


def test_what_was_settled_counts_no_more_where_the_ledger_lacks_its_load(lake: Lake, clock: HandClock) -> None:
    """A warehouse put back to an earlier state."""
    clock.advance(days=-5)
    run = lake.run()
    clock.advance(days=5)
    load_id = lake.load(*run.parts)
    lake.settle(run.run, load_id)
    loaded = {part.key: Load(part.etag, clock(), load_id) for part in run.parts}
    assert lake.select(automated(), ledger=LedgerLoads(loaded, frozenset({load_id}))).listing.candidates == []

    selection = lake.select(automated(), ledger=LedgerLoads({}, frozenset({"load-of-before"})))

    assert [f.key for f in selection.selected] == [run.parts[0].key]


def test_what_was_settled_in_another_warehouse_does_not_count(lake: Lake, clock: HandClock) -> None:
    clock.advance(days=-5)
    run = lake.run()
    clock.advance(days=5)
    lake.settle(run.run, warehouse="warehouse-2")

    assert [f.key for f in lake.select(automated()).selected] == [run.parts[0].key]
    assert lake.select(automated(), warehouse="warehouse-2").listing.candidates == []
    assert [f.key for f in lake.select(automated(), warehouse=None).selected] == [run.parts[0].key]


GARBAGE = ["x", [], 7, None]


@pytest.mark.parametrize(
    "garbage",
    [
        *GARBAGE,
        *({WAREHOUSE: garbage} for garbage in GARBAGE),
        *({WAREHOUSE: {"run": garbage, "epoch": 1, "load_floor": None, "target": TARGET}} for garbage in GARBAGE),
        *({WAREHOUSE: {"run": "e" * 18, "epoch": 1, "load_floor": None, "target": TARGET, "load": g}} for g in ([], 7)),
    ],
)
@pytest.mark.parametrize("ledger", [None, LedgerLoads({}, frozenset())])
def test_a_garbled_settled_mark_only_means_looking_further_back(
    lake: Lake, clock: HandClock, garbage: object, ledger: LedgerLoads | None
) -> None:
    clock.advance(days=-5)
    run = lake.run()
    clock.advance(days=5)
    lake.leave({"settled_in": garbage})

    assert [f.key for f in lake.select(automated(), ledger=ledger).selected] == [run.parts[0].key]


def test_asking_for_all_days_or_for_loaded_files_lists_everything(lake: Lake, clock: HandClock) -> None:
    clock.advance(days=-90)
    old = lake.foreign("old")
    lake.load(old)
    clock.advance(days=90)
    lake.settle("")

    assert reasons(lake.select(automated())) == {}
    assert reasons(lake.select(automated(), choice=Choice(all_days=True))) == {old.key: VerdictReason.LOADED}
    assert reasons(lake.select(automated(), choice=Choice(reprocess=True))) == {old.key: VerdictReason.REPROCESSED}


def test_naming_files_judges_only_those_and_an_unknown_one_is_refused(lake: Lake) -> None:
    files = [lake.foreign(name) for name in ("one", "two")]
    lake.load(*files)
    mark = manual("2025-08-15 00:00:00")

    selection = lake.select(mark, choice=Choice(reprocess=True, keys=(files[0].key, files[0].key)))
    assert reasons(selection) == {files[0].key: VerdictReason.REPROCESSED}

    with pytest.raises(UsageError) as refused:
        lake.select(mark, choice=Choice(reprocess=True, keys=(files[0].key[:-1],)))
    assert files[0].key in refused.value.next_step


def test_a_table_without_watermark_goes_by_the_system_watermark(lake: Lake, clock: HandClock) -> None:
    early = lake.foreign("early")
    clock.advance(hours=2)
    late = lake.foreign("late")

    selection = lake.select(NEW, (NOON + HOUR).replace(tzinfo=None))

    assert reasons(selection) == {early.key: VerdictReason.BEFORE_SYSTEM, late.key: VerdictReason.AFTER_SYSTEM}
    assert reasons(lake.select(NEW)) == dict.fromkeys([early.key, late.key], VerdictReason.NO_WATERMARK)


def test_setting_the_point_a_summary_names_lets_those_files_in(lake: Lake, clock: HandClock) -> None:
    clock.advance(days=-3)
    for name in ("a", "b", "c"):
        lake.foreign(name)
    clock.advance(days=3)
    shown = lake.select(automated(), choice=Choice(all_days=True))
    assert str(shown.summary) == "Found 3 files, filtered to 0 files for loading"
    assert shown.summary.hint == "3 files enter if you set 2025-08-11 11:59:59"

    assert names(lake.select(manual("2025-08-11 11:59:59"))) == ["a", "b", "c"]


def test_what_is_listed_from_a_day_on_is_what_lies_in_its_and_later_folders(objects: ObjectStore) -> None:
    folder = "incremental/shop.orders/"
    days = [
        "year=2024/month=12/day=31",
        "year=2025/month=08/day=09",
        "year=2025/month=08/day=10",
        "year=2025/month=8/day=9",
    ]
    for day in days:
        objects.put(f"{folder}{day}/a.parquet", b"x")

    listing = Lister(objects, [TABLE]).find(TABLE, date(2025, 8, 10), ())

    assert sorted(c.key for c in listing.candidates) == [f"{folder}{day}/a.parquet" for day in days[2:]]


class Repeating(DirectoryStore):
    """A folder whose listings show every key of a second page again, as a store does that is written to meanwhile."""

    def list(self, prefix: str, *, after: str = "") -> Iterator[ObjectInfo]:
        listed = list(super().list(prefix, after=after))
        yield from listed
        yield from listed[1:]


@pytest.mark.parametrize(
    ("folder", "since"),
    [
        ("incremental/shop.orders/year=2025/month=08/day=14/{}.parquet", None),
        ("incremental/shop.orders/year=2025/month=08/day=14/{}.parquet", NOON.date()),
        ("incremental/shop.orders/{}.parquet", None),
        ("incremental/year=2025/month=08/day=14/shop_orders_20250814_120000_batch_{}.parquet", None),
        ("incremental/year=2025/month=08/day=14/shop_orders_20250814_120000_batch_{}.parquet", NOON.date()),
    ],
)
def test_a_key_that_a_listing_shows_twice_is_one_file(
    tmp_path: Path, clock: HandClock, folder: str, since: date | None
) -> None:
    objects = Repeating(str(tmp_path), clock)
    keys = [folder.format(number) for number in range(3)]
    for key in (*keys, "incremental/shop.orders/notes.txt", "incremental/shop.orders/README"):
        objects.put(key, b"x")

    listing = Lister(objects, [TABLE]).find(TABLE, since, ())

    assert [file.key for file in listing.candidates] == keys
    loose = [] if since else ["incremental/shop.orders/README", "incremental/shop.orders/notes.txt"]
    assert sorted(listing.unparsed) == loose


def test_of_a_key_that_changed_between_two_pages_the_newer_version_counts(tmp_path: Path, clock: HandClock) -> None:
    key = "incremental/shop.orders/a.parquet"
    objects = DirectoryStore(str(tmp_path), clock)
    objects.put(key, b"old")
    old = objects.head(key)
    clock.advance(seconds=5)
    objects.put(key, b"new")
    new = objects.head(key)

    class Changing(DirectoryStore):
        def list(self, prefix: str, *, after: str = "") -> Iterator[ObjectInfo]:  # noqa: ARG002
            yield from (new, old) if prefix.startswith("incremental/shop") else ()

    (found,) = Lister(Changing(str(tmp_path), clock), [TABLE]).find(TABLE, None, ()).candidates

    assert found.etag == new.etag

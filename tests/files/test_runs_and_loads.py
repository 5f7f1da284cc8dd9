"""Run documents and load records: exact round trips, compare-and-swap, and nothing corrupt taken for absent.

Guards against a retried chunk that counts twice, and against files loaded again because their record was pruned.
"""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.clock import NOON, HandClock
from tests.files.conftest import TABLE, new_run
from wmtui.errors import Conflict, Unreadable
from wmtui.layout import run_folder
from wmtui.model import Order, Position, Span
from wmtui.objects import ObjectStore
from wmtui.objects.directory import DirectoryStore
from wmtui.runs.load_records import Destination, Load, LoadedFile, LoadRecord, LoadRecords, loaded_files
from wmtui.runs.run_document import Column, Part, Range, Run, RunState, RunStore, StoredRun, new_run_id, run_started

ROOT = Path(__file__).parents[2]
CURSOR = datetime(2025, 8, 9, 20, 0, 1, 250000)
FULL = replace(
    new_run(),
    low=CURSOR,
    order=Order.PRIMARY_KEY,
    ranges=(
        Range(
            Span(Order.PRIMARY_KEY, Position(CURSOR, (7, "x")), Position(CURSOR), True, (1,), (2**63,)),
            position=Position(CURSOR, (2**53 + 1, "你好")),
            newest=Position(CURSOR, (3, "y")),
            skipped=4,
            parts=(Part("k", "e", 10, 100, CURSOR, CURSOR),),
        ),
        Range(Span(Order.PRIMARY_KEY, None, Position(CURSOR)), done=True),
    ),
    schema=(Column("id", "bigint unsigned", "uint64"),),
    state=RunState.RUNNING,
    final=None,
    seen_from=CURSOR,
    seen=b"\x00\xff",
)


ORDERS = Destination("w1", "orders")


def record(
    load_id: str,
    ended: datetime = NOON,
    *,
    target: str = "orders",
    epoch: int = 1,
    files: int = 1,
    warehouse: str | None = "w1",
    version: str = "",
) -> LoadRecord:
    loaded = tuple(LoadedFile(f"k{n}", f"s3://b/{load_id}/k{n}", f"e{n}{version}", 10) for n in range(files))
    return LoadRecord(load_id, target, epoch, 3, ended - timedelta(minutes=1), ended, loaded, warehouse)


def test_a_run_document_is_read_back_as_it_was_written(objects: ObjectStore) -> None:
    runs = RunStore(objects, TABLE)
    etag = runs.create(FULL)

    assert runs.read(FULL.run) == StoredRun(FULL, etag)
    assert runs.read(new_run_id(NOON)) is None


def test_a_run_counts_the_rows_of_its_parts_and_knows_its_greatest_position() -> None:
    later = Position(CURSOR + timedelta(seconds=1), (1,))
    ranges = (FULL.ranges[0], replace(FULL.ranges[0], newest=later), replace(FULL.ranges[0], newest=None))

    assert (FULL.rows, len(FULL.parts), FULL.done) == (10, 1, False)
    assert FULL.newest == Position(CURSOR, (3, "y"))
    assert replace(FULL, ranges=ranges).newest == later
    assert replace(FULL, ranges=()).newest is None


def test_of_equal_cursors_the_position_of_the_later_range_is_the_greatest() -> None:
    second = replace(FULL.ranges[0], newest=Position(CURSOR, (9,)))

    assert replace(FULL, ranges=(FULL.ranges[0], second)).newest == Position(CURSOR, (9,))


def test_saving_over_what_somebody_else_changed_is_a_conflict(objects: ObjectStore) -> None:
    runs = RunStore(objects, TABLE)
    first = runs.create(FULL)
    runs.save(replace(FULL, state=RunState.ABANDONED), first)

    with pytest.raises(Conflict):
        runs.save(replace(FULL, state=RunState.COMMITTED), first)
    with pytest.raises(Conflict):
        runs.create(replace(FULL, token=2))

    stored = runs.read(FULL.run)
    assert stored is not None
    assert stored.run.state is RunState.ABANDONED


def test_saving_what_is_already_there_succeeds_as_after_a_lost_answer(objects: ObjectStore) -> None:
    runs = RunStore(objects, TABLE)
    etag = runs.create(FULL)

    assert runs.create(FULL) == etag
    assert runs.save(FULL, "0" * 32) == etag


def test_saving_a_run_whose_document_was_removed_is_a_conflict(objects: ObjectStore) -> None:
    runs = RunStore(objects, TABLE)
    etag = runs.create(FULL)
    objects.delete(runs.key(FULL.run))

    with pytest.raises(Conflict):
        runs.save(replace(FULL, token=2), etag)


BROKEN = [b"", b"[]", b"null", b'{"table": "shop.orders"}', b'{"table": "\xff"}', b'{"x": ' + b"[" * 100_000]


@pytest.mark.parametrize("data", BROKEN)
def test_a_corrupt_run_document_is_reported_by_key_not_taken_for_absent(objects: ObjectStore, data: bytes) -> None:
    runs = RunStore(objects, TABLE)
    objects.put(runs.key(FULL.run), data)

    with pytest.raises(Unreadable) as error:
        runs.read(FULL.run)

    assert error.value.key == runs.key(FULL.run)


def test_a_run_document_under_another_name_is_unreadable(objects: ObjectStore) -> None:
    runs = RunStore(objects, TABLE)
    runs.create(FULL)
    objects.put(runs.key("0" * 18), objects.get(runs.key(FULL.run)).data)

    with pytest.raises(Unreadable, match=FULL.run):
        runs.read("0" * 18)


def test_runs_are_listed_in_order_behind_a_given_one(objects: ObjectStore) -> None:
    runs = RunStore(objects, TABLE)
    made: list[Run] = [new_run(NOON + timedelta(hours=hours)) for hours in range(4)]
    for run in reversed(made):
        runs.create(run)
    for name in ("README.md", ".DS_Store", "zzz.json"):
        objects.put(f"{run_folder(TABLE)}{name}", b"x")
    names = [run.run for run in made]

    assert list(runs.since("")) == names
    assert list(runs.since(names[1])) == names[2:]
    assert list(runs.since(names[3])) == []


def test_a_document_whose_name_is_a_time_beyond_the_calendar_is_no_run(objects: ObjectStore) -> None:
    latest = "e5ffffffffff000000"
    for name in (latest, "f" * 18, "e6" + "f" * 16):
        objects.put(f"{run_folder(TABLE)}{name}.json", b"{}")
    assert list(RunStore(objects, TABLE).since("")) == [latest]
    assert run_started(latest).year == 9983
    assert RunStore(objects, TABLE).read("f" * 18) is None


def test_load_records_are_read_back_oldest_first_from_a_day_on(objects: ObjectStore) -> None:
    loads = LoadRecords(objects, TABLE)
    made = [record(f"load-{days}", NOON + timedelta(days=days), files=2) for days in range(3)]
    for load in made:
        loads.add(load)
    loads.add(record("load-0b"))

    assert list(loads.since(None)) == [made[0], record("load-0b"), *made[1:]]
    assert list(loads.since(date(2025, 8, 15))) == made[1:]
    assert list(loads.since(date(2025, 8, 17))) == []


def test_a_load_recorded_twice_is_one_record(objects: ObjectStore) -> None:
    loads = LoadRecords(objects, TABLE)

    for _ in range(2):
        loads.add(record("load-1"))

    assert list(loads.since(None)) == [record("load-1")]


def test_loads_recorded_at_once_are_all_there(objects: ObjectStore) -> None:
    loads = LoadRecords(objects, TABLE)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda n: loads.add(record(f"load-{n}")), range(8)))

    assert {load.load_id for load in loads.since(None)} == {f"load-{n}" for n in range(8)}


def test_a_load_is_filed_under_the_day_it_ended_in_utc(objects: ObjectStore) -> None:
    LoadRecords(objects, TABLE).add(record("load-1", datetime(2025, 8, 14, 23, 59, tzinfo=UTC)))

    assert [info.key for info in objects.list("watermark/loads/")] == ["watermark/loads/shop.orders/2025-08-14.json"]


@pytest.mark.parametrize("data", [b"", b"[]", b'{"loads": []}', b'{"table": "shop.orders_detail"}', BROKEN[-1]])
def test_corrupt_load_records_are_reported_by_key_and_never_overwritten(objects: ObjectStore, data: bytes) -> None:
    key = "watermark/loads/shop.orders/2025-08-14.json"
    objects.put(key, data)
    loads = LoadRecords(objects, TABLE)

    with pytest.raises(Unreadable) as error:
        list(loads.since(None))
    with pytest.raises(Unreadable):
        loads.add(record("load-1"))

    assert error.value.key == key
    assert objects.get(key).data == data


def test_other_objects_between_load_records_are_no_records(objects: ObjectStore) -> None:
    loads = LoadRecords(objects, TABLE)
    loads.add(record("load-1"))
    for name in ("README.md", ".DS_Store", "2025-08-14.json.bak"):
        objects.put(f"watermark/loads/shop.orders/{name}", b"x")

    assert list(loads.since(None)) == [record("load-1")]


def test_a_file_counts_as_loaded_into_its_target_from_the_first_epoch_to_its_own() -> None:
    records = [record("a", files=2), record("b", epoch=2), record("c", target="orders_copy")]

    assert loaded_files(records, ORDERS, 1) == {"k0": Load("e0", NOON, "b"), "k1": Load("e1", NOON, "a")}
    assert loaded_files(records, ORDERS, 2) == {"k0": Load("e0", NOON, "b")}
    assert loaded_files(records, ORDERS, 3) == {}


def test_only_the_last_load_of_a_key_counts() -> None:
    records = [record("a", version="-v1"), record("b", NOON + timedelta(hours=1), version="-v2")]

    assert loaded_files(records, ORDERS, 1) == {"k0": Load("e0-v2", NOON + timedelta(hours=1), "b")}


def test_a_load_into_another_warehouse_does_not_count_and_one_of_no_warehouse_is_the_default_profile_s() -> None:
    other, nameless = [record("a", warehouse="w2")], [record("a", warehouse=None)]

    for warehouse in ("w1", None):
        assert loaded_files(other, Destination(warehouse, "orders"), 1) == {}
        assert loaded_files(nameless, Destination(warehouse, "orders"), 1) == {"k0": Load("e0", NOON, "a")}
        assert loaded_files(nameless, Destination(warehouse, "orders", unnamed=False), 1) == {}


def test_a_load_recorded_before_warehouses_had_ids_is_read(objects: ObjectStore) -> None:
    file = '{"key": "k0", "uri": "s3://b/a/k0", "etag": "e0", "rows": 10}'
    load = f'{{"load_id": "a", "target": "orders", "epoch": 1, "token": 3, "files": [{file}]'
    times = '"started": "2025-08-14T11:59:00Z", "ended": "2025-08-14T12:00:00Z"}'
    document = f'{{"table": "shop.orders", "version": 1, "loads": [{load}, {times}]}}'
    objects.put("watermark/loads/shop.orders/2025-08-14.json", document.encode())

    assert list(LoadRecords(objects, TABLE).since(None)) == [record("a", warehouse=None)]


def test_a_run_sorts_behind_earlier_ones_also_by_a_slow_clock() -> None:
    first = new_run_id(NOON)
    second = new_run_id(NOON - timedelta(hours=3), first)
    assert second > first
    assert run_started(second) - run_started(first) == timedelta(milliseconds=1)


_READ_AT_ONCE = """
import sys, threading
from pathlib import Path
from tests.clock import HandClock
from tests.files.conftest import TABLE
from wmtui.runs.load_records import LoadRecords
from wmtui.layout import run_folder
from wmtui.runs.run_document import RunStore
from wmtui.objects.directory import DirectoryStore

store = DirectoryStore(Path(sys.argv[1]), HandClock())
together = threading.Barrier(16)
sys.setswitchinterval(1e-5)

def read():
    together.wait()
    assert RunStore(store, TABLE).read(sys.argv[2])
    assert list(LoadRecords(store, TABLE).since(None))

threads = [threading.Thread(target=read) for _ in range(16)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
"""


def test_many_threads_may_be_the_first_of_a_process_to_read_documents(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path, HandClock())
    RunStore(store, TABLE).create(FULL)
    LoadRecords(store, TABLE).add(record("load-1"))
    for _ in range(5):
        subprocess.run([sys.executable, "-c", _READ_AT_ONCE, str(tmp_path), FULL.run], check=True, cwd=ROOT)

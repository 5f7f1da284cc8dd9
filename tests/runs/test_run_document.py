"""Run documents: exact round trips, compare-and-swap, and nothing corrupt taken for absent.

Guards against a retried chunk that counts twice.
"""

import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.clock import NOON, HandClock
from tests.files.conftest import TABLE, new_run
from tests.runs.conftest import BROKEN, CURSOR, FULL, record
from wmtui.errors import Conflict, Unreadable
from wmtui.layout import run_folder
from wmtui.model import Position
from wmtui.objects import ObjectStore
from wmtui.objects.directory import DirectoryStore
from wmtui.runs.load_records import LoadRecords
from wmtui.runs.run_document import Run, RunState, RunStore, StoredRun, new_run_id, run_started

ROOT = Path(__file__).parents[2]


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


@given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(NOON.tzinfo)))
def test_run_names_tell_when_the_run_began_and_sort_by_it(started: datetime) -> None:
    run, next_run = new_run_id(started), new_run_id(started + timedelta(milliseconds=2))

    assert timedelta(0) <= started - run_started(run) < timedelta(milliseconds=2)
    assert run < next_run
    assert len(run) == 18


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

"""What counts as a leftover: by exact key, never somebody else's, never one that may still be loaded.

Guards against a clean-up that deletes files never loaded, or of another table.
"""

import os
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.clock import HandClock
from tests.files.conftest import TABLE, Lake, new_run
from wmtui.errors import Unreadable
from wmtui.files.leftovers import forgotten_objects, leftover_parts, unfinished_writes
from wmtui.layout import part_key
from wmtui.model import TableName
from wmtui.objects import ObjectStore
from wmtui.objects.directory import DirectoryStore
from wmtui.runs.run_document import Run, RunState, RunStore
from wmtui.watermarks.model import Watermark

MARK = Watermark.new(TABLE)


def leftovers(lake: Lake, *loaded: str, mark: Watermark = MARK) -> list[str]:
    return [found.key for found in leftover_parts(lake.objects, mark, loaded, lake.clock())]


def unlisted(lake: Lake, run: Run, number: int, table: TableName = TABLE) -> str:
    """A part that its run does not list."""
    key = part_key(table, run.started, run.run, run.token, number)
    lake.put(key)
    return key


def test_parts_of_an_abandoned_run_are_leftovers_at_once(lake: Lake) -> None:
    run = lake.run(parts=2, state=RunState.ABANDONED)
    extra = unlisted(lake, run, 7)

    assert leftovers(lake) == [*(part.key for part in run.parts), extra]
    (found, *_) = leftover_parts(lake.objects, MARK, (), lake.clock())
    assert found.why == f"run {run.run} was abandoned"
    assert found.size > 0


@pytest.mark.parametrize("state", [RunState.RUNNING, RunState.COMMITTED])
def test_parts_of_a_run_that_may_be_loaded_are_none_however_old(lake: Lake, clock: HandClock, state: RunState) -> None:
    lake.run(parts=2, state=state)
    clock.advance(days=400)

    assert leftovers(lake) == []


@pytest.mark.parametrize("state", [None, RunState.COMMITTED])
def test_a_part_that_no_run_lists_is_a_leftover_after_a_day(
    lake: Lake, clock: HandClock, state: RunState | None
) -> None:
    run = new_run(lake.clock()) if state is None else lake.run()
    key = unlisted(lake, run, 9)
    clock.advance(hours=23, minutes=59)
    assert leftovers(lake) == []

    clock.advance(minutes=1)

    assert leftovers(lake) == [key]


def test_what_the_ledger_knows_is_none(lake: Lake) -> None:
    run = lake.run(parts=2, state=RunState.ABANDONED)

    assert leftovers(lake, run.parts[0].key) == [run.parts[1].key]


def test_the_run_a_watermark_waits_for_is_left_alone(lake: Lake, clock: HandClock) -> None:
    run = lake.run(state=RunState.ABANDONED)
    lost = new_run(lake.clock())
    unlisted(lake, lost, 0)
    clock.advance(days=2)

    assert len(leftovers(lake)) == 2
    assert leftovers(lake, mark=MARK.patched({"pending_extraction": run.run})) == [
        part_key(TABLE, lost.started, lost.run, lost.token, 0)
    ]


def test_files_of_others_are_none(lake: Lake, clock: HandClock) -> None:
    run = lake.run(state=RunState.ABANDONED)
    own = run.parts[0].key
    near = TableName("shop", "orders_2")
    lake.foreign("theirs")
    lake.put(f"{own}.bak")
    lake.put(own.replace(".parquet", "_x.parquet"))
    lake.put("incremental/year=2025/month=08/day=14/shop_orders_20250814_120000_batch_1.parquet")
    unlisted(lake, replace(run, table=str(near)), 0, near)
    clock.advance(days=2)

    assert leftovers(lake) == [own]


def test_a_corrupt_run_document_keeps_its_parts_and_is_reported_by_key(lake: Lake) -> None:
    run = lake.run(state=RunState.ABANDONED)
    key = RunStore(lake.objects, TABLE).key(run.run)
    lake.objects.put(key, b"{")

    with pytest.raises(Unreadable) as error:
        leftovers(lake)

    assert error.value.key == key


def test_a_probe_is_forgotten_after_a_day(lake: Lake, clock: HandClock) -> None:
    lake.objects.put("watermark/probe/a.json", b"1")
    clock.advance(hours=23)
    lake.objects.put("watermark/probe/b.json", b"1")
    assert forgotten_objects(lake.objects) == []

    clock.advance(hours=1)

    assert [found.key for found in forgotten_objects(lake.objects)] == ["watermark/probe/a.json"]


def test_a_manifest_is_forgotten_after_a_day(lake: Lake, clock: HandClock) -> None:
    lake.objects.put("watermark/manifests/load-1.json", b"{}")
    assert forgotten_objects(lake.objects) == []
    clock.advance(days=1, seconds=1)
    assert [found.why for found in forgotten_objects(lake.objects)] == ["a manifest of a load that died"]


def test_a_probe_just_written_is_in_use(objects: ObjectStore) -> None:
    objects.put("watermark/probe/a.json", b"1")

    assert forgotten_objects(objects) == []
    assert unfinished_writes(objects) == []


def test_a_write_that_never_ended_is_forgotten_after_a_day(folder: DirectoryStore, clock: HandClock) -> None:
    folder.put("watermark/x.json", b"1")
    temporary = Path(folder.root) / ".wmtui/temporary/0123"
    temporary.write_bytes(b"half")
    os.utime(temporary, (clock().timestamp(),) * 2)
    clock.advance(hours=23)
    assert unfinished_writes(folder) == []

    clock.advance(hours=1)
    (found,) = unfinished_writes(folder)
    folder.discard(found.key)

    assert (found.key, found.size) == (".wmtui/temporary/0123", 4)
    assert unfinished_writes(folder) == []
    assert folder.get("watermark/x.json").data == b"1"

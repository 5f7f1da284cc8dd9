"""Before an operator moves a watermark, the run that has begun is settled.

Guards against rows lost or doubled because an edit met a run half-way.
"""

import json
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from tests.clock import NOON, HandClock
from tests.files.conftest import TABLE, Lake, new_run
from wmtui.errors import Conflict, LeaseHeld, Unreadable
from wmtui.layout import watermark_key
from wmtui.model import Order, Position, Strategy
from wmtui.runs.run_document import Run, RunState, RunStore
from wmtui.runs.settle import bury, patch_extracted, settle_for_edit
from wmtui.watermarks import lease
from wmtui.watermarks.model import Watermark
from wmtui.watermarks.store import Author, WatermarkStore

ANA = Author("ana", "host-1")


@pytest.fixture
def watermarks(lake: Lake) -> WatermarkStore:
    return WatermarkStore(lake.objects, lake.clock, ANA)


def pending(watermarks: WatermarkStore, run: str) -> Watermark:
    return watermarks.change(TABLE, "run started", lambda _: {"pending_extraction": run, "mysql_status": "in_progress"})


def settle(lake: Lake, watermarks: WatermarkStore, mark: Watermark) -> Watermark:
    settle_for_edit(lake.objects, watermarks, mark, lake.clock())
    return watermarks.read(TABLE).watermark


def stored_run(lake: Lake, run: Run) -> Run:
    stored = RunStore(lake.objects, TABLE).read(run.run)
    assert stored is not None
    return stored.run


def test_a_watermark_without_a_pending_run_is_left_as_it_is(lake: Lake, watermarks: WatermarkStore) -> None:
    mark = watermarks.change(TABLE, "note", lambda _: {"last_error": "x"})

    assert settle(lake, watermarks, mark) == mark


def test_a_committed_runs_position_is_taken_over(lake: Lake, watermarks: WatermarkStore) -> None:
    final = Position(datetime(2025, 8, 9, 20, 0, 1, 500000), (48213377, "x"))
    run = lake.run(parts=3, final=final, strategy=Strategy.INTRA_TABLE)

    fields = settle(lake, watermarks, pending(watermarks, run.run)).fields

    assert fields["last_mysql_data_timestamp"] == "2025-08-09 20:00:01.5"
    assert fields["last_processed_key"] == [48213377, "x"]
    assert fields["last_mysql_extraction_time"] == "2025-08-14T12:00:00Z"
    assert (fields["backup_strategy"], fields["mysql_status"]) == ("intra-table", "success")
    assert (fields["mysql_rows_extracted"], fields["s3_file_count"]) == (30, 3)
    assert (fields["pending_extraction"], fields["extracted_run"]) == (None, run.run)
    assert stored_run(lake, run).state is RunState.COMMITTED
    assert fields["metadata"]["change"]["action"] == "extracted"


def test_the_files_of_a_run_taken_over_wait_for_every_warehouse(lake: Lake, watermarks: WatermarkStore) -> None:
    loaded = {"status": "success", "rows": 5, "accepted_at": "2025-08-01T00:00:00Z"}
    watermarks.change(TABLE, "loaded", lambda _: {"redshift_status": "success", "warehouses": {"w1": loaded, "w2": {}}})

    mark = settle(lake, watermarks, pending(watermarks, lake.run().run))

    assert mark.fields["warehouses"] == {"w1": {**loaded, "status": "pending"}, "w2": {"status": "pending"}}
    assert mark.load_status(None, default=True) == mark.load_status("w1", default=False) == "pending"


def test_what_a_warehouse_had_before_a_run_taken_over_reaches_up_to_where_the_source_had_been_read(
    lake: Lake, clock: HandClock
) -> None:
    watermarks = WatermarkStore(lake.objects, clock, ANA, ZoneInfo("Asia/Tokyo"))
    before = {"last_mysql_data_timestamp": "2025-08-14 18:00:00", "warehouses": {"w1": {"status": "success"}}}
    watermarks.change(TABLE, "loaded", lambda _: before)

    mark = settle(lake, watermarks, pending(watermarks, lake.run().run))

    assert mark.fields["warehouses"] == {"w1": {"status": "pending", "loaded_to": "2025-08-14T09:00:00Z"}}


@pytest.mark.parametrize("state", [RunState.COMMITTED, RunState.RUNNING, None])
def test_a_watermark_whose_document_is_gone_is_settled_for_whoever_decides_about_it(
    lake: Lake, watermarks: WatermarkStore, state: RunState | None
) -> None:
    run = lake.run(state=state) if state else new_run()
    pending(watermarks, run.run)
    lake.objects.delete(watermark_key(TABLE))

    settled = settle(lake, watermarks, watermarks.standing(TABLE))

    assert settled.pending_extraction is None
    assert settled.extracted_run == (run.run if state is RunState.COMMITTED else None)


def test_a_running_run_whose_lease_is_dead_is_abandoned(
    lake: Lake, watermarks: WatermarkStore, clock: HandClock
) -> None:
    run = lake.run(state=RunState.RUNNING)
    held, _ = lease.acquire(lake.objects, clock, ANA, TABLE, run.run)
    mark = pending(watermarks, run.run)
    clock.advance(seconds=61)

    settled = settle(lake, watermarks, mark)

    assert stored_run(lake, run).state is RunState.ABANDONED
    assert stored_run(lake, run).parts == run.parts
    assert settled.pending_extraction is None
    assert settled.position is None
    assert settled.fields["metadata"]["change"]["action"] == "run abandoned"
    held.release()


def test_editing_under_a_live_run_is_refused_and_changes_nothing(
    lake: Lake, watermarks: WatermarkStore, clock: HandClock
) -> None:
    run = lake.run(state=RunState.RUNNING)
    mark = pending(watermarks, run.run)
    held, _ = lease.acquire(lake.objects, clock, ANA, TABLE, run.run)

    with pytest.raises(LeaseHeld, match="ana on host-1"):
        settle_for_edit(lake.objects, watermarks, mark, clock())

    assert watermarks.read(TABLE).watermark == mark
    assert stored_run(lake, run).state is RunState.RUNNING
    held.release()


@pytest.mark.parametrize("state", [None, RunState.ABANDONED])
def test_a_run_without_document_or_given_up_is_forgotten(
    lake: Lake, watermarks: WatermarkStore, state: RunState | None
) -> None:
    run = lake.run(state=state or RunState.RUNNING)
    if state is None:
        lake.objects.delete(RunStore(lake.objects, TABLE).key(run.run))

    settled = settle(lake, watermarks, pending(watermarks, run.run))

    assert (settled.pending_extraction, settled.position) == (None, None)


def test_a_run_that_began_without_document_gets_one_as_abandoned_so_that_its_process_can_never_commit(
    lake: Lake, watermarks: WatermarkStore
) -> None:
    watermarks.change(TABLE, "reset", lambda _: {"fence": 4, "epoch": 3})
    began = new_run()

    settled = settle(lake, watermarks, pending(watermarks, began.run))

    assert settled.pending_extraction is None
    assert stored_run(lake, began) == Run(
        table="shop.orders",
        run=began.run,
        token=4,
        epoch=3,
        started=NOON,
        strategy=Strategy.SEQUENTIAL,
        order=Order.NONE,
        low=None,
        high=NOON.replace(tzinfo=None),
        ranges=(),
        schema=(),
        cursor="",
        primary_key=(),
        state=RunState.ABANDONED,
        timezone="UTC",
    )
    with pytest.raises(Conflict):
        RunStore(lake.objects, TABLE).create(began)


def test_what_no_run_was_ever_called_gets_no_document(lake: Lake) -> None:
    bury(RunStore(lake.objects, TABLE), Watermark.new(TABLE), "somebody wrote this by hand")

    assert list(lake.objects.list("")) == []


def test_taking_a_run_over_clears_the_last_error_and_keeps_the_zone_its_times_are_in(
    lake: Lake, watermarks: WatermarkStore
) -> None:
    watermarks.change(TABLE, "note", lambda _: {"last_error": "it failed", "timezone": "Europe/Berlin"})

    mark = settle(lake, watermarks, pending(watermarks, lake.run(timezone="Asia/Tokyo").run))

    assert mark.fields["last_error"] is None
    assert mark.timezone == "Asia/Tokyo"
    assert "timezone" not in patch_extracted(Watermark.new(TABLE), lake.run(), lake.clock())


@pytest.mark.parametrize("state", [RunState.COMMITTED, RunState.RUNNING, RunState.ABANDONED])
def test_a_watermark_that_changed_since_it_was_seen_is_not_settled_blindly(
    lake: Lake, watermarks: WatermarkStore, state: RunState
) -> None:
    run = lake.run(state=state)
    seen = pending(watermarks, run.run)
    watermarks.change(TABLE, "note", lambda _: {"last_error": "x"})

    with pytest.raises(Conflict):
        settle_for_edit(lake.objects, watermarks, seen, lake.clock())

    assert watermarks.read(TABLE).watermark.pending_extraction == run.run


def test_a_corrupt_run_document_stops_the_edit(lake: Lake, watermarks: WatermarkStore) -> None:
    run = lake.run()
    mark = pending(watermarks, run.run)
    lake.objects.put(RunStore(lake.objects, TABLE).key(run.run), b"{")

    with pytest.raises(Unreadable):
        settle_for_edit(lake.objects, watermarks, mark, lake.clock())

    assert watermarks.read(TABLE).watermark == mark


def test_a_committed_run_without_a_position_is_unreadable(lake: Lake) -> None:
    with pytest.raises(Unreadable, match="without a position"):
        patch_extracted(Watermark.new(TABLE), lake.run(final=None), lake.clock())


def test_the_data_timestamp_has_as_many_digits_as_the_cursor_column(lake: Lake) -> None:
    run = lake.run(final=Position(datetime(2025, 8, 9, 20, 0, 1, 500000)))

    for digits, text in ((0, "2025-08-09 20:00:01"), (3, "2025-08-09 20:00:01.500"), (None, "2025-08-09 20:00:01.5")):
        patch = patch_extracted(Watermark.new(TABLE), run, lake.clock(), digits)
        assert patch["last_mysql_data_timestamp"] == text
        assert patch["last_processed_key"] is None
        assert json.dumps(patch)

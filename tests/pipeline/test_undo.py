"""Going back: no file is loaded twice for it, none is lost, and the run it meets half-way is settled.

Guards against doubles and losses where `undo` crosses a reset, on real servers and embedded.
"""

from collections import Counter

import pytest

from tests.stack import Stack
from wmtui.errors import Conflict, LeaseHeld
from wmtui.pipeline.extract import part_writer, span_reader
from wmtui.runs.run_document import RunState, RunStore
from wmtui.watermarks import lease


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A part every ten rows."""
    monkeypatch.setattr(span_reader, "BATCH_ROWS", 10)
    monkeypatch.setattr(part_writer, "PART_BYTES", 1)


def seed(stack: Stack, count: int = 30, first: int = 1, hours: float = 5) -> None:
    stack.insert(*((i, 1, "seed", stack.ago(hours=hours, minutes=first - i)) for i in range(first, first + count)))


def undo(stack: Stack, to: int | None = None, **options: bool) -> None:
    stack.service.history.undo(stack.table(), to, **options)


def ledger_files(stack: Stack) -> list[str]:
    """The file of every row in the ledger: a file loaded twice is there twice."""
    return [uri for (uri,) in stack.warehouse("SELECT uri FROM wmtui_ledger ORDER BY uri")]


def test_a_reset_taken_back_loads_nothing_again(stack: Stack) -> None:
    seed(stack)
    stack.sync_one()
    loaded, mark = ledger_files(stack), stack.mark()
    stack.service.watermarks.reset(stack.table())
    undo(stack)

    result = stack.sync_one()

    assert (result.rows_extracted, result.files_loaded) == (0, 0)
    assert ledger_files(stack) == loaded
    assert [stack.mark()[name] for name in ("epoch", "last_processed_key")] == [1, mark["last_processed_key"]]


def test_files_loaded_after_a_reset_are_not_loaded_again_when_it_is_taken_back(stack: Stack) -> None:
    seed(stack)
    stack.sync_one()
    serial = stack.mark()["metadata"]["serial"]
    stack.service.watermarks.reset(stack.table())
    seed(stack, first=101, hours=1)
    stack.sync_one()
    loaded = ledger_files(stack)
    undo(stack, serial)
    assert stack.mark()["epoch"] == 1
    assert stack.sync_one(redshift_only=True).files_loaded == 0

    stack.sync_one()

    assert not set(loaded) & set(Counter(ledger_files(stack)) - Counter(loaded))
    assert stack.warehouse_rows() == stack.source_rows()


def test_a_file_carried_over_before_a_reset_is_loaded_when_it_is_taken_back(stack: Stack) -> None:
    stack.turn_back(hours=30)
    seed(stack)
    stack.sync_one(backup_only=True)
    stack.let_pass(hours=15)
    seed(stack, first=101)
    stack.sync_one(backup_only=True)
    stack.let_pass(hours=15)
    stack.service.watermarks.reset(stack.table())
    undo(stack)

    assert stack.sync_one(redshift_only=True).rows_loaded == 60
    assert stack.warehouse_rows() == stack.source_rows()


def test_a_reset_after_one_that_was_taken_back_may_load_everything_again(stack: Stack) -> None:
    seed(stack)
    stack.sync_one()
    serial = stack.mark()["metadata"]["serial"]
    stack.service.watermarks.reset(stack.table())
    stack.sync_one()
    undo(stack, serial)
    stack.warehouse("DELETE FROM orders")

    stack.service.watermarks.reset(stack.table())
    stack.service.watermarks.set(stack.table(), "2020-01-01")
    stack.sync_one(redshift_only=True)

    assert stack.mark()["epoch"] == 3
    assert stack.warehouse_rows() == stack.source_rows()


def test_rows_are_read_again_after_the_point_gone_back_to_and_none_is_doubled(stack: Stack) -> None:
    seed(stack)
    stack.sync_one()
    serial = stack.mark()["metadata"]["serial"]
    seed(stack, first=101, hours=1)
    stack.sync_one()
    undo(stack, serial)

    assert stack.sync_one().rows_extracted >= 30
    assert stack.warehouse_rows() == stack.source_rows()


def test_an_undo_meets_a_run_that_died_and_the_next_sync_reads_everything(stack: Stack) -> None:
    seed(stack, count=100)
    stack.service.watermarks.set(stack.table(), "aug4")
    stack.service.watermarks.reset(stack.table())
    stack.sync(stop_after=2)
    assert stack.mark()["pending_extraction"] is not None

    undo(stack, 1)

    assert stack.mark()["pending_extraction"] is None
    assert stack.mark()["last_mysql_data_timestamp"] == "2025-08-04 00:00:00"
    store = RunStore(stack.service.workspace.objects, stack.table())
    assert [stored.run.state for name in store.since("") if (stored := store.read(name))] == [RunState.ABANDONED]
    stack.sync_one()
    assert stack.warehouse_rows() == stack.source_rows()


def test_taking_the_start_of_a_dead_run_back_leaves_no_run_under_way(stack: Stack) -> None:
    seed(stack, count=100)
    stack.service.watermarks.set(stack.table(), "aug4")
    stack.service.watermarks.reset(stack.table())
    stack.sync(stop_after=2)
    started = stack.mark()["metadata"]["serial"]
    undo(stack, 1)

    undo(stack, started)

    assert (stack.mark()["mysql_status"], stack.mark()["pending_extraction"]) == ("pending", None)


def test_an_undo_under_a_live_run_is_refused(stack: Stack) -> None:
    stack.service.watermarks.set(stack.table(), "aug4")
    workspace = stack.service.workspace
    held, _ = lease.acquire(workspace.objects, workspace.clock, workspace.author, stack.table(), "run-1")

    with pytest.raises(LeaseHeld):
        undo(stack)
    with pytest.raises(LeaseHeld):
        stack.service.pins.pin(stack.table(), reason="x")

    held.release()
    assert stack.mark()["metadata"]["serial"] == 1


def test_an_undo_of_what_was_changed_meanwhile_is_a_conflict(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    table, watermarks = stack.table(), stack.service.workspace.watermarks
    for point in ("aug4", "aug1"):
        stack.service.watermarks.set(table, point)
    prove = watermarks.require_conditions

    def overtaken() -> None:
        monkeypatch.undo()
        prove()
        watermarks.change(table, "set", lambda _: {"last_error": "mine"})

    monkeypatch.setattr(watermarks, "require_conditions", overtaken)

    with pytest.raises(Conflict, match="changed meanwhile"):
        undo(stack)

    assert stack.mark()["last_mysql_data_timestamp"] == "2025-08-01 00:00:00"


def test_a_row_that_was_late_before_a_detour_is_still_read_after_it(embedded: Stack) -> None:
    embedded.insert((1, 1, "read", embedded.ago(seconds=10)))
    late = embedded.ago(seconds=20)
    embedded.sync_one()
    embedded.insert((2, 1, "committed late", late))
    embedded.let_pass(minutes=5)
    serial = embedded.mark()["metadata"]["serial"]
    embedded.service.watermarks.set(embedded.table(), "1m ago")
    embedded.sync_one()
    undo(embedded, serial)

    embedded.sync_one()

    assert embedded.warehouse_rows() == embedded.source_rows()


def test_the_lag_is_that_of_the_position_gone_back_to(embedded: Stack) -> None:
    embedded.insert((1, 1, "read", embedded.ago(seconds=10)))
    embedded.sync_one()
    embedded.let_pass(minutes=5)
    serial = embedded.mark()["metadata"]["serial"]
    embedded.service.watermarks.set(embedded.table(), "1m ago")
    embedded.sync_one()
    undo(embedded, serial)

    watermarks, table = embedded.service.watermarks, embedded.table()
    lag = watermarks.lag(watermarks.get(table), embedded.service.workspace.heartbeat(table))
    assert lag is not None
    assert lag.total_seconds() > 290

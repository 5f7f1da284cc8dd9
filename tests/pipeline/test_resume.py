"""What is left of runs that ended early: counted rightly, continued after it, and no row of an overlap lost."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.pipeline.faults import crash_when_saving
from tests.stack import Stack
from wmtui.errors import ExitCode, SourceError
from wmtui.events import Status
from wmtui.model import Strategy
from wmtui.pipeline.extract import overlap
from wmtui.pipeline.extract.plan import is_overlap
from wmtui.runs.run_document import RunState, RunStore
from wmtui.watermarks.timestamps import to_instant

pytestmark = pytest.mark.usefixtures("small_parts")


def seed(stack: Stack, count: int = 100) -> None:
    stack.insert(*((i, 1, "seed", stack.ago(hours=5, minutes=-i)) for i in range(1, count + 1)))


def break_overlap_after(stack: Stack, patch: pytest.MonkeyPatch, batches: int) -> None:
    """Let the source break its connection after so many batches of the overlap."""

    def broken(read: Any, table: Any, span: Any, *others: Any) -> Iterator[Any]:
        for number, batch in enumerate(read(table, span, *others)):
            if is_overlap(span) and number == batches:
                raise SourceError("lost connection to the source")
            yield batch

    stack.patch_source(patch, "read", broken)


def test_an_unexpected_exception_is_no_success_and_releases_the_lease(
    embedded: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed(embedded, 1)
    embedded.sync_one()
    before = embedded.service.workspace.heartbeat(embedded.table())
    embedded.let_pass(hours=1)

    def defect(*_: object) -> None:
        raise RuntimeError("a defect")

    embedded.patch_source(monkeypatch, "clock", defect)
    (result,) = embedded.sync()
    assert result.error is not None
    assert (result.error.kind, result.exit_code) == ("bug", ExitCode.TABLE_FAILED)
    after = embedded.service.workspace.heartbeat(embedded.table())
    assert not after.held
    assert after.last_success == before.last_success is not None
    assert after.document.last_run is not None
    assert after.document.last_run.outcome == "failed"


def test_an_interrupted_sync_reports_the_rows_it_committed(stack: Stack) -> None:
    seed(stack)
    stack.service.watermarks.set(stack.table(), "2020-01-01")
    (result,) = stack.sync(stop_after=3)
    assert result.status is Status.INTERRUPTED
    assert 0 < result.rows_extracted == stack.mark()["mysql_rows_extracted"] < 100
    assert result.files_written == stack.mark()["s3_file_count"]


def test_how_far_the_source_was_read_is_unknown_after_an_interrupted_run(embedded: Stack) -> None:
    embedded.sync_one()
    embedded.let_pass(hours=1)
    seed(embedded)
    embedded.service.watermarks.set(embedded.table(), "2020-01-01")
    embedded.sync(stop_after=3)
    heartbeat, mark = embedded.service.workspace.heartbeat(embedded.table()), embedded.service.watermarks
    current = mark.get(embedded.table())
    assert heartbeat.extracted_to(current) is None
    assert current.data_timestamp is not None
    reached = to_instant(current.data_timestamp, embedded.service.workspace.zone)
    lag = mark.lag(current, heartbeat)
    assert lag is not None
    assert abs(lag - (embedded.clock() - reached)).total_seconds() < 60


def test_a_run_interrupted_inside_the_overlap_loses_nothing(embedded: Stack) -> None:
    at = embedded.ago(seconds=10)
    embedded.insert((1000, 1, "newest", at), *((i, 1, None, embedded.ago(seconds=40)) for i in range(1, 31)))
    embedded.sync_one()
    embedded.insert(*((i, 1, "late", embedded.ago(seconds=30)) for i in range(101, 141)), (2000, 1, "new", at))
    (result,) = embedded.sync(stop_after=2)
    assert result.status is Status.INTERRUPTED
    assert embedded.mark()["last_processed_key"] == [1000]
    assert 0 < result.rows_extracted < 40
    embedded.sync_one()
    assert embedded.warehouse_rows() == embedded.source_rows()
    assert embedded.sync_one().rows_extracted == 0


def test_a_run_killed_inside_the_overlap_is_resumed_there(embedded: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    embedded.insert((1000, 1, "newest", embedded.ago(seconds=10)))
    embedded.sync_one()
    embedded.insert(*((i, 1, "late", embedded.ago(seconds=30)) for i in range(101, 141)))
    with monkeypatch.context() as patch:
        break_overlap_after(embedded, patch, 2)
        (result,) = embedded.sync()
    assert result.status is Status.FAILED
    embedded.sync_one()
    assert "resuming run" in embedded.log()
    assert embedded.warehouse_rows() == embedded.source_rows()


@pytest.mark.parametrize("saved", [1, 3, 6])
def test_key_ranges_of_an_interrupted_intra_table_run_are_resumed(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, saved: int
) -> None:
    seed(stack)
    options: dict[str, Any] = {"strategy": Strategy.INTRA_TABLE, "workers": 3}
    with monkeypatch.context() as patch:
        crash_when_saving(patch, saved + 1)
        (result,) = stack.sync(**options)
    assert result.status is Status.FAILED
    assert stack.mark()["last_mysql_data_timestamp"] is None
    assert stack.sync_one(**options).rows_extracted == 100
    assert "resuming run" in stack.log()
    assert stack.warehouse_rows() == stack.source_rows()
    assert stack.mark()["last_processed_key"] == [100]


def test_a_resumed_run_keeps_its_ranges_whatever_the_strategy_is_now(
    embedded: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed(embedded)
    with monkeypatch.context() as patch:
        crash_when_saving(patch, 4)
        embedded.sync(strategy=Strategy.INTRA_TABLE, workers=3)
    assert embedded.sync_one().rows_extracted == 100
    store = RunStore(embedded.service.workspace.objects, embedded.table())
    (run,) = [stored.run for name in store.since("") if (stored := store.read(name))]
    assert (run.state, len(run.ranges)) == (RunState.COMMITTED, 3)
    assert embedded.warehouse_rows() == embedded.source_rows()


def test_more_rows_than_are_remembered_are_read_again_and_neither_lost_nor_doubled(
    embedded: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedded.insert(*((i, 1, None, embedded.ago(seconds=30)) for i in range(1, 21)))
    monkeypatch.setattr(overlap, "MOST", 15)
    embedded.sync_one()
    embedded.insert((100, 1, "late", embedded.ago(seconds=40)))
    assert embedded.sync_one().rows_extracted == 21
    assert embedded.warehouse_rows() == embedded.source_rows()


def test_a_dry_run_of_an_interrupted_run_shows_what_is_left_of_it(embedded: Stack) -> None:
    seed(embedded)
    embedded.sync(stop_after=5)
    store = RunStore(embedded.service.workspace.objects, embedded.table())
    ((name, stored),) = [(name, store.read(name)) for name in store.since("")]
    assert stored is not None
    run, before = stored.run, embedded.keys("")
    (preview,) = embedded.preview()
    assert preview.plan is not None
    assert preview.plan.origin == "resuming an interrupted run"
    assert 0 < run.rows < 100
    assert preview.estimate == 100 - run.rows
    assert embedded.keys("") == before
    assert embedded.sync_one().rows_extracted == 100
    assert embedded.mark()["pending_extraction"] is None
    assert name in embedded.log()


def test_a_dry_run_refuses_what_the_run_refuses(embedded: Stack) -> None:
    embedded.reload(orders={"null_cursor": "error"})
    embedded.insert((1, 1, None, None))
    (preview,) = embedded.preview()
    (result,) = embedded.sync()
    assert preview.error is not None
    assert preview.error.failure == result.error
    assert "give every row a update_at" in str(result.error)


@pytest.mark.parametrize("strategy", [Strategy.SEQUENTIAL, Strategy.INTRA_TABLE])
def test_a_run_in_no_order_that_may_stop_half_way_is_not_resumed_with_a_limit(
    embedded: Stack, monkeypatch: pytest.MonkeyPatch, strategy: Strategy
) -> None:
    embedded.insert(*((number, 1, "a", embedded.ago(hours=1, minutes=number)) for number in range(100)))
    with monkeypatch.context() as patch:
        crash_when_saving(patch, 4)
        embedded.sync(strategy=strategy)
    embedded.let_pass(minutes=5)
    (result,) = embedded.sync(limit=5)
    assert result.error is not None
    assert "--limit cannot be kept" in result.error.what
    (preview,) = embedded.preview(limit=5)
    assert preview.error is not None
    assert preview.error.what == result.error.what

    embedded.sync_one()
    assert "resuming run" in embedded.log()
    assert embedded.warehouse_rows() == embedded.source_rows()

"""Runs that end half-way: the durable prefix is committed or resumed, and a failure is a state, never a loss."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.servers import Database
from tests.servers.s3 import S3Server, hang_up, serve_then
from tests.stack import Stack, ago, server_stack
from wmtui.errors import ExitCode, SourceError, StoreError, WarehouseError
from wmtui.events import Status
from wmtui.pipeline.extract import part_writer, run_writer, span_reader
from wmtui.runs.load_records import LoadRecords
from wmtui.runs.run_document import RunState, RunStore
from wmtui.watermarks import lease


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A part every ten rows."""
    monkeypatch.setattr(span_reader, "BATCH_ROWS", 10)
    monkeypatch.setattr(part_writer, "PART_BYTES", 1)


def seed(stack: Stack, count: int = 100, at: datetime | None = None) -> None:
    stack.insert(*((i, 1, "seed", at or ago(hours=5, minutes=-2 * i)) for i in range(1, count + 1)))


def fail_source_after(stack: Stack, monkeypatch: pytest.MonkeyPatch, batches: int) -> None:
    """Let the source break its connection after so many batches, once."""

    def broken(read: Any, *args: Any) -> Iterator[Any]:
        for number, batch in enumerate(read(*args)):
            if number == batches:
                raise SourceError("lost connection to the source")
            yield batch

    stack.patch_source(monkeypatch, "read", broken)


def stop_before_first_part(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sync, and fail when the run has its document and no part."""

    def fail(*_: object) -> None:
        raise StoreError("failed before the first part")

    with monkeypatch.context() as patch:
        patch.setattr(run_writer, "put_part", fail)
        stack.sync()


def runs(stack: Stack) -> list[RunState]:
    store = RunStore(stack.service.workspace.objects, stack.table())
    return [stored.run.state for name in store.since("") if (stored := store.read(name))]


def read_to(stack: Stack) -> datetime | None:
    """Up to which instant the lock document says that the source was read."""
    return lease.read(stack.service.workspace.objects, stack.table()).document.extracted_to


def test_an_interrupted_incremental_run_commits_what_is_durable_and_the_next_continues(stack: Stack) -> None:
    seed(stack)
    stack.service.watermarks.set(stack.table(), "2020-01-01")
    (result,) = stack.sync(stop_after=3)
    assert (result.status, result.exit_code) == (Status.INTERRUPTED, ExitCode.INTERRUPTED)
    assert runs(stack) == [RunState.COMMITTED]
    key = stack.mark()["last_processed_key"][0]
    assert 30 <= key < 100
    assert stack.sync_one().rows_extracted == 100 - key
    assert stack.warehouse_rows() == stack.source_rows()


def test_a_run_that_is_stopped_before_its_first_row_does_not_count_the_source_as_read(stack: Stack) -> None:
    seed(stack)
    stack.sync_one()
    before = read_to(stack)
    stack.insert((101, 1, "new", ago(minutes=30)))

    (result,) = stack.sync(stop_after=0)

    assert (result.status, "no news" in stack.log()) == (Status.INTERRUPTED, False)
    assert read_to(stack) == before
    assert stack.sync_one().rows_extracted == 1


def test_a_run_without_parts_that_is_stopped_again_before_its_first_row_stays_to_be_resumed(
    embedded: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed(embedded, 5)
    embedded.sync_one()
    embedded.insert((6, 1, "new", ago(minutes=30)))
    stop_before_first_part(embedded, monkeypatch)

    (result,) = embedded.sync(stop_after=0, limit=100)

    assert (result.status, "stopped at the limit" in embedded.log()) == (Status.INTERRUPTED, False)
    assert runs(embedded)[-1] is RunState.RUNNING
    assert embedded.mark()["pending_extraction"] is not None
    assert embedded.sync_one().rows_extracted == 1
    assert embedded.warehouse_rows() == embedded.source_rows()


def test_an_interrupted_run_whose_rows_are_gone_is_given_up_and_what_is_new_is_read_by_another(
    embedded: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed(embedded, 5)
    embedded.sync_one()
    embedded.insert((6, 1, "gone", ago(hours=1)))
    stop_before_first_part(embedded, monkeypatch)
    embedded.source(f"DELETE FROM {embedded.table()} WHERE id = 6")
    embedded.let_pass(days=1)
    embedded.insert((7, 1, "new", ago(hours=-10)))

    assert embedded.sync_one().rows_extracted == 1
    assert runs(embedded)[-2:] == [RunState.ABANDONED, RunState.COMMITTED]
    assert embedded.warehouse_rows() == embedded.source_rows()


def test_an_interrupted_first_load_is_resumed_after_its_durable_parts(stack: Stack) -> None:
    seed(stack)
    (result,) = stack.sync(stop_after=3)
    assert result.status is Status.INTERRUPTED
    assert runs(stack) == [RunState.RUNNING]
    assert stack.mark()["last_mysql_data_timestamp"] is None
    assert stack.sync_one().rows_extracted == 100
    assert "resuming run" in stack.log()
    assert runs(stack) == [RunState.COMMITTED]
    assert stack.warehouse_rows() == stack.source_rows()


def test_parts_of_an_uncommitted_run_are_not_eligible_for_loading(stack: Stack) -> None:
    seed(stack)
    stack.sync(stop_after=3)
    assert len(stack.keys()) >= 3
    (result,) = stack.sync(redshift_only=True)
    assert (result.files_loaded, result.exit_code) == (0, ExitCode.DONE)
    assert "of a run that is not committed" in stack.log()


def test_a_source_that_breaks_half_way_leaves_the_position_and_the_next_run_resumes(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed(stack)
    with monkeypatch.context() as patch:
        fail_source_after(stack, patch, 4)
        (result,) = stack.sync()
    assert result.exit_code is ExitCode.UNREACHABLE
    assert stack.mark()["mysql_status"] == "failed"
    assert "lost connection" in stack.mark()["last_error"]
    assert stack.mark()["last_mysql_data_timestamp"] is None
    stack.sync_one()
    assert stack.mark()["last_error"] is None
    assert stack.warehouse_rows() == stack.source_rows()


def test_the_same_failure_again_and_again_is_one_change_of_the_watermark(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed(stack)
    fail_source_after(stack, monkeypatch, 0)
    serials = []
    for _ in range(3):
        stack.sync()
        serials.append(stack.mark()["metadata"]["serial"])
    assert serials == [1, 1, 1]


def test_a_failure_is_over_when_the_next_run_succeeds_although_there_is_no_news(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed(stack, 5)
    stack.sync_one()
    with monkeypatch.context() as patch:

        def down(*_: object) -> None:
            raise SourceError("the source is down")

        stack.patch_source(patch, "clock", down)
        stack.sync()
    assert (stack.mark()["mysql_status"], stack.mark()["last_error"]) == ("failed", "the source is down")
    stack.sync_one()
    assert (stack.mark()["mysql_status"], stack.mark()["last_error"]) == ("success", None)


def test_a_part_whose_answer_was_lost_is_written_once(
    tmp_path: Path, source_db: Database, pg_db: Database, s3: S3Server
) -> None:
    stack = server_stack(tmp_path, source_db, pg_db, s3)
    stack.create()
    seed(stack)
    s3.faults.add(serve_then(hang_up), method="PUT", key=r"_00003\.parquet$")
    assert stack.sync_one().rows_loaded == 100
    assert stack.warehouse_rows() == stack.source_rows()


def test_setting_a_watermark_abandons_a_run_that_was_interrupted(stack: Stack) -> None:
    seed(stack)
    stack.sync(stop_after=3)
    stack.service.watermarks.set(stack.table(), "2020-01-01")
    assert runs(stack) == [RunState.ABANDONED]
    assert stack.sync_one().rows_extracted == 100
    assert stack.warehouse_rows() == stack.source_rows()


def test_a_crash_between_commit_and_watermark_is_made_good_by_the_next_run(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed(stack)
    with monkeypatch.context() as patch:

        def crash(*_: object) -> None:
            raise StoreError("killed before the watermark moved")

        patch.setattr(run_writer.RunWriter, "take_over", crash)
        stack.sync()
    assert runs(stack) == [RunState.COMMITTED]
    assert stack.mark()["last_mysql_data_timestamp"] is None
    assert stack.sync_one().rows_extracted == 0
    assert stack.mark()["last_processed_key"] == [100]
    assert stack.warehouse_rows() == stack.source_rows()


def test_a_load_that_fails_marks_nothing_loaded_and_the_next_loads_it(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed(stack)
    with monkeypatch.context() as patch:

        def refuse(*_: object) -> None:
            raise WarehouseError("the warehouse is down")

        patch.setattr(stack.service.workspace.warehouse, "load", refuse)
        (result,) = stack.sync()
    assert result.exit_code is ExitCode.UNREACHABLE
    assert (stack.mark()["mysql_status"], stack.mark()["redshift_status"]) == ("success", "failed")
    assert stack.sync_one().rows_loaded == 100
    assert stack.mark()["redshift_status"] == "success"


def test_a_crash_between_the_ledger_and_the_load_record_is_made_good_by_the_next_run(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed(stack)
    with monkeypatch.context() as patch:

        def crash(*_: object) -> None:
            raise StoreError("killed before the load was recorded")

        patch.setattr(LoadRecords, "add", crash)
        stack.sync()
    assert stack.warehouse_rows() == stack.source_rows()
    assert stack.service.files.select(stack.table()).summary.selected == 10
    assert stack.sync_one().rows_loaded == 0
    assert stack.service.files.select(stack.table()).summary.selected == 0
    mark = stack.mark()
    assert (mark["redshift_status"], mark["redshift_rows_loaded"]) == ("success", 100)


def test_a_stop_between_staged_files_loads_none_of_them(stack: Stack) -> None:
    seed(stack)
    stack.sync_one(backup_only=True)
    (result,) = stack.sync(redshift_only=True, stop_after=2)
    assert result.status is Status.INTERRUPTED
    assert stack.sync_one(redshift_only=True).files_loaded == len(stack.keys())
    assert stack.warehouse_rows() == stack.source_rows()

"""A store that is not as the runs left it: parts that are gone, parts that no run lists, a store that was lost."""

import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from tests.pipeline.faults import crash_when_saving
from tests.stack import Stack
from wmtui.errors import ExitCode, WarehouseError
from wmtui.files.selection import settled_marks
from wmtui.runs.run_document import RunStore


def runs(stack: Stack) -> list[str]:
    return list(RunStore(stack.service.workspace.objects, stack.table()).since(""))


def settled(stack: Stack) -> str:
    (mark,) = settled_marks(stack.service.workspace.heartbeat(stack.table())).values()
    return str(mark["run"])


def test_a_listed_part_that_is_gone_is_named_with_its_run(embedded: Stack) -> None:
    stack = embedded
    stack.insert((1, 1, None, stack.ago(hours=1)))
    stack.sync_one(backup_only=True)
    (lost,) = stack.keys()
    (run,) = runs(stack)
    stack.service.workspace.objects.delete(lost)
    for _ in range(2):
        stack.insert((len(runs(stack)) + 1, 1, None, stack.ago(minutes=2)))
        (result,) = stack.sync()
        assert result.exit_code is ExitCode.TABLE_FAILED
        assert f"{lost} is gone" in str(result.error)
        assert f"run {run}" in str(result.error)
        assert f"`wmtui watermark set -t {stack.table()} --timestamp" in str(result.error)


def test_a_reset_reads_the_rows_of_a_part_that_is_gone_again(embedded: Stack) -> None:
    embedded.insert((1, 1, None, embedded.ago(hours=1)))
    embedded.sync_one(backup_only=True)
    embedded.service.workspace.objects.delete(embedded.keys()[0])
    embedded.service.watermarks.reset(embedded.table())
    embedded.sync_one()
    assert embedded.warehouse_rows() == embedded.source_rows()


@pytest.mark.parametrize("ahead", [timedelta(0), timedelta(hours=50)])
def test_setting_the_watermark_reads_the_rows_of_a_part_that_is_gone_again(embedded: Stack, ahead: timedelta) -> None:
    stamp = embedded.ago(hours=1)
    embedded.insert((1, 1, None, stamp))
    embedded.clock.advance(ahead)  # The clock of the host whose part is lost.
    embedded.sync_one(backup_only=True)
    embedded.clock.advance(-ahead)
    embedded.service.workspace.objects.delete(embedded.keys()[0])
    embedded.service.watermarks.set(embedded.table(), str(stamp))
    embedded.sync_one()
    assert embedded.warehouse_rows() == embedded.source_rows()


def test_a_part_that_was_loaded_may_be_removed(embedded: Stack) -> None:
    embedded.insert((1, 1, None, embedded.ago(hours=1)))
    embedded.sync_one()
    embedded.service.workspace.objects.delete(embedded.keys()[0])
    embedded.service.watermarks.set(embedded.table(), str(embedded.ago(minutes=30)))
    embedded.insert((2, 1, None, embedded.ago(minutes=2)))
    assert embedded.sync_one().rows_loaded == 1


@pytest.mark.usefixtures("small_parts")
def test_a_part_that_no_run_lists_is_a_leftover_and_holds_nothing_back(
    embedded: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedded.insert(*((i, 1, None, embedded.ago(hours=5, minutes=-i)) for i in range(1, 31)))
    with monkeypatch.context() as patch:
        crash_when_saving(patch, 2)
        embedded.sync()
    embedded.sync_one()
    assert settled(embedded) == runs(embedded)[-1]
    assert embedded.warehouse_rows() == embedded.source_rows()
    embedded.insert((100, 1, None, embedded.ago(minutes=2)))
    embedded.sync_one()
    assert settled(embedded) == runs(embedded)[-1]
    (result,) = embedded.sync(redshift_only=True)
    assert (result.exit_code, result.files_loaded) == (ExitCode.DONE, 0)
    assert "1 file is a leftover of an interrupted upload, in no run's list" in embedded.log()


@pytest.mark.parametrize("lost", ["all of it", "the locks, watermarks and journals"])
def test_a_store_that_was_lost_beside_an_old_warehouse_goes_on(embedded: Stack, tmp_path: Path, lost: str) -> None:
    for number in range(1, 4):
        embedded.insert((number, 1, None, embedded.ago(hours=1)))
        embedded.sync_one()
    known = embedded.service.workspace.heartbeat(embedded.table()).token
    assert known == 3
    for gone in ["."] if lost == "all of it" else ["watermark/tables", "watermark/locks", "watermark/journal"]:
        shutil.rmtree(tmp_path / "lake" / gone)
    (tmp_path / "lake").mkdir(exist_ok=True)
    embedded.reload()
    embedded.insert((9, 1, None, embedded.ago(minutes=2)))
    assert embedded.sync_one().rows_loaded == 4
    token = 1 if lost == "all of it" else known + 1  # Another store counts from one.
    assert embedded.mark()["fence"] == token
    assert embedded.service.workspace.heartbeat(embedded.table()).token == token
    assert "or the store that did was lost" in embedded.log() or "its documents were lost" in embedded.log()
    assert embedded.warehouse_rows() == embedded.source_rows()


def test_a_warehouse_that_does_not_answer_stops_loading_not_extracting(
    embedded: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedded.insert((1, 1, None, embedded.ago(hours=1)))

    def down(*_: object) -> None:
        raise WarehouseError("the warehouse is down")

    with monkeypatch.context() as patch:
        patch.setattr(embedded.service.workspace.warehouse, "loads", down)
        (result,) = embedded.sync()
    assert (result.exit_code, result.rows_extracted) == (ExitCode.UNREACHABLE, 1)
    assert embedded.mark()["redshift_status"] == "failed"
    assert embedded.sync_one().rows_loaded == 1


def test_parts_just_committed_that_a_listing_does_not_show_are_no_success(
    embedded: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedded.insert((1, 1, None, embedded.ago(hours=1)))
    with monkeypatch.context() as patch:
        patch.setattr(type(embedded.service.workspace.objects), "list", lambda *_, **__: iter(()))
        (result,) = embedded.sync()
    assert result.exit_code is ExitCode.UNREACHABLE
    assert "does not list incremental/" in str(result.error)
    embedded.sync_one()
    assert embedded.warehouse_rows() == embedded.source_rows()

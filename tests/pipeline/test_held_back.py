"""Files that no load takes: every door says so, until an operator gives them up."""

import pytest

from tests.pipeline.test_loaded_files import foreign
from tests.stack import Stack
from wmtui.errors import ExitCode, LeaseHeld, UsageError
from wmtui.files.verdicts import VerdictReason, Will
from wmtui.watermarks import lease
from wmtui.watermarks.timestamps import format_wall

OLD = "incremental/shop.orders/year=2025/month=01/day=01/old.parquet"


def left_below_the_floor(stack: Stack) -> None:
    """A part that was extracted and never loaded, then a point set after it, then a full sync."""
    stack.insert(*((n, n, "early", stack.ago(minutes=120 - n)) for n in range(1, 11)))
    stack.sync_one(backup_only=True)
    stack.let_pass(minutes=10)
    stack.insert(*((n, n, "late", stack.ago(minutes=60 - n)) for n in range(11, 21)))
    point = format_wall(stack.ago(minutes=1))
    stack.service.watermarks.set(stack.table(), point)
    stack.insert((30, 30, "news", stack.ago(seconds=30)))


def held_back(stack: Stack) -> tuple[int | None, int | None]:
    """What the list says is waiting, and held back."""
    (look,) = stack.service.overview.looks([stack.table()])
    assert (look.status.state == "held back") == bool(look.status.held_back)
    return look.waiting, look.status.held_back


def test_what_a_full_sync_leaves_below_the_load_floor_is_held_back_at_every_door_until_it_is_written_off(
    embedded: Stack,
) -> None:
    left_below_the_floor(embedded)
    (preview,) = embedded.preview()
    assert preview.selection is not None
    assert (preview.selection.held_back, len(preview.selection.held_back_files)) == (1, 1)

    assert embedded.sync_one().rows_loaded == 1
    assert "1 file is held back" in embedded.log()
    assert held_back(embedded) == (0, 1)
    files = embedded.service.files.select(embedded.table())
    assert files.summary.reasons == {VerdictReason.BEFORE_FLOOR: 1, VerdictReason.LOADED: 1}
    embedded.sync_one(redshift_only=False)
    assert held_back(embedded) == (0, 1)

    done = embedded.service.files.write_off(embedded.table(), reason="loaded by hand")
    assert (done.will, len(done.keys)) == (Will.WRITE_OFF, 1)
    assert held_back(embedded) == (0, 0)
    embedded.sync_one()
    assert "held back" not in embedded.log()
    entry = embedded.service.history.entries(embedded.table())[-1]
    assert (entry.action, done.keys[0] in (entry.reason or "")) == ("files: written off", True)


def test_a_held_back_file_is_loaded_by_its_name(embedded: Stack) -> None:
    left_below_the_floor(embedded)
    embedded.sync_one()
    (key,) = [file.key for file in embedded.service.files.select(embedded.table()).held_back_files]

    assert embedded.sync_one(redshift_only=True, reprocess=True, keys=(key,)).rows_loaded == 10
    assert held_back(embedded) == (0, 0)


def test_a_file_in_an_old_days_folder_is_loaded_by_the_sync_that_its_preview_promised(embedded: Stack) -> None:
    embedded.insert((1, 1, "row", embedded.ago(minutes=30)))
    embedded.sync_one()
    foreign(embedded, (2, "corrected"), key=OLD)
    (preview,) = embedded.preview(redshift_only=True)
    assert preview.selection is not None
    assert [file.key for file in preview.selection.selected] == [OLD]
    assert embedded.sync_one(redshift_only=True).files_loaded == 1


def test_unattended_runs_list_all_days_every_eight_hours_and_until_then_say_how_old_their_view_is(
    embedded: Stack,
) -> None:
    embedded.insert((1, 1, "row", embedded.ago(minutes=30)))
    embedded.sync_one()
    foreign(embedded, (2, "corrected"), key=OLD)
    (result,) = embedded.run()
    assert result.files_loaded == 0
    embedded.let_pass(hours=8)
    (result,) = embedded.run()
    assert result.files_loaded == 1


def test_a_skipped_file_is_not_loaded_until_that_is_taken_back(embedded: Stack) -> None:
    foreign(embedded, (1, "test export"), key=OLD)
    table, files = embedded.table(), embedded.service.files
    files.skip(table, [OLD], reason="a test export")
    assert embedded.sync_one(redshift_only=True).files_loaded == 0
    assert files.select(table).summary.reasons == {VerdictReason.SKIPPED: 1}

    files.unskip(table, [OLD], reason="it was none")
    assert embedded.sync_one(redshift_only=True).files_loaded == 1
    with pytest.raises(UsageError, match="is loaded"):
        files.skip(table, [OLD], reason="too late")


def test_a_skipped_file_that_changes_is_another_one(embedded: Stack) -> None:
    foreign(embedded, (1, "bad"), key=OLD)
    embedded.service.files.skip(embedded.table(), [OLD], reason="bad rows")
    foreign(embedded, (1, "good"), key=OLD)
    assert embedded.sync_one(redshift_only=True).files_loaded == 1


def test_deciding_needs_a_reason_a_file_and_a_table_that_no_run_holds(embedded: Stack) -> None:
    foreign(embedded, (1, "row"), key=OLD)
    table, files = embedded.table(), embedded.service.files
    with pytest.raises(UsageError, match="why"):
        files.skip(table, [OLD], reason=" ")
    with pytest.raises(UsageError, match="no file"):
        files.skip(table, ["incremental/shop.orders/other.parquet"], reason="x")
    with pytest.raises(UsageError, match="not held back"):
        files.write_off(table, [OLD], reason="x")
    with pytest.raises(UsageError, match="nothing was decided"):
        files.unskip(table, [OLD], reason="x")
    workspace = embedded.service.workspace
    held, _ = lease.acquire(workspace.objects, workspace.clock, workspace.author, table, "0198a4f3c0001a2b3c")
    with pytest.raises(LeaseHeld):
        files.skip(table, [OLD], reason="x")
    held.release()
    assert files.select(table).summary.selected == 1


def test_rows_of_a_part_that_is_gone_are_given_up_by_its_name(embedded: Stack) -> None:
    embedded.insert((1, 1, "row", embedded.ago(minutes=30)))
    embedded.sync_one(backup_only=True)
    (key,) = embedded.keys()
    embedded.service.workspace.objects.delete(key)
    (result,) = embedded.sync(redshift_only=True)
    assert f"--write-off --key {key}" in str(result.error)

    embedded.service.files.write_off(embedded.table(), [key], reason="there is no copy")
    embedded.insert((2, 2, "row", embedded.ago(minutes=5)))
    assert embedded.sync_one().rows_loaded == 1


def test_a_part_that_was_moved_is_named_where_it_lies(embedded: Stack) -> None:
    embedded.insert((1, 1, "row", embedded.ago(minutes=30)))
    embedded.sync_one(backup_only=True)
    (key,) = embedded.keys()
    objects = embedded.service.workspace.objects
    moved = key.replace("incremental/shop.orders/", "incremental/shop.orders/backup/")
    objects.put(moved, objects.get(key).data)
    objects.delete(key)
    (result,) = embedded.sync(redshift_only=True)
    assert result.exit_code is ExitCode.TABLE_FAILED
    assert f"move {moved} back" in str(result.error)


def test_rows_of_a_writers_aborted_attempt_are_not_loaded(embedded: Stack) -> None:
    foreign(embedded, (1, "aborted"), key="incremental/shop.orders/_temporary/0/attempt_1/part-0.parquet")
    foreign(embedded, (1, "done"), key="incremental/shop.orders/part-0.parquet")
    assert embedded.sync_one(redshift_only=True).files_loaded == 1
    assert [row[2] for row in embedded.warehouse_rows()] == ["done"]

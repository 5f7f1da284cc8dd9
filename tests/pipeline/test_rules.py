"""The rules an operator relies on: what a manual watermark, a reset and a preview mean for the next sync."""

from datetime import timedelta

import pytest

from tests.stack import Stack, ago
from wmtui.errors import ExitCode, LeaseHeld
from wmtui.events import Status
from wmtui.model import Position
from wmtui.watermarks import lease

LATER = {"last_mysql_data_timestamp": str(ago(hours=-1))}
"""A data timestamp after every file."""


def seed(stack: Stack, count: int = 10) -> None:
    stack.insert(*((i, 1, "seed", ago(hours=5, seconds=-i)) for i in range(1, count + 1)))


def test_setting_a_watermark_reloads_nothing_that_was_loaded(stack: Stack) -> None:
    seed(stack)
    stack.sync_one()
    stack.service.watermarks.set(stack.table(), "2020-01-01")
    (result,) = stack.sync(redshift_only=True)
    assert (result.files_loaded, result.exit_code) == (0, ExitCode.DONE)
    assert "1 file was loaded before; `--reprocess` loads them again" in stack.log()


def test_a_reset_opens_an_epoch_in_which_old_files_may_be_loaded_again(stack: Stack) -> None:
    seed(stack)
    stack.sync_one()
    stack.service.watermarks.reset(stack.table())
    stack.service.watermarks.set(stack.table(), "2020-01-01")
    assert stack.mark()["epoch"] == 2
    assert stack.sync_one(redshift_only=True).files_loaded == 1
    assert stack.mark()["backup_strategy"] == "manual_cli"
    assert stack.warehouse_rows() == stack.source_rows()


def test_a_manual_watermark_is_included_itself_when_extracting(stack: Stack) -> None:
    point = ago(hours=4)
    stack.insert((1, 1, None, point - timedelta(seconds=1)), (2, 1, None, point), (3, 1, None, ago(hours=3)))
    stack.service.watermarks.set(stack.table(), str(point))
    assert stack.sync_one().rows_extracted == 2
    assert [row[0] for row in stack.warehouse_rows()] == [2, 3]


def test_a_full_sync_makes_a_manual_watermark_automated_and_keeps_excluded_parts_out(stack: Stack) -> None:
    seed(stack)
    stack.sync_one(backup_only=True)
    stack.service.watermarks.set(stack.table(), "-0s")
    stack.insert((50, 1, "fresh", ago(seconds=6)))
    stack.service.watermarks.set(stack.table(), str(ago(seconds=7)))
    before = len(stack.keys())
    floor = stack.mark()["load_floor"]
    result = stack.sync_one()
    assert (result.rows_extracted, len(stack.keys()) - before) == (1, 1)
    assert stack.mark()["backup_strategy"] == "sequential"
    assert stack.mark()["load_floor"] == floor
    assert result.files_loaded >= 1


def test_a_full_sync_without_rows_leaves_a_manual_watermark_manual(stack: Stack) -> None:
    seed(stack)
    stack.service.watermarks.set(stack.table(), "-1h")
    assert stack.sync_one().rows_extracted == 0
    assert stack.mark()["backup_strategy"] == "manual_cli"


def test_a_run_over_all_tables_only_loads_manual_ones_and_says_so(stack: Stack) -> None:
    stack.create("items")
    stack.reload(items={"manual_in_run": "sync"})
    seed(stack)
    stack.insert((1, 1, None, ago(hours=3)), name="items")
    for name in ("orders", "items"):
        stack.service.watermarks.set(stack.table(name), "2020-01-01")
    results = {r.table: r.rows_extracted for r in stack.run()}
    assert results == {str(stack.table("orders")): 0, str(stack.table("items")): 1}
    assert "its watermark is manual: only loading" in stack.log()
    assert stack.mark("orders")["backup_strategy"] == "manual_cli"


def test_nothing_selected_names_the_point_that_lets_files_in_and_following_it_loads_them(stack: Stack) -> None:
    seed(stack)
    stack.sync_one(backup_only=True)
    stack.service.watermarks.set(stack.table(), "-0s")
    stack.service.workspace.watermarks.change(stack.table(), "test", lambda _: LATER)
    (result,) = stack.sync(redshift_only=True)
    assert (result.status, result.exit_code) == (Status.NOTHING_SELECTED, ExitCode.NOTHING_SELECTED)
    assert "Found 1 files, filtered to 0 files for loading" in stack.log()
    hint = next(line for line in stack.log().splitlines() if "enters if you set " in line)
    point = hint.rpartition("if you set ")[2]
    changed = stack.service.watermarks.set(stack.table(), point)
    assert changed.selection.summary.selected == 1
    assert stack.sync_one(redshift_only=True).files_loaded == 1


def test_a_table_without_watermark_starts_from_the_system_watermark(stack: Stack) -> None:
    stack.insert((1, 1, None, ago(hours=5)), (2, 1, None, ago(hours=3)))
    stack.service.watermarks.set_system("4h ago", force=True)
    assert stack.sync_one().rows_extracted == 1
    assert [row[0] for row in stack.warehouse_rows()] == [2]


def test_a_preview_selects_exactly_what_the_run_then_loads(stack: Stack) -> None:
    seed(stack)
    stack.sync_one(backup_only=True)
    stack.service.watermarks.set(stack.table(), "2020-01-01")
    (preview,) = stack.preview(redshift_only=True)
    before = (stack.mark(), stack.keys(""))
    assert preview.selection is not None
    expected = [file.key for file in preview.selection.selected]
    assert (stack.mark(), stack.keys("")) == before
    assert stack.sync_one(redshift_only=True).files_loaded == len(expected) == 1


def test_a_preview_of_a_full_sync_shows_window_and_rows_and_touches_nothing(stack: Stack) -> None:
    seed(stack)
    before = stack.keys("")
    (preview,) = stack.preview()
    assert preview.error is None
    assert preview.plan is not None
    assert (preview.plan.low, preview.estimate) == (None, 10)
    assert stack.keys("") == before


def test_a_live_run_of_another_process_refuses_syncs_and_edits(stack: Stack) -> None:
    workspace = stack.service.workspace
    held, _ = lease.acquire(workspace.objects, workspace.clock, workspace.author, stack.table(), "other-run")
    try:
        (result,) = stack.sync()
        assert result.exit_code is ExitCode.CONFLICT
        assert "other-run" in str(result.error)
        with pytest.raises(LeaseHeld):
            stack.service.watermarks.set(stack.table(), "2020-01-01")
    finally:
        held.release()
    assert stack.sync_one().rows_extracted == 0


def test_tables_whose_names_begin_alike_never_load_each_others_files(stack: Stack) -> None:
    for name in ("orders_detail", "orders_1", "orders_10"):
        stack.create(name)
        stack.insert((1, 1, name, ago(hours=3)), name=name)
    stack.reload(orders_detail={}, orders_1={}, orders_10={})
    seed(stack, 3)
    stack.sync("orders", "orders_detail", "orders_1", "orders_10")
    assert len(stack.warehouse_rows("orders")) == 3
    assert stack.warehouse_rows("orders_1") == stack.source_rows("orders_1")
    assert stack.warehouse_rows("orders_10") == stack.source_rows("orders_10")


def test_a_key_column_that_is_not_unique_is_refused_before_anything_is_read(stack: Stack) -> None:
    seed(stack)
    stack.reload(orders={"primary_key": ["amount"]})
    (result,) = stack.sync()
    assert result.exit_code is ExitCode.CONFIG
    assert stack.keys() == []


def test_an_empty_target_with_a_full_ledger_is_refused_until_reprocess_fills_it(stack: Stack) -> None:
    seed(stack)
    stack.sync_one()
    stack.warehouse("DELETE FROM orders")
    stack.insert((99, 1, "news", stack.ago(minutes=1)))
    for _ in range(2):
        (result,) = stack.sync()
        assert result.exit_code == 1
        assert "is empty, although 1 files were loaded into it" in str(result.error)
        assert stack.warehouse_rows() == []
    assert stack.sync_one(redshift_only=True, reprocess=True).rows_loaded == 11
    assert stack.warehouse_rows() == stack.source_rows()


def test_the_position_is_a_cursor_and_a_key(stack: Stack) -> None:
    seed(stack)
    stack.sync_one()
    assert stack.service.watermarks.get(stack.table()).position == Position(stack.source_rows()[-1][3], (10,))

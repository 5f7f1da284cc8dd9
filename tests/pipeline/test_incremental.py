"""Incremental syncs: what is new moves, nothing else does, and nothing is lost or doubled on the way."""

from pathlib import Path

import pytest

from tests.stack import Stack, ago, embedded_stack
from wmtui.errors import ExitCode
from wmtui.model import Strategy


def test_a_first_sync_brings_every_row(stack: Stack) -> None:
    stack.insert(*((i, i / 4, f"note {i}", ago(hours=3, minutes=-i)) for i in range(1, 101)))
    result = stack.sync_one()
    assert (result.rows_extracted, result.rows_loaded, result.files_written, result.files_loaded) == (100, 100, 1, 1)
    assert stack.warehouse_rows() == stack.source_rows()
    assert stack.mark()["mysql_status"] == stack.mark()["redshift_status"] == "success"
    assert stack.mark()["last_processed_key"] == [100]


def test_a_run_without_news_changes_no_watermark_and_writes_no_file(stack: Stack) -> None:
    stack.insert(*((i, 1, None, ago(seconds=70 - i)) for i in range(1, 51)))
    stack.sync_one()
    before, keys = stack.mark(), stack.keys()
    result = stack.sync_one()
    assert (result.rows_extracted, result.rows_loaded) == (0, 0)
    assert stack.mark() == before
    assert stack.keys() == keys


def test_a_second_sync_moves_only_inserts_and_updates_and_an_update_replaces_its_row(stack: Stack) -> None:
    stack.insert(*((i, 1, "old", ago(hours=2, seconds=-i)) for i in range(1, 51)))
    stack.sync_one()
    stack.insert((51, 2, "new", ago(minutes=5)))
    stack.source(f"UPDATE {stack.schema}.orders SET note = 'changed', update_at = '{ago(minutes=4)}' WHERE id = 7")
    result = stack.sync_one()
    assert (result.rows_extracted, result.rows_loaded) == (2, 2)
    assert stack.warehouse_rows() == stack.source_rows()


def test_rows_that_share_the_cursor_of_the_last_row_are_neither_lost_nor_doubled(stack: Stack) -> None:
    same = ago(minutes=30)
    stack.insert(*((i, 1, "first", same) for i in range(1, 11)))
    stack.sync_one()
    stack.insert(*((i, 1, "second", same) for i in range(11, 21)))
    stack.source(f"UPDATE {stack.schema}.orders SET note = 'again' WHERE id = 10")
    result = stack.sync_one()
    assert result.rows_extracted == 10
    assert [row[0] for row in stack.warehouse_rows()] == list(range(1, 21))


def test_rows_that_share_a_cursor_past_a_limit_are_read_by_the_next_runs(stack: Stack) -> None:
    same = ago(hours=1)
    stack.insert(*((i, 1, None, same) for i in range(1, 26)))
    stack.service.watermarks.set(stack.table(), "2020-01-01")
    counts = [stack.sync_one(limit=10).rows_extracted for _ in range(4)]
    assert counts == [10, 10, 5, 0]
    assert [row[0] for row in stack.warehouse_rows()] == list(range(1, 26))


def test_a_row_committed_late_below_the_watermark_is_still_brought(stack: Stack) -> None:
    stack.insert(*((i, 1, None, ago(seconds=40)) for i in range(1, 6)))
    stack.sync_one()
    stack.insert((100, 9, "late", ago(seconds=55)))
    result = stack.sync_one()
    assert result.rows_extracted == 1
    assert stack.warehouse_rows() == stack.source_rows()
    assert stack.sync_one().rows_extracted == 0


def test_the_watermark_is_the_last_row_written_not_the_newest_of_the_table(stack: Stack) -> None:
    written = ago(hours=1)
    stack.insert((1, 1, "old", written), (2, 1, "not yet due", ago(seconds=-3600)))
    stack.sync_one()
    assert stack.mark()["last_mysql_data_timestamp"].startswith(str(written))
    assert [row[0] for row in stack.warehouse_rows()] == [1]


def test_an_old_version_loaded_late_never_replaces_a_newer_row(stack: Stack) -> None:
    stack.insert((1, 1, "old", ago(hours=2)))
    stack.sync_one(backup_only=True)
    old = stack.keys()
    stack.source(f"UPDATE {stack.schema}.orders SET note = 'new', update_at = '{ago(hours=1)}' WHERE id = 1")
    stack.sync_one()
    assert len(stack.keys()) == len(old) + 1
    stack.sync_one(redshift_only=True, reprocess=True, keys=tuple(old))
    assert stack.warehouse_rows() == stack.source_rows()


def test_rows_without_cursor_are_counted_and_reported_never_read(stack: Stack) -> None:
    stack.source(f"CREATE INDEX by_update_at ON {stack.schema}.orders (update_at)")
    stack.insert((1, 1, None, ago(hours=1)), (2, 1, None, None), (3, 1, None, None))
    assert stack.sync_one().rows_extracted == 1
    assert "2 rows have no update_at" in stack.log()
    stack.reload(orders={"null_cursor": "error"})
    (result,) = stack.sync()
    assert result.exit_code is ExitCode.TABLE_FAILED
    assert "give every row" in str(result.error)


def test_a_table_without_primary_key_is_appended_and_moves_only_what_is_new(stack: Stack) -> None:
    stack.create("events", key="")
    stack.reload(events={"primary_key": []})
    stack.insert((1, 1, None, ago(hours=2)), (1, 1, None, ago(hours=2)), name="events")
    assert stack.sync_one("events").rows_extracted == 2
    stack.insert((1, 1, "third", ago(hours=1)), name="events")
    assert stack.sync_one("events").rows_loaded == 1
    assert stack.warehouse_rows("events") == stack.source_rows("events")


@pytest.mark.parametrize("strategy", list(Strategy))
def test_every_strategy_brings_the_same_rows_and_is_recorded(stack: Stack, strategy: Strategy) -> None:
    stack.create("items")
    stack.reload(items={})
    for name in ("orders", "items"):
        stack.insert(*((i * 3, i, f"{name} {i}", ago(hours=5, seconds=-(i % 7))) for i in range(1, 201)), name=name)
    stack.sync("orders", "items", strategy=strategy, workers=3)
    stack.insert(*((i * 3 + 1, i, "more", ago(hours=1, seconds=-(i % 3))) for i in range(1, 101)))
    stack.source(
        f"UPDATE {stack.schema}.orders SET note = 'u', update_at = '{ago(minutes=9)}' WHERE id IN (3, 300, 600)"
    )
    results = stack.sync("orders", "items", strategy=strategy, workers=3)
    assert [r.rows_extracted for r in results] == [103, 0]
    for name in ("orders", "items"):
        assert stack.warehouse_rows(name) == stack.source_rows(name)
        assert stack.mark(name)["backup_strategy"] == strategy.value


def test_intra_table_ranges_cover_every_row_once(stack: Stack) -> None:
    stack.insert(*((i, 1, None, ago(hours=2)) for i in range(-50, 151)))
    result = stack.sync_one(strategy=Strategy.INTRA_TABLE, workers=4)
    assert result.rows_extracted == 201
    assert result.files_written > 1
    assert stack.warehouse_rows() == stack.source_rows()


def test_counts_are_those_of_the_last_run_and_load(stack: Stack) -> None:
    stack.insert(*((i, 1, None, ago(hours=2)) for i in range(1, 31)))
    stack.sync_one(backup_only=True)
    stack.insert(*((i, 1, None, ago(hours=1)) for i in range(31, 36)))
    stack.sync_one()
    mark = stack.mark()
    assert (mark["mysql_rows_extracted"], mark["redshift_rows_loaded"], mark["s3_file_count"]) == (5, 35, 1)


def test_parts_that_no_load_has_seen_are_loaded_long_after_their_session(tmp_path: Path) -> None:
    stack = embedded_stack(tmp_path)
    stack.create()
    stack.insert((1, 1, "first", ago(hours=1)))
    stack.sync_one(backup_only=True)
    stack.let_pass(days=3)
    for _ in range(2):
        stack.sync_one(backup_only=True)
    stack.insert((2, 1, "second", stack.ago(minutes=5)))
    result = stack.sync_one()
    assert (result.rows_extracted, result.files_loaded) == (1, 2)
    assert [row[0] for row in stack.warehouse_rows()] == [1, 2]


def test_a_settled_history_is_not_listed_again_within_hours(tmp_path: Path) -> None:
    stack = embedded_stack(tmp_path)
    stack.create()
    for day in range(1, 4):
        stack.insert((day, 1, None, stack.ago(minutes=5)))
        stack.sync_one()
        stack.let_pass(days=5)
    stack.sync_one()
    assert "Found 3 files, filtered to 0 files for loading" in stack.log()
    stack.insert((9, 1, None, stack.ago(minutes=5)))
    stack.sync_one()
    assert "Found 1 files, filtered to 1 files for loading" in stack.log()


def test_a_part_written_in_the_very_second_of_a_set_is_loaded_by_that_sync(tmp_path: Path) -> None:
    stack = embedded_stack(tmp_path)
    stack.clock.stand_still(microsecond=400_000)
    stack.create()
    stack.reload(orders={"lag": "0s"})
    stack.insert((1, 1, None, stack.ago(seconds=0)))
    stack.service.watermarks.set(stack.table(), str(stack.ago(seconds=0)))
    assert stack.sync_one().rows_loaded == 1

"""Incremental syncs: what is new moves, nothing else does, and nothing is lost or doubled on the way."""

from tests.stack import Stack, ago


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

"""Files that are corrected, encrypted again, expired or lost after they were loaded, or before."""

import io
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.stack import Stack
from wmtui.errors import ExitCode
from wmtui.files.verdicts import VerdictReason

FOREIGN = "incremental/shop.orders/corrections.parquet"


def foreign(stack: Stack, *rows: tuple[int, str], key: str = FOREIGN) -> None:
    """A file of another writer."""
    at = stack.ago(minutes=30)
    values = [{"id": number, "amount": None, "note": note, "update_at": at} for number, note in rows]
    schema = pa.schema(
        [("id", pa.int64()), ("amount", pa.decimal128(10, 2)), ("note", pa.string()), ("update_at", pa.timestamp("us"))]
    )
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(values, schema), sink)
    stack.service.workspace.objects.put(key, sink.getvalue())


def notes(stack: Stack) -> list[Any]:
    return [row[2] for row in stack.warehouse_rows()]


def seed(stack: Stack) -> None:
    stack.insert(*((n, n, "row", stack.ago(minutes=60 - n)) for n in range(1, 11)))


def encrypt_again(stack: Stack) -> None:
    """Every file gets another ETag and keeps its content: encrypted with another key, or copied in pieces."""
    for info in list(stack.service.workspace.objects.list("incremental/")):
        path = Path(stack.service.workspace.objects.uri(""), info.key)
        data = path.read_bytes()
        path.unlink()
        path.write_bytes(data)


def test_a_loaded_part_whose_etag_changed_blocks_nothing_and_is_not_loaded_again(embedded: Stack) -> None:
    seed(embedded)
    embedded.sync_one()
    encrypt_again(embedded)
    embedded.insert((11, 11, "news", embedded.ago(minutes=5)))
    assert embedded.sync_one().rows_loaded == 1
    assert embedded.warehouse_rows() == embedded.source_rows()


def test_a_waiting_part_whose_etag_alone_changed_is_loaded(embedded: Stack) -> None:
    seed(embedded)
    embedded.sync_one(backup_only=True)
    encrypt_again(embedded)
    assert embedded.sync_one().rows_loaded == 10
    assert embedded.warehouse_rows() == embedded.source_rows()


def test_a_corrected_file_is_loaded_over_its_rows_each_time_it_changes(embedded: Stack) -> None:
    for note in ("v1", "v2", "v1"):
        foreign(embedded, (1, note))
        embedded.sync_one(redshift_only=True)
        assert notes(embedded) == [note]
        assert embedded.sync_one(redshift_only=True).files_loaded == 0


def test_a_corrected_file_of_a_table_without_key_is_held_back_by_name(embedded: Stack) -> None:
    embedded.source("DROP TABLE shop.orders")
    embedded.create(key="")
    embedded.reload(orders={"primary_key": []})
    foreign(embedded, (1, "v1"))
    embedded.sync_one(redshift_only=True)
    foreign(embedded, (1, "v2"))
    (result,) = embedded.sync(redshift_only=True)
    assert result.exit_code is ExitCode.NOTHING_SELECTED
    (verdict,) = embedded.service.files.select(embedded.table()).verdicts
    assert verdict.reason is VerdictReason.CHANGED
    assert notes(embedded) == ["v1"]
    embedded.sync_one(redshift_only=True, reprocess=True, keys=(FOREIGN,), force=True)
    assert sorted(notes(embedded)) == ["v1", "v2"]


def test_a_loaded_file_that_is_gone_is_named_before_files_are_loaded_again(embedded: Stack) -> None:
    seed(embedded)
    embedded.sync_one()
    embedded.insert((11, 11, "news", embedded.ago(minutes=5)))
    embedded.sync_one()
    embedded.service.workspace.objects.delete(embedded.keys()[0])
    embedded.warehouse("DELETE FROM orders")
    for _ in range(2):
        (result,) = embedded.sync(redshift_only=True, reprocess=True)
        assert result.exit_code is ExitCode.TABLE_FAILED
        assert "1 of 2 loaded files are gone: 10 rows" in str(result.error)
        assert "wmtui watermark reset" in str(result.error)
    embedded.service.watermarks.reset(embedded.table())
    embedded.sync_one()
    assert embedded.warehouse_rows() == embedded.source_rows()


@pytest.mark.parametrize("later_rows", [False, True])
def test_a_set_before_a_part_that_is_gone_reads_its_rows_again_and_blocks_nothing(
    embedded: Stack, later_rows: bool
) -> None:
    seed(embedded)
    embedded.sync_one(backup_only=True)
    embedded.service.workspace.objects.delete(embedded.keys()[0])
    assert "is gone" in str(embedded.sync()[0].error)
    embedded.service.watermarks.set(embedded.table(), str(embedded.ago(minutes=60)))
    if later_rows:
        embedded.insert((11, 11, "news", embedded.ago(minutes=5)))
    embedded.sync_one()
    assert embedded.warehouse_rows() == embedded.source_rows()
    embedded.insert((12, 12, "news", embedded.ago(minutes=2)))
    embedded.sync_one()
    assert embedded.warehouse_rows() == embedded.source_rows()

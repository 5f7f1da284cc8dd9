"""Rows of a DuckDB file as Arrow record batches in the pinned schema, every value exact."""

from collections.abc import Iterator, Mapping
from contextlib import nullcontext, suppress
from datetime import date

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from wmtui.errors import UnsupportedValue
from wmtui.model import KeyValue
from wmtui.sources.base import SourceTable
from wmtui.sources.keys import key_of

_SCANNING_MEMORY = "SET memory_limit = '64MB'"
_PER_DAY = {"s": 86_400, "ms": 86_400_000, "us": 86_400_000_000}
_FIRST_DAY = (date.min - date(1970, 1, 1)).days
_END_DAY = (date.max - date(1970, 1, 1)).days + 1


def record_batches(
    connection: duckdb.DuckDBPyConnection,
    table: SourceTable,
    sql: str,
    values: Mapping[str, KeyValue],
    batch_rows: int,
) -> Iterator[pa.RecordBatch]:
    """Stream a query's rows. Raises UnsupportedValue for a value that has no exact counterpart."""
    for batch in connection.sql(sql, params=dict(values)).to_arrow_reader(batch_rows):
        for start in range(0, batch.num_rows, batch_rows):
            yield _pinned(batch.slice(start, batch_rows), table)


def scan_batches(
    connection: duckdb.DuckDBPyConnection,
    table: SourceTable,
    sql: str,
    values: Mapping[str, KeyValue],
    batch_rows: int,
) -> Iterator[pa.RecordBatch]:
    """Stream the rows of a query in no order, in little memory, unless rows are so long that DuckDB, which reads 2,048
    at once, needs more.
    """
    rows = 0
    for limit in (_SCANNING_MEMORY, "RESET memory_limit"):
        connection.execute(limit)
        with suppress(duckdb.OutOfMemoryException) if limit == _SCANNING_MEMORY else nullcontext():
            for batch in record_batches(connection, table, f"{sql} OFFSET {rows}", values, batch_rows):
                rows += batch.num_rows
                yield batch
            return


def _pinned(batch: pa.RecordBatch, table: SourceTable) -> pa.RecordBatch:
    for column, field in zip(batch.columns, table.schema, strict=True):
        if pa.types.is_temporal(field.type):
            _check_calendar(batch, column, field.name, table)
    columns = [column.cast(field.type) for column, field in zip(batch.columns, table.schema, strict=True)]
    return pa.RecordBatch.from_arrays(columns, schema=table.schema)


def _check_calendar(batch: pa.RecordBatch, column: pa.Array, name: str, table: SourceTable) -> None:
    """Refuse `infinity` and years outside 1–9999, which DuckDB has and no other database takes."""
    per_day = _PER_DAY[column.type.unit] if pa.types.is_timestamp(column.type) else 1
    values = column.cast(pa.int64() if per_day > 1 else pa.int32())
    outside = pc.or_(pc.less(values, _FIRST_DAY * per_day), pc.greater_equal(values, _END_DAY * per_day))
    row = pc.index(outside, pa.scalar(True)).as_py()
    if row < 0:
        return
    key = ", ".join(map(str, key_of(batch, row, table)))
    where = f"the row with key {key}" if key else "a row"
    raise UnsupportedValue(
        f"column {name} of {table.table} holds a date outside the years 1 to 9999 in {where}",
        "it cannot be carried exactly",
        "correct the value in the source (NULL is carried), then sync again",
    )

"""Rows that PostgreSQL's COPY writes as CSV, as record batches: NULL is an empty cell, empty text a quoted one."""

from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from wmtui.warehouses.quoting import quote
from wmtui.warehouses.reading import ReadColumn

_BATCH_BYTES = 16 * 2**20
_HEX_PREFIX = 2


def expression(column: ReadColumn) -> str:
    """How a column is read: times with zone in UTC, everything as PostgreSQL prints it."""
    name = quote(column.column)
    is_instant = column.type is not None and pa.types.is_timestamp(column.type) and column.type.tz
    return f"{name} AT TIME ZONE 'UTC'" if is_instant else name


def batches(
    rows: Iterable[bytes | bytearray | memoryview], columns: Sequence[ReadColumn], batch_rows: int
) -> Iterator[pa.RecordBatch]:
    """CSV rows as batches, each column in its type; as text if a value does not fit, such as `infinity`."""
    gathered: list[bytes] = []
    size = 0
    for row in rows:
        gathered.append(bytes(row))
        size += len(row)
        if len(gathered) >= batch_rows or size >= _BATCH_BYTES:
            yield _batch(b"".join(gathered), columns)
            gathered, size = [], 0
    if gathered:
        yield _batch(b"".join(gathered), columns)


def _batch(data: bytes, columns: Sequence[ReadColumn]) -> pa.RecordBatch:
    names = [column.name for column in columns]
    found = pyarrow.csv.read_csv(
        pa.BufferReader(data),
        pyarrow.csv.ReadOptions(column_names=names, block_size=len(data) + 1, use_threads=False),
        pyarrow.csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
        pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    ).combine_chunks()
    arrays = [typed(pa.concat_arrays(found.column(i).chunks), column.type) for i, column in enumerate(columns)]
    return pa.record_batch(arrays, names=names)


def typed(texts: pa.Array, kind: pa.DataType | None) -> pa.Array:
    """Texts as the database prints them, in a column's type; as they are if one does not fit it."""
    if kind is None or pa.types.is_string(kind):
        return texts
    if pa.types.is_binary(kind):
        return pa.array([t if t is None else bytes.fromhex(t[_HEX_PREFIX:]) for t in texts.to_pylist()], kind)
    if pa.types.is_boolean(kind):
        return pc.equal(texts, "t")
    try:
        return texts.cast(pa.timestamp("us")).cast(kind) if pa.types.is_timestamp(kind) else texts.cast(kind)
    except pa.ArrowInvalid:
        return texts

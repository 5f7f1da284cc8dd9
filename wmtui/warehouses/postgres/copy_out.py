"""Rows that PostgreSQL's COPY writes as CSV, as record batches: NULL is an empty cell, empty text a quoted one."""

from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa
import pyarrow.csv

from wmtui.warehouses.pg_protocol.text_values import typed
from wmtui.warehouses.read_columns import ReadColumn

_BATCH_BYTES = 16 * 2**20


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
    texts = pyarrow.csv.read_csv(
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
    arrays = [typed(pa.concat_arrays(texts.column(i).chunks), column.type) for i, column in enumerate(columns)]
    return pa.record_batch(arrays, names=names)

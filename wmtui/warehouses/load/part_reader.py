"""A part's rows as batches for staging: cast exactly, numbered, without a NULL in the key."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from wmtui.errors import FileDamaged, FileMisfit, UnsupportedValue
from wmtui.warehouses.load.columns import ColumnMapping
from wmtui.warehouses.load.conversions import convert
from wmtui.warehouses.load.statements import FILE, ROW
from wmtui.warehouses.load_request import LoadFile

Part: TypeAlias = pq.ParquetFile | pa.Table
"""A file's content: opened, or the rows that it was just written from."""

_BATCH_BYTES = 16 * 2**20
_BATCH_ROWS = 65_536
_DICTIONARY = {"RLE_DICTIONARY", "PLAIN_DICTIONARY"}
_PREFIXES = "DELTA_BYTE_ARRAY"
"""The encodings of Parquet by which values share room; the second cannot be read as a dictionary."""
_PREFIXED_ROWS = 64


def schema_of(part: Part) -> pa.Schema:
    """Its columns as Arrow has them."""
    return part.schema if isinstance(part, pa.Table) else part.schema_arrow


def rows_of(part: Part) -> int:
    """How many rows it has, by its footer if it was opened."""
    rows: int = part.num_rows if isinstance(part, pa.Table) else part.metadata.num_rows
    return rows


def staging_batches(
    file: LoadFile, ordinal: int, part: Part, mappings: Sequence[ColumnMapping], primary_key: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    """Stream the part as staging wants it, about 16 MiB at a time.

    Raises UnsupportedValue for a value that no cast carries exactly, TableError for a NULL key or an unreadable file.
    """
    start = 0
    for batch in _read(file, part, [mapping.source for mapping in mappings]):
        rows = batch.num_rows
        arrays = [_cast(file, batch.column(mapping.source), mapping) for mapping in mappings]
        for mapping, array in zip(mappings, arrays, strict=True):
            if mapping.column in primary_key and array.null_count:
                raise FileMisfit(
                    f"{file.key} has a row whose key column {mapping.source} is NULL",
                    "a row without a key cannot be merged",
                    "rewrite the file without it, or configure the table without primary_key",
                )
        numbers = [pa.repeat(pa.scalar(ordinal, pa.int32()), rows), pa.array(range(start, start + rows), pa.int64())]
        yield pa.record_batch([*arrays, *numbers], names=[*(mapping.column for mapping in mappings), FILE, ROW])
        start += rows


def expanding_columns(part: pq.ParquetFile) -> list[str]:
    """Texts and binaries that a file holds in a form in which one long value takes no room when it comes again: to be
    read as dictionaries, because as they are written their rows may take any amount of memory.
    """
    chunks = (chunk for chunk in _chunks(part.metadata) if chunk.physical_type == "BYTE_ARRAY")
    return sorted({c.path_in_schema for c in chunks if _PREFIXES not in c.encodings and _DICTIONARY & {*c.encodings}})


def _chunks(footer: pq.FileMetaData) -> Iterator[pq.ColumnChunkMetaData]:
    groups = (footer.row_group(number) for number in range(footer.num_row_groups))
    return (group.column(number) for group in groups for number in range(group.num_columns))


def _read(file: LoadFile, part: Part, columns: list[str]) -> Iterator[pa.RecordBatch]:
    if isinstance(part, pa.Table):
        for batch in part.select(columns).to_batches(max_chunksize=_BATCH_ROWS):
            yield from _pieces(batch)
        return
    try:
        for batch in part.iter_batches(batch_size=_batch_rows(part), columns=columns):
            yield from _pieces(batch)
    except (pa.ArrowException, OSError) as error:
        raise FileDamaged(f"cannot read {file.key}", str(error), "the file is damaged: restore or remove it") from error


def _batch_rows(part: pq.ParquetFile) -> int:
    """As many as are about 16 MiB, dictionaries aside; few where a long text takes no room when it comes again."""
    footer = part.metadata
    size: int = sum(footer.row_group(i).total_byte_size for i in range(footer.num_row_groups))
    rows: int = footer.num_rows
    fixed = sum(field.type.byte_width for field in part.schema_arrow if pa.types.is_fixed_size_binary(field.type))
    most = _PREFIXED_ROWS if any(_PREFIXES in chunk.encodings for chunk in _chunks(footer)) else _BATCH_ROWS
    return int(max(1, min(most, _BATCH_BYTES * rows // max(size, 1), _BATCH_BYTES // max(fixed, 1))))


def _pieces(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """The batch in pieces of which texts and binaries take 16 MiB, or in single rows where one takes more."""
    sizes = [size for column in batch.columns if (size := _sizes(column)) is not None]
    if not sizes or sum(pc.sum(size).as_py() or 0 for size in sizes) <= _BATCH_BYTES:
        yield batch
        return
    total = sizes[0]
    for size in sizes[1:]:
        total = pc.add(total, size)
    ends = pc.cumulative_sum(total).to_pylist()
    start = before = 0
    while start < batch.num_rows:
        end = max(bisect_right(ends, before + _BATCH_BYTES), start + 1)
        yield batch.slice(start, end - start)
        start, before = end, ends[end - 1]


def _sizes(column: pa.Array) -> pa.Array | None:
    """How many bytes each text or binary takes once it is in no dictionary; None for columns of other types."""
    is_dictionary = pa.types.is_dictionary(column.type)
    values = column.dictionary if is_dictionary else column
    if not any(is_sized(values.type) for is_sized in _SIZED):
        return None
    if pa.types.is_string_view(values.type) or pa.types.is_binary_view(values.type):
        values = values.cast(pa.large_binary())
    lengths = pc.binary_length(values).cast(pa.int64())
    return pc.fill_null(lengths.take(column.indices) if is_dictionary else lengths, 0)


_SIZED = (
    pa.types.is_string,
    pa.types.is_binary,
    pa.types.is_large_string,
    pa.types.is_large_binary,
    pa.types.is_string_view,
    pa.types.is_binary_view,
)


def _cast(file: LoadFile, array: pa.Array, mapping: ColumnMapping) -> pa.Array:
    """The values in the type they travel in, in the form that the target keeps."""
    if mapping.how is None:
        return _exactly(file, array, mapping, mapping.type)
    carried = _exactly(file, array, mapping, mapping.carried)
    try:
        return _exactly(file, convert(carried, mapping.how, mapping.zone), mapping, mapping.type)
    except ValueError as error:
        raise UnsupportedValue(
            f"column {mapping.source} of {file.key} cannot be kept as {mapping.how}",
            str(error),
            "correct `as` in tables.yaml, or rewrite the file",
        ) from error


def _exactly(file: LoadFile, array: pa.Array, mapping: ColumnMapping, kind: pa.DataType) -> pa.Array:
    if array.type == kind:
        return array
    try:
        return array.cast(kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise UnsupportedValue(
            f"column {mapping.source} of {file.key} has a value that {kind} does not hold",
            str(error),
            "rewrite the file, timestamps in microseconds",
        ) from error

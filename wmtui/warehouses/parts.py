"""A part's rows as batches for staging: cast exactly, numbered, without a NULL in the key."""

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from wmtui.errors import FileDamaged, FileMisfit, UnsupportedValue
from wmtui.warehouses.base import LoadFile
from wmtui.warehouses.conversions import convert
from wmtui.warehouses.landing import Landing
from wmtui.warehouses.sql import FILE, ROW

_BATCH_BYTES = 16 * 2**20
_BATCH_ROWS = 65_536


def staging_batches(
    file: LoadFile, ordinal: int, part: pq.ParquetFile, landings: Sequence[Landing], primary_key: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    """Stream the part as staging wants it, about 16 MiB at a time.

    Raises UnsupportedValue for a value that no cast carries exactly, TableError for a NULL key or an unreadable file.
    """
    start = 0
    for batch in _read(file, part, [landing.source for landing in landings]):
        rows = batch.num_rows
        arrays = [_cast(file, batch.column(landing.source), landing) for landing in landings]
        for landing, array in zip(landings, arrays, strict=True):
            if landing.column in primary_key and array.null_count:
                raise FileMisfit(
                    f"{file.key} has a row whose key column {landing.source} is NULL",
                    "a row without a key cannot be merged",
                    "rewrite the file without it, or configure the table without primary_key",
                )
        numbers = [pa.repeat(pa.scalar(ordinal, pa.int32()), rows), pa.array(range(start, start + rows), pa.int64())]
        yield pa.record_batch([*arrays, *numbers], names=[*(landing.column for landing in landings), FILE, ROW])
        start += rows


def _read(file: LoadFile, part: pq.ParquetFile, columns: list[str]) -> Iterator[pa.RecordBatch]:
    try:
        yield from part.iter_batches(batch_size=_batch_rows(part.metadata), columns=columns)
    except (pa.ArrowException, OSError) as error:
        raise FileDamaged(f"cannot read {file.key}", str(error), "the file is damaged: restore or remove it") from error


def _batch_rows(footer: pq.FileMetaData) -> int:
    size: int = sum(footer.row_group(i).total_byte_size for i in range(footer.num_row_groups))
    rows: int = footer.num_rows
    return max(1, min(_BATCH_ROWS, _BATCH_BYTES * rows // max(size, 1)))


def _cast(file: LoadFile, array: pa.Array, landing: Landing) -> pa.Array:
    """The values in the type they travel in, in the form that the target keeps."""
    if landing.how is None:
        return _exactly(file, array, landing, landing.type)
    carried = _exactly(file, array, landing, landing.carried)
    try:
        return _exactly(file, convert(carried, landing.how, landing.zone), landing, landing.type)
    except ValueError as error:
        raise UnsupportedValue(
            f"column {landing.source} of {file.key} cannot be kept as {landing.how}",
            str(error),
            "correct `as` in tables.yaml, or rewrite the file",
        ) from error


def _exactly(file: LoadFile, array: pa.Array, landing: Landing, kind: pa.DataType) -> pa.Array:
    if array.type == kind:
        return array
    try:
        return array.cast(kind)
    except pa.ArrowInvalid as error:
        raise UnsupportedValue(
            f"column {landing.source} of {file.key} has a value that {kind} does not hold",
            str(error),
            "rewrite the file, timestamps in microseconds",
        ) from error

"""Files opened for loading, each in exactly the version that was chosen."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from wmtui.errors import FileDamaged, FileGone, FileReplaced, ObjectMissing
from wmtui.model import TableName
from wmtui.objects import ObjectStore
from wmtui.runs.footers import FOOTER_BYTES, MAGIC, footer_of
from wmtui.warehouses import LoadFile
from wmtui.warehouses.load.part_reader import expanding_columns


def open_part(objects: ObjectStore, table: TableName, file: LoadFile) -> pq.ParquetFile:
    """A file's content, of exactly the version that was chosen; raises TableError for any other. A file of another
    writer is read so that its rows can be taken a piece at a time, however much longer than the file they are.
    """
    data = _version(objects, table, file, None)
    part = _parquet(file, data)
    dictionaries = expanding_columns(part) if file.rows is None else []
    return _parquet(file, data, dictionaries) if dictionaries else part


def open_footer(objects: ObjectStore, table: TableName, file: LoadFile) -> pq.ParquetFile:
    """A file without its rows: schema and counts, read from the end of the file."""
    if file.size > FOOTER_BYTES:
        footer = footer_of(_version(objects, table, file, FOOTER_BYTES))
        if footer is not None:
            return _parquet(file, MAGIC + footer)
    return open_part(objects, table, file)


def _version(objects: ObjectStore, table: TableName, file: LoadFile, last: int | None) -> bytes:
    try:
        stored = objects.get(file.key, last=last)
    except ObjectMissing:
        raise FileGone(f"{file.key} is gone", "it was listed a moment ago", "sync again") from None
    if stored.info.etag != file.etag:
        raise FileReplaced(f"{file.key} was replaced", f"a file of {table} changed after it was chosen", "sync again")
    return stored.data


def _parquet(file: LoadFile, data: bytes, dictionaries: Sequence[str] = ()) -> pq.ParquetFile:
    """dictionaries: columns to be read as such."""
    try:
        return pq.ParquetFile(pa.BufferReader(data), read_dictionary=list(dictionaries))
    except (pa.ArrowInvalid, OSError) as error:
        raise FileDamaged(
            f"{file.key} is not a readable Parquet file", str(error), "replace or remove it, then sync again"
        ) from None

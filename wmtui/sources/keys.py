"""Primary keys between batches, JSON and SQL: integers as numbers, every other type as text, binary as hexadecimal."""

from datetime import UTC, datetime
from decimal import Decimal

import pyarrow as pa

from wmtui.column_types import UNSIGNED_64
from wmtui.model import Key, KeyValue
from wmtui.sources.base import SourceTable

UNORDERED = b"unordered"
"""A field's metadata: the source sorts its values otherwise than it compares them with a bound one."""


def key_of(batch: pa.RecordBatch, row: int, table: SourceTable) -> Key:
    """The primary key of one row (negative rows count from the end); empty for a table without one."""
    columns = [(batch.column(name), batch.schema.field(name).type) for name in table.primary_key]
    return tuple(_key_value(values[row].as_py(), column) for values, column in columns)


def is_integer(column: pa.DataType) -> bool:
    """Whether a column holds integers, unsigned 64-bit ones included."""
    return bool(pa.types.is_integer(column) or column == UNSIGNED_64)


def is_key_field(field: pa.Field) -> bool:
    """Whether a column can order rows exactly: not floating point, nor an ENUM, which sorts by number."""
    return not pa.types.is_floating(field.type) and UNORDERED not in (field.metadata or {})


def _key_value(value: object, column: pa.DataType) -> KeyValue:
    match value:
        case int():
            return int(value)
        case Decimal():
            return int(value) if column == UNSIGNED_64 else f"{value:f}"
        case bytes():
            return value.hex()
        case datetime():
            return timestamp_text(value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value)
        case _:
            return str(value)


def timestamp_text(value: datetime) -> str:
    """A naive time as both SQL dialects read it, `YYYY-MM-DD HH:MM:SS.ffffff`."""
    return value.isoformat(sep=" ", timespec="microseconds")

"""Rows as bytes that are equal exactly when their values are, in whatever types the two sides hold them.

Every value is brought to the source's pinned type and written as a cell: numbers, dates and times as digits, doubles as
their bits, text and binary after their length. Cells are joined by `|`, NULL is `N`. A value that the source's type
cannot hold is written as it is after `?`, so that it equals nothing the source may have.
"""

import struct
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from wmtui.model import Key
from wmtui.sources.keys import is_integer, timestamp_text

_ANY_DECIMAL = pa.decimal256(76, 38)
_EPOCH = datetime(1970, 1, 1)


def encode(batch: pa.RecordBatch, schema: pa.Schema) -> pa.Array:
    """Every row's cells for the columns of `schema`, which the batch has by name."""
    cells = [_cells(batch.column(field.name), field.type) for field in schema]
    return pc.binary_join_element_wise(*cells, b"|", null_handling="replace", null_replacement=b"N")


def decode(row: bytes, schema: pa.Schema) -> list[str | None]:
    """The values of an encoded row as texts: as `Key` writes them, doubles in full, NULL as None."""
    return [
        content.decode(errors="backslashreplace") if is_foreign else _shown(content, kind)
        for (is_foreign, content), kind in zip(_split(row, schema), schema.types, strict=True)
    ]


def decode_key(row: bytes, schema: pa.Schema) -> Key | None:
    """An encoded primary key; None for one that the source's types cannot hold, so that no source row has it."""
    if any(is_foreign or content is None for is_foreign, content in _split(row, schema)):
        return None
    texts = [value or "" for value in decode(row, schema)]
    return tuple(int(text) if is_integer(kind) else text for text, kind in zip(texts, schema.types, strict=True))


def _cells(column: pa.Array, kind: pa.DataType) -> pa.Array:
    try:
        return _exact_cells(column, kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return pa.array([_cell(value, kind) for value in column], pa.binary())


def _cell(value: pa.Scalar, kind: pa.DataType) -> bytes | None:
    if not value.is_valid:
        return None
    try:
        exact: bytes = _exact_cells(pa.array([value]), kind)[0].as_py()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        text = str(value).encode()
        return b"?%d:%s" % (len(text), text)
    return exact


def _exact_cells(column: pa.Array, kind: pa.DataType) -> pa.Array:
    """Raises ArrowInvalid when a value does not fit `kind` exactly."""
    if _is_sized(kind):
        data = column.cast(kind).cast(pa.binary())
        lengths = pc.binary_length(data).cast(pa.string()).cast(pa.binary())
        return pc.binary_join_element_wise(lengths, data, b":")
    return _printable(column, kind).cast(pa.string()).cast(pa.binary())


def _printable(column: pa.Array, kind: pa.DataType) -> pa.Array:
    """Numbers that are equal exactly when the values are."""
    if pa.types.is_floating(kind):
        doubles = column.cast(kind)
        one_nan = pc.if_else(pc.is_nan(doubles), pa.scalar(float("nan"), kind), doubles)
        return one_nan.view(pa.int64())
    if pa.types.is_date(kind) and pa.types.is_date32(column.type):
        return column.cast(pa.int32())
    if pa.types.is_temporal(kind):
        times = column if pa.types.is_timestamp(column.type) else column.cast(pa.timestamp("us"))
        microseconds = times.cast(pa.timestamp("us", times.type.tz))
        return _days(microseconds) if pa.types.is_date(kind) else microseconds.cast(pa.int64())
    if pa.types.is_integer(kind) and pa.types.is_string(column.type):
        return column.cast(_ANY_DECIMAL).cast(kind)
    return column.cast(kind)


def _days(times: pa.Array) -> pa.Array:
    """Midnights as days; Arrow's own cast drops the time of day without a word."""
    days = times.cast(pa.date32())
    if not pc.all(pc.equal(days.cast(times.type), times)).as_py():
        raise pa.ArrowInvalid("a date with a time of day")
    return days.cast(pa.int32())


def _is_sized(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_binary(kind))


def _split(row: bytes, schema: pa.Schema) -> list[tuple[bool, Any]]:
    """The content of every cell, None for NULL, and whether it is one that the source's type cannot hold."""
    cells: list[tuple[bool, Any]] = []
    at = 0
    for kind in schema.types:
        is_foreign = row.startswith(b"?", at)
        if row.startswith(b"N", at):
            start, end = at, at + 1
        elif is_foreign or _is_sized(kind):
            start = row.index(b":", at) + 1
            end = start + int(row[at + is_foreign : start - 1])
        else:
            start, end = at, row.find(b"|", at)
            end = len(row) if end < 0 else end
        cells.append((is_foreign, None if row.startswith(b"N", at) else row[start:end]))
        at = end + 1
    return cells


def _shown(content: bytes | None, kind: pa.DataType) -> str | None:
    if content is None:
        return None
    if pa.types.is_binary(kind):
        return content.hex()
    text = content.decode()
    if pa.types.is_decimal(kind):
        return f"{Decimal(text):f}"
    if pa.types.is_floating(kind):
        return repr(struct.unpack("<d", int(text).to_bytes(8, "little", signed=True))[0])
    return _shown_time(int(text), kind) if pa.types.is_temporal(kind) else text


def _shown_time(number: int, kind: pa.DataType) -> str:
    try:
        if pa.types.is_date(kind):
            return date.fromordinal(_EPOCH.toordinal() + number).isoformat()
        return timestamp_text(_EPOCH + timedelta(microseconds=number))
    except (OverflowError, ValueError):
        return f"outside the years 1 to 9999 ({number})"


def key_schema(schema: pa.Schema, primary_key: Sequence[str]) -> pa.Schema:
    """The columns of the primary key."""
    return pa.schema([schema.field(name) for name in primary_key])

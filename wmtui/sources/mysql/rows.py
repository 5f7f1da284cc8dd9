"""Raw rows of MySQL as Arrow record batches, every value exact.

Columns are read from their digits, or cast by Arrow where a type or a value has no short way: no Python object for any
of them.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress

import pyarrow as pa
import pyarrow.compute as pc

from wmtui.errors import SourceError, UnsupportedValue
from wmtui.sources.base import SourceTable
from wmtui.sources.mysql.connections import Column, Rows

_ZERO = r"^(0000|\d{4}-00|\d{4}-\d\d-00)"
"""A date whose year, month or day is zero."""


def record_batches(rows: Rows, table: SourceTable, batch_rows: int) -> Iterator[pa.RecordBatch]:
    """The rows of a session's stream. Raises UnsupportedValue for a value that has no exact counterpart, SourceError
    for one that the server did not send.
    """
    for columns in rows.pieces(batch_rows):
        yield _batch(columns, table)


def _batch(columns: Sequence[Column], table: SourceTable) -> pa.RecordBatch:
    arrays = []
    for index, (column, field) in enumerate(zip(columns, table.schema, strict=True)):
        values = column.parsed(field.type)
        if values is None:
            values = _carefully(columns, index, table)
        if field.metadata[b"source_type"] == b"json" and pc.any(pc.equal(pc.binary_length(values), 0)).as_py():
            raise _cut_off(_raw(columns), index, table)
        arrays.append(values)
    return pa.RecordBatch.from_arrays(arrays, schema=table.schema)


def _raw(columns: Sequence[Column]) -> list[pa.Array]:
    return [column.binary() for column in columns]


def _carefully(columns: Sequence[Column], index: int, table: SourceTable) -> pa.Array:
    """The values of a column, cast by Arrow; a value that cannot be is refused or, by the rule `zero_dates`, NULL."""
    column, field = columns[index].binary(), table.schema.field(index)
    try:
        return _cast(column, field.type)
    except pa.ArrowInvalid:
        if not (table.null_dates and _would_be_null(field, table)):
            raise _refusal(_raw(columns), index, table) from None
        return _dates(column, field.type)


def _would_be_null(field: pa.Field, table: SourceTable) -> bool:
    """Whether the rule `zero_dates` is about this column; cursor and key can never be NULL."""
    return pa.types.is_temporal(field.type) and field.name not in (*table.primary_key, table.cursor)


def _dates(column: pa.Array, to: pa.DataType) -> pa.Array:
    """Dates and times, NULL where no calendar has them: zeros at once, one by one where there is also a 30 February."""
    text = column.cast(pa.string())
    column = pc.if_else(pc.match_substring_regex(text, _ZERO), pa.scalar(None, pa.string()), text)
    with suppress(pa.ArrowInvalid):
        return _cast(column, to)
    parts = [column.slice(row, 1) for row in range(len(column))]
    return pa.concat_arrays([_cast(part, to) if _castable(part, to) else pa.nulls(1, to) for part in parts])


def _cast(column: pa.Array, to: pa.DataType) -> pa.Array:
    """Binary text as values; raises ArrowInvalid. Year 0 (`0000-00-00`) is a date for Arrow alone."""
    if to == pa.binary():
        return column
    text = column.cast(pa.string())
    if not pa.types.is_temporal(to):
        return text.cast(to)
    if pc.any(pc.starts_with(text, "0000")).as_py():
        raise pa.ArrowInvalid("year 0")
    return text.cast(pa.timestamp("us")).cast(to) if pa.types.is_timestamp(to) else text.cast(to)


def _refusal(raw: list[pa.Array], index: int, table: SourceTable) -> UnsupportedValue:
    """The error that names the first value that cannot be cast, and its row."""
    column, field = raw[index], table.schema.field(index)
    row = next(row for row in range(len(column)) if not _castable(column.slice(row, 1), field.type))
    source_type = field.metadata[b"source_type"].decode()
    return UnsupportedValue(
        f"column {field.name} of {table.table} holds {_shown(column[row])} in {_row(raw, row, table)}",
        f"as {source_type} it cannot be carried exactly",
        "correct the value in the source (NULL is carried)"
        + (", or say `zero_dates: null` for this table" if _would_be_null(field, table) else "")
        + ", then sync again",
    )


def _cut_off(raw: list[pa.Array], index: int, table: SourceTable) -> SourceError:
    """The error for JSON that MySQL sent as "", which no JSON is; it only warns (1301)."""
    row = next(row for row, value in enumerate(raw[index]) if value.is_valid and not value.as_py())
    return SourceError(
        f"column {table.schema.field(index).name} of {table.table} did not arrive in {_row(raw, row, table)}",
        "its JSON is longer than the server's max_allowed_packet, and MySQL sends nothing in its place",
        "raise max_allowed_packet on the server (at most 1 GiB), or exclude the column",
    )


def _row(raw: list[pa.Array], row: int, table: SourceTable) -> str:
    """A row by its key."""
    names = table.schema.names
    key = ", ".join(f"{name} = {_shown(raw[names.index(name)][row])}" for name in table.primary_key)
    return f"the row {key}" if key else "a row"


def _castable(value: pa.Array, to: pa.DataType) -> bool:
    try:
        _cast(value, to)
    except pa.ArrowInvalid:
        return False
    return True


def _shown(value: pa.Scalar) -> str:
    text: str = value.as_py()[:100].decode(errors="backslashreplace")
    return text

"""MySQL columns as exact Arrow fields; what cannot be carried exactly is refused by name."""

import re

import pyarrow as pa
from msgspec import Struct

from wmtui.column_types import MAX_BYTES, ColumnType, source_type
from wmtui.config import TableConfig
from wmtui.errors import UnsupportedValue
from wmtui.model import TableName
from wmtui.sources.keys import UNORDERED


class Column(Struct, frozen=True):
    """A column as information_schema describes it. extra: `on update current_timestamp()`, a generation expression.

    readable: the account may SELECT it; one that it may only write is shown, too.
    """

    name: str
    type: ColumnType
    nullable: bool
    fraction_digits: int | None
    extra: str
    readable: bool = True


def arrow_field(table: TableName, column: Column, config: TableConfig) -> pa.Field:
    """The pinned field of a column, by the table's rules.

    Raises UnsupportedValue with column and type when it has no exact one, or has to be text and must not be.
    """
    row = source_type(column.type.name)
    if row is None or row.carry is None:
        raise UnsupportedValue(
            f"column {column.name} of {table} has type {column.type.declared}",
            "it cannot be carried exactly",
            f"change its type in the source, or `exclude: [{column.name}]` unless it is cursor or key",
        )
    carried = row.carry(column.type)
    if carried.as_text and config.wide_decimals == "error":
        raise UnsupportedValue(
            f"column {column.name} of {table} has type {column.type.declared}",
            "no warehouse has numbers of so many digits, and wide_decimals is `error` for this table",
            "say `wide_decimals: text` to carry its digits as text, or exclude the column",
        )
    metadata = {b"source_type": column.type.declared.encode(), b"extra": column.extra.encode()}
    if carried.max_bytes is not None:
        metadata[MAX_BYTES] = str(carried.max_bytes).encode()
    if carried.as_text or not row.is_key:
        metadata[UNORDERED] = b"yes"
    may_become_null = config.null_dates and pa.types.is_temporal(carried.type)
    is_order = column.name in (*config.primary_key, config.cursor)
    return pa.field(column.name, carried.type, column.nullable or (may_become_null and not is_order), metadata)


def select_expression(field: pa.Field, quoted: str) -> str:
    """How a column is read: a FLOAT prints six digits, and a BIT is raw bytes, unless the statement says otherwise."""
    declared = field.metadata[b"source_type"].decode()
    row = source_type(re.split("[( ]", declared, maxsplit=1)[0])
    return row.read.replace("{}", quoted) if row else quoted

"""MySQL column types as exact Arrow types; what cannot be carried exactly is refused by name."""

import pyarrow as pa
from msgspec import Struct

from wmtui.errors import UnsupportedValue
from wmtui.model import TableName
from wmtui.sources.keys import UNSIGNED_64

_SIGNED = {
    "tinyint": pa.int8(),
    "smallint": pa.int16(),
    "mediumint": pa.int32(),
    "int": pa.int32(),
    "bigint": pa.int64(),
}
_UNSIGNED = {
    "tinyint": pa.int16(),
    "smallint": pa.int32(),
    "mediumint": pa.int32(),
    "int": pa.int64(),
    "bigint": UNSIGNED_64,
}
_TEXT = {"char", "varchar", "tinytext", "text", "mediumtext", "longtext"}
_BINARY = {"binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob"}
_OTHER = {
    "float": pa.float64(),
    "double": pa.float64(),
    "date": pa.date32(),
    "datetime": pa.timestamp("us"),
    "timestamp": pa.timestamp("us", tz="UTC"),
}
_MAX_DIGITS = 38
"""Digits of a decimal128, and of every warehouse's DECIMAL."""


class Column(Struct, frozen=True):
    """A column as information_schema describes it.

    data_type: `bigint`. column_type: `bigint(20) unsigned`. extra: `on update current_timestamp()`.
    """

    name: str
    data_type: str
    column_type: str
    nullable: bool
    precision: int | None
    scale: int | None
    fraction_digits: int | None
    extra: str


def arrow_field(table: TableName, column: Column) -> pa.Field:
    """The pinned field of a column. Raises UnsupportedValue with column and type when it has no exact one."""
    arrow = _arrow_type(column)
    if arrow is None:
        raise UnsupportedValue(
            f"column {column.name} of {table} has type {column.column_type}",
            "it cannot be carried exactly",
            "change the column's type in the source, or take the table out of tables.yaml",
        )
    return pa.field(column.name, arrow, column.nullable, {b"source_type": column.column_type.encode()})


def _arrow_type(column: Column) -> pa.DataType | None:
    kind = column.data_type
    if kind in _SIGNED:
        return (_UNSIGNED if "unsigned" in column.column_type else _SIGNED)[kind]
    if kind == "decimal" and column.precision is not None and column.precision <= _MAX_DIGITS:
        return pa.decimal128(column.precision, column.scale or 0)
    if kind in _TEXT:
        return pa.string()
    if kind in _BINARY:
        return pa.binary()
    return _OTHER.get(kind)


def select_expression(field: pa.Field, quoted: str) -> str:
    """How a column is read. FLOAT prints six digits, and either type rounds where decimals are fixed; this does not."""
    return f"{quoted} * 1e0" if pa.types.is_floating(field.type) else quoted

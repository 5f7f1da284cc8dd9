"""Which Arrow types a warehouse can hold exactly, and as what; nothing here talks to a database."""

import re

import pyarrow as pa

from wmtui.errors import UnsupportedValue

_TIMESTAMP = pa.timestamp("us")
_INSTANT = pa.timestamp("us", "UTC")
_UNLIMITED_DECIMAL = pa.decimal256(76, 38)

_SQL_TYPES = {
    pa.bool_(): "boolean",
    pa.int8(): "smallint",
    pa.int16(): "smallint",
    pa.int32(): "integer",
    pa.int64(): "bigint",
    pa.uint8(): "smallint",
    pa.uint16(): "integer",
    pa.uint32(): "bigint",
    pa.uint64(): "numeric(20,0)",
    pa.float32(): "real",
    pa.float64(): "double precision",
    pa.string(): "text",
    pa.binary(): "bytea",
    pa.date32(): "date",
    _TIMESTAMP: "timestamp",
    _INSTANT: "timestamp with time zone",
}

# Type names as PostgreSQL's and Redshift's format_type and DuckDB's catalog write them: lower case, without digits.
_ARROW_TYPES = {
    "boolean": pa.bool_(),
    "tinyint": pa.int8(),
    "smallint": pa.int16(),
    "integer": pa.int32(),
    "bigint": pa.int64(),
    "hugeint": pa.decimal128(38, 0),
    "utinyint": pa.uint8(),
    "usmallint": pa.uint16(),
    "uinteger": pa.uint32(),
    "ubigint": pa.uint64(),
    "real": pa.float32(),
    "float": pa.float32(),
    "double precision": pa.float64(),
    "double": pa.float64(),
    "numeric": _UNLIMITED_DECIMAL,
    "text": pa.string(),
    "varchar": pa.string(),
    "character varying": pa.string(),
    "bytea": pa.binary(),
    "blob": pa.binary(),
    "date": pa.date32(),
    "timestamp": _TIMESTAMP,
    "timestamp without time zone": _TIMESTAMP,
    "timestamp with time zone": _INSTANT,
}
_DECIMAL = re.compile(r"(?:numeric|decimal)\((\d+),(\d+)\)")
_TEXT = re.compile(r"(?:character varying|varchar)\(\d+\)")
_BINARY = re.compile(r"(?:binary varying|varbyte)\(\d+\)")


def carried_type(column: str, arrow_type: pa.DataType) -> pa.DataType:
    """The Arrow type in which a file's column travels: timestamps in microseconds, text and binary in one form.

    Raises UnsupportedValue, naming column and type, for a type that no warehouse column holds exactly.
    """
    if pa.types.is_large_string(arrow_type):
        return pa.string()
    if pa.types.is_large_binary(arrow_type):
        return pa.binary()
    if pa.types.is_timestamp(arrow_type):
        return _INSTANT if arrow_type.tz else _TIMESTAMP
    if arrow_type in _SQL_TYPES or (
        pa.types.is_decimal128(arrow_type) and 0 <= arrow_type.scale <= arrow_type.precision
    ):
        return arrow_type
    raise UnsupportedValue(
        f"column {column} has type {arrow_type}",
        "no type of the warehouse holds it exactly",
        "leave the column out of the table, or write it as another type",
    )


def carried_schema(schema: pa.Schema) -> pa.Schema:
    """A file's schema with every column in its carried type. Raises UnsupportedValue."""
    return pa.schema([pa.field(field.name, carried_type(field.name, field.type)) for field in schema])


def sql_type(carried: pa.DataType) -> str:
    """The type of a new column, in words that PostgreSQL and DuckDB both read."""
    if pa.types.is_decimal128(carried):
        return f"numeric({carried.precision},{carried.scale})"
    return _SQL_TYPES[carried]


def arrow_type(declared: str) -> pa.DataType | None:
    """The Arrow type that holds what a column of this declared type holds; None for a type without one."""
    name = declared.lower()
    if digits := _DECIMAL.fullmatch(name):
        return pa.decimal128(int(digits[1]), int(digits[2])) if int(digits[1]) <= 38 else _UNLIMITED_DECIMAL
    if _BINARY.fullmatch(name):
        return pa.binary()
    return pa.string() if _TEXT.fullmatch(name) else _ARROW_TYPES.get(name)


def landing_type(carried: pa.DataType, declared: str) -> pa.DataType | None:
    """The Arrow type in which carried values go into an existing column; None if the database might change them.

    A database rounds decimals and doubles, cuts timestamps to dates and drops time zones without a word; such pairs are
    refused. A value out of range or too long is an error of the database, and fine here.
    """
    column = arrow_type(declared)
    if column == carried:
        return carried
    if column is None:
        return carried if pa.types.is_string(carried) else None
    if pa.types.is_float32(carried) and pa.types.is_float64(column):
        return column
    if pa.types.is_date32(carried) and column == _TIMESTAMP:
        return column
    return carried if _scale(carried) <= _scale(column) else None


def _scale(kind: pa.DataType) -> float:
    """Fraction digits of a number held digit by digit; not a number, which compares false, for every other type."""
    if pa.types.is_integer(kind):
        return 0
    return float(kind.scale) if pa.types.is_decimal(kind) else float("nan")

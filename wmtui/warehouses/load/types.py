"""Which Arrow types a warehouse can hold exactly, and in which columns; nothing here talks to a database."""

import re
from collections.abc import Callable

import pyarrow as pa

from wmtui.column_types import INSTANT, IS_JSON, MAX_BYTES, TIMESTAMP, UNSIGNED_64, WAREHOUSE_TYPES, is_json, max_bytes
from wmtui.errors import UnsupportedValue

_UNLIMITED_DECIMAL = pa.decimal256(76, 38)

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
    "timestamp": TIMESTAMP,
    "timestamp without time zone": TIMESTAMP,
    "timestamp with time zone": INSTANT,
}
_DECIMAL = re.compile(r"(?:numeric|decimal)\((\d+),(\d+)\)")
_TEXT = re.compile(r"(?:character varying|varchar)\((\d+)\)")
_BINARY = re.compile(r"(?:binary varying|varbyte)\((\d+)\)")
JSON_TYPES = ("json", "jsonb", "super")
"""Declared types that hold a JSON value, by which text becomes one."""
_DIGITS = 38
_INTEGERS = ((16, pa.int16()), (32, pa.int32()), (64, pa.int64()))
_INTEGER_DIGITS = {8: 3, 16: 5, 32: 10, 64: 20}


_OTHER_FORMS: tuple[tuple[Callable[[pa.DataType], bool], pa.DataType], ...] = (
    (pa.types.is_large_string, pa.string()),
    (pa.types.is_string_view, pa.string()),
    (pa.types.is_large_binary, pa.binary()),
    (pa.types.is_binary_view, pa.binary()),
    (pa.types.is_fixed_size_binary, pa.binary()),
    (pa.types.is_float16, pa.float32()),
    (pa.types.is_date64, pa.date32()),
    (pa.types.is_null, pa.null()),
)
"""Types of other writers, and the one that holds the very same values."""


def _is_small_decimal(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_decimal(kind) and not pa.types.is_decimal128(kind) and 0 <= kind.scale <= kind.precision <= _DIGITS
    )


def carried_type(column: str, arrow_type: pa.DataType) -> pa.DataType:
    """The Arrow type in which a file's column travels: timestamps in microseconds, text and binary in one form, numbers
    in a form that warehouses have. A column without any value travels as the null type.

    Raises UnsupportedValue, naming column and type, for a type that no warehouse column holds exactly.
    """
    if pa.types.is_dictionary(arrow_type):
        return carried_type(column, arrow_type.value_type)
    for is_of, kind in _OTHER_FORMS:
        if is_of(arrow_type):
            return kind
    if _is_small_decimal(arrow_type):
        return pa.decimal128(arrow_type.precision, arrow_type.scale)
    if pa.types.is_timestamp(arrow_type):
        return INSTANT if arrow_type.tz else TIMESTAMP
    if arrow_type in WAREHOUSE_TYPES or (
        pa.types.is_decimal128(arrow_type) and 0 <= arrow_type.scale <= arrow_type.precision
    ):
        return arrow_type
    raise UnsupportedValue(
        f"column {column} has type {arrow_type}",
        "no type of the warehouse holds it exactly",
        "leave the column out of the table, or write it as another type",
    )


def carried_schema(schema: pa.Schema) -> pa.Schema:
    """A file's schema with every column in its carried type, and how long its values are. Raises UnsupportedValue."""
    return pa.schema(
        [carried_field(field.name, carried_type(field.name, field.type), max_bytes(field)) for field in schema]
    )


def carried_field(name: str, kind: pa.DataType, width: int | None, *, json: bool = False) -> pa.Field:
    """A carried field. width: bytes of its values at most, None if unknown. json: its texts are JSON."""
    metadata = {MAX_BYTES: str(width).encode()} if width is not None else {}
    return pa.field(name, kind, metadata={**metadata, **({IS_JSON: b"yes"} if json else {})} or None)


def arrow_type(declared: str) -> pa.DataType | None:
    """The Arrow type that holds what a column of this declared type holds; None for a type without one."""
    name = declared.lower()
    if digits := _DECIMAL.fullmatch(name):
        return pa.decimal128(int(digits[1]), int(digits[2])) if int(digits[1]) <= _DIGITS else _UNLIMITED_DECIMAL
    if _BINARY.fullmatch(name):
        return pa.binary()
    return pa.string() if _TEXT.fullmatch(name) else _ARROW_TYPES.get(name)


def loadable_type(carried: pa.DataType, declared: str, *, json: bool = False) -> pa.DataType | None:
    """The Arrow type in which carried values go into an existing column; None if the database might change them.

    A database rounds decimals and doubles, cuts timestamps to dates and drops time zones silently; such pairs are
    refused, and so is every type that is not in the table. A value out of range or too long is an error of the
    database, and fine here. json: the values are texts that the column is to take as JSON.
    """
    column = arrow_type(declared)
    if pa.types.is_null(carried):
        return column or pa.string()
    if column == carried or (json and declared.lower() in JSON_TYPES):
        return carried
    if column is None:
        return None
    if pa.types.is_float32(carried) and pa.types.is_float64(column):
        return column
    if pa.types.is_date32(carried) and column == TIMESTAMP:
        return column
    return carried if _scale(carried) <= _scale(column) else None


def declared_length(declared: str) -> int | None:
    """How long a value of a text or binary column may be, None for one without a limit."""
    match = _TEXT.fullmatch(declared.lower()) or _BINARY.fullmatch(declared.lower())
    return int(match[1]) if match else None


def wider(one: pa.DataType, other: pa.DataType) -> pa.DataType | None:
    """The narrowest carried type that holds the values of both exactly; None if there is none."""
    kinds = (one, other)
    if one == other or any(map(pa.types.is_null, kinds)):
        return other if pa.types.is_null(one) else one
    if all(map(pa.types.is_integer, kinds)):
        bits = max(kind.bit_width + (not pa.types.is_signed_integer(kind)) for kind in kinds)
        return next((kind for width, kind in _INTEGERS if width >= bits), UNSIGNED_64)
    if all(map(pa.types.is_floating, kinds)):
        return pa.float64()
    if set(kinds) == {pa.date32(), TIMESTAMP}:
        return TIMESTAMP
    if not all(pa.types.is_integer(kind) or pa.types.is_decimal(kind) for kind in kinds):
        return None
    scale = max(map(_scale, kinds))
    digits = max(_whole_digits(kind) for kind in kinds) + scale
    return pa.decimal128(int(digits), int(scale)) if digits <= _DIGITS else None


def wider_field(one: pa.Field, other: pa.Field) -> pa.Field | None:
    """The field that holds the values of both, by the name of the first; None if there is none."""
    kind = wider(one.type, other.type)
    lengths = [max_bytes(field) for field in (one, other) if not pa.types.is_null(field.type)]
    known = [length for length in lengths if length is not None]
    width = max(known) if known and len(known) == len(lengths) else None
    json = all(is_json(field) for field in (one, other) if not pa.types.is_null(field.type))
    return kind and carried_field(one.name, kind, width, json=json and not pa.types.is_null(kind))


def _whole_digits(kind: pa.DataType) -> int:
    if pa.types.is_integer(kind):
        return _INTEGER_DIGITS[kind.bit_width]
    return int(kind.precision - kind.scale)


def _scale(kind: pa.DataType) -> float:
    """Fraction digits of a number held digit by digit; not a number, which compares false, for every other type."""
    if pa.types.is_integer(kind):
        return 0
    return float(kind.scale) if pa.types.is_decimal(kind) else float("nan")

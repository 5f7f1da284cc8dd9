"""The one table of column types: MySQL and MariaDB → Arrow, as which values travel → PostgreSQL, Redshift, DuckDB.

Sources make Arrow fields by it, warehouses the columns of a target, and `docs/types.md` is printed from it.
"""

from collections.abc import Callable

import pyarrow as pa
from msgspec import Struct

MAX_BYTES = b"max_bytes"
"""A field's metadata: how many bytes of UTF-8, or of binary, a value has at most; absent: unknown."""

IS_JSON = b"json"
"""A field's metadata: its texts are JSON, and the column made for it is of the warehouse's type for that."""

TIMESTAMP = pa.timestamp("us")
INSTANT = pa.timestamp("us", "UTC")
UNSIGNED_64 = pa.decimal128(20, 0)
"""An unsigned 64-bit integer, for which no warehouse has a type of its own."""

REDSHIFT_TEXT_BYTES = 65_535
REDSHIFT_BINARY_BYTES = 16_777_216
_DIGITS, _FRACTION = 38, 37
"""Of every warehouse's DECIMAL; Redshift has 37 digits after the point."""
_UTF8 = 4
"""Bytes of a character at most, whatever character set the column has."""
_TIME_LENGTH = len("-838:59:59.000000")
_BIT_ANY = 64


class ColumnType(Struct, frozen=True):
    """A MySQL column's declared type, in the parts that information_schema has.

    name: `decimal`. declared: `decimal(10,2) unsigned`. length: characters, of binary types bytes.
    """

    name: str
    declared: str
    precision: int | None = None
    scale: int | None = None
    length: int | None = None


class Carried(Struct, frozen=True):
    """How a column travels. max_bytes: see MAX_BYTES. as_text: a number of too many digits."""

    type: pa.DataType
    max_bytes: int | None = None
    as_text: bool = False


class SourceType(Struct, frozen=True):
    """Some MySQL types that are carried alike.

    names: as information_schema has them. carry: None: refused. read: the expression that reads a column.
    is_key: it may be part of a primary key, because MySQL compares it with a bound value in the order it sorts by.
    note: for people.
    """

    names: tuple[str, ...]
    carry: Callable[[ColumnType], Carried] | None
    read: str = "{}"
    is_key: bool = True
    note: str = ""


def _always(kind: pa.DataType, max_bytes: int | None = None) -> Callable[[ColumnType], Carried]:
    return lambda _: Carried(kind, max_bytes)


def _integer(signed: pa.DataType, unsigned: pa.DataType) -> Callable[[ColumnType], Carried]:
    return lambda column: Carried(unsigned if "unsigned" in column.declared else signed)


def _decimal(column: ColumnType) -> Carried:
    digits, scale = column.precision or 10, column.scale or 0
    if digits <= _DIGITS and scale <= _FRACTION:
        return Carried(pa.decimal128(digits, scale))
    return Carried(pa.string(), digits + len("-0."), as_text=True)


def _bit(column: ColumnType) -> Carried:
    bits = column.precision or 1
    return Carried(pa.bool_() if bits == 1 else UNSIGNED_64 if bits == _BIT_ANY else pa.int64())


def _text(column: ColumnType) -> Carried:
    return Carried(pa.string(), None if column.length is None else column.length * _UTF8)


def _binary(column: ColumnType) -> Carried:
    return Carried(pa.binary(), column.length)


SOURCE_TYPES = (
    SourceType(
        ("tinyint",),
        _integer(pa.int16(), pa.int16()),
        note="BOOL too, which is a TINYINT(1) and holds any number from -128 to 127.",
    ),
    SourceType(("smallint",), _integer(pa.int16(), pa.int32())),
    SourceType(("mediumint",), _integer(pa.int32(), pa.int32())),
    SourceType(("int",), _integer(pa.int32(), pa.int64())),
    SourceType(("bigint",), _integer(pa.int64(), UNSIGNED_64)),
    SourceType(
        ("decimal",),
        _decimal,
        note="More than 38 digits, or 37 after the point, are text with every digit; `wide_decimals: error` refuses "
        "them instead.",
    ),
    SourceType(
        ("float", "double"),
        _always(pa.float64()),
        read="{} * 1e0",
        is_key=False,
        note="To the last bit: a FLOAT is the double of exactly its value.",
    ),
    SourceType(
        ("bit",),
        _bit,
        read="CAST({} AS UNSIGNED)",
        note="BIT(1) is a boolean, more bits are a number.",
    ),
    SourceType(
        ("date",), _always(pa.date32()), note="`0000-00-00`, `2025-02-00` and the like follow the rule `zero_dates`."
    ),
    SourceType(("datetime",), _always(TIMESTAMP), note="Wall clock, as it is. Impossible dates: `zero_dates`."),
    SourceType(("timestamp",), _always(INSTANT), note="An instant, in UTC. `0000-00-00 00:00:00`: `zero_dates`."),
    SourceType(
        ("time",),
        _always(pa.string(), _TIME_LENGTH),
        is_key=False,
        note="Text as MySQL prints it, because it goes from -838:59:59 to 838:59:59, and no TIME elsewhere does.",
    ),
    SourceType(("year",), _always(pa.int16())),
    SourceType(
        ("char", "varchar", "tinytext", "text", "mediumtext", "longtext"),
        _text,
        note="From any character set, in UTF-8. Redshift counts bytes: four for each character, 65,535 at most; "
        "longer text follows the rule `too_long`.",
    ),
    SourceType(("enum", "set"), _text, is_key=False, note="The words, of a SET with commas between them."),
    SourceType(("json",), _text, is_key=False, note="Its text."),
    SourceType(("uuid",), _always(pa.string(), 36), is_key=False, note="MariaDB."),
    SourceType(("inet4",), _always(pa.string(), 15), is_key=False, note="MariaDB."),
    SourceType(("inet6",), _always(pa.string(), 39), is_key=False, note="MariaDB."),
    SourceType(
        ("binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob"),
        _binary,
        note="Byte for byte, the padding of BINARY too. Redshift holds 16,777,216 bytes; longer ones are refused.",
    ),
    SourceType(
        (
            "geometry",
            "point",
            "linestring",
            "polygon",
            "multipoint",
            "multilinestring",
            "multipolygon",
            "geometrycollection",
            "geomcollection",
        ),
        None,
        note="Refused: `exclude` the column, or add a generated one with ST_AsText or ST_AsWKB.",
    ),
)
"""Sources: the data types of MySQL 8.4 and MariaDB 11. A type that is not here is refused by name, VECTOR for one."""

_BY_NAME = {name: row for row in SOURCE_TYPES for name in row.names}


def source_type(name: str) -> SourceType | None:
    """The row of a MySQL data type; None for one that is not in the table."""
    return _BY_NAME.get(name)


class WarehouseType(Struct, frozen=True):
    """What the warehouses call the column that holds an Arrow type exactly."""

    postgres: str
    redshift: str
    duckdb: str


def _everywhere(name: str) -> WarehouseType:
    return WarehouseType(name, name, name)


WAREHOUSE_TYPES = {
    pa.bool_(): _everywhere("boolean"),
    pa.int8(): _everywhere("smallint"),
    pa.int16(): _everywhere("smallint"),
    pa.int32(): _everywhere("integer"),
    pa.int64(): _everywhere("bigint"),
    pa.uint8(): _everywhere("smallint"),
    pa.uint16(): _everywhere("integer"),
    pa.uint32(): _everywhere("bigint"),
    pa.uint64(): _everywhere("numeric(20,0)"),
    pa.float32(): _everywhere("real"),
    pa.float64(): _everywhere("double precision"),
    pa.string(): WarehouseType("text", f"varchar({REDSHIFT_TEXT_BYTES})", "text"),
    pa.binary(): WarehouseType("bytea", f"varbyte({REDSHIFT_BINARY_BYTES})", "blob"),
    pa.date32(): _everywhere("date"),
    TIMESTAMP: _everywhere("timestamp"),
    INSTANT: _everywhere("timestamp with time zone"),
}
"""Decimals aside, which every warehouse calls numeric(digits,fraction)."""


def warehouse_type(field: pa.Field) -> WarehouseType:
    """The columns that hold a carried field; KeyError for a type that none holds exactly."""
    kind = field.type
    if pa.types.is_decimal128(kind):
        return _everywhere(f"numeric({kind.precision},{kind.scale})")
    if is_json(field):
        return WarehouseType("json", "super", "json")
    unlimited = WAREHOUSE_TYPES[kind]
    if (width := max_bytes(field)) is None:
        return unlimited
    if pa.types.is_string(kind):
        return WarehouseType(
            unlimited.postgres, f"varchar({min(max(width, 1), REDSHIFT_TEXT_BYTES)})", unlimited.duckdb
        )
    return WarehouseType(unlimited.postgres, f"varbyte({min(max(width, 1), REDSHIFT_BINARY_BYTES)})", unlimited.duckdb)


def is_json(field: pa.Field) -> bool:
    """Whether a field's texts are JSON for the warehouse."""
    return IS_JSON in (field.metadata or {})


def max_bytes(field: pa.Field) -> int | None:
    """How many bytes a value of a text or binary field has at most, None where that is unknown."""
    if not (pa.types.is_string(field.type) or pa.types.is_binary(field.type)):
        return None
    width = (field.metadata or {}).get(MAX_BYTES)
    return None if width is None else int(width)

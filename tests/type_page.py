"""`python -m tests.type_page`: print docs/types.md from the table that sources and warehouses use."""

from pathlib import Path

from wmtui.column_types import SOURCE_TYPES, ColumnType, SourceType, warehouse_type
from wmtui.warehouses.load.types import carried_field

PAGE = Path(__file__).parent.parent / "docs" / "types.md"

_EXAMPLES: dict[str, tuple[ColumnType, ...]] = {
    **{
        name: (ColumnType(name, name), ColumnType(name, f"{name} unsigned"))
        for name in ("tinyint", "smallint", "mediumint", "int", "bigint")
    },
    "decimal": (
        ColumnType("decimal", "decimal(10,2)", 10, 2),
        ColumnType("decimal", "decimal(65,30)", 65, 30),
    ),
    "bit": (ColumnType("bit", "bit(1)", 1), ColumnType("bit", "bit(8)", 8), ColumnType("bit", "bit(64)", 64)),
    "char": (ColumnType("char", "char(3)", length=3),),
    "varchar": (ColumnType("varchar", "varchar(100)", length=100),),
    "tinytext": (ColumnType("tinytext", "tinytext", length=255),),
    "text": (ColumnType("text", "text, mediumtext, longtext", length=65_535),),
    "mediumtext": (),
    "longtext": (),
    "enum": (ColumnType("enum", "enum('a','bcd')", length=3),),
    "set": (ColumnType("set", "set('a','bcd')", length=5),),
    "binary": (ColumnType("binary", "binary(16)", length=16),),
    "varbinary": (ColumnType("varbinary", "varbinary(20)", length=20),),
    "tinyblob": (ColumnType("tinyblob", "tinyblob", length=255),),
    "blob": (ColumnType("blob", "blob", length=65_535),),
    "mediumblob": (ColumnType("mediumblob", "mediumblob, longblob", length=16_777_215),),
    "longblob": (),
}
"""Columns that stand for a type whose declaration has parts; a type without an entry stands for itself."""

_HEAD = """\
# Types

Every MySQL and MariaDB type, the Arrow type it has in a Parquet part, and the column that a load makes of it. Values
arrive as they are: tests compare the edges of every type in each warehouse with what was written in MySQL 9.7 and in
MariaDB 10.11. An existing target may have wider columns; one that would round, cut or convert a value is
refused [before anything is read](targets.md), with the statement that widens it.

| MySQL, MariaDB | in a part | Redshift | PostgreSQL | DuckDB |
|---|---|---|---|---|
"""
_NOTES = """
## What is particular

| type | |
|---|---|
"""
_TAIL = """
Generated columns are read like others. A type without a row here is refused by name, before anything is written;
`exclude` in `tables.yaml` leaves a column out.

## Rules for what cannot be exact

| a table's setting | default | |
|---|---|---|
| `zero_dates` | `error` | `null` reads dates that no calendar has (`2025-00-10`) as NULL, except in cursor and key |
| `too_long` | `error` | `truncate` cuts text to what the warehouse holds, after a whole character, and says how often |
| `wide_decimals` | `text` | digits beyond 38 are text, exactly; `error` refuses the table |

A value that the warehouse cannot hold is refused while it is read, with its column and its row's key, before it becomes
part of a file that no load could take. That is also so for text with a NUL character in Redshift and PostgreSQL.
"""


def page() -> str:
    """The whole page."""
    lines = [line for row in SOURCE_TYPES for line in _lines(row)]
    notes = [f"| {_names(row)} | {row.note} |" for row in SOURCE_TYPES if row.note]
    return _HEAD + "\n".join(lines) + "\n" + _NOTES + "\n".join(notes) + "\n" + _TAIL


def _names(row: SourceType) -> str:
    return ", ".join(row.names)


def _lines(row: SourceType) -> list[str]:
    if row.carry is None:
        return [f"| {_names(row)} | refused | | | |"]
    columns = [column for name in row.names for column in _EXAMPLES.get(name, (ColumnType(name, name),))]
    return [_line(row, column) for column in columns]


def _line(row: SourceType, column: ColumnType) -> str:
    assert row.carry is not None
    carried = row.carry(column)
    there = warehouse_type(carried_field("c", carried.type, carried.max_bytes))
    return f"| {column.declared} | {carried.type} | {there.redshift} | {there.postgres} | {there.duckdb} |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")

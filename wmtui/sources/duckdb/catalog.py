"""Tables of a DuckDB file as DuckDB's catalogue describes them, with exact Arrow types."""

from typing import Any

import duckdb
import pyarrow as pa

from wmtui.column_types import UNSIGNED_64
from wmtui.config import TableConfig
from wmtui.errors import UnsupportedValue
from wmtui.model import TableName
from wmtui.sources.settings_check import missing_schema, missing_table, selected_columns

_COLUMNS = """
SELECT column_name, data_type, is_nullable, numeric_precision, numeric_scale FROM duckdb_columns()
WHERE database_name = current_database() AND schema_name = $schema AND table_name = $table ORDER BY column_index
"""
_KEYS = """
SELECT constraint_column_names FROM duckdb_constraints()
WHERE database_name = current_database() AND schema_name = $schema AND table_name = $table
      AND constraint_type IN ('PRIMARY KEY', 'UNIQUE')
UNION ALL
SELECT expressions::VARCHAR[] FROM duckdb_indexes()
WHERE database_name = current_database() AND schema_name = $schema AND table_name = $table AND is_unique
"""
_SCHEMAS = "SELECT DISTINCT schema_name FROM duckdb_schemas() WHERE database_name = current_database() AND NOT internal"
_TABLES = """
SELECT DISTINCT table_name FROM duckdb_columns() WHERE database_name = current_database() AND schema_name = $schema
"""
_TYPES = {
    "BOOLEAN": pa.int16(),
    "TINYINT": pa.int16(),
    "UTINYINT": pa.int16(),
    "SMALLINT": pa.int16(),
    "USMALLINT": pa.int32(),
    "INTEGER": pa.int32(),
    "UINTEGER": pa.int64(),
    "BIGINT": pa.int64(),
    "UBIGINT": UNSIGNED_64,
    "FLOAT": pa.float64(),
    "DOUBLE": pa.float64(),
    "VARCHAR": pa.string(),
    "BLOB": pa.binary(),
    "DATE": pa.date32(),
    "TIMESTAMP": pa.timestamp("us"),
    "TIMESTAMP_S": pa.timestamp("us"),
    "TIMESTAMP_MS": pa.timestamp("us"),
    "TIMESTAMP WITH TIME ZONE": pa.timestamp("us", tz="UTC"),
}
CURSOR_DIGITS = {"TIMESTAMP_S": 0, "TIMESTAMP_MS": 3}
"""Fraction digits of the types that have fewer than six."""


def arrow_schema(connection: duckdb.DuckDBPyConnection, table: TableName, config: TableConfig) -> pa.Schema:
    """The pinned schema of the columns that are not excluded.

    Raises ConfigError for a missing schema, table or excluded column, UnsupportedValue for a type refused.
    """
    rows = connection.execute(_COLUMNS, {"schema": table.schema, "table": table.name}).fetchall()
    if rows:
        names = selected_columns(table, [row[0] for row in rows], config)
        return pa.schema([_field(table, row) for row in rows if row[0] in names])
    schemas = _first_column(connection, _SCHEMAS)
    if table.schema not in schemas:
        raise missing_schema(table, schemas)
    raise missing_table(table, _first_column(connection, _TABLES, {"schema": table.schema}))


def unique_keys(connection: duckdb.DuckDBPyConnection, table: TableName, schema: pa.Schema) -> list[tuple[str, ...]]:
    """The keys of a table: constraints and unique indexes over columns that are all NOT NULL."""
    not_null = {field.name.lower(): field.name for field in schema if not field.nullable}
    column_lists = _first_column(connection, _KEYS, {"schema": table.schema, "table": table.name})
    keys = [[not_null.get(_unquoted(part).lower(), "") for part in parts] for parts in column_lists]
    return [tuple(key) for key in keys if all(key)]


def _field(table: TableName, column: tuple[Any, ...]) -> pa.Field:
    name, kind, nullable, digits, scale = column
    arrow = pa.decimal128(digits, scale) if kind.startswith("DECIMAL") else _TYPES.get(kind)
    if arrow is None:
        raise UnsupportedValue(
            f"column {name} of {table} has type {kind}",
            "it cannot be carried exactly",
            f"change its type in the source, or `exclude: [{name}]` unless it is cursor or key",
        )
    return pa.field(name, arrow, nullable, {b"source_type": kind.encode()})


def _first_column(connection: duckdb.DuckDBPyConnection, sql: str, values: dict[str, str] | None = None) -> list[Any]:
    return [row[0] for row in connection.execute(sql, values or {}).fetchall()]


def _unquoted(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name

"""Whether a table fits its settings, and the errors where it does not; the same for every source."""

from collections.abc import Collection, Sequence

import pyarrow as pa

from wmtui.config import TableConfig
from wmtui.errors import ConfigError
from wmtui.model import TableName
from wmtui.sources.base import SourceTable
from wmtui.sources.keys import is_key_field
from wmtui.texts import did_you_mean


def missing_schema(table: TableName, schemas: Collection[str], grant: str = "grant SELECT on it") -> ConfigError:
    """The source has no such schema, or hides it from the user. grant: what shows it to the user."""
    return ConfigError(
        f"the source has no schema {table.schema}",
        f"{table} is configured, and the user sees {', '.join(sorted(schemas)) or 'no schema at all'}",
        did_you_mean(table.schema, schemas, f"correct the name in tables.yaml, or {grant}", most=3, cutoff=0.5),
    )


def missing_table(table: TableName, names: Collection[str], grant: str = "grant SELECT on it") -> ConfigError:
    """The schema has no such table, or hides it from the user. grant: what shows it to the user."""
    return ConfigError(
        f"the source has no table {table}",
        f"the user sees {len(names)} other tables in {table.schema}",
        did_you_mean(table.name, names, f"correct the name in tables.yaml, or {grant}", most=3, cutoff=0.5),
    )


def other_spelling(table: TableName, spellings: Sequence[TableName]) -> ConfigError:
    """The source has the name in other case only; it may not tell the two apart, but the warehouse does."""
    names = " or ".join(map(str, spellings))
    return ConfigError(
        f"the source has no table {table}",
        f"it has {names}, and names are compared exactly",
        f"write {names} in tables.yaml",
    )


def unreadable_columns(table: TableName, readable: Sequence[str], grant: str) -> ConfigError:
    """The user may read some of a table's columns, and the source does not show it the others."""
    return ConfigError(
        f"the user may not read every column of {table}",
        f"it may read {', '.join(readable)}; a sync would leave the others out silently",
        f"{grant}; or, if that is what you want, name the columns that it may not read in `exclude`",
    )


def checked_table(
    table: TableName,
    schema: pa.Schema,
    config: TableConfig,
    *,
    cursor_digits: int,
    unique_keys: Collection[tuple[str, ...]],
) -> SourceTable:
    """The description of a table whose cursor and key are what the settings say.

    unique_keys: every set of NOT NULL columns that the source holds unique, in index order.
    Raises ConfigError.
    """
    cursor, primary_key = config.cursor, config.primary_key
    for column, setting in [(cursor, "cursor"), *((column, "primary_key") for column in primary_key)]:
        if column not in schema.names:
            raise _missing_column(table, column, setting, schema.names)
    _check_cursor(table, schema.field(cursor))
    _check_key(table, schema, primary_key, unique_keys)
    return SourceTable(
        table=table,
        schema=schema,
        primary_key=primary_key,
        cursor=cursor,
        cursor_digits=cursor_digits,
        nullable_cursor=schema.field(cursor).nullable,
        null_dates=config.null_dates,
    )


def selected_columns(table: TableName, columns: Sequence[str], config: TableConfig) -> list[str]:
    """The columns that the settings do not exclude. Raises ConfigError for an excluded one that is not there:
    a misspelt name would let the column into the store.
    """
    for column in config.exclude:
        if column not in columns:
            raise _missing_column(table, column, "exclude", columns)
    return [column for column in columns if column not in config.exclude]


def _missing_column(table: TableName, column: str, setting: str, columns: Collection[str]) -> ConfigError:
    return ConfigError(
        f"{table} has no column {column}",
        f"tables.yaml names it as {setting}; there are {', '.join(columns)}",
        did_you_mean(column, columns, f"correct {setting} in tables.yaml", most=3, cutoff=0.5),
    )


def _check_cursor(table: TableName, cursor: pa.Field) -> None:
    if not pa.types.is_timestamp(cursor.type):
        raise ConfigError(
            f"cursor {cursor.name} of {table} has type {_source_type(cursor)}",
            "a cursor is a date with time",
            "name a DATETIME or TIMESTAMP column as cursor in tables.yaml",
        )


def _check_key(
    table: TableName, schema: pa.Schema, key: tuple[str, ...], unique_keys: Collection[tuple[str, ...]]
) -> None:
    if not key:
        return
    if key not in unique_keys:
        known = "; ".join(f"[{', '.join(columns)}]" for columns in unique_keys)
        raise ConfigError(
            f"[{', '.join(key)}] is not a primary key of {table}",
            "it has no unique index with exactly these columns in this order, all NOT NULL",
            f"use primary_key: {known or '[] (rows are appended, at least once), or add an index'}",
        )
    for column in key:
        if not is_key_field(schema.field(column)):
            raise ConfigError(
                f"key column {column} of {table} has type {_source_type(schema.field(column))}",
                "its values cannot be compared exactly in the order they are sorted by",
                "name another unique key, or use primary_key: []",
            )


def _source_type(field: pa.Field) -> str:
    return str(field.metadata[b"source_type"].decode())

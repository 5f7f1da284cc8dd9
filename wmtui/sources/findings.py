"""Findings of `doctor` that every source words alike."""

from wmtui.errors import WmtuiError
from wmtui.model import Check, Level
from wmtui.sources.base import SourceTable


def failed(subject: str, error: WmtuiError) -> Check:
    """An error as a finding."""
    return Check(subject, Level.ERROR, str(error), error.next_step)


def cursor_nulls(table: SourceTable, nulls: int) -> Check:
    """Whether rows escape incremental reading because their cursor is NULL."""
    subject = f"{table.table}: NULL in {table.cursor}"
    if not table.nullable_cursor:
        return Check(subject, Level.OK, "the column is NOT NULL")
    if not nulls:
        return Check(subject, Level.OK, "allowed, none now", "declare the column NOT NULL to keep it so")
    return Check(
        subject, Level.WARNING, f"{nulls} rows, which are never extracted", "fill them and declare the column NOT NULL"
    )


def key_use(table: SourceTable) -> Check:
    """Whether rows can be told apart."""
    subject = f"{table.table}: primary key"
    if table.primary_key:
        return Check(subject, Level.OK, ", ".join(table.primary_key))
    return Check(
        subject,
        Level.WARNING,
        "none: rows are appended, at least once, and an update becomes a second row",
        "name a unique key as primary_key in tables.yaml",
    )


def size(table: SourceTable, rows: int, size: int | None) -> Check:
    """How large a table is, roughly."""
    mebibytes = "" if size is None else f", {size / 2**20:,.1f} MiB with indexes"
    return Check(f"{table.table}: size", Level.OK, f"about {rows:,} rows{mebibytes}")

"""Findings of `doctor` that are the same for every source."""

from datetime import datetime

from wmtui.errors import WmtuiError
from wmtui.model import Check, Level
from wmtui.sources.base import CursorCounts, SourceTable

_LARGE = 10_000_000
"""Rows whose first load takes long enough to block an ALTER TABLE noticeably."""

_TOO_MANY = "counting takes longer than max_statement"
_INDEX_IT = "create an index that begins with it"


def error_finding(subject: str, error: WmtuiError) -> Check:
    """An error as a finding."""
    return Check(subject, Level.ERROR, str(error), error.next_step)


def cursor_nulls(table: SourceTable, counts: CursorCounts | None) -> Check:
    """Whether rows escape incremental reading because their cursor is NULL."""
    subject = f"{table.table}: NULL in {table.cursor}"
    if not table.nullable_cursor:
        return Check(subject, Level.OK, "the column is NOT NULL")
    if counts is None:
        return Check(subject, Level.WARNING, "unknown: without an index they are not counted", _INDEX_IT)
    if counts.nulls is None:
        return Check(subject, Level.WARNING, f"unknown: {_TOO_MANY}", "raise max_statement, or declare it NOT NULL")
    if not counts.nulls:
        return Check(subject, Level.OK, "allowed, none now", "declare the column NOT NULL to keep it so")
    return Check(
        subject,
        Level.WARNING,
        f"{counts.nulls} rows, which are never extracted",
        "fill them and declare the column NOT NULL",
    )


def cursor_reach(table: SourceTable, counts: CursorCounts | None, now: datetime) -> Check:
    """Whether the cursor runs ahead of the source's clock. now: that clock, wall clock in the profile's zone."""
    subject = f"{table.table}: {table.cursor} and the clock"
    if counts is None:
        return Check(subject, Level.WARNING, "unknown: without an index the newest row is not looked for", _INDEX_IT)
    newest = "no row" if counts.newest is None else f"the newest row is of {counts.newest:%Y-%m-%d %H:%M:%S}"
    if counts.future is None:
        return Check(
            subject, Level.WARNING, f"rows in the future: unknown, {_TOO_MANY}; {newest}", "raise max_statement"
        )
    if not counts.future:
        return Check(subject, Level.OK, f"{newest}, the source's clock says {now:%Y-%m-%d %H:%M:%S}")
    return Check(
        subject,
        Level.WARNING,
        f"{counts.future} rows lie in the future, which are not extracted before their time comes; {newest}",
        "correct them; check the time zone that the application writes in, and the profile's `timezone`",
    )


def key_use(table: SourceTable) -> Check:
    """Whether rows have a key that identifies them."""
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
    long = "; a first load is one statement, and an ALTER TABLE meanwhile waits for its end" if rows >= _LARGE else ""
    return Check(f"{table.table}: size", Level.OK, f"about {rows:,} rows{mebibytes}{long}")

"""How a MySQL table stands, by look-ups in its indexes: what incremental reading misses, and single rows."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from wmtui.errors import TableChanged, TimeLimitReached
from wmtui.model import Key, Position
from wmtui.sources.base import FUTURE, CursorCounts, SourceTable, TableState
from wmtui.sources.cursor import column_time, from_utc
from wmtui.sources.keys import timestamp_text
from wmtui.sources.mysql import catalog
from wmtui.sources.mysql.session import Session
from wmtui.sources.span_query import MYSQL, Parameters, equals


def state(session: Session, zone: ZoneInfo, table: SourceTable, now: datetime, key: Key | None) -> TableState:
    """See SourceConnection.state; one statement, without counts where they take too long. Raises SourceError."""
    parameters = Parameters(MYSQL)
    counts = _counts(parameters, zone, table, now)
    looks = {**counts, **_looks(parameters, table, key)}
    if not looks:
        return TableState(None)
    try:
        row = session.query(_asked(looks), parameters.values, session.longest)[0]
    except TimeLimitReached:
        quick = {name: sql for name, sql in looks.items() if name not in ("nulls", "future")}
        row = {"nulls": None, "future": None, **session.query(_asked(quick), parameters.values)[0]}
    at = _wall(row.get("newest_at"), zone, table)
    return TableState(
        CursorCounts(row["nulls"], row["future"], _wall(row["newest"], zone, table)) if counts else None,
        _wall(row.get("cursor"), zone, table),
        None if at is None else Position(at, (int(row["newest_key"]),)),
    )


def _counts(parameters: Parameters, zone: ZoneInfo, table: SourceTable, now: datetime) -> dict[str, str]:
    """What the cursor's index tells; nothing without one."""
    if table.cursor_index is None:
        return {}
    column = table.schema.field(table.cursor).type
    ahead = parameters.bind(timestamp_text(column_time(now + FUTURE, column, zone)), column)
    name = MYSQL.name(table.cursor)
    return {
        "nulls": MYSQL.select("COUNT(*)", table.table, f"{name} IS NULL") if table.nullable_cursor else "SELECT 0",
        "future": MYSQL.select("COUNT(*)", table.table, f"{name} > {ahead}"),
        "newest": MYSQL.select(name, table.table, f"{name} <= {ahead}", f"{name} DESC LIMIT 1"),
    }


def _looks(parameters: Parameters, table: SourceTable, key: Key | None) -> dict[str, str]:
    """Single rows: that of a key, and that of the greatest key where it is counted up."""
    cursor = MYSQL.name(table.cursor)
    looks = {}
    if key is not None and table.primary_key:
        looks["cursor"] = MYSQL.select(cursor, table.table, equals(parameters, table, key))
    if table.counted_key:
        last = f"{MYSQL.name(table.primary_key[0])} DESC LIMIT 1"
        looks["newest_key"] = MYSQL.select(MYSQL.name(table.primary_key[0]), table.table, "TRUE", last)
        looks["newest_at"] = MYSQL.select(cursor, table.table, "TRUE", last)
    return looks


def _asked(looks: dict[str, str]) -> str:
    """One statement, which sees all of it at one moment."""
    return "SELECT " + ", ".join(f"({sql}) AS `{name}`" for name, sql in looks.items())


def refuse_changed(session: Session, table: SourceTable) -> None:
    """Raises TableChanged when the table is not the one that was described: another one under its name, rebuilt,
    emptied, or with other columns.
    """
    entry = catalog.read(session, table.table)
    now = {column.name: column for column in entry.columns}
    changed = [name for name, number in table.partitions.items() if entry.partitions.get(name, number) != number]
    for field in table.schema:
        column = now.get(field.name)
        described = (field.metadata[b"source_type"].decode(), field.metadata[b"extra"].decode())
        if column is None or (column.type.declared, column.extra) != described:
            changed.append(field.name)
    if changed or entry.incarnation != table.incarnation:
        what = f" ({', '.join(changed)})" if changed else ""
        raise TableChanged(
            f"{table.table} was altered or replaced while it was read{what}",
            "rows of two tables, or of two forms of one, would be mixed",
            "nothing of this run is committed; sync again when the change is over",
        )


def cursor_of(session: Session, zone: ZoneInfo, table: SourceTable, key: Key) -> datetime | None:
    """See SourceConnection.cursor_of. Raises SourceError."""
    parameters = Parameters(MYSQL)
    where = equals(parameters, table, key)
    rows = session.query(MYSQL.select(f"{MYSQL.name(table.cursor)} AS at", table.table, where), parameters.values)
    return _wall(rows[0]["at"], zone, table) if rows else None


def _wall(value: Any, zone: ZoneInfo, table: SourceTable) -> datetime | None:
    """A cursor as the driver shows it, in UTC where the column has a zone; it shows a zero date as None."""
    if value is None:
        return None
    in_utc = table.schema.field(table.cursor).type.tz is not None
    return from_utc(value, zone) if in_utc else value

"""How a MySQL table stands, by look-ups in its indexes: what incremental reading misses, and single rows."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from wmtui.errors import TableChanged, TimeLimitReached
from wmtui.model import Key, Position
from wmtui.sources.base import FUTURE, CursorCounts, SourceTable
from wmtui.sources.cursor import column_time, from_utc
from wmtui.sources.keys import timestamp_text
from wmtui.sources.mysql import catalog
from wmtui.sources.mysql.session import Session
from wmtui.sources.span_query import MYSQL, Parameters, equals


def cursor_counts(session: Session, zone: ZoneInfo, table: SourceTable, now: datetime) -> CursorCounts | None:
    """See SourceConnection.cursor_counts. Raises SourceError."""
    if table.cursor_index is None:
        return None
    column = table.schema.field(table.cursor).type
    parameters = Parameters(MYSQL)
    ahead = parameters.bind(timestamp_text(column_time(now + FUTURE, column, zone)), column)
    name = MYSQL.name(table.cursor)
    nulls = MYSQL.select("COUNT(*)", table.table, f"{name} IS NULL") if table.nullable_cursor else "SELECT 0"
    future = MYSQL.select("COUNT(*)", table.table, f"{name} > {ahead}")
    newest = MYSQL.select(name, table.table, f"{name} <= {ahead}", f"{name} DESC LIMIT 1")
    sql = f"SELECT ({nulls}) AS nulls, ({future}) AS future, ({newest}) AS newest"
    try:
        row = session.query(sql, parameters.values, session.longest)[0]
    except TimeLimitReached:
        row = session.query(f"SELECT ({newest}) AS newest", parameters.values)[0]
        return CursorCounts(None, None, _wall(row["newest"], zone, table))
    return CursorCounts(int(row["nulls"]), int(row["future"]), _wall(row["newest"], zone, table))


def refuse_changed(session: Session, table: SourceTable) -> None:
    """Raises TableChanged when the table is not the one that was described: another one under its name, rebuilt,
    emptied, or with other columns.
    """
    numbers = catalog.numbers(session, table.table)
    incarnation = catalog.incarnation(session, table.table, numbers.pop("", None))
    now = {column.name: column for column in catalog.columns(session, table.table)}
    changed = [name for name, number in table.partitions.items() if numbers.get(name, number) != number]
    for field in table.schema:
        column = now.get(field.name)
        described = (field.metadata[b"source_type"].decode(), field.metadata[b"extra"].decode())
        if column is None or (column.type.declared, column.extra) != described:
            changed.append(field.name)
    if changed or incarnation != table.incarnation:
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


def newest_key(session: Session, zone: ZoneInfo, table: SourceTable) -> Position | None:
    """See SourceConnection.newest_key; only of a key that the server counts up. Raises SourceError."""
    key, cursor = (MYSQL.name(column) for column in (table.primary_key[0], table.cursor))
    sql = MYSQL.select(f"{key} AS number, {cursor} AS at", table.table, "TRUE", f"{key} DESC LIMIT 1")
    rows = session.query(sql)
    at = _wall(rows[0]["at"], zone, table) if rows else None
    return None if at is None else Position(at, (int(rows[0]["number"]),))


def _wall(value: Any, zone: ZoneInfo, table: SourceTable) -> datetime | None:
    """A cursor as the driver shows it, in UTC where the column has a zone; it shows a zero date as None."""
    if value is None:
        return None
    in_utc = table.schema.field(table.cursor).type.tz is not None
    return from_utc(value, zone) if in_utc else value

"""How large a span of a MySQL table is and where to cut it, without reading it."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
from msgspec.structs import replace

from wmtui.errors import TimeLimitReached
from wmtui.model import Key, KeyValue, Position, Span
from wmtui.sources.base import SourceTable
from wmtui.sources.cursor import from_utc
from wmtui.sources.key_ranges import even_boundaries, sampled_boundaries
from wmtui.sources.keys import is_integer, key_of
from wmtui.sources.mysql.rows import record_batches
from wmtui.sources.mysql.session import Session
from wmtui.sources.span_query import MYSQL, Parameters, SpanQuery, equals

_SMALL = 20_000
"""Estimates below this many rows are replaced by the rows: index estimates are poor there, and reading is quick."""

_MANY = 100_000
"""Rows that take long enough to sort for the first one to be missed: 1.1 s for 100,000 of a million (MySQL 9.7)."""

_SAMPLES_PER_PIECE = 32
_MAX_SAMPLES = 256
"""Index look-ups to spend on a sample, a fraction of a millisecond each."""


def estimate(session: Session, query: SpanQuery) -> int:
    """The optimizer's estimate of the rows, or their count where that is small, unless counting takes too long."""
    rows = estimated(session, query)
    if rows < _SMALL:
        with suppress(TimeLimitReached):
            return int(session.query(query.select("COUNT(*) AS n"), query.parameters, session.longest)[0]["n"])
    return rows


def sorts(session: Session, sql: str, values: Mapping[str, KeyValue]) -> bool:
    """Whether the optimizer means to sort many rows: a large window of a cursor it reads from the table, not by the
    cursor's index, and then no row comes before all are sorted.
    """
    steps = _plan(session, sql, values)
    return any(_sorting(step) and int(step["rows"] or 0) >= _MANY for step in steps)


def needs_sort(session: Session, sql: str, values: Mapping[str, KeyValue]) -> bool:
    """Whether no index has the rows of a statement in its order."""
    return any(map(_sorting, _plan(session, sql, values)))


def boundaries(session: Session, zone: ZoneInfo, table: SourceTable, span: Span, pieces: int) -> list[Key]:
    """Keys that cut the span into at most `pieces` ranges of about equal rows.

    An integer key is cut evenly between its ends. Any other key is sampled, a large span at even steps of the cursor
    through the cursor's index; without that index it stays whole.
    Raises TimeLimitReached when finding its ends takes too long.
    """
    query = SpanQuery(MYSQL, zone, table, span)
    leading = table.primary_key[0]
    if is_integer(table.schema.field(leading).type):
        ends = _walked_ends(session, query, leading) if span.after is None else _ends(session, query, leading)
        return even_boundaries(int(ends[0]), int(ends[1]), pieces) if ends else []
    if estimated(session, query) < _SMALL:
        columns = MYSQL.names(table.primary_key)
        return sampled_boundaries(_keys(session, table, query.select(columns, columns), query.parameters), pieces)
    if table.cursor_index is None:
        return []
    return sampled_boundaries(_sample(session, zone, table, span, pieces), pieces)


def estimated(session: Session, query: SpanQuery) -> int:
    """The optimizer's estimate of a span's rows."""
    return estimated_rows(session, query.select("1"), query.parameters)


def estimated_rows(session: Session, sql: str, values: Mapping[str, KeyValue]) -> int:
    """How many rows the optimizer expects a statement to go through."""
    return int(_plan(session, sql, values)[0]["rows"] or 0)


def _plan(session: Session, sql: str, values: Mapping[str, KeyValue]) -> list[dict[str, Any]]:
    return session.query(f"EXPLAIN FORMAT=TRADITIONAL {sql}", values)


def _sorting(step: dict[str, Any]) -> bool:
    return "filesort" in (step["extra"] or "")


def _ends(session: Session, query: SpanQuery, column: str) -> tuple[Any, Any] | None:
    """Lowest and highest value in the span, None for an empty one."""
    name = MYSQL.name(column)
    row = session.query(
        query.select(f"MIN({name}) AS lowest, MAX({name}) AS highest"), query.parameters, session.longest
    )[0]
    return None if row["lowest"] is None else (row["lowest"], row["highest"])


def _walked_ends(session: Session, query: SpanQuery, column: str) -> tuple[Any, Any] | None:
    """What `_ends` finds, by the first hit from either end of the column's index, where few rows on the way are
    outside.

    MariaDB 10.11 answers NULL to MIN or MAX of a TIMESTAMP column below a bound outside that type's range.
    """
    name = MYSQL.name(column)
    hits = [
        session.query(
            query.select(f"{name} AS value", f"{name} {direction} LIMIT 1"), query.parameters, session.longest
        )
        for direction in ("ASC", "DESC")
    ]
    return (hits[0][0]["value"], hits[1][0]["value"]) if all(hits) else None


def _sample(session: Session, zone: ZoneInfo, table: SourceTable, span: Span, pieces: int) -> list[Key]:
    """Distinct keys of the span in the server's order."""
    ends = _walked_ends(session, SpanQuery(MYSQL, zone, table, span), table.cursor)
    if ends is None or None in ends:  # the driver shows a zero date as None
        return []
    in_utc = table.schema.field(table.cursor).type.tz is not None
    first, last = (from_utc(end, zone) if in_utc else end for end in ends)
    samples = min(_MAX_SAMPLES, pieces * _SAMPLES_PER_PIECE)
    columns, order = MYSQL.names(table.primary_key), f"{MYSQL.name(table.cursor)} LIMIT 1"
    keys: set[Key] = set()
    for step in range(samples):
        at = Position(first + (last - first) * step / samples)
        query = SpanQuery(MYSQL, zone, table, replace(span, after=at, inclusive=True))
        keys.update(_keys(session, table, query.select(columns, order), query.parameters))
    return _in_server_order(session, table, keys)


def _in_server_order(session: Session, table: SourceTable, keys: set[Key]) -> list[Key]:
    """The keys sorted by the collations of their columns; one whose row is gone meanwhile is left out."""
    if not keys:
        return []
    parameters = Parameters(MYSQL)
    columns = MYSQL.names(table.primary_key)
    where = " OR ".join(equals(parameters, table, key) for key in keys)
    return _keys(session, table, MYSQL.select(columns, table.table, where, columns), parameters.values)


def _keys(session: Session, table: SourceTable, sql: str, values: Mapping[str, KeyValue]) -> list[Key]:
    keys_only = replace(table, schema=pa.schema([table.schema.field(name) for name in table.primary_key]))
    with session.stream(sql, values) as cursor:
        return [
            key_of(batch, row, keys_only)
            for batch in record_batches(cursor, keys_only, _SMALL)
            for row in range(batch.num_rows)
        ]

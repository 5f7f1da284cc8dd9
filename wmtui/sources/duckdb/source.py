"""A DuckDB file as a source: the sandbox of the demo."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Self
from zoneinfo import ZoneInfo

import pyarrow as pa
from msgspec.structs import replace

from wmtui.config import DuckDBConfig, TableConfig
from wmtui.errors import ConfigError, SourceError, UnsupportedValue
from wmtui.model import Check, Clock, Key, Level, Span, TableName
from wmtui.sources import doctor_checks
from wmtui.sources.base import FUTURE, CursorCounts, SourceClock, SourceTable, TableState, Tell, silent
from wmtui.sources.cursor import column_time, from_utc
from wmtui.sources.duckdb import catalog
from wmtui.sources.duckdb.rows import record_batches, scan_batches
from wmtui.sources.duckdb.session import Session, open_session
from wmtui.sources.key_ranges import ranges
from wmtui.sources.keys import key_of, timestamp_text
from wmtui.sources.settings_check import checked_table
from wmtui.sources.span_query import Parameters, SpanQuery, equals, scan_query

_KEYS = 10_000


class DuckDBSource:
    """A DuckDB file, opened read-only per operation; see the `Source` protocol.

    zone: that of its TIMESTAMP values. clock: what now is, since the file has no clock of its own.
    """

    def __init__(self, config: DuckDBConfig, zone: ZoneInfo, clock: Clock) -> None:
        self._path = config.path
        self._zone = zone
        self._clock = clock

    def connect(self) -> "DuckDBConnection":
        """See Source.connect."""
        return DuckDBConnection(self._path, self._zone, self._clock)

    def check(self) -> list[Check]:
        """See Source.check."""
        try:
            with open_session(self._path) as session:
                version = session.value("SELECT version()")
        except SourceError as error:
            return [doctor_checks.error_finding("source", error)]
        return [Check("source", Level.OK, f"DuckDB {version} reads {self._path}")]

    def check_table(self, table: TableName, config: TableConfig) -> list[Check]:
        """See Source.check_table."""
        with self.connect() as connection:
            try:
                described = connection.describe(table, config)
            except (ConfigError, UnsupportedValue) as error:
                return [doctor_checks.error_finding(str(table), error)]
            now = connection.clock().now
            counts = connection.state(described, now).counts
        with open_session(self._path) as session:
            rows = int(session.value(session.dialect.select("COUNT(*)", table, "true")))
        return [
            doctor_checks.key_use(described),
            doctor_checks.cursor_nulls(described, counts),
            doctor_checks.cursor_reach(described, counts, now),
            doctor_checks.size(described, rows, None),
        ]


class DuckDBConnection:
    """The DuckDB file to the end of a run; see the `SourceConnection` protocol. It is opened for each operation, so
    that the program that writes it gets in between.
    """

    def __init__(self, path: str, zone: ZoneInfo, clock: Clock) -> None:
        self._path = path
        self._zone = zone
        self._clock = clock

    @property
    def server(self) -> str:
        """See SourceConnection.server."""
        return self._path

    @property
    def careful(self) -> str:
        """See SourceConnection.careful."""
        return ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is left open."""

    def describe(self, table: TableName, config: TableConfig) -> SourceTable:
        """See SourceConnection.describe."""
        with open_session(self._path) as session:
            schema = catalog.arrow_schema(session.connection, table, config)
            keys = catalog.unique_keys(session.connection, table, schema)
        types = {field.name: field.metadata[b"source_type"].decode() for field in schema}
        digits = catalog.CURSOR_DIGITS.get(types.get(config.cursor, ""), 6)
        return checked_table(table, schema, config, cursor_digits=digits, unique_keys=keys)

    def collations(self, _table: TableName) -> Mapping[str, str]:
        """None: bytes are compared."""
        return {}

    def clock(self, lookback: timedelta | None = None) -> SourceClock:  # noqa: ARG002 - there are no writers
        """See SourceConnection.clock; DuckDB lets no other process write while the file is open for reading."""
        return SourceClock(from_utc(self._clock(), self._zone))

    def read(
        self,
        table: SourceTable,
        span: Span,
        batch_rows: int,
        tell: Tell = silent,  # noqa: ARG002 - nothing to tell
    ) -> Iterator[pa.RecordBatch]:
        """See SourceConnection.read; in one statement."""
        with open_session(self._path) as session:
            query = SpanQuery(session.dialect, self._zone, table, span)
            sql = query.rows([session.dialect.name(name) for name in table.schema.names])
            yield from record_batches(session.connection, table, sql, query.parameters, batch_rows)

    def scan(
        self,
        table: SourceTable,
        batch_rows: int,
        keys: Sequence[Key] | None = None,
        tell: Tell = silent,  # noqa: ARG002 - nothing to tell
    ) -> Iterator[pa.RecordBatch]:
        """See SourceConnection.scan; in one statement."""
        with open_session(self._path) as session:
            columns = [session.dialect.name(name) for name in table.schema.names]
            sql, values = scan_query(session.dialect, table, columns, keys)
            yield from scan_batches(session.connection, table, sql, values, batch_rows)

    def estimate(self, table: SourceTable, span: Span) -> int:
        """See SourceConnection.estimate; counted."""
        with open_session(self._path) as session:
            query = SpanQuery(session.dialect, self._zone, table, span)
            return int(session.value(query.select("COUNT(*)"), query.parameters))

    def sorts(self, table: SourceTable, span: Span) -> bool:  # noqa: ARG002 - it sorts in this very process
        """See SourceConnection.sorts."""
        return False

    def split(self, table: SourceTable, span: Span, pieces: int) -> list[Span]:
        """See SourceConnection.split."""
        if pieces < 2 or not table.primary_key:
            return [span]
        with open_session(self._path) as session:
            query = SpanQuery(session.dialect, self._zone, table, span)
            return ranges(span, _boundaries(session, query, table, pieces))

    def state(self, table: SourceTable, now: datetime, key: Key | None = None) -> TableState:
        """See SourceConnection.state; no key is known to be counted up."""
        cursor = None if key is None else self.cursor_of(table, key)
        return TableState(self._counts(table, now), cursor)

    def _counts(self, table: SourceTable, now: datetime) -> CursorCounts:
        """A column alone is quickly read, so that no index is needed."""
        column = table.schema.field(table.cursor).type
        with open_session(self._path) as session:
            parameters = Parameters(session.dialect)
            ahead = parameters.bind(timestamp_text(column_time(now + FUTURE, column, self._zone)), column)
            name = session.dialect.name(table.cursor)
            counts = f"COUNT(*) FILTER ({name} IS NULL), COUNT(*) FILTER ({name} > {ahead})"
            sql = session.dialect.select(f"{counts}, MAX({name}) FILTER ({name} <= {ahead})", table.table, "true")
            nulls, future, newest = session.connection.execute(sql, dict(parameters.values)).fetchall()[0]
        return CursorCounts(nulls, future, self._wall(newest))

    def cursor_of(self, table: SourceTable, key: Key) -> datetime | None:
        """See SourceConnection.cursor_of."""
        with open_session(self._path) as session:
            parameters = Parameters(session.dialect)
            where = equals(parameters, table, key)
            sql = session.dialect.select(session.dialect.name(table.cursor), table.table, where)
            rows = session.connection.execute(sql, dict(parameters.values)).fetchall()
        return self._wall(rows[0][0]) if rows else None

    def _wall(self, cursor: datetime | None) -> datetime | None:
        if cursor is None:
            return None
        return cursor if cursor.tzinfo is None else from_utc(cursor, self._zone)


def _boundaries(session: Session, query: SpanQuery, table: SourceTable, pieces: int) -> list[Key]:
    """Keys at even steps through the sorted span."""
    rows = session.value(query.select("COUNT(*)"), query.parameters)
    row_numbers = [rows * piece // pieces for piece in range(1, pieces)]
    columns = session.dialect.names(table.primary_key)
    keys_only = replace(table, schema=pa.schema([table.schema.field(name) for name in table.primary_key]))
    sql = query.select(columns, columns)
    keys: list[Key] = []
    passed_rows = 0
    for batch in record_batches(session.connection, keys_only, sql, query.parameters, _KEYS):
        keys += [
            key_of(batch, row - passed_rows, keys_only)
            for row in row_numbers
            if passed_rows <= row < passed_rows + batch.num_rows
        ]
        passed_rows += batch.num_rows
    return list(dict.fromkeys(keys))

"""MySQL and MariaDB as a source."""

import time
from collections.abc import Iterator, Mapping, Sequence
from threading import Lock
from zoneinfo import ZoneInfo

import pyarrow as pa

from wmtui.config import MySQLConfig, TableConfig
from wmtui.errors import ConfigError, UnsupportedValue
from wmtui.model import Check, Key, KeyValue, Span, TableName
from wmtui.sources import mysql_catalog as catalog
from wmtui.sources import mysql_doctor as doctor
from wmtui.sources import mysql_plan as plan
from wmtui.sources.base import SourceClock, SourceTable
from wmtui.sources.cursor import from_utc
from wmtui.sources.findings import failed
from wmtui.sources.fit import fitted
from wmtui.sources.mysql_clock import ServerClock, server_clock
from wmtui.sources.mysql_columns import kept_columns
from wmtui.sources.mysql_rows import record_batches
from wmtui.sources.mysql_session import Session
from wmtui.sources.mysql_types import arrow_field, select_expression
from wmtui.sources.split import ranges
from wmtui.sources.sql import MYSQL, SpanQuery, scan_query

_CLOCK_SECONDS = 0.2
"""Threads share a reading of the clock this long: InnoDB renews its list of transactions only when left alone."""


class MySQLSource:
    """A MySQL or MariaDB server; see the `Source` protocol. `zone` is the zone of its DATETIME values."""

    def __init__(self, config: MySQLConfig, zone: ZoneInfo) -> None:
        self._config = config
        self._zone = zone
        self._clock_lock = Lock()
        self._last_clock: tuple[float, ServerClock] | None = None

    def describe(self, table: TableName, config: TableConfig) -> SourceTable:
        """See Source.describe."""
        with Session(self._config) as session:
            columns = kept_columns(session, table, config)
            unique_keys = [index.columns for index in catalog.indexes(session, table) if index.unique_not_null]
        schema = pa.schema([arrow_field(table, column, config) for column in columns])
        digits = {column.name: column.fraction_digits or 0 for column in columns}.get(config.cursor, 0)
        return fitted(table, schema, config, cursor_digits=digits, unique_keys=unique_keys)

    def clock(self) -> SourceClock:
        """See Source.clock."""
        clock = self._shared_clock()
        oldest = clock.oldest_writer and from_utc(clock.oldest_writer, self._zone)
        return SourceClock(from_utc(clock.now, self._zone), oldest, clock.sees_transactions)

    def read(self, table: SourceTable, span: Span, batch_rows: int) -> Iterator[pa.RecordBatch]:
        """See Source.read."""
        query = SpanQuery(MYSQL, self._zone, table, span)
        yield from self._stream(table, query.rows(_columns(table)), query.parameters, batch_rows)

    def scan(self, table: SourceTable, batch_rows: int, keys: Sequence[Key] | None = None) -> Iterator[pa.RecordBatch]:
        """See Source.scan."""
        yield from self._stream(table, *scan_query(MYSQL, table, _columns(table), keys), batch_rows)

    def estimate(self, table: SourceTable, span: Span) -> int:
        """See Source.estimate."""
        with Session(self._config) as session:
            return plan.estimate(session, SpanQuery(MYSQL, self._zone, table, span))

    def split(self, table: SourceTable, span: Span, pieces: int) -> list[Span]:
        """See Source.split."""
        if pieces < 2 or not table.primary_key:
            return [span]
        with Session(self._config) as session:
            return ranges(span, plan.boundaries(session, self._zone, table, span, pieces))

    def null_cursors(self, table: SourceTable) -> int:
        """See Source.null_cursors."""
        if not table.nullable_cursor:
            return 0
        with Session(self._config) as session:
            return catalog.count_nulls(session, table.table, table.cursor)

    def check(self) -> list[Check]:
        """See Source.check."""
        return doctor.check_server(self._config)

    def check_table(self, table: TableName, config: TableConfig) -> list[Check]:
        """See Source.check_table."""
        try:
            described = self.describe(table, config)
        except (ConfigError, UnsupportedValue) as error:
            return [failed(str(table), error)]
        with Session(self._config) as session:
            return doctor.check_table(session, described)

    def _stream(
        self, table: SourceTable, sql: str, values: Mapping[str, KeyValue], batch_rows: int
    ) -> Iterator[pa.RecordBatch]:
        with Session(self._config) as session, session.stream(sql, values) as cursor:
            yield from record_batches(cursor, table, batch_rows)

    def _shared_clock(self) -> ServerClock:
        """An older reading is a safe one: its `now` is as old as its transactions."""
        with self._clock_lock:
            if self._last_clock and time.monotonic() - self._last_clock[0] < _CLOCK_SECONDS:
                return self._last_clock[1]
            started = time.monotonic()
            with Session(self._config) as session:
                clock = server_clock(session)
            self._last_clock = (started, clock)
            return clock


def _columns(table: SourceTable) -> list[str]:
    """How every column is read."""
    return [select_expression(field, MYSQL.name(field.name)) for field in table.schema]

"""MySQL and MariaDB as a source."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from threading import Lock
from typing import Self
from zoneinfo import ZoneInfo

import pyarrow as pa
from msgspec.structs import replace

from wmtui.config import MySQLConfig, TableConfig
from wmtui.errors import ConfigError, TimeLimitReached, UnsupportedValue
from wmtui.model import Check, Key, KeyValue, Span, TableName
from wmtui.sources.base import SourceClock, SourceTable, TableState, Tell, silent
from wmtui.sources.cursor import from_utc
from wmtui.sources.doctor_checks import error_finding
from wmtui.sources.key_ranges import ranges
from wmtui.sources.mysql import catalog, doctor, span_size, table_state
from wmtui.sources.mysql.chunk_size import limits_of
from wmtui.sources.mysql.chunks import ChunkReader
from wmtui.sources.mysql.clock import Reading, oldest_writer, read_clock
from wmtui.sources.mysql.column_types import arrow_field, select_expression
from wmtui.sources.mysql.columns import readable_columns
from wmtui.sources.mysql.pace import ReplicaWatch, RowRate
from wmtui.sources.mysql.rows import record_batches
from wmtui.sources.mysql.session import Session
from wmtui.sources.settings_check import checked_table
from wmtui.sources.span_query import MYSQL, SpanQuery, scan_query

_SHARED_SECONDS = 0.2
"""Connections to one server share a reading this long: InnoDB renews its list of transactions only when left alone."""

_USUAL_LOOKBACK = timedelta(seconds=60)


class SharedReadings:
    """The last reading of each server's clock. An older one is safe: its `now` is as old as its transactions."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._last: dict[str, tuple[float, Reading]] = {}

    def read(self, session: Session) -> Reading:
        """A reading of the session's server, taken now or just before by another connection to it."""
        with self._lock:
            at, reading = self._last.get(session.server.identity, (0.0, None))
            if reading is None or time.monotonic() - at >= _SHARED_SECONDS:
                at = time.monotonic()
                reading = read_clock(session, session.server)
                self._last[session.server.identity] = (at, reading)
            return reading


class MySQLSource:
    """A MySQL or MariaDB server; see the `Source` protocol. `zone` is the zone of its DATETIME values."""

    def __init__(self, config: MySQLConfig, zone: ZoneInfo) -> None:
        self._config = config
        self._zone = zone
        self._readings = SharedReadings()
        self._rate = RowRate(config.max_rows_per_second)

    def connect(self) -> "MySQLConnection":
        """See Source.connect."""
        return MySQLConnection(self._config, self._zone, self._readings, self._rate)

    def check(self) -> list[Check]:
        """See Source.check."""
        return doctor.check_server(self._config)

    def check_table(self, table: TableName, config: TableConfig) -> list[Check]:
        """See Source.check_table."""
        with self.connect() as connection:
            try:
                described = connection.describe(table, config)
            except (ConfigError, UnsupportedValue) as error:
                return [error_finding(str(table), error)]
            now = connection.clock().now
            counts = connection.state(described, now).counts
            return doctor.check_table(connection.session, described, counts, now)


class MySQLConnection:
    """See the `SourceConnection` protocol."""

    def __init__(self, config: MySQLConfig, zone: ZoneInfo, readings: SharedReadings, rate: RowRate) -> None:
        self._zone = zone
        self._readings = readings
        self._rate = rate
        self._watch = ReplicaWatch(config)
        self._limits = limits_of(config)
        self._count_idle = config.open_transactions == "all"
        self.session = Session(config)

    @property
    def server(self) -> str:
        """See SourceConnection.server."""
        return self.session.server.identity

    @property
    def careful(self) -> str:
        """See SourceConnection.careful."""
        return self.session.careful

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.session.close()

    def describe(self, table: TableName, config: TableConfig) -> SourceTable:
        """See SourceConnection.describe."""
        entry = catalog.read(self.session, table)
        columns, indexes = readable_columns(self.session, table, entry.columns, config), entry.indexes
        unique_keys = [index.columns for index in indexes if index.unique_not_null]
        schema = pa.schema([arrow_field(table, column, config) for column in columns])
        digits = {column.name: column.fraction_digits or 0 for column in columns}.get(config.cursor, 0)
        described = checked_table(table, schema, config, cursor_digits=digits, unique_keys=unique_keys)
        counted = {(column.name,) for column in columns if "auto_increment" in column.extra.lower()}
        return replace(
            described,
            incarnation=entry.incarnation,
            partitions=entry.partitions,
            counted_key=described.primary_key in counted,
            cursor_index=_cursor_index(indexes, described),
            key_index=next((index.name for index in indexes if index.orders(described.primary_key)), None),
        )

    def collations(self, table: TableName) -> Mapping[str, str]:
        """See SourceConnection.collations."""
        return catalog.collations(self.session, table)

    def clock(self, lookback: timedelta | None = None) -> SourceClock:
        """See SourceConnection.clock."""
        reading = self._readings.read(self.session)
        patience = _USUAL_LOOKBACK if lookback is None else lookback
        writer = oldest_writer(self.session, reading, lookback=patience, idle=self._count_idle)
        if writer is not None:
            writer = replace(writer, started=from_utc(writer.started, self._zone))
        return SourceClock(from_utc(reading.now, self._zone), writer, reading.blind, reading.delay)

    def read(self, table: SourceTable, span: Span, batch_rows: int, tell: Tell = silent) -> Iterator[pa.RecordBatch]:
        """See SourceConnection.read."""
        yield from self._chunks(table, batch_rows, tell).read(span)

    def scan(
        self, table: SourceTable, batch_rows: int, keys: Sequence[Key] | None = None, tell: Tell = silent
    ) -> Iterator[pa.RecordBatch]:
        """See SourceConnection.scan."""
        if keys is None:
            yield from self._chunks(table, batch_rows, tell).scan()
        else:
            yield from self._stream(table, *scan_query(MYSQL, table, _columns(table), keys), batch_rows)

    def estimate(self, table: SourceTable, span: Span) -> int:
        """See SourceConnection.estimate."""
        return span_size.estimate(self.session, SpanQuery(MYSQL, self._zone, table, span))

    def sorts(self, table: SourceTable, span: Span) -> bool:
        """See SourceConnection.sorts."""
        query = SpanQuery(MYSQL, self._zone, table, span)
        return span_size.sorts(self.session, query.rows(_columns(table)), query.parameters)

    def split(self, table: SourceTable, span: Span, pieces: int) -> list[Span]:
        """See SourceConnection.split."""
        if pieces < 2 or not table.primary_key:
            return [span]
        with suppress(TimeLimitReached):
            return ranges(span, span_size.boundaries(self.session, self._zone, table, span, pieces))
        return [span]

    def state(self, table: SourceTable, now: datetime, key: Key | None = None) -> TableState:
        """See SourceConnection.state."""
        return table_state.state(self.session, self._zone, table, now, key)

    def cursor_of(self, table: SourceTable, key: Key) -> datetime | None:
        """See SourceConnection.cursor_of."""
        return table_state.cursor_of(self.session, self._zone, table, key)

    def _chunks(self, table: SourceTable, batch_rows: int, tell: Tell) -> ChunkReader:
        return ChunkReader(
            self.session,
            self._zone,
            table,
            batch_rows,
            limits=self._limits,
            rate=self._rate,
            watch=self._watch,
            tell=tell,
        )

    def _stream(
        self, table: SourceTable, sql: str, values: Mapping[str, KeyValue], batch_rows: int
    ) -> Iterator[pa.RecordBatch]:
        with self.session.stream(sql, values) as cursor:
            yield from record_batches(cursor, table, batch_rows)


def _cursor_index(indexes: Sequence[catalog.Index], table: SourceTable) -> str | None:
    """An index that begins with the cursor; best one that goes on with the key, as InnoDB has one of nothing else."""
    serving = [index for index in indexes if index.serves(table.cursor)]
    best = [index for index in serving if index.columns[1:] == table.primary_key[: len(index.columns) - 1]]
    return next((index.name for index in (*best, *serving)), None)


def _columns(table: SourceTable) -> list[str]:
    """How every column is read."""
    return [select_expression(field, MYSQL.name(field.name)) for field in table.schema]

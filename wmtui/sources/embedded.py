"""A DuckDB file as a source: the sandbox of the demo."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa

from wmtui.config import DuckDBConfig
from wmtui.errors import ConfigError, SourceError, UnsupportedValue
from wmtui.model import Check, Clock, Key, KeyValue, Level, Span, TableName
from wmtui.sources import embedded_catalog as catalog
from wmtui.sources import findings
from wmtui.sources.base import SourceClock, SourceTable
from wmtui.sources.cursor import from_utc
from wmtui.sources.embedded_rows import record_batches
from wmtui.sources.fit import fitted
from wmtui.sources.keys import key_of
from wmtui.sources.split import ranges
from wmtui.sources.sql import DUCKDB, SpanQuery

PATIENCE = 5.0
"""Seconds to wait while another process has the file open for writing: DuckDB lets one process in."""

_RETRY_EVERY = 0.05
_KEYS = 10_000


class EmbeddedSource:
    """A DuckDB file, opened read-only per operation; see the `Source` protocol.

    zone: that of its TIMESTAMP values. clock: what now is, since the file has no clock of its own.
    """

    def __init__(self, config: DuckDBConfig, zone: ZoneInfo, clock: Clock) -> None:
        self._path = config.path
        self._zone = zone
        self._clock = clock

    def describe(self, table: TableName, cursor: str, primary_key: Sequence[str]) -> SourceTable:
        """See Source.describe."""
        with self._open() as connection:
            schema = catalog.arrow_schema(connection, table)
            keys = catalog.unique_keys(connection, table, schema)
        types = {field.name: field.metadata[b"source_type"].decode() for field in schema}
        digits = catalog.CURSOR_DIGITS.get(types.get(cursor, ""), 6)
        return fitted(table, schema, cursor, primary_key, cursor_digits=digits, unique_keys=keys)

    def clock(self) -> SourceClock:
        """See Source.clock; nobody writes while the file is open for reading, so there is no open writer."""
        return SourceClock(from_utc(self._clock(), self._zone), None, True)

    def read(self, table: SourceTable, span: Span, batch_rows: int) -> Iterator[pa.RecordBatch]:
        """See Source.read."""
        query = self._query(table, span)
        sql = query.rows([DUCKDB.name(name) for name in table.schema.names])
        with self._open() as connection:
            yield from record_batches(connection, table, sql, query.parameters, batch_rows)

    def estimate(self, table: SourceTable, span: Span) -> int:
        """See Source.estimate; counted."""
        query = self._query(table, span)
        with self._open() as connection:
            return int(_row(connection, query.select("COUNT(*)"), query.parameters)[0])

    def split(self, table: SourceTable, span: Span, pieces: int) -> list[Span]:
        """See Source.split."""
        if pieces < 2 or not table.primary_key:
            return [span]
        with self._open() as connection:
            return ranges(span, self._boundaries(connection, table, span, pieces))

    def null_cursors(self, table: SourceTable) -> int:
        """See Source.null_cursors."""
        sql = DUCKDB.select("COUNT(*)", table.table, f"{DUCKDB.name(table.cursor)} IS NULL")
        with self._open() as connection:
            return int(_row(connection, sql)[0])

    def check(self) -> list[Check]:
        """See Source.check."""
        try:
            with self._open() as connection:
                version = _row(connection, "SELECT version()")[0]
        except SourceError as error:
            return [findings.failed("source", error)]
        return [Check("source", Level.OK, f"DuckDB {version} reads {self._path}")]

    def check_table(self, table: TableName, cursor: str, primary_key: Sequence[str]) -> list[Check]:
        """See Source.check_table."""
        try:
            described = self.describe(table, cursor, primary_key)
        except (ConfigError, UnsupportedValue) as error:
            return [findings.failed(str(table), error)]
        with self._open() as connection:
            rows = int(_row(connection, DUCKDB.select("COUNT(*)", table, "true"))[0])
        return [
            findings.key_use(described),
            findings.cursor_nulls(described, self.null_cursors(described)),
            findings.size(described, rows, None),
        ]

    def _query(self, table: SourceTable, span: Span) -> SpanQuery:
        return SpanQuery(DUCKDB, self._zone, table, span)

    def _boundaries(
        self, connection: duckdb.DuckDBPyConnection, table: SourceTable, span: Span, pieces: int
    ) -> list[Key]:
        """Keys at even steps through the sorted span."""
        query = self._query(table, span)
        rows = _row(connection, query.select("COUNT(*)"), query.parameters)[0]
        wanted = [rows * piece // pieces for piece in range(1, pieces)]
        columns = DUCKDB.names(table.primary_key)
        keys_only = replace(table, schema=pa.schema([table.schema.field(name) for name in table.primary_key]))
        keys: list[Key] = []
        seen = 0
        for batch in record_batches(connection, keys_only, query.select(columns, columns), query.parameters, _KEYS):
            keys += [key_of(batch, row - seen, keys_only) for row in wanted if seen <= row < seen + batch.num_rows]
            seen += batch.num_rows
        return list(dict.fromkeys(keys))

    @contextmanager
    def _open(self) -> Iterator[duckdb.DuckDBPyConnection]:
        try:
            with closing(self._connect()) as connection:
                connection.execute("SET TimeZone = 'UTC'")
                yield connection
        except duckdb.Error as error:
            raise SourceError(f"cannot read {self._path}", str(error), "check the file") from error

    def _connect(self) -> duckdb.DuckDBPyConnection:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return duckdb.connect(self._path, read_only=True)
            except duckdb.Error as error:
                if not _is_busy(error):
                    raise
                if time.monotonic() >= deadline:
                    why = "another process has it open, and DuckDB lets one in"
                    raise SourceError(f"{self._path} is busy", why, "wait for the other process to end") from error
                time.sleep(_RETRY_EVERY)


def _is_busy(error: duckdb.Error) -> bool:
    """Open for writing in another process, or in another part of this one."""
    return "lock on file" in str(error) or isinstance(error, duckdb.ConnectionException)


def _row(connection: duckdb.DuckDBPyConnection, sql: str, values: Mapping[str, KeyValue] | None = None) -> Any:
    return connection.execute(sql, dict(values or {})).fetchone()

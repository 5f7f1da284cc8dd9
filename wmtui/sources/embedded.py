"""A DuckDB file as a source: the sandbox of the demo."""

from collections.abc import Iterator, Sequence
from zoneinfo import ZoneInfo

import pyarrow as pa
from msgspec.structs import replace

from wmtui.config import DuckDBConfig, TableConfig
from wmtui.errors import ConfigError, SourceError, UnsupportedValue
from wmtui.model import Check, Clock, Key, Level, Span, TableName
from wmtui.sources import embedded_catalog as catalog
from wmtui.sources import findings
from wmtui.sources.base import SourceClock, SourceTable
from wmtui.sources.cursor import from_utc
from wmtui.sources.embedded_rows import record_batches
from wmtui.sources.embedded_session import Session, open_session
from wmtui.sources.fit import fitted
from wmtui.sources.keys import key_of
from wmtui.sources.split import ranges
from wmtui.sources.sql import SpanQuery, scan_query

_KEYS = 10_000


class EmbeddedSource:
    """A DuckDB file, opened read-only per operation; see the `Source` protocol.

    zone: that of its TIMESTAMP values. clock: what now is, since the file has no clock of its own.
    """

    def __init__(self, config: DuckDBConfig, zone: ZoneInfo, clock: Clock) -> None:
        self._path = config.path
        self._zone = zone
        self._clock = clock

    def describe(self, table: TableName, config: TableConfig) -> SourceTable:
        """See Source.describe."""
        with open_session(self._path) as session:
            schema = catalog.arrow_schema(session.connection, table, config)
            keys = catalog.unique_keys(session.connection, table, schema)
        types = {field.name: field.metadata[b"source_type"].decode() for field in schema}
        digits = catalog.CURSOR_DIGITS.get(types.get(config.cursor, ""), 6)
        return fitted(table, schema, config, cursor_digits=digits, unique_keys=keys)

    def clock(self) -> SourceClock:
        """See Source.clock; nobody writes while the file is open for reading, so there is no open writer."""
        return SourceClock(from_utc(self._clock(), self._zone), None, True)

    def read(self, table: SourceTable, span: Span, batch_rows: int) -> Iterator[pa.RecordBatch]:
        """See Source.read."""
        with open_session(self._path) as session:
            query = SpanQuery(session.dialect, self._zone, table, span)
            sql = query.rows([session.dialect.name(name) for name in table.schema.names])
            yield from record_batches(session.connection, table, sql, query.parameters, batch_rows)

    def scan(self, table: SourceTable, batch_rows: int, keys: Sequence[Key] | None = None) -> Iterator[pa.RecordBatch]:
        """See Source.scan."""
        with open_session(self._path) as session:
            columns = [session.dialect.name(name) for name in table.schema.names]
            sql, values = scan_query(session.dialect, table, columns, keys)
            yield from record_batches(session.connection, table, sql, values, batch_rows)

    def estimate(self, table: SourceTable, span: Span) -> int:
        """See Source.estimate; counted."""
        with open_session(self._path) as session:
            query = SpanQuery(session.dialect, self._zone, table, span)
            return int(session.value(query.select("COUNT(*)"), query.parameters))

    def split(self, table: SourceTable, span: Span, pieces: int) -> list[Span]:
        """See Source.split."""
        if pieces < 2 or not table.primary_key:
            return [span]
        with open_session(self._path) as session:
            query = SpanQuery(session.dialect, self._zone, table, span)
            return ranges(span, _boundaries(session, query, table, pieces))

    def null_cursors(self, table: SourceTable) -> int:
        """See Source.null_cursors."""
        with open_session(self._path) as session:
            is_null = f"{session.dialect.name(table.cursor)} IS NULL"
            return int(session.value(session.dialect.select("COUNT(*)", table.table, is_null)))

    def check(self) -> list[Check]:
        """See Source.check."""
        try:
            with open_session(self._path) as session:
                version = session.value("SELECT version()")
        except SourceError as error:
            return [findings.failed("source", error)]
        return [Check("source", Level.OK, f"DuckDB {version} reads {self._path}")]

    def check_table(self, table: TableName, config: TableConfig) -> list[Check]:
        """See Source.check_table."""
        try:
            described = self.describe(table, config)
        except (ConfigError, UnsupportedValue) as error:
            return [findings.failed(str(table), error)]
        with open_session(self._path) as session:
            rows = int(session.value(session.dialect.select("COUNT(*)", table, "true")))
        return [
            findings.key_use(described),
            findings.cursor_nulls(described, self.null_cursors(described)),
            findings.size(described, rows, None),
        ]


def _boundaries(session: Session, query: SpanQuery, table: SourceTable, pieces: int) -> list[Key]:
    """Keys at even steps through the sorted span."""
    rows = session.value(query.select("COUNT(*)"), query.parameters)
    wanted = [rows * piece // pieces for piece in range(1, pieces)]
    columns = session.dialect.names(table.primary_key)
    keys_only = replace(table, schema=pa.schema([table.schema.field(name) for name in table.primary_key]))
    sql = query.select(columns, columns)
    keys: list[Key] = []
    seen = 0
    for batch in record_batches(session.connection, keys_only, sql, query.parameters, _KEYS):
        keys += [key_of(batch, row - seen, keys_only) for row in wanted if seen <= row < seen + batch.num_rows]
        seen += batch.num_rows
    return list(dict.fromkeys(keys))

"""A long read as many short statements, each drained into memory before its rows are handed on."""

import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import pyarrow as pa
from msgspec import Struct
from msgspec.structs import replace

from wmtui.errors import TimeLimitReached
from wmtui.events import Severity
from wmtui.model import KeyValue, Order, Position, Span
from wmtui.sources.base import SourceTable, Tell
from wmtui.sources.cursor import column_time, wall_clock
from wmtui.sources.keys import key_of
from wmtui.sources.mysql import span_size
from wmtui.sources.mysql.chunk_size import ChunkLimits, ChunkSize, first_of
from wmtui.sources.mysql.column_types import select_expression
from wmtui.sources.mysql.pace import ReplicaWatch, RowRate
from wmtui.sources.mysql.rows import record_batches
from wmtui.sources.mysql.session import Session
from wmtui.sources.mysql.table_state import refuse_changed
from wmtui.sources.span_query import MYSQL, SpanQuery

_Statement = tuple[str, Mapping[str, KeyValue]]

_EVERY_KEY = Span(Order.PRIMARY_KEY, None, Position(datetime.max))


_HELD = 2
"""How many times the bytes that a statement is to have are held in memory at most, before its rows are handed on."""


class _Cut(Exception):
    """A statement was ended at its time limit before a row of it was handed on."""


class Read(Struct):
    """What a statement brought. last: cursor and key of its last row. size: bytes of all. cut: the server ended it at
    its time limit, after these rows; more of what it asked for is there.
    """

    order: Sequence[str]
    rows: int = 0
    size: int = 0
    seconds: float = 0
    last: pa.RecordBatch | None = None
    cut: bool = False

    def add(self, batch: pa.RecordBatch) -> None:
        """Count a batch in, of which nothing else is kept."""
        self.rows += batch.num_rows
        self.size += batch.nbytes
        if batch.num_rows:
            self.last = batch.select(self.order).take(pa.array([batch.num_rows - 1]))


class ChunkReader:
    """Reads the rows of one span of a table over one connection, by an index that has them in order.

    rate, watch: what is waited for between two statements.
    """

    def __init__(
        self,
        session: Session,
        zone: ZoneInfo,
        table: SourceTable,
        batch_rows: int,
        *,
        limits: ChunkLimits,
        rate: RowRate,
        watch: ReplicaWatch,
        tell: Tell,
    ) -> None:
        self._session = session
        self._zone = zone
        self._table = table
        self._batch_rows = batch_rows
        self._limits = limits = first_of(limits, table.schema)
        self._size = ChunkSize(limits)
        self._rate = rate
        self._watch = watch
        self._tell = tell
        self._columns = [select_expression(field, MYSQL.name(field.name)) for field in table.schema]
        self._order = list(dict.fromkeys((table.cursor, *table.primary_key)))
        self._handed_on = 0
        self._told_long = False

    def read(self, span: Span) -> Iterator[pa.RecordBatch]:
        """See SourceConnection.read."""
        table = self._table
        if not table.primary_key and table.cursor_index:
            yield from self._by_value(span)
        elif span.order is Order.CURSOR and table.cursor_index:
            yield from self._by_cursor(span)
        elif table.primary_key and table.key_index and span.order is not Order.CURSOR:
            yield from self._by_key(span)
        else:
            yield from self._in_one(self._query(span))

    def scan(self) -> Iterator[pa.RecordBatch]:
        """Every row, those without a cursor too; see SourceConnection.scan."""
        if self._table.primary_key and self._table.key_index:
            yield from self._walk_keys(_EVERY_KEY, every_cursor=True)
        else:
            yield from self._in_one((MYSQL.select(", ".join(self._columns), self._table.table, "TRUE"), {}))

    def _query(self, span: Span, *, index: str | None = None, limit: int | None = None) -> _Statement:
        query = SpanQuery(MYSQL, self._zone, self._table, span)
        return query.rows(self._columns, index=index, limit="" if limit is None else str(limit)), query.parameters

    def _by_cursor(self, span: Span) -> Iterator[pa.RecordBatch]:
        """In the order of cursor and key: so many rows, then the rest of the last one's cursor value, and so on."""
        index, rest = self._table.cursor_index, span
        while True:
            yield from self._spared()
            most = self._size.rows
            read = yield from self._read(self._query(rest, index=index, limit=most), most)
            if read is None:
                continue
            following = self._beyond(rest, span, most, read)
            if following is None:
                return
            if rest is span and span_size.needs_sort(self._session, *self._query(span, index=index, limit=most)):
                yield from self._in_one(self._query(replace(span, after=following.after)))
                return
            rest = following

    def _beyond(self, rest: Span, span: Span, most: int, read: Read) -> Span | None:
        """What is left of a span after the first rows of `rest`, of which at most so many were asked for."""
        if read.last is not None and (read.rows >= most or read.cut):
            last = self._position(read.last)
            ends = self._in_column(last) == self._in_column(span.upto)
            return replace(span, after=last, upto=span.upto if ends else Position(last.cursor))
        # Not by equality: of an hour that occurs twice, both occurrences of a time are equal.
        return None if rest.upto is span.upto else replace(span, after=Position(rest.upto.cursor), inclusive=False)

    def _by_key(self, span: Span) -> Iterator[pa.RecordBatch]:
        """Few rows, as the optimizer estimates, at once and by the index it likes; more by ranges of the key."""
        first = self._limits.first
        query = SpanQuery(MYSQL, self._zone, self._table, span)
        if span_size.estimated(self._session, query) < first:
            yield from self._spared()
            statement = self._query(replace(span, order=Order.PRIMARY_KEY), limit=first)
            read = yield from self._read(statement, first)
            if read is not None:
                if read.last is None or (read.rows < first and not read.cut):
                    return
                span = replace(span, key_after=key_of(read.last, -1, self._table))
        yield from self._walk_keys(span, every_cursor=False)

    def _walk_keys(self, span: Span, *, every_cursor: bool) -> Iterator[pa.RecordBatch]:
        rest: Span | None = span
        first = True
        while rest is not None:
            yield from self._spared()
            most = self._size.rows
            keys = SpanQuery(MYSQL, self._zone, self._table, rest, every_cursor=True)
            columns = [select_expression(self._table.schema.field(n), MYSQL.name(n)) for n in self._table.primary_key]
            order = MYSQL.names(self._table.primary_key)
            ahead = keys.select(", ".join(columns), order, index=self._table.key_index, limit=f"1 OFFSET {most - 1}")
            if first and span_size.needs_sort(self._session, ahead, keys.parameters):
                yield from self._in_one(self._range(rest, every_cursor=every_cursor, index=None))
                return
            first = False
            found = self._looked_ahead((ahead, keys.parameters), self._table.primary_key)
            if found is None:
                continue
            last = key_of(found[0], 0, self._table) if found else None
            piece = rest if last is None else replace(rest, key_upto=last)
            statement = self._range(piece, every_cursor=every_cursor, index=self._table.key_index)
            read = yield from self._read(statement, most)
            if read is None:
                continue
            if read.cut and read.last is not None:
                last = key_of(read.last, -1, self._table)
            rest = None if last is None else replace(rest, key_after=last)

    def _range(self, span: Span, *, every_cursor: bool, index: str | None) -> _Statement:
        query = SpanQuery(MYSQL, self._zone, self._table, span, every_cursor=every_cursor)
        return query.rows(self._columns, index=index), query.parameters

    def _looked_ahead(self, statement: _Statement, columns: Sequence[str]) -> list[pa.RecordBatch] | None:
        """These columns of the row where the next statement is to end, nothing where there is no such row; None when
        it took too long to find, and is to be tried with fewer rows.
        """
        some = replace(self._table, schema=pa.schema([self._table.schema.field(name) for name in columns]))
        try:
            return self._all(statement, some, self._limits.most_seconds)
        except TimeLimitReached:
            if self._size.shrink():
                return None
            raise

    def _by_value(self, span: Span) -> Iterator[pa.RecordBatch]:
        """By ranges of the cursor: without a key nothing tells rows of one value apart, so they come together."""
        index, rest = self._table.cursor_index, span
        name = MYSQL.name(self._table.cursor)
        while True:
            yield from self._spared()
            most = self._size.rows
            ahead = SpanQuery(MYSQL, self._zone, self._table, rest)
            sql = ahead.select(name, name, index=index, limit=f"1 OFFSET {most - 1}")
            found = self._looked_ahead((sql, ahead.parameters), [self._table.cursor])
            if found is None:
                continue
            last = Position(wall_clock(found[0].column(0)[0], self._zone)) if found else None
            read = yield from self._read(self._query(replace(rest, upto=last or rest.upto), index=index), most)
            if read is None:
                continue
            if last is None:
                return
            rest = replace(rest, after=last, inclusive=False)

    def _read(self, statement: _Statement, most: int) -> Generator[pa.RecordBatch, None, Read | None]:
        """Hand on the rows of a statement that goes through so many; None when it took too long, and is to be tried
        with fewer. One that goes through a single row, or a single value, is given the time it takes.
        """
        began = time.monotonic()
        try:
            read = yield from self._drained(statement, self._limits.most_seconds)
        except _Cut:
            if self._size.shrink():
                return None
            self._tell_long()
            read = yield from self._drained(statement, None)
        self._size.after(max(most, read.rows), read.size, read.seconds or time.monotonic() - began)
        return read

    def _drained(self, statement: _Statement, seconds: float | None) -> Generator[pa.RecordBatch, None, Read]:
        """Take all rows from the server before the first is handed on; rows so long that they are too many bytes are
        handed on as they come. Raises _Cut for a statement that was ended before that. One that is ended later has
        brought what it has, where a key tells the rest.
        """
        read, held = Read(self._order), list[pa.RecordBatch]()
        began = time.monotonic()
        try:
            with self._session.stream(*statement, seconds) as rows:
                for batch in record_batches(rows, self._table, self._batch_rows):
                    read.add(batch)
                    held.append(batch)
                    del batch  # Rows may be long: none is held while the next ones come.
                    while held and read.size > self._limits.size * _HELD:
                        yield held.pop(0)
        except TimeLimitReached as error:
            if read.rows == sum(batch.num_rows for batch in held):
                raise _Cut from error
            if not self._table.primary_key:
                raise
            read.cut = True
            self._size.shrink()
        read.seconds = time.monotonic() - began
        if read.rows and self._handed_on:
            refuse_changed(self._session, self._table)
        self._handed_on += read.rows
        self._rate.took(read.rows)
        while held:
            yield held.pop(0)
        return read

    def _all(self, statement: _Statement, table: SourceTable, seconds: float | None) -> list[pa.RecordBatch]:
        with self._session.stream(*statement, seconds) as rows:
            return list(record_batches(rows, table, self._batch_rows))

    def _in_one(self, statement: _Statement) -> Iterator[pa.RecordBatch]:
        """All rows of a statement while they come: no index has them in an order by which they could be cut."""
        if span_size.estimated_rows(self._session, *statement) >= self._limits.rows:
            self._tell_long()
        with self._session.stream(*statement) as rows:
            for batch in record_batches(rows, self._table, self._batch_rows):
                self._rate.took(batch.num_rows)
                yield batch
                yield from self._waited(self._rate.waits())

    def _tell_long(self) -> None:
        if self._told_long:
            return
        self._told_long = True
        self._tell(
            f"{self._table.table} is read in one statement that may take longer than max_statement: "
            "no index has its rows in an order by which it could be cut further",
            Severity.WARNING,
        )

    def _spared(self) -> Iterator[pa.RecordBatch]:
        """Before a statement: wait as long as the server is to be spared."""
        yield from self._waited(self._rate.waits())
        if self._handed_on:
            yield from self._waited(self._watch.waits(self._session, self._tell))

    def _waited(self, waits: Iterator[None]) -> Iterator[pa.RecordBatch]:
        for _ in waits:
            yield _empty(self._table.schema)

    def _position(self, batch: pa.RecordBatch) -> Position:
        """Where the last row of a batch stands."""
        return Position(wall_clock(batch.column(self._table.cursor)[-1], self._zone), key_of(batch, -1, self._table))

    def _in_column(self, position: Position) -> object:
        return column_time(position.cursor, self._table.schema.field(self._table.cursor).type, self._zone)


def _empty(schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array([], field.type) for field in schema], schema=schema)

"""What the pipeline needs of a source database."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol, Self

from msgspec import Struct

from wmtui.config import TableConfig
from wmtui.events import Severity
from wmtui.model import Check, Key, Position, Span, TableName

if TYPE_CHECKING:
    import pyarrow as pa

Tell = Callable[[str, Severity], None]
"""Takes a line for the log of the table that is read."""


def silent(_text: str, _severity: Severity) -> None:
    """Takes a line and drops it."""


FUTURE = timedelta(minutes=5)
"""A cursor that lies further ahead of the source's clock than this was not stamped by it."""


class SourceTable(Struct, frozen=True):
    """A table as the source describes it.

    schema: pinned Arrow schema; each field's metadata holds the source's own type under b"source_type", and what else
    its catalogue says of the column (a generation expression, ON UPDATE) under b"extra".
    primary_key: its columns in order, empty for a table without one. cursor: the column that orders changes.
    cursor_digits: fraction digits of the cursor column, 0–6.
    nullable_cursor: rows with a NULL cursor are possible (they are counted, never read).
    null_dates: a date that no calendar has is read as NULL, in cursor and key aside; else it is an error.
    incarnation: what changes when the table is dropped, truncated, restored or rebuilt; None where the source does not
    say. partitions: by name, what changes when a partition is emptied or exchanged for another table; empty where the
    source does not say. counted_key: the key is one column that the source counts up for new rows. cursor_index: an
    index that begins with the cursor, key_index: one that has the rows in the order of the key; None without one.
    """

    table: TableName
    schema: "pa.Schema"
    primary_key: tuple[str, ...]
    cursor: str
    cursor_digits: int
    nullable_cursor: bool
    null_dates: bool = False
    incarnation: str | None = None
    partitions: Mapping[str, int] = MappingProxyType({})
    counted_key: bool = False
    cursor_index: str | None = None
    key_index: str | None = None


class Writer(Struct, frozen=True):
    """Who may still commit rows stamped since `started`: a session of the source. started: wall clock in the profile's
    zone. user, host: "" where the source does not say.
    """

    started: datetime
    session: int
    user: str = ""
    host: str = ""

    def __str__(self) -> str:
        who = f" ({self.user}@{self.host})" if self.user else ""
        return f"session {self.session}{who}"


class SourceClock(Struct, frozen=True):
    """How far it is safe to read now.

    now: the source's clock, wall clock in the profile's zone; on a replica the time of the last applied change.
    writer: the oldest session that has written or may write; None: none.
    blind: why open transactions, or some of them, do not show, so that only `lookback` guards against late commits;
    "" where all show. delay: how far a replica is behind, by which `now` is earlier than the server's clock.
    """

    now: datetime
    writer: Writer | None = None
    blind: str = ""
    delay: timedelta = timedelta(0)


class CursorCounts(Struct, frozen=True):
    """What the cursor's index tells at a moment.

    nulls, future: rows without a cursor, and rows whose cursor lies more than FUTURE ahead of that moment; neither is
    read. None: there are too many to count in the time that one statement may take. newest: the greatest cursor that
    does not, wall clock in the profile's zone; None: there is no such row.
    """

    nulls: int | None
    future: int | None
    newest: datetime | None


class TableState(Struct, frozen=True):
    """How a table stands at a moment.

    counts: None where no index serves, so that counting would read the whole table. cursor: that of the row that was
    asked for; None without such a row. newest_key: the row with the greatest primary key, of a table whose key is
    counted up; None in an empty table, or when that row has no cursor. Cursors are wall clock in the profile's zone.
    """

    counts: CursorCounts | None
    cursor: datetime | None = None
    newest_key: Position | None = None


class SourceConnection(Protocol):
    """One connection to one server, as a context manager; one statement at a time, so not to be shared by threads.

    Everything a run relies on, clock, transactions, catalogue and rows, comes from this server. Raises SourceError when
    the server refuses or does not answer, ConfigError when a table does not fit its settings, UnsupportedValue for a
    type or value that cannot be carried exactly.
    """

    @property
    def server(self) -> str:
        """What tells this server from every other that may answer at the same address."""
        ...

    @property
    def careful(self) -> str:
        """Why rows are read in a way that takes several times as long as the usual one, "" where they are not."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def describe(self, table: TableName, config: TableConfig) -> SourceTable:
        """The table's schema by its settings, after checking that cursor and primary key are what they say.

        Raises ConfigError when table, cursor, key or excluded columns are missing (naming the nearest), when the
        cursor is not DATETIME or TIMESTAMP, or when the key is not unique and NOT NULL; UnsupportedValue for a column
        type that cannot be carried exactly, with the column and type in the message.
        """
        ...

    def collations(self, table: TableName) -> Mapping[str, str]:
        """By which collation each text column is compared, as the source calls it; none where bytes are."""
        ...

    def clock(self, lookback: timedelta | None = None) -> SourceClock:
        """The source's clock and its oldest open writer.

        lookback: the overlap the table is read with, 0 for none: what could only write by a stored function counts as
        a writer once it is at work for longer. None: the usual overlap.
        """
        ...

    def read(self, table: SourceTable, span: Span, batch_rows: int, tell: Tell = silent) -> Iterator["pa.RecordBatch"]:
        """Stream the span's rows as batches of at most `batch_rows` in `table.schema`, bounded in memory.

        Order as `span.order` says; with NONE any. The rows are those of several snapshots where the source reads in
        several statements: each row at the latest as it was when its cursor was safe to read. A batch without rows
        comes while the source is spared: it is a moment to stop. Closing the iterator early may end the connection.
        Raises TableError when the table is another one than at the beginning, before rows of it are handed on.
        """
        ...

    def scan(
        self, table: SourceTable, batch_rows: int, keys: Sequence[Key] | None = None, tell: Tell = silent
    ) -> Iterator["pa.RecordBatch"]:
        """Stream every row in any order, those without a cursor too, or only the rows of these primary keys; else as
        `read`.
        """
        ...

    def estimate(self, table: SourceTable, span: Span) -> int:
        """How many rows the span has, roughly, without reading them."""
        ...

    def sorts(self, table: SourceTable, span: Span) -> bool:
        """Whether the source would sort very many rows of a span before it sends the first of them."""
        ...

    def split(self, table: SourceTable, span: Span, pieces: int) -> list[Span]:
        """Cut a span into at most `pieces` disjoint half-open primary-key ranges that together cover it."""
        ...

    def state(self, table: SourceTable, now: datetime, key: Key | None = None) -> TableState:
        """Rows that incremental reading misses, how far cursor and key reach, and the row of this key.

        now: the source's clock, wall clock in the profile's zone.
        """
        ...

    def cursor_of(self, table: SourceTable, key: Key) -> datetime | None:
        """The cursor of the row with this primary key, wall clock in the profile's zone; None without such a row."""
        ...


class Source(Protocol):
    """A source database. Raises SourceError when the server refuses or does not answer. Safe to share by threads."""

    def connect(self) -> SourceConnection:
        """A connection of the caller's own, open at once."""
        ...

    def check(self) -> list[Check]:
        """Findings for `doctor` about connection, privileges and driver; a dead server is a finding."""
        ...

    def check_table(self, table: TableName, config: TableConfig) -> list[Check]:
        """Findings for `doctor -t`: cursor index, NULL and future cursors, whether updates touch the cursor, size."""
        ...

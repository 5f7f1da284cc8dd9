"""What the pipeline needs of a source database."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from wmtui.config import TableConfig
from wmtui.model import Check, Key, Span, TableName

if TYPE_CHECKING:
    import pyarrow as pa


class SourceTable(Struct, frozen=True):
    """A table as the source describes it.

    schema: pinned Arrow schema; each field's metadata holds the source's own type under b"source_type".
    primary_key: its columns in order, empty for a table without one. cursor: the column that orders changes.
    cursor_digits: fraction digits of the cursor column, 0–6.
    nullable_cursor: rows with a NULL cursor are possible (they are counted, never read).
    null_dates: a date that no calendar has is read as NULL, in cursor and key aside; else it is an error.
    """

    table: TableName
    schema: "pa.Schema"
    primary_key: tuple[str, ...]
    cursor: str
    cursor_digits: int
    nullable_cursor: bool
    null_dates: bool = False


class SourceClock(Struct, frozen=True):
    """How far it is safe to read now.

    now: the source's clock (on a replica: the time of the last applied change), wall clock in the profile's zone.
    oldest_writer: start of the oldest open transaction that has written or may write, same zone; None: none open.
    sees_transactions: False where the account may not see them, so that only `lookback` guards against late commits.
    """

    now: datetime
    oldest_writer: datetime | None
    sees_transactions: bool


class Source(Protocol):
    """Raises SourceError when the server refuses or does not answer, ConfigError when a table does not fit its
    settings, UnsupportedValue for a type or value that cannot be carried exactly. Safe to share between threads;
    every `read` has a connection of its own.
    """

    def describe(self, table: TableName, config: TableConfig) -> SourceTable:
        """The table's schema by its settings, after checking that cursor and primary key are what they say.

        Raises ConfigError when table, cursor, key or excluded columns are missing (naming the nearest), when the
        cursor is not DATETIME or TIMESTAMP, or when the key is not unique and NOT NULL; UnsupportedValue for a column
        type that cannot be carried exactly, with the column and type in the message.
        """
        ...

    def clock(self) -> SourceClock:
        """The source's clock and its oldest open writing transaction."""
        ...

    def read(self, table: SourceTable, span: Span, batch_rows: int) -> Iterator["pa.RecordBatch"]:
        """Stream the span's rows as batches of at most `batch_rows` in `table.schema`, bounded in memory.

        Closing the iterator early closes the connection. Order as `span.order` says; with NONE any.
        """
        ...

    def scan(
        self, table: SourceTable, batch_rows: int, keys: Sequence[Key] | None = None
    ) -> Iterator["pa.RecordBatch"]:
        """Stream every row in any order, those without a cursor too, or only the rows of these primary keys.

        One snapshot, in `table.schema`, bounded in memory. Closing the iterator early closes the connection.
        """
        ...

    def estimate(self, table: SourceTable, span: Span) -> int:
        """How many rows the span has, roughly, without reading them."""
        ...

    def split(self, table: SourceTable, span: Span, pieces: int) -> list[Span]:
        """Cut a span into at most `pieces` disjoint half-open primary-key ranges that together cover it."""
        ...

    def null_cursors(self, table: SourceTable) -> int:
        """How many rows have a NULL cursor; they can never be read incrementally."""
        ...

    def check(self) -> list[Check]:
        """Findings for `doctor` about connection, privileges and driver; a dead server is a finding."""
        ...

    def check_table(self, table: TableName, config: TableConfig) -> list[Check]:
        """Findings for `doctor -t`: cursor index, NULL cursors, whether updates touch the cursor, size."""
        ...

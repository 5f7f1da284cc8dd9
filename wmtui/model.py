"""Values that every package shares: table names, positions, spans, and the report of a check."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated
from urllib.parse import unquote

import msgspec
from msgspec import Struct

Clock = Callable[[], datetime]
"""Returns now as an aware UTC time; injected so that tests and the demo decide what now is."""

WallTime = Annotated[datetime, msgspec.Meta(tz=False)]
"""Wall clock in the profile's time zone, as MySQL DATETIME holds it; documents with a zone in it are refused."""
Instant = Annotated[datetime, msgspec.Meta(tz=True)]
"""An aware time; documents without a zone in it are refused."""

KeyValue = int | str
Key = tuple[KeyValue, ...]
"""A primary key as JSON carries it: integers as numbers, every other type as text (binary as hexadecimal)."""


def utc_now() -> datetime:
    """Now, aware, in UTC."""
    return datetime.now(UTC)


_PLAIN = re.compile(r"[A-Za-z0-9_-]+")


def encode_name(name: str) -> str:
    """Percent-encode every byte outside A-Za-z0-9_- (a dot too), so that no two names share an object key."""
    if _PLAIN.fullmatch(name):
        return name
    return "".join(c if _PLAIN.fullmatch(c) else "".join(f"%{b:02X}" for b in c.encode()) for c in name)


_SEPARATORS = re.compile("[.%]")


def _dotted(*names: str) -> str:
    """Names as one text with dots between them; a dot or percent sign inside a name is percent-encoded."""
    text = ".".join(names)
    if "%" not in text and text.count(".") == len(names) - 1:
        return text  # As most are; a screen of ten thousand tables asks for each name many times.
    return ".".join(_SEPARATORS.sub(lambda m: f"%{ord(m[0]):02X}", name) for name in names)


class TargetName(Struct, frozen=True):
    """A table in the warehouse. schema: None: the warehouse's own. Written like a TableName, or the name alone."""

    name: str
    schema: str | None = None

    @classmethod
    def parse(cls, text: str) -> "TargetName":
        """The inverse of `str`."""
        *schema, name = (unquote(part, errors="strict") for part in text.split("."))
        return cls(name, ".".join(schema) or None)

    def __str__(self) -> str:
        return _dotted(*filter(None, (self.schema, self.name)))


class TableName(Struct, frozen=True, order=True):
    """A source table. A dot or percent sign inside a name is written percent-encoded: `shop.v1%2E2`."""

    schema: str
    name: str

    @classmethod
    def parse(cls, text: str) -> "TableName":
        """Read `schema.table`; raises ValueError unless there are exactly two non-empty names."""
        parts = text.split(".")
        if len(parts) != 2 or not all(parts):
            raise ValueError(f"{text!r} is not of the form schema.table")
        if "%" not in text:
            return cls(*parts)
        return cls(unquote(parts[0], errors="strict"), unquote(parts[1], errors="strict"))

    def __str__(self) -> str:
        return _dotted(self.schema, self.name)

    @property
    def key(self) -> str:
        """The name inside object keys; reversible by `parse`."""
        return f"{encode_name(self.schema)}.{encode_name(self.name)}"


class As(StrEnum):
    """What `as:` makes of a column in the target, without changing a value.

    UTC_TIMESTAMP, LOCAL_TIMESTAMP: of an instant, the wall clock in UTC or in the profile's zone. BOOLEAN: of 0 and 1.
    TEXT: of numbers, bits, dates and times. JSON: of a text that is JSON.
    """

    UTC_TIMESTAMP = "utc_timestamp"
    LOCAL_TIMESTAMP = "local_timestamp"
    BOOLEAN = "boolean"
    TEXT = "text"
    JSON = "json"


class Strategy(StrEnum):
    """How a sync spreads its work; recorded in the watermark as `backup_strategy`."""

    SEQUENTIAL = "sequential"
    INTER_TABLE = "inter-table"
    INTRA_TABLE = "intra-table"


class Order(StrEnum):
    """The order in which rows of a span arrive."""

    CURSOR = "cursor"
    PRIMARY_KEY = "primary_key"
    NONE = "none"


class Position(Struct, frozen=True):
    """A place in the total order (cursor, primary key) of a table's rows.

    key: primary key of the row, or None when only the time is known.
    """

    cursor: WallTime
    key: Key | None = None


class Span(Struct, frozen=True):
    """The rows one reader reads: a half-open window of the cursor, optionally cut to a range of primary keys.

    after: rows strictly after this position; with `after.key` None, rows with cursor > after.cursor, or >= when
        `inclusive`. None: from the beginning.
    upto: rows up to and including this position; with `upto.key` None every row with cursor <= upto.cursor.
    key_after, key_upto: only primary keys in (key_after, key_upto]; None leaves that end open.
    Rows whose cursor is NULL are never part of a span.
    """

    order: Order
    after: Position | None
    upto: Position
    inclusive: bool = False
    key_after: Key | None = None
    key_upto: Key | None = None


class Level(StrEnum):
    """How serious a finding of `doctor` is."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


class Check(Struct, frozen=True):
    """One finding of `doctor`: what was looked at, how it is, and what to do about it.

    table: the one that the finding is about; None: it is about the store, a server, or several tables.
    """

    subject: str
    level: Level
    finding: str
    next_step: str = ""
    table: TableName | None = None

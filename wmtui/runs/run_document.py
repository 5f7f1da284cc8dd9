"""Run documents: what one extraction run reads, how far it came, and which parts it made durable.

A part counts only if a committed run document lists its key and ETag.
"""

import contextlib
import re
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum
from typing import Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from wmtui import layout
from wmtui.errors import Conflict, ObjectMissing, PreconditionFailed, StoreIncomplete, Unreadable
from wmtui.model import Instant, Order, Position, Span, Strategy, TableName, WallTime
from wmtui.objects import ObjectStore
from wmtui.watermarks import documents
from wmtui.watermarks.model import Watermark
from wmtui.watermarks.timestamps import LAST_YEAR, bounded

_RUN = re.compile(layout.RUN)


class RunState(StrEnum):
    """Parts of a run that is not committed are never loaded."""

    RUNNING = "running"
    COMMITTED = "committed"
    ABANDONED = "abandoned"


class Part(Struct, frozen=True):
    """One durable Parquet file. size: bytes. footer: digest of the Parquet footer, which tells its content from another
    of this size; None: not noted.
    """

    key: str
    etag: str
    rows: int
    size: int
    min_cursor: WallTime
    max_cursor: WallTime
    footer: str | None = None


class Range(Struct, frozen=True):
    """One reader's span, how far its durable parts reach, and those parts.

    position: the last row read so far; None: nothing yet. newest: of the rows *written*, the greatest position.
    skipped: rows of the overlap that an earlier run had already extracted unchanged.
    """

    span: Span
    position: Position | None = None
    newest: Position | None = None
    done: bool = False
    skipped: int = 0
    parts: tuple[Part, ...] = ()


class Column(Struct, frozen=True):
    """One column as the run read it: the source's own type and the Arrow type it became.

    extra: what else the source's catalogue says of it (ON UPDATE, a generation expression); None: not noted.
    """

    name: str
    source_type: str
    arrow_type: str
    extra: str | None = None


class Run(Struct, frozen=True):
    """One extraction run of one table; its JSON document has these very fields.

    low, high: the window; low None: from the beginning.
    seen: digests of the rows read with a cursor from `seen_from` on, by which the next run knows rows of its overlap
    again; empty where there were too many.
    final: the position the watermark took from this run.
    timezone: of its wall clock times; None: not noted, the profile's.
    server, incarnation: which server was read, and what it said of when the table was made; None: not noted.
    partitions: what it said of each, by name; empty: nothing.
    """

    table: str
    run: str
    token: int
    epoch: int
    started: Instant
    strategy: Strategy
    order: Order
    low: WallTime | None
    high: WallTime
    ranges: tuple[Range, ...]
    schema: tuple[Column, ...]
    cursor: str
    primary_key: tuple[str, ...]
    state: RunState = RunState.RUNNING
    final: Position | None = None
    seen_from: WallTime | None = None
    seen: bytes = b""
    server: str | None = None
    incarnation: str | None = None
    partitions: dict[str, int] = {}
    timezone: str | None = None
    version: Literal[1] = 1

    @property
    def parts(self) -> list[Part]:
        """Every durable part, in the order of the ranges."""
        return [part for r in self.ranges for part in r.parts]

    @property
    def rows(self) -> int:
        """Rows in durable parts."""
        return sum(part.rows for part in self.parts)

    @property
    def newest(self) -> Position | None:
        """The greatest position written; of equal cursors, the one of the later range (ranges ascend in key)."""
        positions = [r.newest for r in self.ranges if r.newest is not None]
        best: Position | None = None
        for position in positions:
            if best is None or position.cursor >= best.cursor:
                best = position
        return best

    @property
    def done(self) -> bool:
        """Every range was read to its end."""
        return all(r.done for r in self.ranges)

    def with_range(self, index: int, changed: Range) -> "Run":
        """The run with one range replaced."""
        return replace(self, ranges=(*self.ranges[:index], changed, *self.ranges[index + 1 :]))


_DECODER = msgspec.json.Decoder(Run)
_LAST_SECOND = datetime(LAST_YEAR, 1, 1, tzinfo=UTC).timestamp()
"""A name may say a later time; times cannot be counted from it."""
"""Made at once: msgspec crashes the process when two threads are the first to decode one type."""


def new_run_id(now: datetime, *earlier: str) -> str:
    """18 hexadecimal digits that sort by time: milliseconds, then random digits.

    earlier: runs of the table; the new one sorts after them also where this host's clock is slow, because
    listings begin after the last settled run.
    """
    milliseconds = max([int(now.timestamp() * 1000), *(int(run[:12], 16) + 1 for run in earlier)])
    return f"{milliseconds:012x}{secrets.token_hex(3)}"


def is_run_id(text: str) -> bool:
    """Whether a text can be a run's name."""
    return _RUN.fullmatch(text) is not None


def run_started(run: str) -> datetime:
    """When a run began, aware UTC, as its name says."""
    return datetime.fromtimestamp(min(int(run[:12], 16) / 1000, _LAST_SECOND), UTC)


def _refuse_ends_of_time(run: Run) -> None:
    """Raises ValueError for a time that one cannot count from."""
    positions = [run.final, *(position for each in run.ranges for position in (each.position, each.newest))]
    cursors = [position.cursor for position in positions if position is not None]
    for time in (run.started, run.low, run.high, run.seen_from, *cursors):
        if time is not None:
            bounded(time)


class StoredRun(Struct, frozen=True):
    """A run as its document has it. etag: of the document, over which its next version is written."""

    run: Run
    etag: str


class RunStore:
    """Run documents of one table in the object store; written by compare-and-swap."""

    def __init__(self, objects: ObjectStore, table: TableName) -> None:
        self._objects = objects
        self._table = table

    def key(self, run: str) -> str:
        """Where a run's document is."""
        return layout.run_key(self._table, run)

    def read(self, run: str) -> StoredRun | None:
        """The run, None when there is no document (nor can be, of that name); raises Unreadable."""
        if not _RUN.fullmatch(run):
            return None
        key = self.key(run)
        try:
            stored = self._objects.get(key)
        except ObjectMissing:
            return None
        try:
            document = _DECODER.decode(documents.text_of(stored.data))
            _refuse_ends_of_time(document)
        except (ValueError, RecursionError) as error:
            raise Unreadable(key, f"not a run document: {error}") from None
        if document.table != str(self._table) or document.run != run:
            raise Unreadable(key, f"it is run {document.run} of {document.table}")
        return StoredRun(document, stored.info.etag)

    def create(self, run: Run) -> str:
        """Write a new run's document; returns its ETag."""
        return self._put(run, None)

    def save(self, run: Run, etag: str) -> str:
        """Write a run's document over the one with this ETag; returns the new one. Raises Conflict."""
        return self._put(run, etag)

    def since(self, run: str) -> Iterator[str]:
        """Names of runs after this one in time, oldest first."""
        for info in self._objects.list(layout.run_folder(self._table), after=self.key(run) if run else ""):
            if name := layout.run_of_document(self._table, info.key):
                yield name

    def _put(self, run: Run, etag: str | None) -> str:
        key, data = self.key(run.run), msgspec.json.encode(run)
        try:
            return documents.write(self._objects, key, data, etag)
        except PreconditionFailed:
            with contextlib.suppress(ObjectMissing):
                stored = self._objects.get(key)
                if stored.data == data:
                    return stored.info.etag
        raise Conflict(
            f"run {run.run} of {run.table} was changed by another process",
            "its document is not as this run left it",
            "nothing more was written; run it again",
        )


def refuse_incomplete_copy(objects: ObjectStore, mark: Watermark) -> Run | None:
    """The run that the watermark stands on, None for none. Raises StoreIncomplete when it is not in the store, or not
    committed there: the store was copied while that run was under way, or its document was lost.

    To be asked before anything is extracted: a new run moves the watermark, and nothing would show the gap after it.
    """
    run, table = mark.extracted_run, mark.table
    if run is None:
        return None
    stored = RunStore(objects, table).read(run)
    if stored is None or stored.run.state is not RunState.COMMITTED:
        raise StoreIncomplete(
            f"the store is an incomplete copy: run {run} of {table} is not committed in it",
            "the watermark stands on its last row; the store was copied while that run was under way, or lost its "
            "document: rows would be missing",
            "copy the store again while nothing runs, or say where reading goes on: "
            f"`wmtui watermark set -t {table} …`",
        )
    return stored.run

"""From Arrow batches to durable Parquet parts, bounded in memory, with the position after each part."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from msgspec import Struct

from wmtui.errors import ObjectMissing, PreconditionFailed, StoreError, WriteContended
from wmtui.model import Order, Position
from wmtui.objects import ObjectStore
from wmtui.objects.conditional_writes import refuses_always
from wmtui.sources import SourceTable
from wmtui.sources.cursor import wall_clock
from wmtui.sources.keys import key_of

PART_BYTES = 48 * 2**20
"""Arrow bytes of a part, shared among the readers at work: large enough for Redshift (1–125 MB compressed), small
enough to hold two per reader.
"""

_SAMPLE_ROWS = 8192
_DISTINCT_SHARE = 0.25
_ATTEMPTS = 5
"""Of a write that meets another one under way."""


class Chunk(Struct, frozen=True):
    """The rows of one part before it is written, and how far the reader had come with them.

    position: of the last row read, None in any order. newest: the greatest of the rows in it; of equal cursors the
    last that arrived. skipped: rows read but left out since the chunk before.
    """

    data: pa.Table
    position: Position | None
    newest: Position | None
    min_cursor: datetime
    max_cursor: datetime
    skipped: int


class ChunkBuilder:
    """Collects batches of one reader until they make a part. readers: how many are at work at once."""

    def __init__(self, table: SourceTable, order: Order, zone: ZoneInfo, readers: int) -> None:
        self._readers = readers
        self._table = table
        self._order = order
        self._zone = zone
        self._batches: list[pa.RecordBatch] = []
        self._bytes = 0
        self._newest: Position | None = None
        self._last: Position | None = None
        self._min: datetime | None = None
        self.rows = 0
        self.skipped = 0

    @property
    def full(self) -> bool:
        """Enough for a part."""
        return self._bytes * self._readers >= PART_BYTES

    def read(self, batch: pa.RecordBatch) -> None:
        """Note that these rows were read, whether they are kept or not."""
        self.skipped += batch.num_rows
        if batch.num_rows and self._order is not Order.NONE:
            self._last = self._position(batch, batch.num_rows - 1)

    def keep(self, batch: pa.RecordBatch) -> None:
        """Add rows to the part, some or all of those read."""
        self.skipped -= batch.num_rows
        if not batch.num_rows:
            return
        self._batches.append(batch)
        self._bytes += batch.nbytes
        self.rows += batch.num_rows
        cursor = batch.column(self._table.cursor)
        bounds = pc.min_max(cursor)
        lowest = wall_clock(bounds["min"], self._zone)
        self._min = lowest if self._min is None else min(self._min, lowest)
        last_of_greatest = batch.num_rows - 1 - pc.index(cursor[::-1], bounds["max"]).as_py()
        newest = self._position(batch, last_of_greatest)
        if self._newest is None or newest.cursor >= self._newest.cursor:
            self._newest = newest

    def take(self) -> Chunk:
        """The rows collected so far as a chunk; the builder begins again. Only when there are rows."""
        assert self._newest is not None
        assert self._min is not None
        chunk = Chunk(
            data=pa.Table.from_batches(self._batches, self._table.schema),
            position=self._last,
            newest=self._newest,
            min_cursor=self._min,
            max_cursor=self._newest.cursor,
            skipped=self.skipped,
        )
        self._batches, self._bytes, self.rows, self.skipped = [], 0, 0, 0
        self._newest = self._min = None
        return chunk

    def _position(self, batch: pa.RecordBatch, row: int) -> Position:
        key = key_of(batch, row, self._table) if self._table.primary_key else None
        return Position(wall_clock(batch.column(self._table.cursor)[row], self._zone), key)


def encode(data: pa.Table) -> bytes:
    """One Parquet file. Snappy, which every Redshift version reads; timestamps stay in microseconds, because
    nanoseconds load as other years without an error. Columns whose values repeat have a dictionary; for others it is
    made in vain, and takes as long as all the rest.
    """
    sink = pa.BufferOutputStream()
    pq.write_table(
        data,
        sink,
        compression="snappy",
        coerce_timestamps="us",
        row_group_size=128 * 1024,
        use_dictionary=_repetitive(data),
    )
    return bytes(sink.getvalue())


def _repetitive(data: pa.Table) -> list[str]:
    """The columns of which at most a quarter of the first rows' values are distinct."""
    first = data.slice(0, _SAMPLE_ROWS)
    most = first.num_rows * _DISTINCT_SHARE
    return [name for name, column in zip(data.column_names, first.columns, strict=True) if len(column.unique()) <= most]


def put_part(objects: ObjectStore, key: str, data: bytes) -> str:
    """Write a part that is never overwritten; returns its ETag.

    Its name carries run, token and number, so whatever stands under it after a refusal is this very part: a write
    whose answer was lost.
    """
    for _ in range(_ATTEMPTS):
        try:
            return objects.put(key, data, if_absent=True)
        except PreconditionFailed:
            try:
                stored = objects.head(key)
            except ObjectMissing:
                raise refuses_always(objects, key) from None
            if stored.size != len(data):
                raise StoreError(f"{key} holds something else", "only this run writes it", "sync again") from None
            return stored.etag
        except WriteContended:
            continue
    raise StoreError(f"could not write {key}", "the store answered 409 again and again", "sync again")

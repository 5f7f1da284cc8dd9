"""Which rows of the source the warehouse should have. Pure rules, by the next extraction's plan and the runs so far.

The warehouse is as of the watermark's position. What the next extraction will read is not due: rows beyond the
position, and rows of its overlap that the run before has not seen. What no extraction read is not expected either: rows
without cursor, and stretches that an operator skipped.
"""

from collections.abc import Iterable
from datetime import datetime
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from wmtui.files.runs import Range, Run
from wmtui.model import Order, Position, Span
from wmtui.pipeline.overlap import digests
from wmtui.pipeline.plan import Plan, is_overlap
from wmtui.pipeline.verify.spool import Kind
from wmtui.sources import SourceTable
from wmtui.sources.cursor import column_time


class Stretch(Struct, frozen=True):
    """Cursor values that were extracted: after `low` (at it too when `inclusive`; None: from the beginning) up to and
    including `high` (None: without end). Wall clock in the profile's zone.
    """

    low: datetime | None
    inclusive: bool
    high: datetime | None


def stretches(runs: Iterable[Run]) -> tuple[Stretch, ...]:
    """What committed runs read, one stretch where they follow each other."""
    found = [stretch for run in runs for r in run.ranges if (stretch := _stretch(r)) is not None]
    merged: list[Stretch] = []
    for stretch in sorted(found, key=lambda s: (s.low or datetime.min, not s.inclusive)):
        last = merged[-1] if merged else None
        if last is None or (stretch.low is not None and last.high is not None and stretch.low > last.high):
            merged.append(stretch)
        elif last.high is not None and stretch.high is not None:
            merged[-1] = Stretch(last.low, last.inclusive, max(last.high, stretch.high))
    return tuple(merged)


def _stretch(r: Range) -> Stretch | None:
    """What one reader read; nothing of it for an overlap, which was read before."""
    if is_overlap(r.span) or not (r.done or r.position):
        return None
    high = r.span.upto.cursor if r.done or r.position is None else r.position.cursor
    return Stretch(r.span.after.cursor if r.span.after else None, r.span.inclusive, high)


class Point(Struct, frozen=True):
    """Where the source is compared. position: the watermark's; None: nothing was extracted. known: digests of rows of
    the overlap, which begins at `overlap`, that were extracted; read: what was extracted at all.
    """

    position: Position | None
    overlap: datetime | None
    known: frozenset[bytes]
    read: tuple[Stretch, ...]

    @classmethod
    def of(cls, position: Position | None, plan: Plan, known: frozenset[bytes], read: tuple[Stretch, ...]) -> "Point":
        """By the plan of the next extraction."""
        since = [span.after.cursor for span in plan.spans if is_overlap(span) and span.after]
        return cls(position, since[0] if since else None, known, read)

    @property
    def beyond(self) -> Span | None:
        """Rows with the position's cursor and a greater key, which only the source can tell from those up to it."""
        if self.position is None or self.position.key is None:
            return None
        return Span(Order.NONE, self.position, Position(self.position.cursor))


class Expectation:
    """Says of every source row whether the warehouse should have it."""

    def __init__(self, table: SourceTable, zone: ZoneInfo, point: Point) -> None:
        self._table = table
        self._zone = zone
        self._point = point
        self._type: pa.TimestampType = table.schema.field(table.cursor).type

    def kinds(self, batch: pa.RecordBatch) -> pa.Array:
        """EXPECTED, AHEAD or OUTSIDE for every row."""
        cursor = batch.column(self._table.cursor)
        kinds = pc.if_else(pc.fill_null(self._was_read(cursor), False), scalar(Kind.EXPECTED), scalar(Kind.OUTSIDE))
        return pc.if_else(pc.fill_null(self._is_ahead(batch, cursor), False), scalar(Kind.AHEAD), kinds)

    def _is_ahead(self, batch: pa.RecordBatch, cursor: pa.Array) -> pa.Array:
        position = self._point.position
        if position is None:
            return pc.is_valid(cursor)
        at = self._at(position.cursor)
        inclusive = position.key is None and self._table.primary_key
        ahead = pc.greater_equal(cursor, at) if inclusive else pc.greater(cursor, at)
        return ahead if self._point.overlap is None else pc.or_(ahead, self._is_new(batch, cursor))

    def _is_new(self, batch: pa.RecordBatch, cursor: pa.Array) -> pa.Array:
        """Rows of the overlap that the run before has not seen as they are now."""
        assert self._point.overlap is not None
        again = pc.fill_null(pc.greater_equal(cursor, self._at(self._point.overlap)), False)
        rows = batch.filter(again)
        new = pa.array((digest not in self._point.known for digest in digests(rows)), pa.bool_())
        return pc.replace_with_mask(again, again, new)

    def _was_read(self, cursor: pa.Array) -> pa.Array:
        found = pa.repeat(pa.scalar(False), len(cursor))
        for stretch in self._point.read:
            inside = pc.is_valid(cursor)
            if stretch.low is not None:
                after = pc.greater_equal if stretch.inclusive else pc.greater
                inside = pc.and_(inside, after(cursor, self._at(stretch.low)))
            if stretch.high is not None:
                inside = pc.and_(inside, pc.less_equal(cursor, self._at(stretch.high)))
            found = pc.or_(found, pc.fill_null(inside, False))
        return found

    def _at(self, wall: datetime) -> pa.Scalar:
        return pa.scalar(column_time(wall, self._type, self._zone), self._type)


def scalar(kind: Kind) -> pa.Scalar:
    """A kind as the spool holds it."""
    return pa.scalar(int(kind), pa.uint8())

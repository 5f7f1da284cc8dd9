"""Which rows of the source the warehouse should have. Pure rules, by the next extraction's plan and the runs so far.

The warehouse is as of the watermark's position. What the next extraction will read is not due: rows beyond the
position, and rows of its overlap that the run before has not seen. What no extraction read is not expected either: rows
without cursor, and the gaps between what runs read, which an operator skipped, or of which nothing is known.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from wmtui.model import Order, Position, Span
from wmtui.pipeline.extract.overlap import digests
from wmtui.pipeline.extract.plan import Plan, is_overlap
from wmtui.runs.run_document import Range, Run
from wmtui.sources import SourceTable
from wmtui.sources.base import FUTURE
from wmtui.sources.cursor import column_time
from wmtui.verify.row_differences import NOWHERE, RowKind


class Stretch(Struct, frozen=True):
    """Cursor values that were extracted: after `low` (at it too when `inclusive`; None: from the beginning) up to and
    including `high` (None: without end). Wall clock in the profile's zone.
    """

    low: datetime | None
    inclusive: bool
    high: datetime | None


class Gap(Struct, frozen=True):
    """Cursor values that no run read, between two stretches. after: the stretch before; None: from the beginning.
    before: the stretch that follows; None: up to the watermark's position.
    """

    after: Stretch | None
    before: Stretch | None


def gaps(read: Sequence[Stretch]) -> tuple[Gap, ...]:
    """What lies between stretches, and at both ends."""
    pairs = zip([None, *read], [*read, None], strict=True)
    return tuple(
        Gap(after, before)
        for after, before in pairs
        if (after is None or after.high is not None) and (before is None or before.low is not None)
    )


def stretches(runs: Iterable[Run], since: datetime | None = None) -> tuple[Stretch, ...]:
    """What committed runs read, one stretch where they follow each other. since: from here on everything counts."""
    parts = [stretch for run in runs for r in run.ranges if (stretch := _stretch(r)) is not None]
    parts += [Stretch(since, True, None)] if since else []
    merged: list[Stretch] = []
    for stretch in sorted(parts, key=lambda s: (s.low or datetime.min, not s.inclusive)):
        last = merged[-1] if merged else None
        if last is None or (stretch.low is not None and last.high is not None and stretch.low > last.high):
            merged.append(stretch)
        elif last.high is not None:
            high = None if stretch.high is None else max(last.high, stretch.high)
            merged[-1] = Stretch(last.low, last.inclusive, high)
    return tuple(merged)


def _stretch(r: Range) -> Stretch | None:
    """What one reader read; nothing of it for an overlap, which was read before."""
    if is_overlap(r.span) or not (r.done or r.position):
        return None
    high = r.span.upto.cursor if r.done or r.position is None else r.position.cursor
    return Stretch(r.span.after.cursor if r.span.after else None, r.span.inclusive, high)


class Point(Struct, frozen=True):
    """Where the source is compared. position: the watermark's; None: nothing was extracted. known: digests of rows of
    the overlap, which begins at `overlap`, that were extracted; read: what was extracted at all. now: the source's
    clock, wall clock in the profile's zone.
    """

    position: Position | None
    overlap: datetime | None
    known: frozenset[bytes]
    read: tuple[Stretch, ...]
    now: datetime

    @property
    def beyond(self) -> Span | None:
        """Rows with the position's cursor and a greater key, which only the source can tell from those up to it."""
        if self.position is None or self.position.key is None:
            return None
        return Span(Order.NONE, self.position, Position(self.position.cursor))


def overlap_of(plan: Plan) -> datetime | None:
    """Where the overlap of the next extraction begins; None: there is none."""
    return next((span.after.cursor for span in plan.spans if is_overlap(span) and span.after), None)


FIRST_GAP = NOWHERE + 1
"""The part of rows in the first of the gaps; the others follow."""
_LAST = 2**16 - 1


class Expectation:
    """Says of every source row whether the warehouse should have it."""

    def __init__(self, table: SourceTable, zone: ZoneInfo, point: Point) -> None:
        self._table = table
        self._zone = zone
        self._point = point
        self._gaps = gaps(point.read)
        self._type: pa.TimestampType = table.schema.field(table.cursor).type

    def kinds(self, batch: pa.RecordBatch) -> pa.Array:
        """EXPECTED, AHEAD, FUTURE or OUTSIDE for every row."""
        cursor = batch.column(self._table.cursor)
        kinds = pc.if_else(pc.fill_null(self._was_read(cursor), False), _of(RowKind.EXPECTED), _of(RowKind.OUTSIDE))
        kinds = pc.if_else(pc.fill_null(self._is_ahead(batch, cursor), False), _of(RowKind.AHEAD), kinds)
        future = pc.greater(cursor, self._at(self._point.now + FUTURE))
        return pc.if_else(pc.fill_null(future, False), _of(RowKind.FUTURE), kinds)

    def parts(self, cursor: pa.Array) -> pa.Array:
        """Where rows lie that no run read: NOWHERE without a cursor, else the number of the gap; NULL between them."""
        parts = pc.if_else(pc.is_null(cursor), pa.scalar(NOWHERE, pa.uint16()), pa.scalar(None, pa.uint16()))
        for number, gap in enumerate(self._gaps, FIRST_GAP):
            inside = pc.is_valid(cursor)
            if gap.after is not None and gap.after.high is not None:
                inside = pc.and_(inside, pc.greater(cursor, self._at(gap.after.high)))
            if gap.before is not None and gap.before.low is not None:
                below = pc.less if gap.before.inclusive else pc.less_equal
                inside = pc.and_(inside, below(cursor, self._at(gap.before.low)))
            parts = pc.if_else(pc.fill_null(inside, False), pa.scalar(min(number, _LAST), pa.uint16()), parts)
        return parts

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
        was_read = pa.repeat(pa.scalar(False), len(cursor))
        for stretch in self._point.read:
            inside = pc.is_valid(cursor)
            if stretch.low is not None:
                after = pc.greater_equal if stretch.inclusive else pc.greater
                inside = pc.and_(inside, after(cursor, self._at(stretch.low)))
            if stretch.high is not None:
                inside = pc.and_(inside, pc.less_equal(cursor, self._at(stretch.high)))
            was_read = pc.or_(was_read, pc.fill_null(inside, False))
        return was_read

    def _at(self, wall: datetime) -> pa.Scalar:
        return pa.scalar(column_time(wall, self._type, self._zone), self._type)


def _of(kind: RowKind) -> pa.Scalar:
    return pa.scalar(int(kind), pa.uint8())

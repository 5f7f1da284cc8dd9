"""Window after window over a table whose rows are committed later than they are stamped: none falls between two.

A model of the extraction executes real plans: it reads spans by their definition and leaves what a run leaves.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.pipeline.plans import (
    DATETIME,
    NEW_YORK,
    SECOND,
    TIMESTAMP,
    UTC_ZONE,
    clock_at,
    heartbeat,
    mark_at,
    planned,
    run_to,
    source_table,
)
from wmtui.model import Position, Span
from wmtui.pipeline.extract.plan import Plan, is_overlap, previous_run, read_up_to
from wmtui.runs.run_document import Range, Run
from wmtui.sources.cursor import column_time, from_utc
from wmtui.watermarks.lease import Heartbeat
from wmtui.watermarks.model import Watermark
from wmtui.watermarks.timestamps import to_instant


@dataclass(frozen=True)
class Row:
    """A row by the seconds of its stamp and of its commit since the beginning."""

    key: int
    stamp: int
    committed: int


@dataclass
class Reader:
    """A table that is read by one plan after the other. begin: aware UTC; cursor: the column's type."""

    begin: datetime
    zone: ZoneInfo
    cursor: pa.DataType
    rows: Sequence[Row]
    mark: Watermark = field(default_factory=lambda: mark_at(None))
    heartbeat: Heartbeat = field(default_factory=heartbeat)
    last: Run | None = None
    seen: frozenset[Row] = frozenset()
    passed_on: Counter[int] = field(default_factory=Counter)

    def sync(self, second: int, most: int | None = None) -> Plan:
        """Plan and read at this second; most: rows after which the run is interrupted, where that may be committed."""
        previous = previous_run(self.last, self.mark)
        read_to = read_up_to(previous, self.mark, self.heartbeat, self.zone)
        clock = clock_at(from_utc(self.begin + second * SECOND, self.zone))
        plan = planned(self.mark, clock, table=source_table(self.cursor), zone=self.zone, read_to=read_to)
        known = self.seen if previous else frozenset()
        left = most if most is not None and plan.commits_early else len(self.rows) + 1
        ranges: list[Range] = []
        read: list[Row] = []
        kept: list[Row] = []
        for span in plan.spans:
            found = self._visible(span, second)[:left]
            left -= len(found)
            new = [row for row in found if not (is_overlap(span) and row in known)]
            newest = self._position(new[-1]) if new and not is_overlap(span) else None
            ranges.append(Range(span, newest=newest, done=left > 0))
            read, kept = [*read, *found], [*kept, *new]
        self._leave(plan, ranges, read, kept)
        return plan

    def _leave(self, plan: Plan, ranges: Sequence[Range], read: Sequence[Row], kept: Sequence[Row]) -> None:
        """What a run leaves: its document, the watermark at the last row written, and how far it read."""
        self.passed_on.update(row.key for row in kept)
        read_to = to_instant(plan.high, self.zone) if all(r.done for r in ranges) else None
        if read_to:
            self.heartbeat = heartbeat(read_to, self.mark)
        if not kept:
            return
        before = self.mark.position
        newest = next((r.newest for r in ranges if r.newest is not None), None)
        final = before if newest is None or (before and newest.cursor < before.cursor) else newest
        assert final is not None
        self.last, self.mark = run_to(plan.high, final, *ranges), mark_at(final)
        if read_to:
            self.heartbeat = heartbeat(read_to, self.mark)
        assert plan.seen_from is not None
        since = column_time(plan.seen_from, self.cursor, self.zone)
        self.seen = frozenset(row for row in read if self._value(row) >= since)

    def _visible(self, span: Span, second: int) -> list[Row]:
        """The rows of a span that are committed by now, in its order."""
        inside = [row for row in self.rows if row.committed <= second and self.covers(span, row)]
        return sorted(inside, key=lambda row: (self._value(row), row.key))

    def covers(self, span: Span, row: Row) -> bool:
        place = (self._value(row), float(row.key))
        if place > self._bound(span.upto, math.inf):
            return False
        return span.after is None or place > self._bound(span.after, -math.inf if span.inclusive else math.inf)

    def _bound(self, position: Position, without_key: float) -> tuple[datetime, float]:
        at = column_time(position.cursor, self.cursor, self.zone)
        return at, without_key if position.key is None else float(position.key[0])

    def _value(self, row: Row) -> datetime:
        """The cursor as the column holds it."""
        instant = self.begin + row.stamp * SECOND
        stored = instant if self.cursor.tz else from_utc(instant, self.zone)
        return stored.replace(tzinfo=None, fold=0)

    def _position(self, row: Row) -> Position:
        return Position(from_utc(self.begin + row.stamp * SECOND, self.zone).replace(fold=0), (row.key,))


LATEST = 64
"""Seconds a row may be committed after its stamp: less than lag and overlap together."""


def late_rows(within: int) -> st.SearchStrategy[list[Row]]:
    """Rows stamped within so many seconds, each committed at its own time."""
    pairs = st.tuples(st.integers(0, within), st.integers(0, LATEST))
    return st.lists(pairs, min_size=10, max_size=30).map(
        lambda found: [Row(key, stamp, stamp + late) for key, (stamp, late) in enumerate(found)]
    )


def runs(longest_pause: int) -> st.SearchStrategy[list[tuple[int, int | None]]]:
    """Pauses between runs, in seconds, and after how many rows each is interrupted, if at all."""
    return st.lists(st.tuples(st.integers(1, longest_pause), st.none() | st.integers(1, 5)), min_size=2, max_size=12)


def read_through(reader: Reader, runs: Sequence[tuple[int, int | None]], end: int) -> None:
    """The runs one after the other, and one that nothing interrupts when all is committed."""
    second = 0
    for pause, most in runs:
        second += pause
        reader.sync(second, most)
    for later in (0, LATEST):
        reader.sync(max(second, end) + LATEST + 10 + later)


@settings(max_examples=300, deadline=None)
@given(rows=late_rows(300), runs=runs(120))
def test_no_row_is_missed_however_late_it_is_committed_and_wherever_a_run_was_cut(
    rows: list[Row], runs: list[tuple[int, int | None]]
) -> None:
    reader = Reader(datetime(2026, 7, 1, 12, tzinfo=UTC), UTC_ZONE, DATETIME, rows)
    read_through(reader, runs, 400)
    assert set(reader.passed_on) == {row.key for row in rows}


@settings(max_examples=300, deadline=None)
@given(rows=late_rows(400), pauses=st.lists(st.integers(1, 120), max_size=12))
def test_a_row_is_passed_on_once_where_every_window_is_read_to_its_end(rows: list[Row], pauses: list[int]) -> None:
    reader = Reader(datetime(2026, 7, 1, 12, tzinfo=UTC), UTC_ZONE, DATETIME, rows)
    read_through(reader, [(pause, None) for pause in pauses], 400)
    assert reader.passed_on == Counter(row.key for row in rows)


@pytest.mark.parametrize("cursor", [DATETIME, TIMESTAMP], ids=["datetime", "timestamp"])
@pytest.mark.parametrize(
    "begin", [datetime(2026, 11, 1, 5, tzinfo=UTC), datetime(2026, 3, 8, 6, tzinfo=UTC)], ids=["back", "forward"]
)
@settings(max_examples=200, deadline=None)
@given(rows=late_rows(2 * 3600), runs=runs(1800))
def test_no_row_is_missed_where_the_clocks_change(
    begin: datetime, cursor: pa.DataType, rows: list[Row], runs: list[tuple[int, int | None]]
) -> None:
    reader = Reader(begin, NEW_YORK, cursor, rows)
    read_through(reader, runs, 4 * 3600)
    assert set(reader.passed_on) == {row.key for row in rows}


@settings(max_examples=200, deadline=None)
@given(rows=late_rows(400), runs=runs(120))
def test_the_spans_of_a_plan_have_no_row_in_common(rows: list[Row], runs: list[tuple[int, int | None]]) -> None:
    reader = Reader(datetime(2026, 7, 1, 12, tzinfo=UTC), UTC_ZONE, DATETIME, rows)
    second = 0
    for pause, most in runs:
        second += pause
        spans = reader.sync(second, most).spans
        assert all(sum(reader.covers(span, row) for span in spans) <= 1 for row in rows)

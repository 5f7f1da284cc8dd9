"""What an extraction will read: the window, cut into spans. Pure rules, the same for preview and run."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from wmtui.config import TableConfig
from wmtui.files.runs import Run
from wmtui.model import Order, Position, Span, Strategy
from wmtui.sources import SourceClock, SourceTable
from wmtui.watermarks.lease import Heartbeat
from wmtui.watermarks.model import Watermark
from wmtui.watermarks.timestamps import to_wall

WRITER_MARGIN = timedelta(seconds=2)
"""Reading stays this far below the start of the oldest open writing transaction: its stamps may round down."""

LOOKBACK = timedelta(seconds=60)
BLIND_LOOKBACK = timedelta(minutes=10)
"""The overlap where the account may not see transactions, so that late commits show only by reading again."""


@dataclass(frozen=True)
class Plan:
    """The window one extraction reads.

    low, high: wall clock in the profile's zone; low None: from the beginning. spans: the overlap first, if any.
    origin: why it begins there, in words. seen_from: rows from here on are remembered for the next run's overlap;
    None: it will have none.
    """

    order: Order
    strategy: Strategy
    low: datetime | None
    high: datetime
    spans: tuple[Span, ...]
    origin: str
    seen_from: datetime | None

    @property
    def commits_early(self) -> bool:
        """What was read so far may be committed: rows arrive in cursor order, with a key that breaks ties."""
        return self.order is Order.CURSOR

    @property
    def empty(self) -> bool:
        """Nothing can be in the window."""
        return not self.spans


@dataclass(frozen=True)
class Previous:
    """The last committed run, when it left the watermark where it is now, and how far the source was read since.

    extracted_to: wall clock in the profile's zone.
    """

    run: Run
    extracted_to: datetime

    @classmethod
    def of(cls, run: Run | None, mark: Watermark, heartbeat: Heartbeat, zone: ZoneInfo) -> "Previous | None":
        """None unless the run's final position is the watermark's (after an edit its overlap means nothing) and its
        own overlap was read to the end.
        """
        if run is None or run.epoch != mark.epoch or run.final is None or run.final != mark.position:
            return None
        if not all(r.done for r in run.ranges if is_overlap(r.span)):
            return None
        noted = heartbeat.extracted_to
        return cls(run, max(run.high, to_wall(noted, zone)) if noted else run.high)


def high_of(clock: SourceClock, config: TableConfig, digits: int) -> datetime:
    """The last cursor value that is safe to read, wall clock in the profile's zone.

    Below the source's clock by `lag`, and at least by one unit of the cursor, so that the unit it falls in is over;
    below the oldest open writing transaction, which may still commit rows stamped since its start.
    """
    unit = timedelta(microseconds=10 ** (6 - digits))
    high = clock.now - max(config.lag, unit)
    if clock.oldest_writer is not None:
        high = min(high, clock.oldest_writer - WRITER_MARGIN)
    return high - timedelta(microseconds=high.microsecond) % unit


def lookback_of(clock: SourceClock, config: TableConfig, table: SourceTable) -> timedelta:
    """How far below the last high rows may still appear; 0 without a primary key, where reading again doubles."""
    if not table.primary_key:
        return timedelta(0)
    if config.lookback is not None:
        return config.lookback
    return LOOKBACK if clock.sees_transactions else BLIND_LOOKBACK


def plan(
    mark: Watermark,
    table: SourceTable,
    config: TableConfig,
    clock: SourceClock,
    *,
    system: datetime | None,
    previous: Previous | None,
    strategy: Strategy,
) -> Plan:
    """Decide what to read from where the watermark is to the last safe cursor value.

    system: the system watermark, where a table without its own begins; wall clock in the profile's zone.
    """
    high = high_of(clock, config, table.cursor_digits)
    lookback = lookback_of(clock, config, table)
    seen_from = high - lookback if lookback else None
    start = mark.position or (Position(system) if system else None)
    if start is None:
        order = Order.PRIMARY_KEY if table.primary_key else Order.NONE
        first = Span(order, None, Position(high))
        return Plan(order, strategy, None, high, (first,), "from the beginning", seen_from)
    order = Order.CURSOR if table.primary_key else Order.NONE
    spans = _overlap(start, lookback, previous, high)
    if start.cursor <= high:
        inclusive = start.key is None and bool(table.primary_key)
        spans.append(Span(order, start, Position(high), inclusive=inclusive))
    low = spans[0].after.cursor if spans and spans[0].after else start.cursor
    return Plan(order, strategy, low, high, tuple(spans), _origin(mark), seen_from)


def _overlap(start: Position, lookback: timedelta, previous: Previous | None, high: datetime) -> list[Span]:
    """The span below the watermark in which rows may have appeared since; none for a position without key."""
    if start.key is None or not lookback:
        return []
    read_to = previous.extracted_to if previous else start.cursor
    since = min(read_to, high) - lookback
    if since >= start.cursor:
        return []
    return [Span(Order.CURSOR, Position(since), start, inclusive=True)]


def _origin(mark: Watermark) -> str:
    if mark.position is None:
        return "from the system watermark"
    return "from the manual watermark" if mark.is_manual else "from the watermark"


def is_overlap(span: Span) -> bool:
    """The span below the watermark ends at a full position; every other ends at the window's high."""
    return span.upto.key is not None


def resumed(run: Run) -> Sequence[tuple[int, Span]]:
    """What is left to read of an interrupted run: by range, the span behind its position."""
    left = []
    for index, r in enumerate(run.ranges):
        if r.done:
            continue
        span = r.span
        if r.position is not None and span.order is Order.CURSOR:
            span = Span(span.order, r.position, span.upto, key_after=span.key_after, key_upto=span.key_upto)
        elif r.position is not None:
            span = Span(
                span.order,
                span.after,
                span.upto,
                inclusive=span.inclusive,
                key_after=r.position.key,
                key_upto=span.key_upto,
            )
        left.append((index, span))
    return left

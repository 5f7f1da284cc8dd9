"""What an extraction will read: the window, cut into spans. Pure rules, the same for preview and run."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from msgspec import Struct
from msgspec.structs import replace

from wmtui.config import TableConfig
from wmtui.errors import ConfigError
from wmtui.model import Order, Position, Span, Strategy
from wmtui.runs.run_document import Run
from wmtui.sources import SourceClock, SourceTable, Writer
from wmtui.watermarks.lease import Heartbeat
from wmtui.watermarks.model import Watermark
from wmtui.watermarks.timestamps import to_instant, to_wall

WRITER_MARGIN = timedelta(seconds=2)
"""Reading stays this far below the start of the oldest open writing transaction: its stamps may round down."""

HELD_LONG = timedelta(seconds=10)
"""How long a transaction may hold reading back before it is named."""

LOOKBACK = timedelta(seconds=60)
BLIND_LOOKBACK = timedelta(minutes=10)
"""The overlap where the account may not see transactions, so that late commits show only by reading again."""


REPEATED_HOUR = timedelta(hours=1)
"""The least overlap of a DATETIME cursor in a zone with daylight saving: in autumn its values go back that far."""


class Plan(Struct, frozen=True):
    """The window one extraction reads.

    low, high: wall clock in the profile's zone; low None: from the beginning. spans: the overlap first, if any.
    origin: why it begins there, in words. seen_from: rows from here on are remembered for the next run's overlap;
    None: it will have none. ahead: how far the watermark lies ahead of the high, if no late row explains it.
    writer: whose open transaction holds the high back. blind: why not all open transactions show.
    """

    order: Order
    strategy: Strategy
    low: datetime | None
    high: datetime
    spans: tuple[Span, ...]
    origin: str
    seen_from: datetime | None
    ahead: timedelta | None = None
    writer: Writer | None = None
    blind: str = ""

    @property
    def commits_early(self) -> bool:
        """What was read so far may be committed: rows arrive in cursor order, with a key that breaks ties."""
        return self.order is Order.CURSOR

    @property
    def empty(self) -> bool:
        """Nothing can be in the window."""
        return not self.spans


def previous_run(run: Run | None, mark: Watermark) -> Run | None:
    """The last committed run, if its overlap still counts: it left the watermark where it is now (after an edit its
    overlap means nothing), and its own overlap was read to the end.
    """
    if run is None or run.epoch != mark.epoch or run.final is None or run.final != mark.position:
        return None
    if None not in (run.timezone, mark.timezone) and run.timezone != mark.timezone:
        return None
    return run if all(r.done for r in run.ranges if is_overlap(r.span)) else None


def read_up_to(previous: Run | None, mark: Watermark, heartbeat: Heartbeat, zone: ZoneInfo) -> datetime | None:
    """Up to which instant the source has been read from this position; None: it is not known.

    What the last sync noted counts, although the run before may have come further: a clock that went back stamps rows
    below that again.
    """
    noted = heartbeat.extracted_to(mark)
    if noted is not None or previous is None:
        return noted
    return to_instant(previous.high, zone)


def lookback_before(previous: Run | None, mark: Watermark, heartbeat: Heartbeat, zone: ZoneInfo) -> timedelta:
    """The overlap that the last read from this position is to be followed by."""
    noted = heartbeat.lookback(mark)
    if previous is None or previous.seen_from is None:
        return noted
    return max(noted, to_instant(previous.high, zone) - to_instant(previous.seen_from, zone))


def high_of(clock: SourceClock, config: TableConfig, digits: int, zone: ZoneInfo) -> datetime:
    """The last cursor value that is safe to read, wall clock in the profile's zone.

    Below the source's clock by `lag`, and at least by one unit of the cursor, so that the unit it falls in is over;
    below the oldest open writing transaction, which may still commit rows stamped since its start. Counted in instants:
    where the clocks change, wall time skips or repeats an hour.
    """
    unit = 10 ** (6 - digits)
    high = to_instant(clock.now, zone) - max(config.lag, timedelta(microseconds=unit))
    if clock.writer is not None:
        high = min(high, to_instant(clock.writer.started, zone) - WRITER_MARGIN)
    wall = to_wall(high, zone)
    return wall.replace(microsecond=wall.microsecond // unit * unit)


def lookback_of(clock: SourceClock, config: TableConfig, table: SourceTable, zone: ZoneInfo) -> timedelta:
    """How far below the last high rows may still appear; 0 without a primary key, where reading again doubles.

    Raises ConfigError for a table without primary key in a zone with daylight saving: the repeated hour would be lost
    or doubled.
    """
    saving = observes_daylight_saving(zone, clock.now)
    if not table.primary_key:
        if saving:
            raise ConfigError(
                f"{table.table} has no primary key, and {zone.key} has daylight saving",
                "rows of the hour that occurs twice would be lost or doubled",
                "set the profile's timezone to one without, such as UTC, or name a primary_key",
            )
        return timedelta(0)
    usual = BLIND_LOOKBACK if clock.blind else LOOKBACK
    lookback = usual if config.lookback is None else timedelta(seconds=config.lookback.total_seconds())
    in_wall_clock = table.schema.field(table.cursor).type.tz is None
    return max(lookback, REPEATED_HOUR) if saving and in_wall_clock else lookback


def _holder(
    clock: SourceClock, config: TableConfig, table: SourceTable, zone: ZoneInfo, high: datetime
) -> Writer | None:
    """Whose transaction holds the high back, if it has been open for long."""
    if clock.writer is None or high_of(replace(clock, writer=None), config, table.cursor_digits, zone) <= high:
        return None
    return clock.writer if clock.now - clock.writer.started >= HELD_LONG else None


def observes_daylight_saving(zone: ZoneInfo, around: datetime) -> bool:
    """Whether the zone's offset changes within a year of a wall time."""
    quarters = (around.replace(fold=0) + timedelta(days=91 * n) for n in range(-4, 5))
    return len({wall.replace(tzinfo=zone).utcoffset() for wall in quarters}) > 1


def plan(
    mark: Watermark,
    table: SourceTable,
    config: TableConfig,
    clock: SourceClock,
    zone: ZoneInfo,
    *,
    system: datetime | None,
    read_to: datetime | None,
    strategy: Strategy,
    lookback_before: timedelta = timedelta(0),
) -> Plan:
    """Decide what to read from where the watermark is to the last safe cursor value.

    zone: the profile's. system: the system watermark, where a table without its own begins; wall clock in `zone`.
    read_to: see `read_up_to`. lookback_before: the overlap that the read up to there was to be followed by: where it
    saw less of open transactions than this one does, they may have committed since.
    """
    high = high_of(clock, config, table.cursor_digits, zone)
    lookback = lookback_of(clock, config, table, zone)
    seen_from = _before(to_instant(high, zone), lookback, zone) if lookback else None
    writer = _holder(clock, config, table, zone, high)
    start = mark.position or (Position(system) if system else None)
    if start is None:
        order = Order.PRIMARY_KEY if table.primary_key else Order.NONE
        first = Span(order, None, Position(high))
        return Plan(
            order=order,
            strategy=strategy,
            low=None,
            high=high,
            spans=(first,),
            origin="first load",
            seen_from=seen_from,
            writer=writer,
            blind=clock.blind,
        )
    order = Order.CURSOR if table.primary_key else Order.NONE
    spans = _overlap(start, max(lookback, lookback_before) if lookback else lookback, read_to, high, zone)
    ahead = to_instant(start.cursor, zone) - to_instant(high, zone)
    if start.cursor <= high:
        inclusive = start.key is None and bool(table.primary_key)
        spans.append(Span(order, start, Position(high), inclusive=inclusive))
    low = spans[0].after.cursor if spans and spans[0].after else start.cursor
    far = ahead if ahead > max(lookback, LOOKBACK) else None
    return Plan(
        order=order,
        strategy=strategy,
        low=low,
        high=high,
        spans=tuple(spans),
        origin=_origin(mark),
        seen_from=seen_from,
        ahead=far,
        writer=writer,
        blind=clock.blind,
    )


def _overlap(
    start: Position, lookback: timedelta, read_to: datetime | None, high: datetime, zone: ZoneInfo
) -> list[Span]:
    """The span below the watermark in which rows may have appeared since; none for a position without key.

    Without lookback there is one only where the source was last read up to a point before the watermark: its clock went
    back, or an older transaction held reading back.
    """
    if start.key is None or not (lookback or read_to):
        return []
    read_to = read_to or to_instant(start.cursor, zone)
    since = _before(min(read_to, to_instant(high, zone)) if lookback else read_to, lookback, zone)
    if since >= start.cursor:
        return []
    return [Span(Order.CURSOR, Position(since), start, inclusive=True)]


def _before(instant: datetime, span: timedelta, zone: ZoneInfo) -> datetime:
    """The wall clock so much earlier: by the instants or by the clock's face, whichever is less."""
    return min(to_wall(instant - span, zone), to_wall(instant, zone) - span)


def _origin(mark: Watermark) -> str:
    if mark.position is None:
        return "beginning at the system watermark"
    return "after the manual watermark" if mark.is_manual else "after the watermark"


def is_overlap(span: Span) -> bool:
    """The span below the watermark ends at a full position; every other ends at the window's high."""
    return span.upto.key is not None


def resumed(run: Run) -> Sequence[tuple[int, Span]]:
    """What is left to read of an interrupted run: by range, the span after its position."""
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

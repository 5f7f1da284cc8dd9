"""Whether the source still is what the watermark was read from: its clock, its rows, and the server that shows them.

A source goes back when it is restored, fails over to a late replica, or gets a new table under the old name; its stamps
go back when a clock or a time zone does. Either way rows come to lie below the watermark, where nothing reads them.
"""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from wmtui.config import TableConfig
from wmtui.errors import SourceError, SourceWentBack, TableError
from wmtui.events import Severity
from wmtui.model import Position
from wmtui.pipeline.context import Job, Scope
from wmtui.pipeline.extract.plan import BLIND_LOOKBACK, LOOKBACK, high_of, lookback_of
from wmtui.runs.run_document import Range, Run
from wmtui.sources import SourceClock, SourceConnection, SourceTable, TableState
from wmtui.texts import format_duration
from wmtui.watermarks import lease
from wmtui.watermarks.model import Watermark
from wmtui.watermarks.timestamps import format_wall, to_instant


def earlier(read: Position, now: datetime, table: SourceTable, zone: ZoneInfo) -> timedelta:
    """How much earlier the cursor of a row is now than it was read with; 0: it is as it was, or was changed since.

    now: wall clock as the source shows it. Instants are compared as such: wall clock goes back every autumn.
    """
    if table.schema.field(table.cursor).type.tz is None:
        return max(read.cursor - now, timedelta(0))
    return max(to_instant(read.cursor, zone) - to_instant(now, zone), timedelta(0))


def check_rows(
    scope: Scope,
    source: SourceConnection,
    table: SourceTable,
    mark: Watermark,
    *,
    last: Run | None,
    state: TableState,
    clock: SourceClock,
) -> None:
    """Raises TableError when the source went back to before the watermark; reports what may mean that.

    last: the last committed run. state: of the table, with the row that the watermark stands on. A deleted row leaves
    the same trace as a source that lacks it, so a row that is gone is only reported, unless the table or the server is
    another one too and nothing newer is there. A row that was changed by a host whose clock is a little late leaves the
    trace of a source that went back, and is reported.
    """
    position = mark.position
    changed = _changes(source, table, last)
    if position is None or position.key is None or not table.primary_key:
        return
    zone = scope.backend.zone
    now, counts = state.cursor, state.counts
    set_back = timedelta(0) if now is None else earlier(position, now, table, zone)
    newest = None if counts is None else counts.newest
    nothing_newer = counts is not None and (newest is None or newest < position.cursor)
    where = f"the last row that was read ({_key(position)}, {table.cursor} {format_wall(position.cursor)})"
    if set_back > (timedelta(0) if changed else lookback_of(clock, scope.config, table, zone)):
        raise _went_back(scope, f"{where} has an earlier {table.cursor} now", newest)
    if now is None and nothing_newer and changed:
        raise _went_back(scope, f"{where} is gone, nothing newer is there, and {changed}", newest)
    if now is None and (nothing_newer or changed):
        also = "nothing newer is there" if nothing_newer else changed
        text = f"{where} is gone, and {also}: it was deleted, or the source went back; `wmtui verify -t` tells which"
        scope.tell(text, Severity.WARNING)
    elif set_back:
        text = f"{where} has an earlier {table.cursor} now, by {format_duration(set_back)}"
        why = "a host whose clock is late changed it, and the target keeps the row of the later time"
        scope.tell(f"{text}: {why}", Severity.WARNING)
    elif changed:
        scope.tell(f"{changed}; the last row that was read is still there")


def _changes(source: SourceConnection, table: SourceTable, last: Run | None) -> str:
    """What tells that the table is not the one that the last run read, or may not be; "" for nothing."""
    if last is None:
        return ""
    if last.server is not None and last.server != source.server:
        return f"another server answers ({source.server}, it was {last.server})"
    if last.incarnation is not None and table.incarnation not in (None, last.incarnation):
        return f"the table was made or rebuilt at {table.incarnation}, after the last run"
    return ""


def _went_back(scope: Scope, what: str, newest: datetime | None) -> TableError:
    table = scope.table
    point = f"'{format_wall(newest)}'" if newest else "…"
    return SourceWentBack(
        f"the source of {table} went back: {what}",
        "it was restored, failed over to a server that lacks rows, or has a new table under the old name; what it "
        "stamps below the watermark would never be read",
        f"if all of it is to be read again, `wmtui watermark reset -t {table}`; else say where reading goes on: "
        f"`wmtui watermark set -t {table} --timestamp {point}`",
    )


def check_stamps(
    scope: Scope, table: SourceTable, mark: Watermark, newest: Position | None, clock: SourceClock
) -> None:
    """Raises TableError when a row that is new since the last run has a stamp so old that no run reads it.

    newest: the row with the greatest key, of a table whose key is counted up. What lies after the watermark is read,
    and before it as much as the overlap reads again.
    """
    read_to, seen, position = scope.heartbeat.extracted_to(mark), scope.heartbeat.newest_key, mark.position
    if newest is None or newest.key is None or position is None or read_to is None or seen is None:
        return
    zone = scope.backend.zone
    usual = BLIND_LOOKBACK if clock.blind else LOOKBACK
    overlap = max(usual, lookback_of(clock, scope.config, table, zone), scope.heartbeat.lookback(mark))
    too_old_by = min(read_to - overlap, to_instant(position.cursor, zone)) - to_instant(newest.cursor, zone)
    if int(newest.key[0]) <= seen or too_old_by <= timedelta(0):
        return
    raise SourceWentBack(
        f"stamps of {scope.table} went back: the row with {_key(newest)} is new, and its {table.cursor} "
        f"{format_wall(newest.cursor)} lies {format_duration(too_old_by)} before what is read again",
        "a clock or a time zone of the source or the application went back, or rows are written with an old stamp; "
        "they are below the watermark and would never be read",
        f"correct the zone or the rows; `wmtui watermark set -t {scope.table} --timestamp "
        f"'{format_wall(newest.cursor)}'` reads from there again",
    )


def counts_as_read_to(
    scope: Scope, table: SourceTable, *, clock: SourceClock, high: datetime, read_to: datetime, reached: datetime
) -> datetime:
    """Up to which instant the source counts as read. read_to: what was noted of that; reached: the furthest it was.

    Where its clock went back, it may have done so at any time since it was last read, and was then as much lower as
    that is ago.
    """
    if not table.primary_key:
        return read_to
    lowest = to_instant(high, scope.backend.zone)
    since = scope.heartbeat.clock_read
    if since is not None and _back(clock, reached, scope.backend.zone) > timedelta(0):
        lowest -= max(scope.backend.clock() - since, timedelta(0))
    return min(read_to, lowest)


def _back(clock: SourceClock, reached: datetime, zone: ZoneInfo) -> timedelta:
    """How far the source's own clock is before a point that was read already; not positive where it is not."""
    return reached - (to_instant(clock.now, zone) + clock.delay)


def note_clock(
    job: Job, mark: Watermark, table: SourceTable, *, clock: SourceClock, read_to: datetime, reached: datetime
) -> None:
    """Remember, before a row is read, that reading begins again below what was read already. read_to: from there.

    Where the source's clock itself went back, rows are stamped below the watermark until it has passed it again: with a
    primary key they are read from the lowest point on. Raises TableError for a table without one, where that doubles.
    """
    back = _back(clock, reached, job.backend.zone)
    if back > timedelta(0):
        what = f"the source's clock is {format_duration(back)} before the point up to which {job.table} was read"
        if not table.primary_key:
            job.lease.note(clock_back=lease.placement_of(mark))
            job.lease.renew()
            raise clock_went_back(job, mark)
        job.tell(f"{what}: it went back, and rows stamped since are read again from there", Severity.WARNING)
    if read_to < reached and table.primary_key:
        job.lease.note(extracted_to=read_to, extracted_behind=lease.position_of(mark))
        job.lease.renew()


def clock_went_back(scope: Scope, mark: Watermark) -> TableError:
    """The refusal that stands until an operator moves the watermark of a table without primary key."""
    point = format_wall(mark.position.cursor) if mark.position else "…"
    return SourceWentBack(
        f"the source's clock went back before the watermark of {scope.table}",
        "rows stamped since then lie below the watermark, and without a primary key reading them again doubles others",
        f"`wmtui watermark set -t {scope.table} --timestamp … --force` at the time the clock went back to reads from "
        f"there, rows after it twice; '{point}' gives those rows up",
    )


def exchanged(run: Run, table: SourceTable, server: str | None) -> list[str]:
    """Partitions of the very table that a run read on this server whose rows are others now; those that came or went
    since are none of them.
    """
    if run.server != server or run.incarnation != table.incarnation:
        return []
    return [name for name, number in run.partitions.items() if table.partitions.get(name, number) != number]


def same_rows(source: SourceConnection, table: SourceTable, run: Run, zone: ZoneInfo) -> bool:
    """Whether an interrupted run can go on: what it has read so far must stand in the table that it would go on with.

    On the same server, in the same incarnation of the table, no row at which a range stands has gone back, nor has the
    clock, by which rows are stamped again below what was read; where server or incarnation is another one, or is not
    known, these rows must be exactly as they were read.
    """
    if run.server is not None and run.server == source.server:
        if run.incarnation != table.incarnation or exchanged(run, table, source.server):
            return False
        clock = source.clock()
        if not clock.delay and to_instant(clock.now, zone) < to_instant(run.high, zone):
            return False
    known = run.server == source.server and run.incarnation is not None
    return all(_still(source, table, r, zone, exactly=not known) for r in run.ranges)


def _still(source: SourceConnection, table: SourceTable, r: Range, zone: ZoneInfo, *, exactly: bool) -> bool:
    position = r.position
    if position is None or position.key is None:
        return True
    now = source.cursor_of(table, position.key)
    if exactly:
        return now == position.cursor
    return now is None or not earlier(position, now, table, zone)


def refuse_late_server(
    source: SourceConnection, table: SourceTable, run: Run, *, first: str | None, config: TableConfig, zone: ZoneInfo
) -> None:
    """Raises SourceError unless everything that a run is to read is there on this connection's server.

    first: the server whose clock and transactions the run's high comes from. On it only the clock counts: what began
    since is stamped later. Another one must say the same of itself as that one did.
    """
    clock = source.clock()
    own = high_of(clock, config, table.cursor_digits, zone)
    if source.server == first and not clock.delay:
        own = max(own, clock.now)
    if to_instant(own, zone) >= to_instant(run.high, zone):
        return
    why = f"it is safe up to {format_wall(own)}, and this run reads up to {format_wall(run.high)}"
    raise SourceError(
        f"the server that answers now ({source.server}) may lack rows of {table.table} that this run is to read",
        f"{why}; {clock.writer} has an open transaction" if clock.writer else why,
        "sync again; if several servers answer at this address, name one that is not late",
    )


def _key(position: Position) -> str:
    return f"key {', '.join(map(str, position.key or ()))}"

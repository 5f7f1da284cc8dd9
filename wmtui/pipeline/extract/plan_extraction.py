"""Planning the extraction of one table: asks the source's clock, the last run and the lock document, and applies the
rules of `plan` to what they say.
"""

from datetime import timedelta

from msgspec.structs import replace

from wmtui.errors import UsageError
from wmtui.events import Severity
from wmtui.model import Order, Strategy
from wmtui.pipeline.context import Job, Scope
from wmtui.pipeline.extract import continuity
from wmtui.pipeline.extract.plan import Plan, high_of, is_overlap, lookback_before, plan, previous_run, read_up_to
from wmtui.runs.run_document import Run, RunStore
from wmtui.sources import SourceClock, SourceConnection, SourceTable
from wmtui.texts import format_duration
from wmtui.watermarks.model import Watermark
from wmtui.watermarks.timestamps import format_wall, to_instant


def plan_extraction(
    scope: Scope, source: SourceConnection, mark: Watermark, table: SourceTable, last: Run | None
) -> tuple[Plan, Run | None]:
    """The plan the next extraction executes after the `last` committed run, and that run if its overlap counts.

    Under a lease it is noted when the clock was read, and from where the source is read again. Raises UsageError for a
    limit that the plan's order cannot keep.
    """
    backend = scope.backend
    previous = previous_run(last, mark)
    read_to = read_up_to(previous, mark, scope.heartbeat, backend.zone)
    clock = clock_of(scope, source)
    highs = [to_instant(previous.high, backend.zone)] if previous else []
    reached = max([*highs, *([read_to] if read_to else [])], default=None)
    if reached is not None and read_to is not None:
        high = high_of(clock, scope.config, table.cursor_digits, backend.zone)
        read_to = continuity.counts_as_read_to(scope, table, clock=clock, high=high, read_to=read_to, reached=reached)
        if isinstance(scope, Job):
            continuity.note_clock(scope, mark, table, clock=clock, read_to=read_to, reached=reached)
    made = plan(
        mark,
        table,
        scope.config,
        clock,
        backend.zone,
        system=backend.watermarks.system_for(mark),
        read_to=read_to,
        strategy=scope.options.strategy,
        lookback_before=lookback_before(previous, mark, scope.heartbeat, backend.zone),
    )
    if isinstance(scope, Job):
        scope.lease.note(clock_read=backend.clock())
    if made.ahead is not None:
        scope.tell(
            f"the watermark is {format_duration(made.ahead)} ahead of what may be read now: nothing is extracted",
            Severity.WARNING,
        )
    refuse_limit(scope, made.order)
    made = _by_key_where_large(scope, source, table, made)
    return _split(scope, source, table, made), previous


def refuse_limit(scope: Scope, order: Order) -> None:
    """Raises UsageError for a limit where rows come in another order than the cursor's: a run that commits half-way
    would leave the watermark behind rows that it has not read.
    """
    if scope.options.limit is not None and order is not Order.CURSOR:
        raise UsageError(
            f"--limit cannot be kept for {scope.table}",
            "a first load, a table without primary key and intra-table read in no order that may stop half-way",
            "leave --limit out, or give the table a watermark first",
        )


def clock_of(scope: Scope, source: SourceConnection) -> SourceClock:
    """The source's clock, as this table waits for the transactions of others."""
    if not scope.config.primary_key:
        return source.clock(timedelta(0))
    lookback = scope.config.lookback
    return source.clock(None if lookback is None else timedelta(seconds=lookback.total_seconds()))


def last_run(scope: Scope, standing: Run | None = None) -> Run | None:
    """The run that the last sync of this table committed. standing: the run that the watermark stands on, where it was
    read already.
    """
    name = scope.heartbeat.document.committed_run
    if standing is not None and standing.run == name:
        return standing
    stored = RunStore(scope.backend.objects, scope.table).read(name) if name else None
    return stored.run if stored else None


def tell_held(scope: Scope, made: Plan) -> str | None:
    """Say whose open transaction holds reading back; returns the words, None where there is none."""
    if made.writer is None:
        return None
    since = format_wall(made.writer.started.replace(microsecond=0))
    held = f"held at {format_wall(made.high)} by {made.writer}, whose transaction is open since {since}"
    scope.tell(f"reading is {held}: newer rows wait until it ends", Severity.WARNING)
    return held


def _by_key_where_large(scope: Scope, source: SourceConnection, table: SourceTable, made: Plan) -> Plan:
    """A window so large that the source would sort it is read in the order of the key, like a first load: rows come at
    once, and the source keeps no sorted copy of them. Such a run commits whole, so --limit keeps the cursor's order.
    """
    if not made.commits_early or not made.spans or scope.options.limit is not None:
        return made
    *overlap, window = made.spans
    by_key = replace(window, order=Order.PRIMARY_KEY)
    if is_overlap(window) or not source.sorts(table, window) or source.sorts(table, by_key):
        return made
    return replace(made, order=Order.PRIMARY_KEY, spans=(*overlap, by_key))


def _split(scope: Scope, source: SourceConnection, table: SourceTable, made: Plan) -> Plan:
    """For intra-table: the window in primary-key ranges, which commit only together."""
    if made.strategy is not Strategy.INTRA_TABLE:
        return made
    if not table.primary_key:
        scope.tell("no primary key to split by; reading sequentially", Severity.WARNING)
        return replace(made, strategy=Strategy.SEQUENTIAL)
    if not made.spans:
        return made
    *overlap, window = made.spans
    ranges = source.split(table, window, scope.options.workers)
    return replace(made, order=Order.PRIMARY_KEY, spans=(*overlap, *ranges))

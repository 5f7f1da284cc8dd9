"""The extracting half of a sync: settle what an earlier run left, plan, read, commit."""

from collections.abc import Generator, Iterator, Sequence
from datetime import timedelta

from msgspec import Struct
from msgspec.structs import replace

from wmtui.errors import CursorsDoubtful, Interrupted, UsageError
from wmtui.events import Phase, Severity
from wmtui.model import Order, Span, Strategy
from wmtui.pipeline.context import Job, Scope
from wmtui.pipeline.extract import continuity
from wmtui.pipeline.extract.continuity import prove_reached
from wmtui.pipeline.extract.pending_run import Pending, PendingKind, find_pending, refuse_other_order
from wmtui.pipeline.extract.plan import (
    Plan,
    high_of,
    is_overlap,
    lookback_before,
    plan,
    previous_run,
    read_up_to,
    resumed,
)
from wmtui.pipeline.extract.run_writer import Extracted, Extraction, abandon, begin, known_rows, new_run, take_over
from wmtui.pipeline.extract.schema_changes import tell_changes, tell_renames
from wmtui.pipeline.target_check import check_target
from wmtui.runs.run_document import Run, RunStore
from wmtui.runs.settle import bury, patch_extracted
from wmtui.sources import CursorCounts, SourceClock, SourceConnection, SourceTable
from wmtui.texts import format_duration
from wmtui.warehouses import TargetTable
from wmtui.watermarks import changes, pins
from wmtui.watermarks.changes import Action
from wmtui.watermarks.model import Watermark
from wmtui.watermarks.timestamps import format_wall, to_instant
from wmtui.watermarks.zones import refuse_foreign


def extract_table(job: Job, mark: Watermark) -> Generator[Extracted, None, None]:
    """Bring everything up to the last safe cursor value into the store, over one connection; yields once per run.

    An interrupted earlier run is resumed first. Raises Pinned, UsageError for a limit that cannot be kept, ConfigError
    for another cursor, key or time zone than so far, TableError for a source that went back, Interrupted after yielding
    what could be committed, and whatever the adapters raise.
    """
    refuse_pinned(job, mark)
    refuse_foreign(mark, job.backend.zone)
    with job.backend.source.connect() as source:
        yield from _extract(job, mark, source)


def _extract(job: Job, mark: Watermark, source: SourceConnection) -> Iterator[Extracted]:
    table = source.describe(job.table, job.config)
    tell_renames(job, table)
    target = check_target(job, table)
    last = last_run(job)
    job.lease.note(newest_key=check(job, source, table, mark, last))
    mark, pending = _settle(job, mark, table, source)
    if pending.kind is PendingKind.RESUMABLE:
        for resumed_run in _resume(job, mark, table, source, target=target, last=last, pending=pending):
            yield _told(job, table, last, resumed_run)
            if not resumed_run.complete:
                return
            mark, last = resumed_run.mark, resumed_run.run or last
    elif pending.kind is PendingKind.COMMITTED:
        last = pending.run
        refuse_foreign(mark, job.backend.zone)
    for fresh_run in _fresh(job, mark, table, source, target=target, last=last):
        yield _told(job, table, last, fresh_run)


def check(scope: Scope, source: SourceConnection, table: SourceTable, mark: Watermark, last: Run | None) -> int | None:
    """Look whether the source still is what the watermark was read from, and which rows it will never show.

    Returns the greatest key of a table whose key is counted up. Raises ConfigError for another cursor or key than so
    far, and TableError.
    """
    if last is not None and last.final is not None and last.final == mark.position:
        refuse_other_order(last, table)
    clock = clock_of(scope, source)
    counts = source.cursor_counts(table, clock.now)
    check_cursors(scope, table, counts)
    if scope.heartbeat.clock_went_back(mark):
        raise continuity.clock_went_back(scope, mark)
    continuity.check_source(scope, source, table, mark, last=last, counts=counts, clock=clock)
    newest = source.newest_key(table) if table.counted_key else None
    continuity.check_stamps(scope, table, mark, newest, clock)
    return int(newest.key[0]) if newest and newest.key else None


def clock_of(scope: Scope, source: SourceConnection) -> SourceClock:
    """The source's clock, as this table waits for others."""
    if not scope.config.primary_key:
        return source.clock(timedelta(0))
    lookback = scope.config.lookback
    return source.clock(None if lookback is None else timedelta(seconds=lookback.total_seconds()))


def _told(job: Job, table: SourceTable, last: Run | None, extracted: Extracted) -> Extracted:
    """The same; with the first rows of changed columns, what changed: without rows it would be told again and again."""
    if extracted.run is not None:
        tell_changes(job, table, last, extracted.run.server)
    return extracted


def plan_table(
    job: Scope, source: SourceConnection, mark: Watermark, table: SourceTable, last: Run | None
) -> tuple[Plan, Run | None]:
    """The plan the next extraction executes after the `last` committed run, and that run if its overlap counts.

    Raises UsageError for a limit that the plan's order cannot keep.
    """
    backend = job.backend
    previous = previous_run(last, mark)
    read_to = read_up_to(previous, mark, job.heartbeat, backend.zone)
    clock = clock_of(job, source)
    highs = [to_instant(previous.high, backend.zone)] if previous else []
    reached = max([*highs, *([read_to] if read_to else [])], default=None)
    if reached is not None and read_to is not None:
        high = high_of(clock, job.config, table.cursor_digits, backend.zone)
        read_to = continuity.read_again_from(job, table, clock=clock, high=high, read_to=read_to, reached=reached)
        if isinstance(job, Job):
            continuity.note_clock(job, mark, table, clock=clock, read_to=read_to, reached=reached)
    made = plan(
        mark,
        table,
        job.config,
        clock,
        backend.zone,
        system=backend.watermarks.system_for(mark),
        read_to=read_to,
        strategy=job.options.strategy,
        lookback_before=lookback_before(previous, mark, job.heartbeat, backend.zone),
    )
    if isinstance(job, Job):
        job.lease.note(clock_read=backend.clock())
    if made.ahead is not None:
        job.tell(
            f"the watermark is {format_duration(made.ahead)} ahead of what may be read now: nothing is extracted",
            Severity.WARNING,
        )
    if job.options.limit is not None and not made.commits_early:
        raise UsageError(
            f"--limit cannot be kept for {job.table}",
            "a first load, a table without primary key and intra-table read in no order that may stop half-way",
            "leave --limit out, or give the table a watermark first",
        )
    made = _unsorted(job, source, table, made)
    return _split(job, source, table, made), previous


def tell_held(scope: Scope, made: Plan) -> str | None:
    """Say whose open transaction holds reading back; returns the words, None where nobody does."""
    if made.writer is None:
        return None
    since = format_wall(made.writer.started.replace(microsecond=0))
    held = f"held at {format_wall(made.high)} by {made.writer}, whose transaction is open since {since}"
    scope.tell(f"reading is {held}: newer rows wait until it ends", Severity.WARNING)
    return held


class ExtractionPreview(Struct, frozen=True):
    """What the next extraction would read: about so many rows of the plan, from this watermark on."""

    mark: Watermark
    plan: Plan
    estimate: int


def preview_extraction(scope: Scope, mark: Watermark) -> ExtractionPreview:
    """What the next extraction would read, beginning with what is left of an interrupted run. Changes nothing.

    Raises what `extract_table` raises.
    """
    refuse_pinned(scope, mark)
    refuse_foreign(mark, scope.backend.zone)
    with scope.backend.source.connect() as source:
        table = source.describe(scope.table, scope.config)
        check_target(scope, table)
        last = last_run(scope)
        check(scope, source, table, mark, last)
        pending = find_pending(scope, mark, table, source)
        tell_renames(scope, table)
        tell_changes(scope, table, last, source.server)
        if pending.kind is PendingKind.COMMITTED and pending.run is not None:
            last = pending.run
            mark = mark.patched(patch_extracted(mark, last, scope.backend.clock(), table.cursor_digits))
        if pending.kind is PendingKind.RESUMABLE and pending.run is not None:
            run = pending.run
            spans = tuple(span for _, span in resumed(run))
            made = Plan(run.order, run.strategy, run.low, run.high, spans, "resuming an interrupted run", None)
        else:
            made = plan_table(scope, source, mark, table, last)[0]
            tell_held(scope, made)
        rows = sum(source.estimate(table, span) for span in made.spans if not is_overlap(span))
    return ExtractionPreview(mark, made, rows)


def refuse_pinned(job: Scope, mark: Watermark) -> None:
    """Raises Pinned while an operator holds the watermark."""
    pins.refuse_pinned(mark, job.backend.clock(), "load without extracting with --redshift-only")


def check_cursors(scope: Scope, table: SourceTable, counts: CursorCounts | None) -> None:
    """Rows without a cursor, or with one in the future, are not read: say how many, or refuse, as the table's settings
    say. counts None: no index tells.
    """
    config = scope.config
    if counts is None:
        unknown = [name for name in ("null_cursor", "future_cursor") if getattr(config, name) == "error"]
        if unknown:
            raise CursorsDoubtful(
                f"whether rows of {table.table} have no {table.cursor}, or one in the future, is not known",
                f"no index begins with it, and {' and '.join(unknown)} is `error` for this table",
                f"create an index on {table.cursor}, or say `report`",
            )
        scope.tell(f"no index begins with {table.cursor}: rows without one, or with one in the future, are not counted")
        return
    cursor = table.cursor
    unread = (
        (counts.nulls, "null_cursor", f"no {cursor} and are never extracted", f"give every row a {cursor}"),
        (
            counts.future,
            "future_cursor",
            f"a {cursor} in the future and are not extracted before that time comes",
            "correct them, and the zone that the application writes in",
        ),
    )
    for count, rule, what, next_step in unread:
        text = f"{count} rows have {what}" if count > 1 else f"1 row has {what.replace('are', 'is', 1)}"
        if count and getattr(config, rule) == "error":
            raise CursorsDoubtful(text, f"{rule} is `error` for this table", next_step)
        if count:
            scope.tell(text, Severity.WARNING)


def _settle(job: Job, mark: Watermark, table: SourceTable, source: SourceConnection) -> tuple[Watermark, Pending]:
    """Deal with the run the watermark waits for, unless it is to be resumed."""
    pending = find_pending(job, mark, table, source)
    if pending.kind is PendingKind.LOST:
        if pending.run is None and mark.pending_extraction is not None:
            bury(RunStore(job.backend.objects, job.table), mark, mark.pending_extraction)
        mark = job.backend.watermarks.change(job.table, Action.RUN_ABANDONED, changes.abandon_run(), based_on=mark)
    elif pending.kind is PendingKind.COMMITTED and pending.run is not None:
        job.tell(f"run {pending.run.run} was committed but not noted; taking its position over")
        mark = take_over(job, mark, pending.run, table.cursor_digits)
    elif pending.kind is PendingKind.STALE and pending.run is not None:
        job.tell(f"abandoning run {pending.run.run}: it cannot be resumed", Severity.WARNING)
        mark = abandon(job, mark, pending.run, pending.etag)
    return mark, pending


def _fresh(
    job: Job,
    mark: Watermark,
    table: SourceTable,
    source: SourceConnection,
    *,
    target: TargetTable | None,
    last: Run | None,
) -> Iterator[Extracted]:
    """Plan a new run, named as the lease names it, and read it."""
    made, previous = plan_table(job, source, mark, table, last)
    job.lease.note(held_by=tell_held(job, made))
    low = format_wall(made.low) if made.low else "the beginning"
    blind = f"; {made.blind}" if made.blind else ""
    job.tell(f"extracting from {low} to {format_wall(made.high)} ({made.origin}, {made.strategy.value}{blind})")
    run = new_run(job, mark, table, made, source.server)
    extraction = Extraction(job, table, mark, run, source, target=target)
    yield from _read(job, extraction, list(enumerate(made.spans)), previous, made.commits_early)


def _resume(
    job: Job,
    mark: Watermark,
    table: SourceTable,
    source: SourceConnection,
    *,
    target: TargetTable | None,
    last: Run | None,
    pending: Pending,
) -> Iterator[Extracted]:
    """Continue an interrupted run under the new token, after its durable parts."""
    assert pending.run is not None
    run = replace(pending.run, token=job.lease.token)
    prove_reached(source, table, run, first=run.server, config=job.config, zone=job.backend.zone)
    job.tell(f"resuming run {run.run} with {run.rows} rows behind {len(run.parts)} durable parts")
    previous = previous_run(last, mark)
    mark = begin(job, mark, run.run)
    etag = RunStore(job.backend.objects, job.table).save(run, pending.etag)
    extraction = Extraction(job, table, mark, run, source, target=target)
    extraction.continue_from(etag)
    yield from _read(job, extraction, resumed(run), previous, run.order is Order.CURSOR)


def _read(
    job: Job,
    extraction: Extraction,
    spans: Sequence[tuple[int, Span]],
    previous: Run | None,
    commits_early: bool,
) -> Iterator[Extracted]:
    """Read and commit; an interruption is raised behind what could be committed."""
    job.progress(Phase.EXTRACTING)
    try:
        extraction.read(spans, known_rows(previous))
    except Interrupted:
        if commits_early:
            yield extraction.commit()
        raise
    yield extraction.commit()


def _unsorted(job: Scope, source: SourceConnection, table: SourceTable, made: Plan) -> Plan:
    """A window so large that the source would sort it is read in the order of the key, like a first load: rows come at
    once, and the source keeps no sorted copy of them. Such a run commits whole, so --limit keeps the cursor's order.
    """
    if not made.commits_early or not made.spans or job.options.limit is not None:
        return made
    *overlap, main = made.spans
    by_key = replace(main, order=Order.PRIMARY_KEY)
    if is_overlap(main) or not source.sorts(table, main) or source.sorts(table, by_key):
        return made
    return replace(made, order=Order.PRIMARY_KEY, spans=(*overlap, by_key))


def _split(job: Scope, source: SourceConnection, table: SourceTable, made: Plan) -> Plan:
    """For intra-table: the window in primary-key ranges, which commit only together."""
    if made.strategy is not Strategy.INTRA_TABLE:
        return made
    if not table.primary_key:
        job.tell("no primary key to split by; reading sequentially", Severity.WARNING)
        return replace(made, strategy=Strategy.SEQUENTIAL)
    if not made.spans:
        return made
    *overlap, main = made.spans
    ranges = source.split(table, main, job.options.workers)
    return replace(made, order=Order.PRIMARY_KEY, spans=(*overlap, *ranges))


def last_run(job: Scope) -> Run | None:
    """The run the last sync of this table committed."""
    name = job.heartbeat.document.committed_run
    stored = RunStore(job.backend.objects, job.table).read(name) if name else None
    return stored.run if stored else None

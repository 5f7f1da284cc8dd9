"""The extracting half of a sync: settle what an earlier run left, plan, read, commit."""

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from wmtui.errors import Interrupted, TableError, UsageError
from wmtui.files.runs import Run, RunStore
from wmtui.files.settle import patch_extracted
from wmtui.files.verdicts import format_distance
from wmtui.model import Order, Span, Strategy
from wmtui.pipeline.changes import tell_changes, tell_renames
from wmtui.pipeline.context import Job, Scope
from wmtui.pipeline.events import Phase, Severity
from wmtui.pipeline.extraction import Extracted, Extraction, abandon, begin, known_rows, new_run, take_over
from wmtui.pipeline.pending import Pending, PendingKind, find_pending, refuse_other_order
from wmtui.pipeline.plan import Plan, Previous, plan, resumed
from wmtui.sources import SourceTable
from wmtui.watermarks import pins
from wmtui.watermarks.model import Watermark
from wmtui.watermarks.timestamps import format_wall


def extract_table(job: Job, mark: Watermark) -> Iterator[Extracted]:
    """Bring everything up to the last safe cursor value into the store; yields once per run.

    An interrupted earlier run is resumed first. Raises Pinned, UsageError for a limit that cannot be kept, ConfigError
    for another cursor or key than so far, Interrupted after yielding what could be committed, and whatever the adapters
    raise.
    """
    refuse_pinned(job, mark)
    table = job.backend.source.describe(job.table, job.config)
    check_null_cursors(job, table)
    tell_renames(job, table)
    last = last_run(job)
    mark, pending = _settle(job, mark, table)
    if pending.kind is PendingKind.RESUMABLE:
        for resumed_run in _resume(job, mark, table, last, pending):
            yield _told(job, table, last, resumed_run)
            if not resumed_run.complete:
                return
            mark, last = resumed_run.mark, resumed_run.run or last
    elif pending.kind is PendingKind.COMMITTED:
        last = pending.run
    for fresh_run in _fresh(job, mark, table, last):
        yield _told(job, table, last, fresh_run)


def _told(job: Job, table: SourceTable, last: Run | None, extracted: Extracted) -> Extracted:
    """The same; with the first rows of changed columns, what changed: without rows it would be told again and again."""
    if extracted.run is not None:
        tell_changes(job, table, last)
    return extracted


def plan_table(job: Scope, mark: Watermark, table: SourceTable, last: Run | None) -> tuple[Plan, Previous | None]:
    """The plan the next extraction executes behind the `last` committed run, and that run if its overlap counts.

    Raises UsageError for a limit that the plan's order cannot keep.
    """
    backend = job.backend
    if last is not None and last.final is not None and last.final == mark.position:
        refuse_other_order(last, table)
    previous = Previous.of(last, mark, job.heartbeat, backend.zone)
    made = plan(
        mark,
        table,
        job.config,
        backend.source.clock(),
        backend.zone,
        system=backend.watermarks.system() if mark.position is None else None,
        previous=previous,
        strategy=job.options.strategy,
    )
    if made.ahead is not None:
        job.tell(
            f"the watermark is {format_distance(made.ahead)} ahead of what may be read now: nothing is extracted",
            Severity.WARNING,
        )
    if job.options.limit is not None and not made.commits_early:
        raise UsageError(
            f"--limit cannot be kept for {job.table}",
            "a first load, a table without primary key and intra-table read in no order that may stop half-way",
            "leave --limit out, or give the table a watermark first",
        )
    return _split(job, table, made), previous


def preview_plan(scope: Scope, mark: Watermark) -> tuple[SourceTable, Watermark, Plan]:
    """What the next extraction would read, beginning with what is left of an interrupted run. Changes nothing.

    Returns the table, the watermark it would begin at, and the plan. Raises what `extract_table` raises.
    """
    refuse_pinned(scope, mark)
    table = scope.backend.source.describe(scope.table, scope.config)
    check_null_cursors(scope, table)
    pending, last = find_pending(scope, mark, table), last_run(scope)
    tell_renames(scope, table)
    tell_changes(scope, table, last)
    if pending.kind is PendingKind.COMMITTED and pending.run is not None:
        mark, last = mark.patched(patch_extracted(pending.run, scope.backend.clock(), table.cursor_digits)), pending.run
    if pending.kind is not PendingKind.RESUMABLE or pending.run is None:
        return table, mark, plan_table(scope, mark, table, last)[0]
    run = pending.run
    spans = tuple(span for _, span in resumed(run))
    return table, mark, Plan(run.order, run.strategy, run.low, run.high, spans, "resuming an interrupted run", None)


def refuse_pinned(job: Scope, mark: Watermark) -> None:
    """Raises Pinned while an operator holds the watermark."""
    pins.refuse_pinned(mark, job.backend.clock(), "load without extracting with --redshift-only")


def check_null_cursors(job: Scope, table: SourceTable) -> None:
    """Rows with a NULL cursor can never be read: say how many, or refuse, as the table's settings say."""
    if not table.nullable_cursor:
        return
    count = job.backend.source.null_cursors(table)
    if not count:
        return
    what = f"{count} rows have no {table.cursor} and are never extracted"
    if job.config.null_cursor == "error":
        raise TableError(what, "null_cursor is `error` for this table", f"give every row a {table.cursor}")
    job.tell(what, Severity.WARNING)


def _settle(job: Job, mark: Watermark, table: SourceTable) -> tuple[Watermark, Pending]:
    """Deal with the run the watermark waits for, unless it is to be resumed."""
    pending = find_pending(job, mark, table)
    if pending.kind is PendingKind.LOST:
        patch = {"pending_extraction": None}
        mark = job.backend.watermarks.change(job.table, "run abandoned", lambda _: patch, based_on=mark)
    elif pending.kind is PendingKind.COMMITTED and pending.run is not None:
        job.tell(f"run {pending.run.run} was committed but not noted; taking its position over")
        mark = take_over(job, mark, pending.run, table.cursor_digits)
    elif pending.kind is PendingKind.STALE and pending.run is not None:
        job.tell(f"abandoning run {pending.run.run}: it cannot be resumed", Severity.WARNING)
        mark = abandon(job, mark, pending.run, pending.etag)
    return mark, pending


def _fresh(job: Job, mark: Watermark, table: SourceTable, last: Run | None) -> Iterator[Extracted]:
    """Plan a new run, named as the lease names it, and read it."""
    made, previous = plan_table(job, mark, table, last)
    low = format_wall(made.low) if made.low else "the beginning"
    job.tell(f"extracting from {low} to {format_wall(made.high)} ({made.origin}, {made.strategy.value})")
    extraction = Extraction(job, table, mark, new_run(job, job.lease.run, mark, table, made))
    yield from _read(job, extraction, list(enumerate(made.spans)), previous, made.commits_early)


def _resume(job: Job, mark: Watermark, table: SourceTable, last: Run | None, pending: Pending) -> Iterator[Extracted]:
    """Continue an interrupted run under the new token, behind its durable parts."""
    assert pending.run is not None
    run = replace(pending.run, token=job.lease.token)
    job.tell(f"resuming run {run.run} with {run.rows} rows behind {len(run.parts)} durable parts")
    previous = Previous.of(last, mark, job.heartbeat, job.backend.zone)
    mark = begin(job, mark, run.run)
    etag = RunStore(job.backend.objects, job.table).save(run, pending.etag)
    extraction = Extraction(job, table, mark, run)
    extraction.continue_from(etag)
    yield from _read(job, extraction, resumed(run), previous, run.order is Order.CURSOR)


def _read(
    job: Job,
    extraction: Extraction,
    spans: Sequence[tuple[int, Span]],
    previous: Previous | None,
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


def _split(job: Scope, table: SourceTable, made: Plan) -> Plan:
    """For intra-table: the window in primary-key ranges, which commit only together."""
    if made.strategy is not Strategy.INTRA_TABLE:
        return made
    if not table.primary_key:
        job.tell("no primary key to split by; reading sequentially", Severity.WARNING)
        return replace(made, strategy=Strategy.SEQUENTIAL)
    if not made.spans:
        return made
    *overlap, main = made.spans
    ranges = job.backend.source.split(table, main, job.options.workers)
    return replace(made, order=Order.PRIMARY_KEY, spans=(*overlap, *ranges))


def last_run(job: Scope) -> Run | None:
    """The run the last sync of this table committed."""
    name = job.heartbeat.fields.get("committed_run")
    found = RunStore(job.backend.objects, job.table).read(str(name)) if name else None
    return found[0] if found else None

"""The extracting half of a sync: settle what an earlier run left, plan, read, commit."""

from collections.abc import Sequence
from dataclasses import replace

from wmtui.errors import Interrupted, TableError, UsageError
from wmtui.files.runs import Run, RunState, RunStore, new_run_id
from wmtui.files.selection import settled_run
from wmtui.model import Order, Span, Strategy
from wmtui.pipeline.context import Job, Scope
from wmtui.pipeline.events import Phase, Severity
from wmtui.pipeline.extraction import Extracted, Extraction, abandon, begin, known_rows, new_run, take_over
from wmtui.pipeline.plan import Plan, Previous, plan, resumed
from wmtui.sources import SourceTable
from wmtui.watermarks import pins
from wmtui.watermarks.model import Watermark
from wmtui.watermarks.timestamps import format_wall


def extract_table(job: Job, mark: Watermark) -> list[Extracted]:
    """Bring everything up to the last safe cursor value into the store; one element per run.

    An interrupted earlier run is resumed first. Raises Pinned, UsageError for a limit that cannot be kept,
    Interrupted after committing what may be committed, and whatever the adapters raise.
    """
    refuse_pinned(job, mark)
    table = job.backend.source.describe(job.table, job.config.cursor, job.config.primary_key)
    _null_cursors(job, table)
    last = last_run(job)
    mark, pending = _settled(job, mark, table)
    done = []
    if pending is not None and pending[0].state is RunState.RUNNING:
        done.append(_resume(job, mark, table, last, pending))
        if not done[-1].complete:
            return done
        mark, last = done[-1].mark, done[-1].run or last
    elif pending is not None:
        last = pending[0]
    done.append(_fresh(job, mark, table, last))
    return done


def plan_table(job: Scope, mark: Watermark, table: SourceTable, last: Run | None) -> tuple[Plan, Previous | None]:
    """The plan the next extraction executes behind the `last` committed run, and that run if its overlap counts.

    Raises UsageError for a limit that the plan's order cannot keep.
    """
    backend = job.backend
    previous = Previous.of(last, mark, job.heartbeat, backend.zone)
    made = plan(
        mark,
        table,
        job.config,
        backend.source.clock(),
        system=backend.watermarks.system() if mark.position is None else None,
        previous=previous,
        strategy=job.options.strategy,
    )
    if job.options.limit is not None and not made.commits_early:
        raise UsageError(
            f"--limit cannot be kept for {job.table}",
            "a first load, a table without primary key and intra-table read in no order that may stop half-way",
            "leave --limit out, or give the table a watermark first",
        )
    return _split(job, table, made), previous


def refuse_pinned(job: Scope, mark: Watermark) -> None:
    """Raises Pinned while an operator holds the watermark."""
    pins.refuse_pinned(mark, job.backend.clock(), "load without extracting with --redshift-only")


def _null_cursors(job: Job, table: SourceTable) -> None:
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


def _settled(job: Job, mark: Watermark, table: SourceTable) -> tuple[Watermark, tuple[Run, str] | None]:
    """Deal with the run the watermark waits for: a committed one is taken over, a running one is to be resumed."""
    if mark.pending_extraction is None:
        return mark, None
    found = RunStore(job.backend.objects, job.table).read(mark.pending_extraction)
    if found is None or found[0].state is RunState.ABANDONED:
        patch = {"pending_extraction": None}
        return job.backend.watermarks.change(job.table, "run abandoned", lambda _: patch, based_on=mark), None
    run, etag = found
    if run.state is RunState.COMMITTED:
        job.tell(f"run {run.run} was committed but not noted; taking its position over")
        return take_over(job, mark, run, table.cursor_digits), (run, etag)
    schema = new_run(job, run.run, mark, table, Plan(run.order, run.strategy, None, run.high, (), "", None)).schema
    if run.order is Order.NONE or run.epoch != mark.epoch or run.schema != schema:
        job.tell(f"abandoning run {run.run}: it cannot be resumed", Severity.WARNING)
        return abandon(job, mark, run, etag), None
    return mark, (run, etag)


def _fresh(job: Job, mark: Watermark, table: SourceTable, last: Run | None) -> Extracted:
    """Plan a new run and read it."""
    made, previous = plan_table(job, mark, table, last)
    low = format_wall(made.low) if made.low else "the beginning"
    job.tell(f"extracting from {low} to {format_wall(made.high)} ({made.strategy.value})")
    earlier = [name for name in (settled_run(mark, job.heartbeat, job.config.target), last and last.run) if name]
    run = new_run(job, new_run_id(job.backend.clock(), *earlier), mark, table, made)
    extraction = Extraction(job, table, mark, run)
    return _read(job, extraction, list(enumerate(made.spans)), previous, made.commits_early)


def _resume(job: Job, mark: Watermark, table: SourceTable, last: Run | None, pending: tuple[Run, str]) -> Extracted:
    """Continue an interrupted run under the new token, behind its durable parts."""
    run, etag = pending
    job.tell(f"resuming run {run.run} with {run.rows} rows behind {len(run.parts)} durable parts")
    previous = Previous.of(last, mark, job.heartbeat, job.backend.zone)
    mark = begin(job, mark, run.run)
    run = replace(run, token=job.lease.token)
    etag = RunStore(job.backend.objects, job.table).save(run, etag)
    extraction = Extraction(job, table, mark, run)
    extraction.continue_from(etag)
    return _read(job, extraction, resumed(run), previous, run.order is Order.CURSOR)


def _read(
    job: Job,
    extraction: Extraction,
    spans: Sequence[tuple[int, Span]],
    previous: Previous | None,
    commits_early: bool,
) -> Extracted:
    job.progress(Phase.EXTRACTING)
    try:
        extraction.read(spans, known_rows(previous))
    except Interrupted:
        if commits_early:
            extraction.commit()
        raise
    return extraction.commit()


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

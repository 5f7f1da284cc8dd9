"""The extracting half of a sync: settle what an earlier run left, plan, read, write, commit."""

from collections.abc import Sequence

from wmtui.errors import Interrupted
from wmtui.events import Phase, Severity
from wmtui.model import Order, Span
from wmtui.pipeline.context import Job
from wmtui.pipeline.extract.continuity import refuse_late_server
from wmtui.pipeline.extract.overlap import known_rows
from wmtui.pipeline.extract.pending_run import Pending, PendingKind, find_pending
from wmtui.pipeline.extract.plan import previous_run, resumed
from wmtui.pipeline.extract.plan_extraction import last_run, plan_extraction, refuse_limit, tell_held
from wmtui.pipeline.extract.run_writer import OnPart, RunWriter, new_run
from wmtui.pipeline.extract.schema_changes import tell_changes, tell_renames
from wmtui.pipeline.extract.source_check import check_source, refuse_pinned
from wmtui.pipeline.extract.span_reader import SpanReader
from wmtui.pipeline.extract.warehouse_check import WarehouseCheck
from wmtui.runs.run_document import Run, RunStore
from wmtui.runs.settle import bury
from wmtui.sources import SourceConnection
from wmtui.texts import count
from wmtui.watermarks import changes, lease
from wmtui.watermarks.changes import Action, Patch
from wmtui.watermarks.model import SideStatus, Watermark
from wmtui.watermarks.timestamps import format_wall, to_instant
from wmtui.watermarks.zones import refuse_foreign


def extract_table(job: Job, watermark: Watermark, standing: Run | None, on_part: OnPart) -> Watermark:
    """Bring everything up to the last safe cursor value into the store, over one connection; returns the watermark as
    it is then. standing: the run that it stands on, None for none. on_part: called with each part once it is durable.

    An interrupted earlier run is resumed first. Raises Pinned, UsageError for a limit that cannot be kept, ConfigError
    for another cursor, key or time zone than so far, TableError for a source that went back, Interrupted after
    committing what could be committed, and whatever the adapters raise.
    """
    refuse_pinned(job, watermark)
    refuse_foreign(watermark, job.backend.zone)
    with job.backend.source.connect() as source:
        if source.careful:
            job.tell(f"rows come through the driver's cursor, which takes several times as long: {source.careful}")
        extraction = _Extraction(job, source, watermark, standing, on_part)
        extraction.run()
    return extraction.watermark


class _Extraction:
    """One table's extraction. watermark: as it is by now. last: the run that was committed last."""

    def __init__(
        self, job: Job, source: SourceConnection, watermark: Watermark, standing: Run | None, on_part: OnPart
    ) -> None:
        self.watermark = watermark
        self._job = job
        self._source = source
        self._on_part = on_part
        self._table = source.describe(job.table, job.config)
        tell_renames(job, self._table)
        self._warehouse = WarehouseCheck(job, self._table, watermark)
        self._last = last_run(job, standing)

    def run(self) -> None:
        """Finish an interrupted run if there is one, then read what is new."""
        newest_key = check_source(self._job, self._source, self._table, self.watermark, self._last)
        self._job.lease.note(newest_key=newest_key)
        unfinished = self._settle()
        if unfinished is None or self._resume(unfinished):
            self._start()

    def _settle(self) -> RunWriter | None:
        """Deal with the run that the watermark waits for; returns its writer if it is to be resumed."""
        job, pending = self._job, find_pending(self._job, self.watermark, self._table, self._source)
        if pending.kind is PendingKind.LOST:
            self._forget(pending)
        if pending.run is None or pending.kind is PendingKind.LOST:
            return None
        writer = self._writer(pending.run, pending.etag)
        if pending.kind is PendingKind.RESUMABLE:
            return writer
        if pending.kind is PendingKind.COMMITTED:
            job.tell(f"run {pending.run.run} was committed but not noted; taking its position over")
            writer.take_over()
            self._last = pending.run
            refuse_foreign(writer.watermark, job.backend.zone)
        else:
            job.tell(f"abandoning run {pending.run.run}: it cannot be resumed", Severity.WARNING)
            writer.abandon()
        self.watermark = writer.watermark
        return None

    def _forget(self, pending: Pending) -> None:
        """Let the watermark wait no longer for a run without a document, or one that was abandoned."""
        if pending.run is None and self.watermark.pending_extraction is not None:
            documents = RunStore(self._job.backend.objects, self._job.table)
            bury(documents, self.watermark, self.watermark.pending_extraction)
        self._change(Action.RUN_ABANDONED, changes.abandon_run())

    def _resume(self, writer: RunWriter) -> bool:
        """Finish an interrupted run after its durable parts; whether all of it was read. Raises UsageError for a limit
        that its order cannot keep.
        """
        job, run = self._job, writer.run
        refuse_limit(job, run.order)
        refuse_late_server(self._source, self._table, run, first=run.server, config=job.config, zone=job.backend.zone)
        job.tell(f"resuming run {run.run} with {count(run.rows, 'row')} after {count(len(run.parts), 'durable part')}")
        previous = previous_run(self._last, self.watermark)
        writer.resume()
        return self._read(writer, resumed(run), previous)

    def _start(self) -> None:
        """Plan a new run, named as the lease names it, and read it."""
        job = self._job
        plan, previous = plan_extraction(job, self._source, self.watermark, self._table, self._last)
        job.lease.note(held_by=tell_held(job, plan))
        low = format_wall(plan.low) if plan.low else "the beginning"
        blind = f"; {plan.blind}" if plan.blind else ""
        way = "through a cursor" if self._source.careful else "direct"
        how = f"{plan.origin}, {plan.strategy.value}, {way}{blind}"
        job.tell(f"extracting from {low} to {format_wall(plan.high)} ({how})")
        writer = self._writer(new_run(job, self.watermark, self._table, plan, self._source.server))
        self._read(writer, list(enumerate(plan.spans)), previous)

    def _writer(self, run: Run, etag: str | None = None) -> RunWriter:
        digits = self._table.cursor_digits
        return RunWriter(self._job, self.watermark, run, etag, digits=digits, on_part=self._on_part)

    def _read(self, writer: RunWriter, spans: Sequence[tuple[int, Span]], previous: Run | None) -> bool:
        """Read and commit; whether every span was read to its end. After an interruption, parts whose rows came in the
        order of the cursor are committed before it is raised; a run without parts stays, to be resumed.
        """
        job = self._job
        known = known_rows(previous)
        reader = SpanReader(job, self._source, self._table, writer, target=self._warehouse.target, known=known)
        job.progress(Phase.EXTRACTING)
        try:
            reader.read(spans)
        except Interrupted:
            if writer.run.order is Order.CURSOR and writer.run.parts:
                self._commit(writer, reader)
            raise
        self._commit(writer, reader)
        return writer.run.done

    def _commit(self, writer: RunWriter, reader: SpanReader) -> None:
        """Commit what is durable, and say what came of it."""
        job = self._job
        reader.tell_truncated()
        committed = writer.commit(reader.digests)
        self.watermark = writer.watermark
        if committed is not None:
            # Only with their first rows: without, what changed in columns would be reported again and again.
            tell_changes(job, self._table, self._last, committed.server)
            self._last = committed
            job.tell(f"extracted {count(committed.rows, 'row')} in {count(len(committed.parts), 'part')}")
        elif writer.run.done:
            job.tell("no news in the source")
            self._recover()
        if writer.run.done:
            self._note_read_to(writer.run)
        elif reader.limit_reached:
            job.tell("stopped at the limit; more is waiting in the source")

    def _recover(self) -> None:
        """A run without news changes nothing, but the failure of an earlier one is over."""
        if self.watermark.extraction_status not in (SideStatus.SUCCESS, SideStatus.PENDING):
            self._change(Action.RECOVERED, changes.recover(self.watermark))

    def _note_read_to(self, run: Run) -> None:
        """Leave up to where the source was read from this watermark. A run that did not read all leaves what an earlier
        one noted: it may have come less far.
        """
        zone = self._job.backend.zone
        self._job.lease.note(
            extracted_to=to_instant(run.high, zone),
            extracted_from=to_instant(run.seen_from or run.high, zone),
            extracted_behind=lease.position_of(self.watermark),
        )

    def _change(self, action: Action, patch: Patch) -> None:
        watermarks = self._job.backend.watermarks
        self.watermark = watermarks.change(self._job.table, action, patch, based_on=self.watermark, leased=True)

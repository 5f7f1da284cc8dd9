"""Extraction: read the plan's spans, write parts, commit, move the watermark.

The protocol: watermark takes `pending_extraction` and `fence` → run document → parts, and behind each the range's
position → run committed → watermark moves to the last row written, never backwards. Without rows nothing is written.
"""

import threading
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime
from functools import partial

import pyarrow as pa
from msgspec import Struct
from msgspec.structs import replace

from wmtui.errors import ObjectMissing, PreconditionFailed, StoreError, WriteContended
from wmtui.events import Phase, Severity
from wmtui.layout import part_key
from wmtui.model import Position, Span, Strategy
from wmtui.objects import ObjectStore
from wmtui.objects.conditional_writes import refuses_always
from wmtui.pipeline.context import Job
from wmtui.pipeline.extract.continuity import prove_reached
from wmtui.pipeline.extract.limits import Fit
from wmtui.pipeline.extract.overlap import Seen, unpack, unseen
from wmtui.pipeline.extract.part_writer import Background, Chunk, ChunkBuilder, encode
from wmtui.pipeline.extract.pending_run import columns_of
from wmtui.pipeline.extract.plan import Plan, is_overlap
from wmtui.pipeline.target_check import required_columns
from wmtui.runs.footers import footer_digest
from wmtui.runs.run_document import Part, Range, Run, RunState, RunStore, run_started
from wmtui.runs.settle import patch_extracted
from wmtui.sources import SourceConnection, SourceTable
from wmtui.sources.cursor import column_time
from wmtui.warehouses import TargetTable
from wmtui.watermarks import changes
from wmtui.watermarks.changes import Action
from wmtui.watermarks.model import Watermark
from wmtui.watermarks.source_progress import read_to

BATCH_ROWS = 10_000
"""Rows a reader hands on at once; small enough to stop quickly, large enough that a call costs nothing per row."""
_CONTENDED = 5


class Extracted(Struct, frozen=True):
    """What an extraction left. run None: there was no news, and nothing was written.

    high: how far the source was read if `complete`, wall clock in the profile's zone. seen_from: from where on the next
    run reads again; None: from there on.
    """

    mark: Watermark
    run: Run | None
    complete: bool
    high: datetime
    seen_from: datetime | None = None


class Extraction:
    """One run over one table. Readers of several ranges share it; the run document is changed under a lock.

    source: the connection whose clock the run's high comes from. Readers of ranges at once have one each, and prove
    first that its server shows as much. target: what the rows are to land in, None where there is no such table.
    """

    def __init__(
        self,
        job: Job,
        table: SourceTable,
        mark: Watermark,
        run: Run,
        source: SourceConnection,
        *,
        target: TargetTable | None,
    ) -> None:
        self._source = source
        self._job = job
        self._table = table
        self._mark = mark
        self._run = run
        self._etag: str | None = None
        self._lock = threading.Lock()
        self._seen = Seen()
        required = required_columns(job, table, target)
        self._fit = Fit(table, job.config, job.backend.warehouse.limits, required)
        self._next_part = len(run.parts)
        self._left = job.options.limit
        self._rows = run.rows
        self._cut = False

    def continue_from(self, etag: str) -> None:
        """The run's document exists already: it is being resumed."""
        self._etag = etag

    def read(self, spans: Sequence[tuple[int, Span]], known: frozenset[bytes]) -> None:
        """Read every span to its end, or until the limit; what was durable before an error stays listed.

        known: digests by which rows of the overlap are recognised.
        """
        if self._run.strategy is Strategy.INTRA_TABLE and len(spans) > 1:
            with ThreadPoolExecutor(self._job.options.workers, thread_name_prefix="range") as pool:
                for done in [pool.submit(self._read_apart, index, span, known) for index, span in spans]:
                    done.result()
        else:
            for index, span in spans:
                self._read_span(self._source, index, span, known)

    def commit(self) -> Extracted:
        """Commit what is durable and move the watermark behind it; without any row leave everything as it was."""
        for column, count in self._fit.cut.items():
            self._job.tell(f"column {column}: {count:,} texts were cut to what the warehouse holds", Severity.WARNING)
        if self._etag is None:
            return Extracted(self._mark, None, not self._cut, self._run.high, self._run.seen_from)
        run = self._run
        if not run.parts:
            mark = abandon(self._job, self._mark, run, self._etag)
            return Extracted(mark, None, not self._cut, run.high, run.seen_from)
        main = replace(run, ranges=tuple(r for r in run.ranges if not is_overlap(r.span)))
        committed = replace(
            run,
            state=RunState.COMMITTED,
            final=_final(main.newest, self._mark.position),
            seen=self._seen.packed,
        )
        self._job.lease.check()
        RunStore(self._job.backend.objects, self._job.table).save(committed, self._etag)
        self._job.account.rows_extracted += committed.rows
        self._job.account.files_written += len(committed.parts)
        mark = take_over(self._job, self._mark, committed, self._table.cursor_digits)
        return Extracted(mark, committed, committed.done, run.high, run.seen_from)

    def _read_apart(self, index: int, span: Span, known: frozenset[bytes]) -> None:
        """One reader among several, on a connection of its own."""
        backend = self._job.backend
        with backend.source.connect() as source:
            prove_reached(
                source,
                self._table,
                self._run,
                first=self._source.server,
                config=self._job.config,
                zone=backend.zone,
            )
            self._read_span(source, index, span, known)

    def _read_span(self, source: SourceConnection, index: int, span: Span, known: frozenset[bytes]) -> None:
        """One reader: batches into chunks, chunks into parts written behind its back."""
        background = Background(f"part {self._job.table}")
        options = self._job.options
        readers = 1 if options.strategy is Strategy.SEQUENTIAL else options.workers
        builder = ChunkBuilder(self._table, span.order, self._job.backend.zone, readers)
        overlap = is_overlap(span)
        since = self._run.seen_from and column_time(
            self._run.seen_from, self._table.schema.field(self._table.cursor).type, self._job.backend.zone
        )
        try:
            with closing(_batches(source, self._table, span)) as batches:
                for batch in batches:
                    self._job.check()
                    read = batch if overlap else self._limited(batch)
                    self._seen.remember(read, self._table.cursor, since)
                    builder.read(read)
                    kept = unseen(read, known) if overlap else read
                    builder.keep(self._fit.fitted(kept))
                    self._report(kept.num_rows)
                    if builder.full:
                        background.submit(partial(self._write, index, builder.take()))
                    if self._cut:
                        break
            if builder.rows:
                background.submit(partial(self._write, index, builder.take()))
            background.wait()
            self._finish(index, builder.skipped)
        finally:
            background.close()

    def _limited(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        if self._left is None:
            return batch
        kept = batch.slice(0, self._left)
        self._left -= kept.num_rows
        self._cut = self._left == 0
        return kept

    def _write(self, index: int, chunk: Chunk) -> None:
        """Make one part durable, then move the range's position behind it."""
        self._begin()
        job = self._job
        with self._lock:
            number, self._next_part = self._next_part, self._next_part + 1
        run = self._run
        key = part_key(job.table, run.started, run.run, run.token, number)
        data = encode(chunk.data)
        job.lease.check()
        etag = put_part(job.backend.objects, key, data)
        footer = footer_digest(data)
        part = Part(key, etag, chunk.data.num_rows, len(data), chunk.min_cursor, chunk.max_cursor, footer)
        with self._lock:
            known = self._run.ranges[index]
            self._save(index, replace(
                known,
                position=chunk.position,
                newest=_later(known.newest, chunk.newest),
                skipped=known.skipped + chunk.skipped,
                parts=(*known.parts, part),
            ))  # fmt: skip
        self._report(0)

    def _report(self, rows: int) -> None:
        """Tell how many rows were read for this run, and how many parts of it are durable."""
        with self._lock:
            self._rows += rows
            rows, parts = self._rows, len(self._run.parts)
        self._job.progress(Phase.EXTRACTING, rows, parts)

    def _finish(self, index: int, skipped: int) -> None:
        """Note that a range was read to its end; of a run without rows there is no document to note it in."""
        with self._lock:
            known = self._run.ranges[index]
            changed = replace(known, done=not self._cut, skipped=known.skipped + skipped)
            if self._etag is None:
                self._run = self._run.with_range(index, changed)
            else:
                self._save(index, changed)

    def _save(self, index: int, changed: Range) -> None:
        assert self._etag is not None
        run = self._run.with_range(index, changed)
        self._etag = RunStore(self._job.backend.objects, self._job.table).save(run, self._etag)
        self._run = run

    def _begin(self) -> None:
        """Before the first part: the watermark learns of the run, then the run gets its document."""
        with self._lock:
            if self._etag is not None:
                return
            job = self._job
            self._mark = begin(job, self._mark, self._run.run)
            self._etag = RunStore(job.backend.objects, job.table).create(self._run)


def _batches(source: SourceConnection, table: SourceTable, span: Span) -> Generator[pa.RecordBatch, None, None]:
    yield from source.read(table, span, BATCH_ROWS)


def put_part(objects: ObjectStore, key: str, data: bytes) -> str:
    """Write a part that is never overwritten; returns its ETag.

    Its name carries run, token and number, so whatever stands under it after a refusal is this very part: a write
    whose answer was lost.
    """
    for _ in range(_CONTENDED):
        try:
            return objects.put(key, data, if_absent=True)
        except PreconditionFailed:
            try:
                found = objects.head(key)
            except ObjectMissing:
                raise refuses_always(objects, key) from None
            if found.size != len(data):
                raise StoreError(f"{key} holds something else", "nobody but this run writes it", "sync again") from None
            return found.etag
        except WriteContended:
            continue
    raise StoreError(f"could not write {key}", "the store answered 409 again and again", "sync again")


def begin(job: Job, mark: Watermark, run: str) -> Watermark:
    """Record that a run has begun under this lease; raises Conflict when the watermark changed since it was read."""
    patch = changes.start_run(run, job.lease.token)
    return job.backend.watermarks.change(job.table, Action.RUN_STARTED, patch, based_on=mark)


def take_over(job: Job, mark: Watermark, run: Run, digits: int | None = None) -> Watermark:
    """Move the watermark to where a committed run left off; raises Conflict when somebody changed it meanwhile."""
    now = job.backend.clock()
    job.lease.note(committed_run=run.run)
    before = read_to(mark, job.heartbeat, job.backend.zone)
    return job.backend.watermarks.change(
        job.table, Action.EXTRACTED, lambda seen: patch_extracted(seen, run, now, digits, before), based_on=mark
    )


def abandon(job: Job, mark: Watermark, run: Run, etag: str) -> Watermark:
    """Give a run up: its parts will never be loaded, and the watermark forgets it."""
    RunStore(job.backend.objects, job.table).save(replace(run, state=RunState.ABANDONED), etag)
    return job.backend.watermarks.change(job.table, Action.RUN_ABANDONED, changes.abandon_run(), based_on=mark)


def new_run(job: Job, mark: Watermark, table: SourceTable, plan: Plan, server: str) -> Run:
    """The document of a run, named as the lease names it, that is about to read a plan from a server."""
    run = job.lease.run
    return Run(
        table=str(job.table),
        run=run,
        token=job.lease.token,
        epoch=mark.epoch,
        started=run_started(run),
        strategy=plan.strategy,
        order=plan.order,
        low=plan.low,
        high=plan.high,
        ranges=tuple(Range(span) for span in plan.spans),
        schema=columns_of(table),
        cursor=table.cursor,
        primary_key=table.primary_key,
        seen_from=plan.seen_from,
        server=server,
        incarnation=table.incarnation,
        partitions=dict(table.partitions),
        timezone=job.backend.zone.key,
    )


def known_rows(previous: Run | None) -> frozenset[bytes]:
    """Digests of rows the run before has read near its high."""
    return unpack(previous.seen) if previous else frozenset()


def _final(newest: Position | None, before: Position | None) -> Position | None:
    """Where a run leaves the watermark: at the last row written, never before where it was."""
    if newest is None or (before is not None and newest.cursor < before.cursor):
        return before
    return newest


def _later(known: Position | None, new: Position | None) -> Position | None:
    """The greater position by arrival: of equal cursors the new one."""
    if known is None or new is None:
        return new or known
    return new if new.cursor >= known.cursor else known

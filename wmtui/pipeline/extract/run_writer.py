"""Writing one extraction run: its parts, the document that lists them, and the watermark that follows.

The order of writes: the watermark takes `pending_extraction` and `fence` → run document → parts, and after each but the
last the position of its range → the document is committed, with the last part → the watermark moves to the last row
written, never backwards.
Without rows nothing is written.
"""

import threading
from collections.abc import Callable

import pyarrow as pa
from msgspec.structs import replace

from wmtui.layout import part_key
from wmtui.model import Order, Position
from wmtui.pipeline.context import Job
from wmtui.pipeline.extract.part_writer import Chunk, encode, put_part
from wmtui.pipeline.extract.pending_run import columns_of
from wmtui.pipeline.extract.plan import Plan, is_overlap
from wmtui.runs.footers import footer_digest
from wmtui.runs.run_document import Part, Range, Run, RunState, RunStore, run_started
from wmtui.runs.settle import patch_extracted
from wmtui.sources import SourceTable
from wmtui.watermarks import changes
from wmtui.watermarks.changes import Action, Patch
from wmtui.watermarks.model import Watermark
from wmtui.watermarks.source_progress import read_to

OnPart = Callable[[str, int, Part, pa.Table], None]
"""Called with each durable part: the id of its run, its number there, and the rows in it."""


class RunWriter:
    """Writes one run of a table under its lease; several readers may write at once.

    watermark, run: as they are now. etag: of the run's document, None before there is one. digits: fraction digits of
    the cursor column. on_part: called, by several readers at once, after each part that is durable. Every method raises
    Conflict when the watermark or the document was changed meanwhile.
    """

    def __init__(
        self,
        job: Job,
        watermark: Watermark,
        run: Run,
        etag: str | None = None,
        *,
        digits: int | None = None,
        on_part: OnPart = lambda *_: None,
    ) -> None:
        self.watermark = watermark
        self.run = run
        self._etag = etag
        self._job = job
        self._digits = digits
        self._on_part = on_part
        self._documents = RunStore(job.backend.objects, job.table)
        self._next_part = len(run.parts)
        self._lock = threading.Lock()

    def resume(self) -> None:
        """Go on with an interrupted run, after its durable parts, under the token of this lease."""
        self._announce()
        self._save(replace(self.run, token=self._job.lease.token))

    def write(self, index: int, chunk: Chunk, *, last: bool = False) -> None:
        """Make one part durable, then move the position of its range after it. last: of its range, whose end is noted
        next, and this part with it.
        """
        job = self._job
        with self._lock:
            if self._etag is None:
                self._begin()
            number, self._next_part = self._next_part, self._next_part + 1
        run = self.run
        key = part_key(job.table, run.started, run.run, run.token, number)
        data = encode(chunk.data)
        job.lease.check()
        etag = put_part(job.backend.objects, key, data)
        part = Part(
            key=key,
            etag=etag,
            rows=chunk.data.num_rows,
            size=len(data),
            min_cursor=chunk.min_cursor,
            max_cursor=chunk.max_cursor,
            footer=footer_digest(data),
        )
        with self._lock:
            before = self.run.ranges[index]
            after = replace(
                before,
                position=chunk.position,
                newest=_later(before.newest, chunk.newest),
                skipped=before.skipped + chunk.skipped,
                parts=(*before.parts, part),
            )
            self._list_part(self.run.with_range(index, after), last=last)
        self._on_part(run.run, number, part, chunk.data)

    def end_range(self, index: int, *, done: bool, skipped: int) -> None:
        """Note that no more is read of a range. done: it was read to its end. A run without rows has no document to
        note it in, and the end of the last range is noted with the commit, which follows.
        """
        with self._lock:
            before = self.run.ranges[index]
            ended = self.run.with_range(index, replace(before, done=done, skipped=before.skipped + skipped))
            if self._etag is None or ended.done:
                self.run = ended
            else:
                self._save(ended)

    def commit(self, digests: bytes = b"") -> Run | None:
        """Commit the durable parts and move the watermark after them; None where no row was written.

        digests: by which the next run knows rows of its overlap again.
        """
        if self._etag is None:
            return None
        if not self.run.parts:
            self.abandon()
            return None
        # In any other order rows that were not read lie below the last one that was.
        assert self.run.done or self.run.order is Order.CURSOR
        window = replace(self.run, ranges=tuple(r for r in self.run.ranges if not is_overlap(r.span)))
        final = _final(window.newest, self.watermark.position)
        self._job.lease.check()
        self._save(replace(self.run, state=RunState.COMMITTED, final=final, seen=digests))
        self._job.account.rows_extracted += self.run.rows
        self._job.account.files_written += len(self.run.parts)
        self._job.account.committed = self.run
        self.take_over()
        return self.run

    def take_over(self) -> None:
        """Move the watermark to where the committed run left off."""
        job, now = self._job, self._job.backend.clock()
        job.lease.note(committed_run=self.run.run)
        before = read_to(self.watermark, job.heartbeat, job.backend.zone)
        self.watermark = job.backend.watermarks.change(
            job.table,
            Action.EXTRACTED,
            lambda mark: patch_extracted(mark, self.run, now, self._digits, before),
            based_on=self.watermark,
            leased=True,
        )

    def abandon(self) -> None:
        """Give the run up: its parts will never be loaded, and the watermark forgets it."""
        self._save(replace(self.run, state=RunState.ABANDONED))
        self._change(Action.RUN_ABANDONED, changes.abandon_run())

    def _begin(self) -> None:
        """Before the first part: the watermark learns of the run, then the run gets its document."""
        self._announce()
        self.run = replace(self.run, token=self._job.lease.token)  # It may have been raised since the run was planned.
        self._etag = self._documents.create(self.run)

    def _announce(self) -> None:
        """Tell the watermark that the run has begun under this lease, and the token that it is fenced by."""
        self._change(Action.RUN_STARTED, changes.start_run(self.run.run, self._job.lease.token))

    def _change(self, action: Action, patch: Patch) -> None:
        watermarks = self._job.backend.watermarks
        self.watermark = watermarks.change(self._job.table, action, patch, based_on=self.watermark, leased=True)

    def _list_part(self, run: Run, *, last: bool) -> None:
        if last:
            self.run = run
        else:
            self._save(run)

    def _save(self, run: Run) -> None:
        """Write the document over the one that this writer knows."""
        assert self._etag is not None
        self._etag = self._documents.save(run, self._etag)
        self.run = run


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


def _final(newest: Position | None, before: Position | None) -> Position | None:
    """Where a run leaves the watermark: at the last row written, never before where it was."""
    if newest is None or (before is not None and newest.cursor < before.cursor):
        return before
    return newest


def _later(before: Position | None, new: Position | None) -> Position | None:
    """The greater position by arrival: of equal cursors the new one."""
    if before is None or new is None:
        return new or before
    return new if new.cursor >= before.cursor else before

"""Reading the spans of a run: batches of the source become chunks, and each chunk a part while the next one is read."""

import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial

import pyarrow as pa

from wmtui.events import Phase, Severity
from wmtui.model import Span, Strategy
from wmtui.pipeline.background import Background
from wmtui.pipeline.context import Job
from wmtui.pipeline.extract.continuity import refuse_late_server
from wmtui.pipeline.extract.limits import LimitCheck
from wmtui.pipeline.extract.overlap import RowDigests, unread
from wmtui.pipeline.extract.part_writer import Chunk, ChunkBuilder
from wmtui.pipeline.extract.plan import is_overlap
from wmtui.pipeline.extract.run_writer import RunWriter
from wmtui.pipeline.read_ahead import read_ahead
from wmtui.pipeline.target_check import required_columns
from wmtui.sources import SourceConnection, SourceTable
from wmtui.sources.cursor import column_time
from wmtui.warehouses import TargetTable

BATCH_ROWS = 10_000
"""Rows a reader hands on at once; small enough to stop quickly, large enough that a call costs nothing per row."""

AHEAD_BYTES = 32 * 2**20
"""Of rows that were read and wait: those of about one statement."""


class SpanReader:
    """Reads what a run is to read, and hands it to the run's writer.

    source: the connection whose clock the run's high comes from. Readers of ranges at once have one each, and prove
    first that its server shows as much. target: says what the rows are to land in, None where there is no such table;
    it is asked with the first row.
    known: digests by which rows of the overlap are recognised. limit_reached: `--limit` ended the reading.
    """

    def __init__(
        self,
        job: Job,
        source: SourceConnection,
        table: SourceTable,
        writer: RunWriter,
        *,
        target: Callable[[], TargetTable | None],
        known: frozenset[bytes] = frozenset(),
    ) -> None:
        self._job = job
        self._source = source
        self._table = table
        self._writer = writer
        self._known = known
        self._target = target
        self._limits: LimitCheck | None = None
        self._digests = RowDigests()
        self._lock = threading.Lock()
        self._rows = writer.run.rows
        self._left = job.options.limit
        self.limit_reached = False

    @property
    def digests(self) -> bytes:
        """By which the next run knows rows of its overlap again."""
        return self._digests.packed

    def read(self, spans: Sequence[tuple[int, Span]]) -> None:
        """Read every span to its end, or until the limit. What was durable before an error stays listed.

        spans: each with the index of its range in the run.
        """
        if self._writer.run.strategy is Strategy.INTRA_TABLE and len(spans) > 1:
            with ThreadPoolExecutor(self._job.options.workers, thread_name_prefix="range") as pool:
                for read in [pool.submit(self._read_apart, index, span) for index, span in spans]:
                    read.result()
        else:
            for index, span in spans:
                self._read_span(self._source, index, span)

    def tell_truncated(self) -> None:
        """Say how many texts of each column were cut to what the warehouse holds."""
        for column, count in self._limits.truncated.items() if self._limits else ():
            self._job.tell(f"column {column}: {count:,} texts were cut to what the warehouse holds", Severity.WARNING)

    def _read_apart(self, index: int, span: Span) -> None:
        """One reader among several, on a connection of its own."""
        job, run = self._job, self._writer.run
        with job.backend.source.connect() as source:
            refuse_late_server(
                source, self._table, run, first=self._source.server, config=job.config, zone=job.backend.zone
            )
            self._read_span(source, index, span)

    def _read_span(self, source: SourceConnection, index: int, span: Span) -> None:
        """One reader: batches into chunks, and each chunk into a part while the next one is read."""
        background = Background(f"part {self._job.table}")
        builder = self._chunk_builder(span)
        try:
            with closing(self._batches(source, span)) as batches:
                for batch in batches:
                    self._job.check()
                    self._take(batch, builder, overlap=is_overlap(span))
                    if builder.full:
                        background.submit(partial(self._write, index, builder.take()))
                    if self.limit_reached:
                        break
            if builder.rows:
                background.submit(partial(self._write, index, builder.take(), last=True))
            background.wait()
            self._writer.end_range(index, done=not self.limit_reached, skipped=builder.skipped)
        finally:
            background.close()

    def _chunk_builder(self, span: Span) -> ChunkBuilder:
        options = self._job.options
        readers = 1 if options.strategy is Strategy.SEQUENTIAL else options.workers
        return ChunkBuilder(self._table, span.order, self._job.backend.zone, readers)

    def _take(self, batch: pa.RecordBatch, builder: ChunkBuilder, *, overlap: bool) -> None:
        """Hand rows on: of the overlap those that the run before has not read, of the window as many as the limit
        leaves.
        """
        read = batch if overlap else self._limited(batch)
        self._remember(read)
        builder.read(read)
        kept = unread(read, self._known) if overlap else read
        if kept.num_rows:
            kept = self._limit_check().checked(kept)
        builder.keep(kept)
        self._report(kept.num_rows)

    def _limit_check(self) -> LimitCheck:
        with self._lock:
            if self._limits is None:
                required = required_columns(self._job, self._table, self._target())
                self._limits = LimitCheck(self._table, self._job.config, self._job.backend.warehouse.limits, required)
            return self._limits

    def _remember(self, batch: pa.RecordBatch) -> None:
        """Note the digests of rows that the next run reads again."""
        column, seen_from = self._table.cursor, self._writer.run.seen_from
        kind = self._table.schema.field(column).type
        since = seen_from and column_time(seen_from, kind, self._job.backend.zone)
        self._digests.remember(batch, column, since)

    def _limited(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        if self._left is None:
            return batch
        kept = batch.slice(0, self._left)
        self._left -= kept.num_rows
        self.limit_reached = self._left == 0
        return kept

    def _write(self, index: int, chunk: Chunk, *, last: bool = False) -> None:
        self._writer.write(index, chunk, last=last)
        self._report(0)

    def _report(self, rows: int) -> None:
        """Report how many rows were read for this run, and how many parts of it are durable."""
        with self._lock:
            self._rows += rows
            rows, parts = self._rows, len(self._writer.run.parts)
        self._job.progress(Phase.EXTRACTING, rows, parts)

    def _batches(self, source: SourceConnection, span: Span) -> Generator[pa.RecordBatch, None, None]:
        """In a thread that reads ahead, unless a limit says after which row to stop: nothing is to be read in vain."""
        batches = source.read(self._table, span, BATCH_ROWS, self._job.tell)
        yield from batches if self._left is not None else read_ahead(batches, AHEAD_BYTES)

"""A table under a lease with a source of a few rows, and extractions of it."""

import dataclasses
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq
from msgspec.structs import replace

from tests.answers import Unreliable
from tests.clock import NOON, HandClock
from tests.pipeline.plans import TABLE, UTC_ZONE, clock_at, source_table
from wmtui.config import TableConfig
from wmtui.events import Event, Phase, Progress, Stop
from wmtui.model import Order, Position, Span, Strategy
from wmtui.objects import ObjectStore
from wmtui.objects.directory import DirectoryStore
from wmtui.pipeline.context import Account, Backend, Job, SyncOptions
from wmtui.pipeline.extract.plan import Plan
from wmtui.pipeline.extract.run_writer import RunWriter, new_run
from wmtui.pipeline.extract.span_reader import SpanReader
from wmtui.runs.run_document import Run, RunStore, new_run_id
from wmtui.sources import SourceTable
from wmtui.warehouses.target import TargetLimits, TargetTable
from wmtui.watermarks import lease
from wmtui.watermarks.model import Watermark
from wmtui.watermarks.store import Author, WatermarkStore

ANA = Author("ana", "host-1")
START = datetime(2025, 8, 14, 8)
HIGH = datetime(2025, 8, 14, 11)
ORDERS = source_table()


def at(minute: int) -> datetime:
    return START + timedelta(minutes=minute)


def batch(*rows: tuple[int, datetime], table: SourceTable = ORDERS) -> pa.RecordBatch:
    """Rows of id and cursor, as the source hands them on."""
    ids, cursors = zip(*rows, strict=True)
    return pa.record_batch([pa.array(ids, pa.int64()), pa.array(cursors, pa.timestamp("us"))], table.schema)


class FakeSource:
    """Hands on batches for each span in turn, and raises what stands among them."""

    def __init__(self, *spans: Sequence[pa.RecordBatch | Exception]) -> None:
        self.spans = list(spans)
        self.server = "server-1"
        self.asked: list[tuple[SourceTable, Span, int]] = []
        self.closed = 0
        self.clock_now = HIGH

    def read(self, table: SourceTable, span: Span, batch_rows: int, *_: Any) -> Iterator[pa.RecordBatch]:
        self.asked.append((table, span, batch_rows))
        try:
            for found in self.spans.pop(0):
                if isinstance(found, Exception):
                    raise found
                yield found
        finally:
            self.closed += 1

    def clock(self) -> Any:
        return clock_at(self.clock_now)

    @contextmanager
    def connect(self) -> Iterator["FakeSource"]:
        yield self


@dataclasses.dataclass
class Extraction:
    """A run's reader, and the writer that it hands rows to."""

    reader: SpanReader
    writer: RunWriter

    def read(self, *spans: tuple[int, Span]) -> None:
        self.reader.read(spans)

    def commit(self) -> Run | None:
        return self.writer.commit(self.reader.digests)


@dataclasses.dataclass
class Bench:
    """A table under a lease, and extractions of it."""

    job: Job
    objects: ObjectStore
    unreliable: Unreliable
    events: list[Event]
    clock: HandClock

    @property
    def mark(self) -> Watermark:
        return self.job.backend.watermarks.read(TABLE).watermark

    @property
    def runs(self) -> RunStore:
        return RunStore(self.objects, TABLE)

    @property
    def run(self) -> Run:
        stored = self.runs.read(self.job.lease.run)
        assert stored is not None
        return stored.run

    def with_options(self, **options: Any) -> Job:
        return replace(self.job, options=SyncOptions(**options))

    def fresh(self, plan: Plan, table: SourceTable = ORDERS) -> Run:
        return new_run(self.job, self.mark, table, plan, "server-1")

    def extract(
        self,
        source: FakeSource,
        run: Run,
        job: Job | None = None,
        *,
        table: SourceTable = ORDERS,
        target: TargetTable | None = None,
        known: frozenset[bytes] = frozenset(),
        etag: str | None = None,
    ) -> Extraction:
        """A run about to be read. etag: of its document, if it is resumed."""
        job = job or self.job
        writer = RunWriter(job, self.mark, run, etag, digits=table.cursor_digits)
        return Extraction(SpanReader(job, cast(Any, source), table, writer, target=lambda: target, known=known), writer)

    def rows(self) -> list[list[tuple[int, datetime]]]:
        """The rows of each part that the run lists."""
        tables = (pq.read_table(io.BytesIO(self.objects.get(part.key).data)) for part in self.run.parts)
        return [[(row["id"], row["update_at"]) for row in table.to_pylist()] for table in tables]

    def progress(self) -> list[tuple[int, int]]:
        return [(e.rows, e.parts) for e in self.events if isinstance(e, Progress) and e.phase is Phase.EXTRACTING]


def planned(*spans: Span, seen_from: datetime | None = None, strategy: Strategy = Strategy.SEQUENTIAL) -> Plan:
    return Plan(spans[0].order, strategy, START, HIGH, spans, "after the watermark", seen_from)


MAIN = Span(Order.CURSOR, Position(START, (0,)), Position(HIGH))
OVERLAP = Span(Order.CURSOR, Position(START - timedelta(hours=1)), Position(START, (0,)), inclusive=True)


@contextmanager
def open_bench(folder: Path) -> Iterator[Bench]:
    """A bench in a folder; its lease is released at the end."""
    clock = HandClock()
    unreliable = Unreliable(DirectoryStore(str(folder), clock), "incremental/")
    objects = cast(ObjectStore, unreliable)
    watermarks = WatermarkStore(objects, clock, ANA, UTC_ZONE)
    held, found = lease.acquire(objects, clock, ANA, TABLE, new_run_id(NOON), fence=6)
    warehouse = SimpleNamespace(limits=TargetLimits(text_bytes=None))
    backend = Backend(
        objects=objects,
        watermarks=watermarks,
        files=cast(Any, None),
        source=cast(Any, None),
        warehouse=cast(Any, warehouse),
        zone=UTC_ZONE,
        clock=clock,
        author=ANA,
        profile="test",
        is_default=True,
    )
    events: list[Event] = []
    job = Job(
        table=TABLE,
        config=TableConfig(),
        backend=backend,
        options=SyncOptions(),
        heartbeat=found,
        emit=events.append,
        lease=held,
        stop=Stop(),
        account=Account(),
    )
    yield Bench(job, objects, unreliable, events, clock)
    unreliable.fail()
    held.release()

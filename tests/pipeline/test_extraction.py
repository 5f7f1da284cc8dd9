"""One run over one table: what it leaves in the store and in the watermark, whatever breaks on the way.

Guards against rows that are committed and not written, against a watermark behind which rows are missing, and against
a part that is written twice.
"""

import dataclasses
import io
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from msgspec.structs import replace

from tests.answers import Unreliable
from tests.clock import NOON, HandClock
from tests.pipeline.plans import NEW_YORK, TABLE, UTC_ZONE, clock_at, source_table
from wmtui.config import TableConfig
from wmtui.errors import (
    Conflict,
    Interrupted,
    LeaseHeld,
    PreconditionFailed,
    SourceError,
    StoreError,
    UnsupportedValue,
    WriteContended,
)
from wmtui.events import Event, Message, Phase, Progress, Severity, Stop
from wmtui.layout import parse_part
from wmtui.model import Order, Position, Span, Strategy
from wmtui.objects import ObjectStore
from wmtui.objects.directory import DirectoryStore
from wmtui.pipeline.context import Account, Backend, Job, Options
from wmtui.pipeline.extract import part_writer, run_writer
from wmtui.pipeline.extract.overlap import digests
from wmtui.pipeline.extract.plan import Plan
from wmtui.pipeline.extract.run_writer import Extraction, abandon, begin, known_rows, new_run, put_part, take_over
from wmtui.runs.footers import footer_digest
from wmtui.runs.run_document import Range, Run, RunState, RunStore, new_run_id
from wmtui.sources import SourceTable
from wmtui.warehouses.target import TargetColumn, TargetLimits, TargetTable
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

    def read(self, table: SourceTable, span: Span, batch_rows: int) -> Iterator[pa.RecordBatch]:
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
        return replace(self.job, options=Options(**options))

    def fresh(self, plan: Plan, table: SourceTable = ORDERS) -> Run:
        return new_run(self.job, self.mark, table, plan, "server-1")

    def extract(self, source: FakeSource, run: Run, job: Job | None = None) -> Extraction:
        return Extraction(job or self.job, ORDERS, self.mark, run, cast(Any, source), target=None)

    def rows(self) -> list[list[tuple[int, datetime]]]:
        """The rows of each part that the run lists."""
        tables = (pq.read_table(io.BytesIO(self.objects.get(part.key).data)) for part in self.run.parts)
        return [[(row["id"], row["update_at"]) for row in table.to_pylist()] for table in tables]

    def progress(self) -> list[tuple[int, int]]:
        return [(e.rows, e.parts) for e in self.events if isinstance(e, Progress) and e.phase is Phase.EXTRACTING]


@pytest.fixture
def bench(tmp_path: Any) -> Iterator[Bench]:
    clock = HandClock()
    unreliable = Unreliable(DirectoryStore(str(tmp_path), clock), "incremental/")
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
        options=Options(),
        heartbeat=found,
        emit=events.append,
        lease=held,
        stop=Stop(),
        account=Account(),
    )
    yield Bench(job, objects, unreliable, events, clock)
    unreliable.fail()
    held.release()


def planned(*spans: Span, seen_from: datetime | None = None, strategy: Strategy = Strategy.SEQUENTIAL) -> Plan:
    return Plan(spans[0].order, strategy, START, HIGH, spans, "after the watermark", seen_from)


MAIN = Span(Order.CURSOR, Position(START, (0,)), Position(HIGH))
OVERLAP = Span(Order.CURSOR, Position(START - timedelta(hours=1)), Position(START, (0,)), inclusive=True)


@pytest.fixture
def part_per_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part_writer, "PART_BYTES", 1)


# A run from its first row to the watermark.


def test_a_run_is_named_by_the_lease_and_says_what_it_is_about_to_read(bench: Bench) -> None:
    table = replace(ORDERS, incarnation="made on Monday")
    run = bench.fresh(planned(MAIN, seen_from=at(170)), table)

    assert run == Run(
        table="shop.orders",
        run=bench.job.lease.run,
        token=7,
        epoch=1,
        started=NOON,
        strategy=Strategy.SEQUENTIAL,
        order=Order.CURSOR,
        low=START,
        high=HIGH,
        ranges=(Range(MAIN),),
        schema=run.schema,
        cursor="update_at",
        primary_key=("id",),
        seen_from=at(170),
        server="server-1",
        incarnation="made on Monday",
        timezone="UTC",
    )
    assert [column.name for column in run.schema] == ["id", "update_at"]


@pytest.mark.usefixtures("part_per_batch")
def test_rows_become_parts_the_run_lists_them_and_the_watermark_moves_behind_the_last_one(bench: Bench) -> None:
    source = FakeSource([batch((1, at(1)), (2, at(2))), batch((3, at(3)))])
    extract = bench.extract(source, bench.fresh(planned(MAIN, seen_from=at(3))))
    extract.read([(0, MAIN)], frozenset())
    running = bench.run
    made = extract.commit()

    assert source.asked == [(ORDERS, MAIN, 10_000)]
    assert (running.state, running.done) == (RunState.RUNNING, True)
    assert bench.rows() == [[(1, at(1)), (2, at(2))], [(3, at(3))]]
    run = bench.run
    assert made.run == run
    assert (run.state, run.final, run.done) == (RunState.COMMITTED, Position(at(3), (3,)), True)
    assert (made.complete, made.high, made.seen_from) == (True, HIGH, at(3))
    assert run.seen == b"".join(digests(batch((3, at(3)))))
    assert known_rows(run) == frozenset(digests(batch((3, at(3)))))
    first, second = run.parts
    assert [parse_part(TABLE, part.key).part for part in run.parts] == [0, 1]  # type: ignore[union-attr]
    assert {parse_part(TABLE, part.key).token for part in run.parts} == {7}  # type: ignore[union-attr]
    assert (first.rows, first.min_cursor, first.max_cursor) == (2, at(1), at(2))
    data = bench.objects.get(second.key)
    assert (second.etag, second.size, second.footer) == (data.info.etag, len(data.data), footer_digest(data.data))
    assert run.ranges[0].position == run.ranges[0].newest == Position(at(3), (3,))
    assert made.mark == bench.mark
    assert bench.mark.position == Position(at(3), (3,))
    assert (bench.mark.fence, bench.mark.pending_extraction, bench.mark.extracted_run) == (7, None, run.run)
    assert (bench.mark.fields["mysql_status"], bench.mark.fields["mysql_rows_extracted"]) == ("success", 3)
    assert bench.job.lease._document.committed_run == run.run
    assert bench.progress()[-1] == (3, 2)
    assert (bench.job.account.rows_extracted, bench.job.account.files_written) == (3, 2)


def test_the_watermark_learns_of_the_run_and_its_token_before_the_first_part_is_written(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[Any, ...]] = []

    def noting(objects: ObjectStore, key: str, data: bytes) -> str:
        mark = bench.mark
        seen.append((mark.pending_extraction, mark.fence, mark.fields["mysql_status"], bench.run.parts))
        return put_part(objects, key, data)

    monkeypatch.setattr(run_writer, "put_part", noting)
    extract = bench.extract(FakeSource([batch((1, at(1)))]), bench.fresh(planned(MAIN)))
    extract.read([(0, MAIN)], frozenset())

    assert seen == [(bench.job.lease.run, 7, "in_progress", [])]
    (entry,) = [e["action"] for e in [bench.mark.change] if e]
    assert entry == "run started"


def test_without_rows_nothing_is_written(bench: Bench) -> None:
    before = bench.mark
    extract = bench.extract(FakeSource([]), bench.fresh(planned(MAIN, seen_from=at(170))))
    extract.read([(0, MAIN)], frozenset())
    made = extract.commit()

    assert (made.run, made.complete, made.high, made.seen_from) == (None, True, HIGH, at(170))
    assert made.mark == before == bench.mark
    assert list(bench.runs.since("")) == []


def test_a_resumed_run_that_finds_no_row_is_given_up_and_the_watermark_forgets_it(bench: Bench) -> None:
    run = bench.fresh(planned(MAIN, seen_from=at(170)))
    bench.job.backend.watermarks.change(TABLE, "run started", lambda _: {"pending_extraction": run.run})
    extract = bench.extract(FakeSource([]), run)
    extract.continue_from(bench.runs.create(run))
    extract.read([(0, MAIN)], frozenset())
    assert bench.run.done
    made = extract.commit()

    assert (bench.run.state, bench.mark.pending_extraction) == (RunState.ABANDONED, None)
    assert (made.run, made.complete, made.high, made.seen_from) == (None, True, HIGH, at(170))
    assert made.mark == bench.mark
    assert bench.mark.change is not None
    assert bench.mark.change["action"] == "run abandoned"


@pytest.mark.usefixtures("part_per_batch")
def test_in_the_order_of_the_key_the_watermark_takes_the_greatest_cursor_of_any_part(
    bench: Bench,
) -> None:
    span = Span(Order.PRIMARY_KEY, None, Position(HIGH))
    extract = bench.extract(FakeSource([batch((1, at(9))), batch((2, at(2)))]), bench.fresh(planned(span)))
    extract.read([(0, span)], frozenset())
    extract.commit()
    assert (bench.run.ranges[0].position, bench.run.ranges[0].newest) == (Position(at(2), (2,)), Position(at(9), (1,)))
    assert bench.mark.position == Position(at(9), (1,))


def test_rows_in_no_order_leave_a_range_without_a_position_to_go_on_from(bench: Bench) -> None:
    table, span = source_table(key=()), Span(Order.NONE, None, Position(HIGH))
    source = cast(Any, FakeSource([batch((1, at(9)), (1, at(2)))]))
    extract = Extraction(bench.job, table, bench.mark, bench.fresh(planned(span), table), source, target=None)
    extract.read([(0, span)], frozenset())
    extract.commit()
    assert (bench.run.ranges[0].position, bench.run.final) == (None, Position(at(9)))


NOTED = pa.schema([("id", pa.int64()), ("update_at", pa.timestamp("us")), ("note", pa.string())])


@pytest.mark.parametrize(("note", "why"), [(None, "NULL"), ("too long", "bytes")])
def test_what_the_target_or_its_warehouse_does_not_take_is_refused_before_it_becomes_a_part(
    bench: Bench, note: str | None, why: str
) -> None:
    table = replace(ORDERS, schema=NOTED)
    full = TargetTable((TargetColumn("note", "text", False, False, False),), (), "table")
    warehouse = cast(Any, SimpleNamespace(limits=TargetLimits(text_bytes=3)))
    job = replace(bench.job, backend=replace(bench.job.backend, warehouse=warehouse))
    rows = pa.record_batch([pa.array([1]), pa.array([at(1)], pa.timestamp("us")), pa.array([note], pa.string())], NOTED)
    extract = Extraction(
        job, table, bench.mark, bench.fresh(planned(MAIN), table), cast(Any, FakeSource([rows])), target=full
    )
    with pytest.raises(UnsupportedValue, match="note") as refused:
        extract.read([(0, MAIN)], frozenset())
    assert why in refused.value.in_one_line
    assert list(bench.objects.list("incremental/")) == []


# The overlap.


@pytest.mark.usefixtures("part_per_batch")
def test_rows_of_the_overlap_that_are_known_are_skipped_and_never_move_the_watermark(bench: Bench) -> None:
    bench.job.backend.watermarks.change(
        TABLE, "set", lambda _: {"last_mysql_data_timestamp": "2025-08-14 08:00:00", "last_processed_key": [0]}
    )
    known, late = (5, at(-20)), (6, at(-10))
    source = FakeSource([batch(known, late)], [])
    extract = bench.extract(source, bench.fresh(planned(OVERLAP, MAIN, seen_from=at(-15))))
    extract.read([(0, OVERLAP), (1, MAIN)], frozenset(digests(batch(known))))
    made = extract.commit()

    assert bench.rows() == [[late]]
    assert bench.run.ranges[0].skipped == 1
    assert bench.run.final == Position(START, (0,))
    assert bench.run.seen == b"".join(digests(batch(late)))
    assert made.complete
    assert bench.mark.position == Position(START, (0,))
    assert bench.progress()[-1] == (1, 1)


def test_an_overlap_of_known_rows_only_is_no_news(bench: Bench) -> None:
    known = batch((5, at(-20)))
    extract = bench.extract(FakeSource([known], []), bench.fresh(planned(OVERLAP, MAIN)))
    extract.read([(0, OVERLAP), (1, MAIN)], frozenset(digests(known)))

    assert extract.commit().run is None
    assert list(bench.runs.since("")) == []
    assert extract._run.ranges[0].skipped == 1


def test_what_is_behind_the_watermark_is_written_although_its_digest_is_known(bench: Bench) -> None:
    rows = batch((1, at(1)))
    extract = bench.extract(FakeSource([rows]), bench.fresh(planned(MAIN)))
    extract.read([(0, MAIN)], frozenset(digests(rows)))
    extract.commit()
    assert bench.rows() == [[(1, at(1))]]


def test_a_late_row_with_the_watermarks_own_cursor_does_not_take_its_key_back(bench: Bench) -> None:
    bench.job.backend.watermarks.change(
        TABLE, "set", lambda _: {"last_mysql_data_timestamp": "2025-08-14 08:00:00", "last_processed_key": [7]}
    )
    overlap = replace(OVERLAP, upto=Position(START, (7,)))
    extract = bench.extract(FakeSource([batch((3, START))], []), bench.fresh(planned(overlap, MAIN)))
    extract.read([(0, overlap), (1, MAIN)], frozenset())
    extract.commit()
    assert bench.rows() == [[(3, START)]]
    assert bench.mark.position == bench.run.final == Position(START, (7,))


# A limit.


@pytest.mark.usefixtures("part_per_batch")
def test_a_limit_cuts_the_rows_of_the_window_and_the_run_is_not_complete(bench: Bench) -> None:
    source = FakeSource([batch((1, at(1)), (2, at(2))), batch((3, at(3)), (4, at(4))), batch((5, at(5)))])
    extract = bench.extract(source, bench.fresh(planned(MAIN)), bench.with_options(limit=3))
    extract.read([(0, MAIN)], frozenset())
    made = extract.commit()

    assert bench.rows() == [[(1, at(1)), (2, at(2))], [(3, at(3))]]
    assert (made.complete, bench.run.ranges[0].done) == (False, False)
    assert bench.mark.position == Position(at(3), (3,))
    assert source.closed == 1
    assert source.spans == []


def test_a_limit_that_is_not_reached_changes_nothing(bench: Bench) -> None:
    extract = bench.extract(FakeSource([batch((1, at(1)))]), bench.fresh(planned(MAIN)), bench.with_options(limit=2))
    extract.read([(0, MAIN)], frozenset())
    assert extract.commit().complete


def test_a_limit_does_not_count_rows_of_the_overlap(bench: Bench) -> None:
    source = FakeSource([batch((5, at(-20)), (6, at(-10)))], [batch((7, at(1)), (8, at(2)))])
    extract = bench.extract(source, bench.fresh(planned(OVERLAP, MAIN)), bench.with_options(limit=1))
    extract.read([(0, OVERLAP), (1, MAIN)], frozenset())
    extract.commit()
    assert bench.rows() == [[(5, at(-20)), (6, at(-10))], [(7, at(1))]]


# What breaks on the way.


@pytest.mark.usefixtures("part_per_batch")
def test_parts_durable_before_an_error_stay_listed_and_may_be_committed(bench: Bench) -> None:
    source = FakeSource([batch((1, at(1))), batch((2, at(2))), SourceError("lost connection")])
    extract = bench.extract(source, bench.fresh(planned(MAIN)))
    with pytest.raises(SourceError, match="lost connection"):
        extract.read([(0, MAIN)], frozenset())

    assert source.closed == 1
    made = extract.commit()
    assert not made.complete
    assert bench.rows() == [[(1, at(1))], [(2, at(2))]]
    assert bench.mark.position == Position(at(2), (2,))


@pytest.mark.usefixtures("part_per_batch")
def test_a_request_to_stop_is_noticed_at_the_next_batch(bench: Bench) -> None:
    class Stopping(FakeSource):
        def read(self, table: SourceTable, span: Span, batch_rows: int) -> Iterator[pa.RecordBatch]:
            for number, found in enumerate(super().read(table, span, batch_rows)):
                if number == 1:
                    bench.job.stop.request()
                yield found

    source = Stopping([batch((1, at(1))), batch((2, at(2))), batch((3, at(3)))])
    extract = bench.extract(source, bench.fresh(planned(MAIN)))
    with pytest.raises(Interrupted):
        extract.read([(0, MAIN)], frozenset())
    extract.commit()
    assert bench.rows() == [[(1, at(1))]]


@pytest.mark.usefixtures("part_per_batch")
def test_a_run_whose_lease_was_lost_writes_no_part_and_commits_nothing(bench: Bench) -> None:
    extract = bench.extract(FakeSource([batch((1, at(1)))]), bench.fresh(planned(MAIN)))
    extract.read([(0, MAIN)], frozenset())
    bench.job.lease._lost = "it was taken by ben"
    with pytest.raises(LeaseHeld):
        extract.commit()
    assert (bench.run.state, bench.mark.position) == (RunState.RUNNING, None)
    assert (bench.job.account.rows_extracted, bench.job.account.files_written) == (0, 0)

    with pytest.raises(LeaseHeld):
        extract._write(0, chunk(2))
    assert len(bench.run.parts) == 1
    assert len(list(bench.objects.list("incremental/"))) == 1


def chunk(number: int) -> part_writer.Chunk:
    table = pa.Table.from_batches([batch((number, at(number)))], ORDERS.schema)
    position = Position(at(number), (number,))
    return part_writer.Chunk(table, position, position, at(number), at(number), 0)


def test_a_watermark_that_somebody_moved_stops_the_run_before_its_first_part(bench: Bench) -> None:
    extract = bench.extract(FakeSource([batch((1, at(1)))]), bench.fresh(planned(MAIN)))
    bench.job.backend.watermarks.change(TABLE, "set", lambda _: {"last_error": "x"})
    with pytest.raises(Conflict):
        extract.read([(0, MAIN)], frozenset())
    assert list(bench.objects.list("incremental/")) == []
    assert list(bench.runs.since("")) == []


@pytest.mark.usefixtures("part_per_batch")
def test_a_resumed_run_goes_on_behind_the_parts_it_has(bench: Bench) -> None:
    first = bench.extract(FakeSource([batch((1, at(1))), SourceError("lost")]), bench.fresh(planned(MAIN)))
    with pytest.raises(SourceError):
        first.read([(0, MAIN)], frozenset())
    stored = bench.runs.read(bench.job.lease.run)
    assert stored is not None
    bench.events.clear()

    second = bench.extract(FakeSource([batch((2, at(1)))]), stored.run)
    second.continue_from(stored.etag)
    bench.job.account.rows_extracted, bench.job.account.files_written = 40, 3
    left = Span(Order.CURSOR, Position(at(1), (1,)), Position(HIGH))
    second.read([(0, left)], frozenset())
    made = second.commit()

    assert bench.rows() == [[(1, at(1))], [(2, at(1))]]
    assert [parse_part(TABLE, part.key).part for part in bench.run.parts] == [0, 1]  # type: ignore[union-attr]
    assert bench.mark.position == Position(at(1), (2,))
    assert made.complete
    assert bench.progress()[0] == (2, 1)
    assert (bench.job.account.rows_extracted, bench.job.account.files_written) == (42, 5)


@pytest.mark.parametrize("rows", [0, 1])
def test_a_watermark_that_somebody_moved_while_the_run_read_is_not_moved_by_it(bench: Bench, rows: int) -> None:
    run = bench.fresh(planned(MAIN))
    extract = bench.extract(FakeSource([batch((1, at(1)))] if rows else []), run)
    extract.continue_from(bench.runs.create(run))
    extract.read([(0, MAIN)], frozenset())
    moved = bench.job.backend.watermarks.change(TABLE, "set", lambda _: {"last_error": "x"})
    with pytest.raises(Conflict):
        extract.commit()
    assert bench.mark == moved


def test_the_watermark_has_as_many_digits_as_the_cursor(bench: Bench) -> None:
    table = source_table(digits=3)
    source = cast(Any, FakeSource([batch((1, at(1)))]))
    extract = Extraction(bench.job, table, bench.mark, bench.fresh(planned(MAIN), table), source, target=None)
    extract.read([(0, MAIN)], frozenset())
    extract.commit()
    assert bench.mark.fields["last_mysql_data_timestamp"] == "2025-08-14 08:01:00.000"


# Several readers.


def test_readers_of_several_ranges_have_a_connection_each_and_prove_it_first(bench: Bench) -> None:
    low, high = (Span(Order.PRIMARY_KEY, None, Position(HIGH), key_after=k) for k in (None, (5,)))
    source = FakeSource([batch((1, at(9)))], [batch((6, at(2)))])
    job = bench.with_options(strategy=Strategy.INTRA_TABLE, workers=1)
    connecting = replace(job, backend=replace(job.backend, source=cast(Any, source)))
    run = bench.fresh(planned(low, high, strategy=Strategy.INTRA_TABLE))
    extract = bench.extract(source, run, connecting)
    extract.read([(0, low), (1, high)], frozenset())
    extract.commit()

    assert bench.rows() == [[(1, at(9))], [(6, at(2))]]
    assert bench.mark.position == Position(at(9), (1,))

    source.spans, source.clock_now = [[], []], HIGH - timedelta(minutes=1)
    source.server = "server-1"
    with pytest.raises(SourceError, match="may lack rows"):
        bench.extract(source, run, connecting).read([(0, low), (1, high)], frozenset())


def test_each_reader_proves_its_server_by_the_runs_and_skips_what_is_known(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    proven: list[tuple[Any, ...]] = []
    monkeypatch.setattr(run_writer, "prove_reached", lambda *args, **kwargs: proven.append((*args, kwargs)))
    known = batch((5, at(-20)))
    source = FakeSource([known], [batch((1, at(9)))])
    job = bench.with_options(strategy=Strategy.INTRA_TABLE, workers=1)
    job = replace(job, backend=replace(job.backend, source=cast(Any, source), zone=NEW_YORK))
    run = bench.fresh(planned(OVERLAP, MAIN, strategy=Strategy.INTRA_TABLE))
    extract = bench.extract(source, run, job)
    extract.read([(0, OVERLAP), (1, MAIN)], frozenset(digests(known)))

    assert proven[0] == (source, ORDERS, run, {"first": "server-1", "config": job.config, "zone": NEW_YORK})
    assert len(proven) == 2
    assert bench.rows() == [[(1, at(9))]]


def test_so_many_readers_are_at_work_at_once_as_there_are_workers(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    class Counted(ThreadPoolExecutor):
        def __init__(self, workers: Any = None, **names: Any) -> None:
            asked.append(workers)
            super().__init__(workers, **names)

    monkeypatch.setattr(run_writer, "ThreadPoolExecutor", Counted)
    low, high = (Span(Order.PRIMARY_KEY, None, Position(HIGH), key_after=k) for k in (None, (5,)))
    source = FakeSource([], [])
    job = bench.with_options(strategy=Strategy.INTRA_TABLE, workers=3)
    job = replace(job, backend=replace(job.backend, source=cast(Any, source)))
    run = bench.fresh(planned(low, high, strategy=Strategy.INTRA_TABLE))
    bench.extract(source, run, job).read([(0, low), (1, high)], frozenset())
    assert asked == [3]


def test_one_range_alone_is_read_by_the_runs_own_connection(bench: Bench) -> None:
    source = FakeSource([batch((1, at(9)))])
    run = bench.fresh(planned(MAIN, strategy=Strategy.INTRA_TABLE))
    bench.extract(source, run, bench.with_options(strategy=Strategy.INTRA_TABLE)).read([(0, MAIN)], frozenset())
    assert len(source.asked) == 1


@pytest.mark.parametrize(("strategy", "parts_written"), [(Strategy.SEQUENTIAL, 1), (Strategy.INTRA_TABLE, 2)])
def test_the_memory_of_a_part_is_shared_among_the_readers_at_work(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, strategy: Strategy, parts_written: int
) -> None:
    rows = batch((1, at(1)))
    monkeypatch.setattr(part_writer, "PART_BYTES", rows.nbytes * 2)
    source = FakeSource([rows, batch((2, at(2)))])
    job = bench.with_options(strategy=strategy, workers=4)
    bench.extract(source, bench.fresh(planned(MAIN)), job).read([(0, MAIN)], frozenset())
    assert len(bench.run.parts) == parts_written


# A part.


def test_a_part_whose_answer_was_lost_is_known_by_its_length(bench: Bench) -> None:
    bench.unreliable.fail(landing=[PreconditionFailed()])
    etag = put_part(bench.objects, "incremental/a", b"data")
    assert etag == bench.objects.head("incremental/a").etag

    with pytest.raises(StoreError, match="holds something else"):
        put_part(bench.objects, "incremental/a", b"other")
    assert bench.objects.get("incremental/a").data == b"data"


def test_a_store_that_refuses_a_part_as_if_it_were_there_is_told_apart(bench: Bench) -> None:
    def refuse(*_: Any, **__: Any) -> str:
        raise PreconditionFailed

    bench.unreliable.put = refuse  # type: ignore[method-assign]
    with pytest.raises(StoreError, match=r"cannot write .*/incremental/a: the store answers 412"):
        put_part(bench.objects, "incremental/a", b"data")
    del bench.unreliable.put


def test_a_part_that_meets_another_write_under_way_is_tried_five_times(bench: Bench) -> None:
    bench.unreliable.fail(refusing=[WriteContended() for _ in range(4)])
    assert put_part(bench.objects, "incremental/a", b"data")
    bench.unreliable.fail(refusing=[WriteContended() for _ in range(9)])
    with pytest.raises(StoreError, match="could not write"):
        put_part(bench.objects, "incremental/b", b"data")
    assert bench.unreliable.puts == 5


# Where a run leaves the watermark.


def test_the_watermark_never_goes_back_and_of_equal_cursors_takes_the_row_that_came_last() -> None:
    before, after = Position(at(5), (5,)), Position(at(6), (1,))
    tie = Position(at(5), (1,))
    final, later = run_writer._final, run_writer._later
    assert final(None, before) == before
    assert final(before, None) == before
    assert final(None, None) is None
    assert final(after, before) == after
    assert final(before, after) == after
    assert final(tie, before) == tie
    assert later(None, before) == before
    assert later(before, None) == before
    assert later(before, after) == later(after, before) == after
    assert later(before, tie) == tie
    assert later(tie, before) == before


def test_without_a_run_before_no_row_is_known() -> None:
    assert known_rows(None) == frozenset()


def test_a_run_is_begun_taken_over_and_given_up_by_changes_of_the_watermark_that_was_seen(bench: Bench) -> None:
    seen = bench.mark
    begun = begin(bench.job, seen, "run-1")
    assert (begun.pending_extraction, begun.fence, begun.fields["mysql_status"]) == ("run-1", 7, "in_progress")
    with pytest.raises(Conflict):
        begin(bench.job, seen, "run-2")

    run = replace(bench.fresh(planned(MAIN)), final=Position(at(5).replace(microsecond=250_000), (5,)))
    with pytest.raises(Conflict):
        take_over(bench.job, seen, run)
    bench.clock.advance(minutes=3)
    taken = take_over(bench.job, begun, run, 3)
    assert taken.fields["last_mysql_data_timestamp"] == "2025-08-14 08:05:00.250"
    assert taken.fields["last_mysql_extraction_time"] == "2025-08-14T12:03:00Z"
    assert taken.change is not None
    assert taken.change["action"] == "extracted"
    assert bench.job.lease._document.committed_run == run.run

    etag = bench.runs.create(run)
    with pytest.raises(Conflict):
        abandon(bench.job, seen, run, etag)
    assert bench.run.state is RunState.ABANDONED


def test_what_a_warehouse_had_before_the_run_reaches_up_to_where_the_source_had_been_read(bench: Bench) -> None:
    loaded = {"last_mysql_data_timestamp": "2025-08-14 04:00:00", "warehouses": {"w1": {"status": "success"}}}
    here = WatermarkStore(bench.objects, bench.clock, ANA, NEW_YORK)
    mark = here.change(TABLE, "loaded", lambda _: loaded)
    job = replace(bench.job, backend=replace(bench.job.backend, watermarks=here, zone=NEW_YORK))
    run = replace(bench.fresh(planned(MAIN)), final=Position(at(5), (5,)))
    taken = take_over(job, mark, run)
    assert taken.fields["warehouses"] == {"w1": {"status": "pending", "loaded_to": "2025-08-14T08:00:00Z"}}


def test_texts_that_were_cut_are_told_when_the_run_commits(bench: Bench) -> None:
    extract = bench.extract(FakeSource([batch((1, at(1)))]), bench.fresh(planned(MAIN)))
    extract._fit.cut["note"] += 1200
    extract.read([(0, MAIN)], frozenset())
    extract.commit()
    told = [e for e in bench.events if isinstance(e, Message)]
    assert [(e.severity, e.text) for e in told] == [
        (Severity.WARNING, "column note: 1,200 texts were cut to what the warehouse holds")
    ]


def test_what_is_remembered_is_counted_in_the_columns_own_clock(bench: Bench) -> None:
    stamps = source_table(pa.timestamp("us", "UTC"))
    rows = pa.record_batch(
        [pa.array([1, 2], pa.int64()), pa.array([at(1), at(3)], pa.timestamp("us", "UTC"))], stamps.schema
    )
    job = replace(bench.job, backend=replace(bench.job.backend, zone=NEW_YORK))
    plan = planned(MAIN, seen_from=at(2) - timedelta(hours=4))
    extract = Extraction(job, stamps, bench.mark, bench.fresh(plan, stamps), cast(Any, FakeSource([rows])), target=None)
    extract.read([(0, MAIN)], frozenset())
    extract.commit()
    assert bench.run.seen == b"".join(digests(rows.slice(1)))
    assert bench.mark.fields["last_mysql_data_timestamp"] == "2025-08-14 04:03:00"

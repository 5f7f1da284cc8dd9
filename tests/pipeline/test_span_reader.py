"""What a run reads of its spans, and hands to its writer: the overlap, a limit, several readers at once.

Guards against rows that are read and not written, and against rows of the overlap that are written again and again.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import pyarrow as pa
import pytest
from msgspec.structs import replace

from tests.pipeline.extractions import HIGH, MAIN, ORDERS, OVERLAP, START, Bench, FakeSource, at, batch, planned
from tests.pipeline.plans import NEW_YORK, TABLE, source_table
from wmtui.errors import (
    Interrupted,
    SourceError,
    UnsupportedValue,
)
from wmtui.events import Event, Message, Progress, Severity
from wmtui.model import Order, Position, Span, Strategy
from wmtui.pipeline.extract import part_writer, span_reader
from wmtui.pipeline.extract.overlap import digests, known_rows
from wmtui.warehouses import TargetLimits
from wmtui.warehouses.target import TargetColumn, TargetTable

# The overlap.


@pytest.mark.usefixtures("part_per_batch")
def test_rows_of_the_overlap_that_are_known_are_skipped_and_never_move_the_watermark(bench: Bench) -> None:
    bench.job.backend.watermarks.change(
        TABLE, "set", lambda _: {"last_mysql_data_timestamp": "2025-08-14 08:00:00", "last_processed_key": [0]}
    )
    known, late = (5, at(-20)), (6, at(-10))
    source = FakeSource([batch(known, late)], [])
    run = bench.fresh(planned(OVERLAP, MAIN, seen_from=at(-15)))
    extract = bench.extract(source, run, known=frozenset(digests(batch(known))))
    extract.read((0, OVERLAP), (1, MAIN))
    extract.commit()

    assert bench.rows() == [[late]]
    assert bench.run.ranges[0].skipped == 1
    assert bench.run.final == Position(START, (0,))
    assert bench.run.seen == b"".join(digests(batch(late)))
    assert bench.run.done
    assert bench.mark.position == Position(START, (0,))
    assert bench.progress()[-1] == (1, 1)


def test_an_overlap_of_known_rows_only_is_no_news(bench: Bench) -> None:
    known = batch((5, at(-20)))
    run = bench.fresh(planned(OVERLAP, MAIN))
    extract = bench.extract(FakeSource([known], []), run, known=frozenset(digests(known)))
    extract.read((0, OVERLAP), (1, MAIN))

    assert extract.commit() is None
    assert list(bench.runs.since("")) == []
    assert extract.writer.run.ranges[0].skipped == 1


def test_what_is_after_the_watermark_is_written_although_its_digest_is_known(bench: Bench) -> None:
    rows = batch((1, at(1)))
    extract = bench.extract(FakeSource([rows]), bench.fresh(planned(MAIN)), known=frozenset(digests(rows)))
    extract.read((0, MAIN))
    extract.commit()
    assert bench.rows() == [[(1, at(1))]]


def test_a_late_row_with_the_watermarks_own_cursor_does_not_take_its_key_back(bench: Bench) -> None:
    bench.job.backend.watermarks.change(
        TABLE, "set", lambda _: {"last_mysql_data_timestamp": "2025-08-14 08:00:00", "last_processed_key": [7]}
    )
    overlap = replace(OVERLAP, upto=Position(START, (7,)))
    extract = bench.extract(FakeSource([batch((3, START))], []), bench.fresh(planned(overlap, MAIN)))
    extract.read((0, overlap), (1, MAIN))
    extract.commit()
    assert bench.rows() == [[(3, START)]]
    assert bench.mark.position == bench.run.final == Position(START, (7,))


def test_what_is_remembered_is_counted_in_the_columns_own_clock(bench: Bench) -> None:
    stamps = source_table(pa.timestamp("us", "UTC"))
    rows = pa.record_batch(
        [pa.array([1, 2], pa.int64()), pa.array([at(1), at(3)], pa.timestamp("us", "UTC"))], stamps.schema
    )
    job = replace(bench.job, backend=replace(bench.job.backend, zone=NEW_YORK))
    plan = planned(MAIN, seen_from=at(2) - timedelta(hours=4))
    extract = bench.extract(FakeSource([rows]), bench.fresh(plan, stamps), job, table=stamps)
    extract.read((0, MAIN))
    extract.commit()
    assert bench.run.seen == b"".join(digests(rows.slice(1)))
    assert bench.mark.fields["last_mysql_data_timestamp"] == "2025-08-14 04:03:00"


def test_without_a_run_before_no_row_is_known() -> None:
    assert known_rows(None) == frozenset()


# A limit.


@pytest.mark.usefixtures("part_per_batch")
def test_a_limit_cuts_the_rows_of_the_window_and_the_run_is_not_complete(bench: Bench) -> None:
    source = FakeSource([batch((1, at(1)), (2, at(2))), batch((3, at(3)), (4, at(4))), batch((5, at(5)))])
    extract = bench.extract(source, bench.fresh(planned(MAIN)), bench.with_options(limit=3))
    extract.read((0, MAIN))
    extract.commit()

    assert bench.rows() == [[(1, at(1)), (2, at(2))], [(3, at(3))]]
    assert (bench.run.done, bench.run.ranges[0].done) == (False, False)
    assert bench.mark.position == Position(at(3), (3,))
    assert source.closed == 1
    assert source.spans == []


def test_with_a_limit_nothing_is_read_beyond_it(bench: Bench) -> None:
    handed_on = []

    class Counting(FakeSource):
        def read(self, *arguments: Any) -> Iterator[pa.RecordBatch]:
            for found in super().read(*arguments):
                handed_on.append(found)
                yield found

    source = Counting([batch((1, at(1))), batch((2, at(2))), batch((3, at(3)))])
    extract = bench.extract(source, bench.fresh(planned(MAIN)), bench.with_options(limit=2))
    extract.read((0, MAIN))
    assert len(handed_on) == 2


def test_a_limit_that_is_not_reached_changes_nothing(bench: Bench) -> None:
    extract = bench.extract(FakeSource([batch((1, at(1)))]), bench.fresh(planned(MAIN)), bench.with_options(limit=2))
    extract.read((0, MAIN))
    extract.commit()
    assert bench.run.done


def test_a_limit_does_not_count_rows_of_the_overlap(bench: Bench) -> None:
    source = FakeSource([batch((5, at(-20)), (6, at(-10)))], [batch((7, at(1)), (8, at(2)))])
    extract = bench.extract(source, bench.fresh(planned(OVERLAP, MAIN)), bench.with_options(limit=1))
    extract.read((0, OVERLAP), (1, MAIN))
    extract.commit()
    assert bench.rows() == [[(5, at(-20)), (6, at(-10))], [(7, at(1))]]


# A request to stop.


@pytest.mark.usefixtures("part_per_batch")
def test_a_request_to_stop_is_noticed_at_the_next_batch(bench: Bench) -> None:
    def stop_after_the_first(event: Event) -> None:
        if isinstance(event, Progress) and event.rows == 1:
            bench.job.stop.request()

    source = FakeSource([batch((1, at(1))), batch((2, at(2))), batch((3, at(3)))])
    job = replace(bench.job, emit=stop_after_the_first)
    extract = bench.extract(source, bench.fresh(planned(MAIN)), job)
    with pytest.raises(Interrupted):
        extract.read((0, MAIN))
    extract.commit()
    assert bench.rows() == [[(1, at(1))]]


# What the warehouse holds.


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
    extract = bench.extract(FakeSource([rows]), bench.fresh(planned(MAIN), table), job, table=table, target=full)
    with pytest.raises(UnsupportedValue, match="note") as refused:
        extract.read((0, MAIN))
    assert why in refused.value.in_one_line
    assert list(bench.objects.list("incremental/")) == []


def test_texts_that_were_cut_are_told_before_the_run_commits(bench: Bench) -> None:
    extract = bench.extract(FakeSource([batch((1, at(1)))]), bench.fresh(planned(MAIN)))
    extract.reader._limit_check().truncated["note"] += 1200
    extract.read((0, MAIN))
    extract.reader.tell_truncated()
    messages = [e for e in bench.events if isinstance(e, Message)]
    assert [(e.severity, e.text) for e in messages] == [
        (Severity.WARNING, "column note: 1,200 texts were cut to what the warehouse holds")
    ]


# Several readers.


def test_readers_of_several_ranges_have_a_connection_each_and_prove_it_first(bench: Bench) -> None:
    low, high = (Span(Order.PRIMARY_KEY, None, Position(HIGH), key_after=k) for k in (None, (5,)))
    source = FakeSource([batch((1, at(9)))], [batch((6, at(2)))])
    job = bench.with_options(strategy=Strategy.INTRA_TABLE, workers=1)
    connecting = replace(job, backend=replace(job.backend, source=cast(Any, source)))
    run = bench.fresh(planned(low, high, strategy=Strategy.INTRA_TABLE))
    extract = bench.extract(source, run, connecting)
    extract.read((0, low), (1, high))
    extract.commit()

    assert bench.rows() == [[(1, at(9))], [(6, at(2))]]
    assert bench.mark.position == Position(at(9), (1,))

    source.spans, source.clock_now = [[], []], HIGH - timedelta(minutes=1)
    source.server = "server-1"
    with pytest.raises(SourceError, match="may lack rows"):
        bench.extract(source, run, connecting).read((0, low), (1, high))


def test_each_reader_proves_its_server_by_the_runs_and_skips_what_is_known(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    proven: list[tuple[Any, ...]] = []
    monkeypatch.setattr(span_reader, "refuse_late_server", lambda *args, **kwargs: proven.append((*args, kwargs)))
    known = batch((5, at(-20)))
    source = FakeSource([known], [batch((1, at(9)))])
    job = bench.with_options(strategy=Strategy.INTRA_TABLE, workers=1)
    job = replace(job, backend=replace(job.backend, source=cast(Any, source), zone=NEW_YORK))
    run = bench.fresh(planned(OVERLAP, MAIN, strategy=Strategy.INTRA_TABLE))
    extract = bench.extract(source, run, job, known=frozenset(digests(known)))
    extract.read((0, OVERLAP), (1, MAIN))
    extract.commit()

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

    monkeypatch.setattr(span_reader, "ThreadPoolExecutor", Counted)
    low, high = (Span(Order.PRIMARY_KEY, None, Position(HIGH), key_after=k) for k in (None, (5,)))
    source = FakeSource([], [])
    job = bench.with_options(strategy=Strategy.INTRA_TABLE, workers=3)
    job = replace(job, backend=replace(job.backend, source=cast(Any, source)))
    run = bench.fresh(planned(low, high, strategy=Strategy.INTRA_TABLE))
    bench.extract(source, run, job).read((0, low), (1, high))
    assert asked == [3]


def test_one_range_alone_is_read_by_the_runs_own_connection(bench: Bench) -> None:
    source = FakeSource([batch((1, at(9)))])
    run = bench.fresh(planned(MAIN, strategy=Strategy.INTRA_TABLE))
    bench.extract(source, run, bench.with_options(strategy=Strategy.INTRA_TABLE)).read((0, MAIN))
    assert len(source.asked) == 1


@pytest.mark.parametrize(("strategy", "parts_written"), [(Strategy.SEQUENTIAL, 1), (Strategy.INTRA_TABLE, 2)])
def test_the_memory_of_a_part_is_shared_among_the_readers_at_work(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, strategy: Strategy, parts_written: int
) -> None:
    rows = batch((1, at(1)))
    monkeypatch.setattr(part_writer, "PART_BYTES", rows.nbytes * 2)
    source = FakeSource([rows, batch((2, at(2)))])
    job = bench.with_options(strategy=strategy, workers=4)
    bench.extract(source, bench.fresh(planned(MAIN)), job).read((0, MAIN))
    assert len(bench.run.parts) == parts_written

"""One run over one table: what it leaves in the store and in the watermark, whatever breaks on the way.

Guards against rows that are committed and not written, against a watermark after which rows are missing, and against
a part that is written twice.
"""

from typing import Any

import pyarrow as pa
import pytest
from msgspec.structs import replace

from tests.clock import NOON
from tests.pipeline.extractions import ANA, HIGH, MAIN, ORDERS, START, Bench, FakeSource, at, batch, planned
from tests.pipeline.plans import NEW_YORK, TABLE, source_table
from wmtui.errors import (
    Conflict,
    LeaseHeld,
    PreconditionFailed,
    SourceError,
    StoreError,
    WriteContended,
)
from wmtui.layout import parse_part
from wmtui.model import Order, Position, Span, Strategy
from wmtui.objects import ObjectStore
from wmtui.pipeline.extract import part_writer, run_writer
from wmtui.pipeline.extract.overlap import digests, known_rows
from wmtui.pipeline.extract.part_writer import put_part
from wmtui.pipeline.extract.run_writer import RunWriter
from wmtui.runs.footers import footer_digest
from wmtui.runs.run_document import Range, Run, RunState
from wmtui.watermarks.store import WatermarkStore


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
def test_rows_become_parts_the_run_lists_them_and_the_watermark_moves_to_the_last_one(bench: Bench) -> None:
    source = FakeSource([batch((1, at(1)), (2, at(2))), batch((3, at(3)))])
    extract = bench.extract(source, bench.fresh(planned(MAIN, seen_from=at(3))))
    extract.read((0, MAIN))
    running = bench.run
    assert extract.writer.run.done
    committed = extract.commit()

    assert source.asked == [(ORDERS, MAIN, 10_000)]
    assert (running.state, running.done) == (RunState.RUNNING, False)
    assert bench.rows() == [[(1, at(1)), (2, at(2))], [(3, at(3))]]
    run = bench.run
    assert committed == run
    assert (run.state, run.final, run.done) == (RunState.COMMITTED, Position(at(3), (3,)), True)
    assert run.seen == b"".join(digests(batch((3, at(3)))))
    assert known_rows(run) == frozenset(digests(batch((3, at(3)))))
    first, second = run.parts
    assert [parse_part(TABLE, part.key).part for part in run.parts] == [0, 1]  # type: ignore[union-attr]
    assert {parse_part(TABLE, part.key).token for part in run.parts} == {7}  # type: ignore[union-attr]
    assert (first.rows, first.min_cursor, first.max_cursor) == (2, at(1), at(2))
    data = bench.objects.get(second.key)
    assert (second.etag, second.size, second.footer) == (data.info.etag, len(data.data), footer_digest(data.data))
    assert run.ranges[0].position == run.ranges[0].newest == Position(at(3), (3,))
    assert extract.writer.watermark == bench.mark
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
    extract.read((0, MAIN))

    assert seen == [(bench.job.lease.run, 7, "in_progress", [])]
    (entry,) = [e["action"] for e in [bench.mark.change] if e]
    assert entry == "run started"


def test_without_rows_nothing_is_written(bench: Bench) -> None:
    before = bench.mark
    extract = bench.extract(FakeSource([]), bench.fresh(planned(MAIN, seen_from=at(170))))
    extract.read((0, MAIN))

    assert extract.commit() is None
    assert extract.writer.run.done
    assert extract.writer.watermark == before == bench.mark
    assert list(bench.runs.since("")) == []


def test_a_resumed_run_that_finds_no_row_is_given_up_and_the_watermark_forgets_it(bench: Bench) -> None:
    run = bench.fresh(planned(MAIN, seen_from=at(170)))
    bench.job.backend.watermarks.change(TABLE, "run started", lambda _: {"pending_extraction": run.run})
    extract = bench.extract(FakeSource([]), run, etag=bench.runs.create(run))
    extract.read((0, MAIN))

    assert extract.commit() is None
    assert (bench.run.state, bench.mark.pending_extraction) == (RunState.ABANDONED, None)
    assert extract.writer.run.done
    assert extract.writer.watermark == bench.mark
    assert bench.mark.change is not None
    assert bench.mark.change["action"] == "run abandoned"


@pytest.mark.usefixtures("part_per_batch")
def test_in_the_order_of_the_key_the_watermark_takes_the_greatest_cursor_of_any_part(
    bench: Bench,
) -> None:
    span = Span(Order.PRIMARY_KEY, None, Position(HIGH))
    extract = bench.extract(FakeSource([batch((1, at(9))), batch((2, at(2)))]), bench.fresh(planned(span)))
    extract.read((0, span))
    extract.commit()
    assert (bench.run.ranges[0].position, bench.run.ranges[0].newest) == (Position(at(2), (2,)), Position(at(9), (1,)))
    assert bench.mark.position == Position(at(9), (1,))


def test_rows_in_no_order_leave_a_range_without_a_position_to_go_on_from(bench: Bench) -> None:
    table, span = source_table(key=()), Span(Order.NONE, None, Position(HIGH))
    source = FakeSource([batch((1, at(9)), (1, at(2)))])
    extract = bench.extract(source, bench.fresh(planned(span), table), table=table)
    extract.read((0, span))
    extract.commit()
    assert (bench.run.ranges[0].position, bench.run.final) == (None, Position(at(9)))


# What breaks on the way.


@pytest.mark.usefixtures("part_per_batch")
def test_parts_durable_before_an_error_stay_listed_and_may_be_committed(bench: Bench) -> None:
    source = FakeSource([batch((1, at(1))), batch((2, at(2))), SourceError("lost connection")])
    extract = bench.extract(source, bench.fresh(planned(MAIN)))
    with pytest.raises(SourceError, match="lost connection"):
        extract.read((0, MAIN))

    assert source.closed == 1
    committed = extract.commit()
    assert committed is not None
    assert not committed.done
    assert bench.rows() == [[(1, at(1))], [(2, at(2))]]
    assert bench.mark.position == Position(at(2), (2,))


@pytest.mark.usefixtures("part_per_batch")
def test_a_run_whose_lease_was_lost_writes_no_part_and_commits_nothing(bench: Bench) -> None:
    extract = bench.extract(FakeSource([batch((1, at(1)))]), bench.fresh(planned(MAIN)))
    extract.read((0, MAIN))
    bench.job.lease._lost = "it was taken by ben"
    with pytest.raises(LeaseHeld):
        extract.commit()
    assert (bench.run.state, bench.mark.position) == (RunState.RUNNING, None)
    assert (bench.job.account.rows_extracted, bench.job.account.files_written) == (0, 0)

    with pytest.raises(LeaseHeld):
        extract.writer.write(0, chunk(2))
    assert len(bench.run.parts) == 1
    assert len(list(bench.objects.list("incremental/"))) == 1


def chunk(number: int) -> part_writer.Chunk:
    table = pa.Table.from_batches([batch((number, at(number)))], ORDERS.schema)
    position = Position(at(number), (number,))
    return part_writer.Chunk(table, position, position, at(number), at(number), 0)


def test_a_watermark_that_an_operator_moved_stops_the_run_before_its_first_part(bench: Bench) -> None:
    extract = bench.extract(FakeSource([batch((1, at(1)))]), bench.fresh(planned(MAIN)))
    bench.job.backend.watermarks.change(TABLE, "set", lambda _: {"last_error": "x"})
    with pytest.raises(Conflict):
        extract.read((0, MAIN))
    assert list(bench.objects.list("incremental/")) == []
    assert list(bench.runs.since("")) == []


@pytest.mark.usefixtures("part_per_batch")
def test_a_resumed_run_goes_on_after_the_parts_it_has(bench: Bench) -> None:
    first = bench.extract(FakeSource([batch((1, at(1))), SourceError("lost")]), bench.fresh(planned(MAIN)))
    with pytest.raises(SourceError):
        first.read((0, MAIN))
    stored = bench.runs.read(bench.job.lease.run)
    assert stored is not None
    bench.events.clear()

    second = bench.extract(FakeSource([batch((2, at(1)))]), stored.run, etag=stored.etag)
    bench.job.account.rows_extracted, bench.job.account.files_written = 40, 3
    left = Span(Order.CURSOR, Position(at(1), (1,)), Position(HIGH))
    second.read((0, left))
    second.commit()

    assert bench.rows() == [[(1, at(1))], [(2, at(1))]]
    assert [parse_part(TABLE, part.key).part for part in bench.run.parts] == [0, 1]  # type: ignore[union-attr]
    assert bench.mark.position == Position(at(1), (2,))
    assert bench.run.done
    assert bench.progress()[0] == (2, 1)
    assert (bench.job.account.rows_extracted, bench.job.account.files_written) == (42, 5)


@pytest.mark.parametrize("rows", [0, 1])
def test_a_watermark_that_an_operator_moved_while_the_run_read_is_not_moved_by_it(bench: Bench, rows: int) -> None:
    run = bench.fresh(planned(MAIN))
    source = FakeSource([batch((1, at(1)))] if rows else [])
    extract = bench.extract(source, run, etag=bench.runs.create(run))
    extract.read((0, MAIN))
    moved = bench.job.backend.watermarks.change(TABLE, "set", lambda _: {"last_error": "x"})
    with pytest.raises(Conflict):
        extract.commit()
    assert bench.mark == moved


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


def test_the_watermark_has_as_many_digits_as_the_cursor(bench: Bench) -> None:
    table = source_table(digits=3)
    source = FakeSource([batch((1, at(1)))])
    extract = bench.extract(source, bench.fresh(planned(MAIN), table), table=table)
    extract.read((0, MAIN))
    extract.commit()
    assert bench.mark.fields["last_mysql_data_timestamp"] == "2025-08-14 08:01:00.000"


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


def test_a_run_is_resumed_taken_over_and_given_up_by_changes_of_the_watermark_that_was_seen(bench: Bench) -> None:
    seen, final = bench.mark, Position(at(5).replace(microsecond=250_000), (5,))
    run = replace(bench.fresh(planned(MAIN)), final=final, token=6)
    etag = bench.runs.create(run)
    late, writer = (RunWriter(bench.job, seen, run, etag, digits=3) for _ in range(2))
    writer.resume()
    begun = writer.watermark
    assert (begun.pending_extraction, begun.fence, begun.fields["mysql_status"]) == (run.run, 7, "in_progress")
    assert bench.run == writer.run == replace(run, token=7)
    with pytest.raises(Conflict):
        late.resume()
    with pytest.raises(Conflict):
        late.take_over()

    bench.clock.advance(minutes=3)
    writer.take_over()
    taken = writer.watermark
    assert taken.fields["last_mysql_data_timestamp"] == "2025-08-14 08:05:00.250"
    assert taken.fields["last_mysql_extraction_time"] == "2025-08-14T12:03:00Z"
    assert taken.change is not None
    assert taken.change["action"] == "extracted"
    assert bench.job.lease._document.committed_run == run.run

    stored = bench.runs.read(run.run)
    assert stored is not None
    with pytest.raises(Conflict):
        RunWriter(bench.job, seen, stored.run, stored.etag).abandon()
    assert bench.run.state is RunState.ABANDONED


def test_what_a_warehouse_had_before_the_run_reaches_up_to_where_the_source_had_been_read(bench: Bench) -> None:
    loaded = {"last_mysql_data_timestamp": "2025-08-14 04:00:00", "warehouses": {"w1": {"status": "success"}}}
    here = WatermarkStore(bench.objects, bench.clock, ANA, NEW_YORK)
    mark = here.change(TABLE, "loaded", lambda _: loaded)
    job = replace(bench.job, backend=replace(bench.job.backend, watermarks=here, zone=NEW_YORK))
    run = replace(bench.fresh(planned(MAIN)), final=Position(at(5), (5,)))
    writer = RunWriter(job, mark, run)
    writer.take_over()
    assert writer.watermark.fields["warehouses"] == {"w1": {"status": "pending", "loaded_to": "2025-08-14T08:00:00Z"}}

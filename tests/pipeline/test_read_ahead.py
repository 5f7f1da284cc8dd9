"""Batches are read in a thread of their own while those before them are worked on."""

import threading
from collections.abc import Iterator

import pyarrow as pa
import pytest

from wmtui.errors import SourceError
from wmtui.pipeline.read_ahead import read_ahead

MANY = 2**20


def batch(number: int, rows: int = 1) -> pa.RecordBatch:
    return pa.record_batch({"id": pa.array([number] * rows, pa.int64())})


def numbers(batches: Iterator[pa.RecordBatch]) -> list[int]:
    return [each.column("id")[0].as_py() for each in batches]


class Source:
    """Says how far it was read, and in which thread it was closed. fails: after the last batch."""

    def __init__(self, count: int, rows: int = 1, *, fails: BaseException | None = None) -> None:
        self._count, self._rows, self._fails = count, rows, fails
        self.asked = [threading.Event() for _ in range(count + 1)]
        self.closed_in: threading.Thread | None = None

    def batches(self) -> Iterator[pa.RecordBatch]:
        try:
            for number in range(self._count):
                self.asked[number].set()
                yield batch(number, self._rows)
            self.asked[self._count].set()
            if self._fails is not None:
                raise self._fails
        finally:
            self.closed_in = threading.current_thread()


def test_batches_come_in_their_order() -> None:
    assert numbers(read_ahead(Source(50).batches(), MANY)) == list(range(50))


def test_the_next_batch_is_read_while_one_is_worked_on() -> None:
    source = Source(3)
    taken = read_ahead(source.batches(), MANY)
    next(taken)
    assert source.asked[3].wait(10)
    assert numbers(taken) == [1, 2]


def test_no_more_bytes_wait_than_were_allowed() -> None:
    source = Source(10, rows=100)
    taken = read_ahead(source.batches(), 2 * batch(0, 100).nbytes)
    next(taken)
    assert source.asked[3].wait(10)  # Two wait, and one has no room.
    assert not source.asked[4].wait(0.2)
    assert numbers(taken) == list(range(1, 10))


def test_a_batch_that_is_larger_than_what_may_wait_waits_alone() -> None:
    assert numbers(read_ahead(Source(5, rows=100).batches(), 1)) == list(range(5))


def test_batches_without_rows_come_too() -> None:
    assert [each.num_rows for each in read_ahead(Source(3, rows=0).batches(), 1)] == [0, 0, 0]


def test_what_reading_raised_comes_after_the_batches_before_it() -> None:
    error = SourceError("the source is gone", "it was shut down", "start it")
    taken = read_ahead(Source(3, fails=error).batches(), MANY)
    assert [next(taken).column("id")[0].as_py() for _ in range(3)] == [0, 1, 2]
    with pytest.raises(SourceError) as raised:
        next(taken)
    assert raised.value is error


@pytest.mark.parametrize("most", [1, MANY])
def test_who_stops_early_goes_on_once_the_source_is_closed_where_it_was_read(most: int) -> None:
    source = Source(100)
    taken = read_ahead(source.batches(), most)
    next(taken)
    taken.close()
    assert source.closed_in is not None
    assert source.closed_in is not threading.current_thread()
    assert not source.closed_in.is_alive()


def test_what_closing_raises_does_not_hide_why_it_was_closed() -> None:
    def batches() -> Iterator[pa.RecordBatch]:
        try:
            yield batch(1)
            yield batch(2)
        finally:
            raise SourceError("the source is gone", "", "")

    taken = read_ahead(batches(), 1)
    next(taken)
    with pytest.raises(KeyboardInterrupt):
        taken.throw(KeyboardInterrupt)

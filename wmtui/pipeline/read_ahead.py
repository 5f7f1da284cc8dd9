"""Reading in a thread of its own: the next rows are asked for while the last ones are checked and collected."""

import threading
from collections import deque
from collections.abc import Generator, Iterator
from contextlib import closing

import pyarrow as pa

_Batches = Generator[pa.RecordBatch, None, None]


def read_ahead(batches: Iterator[pa.RecordBatch], most: int) -> _Batches:
    """The same batches in their order, then what their reading raised. most: bytes that wait at most, or one batch.

    Batches are closed in the thread that reads them, before this ends.
    """
    waiting = _Waiting(most)
    reader = threading.Thread(target=_fill, args=(batches, waiting), name=f"{threading.current_thread().name} reader")
    reader.start()
    try:
        yield from waiting.taken()
    finally:
        waiting.stop()
        reader.join()


def _closable(batches: Iterator[pa.RecordBatch]) -> _Batches:
    """Any iterator as one that can be closed."""
    yield from batches


def _fill(batches: Iterator[pa.RecordBatch], waiting: "_Waiting") -> None:
    try:
        with closing(_closable(batches)) as closable:
            for batch in closable:
                if not waiting.put(batch):
                    break
                del batch  # Rows may be long: none is held while the next ones come.
    except BaseException as error:  # noqa: BLE001 - who takes the batches raises it
        waiting.end(error)
    else:
        waiting.end(None)


class _Waiting:
    """Batches between the thread that reads them and the one that takes them."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._changed = threading.Condition()
        self._batches: deque[pa.RecordBatch] = deque()
        self._bytes = 0
        self._ended = self._stopped = False
        self._failure: BaseException | None = None

    def put(self, batch: pa.RecordBatch) -> bool:
        """Wait for room, and add one; False when no more are wanted."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or not self._bytes or self._bytes + batch.nbytes <= self._most)
            if not self._stopped:
                self._batches.append(batch)
                self._bytes += batch.nbytes
                self._changed.notify_all()
            return not self._stopped

    def end(self, failure: BaseException | None) -> None:
        """Say that no more come, and why."""
        with self._changed:
            self._ended, self._failure = True, failure
            self._changed.notify_all()

    def stop(self) -> None:
        """Say that no more are wanted."""
        with self._changed:
            self._stopped = True
            self._batches.clear()
            self._changed.notify_all()

    def taken(self) -> Iterator[pa.RecordBatch]:
        """Every batch in turn."""
        while (batch := self._next()) is not None:
            yield batch
            del batch

    def _next(self) -> pa.RecordBatch | None:
        with self._changed:
            self._changed.wait_for(lambda: self._batches or self._ended)
            if not self._batches:
                if self._failure is not None:
                    raise self._failure
                return None
            batch = self._batches.popleft()
            self._bytes -= batch.nbytes
            self._changed.notify_all()
            return batch

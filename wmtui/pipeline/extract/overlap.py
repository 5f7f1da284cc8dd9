"""How a run knows rows of its overlap again that the run before has already extracted unchanged.

A run remembers a digest of every row it read within `lookback` of its high. The next run reads that stretch again for
rows that were committed late, and passes on only those whose digest is new: a late row, or a changed one.
"""

from collections.abc import Iterable
from datetime import datetime
from hashlib import blake2b

import pyarrow as pa
import pyarrow.compute as pc

from wmtui.runs.run_document import Run

_DIGEST = 8
MOST = 50_000
"""Digests a run document holds at the most (400 kB); with more rows than that the whole overlap is passed on."""


class RowDigests:
    """Digests of rows, collected by several readers at once (set.add is atomic)."""

    def __init__(self) -> None:
        self._digests: set[bytes] = set()
        self._overflow = False

    def remember(self, batch: pa.RecordBatch, cursor: str, since: datetime | None) -> None:
        """Add the rows whose cursor is at or after `since` (in the column's own zone); None: nothing."""
        if since is None or self._overflow:
            return
        column = batch.column(cursor)
        recent = batch.filter(pc.greater_equal(column, pa.scalar(since, column.type)))
        if len(self._digests) + recent.num_rows > MOST:
            self._overflow = True
            return
        self._digests.update(digests(recent))

    @property
    def packed(self) -> bytes:
        """All digests, one after the other; empty when there were too many."""
        return b"" if self._overflow else b"".join(sorted(self._digests))


def known_rows(previous: Run | None) -> frozenset[bytes]:
    """Digests of the rows that the run before has read near its high; none without such a run."""
    return unpack(previous.seen) if previous else frozenset()


def unpack(packed: bytes) -> frozenset[bytes]:
    """The digests that `RowDigests.packed` joined."""
    return frozenset(packed[i : i + _DIGEST] for i in range(0, len(packed), _DIGEST))


def digests(batch: pa.RecordBatch) -> Iterable[bytes]:
    """A digest of every row's values."""
    for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
        yield blake2b(repr(row).encode(), digest_size=_DIGEST).digest()


def unread(batch: pa.RecordBatch, known: frozenset[bytes]) -> pa.RecordBatch:
    """The rows that the run before has not read as they are: their digest is not known."""
    if not known:
        return batch
    return batch.filter(pa.array((digest not in known for digest in digests(batch)), pa.bool_()))

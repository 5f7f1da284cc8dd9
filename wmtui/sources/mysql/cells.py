"""Rows of MySQL's text protocol as columns: where each value is, without an object for any of them."""

from contextlib import suppress

import numpy as np
import pyarrow as pa
from msgspec import Struct
from mysql.connector.errors import InterfaceError

from wmtui.sources.mysql.packets import Block, Bytes, Places

_NULL, _TWO, _THREE, _EIGHT = 0xFB, 0xFC, 0xFD, 0xFE
"""First byte of a value that is NULL, or whose length is in so many bytes; smaller: the length itself."""

_ASCII = 0x7F


class Cells(Struct):
    """One column of a block. valid: which values are not NULL, None: all."""

    data: Bytes
    starts: Places
    ends: Places
    valid: np.ndarray[tuple[int], np.dtype[np.bool_]] | None

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def lengths(self) -> Places:
        """Bytes of each value, 0 of NULL."""
        return self.ends - self.starts

    @property
    def validity(self) -> pa.Buffer | None:
        """The bitmap by which Arrow knows what is NULL."""
        return None if self.valid is None else pa.py_buffer(np.packbits(self.valid, bitorder="little"))

    def binary(self) -> pa.Array:
        """The values as they came, in a buffer of their own."""
        rows = len(self)
        offsets = np.empty(2 * rows + 1, np.int32)  # values and what is between them, in turn
        offsets[0:-1:2] = self.starts
        offsets[1::2] = self.ends
        offsets[-1] = offsets[-2]
        mixed = pa.Array.from_buffers(
            pa.binary(), 2 * rows, [None, pa.py_buffer(offsets), pa.py_buffer(self.data)], null_count=0
        )
        _, ends, data = mixed.take(pa.array(np.arange(0, 2 * rows, 2, dtype=np.int32))).buffers()
        return pa.Array.from_buffers(pa.binary(), rows, [self.validity, ends, data])

    def text(self) -> pa.Array | None:
        """The values as text, None where one of them is not UTF-8."""
        values = self.binary()
        validity, ends, data = values.buffers()
        if data is None or not data.size or np.frombuffer(data, np.uint8).max() <= _ASCII:
            return pa.Array.from_buffers(pa.string(), len(values), [validity, ends, data])
        with suppress(pa.ArrowInvalid):
            return values.cast(pa.string())
        return None


def split(block: Block, columns: int) -> list[Cells]:
    """The columns of a block. Raises InterfaceError where they are not what its rows consist of."""
    at, found = block.starts, []
    for _ in range(columns):
        cells = _column(block.data, at)
        found.append(cells)
        at = cells.ends
    if not np.array_equal(at, block.ends):
        raise InterfaceError("a row has more or fewer values than the statement asks for", errno=2027)
    return found


def _column(data: Bytes, at: Places) -> Cells:
    lead = data[at]
    starts = at + 1
    if lead.max() < _NULL:
        return Cells(data, starts, starts + lead, None)
    lengths = lead.astype(np.int64)
    null = lead == _NULL
    lengths[null] = 0
    for mark, size in ((_TWO, 2), (_THREE, 3), (_EIGHT, 8)):
        rows = np.flatnonzero(lead == mark)
        if len(rows):
            lengths[rows] = _little_endian(data, starts[rows], size)
            starts[rows] += size
    return Cells(data, starts, starts + lengths, ~null if null.any() else None)


def _little_endian(data: Bytes, at: Places, size: int) -> Places:
    number = np.zeros(len(at), np.int64)
    for byte in range(size):
        number |= data[at + byte].astype(np.int64) << (8 * byte)
    return number

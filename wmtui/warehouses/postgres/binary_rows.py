"""Record batches as the rows that PostgreSQL's COPY reads in its binary format: no Python object per value.

Of each row the format has a count of values, and of each value four bytes of length, -1 for NULL, and the value as the
type's receive function takes it, big-endian (https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format").
Values of fixed length are laid side by side in one array of bytes, one line per row; texts are joined with such arrays
by Arrow.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import psycopg
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from wmtui.errors import UnsupportedValue
from wmtui.warehouses.load.types import arrow_type
from wmtui.warehouses.postgres.numeric_values import numeric_bytes

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"

_Numbers = npt.NDArray[Any]
_Bytes = npt.NDArray[np.uint8]
_LENGTH = 4
"""Bytes of a value's length."""
_INT32_MAX = 2**31 - 1
_EPOCH_DAYS = 10_957
_EPOCH_MICROSECONDS = _EPOCH_DAYS * 86_400_000_000
"""From 1970, Arrow's epoch, to 2000, PostgreSQL's."""
_FIRST_DAY = -719_162
"""1 January of year 1, in days from 1970: PostgreSQL has no year 0."""
_NOTHING = pa.scalar(b"", pa.large_binary())
_JSONB_FORMAT = pa.scalar(b"\x01", pa.large_binary())
"""What goes before a text that becomes jsonb."""
_FIXED = {"smallint": pa.int16(), "integer": pa.int32(), "bigint": pa.int64()}


class ValueOutOfRange(psycopg.DataError):
    """A value that a column of the target does not hold: what PostgreSQL answers to one that it reads as text."""


class _Cells(Struct, frozen=True):
    """The values of one column. fixed: a line of equal length for each row; else texts: bytes of any length.

    valid: rows that have a value; None: all.
    """

    valid: npt.NDArray[np.bool_] | None
    fixed: _Bytes | None = None
    texts: pa.Array | None = None


def to_binary(batch: pa.RecordBatch, declared: Sequence[str]) -> bytes:
    """The rows of a batch, every value exact. declared: types of the columns that they go into.

    Raises UnsupportedValue, naming the column, for what PostgreSQL cannot hold in any column, and ValueOutOfRange.
    """
    rows = batch.num_rows
    pieces = _Pieces(rows)
    pieces.add(_bytes_of(np.full(rows, batch.num_columns, ">i2")))
    for name, array, kind in zip(batch.schema.names, batch.columns, declared, strict=True):
        _add_cells(pieces, _cells(name, array, kind))
    return pieces.joined()


class _Pieces:
    """What rows are made of, from left to right."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._fixed: list[_Bytes] = []
        self._kept: list[npt.NDArray[np.bool_] | None] = []
        self._joined: list[pa.Array] = []

    def add(self, lines: _Bytes, kept: npt.NDArray[np.bool_] | None = None) -> None:
        """Bytes of equal length for each row. kept: rows that have them at all; None: every row."""
        self._fixed.append(lines)
        self._kept.append(kept)

    def add_texts(self, texts: pa.Array) -> None:
        """Bytes of any length, none of them NULL."""
        self._end_fixed()
        self._joined.append(texts)

    def joined(self) -> bytes:
        """All rows."""
        self._end_fixed()
        if len(self._joined) == 1:
            return _content(self._joined[0])
        return _content(pc.binary_join_element_wise(*self._joined, _NOTHING))

    def _end_fixed(self) -> None:
        if not self._fixed:
            return
        lines = np.concatenate(self._fixed, axis=1)
        width = lines.shape[1]
        if all(kept is None for kept in self._kept):
            ends = np.arange(self._rows + 1, dtype=np.int64) * width
            data = lines.reshape(-1)
        else:
            mask = np.ones(lines.shape, np.bool_)
            start = 0
            for part, kept in zip(self._fixed, self._kept, strict=True):
                if kept is not None:
                    mask[~kept, start : start + part.shape[1]] = False
                start += part.shape[1]
            ends = np.zeros(self._rows + 1, np.int64)
            np.cumsum(mask.sum(axis=1), out=ends[1:])
            data = lines[mask]
        buffers = [None, pa.py_buffer(ends), pa.py_buffer(np.ascontiguousarray(data))]
        self._joined.append(pa.Array.from_buffers(pa.large_binary(), self._rows, buffers))
        self._fixed, self._kept = [], []


def _content(array: pa.Array) -> bytes:
    """The values of a binary array without NULL, one after the other."""
    _, offsets, data = array.buffers()
    ends = np.frombuffer(offsets, np.int64)[array.offset : array.offset + len(array) + 1]
    return bytes(memoryview(data)[int(ends[0]) : int(ends[-1])]) if data is not None else b""


def _add_cells(pieces: _Pieces, cells: _Cells) -> None:
    """Length and value of every row; of NULL the length -1 alone."""
    if cells.fixed is not None:
        rows, width = cells.fixed.shape
        lengths = np.full(rows, width, ">i4")
    else:
        lengths = np.asarray(pc.binary_length(cells.texts)).astype(">i4")
    if cells.valid is not None:
        lengths[~cells.valid] = -1
    pieces.add(_bytes_of(lengths))
    if cells.fixed is not None:
        pieces.add(cells.fixed, cells.valid)
    else:
        pieces.add_texts(cells.texts)


def _cells(name: str, array: pa.Array, declared: str) -> _Cells:
    valid = np.asarray(array.is_valid()) if array.null_count else None
    kind = array.type
    if pa.types.is_null(kind) or array.null_count == len(array):
        return _Cells(np.zeros(len(array), np.bool_), fixed=np.zeros((len(array), 0), np.uint8))
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        return _Cells(valid, texts=_texts(name, array, declared))
    column = arrow_type(declared)
    if column is not None and pa.types.is_decimal(column):
        return _Cells(valid, fixed=numeric_bytes(array))
    if declared.lower() in _FIXED:
        array = _integers(name, array, _FIXED[declared.lower()], declared)
    return _Cells(valid, fixed=_fixed_bytes(name, array, valid))


def _texts(name: str, array: pa.Array, declared: str) -> pa.Array:
    """Texts and binaries without NULL, as long values with 64-bit offsets."""
    if pa.types.is_string(array.type):
        if pc.any(pc.match_substring(array, "\0")).as_py():
            raise UnsupportedValue(
                f"column {name} has text with a NUL character",
                "PostgreSQL cannot hold it",
                "remove the character in the source, or carry the column as binary",
            )
        array = array.cast(pa.binary())
    values = array.cast(pa.large_binary())
    if declared.lower() == "jsonb":
        values = pc.binary_join_element_wise(_JSONB_FORMAT, values, _NOTHING)
    return pc.fill_null(values, _NOTHING) if values.null_count else values


def _integers(name: str, array: pa.Array, kind: pa.DataType, declared: str) -> pa.Array:
    try:
        return array.cast(kind)
    except pa.ArrowInvalid as error:
        raise ValueOutOfRange(f"column {name} has a value out of range for type {declared}: {error}") from error


def _fixed_bytes(name: str, array: pa.Array, valid: npt.NDArray[np.bool_] | None) -> _Bytes:
    kind = array.type
    if pa.types.is_boolean(kind):
        return _bytes_of(np.asarray(pc.fill_null(array, False)).astype(np.uint8))
    if pa.types.is_date32(kind):
        days = _dates(name, _numbers(array, np.int32), _FIRST_DAY, valid)
        return _bytes_of((days - _EPOCH_DAYS).astype(">i4"))
    if pa.types.is_timestamp(kind):
        instants = _dates(name, _numbers(array, np.int64), _FIRST_DAY * 86_400_000_000, valid)
        return _bytes_of((instants - _EPOCH_MICROSECONDS).astype(">i8"))
    numbers = _numbers(array, kind.to_pandas_dtype())
    return _bytes_of(numbers.astype(numbers.dtype.newbyteorder(">")))


def _dates(name: str, numbers: _Numbers, first: int, valid: npt.NDArray[np.bool_] | None) -> _Numbers:
    early = numbers < first
    if valid is not None:
        early &= valid
    if early.any():
        raise ValueOutOfRange(f"column {name} has a date before the year 1: date/time field value out of range")
    return numbers


def _numbers(array: pa.Array, kind: npt.DTypeLike) -> _Numbers:
    """The values as they lie in memory, whatever is under a NULL."""
    values = np.frombuffer(array.buffers()[1], kind)
    return values[array.offset : array.offset + len(array)]


def _bytes_of(numbers: _Numbers) -> _Bytes:
    """A line of bytes for each number."""
    return np.ascontiguousarray(numbers).view(np.uint8).reshape(len(numbers), -1)

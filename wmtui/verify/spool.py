"""Rows on disk, apart by their key, so that two sides of any size can be compared a piece at a time.

The file has no name: it is gone with the process, however that ends. Memory does not grow with the rows: what is taken
in is written 8 MiB at a time, and a piece that has become too large to be looked at is taken apart once more.
"""

import errno
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO

import pyarrow as pa
import pyarrow.compute as pc

from wmtui.errors import NoRoom

SCHEMA = pa.schema(
    {
        "kind": pa.uint8(),
        "part": pa.uint16(),
        "key": pa.binary(),
        "digest": pa.binary(),
        "cursor": pa.int64(),
        "cells": pa.binary(),
    }
)
"""kind, part: see `row_differences.RowKind`. key, digest: of the row. cursor: as the source's column holds it, in
microseconds. cells: the encoded row, only of rows that may be shown.
"""
_BUFFER = 8 * 2**20
_PIECES = 256
_PIECE_BYTES = 16 * 2**20
_DEEPEST = 3
"""Rows that are still together after so many times have one key."""


class Spool:
    """Rows by the hash of their key. depth: how often they were taken apart before."""

    def __init__(self, depth: int = 0) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by __exit__
        self._places: list[list[tuple[int, int]]] = [[] for _ in range(_PIECES)]
        self._waiting: list[pa.RecordBatch] = []
        self._waiting_bytes = 0
        self._end = 0
        self._depth = depth

    def __enter__(self) -> "Spool":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, rows: pa.RecordBatch, hashes: pa.Array) -> None:
        """Take in rows of SCHEMA. hashes: of their keys, 64 bits each, equal for equal keys."""
        columns = [*rows.columns, hashes]
        self._waiting.append(pa.record_batch(columns, names=[*rows.schema.names, "hash"]))
        self._waiting_bytes += rows.nbytes + hashes.nbytes
        if self._waiting_bytes >= _BUFFER:
            self._write()

    def pieces(self) -> Iterator[pa.Table | pa.RecordBatchReader]:
        """All rows, a few MB at a time; rows of one key are in one piece. Each is to be read before the next is asked
        for.

        A piece is a table wherever it is small: a database that is handed a reader calls Python from threads of its
        own, where an error arrives as no more than a RuntimeError. Only many rows of one key come as a reader.
        """
        self._write()
        together: list[tuple[int, int]] = []
        for places in self._places:
            if _size(places) > _PIECE_BYTES:
                yield from self._apart(places)
                continue
            if together and _size(together) + _size(places) > _PIECE_BYTES:
                yield self._table(together)
                together = []
            together += places
        if together:
            yield self._table(together)

    def _table(self, places: Sequence[tuple[int, int]]) -> pa.Table:
        return pa.Table.from_batches(self._read(places)).drop_columns(["hash"])

    def _apart(self, places: Sequence[tuple[int, int]]) -> Iterator[pa.Table | pa.RecordBatchReader]:
        if self._depth == _DEEPEST:
            rows = (batch.drop_columns(["hash"]) for batch in self._read(places))
            yield pa.RecordBatchReader.from_batches(SCHEMA, rows)
            return
        with Spool(self._depth + 1) as smaller:
            for batch in self._read(places):
                smaller.add(batch.drop_columns(["hash"]), batch.column("hash"))
            yield from smaller.pieces()

    def _write(self) -> None:
        """Put what waits into its pieces."""
        if not self._waiting:
            return
        table = pa.Table.from_batches(self._waiting)
        self._waiting, self._waiting_bytes = [], 0
        shifted = pc.shift_right(table.column("hash"), pa.scalar(8 * self._depth, pa.uint64()))
        numbers = pc.bit_wise_and(shifted, pa.scalar(_PIECES - 1, pa.uint64())).cast(pa.uint16())
        table = table.append_column("piece", numbers)
        table = table.take(pc.sort_indices(table, [("piece", "ascending")]))
        ends = pc.run_end_encode(table.column("piece").combine_chunks())
        rows = table.drop_columns(["piece"])
        start = 0
        for end, piece in zip(ends.run_ends.to_pylist(), ends.values.to_pylist(), strict=True):
            self._append(piece, rows.slice(start, end - start))
            start = end

    def _append(self, piece: int, rows: pa.Table) -> None:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, rows.schema) as stream:
            stream.write_table(rows)
        data = sink.getvalue()
        self._file.write(data)
        self._places[piece].append((self._end, data.size))
        self._end += data.size

    def _read(self, places: Sequence[tuple[int, int]]) -> Iterator[pa.RecordBatch]:
        for start, size in places:
            try:
                self._file.seek(start)
                data = self._file.read(size)
            except OSError as error:
                why = f"what was put aside in {tempfile.gettempdir()} cannot be read again ({error.strerror})"
                raise _no_room(why) from error
            yield from pa.ipc.open_stream(data)


def _size(places: Sequence[tuple[int, int]]) -> int:
    return sum(size for _, size in places)


@contextmanager
def told_in_words() -> Iterator[None]:
    """Raises NoRoom in the place of the errors of a full disk, of too little memory, and of no folder at all."""
    try:
        yield
    except MemoryError as error:
        raise NoRoom(
            "too little memory to compare the two sides",
            "about 300 MB are enough for a table of any length; rows of many megabytes need more",
            "give the process more memory, or compare when less is at work on this machine",
        ) from error
    except FileNotFoundError as error:
        if error.filename is not None:
            raise
        raise _no_room(f"no folder for temporary files can be written ({error.strerror})") from error
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        raise _no_room(f"{tempfile.gettempdir()} is full ({error.strerror})") from error


def _no_room(why: str) -> NoRoom:
    return NoRoom(
        "no room to compare the two sides",
        f"{why}, and about 60 bytes are needed there for each row of either side",
        "make room, or name a folder with more of it: `TMPDIR=/path wmtui verify …`",
    )

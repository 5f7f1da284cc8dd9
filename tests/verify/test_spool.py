"""The spool of `verify`: every row once, rows of a key together, in as few pieces as memory allows."""

import errno
from collections import Counter
from collections.abc import Sequence
from threading import current_thread
from typing import IO, Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wmtui.errors import NoRoom
from wmtui.verify import spool as module
from wmtui.verify.spool import SCHEMA, Spool


def put(spool: Spool, keys: Sequence[int]) -> None:
    """One row for each key; a key's hash is the key."""
    rows = len(keys)
    columns: dict[str, Any] = {
        "kind": pa.nulls(rows, pa.uint8()),
        "part": pa.nulls(rows, pa.uint16()),
        "key": pa.array([str(key).encode() for key in keys], pa.binary()),
        "digest": pa.nulls(rows, pa.binary()),
        "cursor": pa.array(keys, pa.int64()),
        "cells": pa.nulls(rows, pa.binary()),
    }
    spool.add(pa.record_batch(columns, schema=SCHEMA), pa.array(keys, pa.uint64()))


def table_of(piece: pa.Table | pa.RecordBatchReader) -> pa.Table:
    """What a piece has."""
    return piece if isinstance(piece, pa.Table) else piece.read_all()


@given(keys=st.lists(st.integers(0, 2**20)), piece_bytes=st.sampled_from([1, 3000, 16 * 2**20]))
def test_every_row_comes_once_and_rows_of_a_key_are_in_one_piece(keys: list[int], piece_bytes: int) -> None:
    with pytest.MonkeyPatch.context() as patch, Spool() as spool:
        patch.setattr(module, "_PIECE_BYTES", piece_bytes)
        patch.setattr(module, "_BUFFER", 500)
        for start in range(0, len(keys), 7):
            put(spool, keys[start : start + 7])
        pieces = [table_of(piece).column("cursor").to_pylist() for piece in spool.pieces()]
    assert Counter(key for piece in pieces for key in piece) == Counter(keys)
    assert sum(len(set(piece)) for piece in pieces) == len(set(keys))


def test_what_is_small_is_one_piece() -> None:
    with Spool() as spool:
        put(spool, range(5000))
        assert [table_of(piece).num_rows for piece in spool.pieces()] == [5000]


def test_an_error_of_reading_is_told_in_words_in_the_thread_that_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing:
        def __init__(self, file: IO[bytes]) -> None:
            self._file = file

        def read(self, _: int) -> bytes:
            raise OSError(errno.EIO, f"Input/output error in {current_thread().name}")

        def __getattr__(self, name: str) -> Any:
            return getattr(self._file, name)

    with Spool() as spool:
        put(spool, [1, 2])
        monkeypatch.setattr(spool, "_file", Failing(spool._file))
        with pytest.raises(NoRoom, match=f"cannot be read again .*error in {current_thread().name}"):
            list(spool.pieces())

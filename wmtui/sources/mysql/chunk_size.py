"""How many rows the next statement of a long read asks for. Pure rules."""

import pyarrow as pa
from msgspec import Struct
from msgspec.structs import replace

from wmtui.column_types import max_bytes
from wmtui.config import MySQLConfig

_LONG = 10_000
"""Bytes that a value may have, from which on 5,000 rows may be too many to hold."""

_FIRST_LONG = 200


class ChunkLimits(Struct, frozen=True):
    """What a statement is to stay below.

    seconds: how long one is to take; most_seconds: after how many it is ended. first: rows of the first one, of which
    nothing is known. rows, size: the most rows and about the most bytes of one, which are held in memory.
    """

    seconds: float
    most_seconds: float
    first: int = 5_000
    rows: int = 200_000
    size: int = 24 * 2**20


def limits_of(config: MySQLConfig) -> ChunkLimits:
    """A quarter of `max_statement`, so that a statement that is slower than the one before still ends in time; and no
    more rows than a second may bring.
    """
    longest = config.max_statement.total_seconds()
    made = ChunkLimits(longest / 4, longest)
    most = config.max_rows_per_second or made.rows
    return replace(made, first=min(made.first, most), rows=min(made.rows, most))


def first_of(limits: ChunkLimits, schema: pa.Schema) -> ChunkLimits:
    """Few rows at first of a table whose values may be long, until it is known how long they are."""
    longest = max((max_bytes(field) or 0 for field in schema), default=0)
    return replace(limits, first=min(limits.first, _FIRST_LONG)) if longest > _LONG else limits


class ChunkSize:
    """Follows what statements took. rows: for the next one."""

    _GROWTH = 4
    _SHRINK = 8

    def __init__(self, limits: ChunkLimits) -> None:
        self._limits = limits
        self.rows = limits.first

    def after(self, rows: int, size: int, seconds: float) -> None:
        """A statement went through so many rows, sent so many bytes, and took so long."""
        fitting = [self._limits.rows, self.rows * self._GROWTH]
        if seconds > 0:
            fitting.append(int(rows * self._limits.seconds / seconds))
        if size:
            fitting.append(rows * self._limits.size // size)
        self.rows = max(1, min(fitting))

    def shrink(self) -> bool:
        """A statement was ended at its time limit, or sent too much; False when it cannot ask for fewer rows."""
        if self.rows == 1:
            return False
        self.rows = max(1, self.rows // self._SHRINK)
        return True

"""The result of a comparison. Nothing here needs a database or Arrow."""

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import astuple

from wmtui.model import KeyValue


class Counts(Struct, frozen=True):
    """How many rows are how.

    missing: expected, and not there. extra: not in the source. doubled: beyond the first of their key, or without a
    primary key beyond as many as the source has of it. differing: keys of which the warehouse has a row unlike the
    source's. moved_on: such keys whose source row changed since.
    """

    missing: int = 0
    extra: int = 0
    doubled: int = 0
    differing: int = 0
    moved_on: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))

    def __sub__(self, other: "Counts") -> "Counts":
        return Counts(*(a - b for a, b in zip(astuple(self), astuple(other), strict=True)))


DIFFERENCES = ("missing", "extra", "doubled", "differing")
"""The counts that say the warehouse is wrong."""


class Example(Struct, frozen=True):
    """One row that is wrong, by column.

    key: empty without a primary key. source, warehouse: the columns that differ and what either side has, as text;
    without a primary key the whole row, None where that side does not have it; otherwise None.
    """

    finding: str
    key: Mapping[str, KeyValue | None]
    source: Mapping[str, str | None] | None
    warehouse: Mapping[str, str | None] | None


class Result(StrEnum):
    """How a comparison ended; the values are part of the JSON interface.

    LEFT_OUT: as right, but for what an operator left out on purpose, who is named.
    """

    RIGHT = "right"
    LEFT_OUT = "left_out"
    NOT_RIGHT = "not_right"


class ProblemReason(StrEnum):
    """Why a warehouse is not right, or what was left out; the values are part of the JSON interface."""

    MISSING = "missing"
    EXTRA = "extra"
    DOUBLED = "doubled"
    DIFFERING = "differing"
    NOT_LOADED = "not_loaded"
    HELD_BACK = "held_back"
    UNKNOWN = "unknown"
    FUTURE_CURSOR = "future_cursor"
    NULL_CURSOR = "null_cursor"
    BEFORE_POINT = "before_point"
    WRITTEN_OFF = "written_off"


class Problem(Struct, frozen=True, kw_only=True):
    """One reason why the warehouse is not right. what: in words, as a sentence goes on. next_step: what mends it, with
    the commands in it.
    """

    reason: ProblemReason
    rows: int
    files: int = 0
    what: str
    next_step: str
    commands: tuple[str, ...] = ()


class LeftOut(Struct, frozen=True, kw_only=True):
    """Rows that an operator left out. by: who did. serial, at: of the change in the watermark's history that did it;
    None: it was none. next_step: what brings them nevertheless.
    """

    reason: ProblemReason
    by: str
    rows: int
    files: int = 0
    what: str
    next_step: str
    serial: int | None = None
    at: str | None = None
    commands: tuple[str, ...] = ()


class Verification(Struct, frozen=True):
    """How a warehouse's table compares. position: of the watermark, in words. ahead: source rows that the next
    extraction reads. waiting: rows in committed files that are not loaded.
    """

    table: str
    position: str | None
    source_rows: int
    warehouse_rows: int
    ahead: int
    waiting: int
    counts: Counts
    examples: tuple[Example, ...] = ()
    problems: tuple[Problem, ...] = ()
    left_out: tuple[LeftOut, ...] = ()

    @property
    def compared(self) -> int:
        """Rows of the warehouse that were compared with one of the source."""
        return self.warehouse_rows - self.counts.extra - self.counts.doubled

    @property
    def result(self) -> Result:
        """How it ended."""
        if self.problems:
            return Result.NOT_RIGHT
        return Result.LEFT_OUT if self.left_out else Result.RIGHT

    @property
    def reasons(self) -> tuple[ProblemReason, ...]:
        """Why it is not right, and what was left out."""
        reasons = [*(problem.reason for problem in self.problems), *(left.reason for left in self.left_out)]
        return tuple(dict.fromkeys(reasons))

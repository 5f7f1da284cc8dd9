"""What a comparison found. Nothing here needs a database or Arrow."""

from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import astuple

from wmtui.model import KeyValue


class Counts(Struct, frozen=True):
    """How many rows are how.

    missing: expected, and not there. extra: not in the source. doubled: beyond the first of their key, or without a
    primary key beyond as many as the source has of it. differing: keys of which the warehouse has a row unlike the
    source's. moved_on: such keys whose source row changed since. waiting: missing or differing keys in files that are
    not loaded yet.
    """

    missing: int = 0
    extra: int = 0
    doubled: int = 0
    differing: int = 0
    moved_on: int = 0
    waiting: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))

    def __sub__(self, other: "Counts") -> "Counts":
        return Counts(*(a - b for a, b in zip(astuple(self), astuple(other), strict=True)))


FINDINGS = ("missing", "extra", "doubled", "differing")
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


class Verification(Struct, frozen=True):
    """How a warehouse's table compares. position: of the watermark, in words. ahead: source rows that the next
    extraction reads. outside: those that none read or will read. waiting_files: committed, and not loaded.
    """

    table: str
    position: str | None
    source_rows: int
    warehouse_rows: int
    ahead: int
    outside: int
    waiting_files: int
    counts: Counts
    examples: tuple[Example, ...]

    @property
    def compared(self) -> int:
        """Rows of the warehouse that were compared with one of the source."""
        return self.warehouse_rows - self.counts.extra - self.counts.doubled

    @property
    def right(self) -> bool:
        """Nothing is missing, extra, doubled or differing."""
        return not any(getattr(self.counts, finding) for finding in FINDINGS)

"""When a table's files were written, in a line; and below it where watermark and session window lie."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from wmtui.service import Basis, Selection
from wmtui.tui.widgets.cells import Line, bars

_BINS = 512
"""Files are counted once, in so many bins, and drawn at any width from these."""


class Histogram(Struct, frozen=True):
    """first, last: ends of the axis, aware UTC. counts: files per bin."""

    first: datetime
    last: datetime
    counts: Sequence[int]
    basis: Basis

    @classmethod
    def of(cls, selection: Selection) -> "Histogram | None":
        """None where there is no file."""
        times = [verdict.file.last_modified for verdict in selection.verdicts]
        if not times:
            return None
        basis = selection.basis
        marks = [mark for mark in (basis.after, basis.extraction_time) if mark is not None]
        first, last = min([*times, *marks]), max([*times, *marks])
        length = (last - first) / timedelta(seconds=1) or 1.0
        counts = [0] * _BINS
        for time in times:
            counts[min(_BINS - 1, int((time - first) / timedelta(seconds=1) / length * _BINS))] += 1
        return cls(first, last, counts, basis)

    def lines(self, width: int) -> list[Line]:
        """The bars, the marks below them, and the ends of the axis."""
        width = max(8, width)
        merged = [0] * width
        for index, count in enumerate(self.counts):
            merged[index * width // _BINS] += count
        return [[(bars(merged), "busy")], [(self._marks(width), "strong")], self._axis(width)]

    def _marks(self, width: int) -> str:
        cells = [" "] * width
        if self.basis.session is not None:
            low, high = (self._cell(end, width) for end in self.basis.session)
            cells[low : high + 1] = "─" * (high - low + 1)
            cells[low], cells[high] = "├", "┤"
        for at in (self.basis.after, self.basis.extraction_time):
            if at is not None:
                cells[self._cell(at, width)] = "▲"
        return "".join(cells)

    def _axis(self, width: int) -> Line:
        left, right = f"{self.first:%m-%d %H:%M}", f"{self.last:%m-%d %H:%M} UTC"
        word = "session window" if self.basis.session else "▲ watermark"
        middle = width - len(left) - len(right)
        return [(left, "dim"), (word.center(middle) if middle > len(word) else " " * middle, "dim"), (right, "dim")]

    def _cell(self, at: datetime, width: int) -> int:
        length = (self.last - self.first) / timedelta(seconds=1) or 1.0
        return max(0, min(width - 1, int((at - self.first) / timedelta(seconds=1) / length * width)))

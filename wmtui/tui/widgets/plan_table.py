"""What a change or a sync does to many tables: totals and losses first, then a line for each; it scrolls."""

from collections.abc import Sequence

from msgspec import Struct
from textual.app import ComposeResult
from textual.containers import Vertical

from wmtui.tui.widgets.cells import Line, StaticLines, columns, fit_middle
from wmtui.tui.widgets.line_list import LineList
from wmtui.tui.widgets.paragraphs import Paragraphs

SHOWN = 8
"""Lines of tables in sight."""


class Column(Struct, frozen=True):
    """A heading and its cells; a negative width aligns to the right. The first column takes the room that is left."""

    heading: str
    width: int = 0


class Row(Struct, frozen=True):
    """A line: its cells, and its tone."""

    cells: tuple[str, ...]
    kind: str = ""


class PlanTable(Vertical):
    """Totals, headings, and a list of rows that takes the keys which scroll it."""

    DEFAULT_CSS = """
    PlanTable {
        height: auto;
        #rows { height: 1; }
    }
    """

    def __init__(self, shown: Sequence[Column]) -> None:
        super().__init__(id="plan-table")
        self._columns = shown

    def compose(self) -> ComposeResult:
        """Nothing yet."""
        yield Paragraphs(id="totals")
        yield StaticLines(id="headings")
        yield LineList(self._line, empty="", id="rows")

    def show(self, totals: Sequence[Line], rows: Sequence[Row]) -> None:
        """Other totals and rows; no rows: the table goes."""
        self.query_one("#totals", Paragraphs).show(totals)
        headings, lines = self.query_one("#headings", StaticLines), self.query_one("#rows", LineList)
        headings.display = lines.display = bool(rows)
        lines.styles.height = min(SHOWN, max(1, len(rows)))
        lines.show(rows, 0)
        heading = Row(tuple(column.heading for column in self._columns), "dim")
        headings.show([self._line(heading, (self.content_size.width or 76) - (len(rows) > SHOWN))])

    def _line(self, row: Row, width: int) -> Line:
        first = max(10, width - sum(abs(column.width) + 1 for column in self._columns[1:]))
        cells = [(fit_middle(row.cells[0], first), first, row.kind)]
        cells += [(text, column.width, row.kind) for text, column in zip(row.cells[1:], self._columns[1:], strict=True)]
        return columns(cells)

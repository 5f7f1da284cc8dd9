"""The list of tables, its headings, and in its border how many are shown, marked and filtered."""

from collections.abc import Callable

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.strip import Strip

from wmtui.model import TableName
from wmtui.tui.state.table_list import SortOrder, TableListState
from wmtui.tui.widgets.cells import Line, StaticLines, set_title
from wmtui.tui.widgets.line_list import LineList
from wmtui.tui.widgets.list_items import table_header, table_line


class TableHeading(StaticLines):
    """The names of the columns, over the list of tables and as wide as its lines."""

    def __init__(self) -> None:
        super().__init__(id="header")

    def render_line(self, y: int) -> Strip:
        """The names, for the width that the list has at this moment."""
        self._lines = [table_header(self.screen.query_one("#table-list", LineList).line_width)]
        return super().render_line(y)


class TablesPane(Vertical):
    """Every table that the filter leaves, a line each. clock: monotonic seconds."""

    def __init__(self, state: TableListState, clock: Callable[[], float]) -> None:
        super().__init__(id="tables", classes="pane")
        self._state = state
        self._clock = clock

    def compose(self) -> ComposeResult:
        """Headings and lines."""
        yield TableHeading()
        yield LineList(self._table_line, empty="no table matches: Esc shows all", id="table-list")

    @property
    def lines(self) -> LineList:
        """The list."""
        return self.query_one("#table-list", LineList)

    @property
    def current(self) -> TableName | None:
        """The table under the cursor."""
        table = self.lines.current
        return table if isinstance(table, TableName) else None

    def show_tables(self, state: TableListState, current: TableName | None = None) -> None:
        """Sort and filter the list again; the cursor goes to `current`, or stays on its table where that is shown."""
        self._state = state
        current = current or self.current
        visible = state.visible()
        at = visible.index(current) if current in visible else min(self.lines.cursor, max(0, len(visible) - 1))
        self.lines.show(visible, at)
        self._show_title(visible)

    def _show_title(self, visible: list[TableName]) -> None:
        state, total, shown = self._state, len(self._state.tables), len(visible)
        parts = [
            f"/{state.pattern}" if state.pattern else "",
            _marks(len(state.marked), len(state.marked - set(visible))),
            "" if state.order is SortOrder.CONFIGURED else state.order.value,
            f"{shown:,} of {total:,}" if shown != total else f"{total:,}",
        ]
        set_title(self, "1 Tables", " · ".join(part for part in parts if part))

    def _table_line(self, table: TableName, width: int) -> Line:
        return table_line(self._state, table, self._clock(), width)


def _marks(marked: int, hidden: int) -> str:
    return (f"{marked} marked" + (f", {hidden} hidden" if hidden else "")) if marked else ""

"""The screen under all dialogs: which pane is where, which has the focus, and which is zoomed."""

from textual import on
from textual.reactive import Reactive
from textual.screen import Screen
from textual.widget import Widget

from wmtui.tui.panes.detail import DetailPane
from wmtui.tui.panes.log import LogPane
from wmtui.tui.panes.prompt import Prompt
from wmtui.tui.panes.tables import TablesPane
from wmtui.tui.panes.walkthrough import WalkthroughLine
from wmtui.tui.widgets.cells import StaticLines
from wmtui.tui.widgets.line_list import LineList


class MainScreen(Screen[None]):
    """The panes, which the application composes."""

    focused: Reactive[Widget | None] = Reactive(None, repaint=False)
    """Textual draws everything again when the focus moves; the two panes concerned do that for themselves."""

    @property
    def status_bar(self) -> StaticLines:
        """The first line."""
        return self.query_one("#status", StaticLines)

    @property
    def walkthrough(self) -> WalkthroughLine:
        """The demo's next step."""
        return self.query_one(WalkthroughLine)

    @property
    def tables_pane(self) -> TablesPane:
        """The list of tables."""
        return self.query_one(TablesPane)

    @property
    def detail_pane(self) -> DetailPane:
        """One table."""
        return self.query_one(DetailPane)

    @property
    def log_pane(self) -> LogPane:
        """What syncs say."""
        return self.query_one(LogPane)

    @property
    def prompt(self) -> Prompt:
        """Where filters and searches are typed."""
        return self.query_one(Prompt)

    def focus_pane(self, number: int) -> None:
        """Give a pane the focus, by the number in its border."""
        {1: self.tables_pane.lines, 2: self.detail_pane.lines, 3: self.log_pane.lines}[number].focus()

    @property
    def focused_pane(self) -> tuple[str, tuple[str, ...]]:
        """Title of the pane in focus, and the areas of the actions that belong there."""
        if self.focused is self.log_pane.lines:
            return "3 Sync log", ("Log", "Sync")
        if self.focused is self.detail_pane.lines:
            return "2 Watermark", ("Watermark", "Files", "History")
        return "1 Tables", ("Tables", "Sync", "Watermark")

    @property
    def zoomed(self) -> bool:
        """One pane is shown alone."""
        return self.has_class("zoomed")

    def zoom(self) -> None:
        """Show the pane in focus alone, or all of them again."""
        if self.zoomed:
            self.query(".zoomed-pane").remove_class("zoomed-pane")
            self.remove_class("zoomed")
        elif self.focused is not None:
            for node in self.focused.ancestors_with_self:
                if getattr(node, "id", None) in ("tables", "detail", "log", "top"):
                    node.add_class("zoomed-pane")
            self.add_class("zoomed")

    @on(LineList.Opened, "#table-list")
    def _focus_detail(self) -> None:
        self.detail_pane.lines.focus()

    @on(LineList.Moved, "#log-lines")
    def _follow_at_end(self, message: LineList.Moved) -> None:
        """Going up pauses the log; at its last line it follows again."""
        self.log_pane.follow(message.list.cursor >= len(message.list.items) - 1)

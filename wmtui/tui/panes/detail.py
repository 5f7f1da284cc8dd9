"""One table: its watermark, its files with their verdicts, its history."""

import textwrap
from collections.abc import Sequence
from datetime import timedelta

from msgspec import Struct
from msgspec.structs import replace
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.events import Click, Resize
from textual.message import Message
from textual.timer import Timer
from textual.widgets import ContentSwitcher

from wmtui.errors import Unreadable, WmtuiError
from wmtui.model import TableName
from wmtui.service import (
    Entry,
    Selection,
    Verdict,
)
from wmtui.tui.panes.table_detail import WHOLE_LINE, Detail, aged
from wmtui.tui.widgets.cells import Line, StaticLines, bars, fit_middle, set_title
from wmtui.tui.widgets.line_list import LineList
from wmtui.tui.widgets.list_items import file_line
from wmtui.words import values
from wmtui.words.changes import differences
from wmtui.words.values import printable

TABS = ("fields", "files", "history")
KEPT = ("all", "kept", "dropped")
_LABEL = 14
PATIENCE_SECONDS = 0.3
"""So long the previous table stays in sight while another is read: less flicker, less to send."""
HISTORY_SHOWN = 200
"""Newest changes read; `wmtui watermark history` shows all."""


class Field(Struct, frozen=True):
    """A line of the watermark. value: what is copied."""

    label: str
    text: str
    value: str
    kind: str = ""
    whole: bool = False


class Change(Struct, frozen=True):
    """A line of the history: of which entry, and what it says."""

    entry: Entry | Unreadable
    line: Line


class Tabs(StaticLines):
    """The names of the tabs; a click chooses one."""

    class Chosen(Message):
        """A tab was clicked."""

        def __init__(self, tab: str) -> None:
            super().__init__()
            self.tab = tab

    def mark(self, current: str, names: Sequence[str]) -> None:
        """Show which one is open."""
        line: Line = [(" ", "")]
        for tab, name in zip(TABS, names, strict=True):
            line += [(f"[{name}]" if tab == current else f" {name} ", "strong" if tab == current else "dim"), (" ", "")]
        self._names = list(names)
        self.show([line])

    def on_click(self, event: Click) -> None:
        """Report the tab whose name was clicked."""
        left = 1
        for tab, name in zip(TABS, self._names, strict=True):
            if left <= event.x < left + len(name) + 2:
                self.post_message(self.Chosen(tab))
            left += len(name) + 3


class DetailPane(Vertical):
    """Watermark, files and history of one table, in tabs."""

    def __init__(self) -> None:
        super().__init__(id="detail", classes="pane")
        self.table: TableName | None = None
        self.detail: Detail | None = None
        self._since = timedelta(0)
        self.entries: list[Entry | Unreadable] | None = None
        self._waiting: Timer | None = None
        self._selection: Selection | None = None
        self.kept = "all"
        self.tab = "fields"

    def compose(self) -> ComposeResult:
        """Tabs above, one of three lists below."""
        yield Tabs(id="tabs")
        with ContentSwitcher(initial="fields"):
            yield LineList(_field_line, empty="reading…", id="fields")
            with Vertical(id="files"):
                yield StaticLines(id="file-summary")
                yield LineList(self._file_line, empty="no files", id="file-list")
            with Vertical(id="history"):
                yield StaticLines(id="history-summary")
                yield LineList(_change_line, empty="reading…", id="changes")

    def on_mount(self) -> None:
        """Show titles; no table has been read yet."""
        self._head()

    def on_resize(self, _: Resize) -> None:
        """Draw again: long values are wrapped, and histograms are as wide as the pane."""
        self._draw()

    @property
    def lines(self) -> LineList:
        """The list that is shown."""
        return self.query_one({"fields": "#fields", "files": "#file-list", "history": "#changes"}[self.tab], LineList)

    @property
    def _width(self) -> int:
        """Cells of a line in any of the lists, also in those that are not shown: their scrollbar takes one."""
        return self.content_size.width - 1

    def begin(self, table: TableName | None) -> None:
        """Another table: what is shown of the one before goes when this one is read, or soon if that takes long."""
        if table != self.table:
            self.table, self.detail, self.entries = table, None, None
            self._say("reading…" if table else "no table")
            self._stop_waiting()
            if table is None:
                self._draw()
            else:
                self._waiting = self.set_timer(PATIENCE_SECONDS, self._draw)

    def take(self, detail: Detail) -> None:
        """Show what was read of the table."""
        self.detail, self._since = detail, timedelta(0)
        self._head()
        self._draw_fields()
        self._draw_files()
        if self.tab != "history" or self.entries is not None:
            self._draw()

    def grow_older(self, since: timedelta, limit: timedelta) -> None:
        """Let the ages grow. since: how long ago the table was read; limit: of its lag."""
        if self.detail is None or since == self._since:
            return
        self._since = since
        older = aged(self.detail.fields, self.detail.look, limit, since)
        if older != self.detail.fields:
            self.detail = replace(self.detail, fields=older)
            self._draw_fields()

    def take_history(self, entries: "list[Entry | Unreadable]") -> None:
        """Show the table's changes; oldest first."""
        self.entries = entries
        self._draw()

    def fail(self, error: WmtuiError) -> None:
        """Show why the table cannot be read."""
        self.detail = None
        self._say(error.in_one_line)
        self._draw()

    def open(self, tab: str) -> None:
        """Show a tab and give its list the focus."""
        self.tab = tab
        self.query_one(ContentSwitcher).current = tab
        self._head()
        self.lines.focus()

    def toggle_kept(self) -> None:
        """Show all files, only those that are loaded next, or only the others, in turn."""
        self.kept = KEPT[(KEPT.index(self.kept) + 1) % len(KEPT)]
        self._draw_files()

    def _say(self, text: str) -> None:
        for identity in ("#fields", "#file-list", "#changes"):
            lines = self.query_one(identity, LineList)
            lines.empty = printable(text)

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.stop()
            self._waiting = None

    def _draw(self) -> None:
        self._stop_waiting()
        self._head()
        self._draw_fields()
        self._draw_files()
        self._draw_history()

    def _head(self) -> None:
        s = self.detail.selection.summary if self.detail else None
        files = f"Files {s.selected:,}/{s.found:,}" if s else "Files"
        self.query_one(Tabs).mark(self.tab, ("Watermark", files, "History"))
        name = str(self.table or "Watermark")
        room = max(_LABEL, self.size.width - 8)
        set_title(self, f"2 {fit_middle(name, room).rstrip() if len(name) > room else name}")

    def _draw_fields(self) -> None:
        lines = self.query_one("#fields", LineList)
        width = max(10, self._width - _LABEL - 1)
        items = []
        for label, text, kind in self.detail.fields if self.detail else ():
            if label == WHOLE_LINE:
                items.append(Field("", text, text.split(None, 1)[-1], kind, whole=True))
                continue
            name = label if len(label) <= _LABEL else f"{label[: _LABEL - 1]}…"
            for number, piece in enumerate(textwrap.wrap(text, width) or [""]):
                items.append(Field(name if number == 0 else "", piece, text, kind))
        lines.show(items)

    def _draw_files(self) -> None:
        lines, head = self.query_one("#file-list", LineList), self.query_one("#file-summary", StaticLines)
        if self.detail is None:
            lines.show(())
            head.show(())
            return
        self._selection = self.detail.selection
        summary, width = self.detail.selection.summary, max(10, self._width)
        text = f"{summary}" + (f"; {summary.hint}" if summary.hint else "")
        shown: list[Line] = [[(piece, "strong" if summary.held_back else "")] for piece in textwrap.wrap(text, width)]
        if self.detail.histogram is not None:
            shown += self.detail.histogram.lines(width)
        head.styles.height = len(shown)
        head.show(shown)
        lines.empty = f"no files are {self.kept}" if self.kept != "all" else "no files of this table are in the store"
        lines.show(self.detail.shown[self.kept])

    def _draw_history(self) -> None:
        lines, head = self.query_one("#changes", LineList), self.query_one("#history-summary", StaticLines)
        if self.entries is None:
            head.show(())
            lines.show(())
            return
        lines.empty = "it was never changed"
        lines.show([change for entry in reversed(self.entries) for change in _changes(entry, self._width)])
        head.show([sparkline(self.entries, self._width)])

    def _file_line(self, verdict: Verdict, width: int) -> Line:
        return file_line(verdict, self._selection, width) if self._selection else []


def _field_line(field: Field, width: int) -> Line:
    if field.whole:
        return [(field.text[:width], field.kind)]
    return [(field.label.ljust(_LABEL + 1)[: _LABEL + 1], "dim"), (field.text[:width], field.kind)]


def _change_line(change: Change, _: int) -> Line:
    return change.line


def _changes(entry: Entry | Unreadable, width: int) -> list[Change]:
    if isinstance(entry, Unreadable):
        return [Change(entry, [(f"✗ {entry}", "bad")])]
    who = f"{entry.actor}@{entry.host}" if entry.actor else "somebody"
    number = f"{entry.serial or values.ABSENT:>4} "
    at = (entry.at or values.ABSENT).replace("T", " ").removesuffix("Z")[:19]
    head: Line = [(number, "dim"), (f"{at} ", ""), (f"{entry.action} ", "strong"), (who, "dim")]
    why = [Change(entry, [(f"     “{entry.reason}”", "")])] if entry.reason else []
    diff = []
    for name, change in differences(entry.diff):
        if len(name) + len(change) + 6 <= width:
            diff.append(Change(entry, [(f"     {name} ", "dim"), (change, "")]))
        else:
            diff += [Change(entry, [(f"     {name}", "dim")]), Change(entry, [(f"       {change}", "")])]
    return [Change(entry, head), *why, *diff]


def sparkline(entries: Sequence[Entry | Unreadable], width: int) -> Line:
    """Rows extracted per run, the newest at the right."""
    rows = [
        int(entry.diff["mysql_rows_extracted"][1] or 0)
        for entry in entries
        if isinstance(entry, Entry) and "mysql_rows_extracted" in entry.diff and entry.action != "reset"
    ]
    label = "rows per run "
    shown = rows[-max(1, width - len(label) - 14) :]
    if not any(shown):
        return [("no run has changed it yet", "dim")]
    return [(label, "dim"), (bars(shown), "busy"), (f" max {max(shown):,}", "dim")]

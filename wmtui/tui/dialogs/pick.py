"""Choosing one of many: a table, a theme, a profile; and lists that are only looked at."""

from collections.abc import Callable, Sequence
from typing import ClassVar

from msgspec import Struct
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input

from wmtui.tui.dialogs.base import Dialog
from wmtui.tui.widgets.cells import Line
from wmtui.tui.widgets.line_list import LineList


class PickItem(Struct, frozen=True):
    """What can be picked. note: a word about it."""

    name: str
    note: str = ""


class PickDialog(Dialog[str]):
    """One of many, narrowed by typing; dismissed with its name. moved: called with the name that the cursor is on."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "move(1)", show=False),
        Binding("up", "move(-1)", show=False),
    ]
    DEFAULT_CSS = "PickDialog #choices { height: 14; margin-top: 1; }"

    def __init__(
        self, title: str, items: Sequence[PickItem], *, current: str = "", moved: Callable[[str], None] | None = None
    ) -> None:
        super().__init__(title, yes="Choose")
        self._items = items
        self._current = current
        self._moved = moved

    def body(self) -> ComposeResult:
        """Where to type, and what is left."""
        yield Input(placeholder="type to narrow", id="pattern")
        yield LineList(_item_line, empty="nothing is called so", id="choices")

    def begin(self) -> None:
        """All, the cursor on the current one."""
        super().begin()
        names = [item.name for item in self._items]
        self.lines.styles.height = max(3, min(14, len(names)))
        self.lines.show(self._items, names.index(self._current) if self._current in names else 0)
        self.ready(bool(self._items))

    @property
    def lines(self) -> LineList:
        """The choices."""
        return self.query_one("#choices", LineList)

    def action_move(self, by: int) -> None:
        """Up and down move the cursor also while one types."""
        self.lines.action_move(by)

    @on(Input.Changed, "#pattern")
    def _narrow(self, message: Input.Changed) -> None:
        words = message.value.lower().split()
        left = [item for item in self._items if all(word in f"{item.name} {item.note}".lower() for word in words)]
        self.lines.show(left, 0)
        self.ready(bool(left))
        self._report_move()

    @on(LineList.Moved, "#choices")
    def _report_move(self) -> None:
        if self._moved is not None and self.lines.current is not None:
            self._moved(self.lines.current.name)

    @on(LineList.Opened, "#choices")
    def _opened(self) -> None:
        self.act()

    def act(self) -> None:
        """Choose what the cursor is on."""
        if self.lines.current is not None:
            self.dismiss(self.lines.current.name)


TEXT_WIDTH = 75
"""Cells of a line to look at, at 80 columns."""


_FRAME = 4
"""Lines of a box around its body: border and buttons."""


class TextDialog(Dialog[None]):
    """Lines to look at."""

    def __init__(self, title: str, lines: Sequence[Line]) -> None:
        super().__init__(title, no="Close")
        self._lines = lines

    def body(self) -> ComposeResult:
        """The lines."""
        yield LineList(lambda line, _: line, id="lines")

    def begin(self) -> None:
        """They can be scrolled."""
        super().begin()
        lines = self.query_one("#lines", LineList)
        lines.show(self._lines)
        lines.focus()
        self.on_resize()

    def on_resize(self) -> None:
        """The button stays in sight."""
        room = self.app.size.height - _FRAME
        self.query_one("#lines", LineList).styles.height = max(1, min(room, len(self._lines)))


def _item_line(item: PickItem, _: int) -> Line:
    return [(item.name, ""), (f"  {item.note}" if item.note else "", "dim")]

"""A list of lines that draws only what is seen: 10,000 tables and 1,000,000 files cost what one screenful costs."""

import textwrap
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from textual.binding import Binding, BindingType
from textual.events import Click, Resize
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from wmtui.tui.widgets.cells import Line, strip

Draw = Callable[[Any, int], Line]
"""Draws an item so many cells wide."""


class LineList(ScrollView, can_focus=True):
    """Items, a line each, with a cursor. empty: what is shown for none."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"lines--cursor", "lines--cursor-blurred"}
    DEFAULT_CSS = """
    LineList {
        height: 1fr;
        scrollbar-size-vertical: 1;
        scrollbar-gutter: stable;
        overflow-x: hidden;
        & > .lines--cursor { background: $cursor; text-style: bold; }
        & > .lines--cursor-blurred { background: $cursor-blurred; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("home,g", "first", "First", show=False),
        Binding("end,G", "last", "Last", show=False),
        Binding("enter", "open", "Open", show=False),
    ]
    cursor: reactive[int] = reactive(0, repaint=False)

    class Moved(Message):
        """The cursor is on another item, or on another content of it."""

        def __init__(self, sender: "LineList") -> None:
            super().__init__()
            self.list = sender

        @property
        def control(self) -> "LineList":
            """Whose cursor it is."""
            return self.list

    class Opened(Moved):
        """Somebody pressed enter on an item, or clicked it a second time."""

    def __init__(self, draw: Draw, *, empty: str = "nothing here", **attributes: Any) -> None:
        super().__init__(**attributes)
        self._draw = draw
        self.items: Sequence[Any] = ()
        self.empty = empty
        self._drawn: dict[int, Strip] = {}

    @property
    def current(self) -> Any | None:
        """The item under the cursor."""
        return self.items[self.cursor] if 0 <= self.cursor < len(self.items) else None

    @property
    def line_width(self) -> int:
        """Cells of a line: what the scrollbar leaves."""
        return self.scrollable_content_region.width

    def show(self, items: Sequence[Any], cursor: int | None = None) -> None:
        """Other items; the cursor stays where it is unless it is told."""
        self.items = items
        self._fit()
        self.set_reactive(LineList.cursor, max(0, min(self.cursor if cursor is None else cursor, len(items) - 1)))
        self._reveal()
        self.redraw()

    def redraw(self) -> None:
        """Draw the lines that look otherwise now: a slow connection should carry no more than that."""
        for y in range(self.size.height):
            before = self._drawn.get(y)
            if before is None or before != self.render_line(y):
                self.refresh(Region(0, y, self.size.width, 1))

    def _fit(self) -> None:
        """A list shorter than the pane counts as high as it, so that its length alone changes no layout."""
        height = self.scrollable_content_region.height
        self.virtual_size = Size(self.line_width, max(1, len(self.items), height))

    def render_line(self, y: int) -> Strip:
        """One line of the screen."""
        self._drawn[y] = self._line_at(y)
        return self._drawn[y]

    def _line_at(self, y: int) -> Strip:
        width, index = self.line_width, y + self.scroll_offset.y
        base = self.rich_style
        if not self.items:
            pieces = textwrap.wrap(self.empty, max(10, width))
            return strip(self, [(pieces[index] if index < len(pieces) else "", "dim")], width, base)
        if index >= len(self.items):
            return Strip.blank(width, base)
        if index == self.cursor:
            name = "lines--cursor" if self.has_focus else "lines--cursor-blurred"
            base += self.get_component_rich_style(name, partial=True)
        return strip(self, self._draw(self.items[index], width), width, base)

    def watch_cursor(self, before: int, now: int) -> None:
        """Draw the two lines anew, and tell."""
        for index in (before, now):
            self.refresh(Region(0, index - self.scroll_offset.y, self.size.width, 1))
        self._reveal()
        self.post_message(self.Moved(self))

    def validate_cursor(self, cursor: int) -> int:
        """It never leaves the items."""
        return max(0, min(cursor, len(self.items) - 1))

    def action_move(self, by: int) -> None:
        """So many items down."""
        self.cursor += by

    def action_page(self, by: int) -> None:
        """So many screenfuls down."""
        self.cursor += by * max(1, self.size.height - 1)

    def action_first(self) -> None:
        """To the first item."""
        self.cursor = 0

    def action_last(self) -> None:
        """To the last item."""
        self.cursor = len(self.items) - 1

    def action_open(self) -> None:
        """Tell that the current item is to be opened."""
        if self.current is not None:
            self.post_message(self.Opened(self))

    def on_click(self, event: Click) -> None:
        """Select; a second click opens."""
        offset = event.get_content_offset(self)
        index = -1 if offset is None else offset.y + self.scroll_offset.y
        if 0 <= index < len(self.items):
            if index == self.cursor:
                self.action_open()
            self.cursor = index

    def on_resize(self, _: Resize) -> None:
        """The items are as wide as the list."""
        self._fit()
        self._reveal()

    def _reveal(self) -> None:
        top, height = self.scroll_offset.y, self.scrollable_content_region.height
        if height <= 0:
            return
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False, immediate=True, force=True)
        elif self.cursor >= top + height:
            self.scroll_to(y=self.cursor - height + 1, animate=False, immediate=True, force=True)

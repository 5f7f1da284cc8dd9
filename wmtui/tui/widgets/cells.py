"""Text in cells: cutting, padding, and the style of each kind."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.content import Content
from textual.strip import Strip
from textual.widget import Widget

from wmtui.words.values import in_one_line

Piece = tuple[str, str]
"""A text and its kind, which is a `Tone`: "" as its surroundings, or one of `KIND_STYLES`."""
Line = list[Piece]

KIND_STYLES = {
    **{kind: f"${kind}" for kind in ("good", "bad", "warn", "busy", "dim")},
    "strong": "bold $accent",
}
"""How each kind looks, in the colours of the theme."""

BARS = "▁▂▃▄▅▆▇█"
_ASCII = str.maketrans(
    "✓✗·▸…│●→—▁▂▃▄▅▆▇█▲├┤─━╸“”↑↓",
    '+x.>~|*>-__::==##^[]-=-""^v',
)


def plain(text: str, ascii_only: bool) -> str:
    """Text that no terminal takes for a command; with ascii_only also without glyphs it may not have."""
    text = in_one_line(text)
    if ascii_only and not text.isascii():
        cells = (c.translate(_ASCII) for c in text)
        return "".join(c if c.isascii() else "?" * cell_len(c) for c in cells)
    return text


def fit(text: str, width: int) -> str:
    """Exactly so many cells: padded, or cut at the end."""
    text = in_one_line(text)
    if cell_len(text) > width > 1:
        return set_cell_size(text, width - 1) + "…"
    return set_cell_size(text, max(width, 0))


def fit_middle(text: str, width: int) -> str:
    """Exactly so many cells: padded, or cut in the middle, where names of tables differ least."""
    text = in_one_line(text)
    if cell_len(text) <= width or width < 5:
        return fit(text, width)
    head = set_cell_size(text, (width - 1) // 2)
    tail = text[-width:]
    while cell_len(tail) > width - 1 - cell_len(head):
        tail = tail[1:]
    return set_cell_size(f"{head}…{tail}", width)


def columns(cells: Iterable[tuple[str, int, str]]) -> Line:
    """Cells side by side, a space between. Each: text, width, kind; a negative width aligns to the right."""
    line: Line = []
    for text, width, kind in cells:
        padded = fit(text, width) if width >= 0 else fit(text.rjust(-width), -width)
        line += [(padded, kind), (" ", "")]
    return line[:-1]


def bars(amounts: Sequence[int]) -> str:
    """A bar of one cell for each amount, the highest as high as the line; nothing for none."""
    top = max(amounts, default=0)
    return "".join(" " if not n else BARS[max(0, (n * len(BARS) - 1) // top)] for n in amounts)


def strip(widget: Widget, line: Line, width: int, base: Style) -> Strip:
    """A line as a widget draws it over a base style, exactly so many cells."""
    ascii_only, colours = widget.app.has_class("ascii"), widget.app.theme_variables
    segments = []
    for text, kind in line:
        segments.append(Segment(plain(text, ascii_only), base + _style(kind, colours) if kind else base))
    return Strip(segments).adjust_cell_length(width, base)


def _style(kind: str, colours: Mapping[str, str]) -> Style:
    """The style of a kind. Not by the stylesheet: as a part of every widget they cost a tenth of the first frame."""
    *bold, name = KIND_STYLES[kind].split()
    return _foreground(colours[name.removeprefix("$")], bool(bold))


@cache
def _foreground(colour: str, bold: bool) -> Style:
    return Style(color=colour, bold=bold or None)


def set_title(widget: Widget, title: str, subtitle: str = "") -> None:
    """Texts for a widget's border, in which no character is markup."""
    ascii_only = widget.app.has_class("ascii")
    for name, text in (("border_title", title), ("border_subtitle", subtitle)):
        content = Content(plain(text, ascii_only)) if text else None
        if getattr(widget, name) != (content.markup if content else None):
            setattr(widget, name, content)


class StaticLines(Widget):
    """Lines that do not move and take no focus."""

    DEFAULT_CSS = "StaticLines { height: 1; }"

    def __init__(self, lines: Sequence[Line] = (), *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._lines = list(lines)

    def show(self, lines: Sequence[Line]) -> None:
        """Other lines."""
        if self._lines != list(lines):
            self._lines = list(lines)
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """One line of the screen."""
        line = self._lines[y] if y < len(self._lines) else []
        return strip(self, line, self.size.width, self.rich_style)

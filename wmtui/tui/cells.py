"""Text in cells: cutting, padding, and what each glyph's colour means."""

from collections.abc import Iterable

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style

from wmtui.service.wording import printable

Piece = tuple[str, str]
"""A text and its kind: "" as its surroundings, or one of `KINDS`."""
Line = list[Piece]

KINDS = ("good", "bad", "warn", "busy", "dim")

_KIND_OF_GLYPH = {"✓": "good", "✗": "bad", "!": "warn", "▸": "busy", "·": "dim", "?": "warn"}
_ASCII = str.maketrans({
    "✓": "+", "✗": "x", "·": ".", "▸": ">", "…": "~", "│": "|", "●": "*", "→": ">", "—": "-", "▁": "_", "▂": "_",
    "▃": ":", "▄": ":", "▅": "=", "▆": "=", "▇": "#", "█": "#",
})  # fmt: skip


def kind_of(text: str) -> str:
    """The kind of a text that begins with a glyph."""
    return _KIND_OF_GLYPH.get(text[:1], "")


def plain(text: str, ascii_only: bool) -> str:
    """Text that no terminal takes for a command; with ascii_only also without glyphs it may not have."""
    text = printable(text).replace("\n", " ")
    return text.translate(_ASCII).encode("ascii", "replace").decode() if ascii_only else text


def fit(text: str, width: int) -> str:
    """Exactly so many cells: padded, or cut at the end."""
    if cell_len(text) > width > 1:
        return set_cell_size(text, width - 1) + "…"
    return set_cell_size(text, max(width, 0))


def fit_middle(text: str, width: int) -> str:
    """Exactly so many cells: padded, or cut in the middle, where names of tables differ least."""
    if cell_len(text) <= width or width < 5:
        return fit(text, width)
    head = set_cell_size(text, (width - 1) // 2)
    tail = text
    while cell_len(tail) > width - 1 - cell_len(head):
        tail = tail[1:]
    return set_cell_size(f"{head}…{tail}", width)


def segments(line: Iterable[Piece], base: Style, styles: dict[str, Style], ascii_only: bool) -> list[Segment]:
    """The pieces in their colours over a base style."""
    return [Segment(plain(text, ascii_only), base + styles[kind] if kind else base) for text, kind in line]


def columns(cells: Iterable[tuple[str, int, str]]) -> Line:
    """Cells side by side, a space between. Each: text, width, kind; a negative width aligns to the right."""
    line: Line = []
    for text, width, kind in cells:
        padded = fit(text, width) if width >= 0 else fit(text.rjust(-width), -width)
        line += [(padded, kind), (" ", "")]
    return line[:-1]


BARS = "▁▂▃▄▅▆▇█"


def bars(amounts: list[int]) -> str:
    """A bar of one cell for each amount, the highest as high as the line; nothing for none."""
    top = max(amounts, default=0)
    return "".join(" " if not n else BARS[max(0, (n * len(BARS) - 1) // top)] for n in amounts)

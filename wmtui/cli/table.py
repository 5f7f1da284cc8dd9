"""Tables of text: fitted to the terminal, or as plain aligned columns in a pipe."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from msgspec.structs import replace

from wmtui.cli.console import Console, Lasting
from wmtui.words.styled import Styled, Tone
from wmtui.words.values import in_one_line

if TYPE_CHECKING:
    from rich.text import Text

Cell = str | Styled
Row = Sequence[Cell]

_COLOURS = {Tone.GOOD: "green", Tone.BAD: "red", Tone.WARN: "yellow", Tone.BUSY: "cyan", Tone.DIM: "dim"}

_KEPT_WHOLE = 10
"""Words up to this length are not cut, however narrow the terminal is."""


def show_table(console: Console, columns: Sequence[str], rows: Sequence[Row], numbers: Sequence[str] = ()) -> None:
    """Print rows below their columns' names on stdout. numbers: columns that are set to the right."""
    clean = [[_in_one_line(cell) for cell in row] for row in rows]
    if sys.stdout is not None and sys.stdout.isatty():
        _fitted(columns, clean, numbers)
    else:
        console.data(*_aligned(columns, clean, numbers))


def _in_one_line(cell: Cell) -> Cell:
    return in_one_line(cell) if isinstance(cell, str) else replace(cell, text=in_one_line(cell.text))


def _aligned(columns: Sequence[str], rows: Sequence[Row], numbers: Sequence[str]) -> list[str]:
    lines = [columns, *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
    right = [name in numbers for name in columns]
    return [
        "  ".join(
            cell.rjust(width) if is_right else cell.ljust(width)
            for cell, width, is_right in zip(line, widths, right, strict=True)
        ).rstrip()
        for line in lines
    ]


def _fitted(columns: Sequence[str], rows: Sequence[Row], numbers: Sequence[str]) -> None:
    from rich import box
    from rich.console import Console as Terminal
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    for name, *column in zip(columns, *rows, strict=True):
        cells = [_styled(cell) for cell in (name, *column)]
        longest = max(len(word) for cell in cells for word in cell.plain.split(" "))
        justify: Literal["right", "left"] = "right" if name in numbers else "left"
        table.add_column(cells[0], justify=justify, overflow="fold", min_width=min(longest, _KEPT_WHOLE))
    for row in rows:
        table.add_row(*map(_styled, row))
    Terminal(file=Lasting(sys.stdout), highlight=False).print(table)


def _styled(cell: Cell) -> "Text":
    """A cell in the colour of its tone; a glyph stays on one line with its word."""
    from rich.text import Text

    if isinstance(cell, str):
        return Text(cell)
    text = cell.text if cell.glyph is None else f"{cell.glyph}\N{NO-BREAK SPACE}{cell.text}"
    return Text(text, style=_COLOURS.get(cell.tone, ""))

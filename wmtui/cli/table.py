"""Tables of text: fitted to the terminal, or as plain aligned columns in a pipe."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from wmtui.cli.console import Console, Lasting
from wmtui.words.values import STYLES, in_one_line

if TYPE_CHECKING:
    from rich.text import Text

Row = Sequence[str]

_KEPT_WHOLE = 10
"""Words up to this length are not cut, however narrow the terminal is."""


def show_table(console: Console, columns: Sequence[str], rows: Sequence[Row], numbers: Sequence[str] = ()) -> None:
    """Print rows below their columns' names on stdout. numbers: columns that are set to the right."""
    clean = [[in_one_line(cell) for cell in row] for row in rows]
    if sys.stdout is not None and sys.stdout.isatty():
        _fitted(columns, clean, numbers)
    else:
        console.data(*_aligned(columns, clean, numbers))


def _aligned(columns: Sequence[str], rows: Sequence[Row], numbers: Sequence[str]) -> list[str]:
    lines = [columns, *rows]
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


def _styled(cell: str) -> "Text":
    """A cell in the colour of its glyph, which stays on one line with its word."""
    from rich.text import Text

    style = STYLES.get(cell[:1])
    return Text(cell) if style is None else Text(cell.replace(" ", "\N{NO-BREAK SPACE}", 1), style=style)

"""Tables of text: fitted to the terminal, or as plain aligned columns in a pipe."""

import sys
from collections.abc import Sequence

from wmtui.cli.console import Console, printable
from wmtui.cli.wording import STYLES

Row = Sequence[str]


def show_table(console: Console, columns: Sequence[str], rows: Sequence[Row], numbers: Sequence[str] = ()) -> None:
    """Print rows below their columns' names on stdout. numbers: columns that are set to the right."""
    clean = [[printable(cell).replace("\n", " ") for cell in row] for row in rows]
    if sys.stdout is not None and sys.stdout.isatty():
        _fitted(columns, clean, numbers)
    else:
        console.data(_aligned(columns, clean, numbers))


def _aligned(columns: Sequence[str], rows: Sequence[Row], numbers: Sequence[str]) -> str:
    lines = [columns, *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
    right = [name in numbers for name in columns]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if is_right else cell.ljust(width)
            for cell, width, is_right in zip(line, widths, right, strict=True)
        ).rstrip()
        for line in lines
    )


def _fitted(columns: Sequence[str], rows: Sequence[Row], numbers: Sequence[str]) -> None:
    from rich import box
    from rich.console import Console as Terminal
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in columns:
        table.add_column(Text(name), justify="right" if name in numbers else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell, style=STYLES.get(cell[:1], "")) for cell in row))
    Terminal(highlight=False).print(table)

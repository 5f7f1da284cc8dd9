"""The live display of a sync at a terminal: a line per table under way, messages above."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console as Terminal
from rich.live import Live
from rich.table import Table
from rich.text import Text

from wmtui.cli.console import Console, Lasting
from wmtui.cli.progress import tell
from wmtui.events import Event, Progress, TableResult
from wmtui.service import TableProgress
from wmtui.words.progress import parts
from wmtui.words.values import printable

_REFRESH_SECONDS = 0.1


class LiveDisplay:
    """Lines that replace themselves. Only this thread draws, so that messages and lines do not mix."""

    live = True

    def __init__(self, console: Console, live: Live) -> None:
        self._console = console
        self._live = live
        self._tables: dict[str, TableProgress] = {}
        self._done = 0
        self._drawn = 0.0

    def show(self, event: Event) -> None:
        """Move the table's line, or print above all of them."""
        if isinstance(event, Progress):
            now = time.monotonic()
            if event.table not in self._tables:
                self._tables[event.table] = TableProgress(event, now, now)
                self._drawn = 0.0  # A table that begins is seen at once, however short its sync.
            self._tables[event.table].advance(event, now)
            return
        if isinstance(event, TableResult):
            self._tables.pop(event.table, None)
            self._done += 1
        tell(self._console, event)

    def tick(self) -> None:
        """Draw again when it is time."""
        now = time.monotonic()
        if now - self._drawn >= _REFRESH_SECONDS:
            self._drawn = now
            self._live.update(self._lines(now), refresh=True)

    def _lines(self, now: float) -> Table:
        lines = Table.grid(padding=(0, 2))
        lines.add_column(overflow="ellipsis", no_wrap=True)
        for _ in range(5):
            lines.add_column(justify="right", no_wrap=True)
        for name, table in self._tables.items():
            p = table.progress
            cells = (p.phase.value, f"{p.rows:,} rows", f"{table.rate(now):,} rows/s", parts(p))
            lines.add_row(Text(printable(name)), *map(Text, cells), Text(f"{now - table.began:.0f} s"))
        if self._done:
            lines.add_row(Text(f"{self._done} done", style="dim"))
        return lines


@contextmanager
def live_display(console: Console) -> Iterator[LiveDisplay]:
    """Take stderr over; messages of the console appear above the lines until the end."""
    terminal = Terminal(file=Lasting(sys.stderr), highlight=False)
    with Live(
        console=terminal, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False
    ) as live:
        echo = console.echo
        console.echo = lambda text: terminal.print(Text(text), soft_wrap=True)
        try:
            yield LiveDisplay(console, live)
        finally:
            console.echo = echo

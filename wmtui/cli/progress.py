"""How far each table has come, in plain lines; and what every display of it does."""

import time
from collections.abc import Callable
from typing import Protocol

from wmtui.cli.console import Console
from wmtui.events import Event, Message, Progress, Severity, Status, TableResult
from wmtui.service import TableProgress
from wmtui.texts import count
from wmtui.words.progress import ending, parts

_LINE_SECONDS = 5.0
"""A table's progress lines are at least so far apart where they cannot replace each other."""


class Display(Protocol):
    """Shows the events of a sync. live: it has taken the terminal over."""

    live: bool

    def show(self, event: Event) -> None:
        """Take an event in."""
        ...

    def tick(self) -> None:
        """Time has passed."""
        ...


class PlainDisplay:
    """Every message as a line; now and then a line of progress. clock: monotonic seconds."""

    live = False

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._tables: dict[str, TableProgress] = {}
        self._shown: dict[str, float] = {}

    def show(self, event: Event) -> None:
        """Print it, unless it is progress right after other progress of that table."""
        if not isinstance(event, Progress):
            tell(self._console, event)
            return
        now = self._clock()
        table = self._tables.setdefault(event.table, TableProgress(event, now, now))
        table.advance(event, now)
        if now - self._shown.setdefault(event.table, now) >= _LINE_SECONDS:
            self._shown[event.table] = now
            rows = f"{count(event.rows, 'row')} ({table.rate(now):,}/s)"
            line = f"{event.phase.value}, {rows}, {parts(event)}, {now - table.began:.0f} s"
            self._console.tell(f"{event.table}: {line}")

    def tick(self) -> None:
        """Nothing moves by itself."""


def tell(console: Console, event: Message | TableResult) -> None:
    """A message, or how a table ended, as a line."""
    if isinstance(event, TableResult):
        severity = Severity.WARNING if event.status is Status.NOTHING_SELECTED else Severity.INFO
        console.tell(f"{event.table}: {ending(event)}", severity)
    else:
        console.tell(f"{event.table}: {event.text}" if event.table else event.text, event.severity)

"""How far each table has come: a live display at a terminal, plain lines elsewhere."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from wmtui.cli.console import Console
from wmtui.pipeline.events import Event, Message, Progress, Severity, Status, TableResult
from wmtui.service.wording import count

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


@dataclass
class TableProgress:
    """A table under way. began: of its sync; phase_began: of the phase its rows count in; monotonic seconds."""

    progress: Progress
    began: float
    phase_began: float

    def advance(self, progress: Progress, now: float) -> None:
        """Take in how far it has come."""
        if progress.phase is not self.progress.phase:
            self.phase_began = now
        self.progress = progress

    def rate(self, now: float) -> int:
        """Rows per second in this phase."""
        return int(self.progress.rows / (now - self.phase_began)) if now > self.phase_began else 0

    @property
    def parts(self) -> str:
        """Parts written, or files staged of those to load."""
        p = self.progress
        return f"{p.parts} of {count(p.files, 'file')}" if p.files else count(p.parts, "part")


class PlainDisplay:
    """Every message as a line; now and then a line of progress. clock: monotonic seconds."""

    live = False

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._tables: dict[str, TableProgress] = {}
        self._shown: dict[str, float] = {}

    def show(self, event: Event) -> None:
        """Print it, unless it is progress right behind other progress of that table."""
        if not isinstance(event, Progress):
            tell(self._console, event)
            return
        now = self._clock()
        table = self._tables.setdefault(event.table, TableProgress(event, now, now))
        table.advance(event, now)
        if now - self._shown.setdefault(event.table, now) >= _LINE_SECONDS:
            self._shown[event.table] = now
            rows = f"{count(event.rows, 'row')} ({table.rate(now):,}/s)"
            line = f"{event.phase.value}, {rows}, {table.parts}, {now - table.began:.0f} s"
            self._console.tell(f"{event.table}: {line}")

    def tick(self) -> None:
        """Nothing moves by itself."""


def tell(console: Console, event: Message | TableResult) -> None:
    """A message, or how a table ended, as a line."""
    if isinstance(event, TableResult):
        severity = Severity.WARNING if event.status is Status.NOTHING_SELECTED else Severity.INFO
        console.tell(f"{event.table}: {_ending(event)}", severity)
    else:
        console.tell(f"{event.table}: {event.text}" if event.table else event.text, event.severity)


def _ending(result: TableResult) -> str:
    extracted = f"{count(result.rows_extracted, 'row')} extracted into {count(result.files_written, 'file')}"
    loaded = f"{count(result.rows_loaded, 'row')} loaded from {count(result.files_loaded, 'file')}"
    return f"{result.status.value.replace('_', ' ')}, {extracted}, {loaded}, {result.seconds:.1f} s"


@contextmanager
def open_display(console: Console) -> Iterator[Display]:
    """The display that suits stderr."""
    terminal = sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    if not terminal or not console.shows(Severity.INFO):
        yield PlainDisplay(console)
        return
    from wmtui.cli.live import live_display

    with live_display(console) as display:
        yield display

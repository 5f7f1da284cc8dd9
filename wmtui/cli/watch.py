"""Work on tables in a thread of its own, shown by this one, which also hears the signals that stop it."""

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from types import FrameType
from typing import Protocol, TypeVar

from wmtui.cli.console import Console
from wmtui.cli.progress import Display, open_display
from wmtui.errors import ExitCode
from wmtui.pipeline.events import Emit, Event, Message, Severity, Stop

_Result_co = TypeVar("_Result_co", covariant=True)
_TICK_SECONDS = 0.1
_CODES = {signal.SIGINT: ExitCode.INTERRUPTED, signal.SIGTERM: ExitCode.TERMINATED}
_SHOW_CURSOR = b"\x1b[?25h\n"

Events = SimpleQueue[Event | None]
"""What the work reports; None: it ended."""


class Work(Protocol[_Result_co]):
    """What is watched: it reports events, and raises or returns soon after it was asked to stop."""

    def __call__(self, *, emit: Emit, stop: Stop) -> _Result_co:
        """Do it."""
        ...


def watch(console: Console, work: Work[_Result_co], tap: Emit | None = None) -> _Result_co:
    """Do the work, showing progress; returns what it returns. tap: gets every event besides, in this thread.

    The first Ctrl-C or SIGTERM stops between parts, the second at once. Raises what the work raises.
    """
    events: Events = SimpleQueue()
    stop = Stop()
    with (
        open_display(console) as display,
        _stopped_by_signals(stop, events.put, live=display.live),
        ThreadPoolExecutor(1, thread_name_prefix="work") as pool,
    ):
        future = pool.submit(work, emit=events.put, stop=stop)
        future.add_done_callback(lambda _: events.put(None))
        try:
            _show(events, display, tap)
        finally:
            if not future.done():
                stop.request()
        return future.result()


def _show(events: Events, display: Display, tap: Emit | None) -> None:
    """Show events until the work ended."""
    while True:
        try:
            event = events.get(timeout=_TICK_SECONDS)
        except Empty:
            display.tick()
            continue
        if event is None:
            return
        display.show(event)
        if tap is not None:
            tap(event)
        display.tick()


@contextmanager
def _stopped_by_signals(stop: Stop, emit: Callable[[Event], None], *, live: bool) -> Iterator[None]:
    """Ask to stop on the first signal, end on the second. The handler may interrupt a write, so it uses no stream."""

    def handle(number: int, _: FrameType | None) -> None:
        if stop.requested:
            if live:
                os.write(2, _SHOW_CURSOR)
            os._exit(stop.exit_code)
        stop.request(_CODES[signal.Signals(number)])
        emit(Message("", Severity.INFO, "stopping between parts… (once more to stop at once)"))

    before = {number: signal.signal(number, handle) for number in _CODES}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

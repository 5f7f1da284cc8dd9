"""Work on tables in a thread of its own, shown by this one, which also hears the signals that stop it."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from types import FrameType
from typing import Protocol, TypeVar

from wmtui.cli import shutdown
from wmtui.cli.console import Console
from wmtui.cli.display import open_display
from wmtui.cli.progress import Display
from wmtui.errors import ExitCode, Interrupted
from wmtui.events import Emit, Event, Message, Severity, Stop

_Result_co = TypeVar("_Result_co", covariant=True)
_TICK_SECONDS = 0.1
_CODES = {
    signal.SIGINT: ExitCode.INTERRUPTED,
    signal.SIGTERM: ExitCode.TERMINATED,
    signal.SIGHUP: ExitCode.TERMINATED,
}
_SHOW_CURSOR = b"\x1b[?25h\n"

Events = SimpleQueue[Event | None]
"""What the work reports; None: it ended."""


class Work(Protocol[_Result_co]):
    """What is run: it reports events, and raises or returns soon after it was asked to stop."""

    def __call__(self, *, emit: Emit, stop: Stop) -> _Result_co:
        """Do it."""
        ...


def run_with_progress(console: Console, work: Work[_Result_co], tap: Emit | None = None) -> _Result_co:
    """Do the work, showing progress; returns what it returns. tap: gets every event besides, in this thread.

    The first Ctrl-C or SIGTERM stops between parts, the second at once. Raises what the work raises, and Interrupted
    when the work does not stop within seconds.
    """
    events: Events = SimpleQueue()
    stop = Stop()
    outcome: Future[_Result_co] = Future()

    def do() -> None:
        try:
            outcome.set_result(work(emit=events.put, stop=stop))
        except BaseException as error:  # noqa: BLE001 - the thread that waits for it raises it
            outcome.set_exception(error)
        events.put(None)

    with open_display(console) as display, _stopped_by_signals(stop, events.put, live=display.live):
        # A thread that the process does not wait for at its end: a server may never answer it.
        threading.Thread(target=do, name="work", daemon=True).start()
        try:
            _show(events, display, tap, stop)
        finally:
            if not stop.requested and not outcome.done():
                stop.request()
                wait((outcome,), shutdown.GRACE_SECONDS)
    return outcome.result()


def _show(events: Events, display: Display, tap: Emit | None, stop: Stop) -> None:
    """Show events until the work ended. Raises Interrupted when it was asked to stop, and does not."""
    until: float | None = None
    while True:
        if stop.requested:
            until = until or time.monotonic() + shutdown.GRACE_SECONDS
            if time.monotonic() > until:
                raise Interrupted(stop.exit_code, "something did not answer, and was not waited for any longer")
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
    """Ask to stop on the first signal; the second ends everything. The handler may interrupt a write, so it uses no
    stream. SIGHUP is one of them, unless the process was started to outlive its terminal.
    """

    def handle(number: int, _: FrameType | None) -> None:
        stop.request(_CODES[signal.Signals(number)])
        emit(Message("", Severity.INFO, "stopping between parts… (once more to stop at once)"))

    heard = [number for number in _CODES if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, handle) for number in heard}
    shutdown.restoring(_SHOW_CURSOR if live else b"")
    try:
        yield
    finally:
        shutdown.restoring(b"")
        for number, handler in before.items():
            signal.signal(number, handler)

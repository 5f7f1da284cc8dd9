"""How the program ends: soon after it was told to, whatever it waits for, and when its terminal is gone.

Python runs handlers of signals in the main thread only, and a library that waits for a server may keep that thread
from them. So a thread of its own hears every signal too, and ends the process when nothing else does.
"""

import contextlib
import os
import select
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

from wmtui.errors import ExitCode

GRACE_SECONDS = 7.0
"""How long work that was asked to stop is waited for; what is durable stays, and the next run goes on from there."""
LIMIT_SECONDS = 9.0
"""How long the process may live after it was told to end."""

_HANGUP = 128 + signal.SIGHUP


class _Ending:
    """What was heard. code: to end with; None: nothing was. raised: the same, as the main thread knows it, which may be
    quicker than the thread that hears. restore: what the terminal gets when it is left at once.
    """

    def __init__(self) -> None:
        self.code: int | None = None
        self.raised: int | None = None
        self.restore = b""
        self.heard: Callable[[int], None] | None = None


_ending = _Ending()


def begin() -> None:
    """From now on SIGINT and SIGTERM raise KeyboardInterrupt here, and end the process within seconds; a second one
    does so at once. Call it in the main thread.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    read, write = os.pipe()
    os.set_blocking(write, False)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    threading.Thread(target=_hear, args=(read,), name="signals", daemon=True).start()


def tell(heard: Callable[[int], None], *numbers: signal.Signals) -> None:
    """Let these signals be told to a screen, by a thread of no screen's, instead of interrupting what runs; it is to
    end soon. A signal that was ignored stays so.
    """
    _ending.heard = heard
    for number in numbers:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda *_: None)


def restoring(sequence: bytes) -> None:
    """What stderr gets if the process is left at once: a live display hid the cursor."""
    _ending.restore = sequence


def code() -> ExitCode:
    """What an interrupted command ends with."""
    known = _ending.raised if _ending.code is None else _ending.code
    return ExitCode.TERMINATED if known == ExitCode.TERMINATED else ExitCode.INTERRUPTED


def finish(exit_code: int) -> NoReturn:
    """End with this code; after a signal without waiting for threads."""
    if _ending.code is None and _ending.raised is None:
        sys.exit(exit_code)
    leave(exit_code)


def leave(exit_code: int) -> NoReturn:
    """End now, whatever server a thread still waits for."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(exit_code)


def when_terminal_is_gone(terminal: int, act: Callable[[int], None]) -> None:
    """Watch a terminal, by its file descriptor; call act with the exit code once the other end was closed.

    No signal says so where SIGHUP is ignored, as under nohup.
    """

    def watch() -> None:
        poll = select.poll()
        poll.register(terminal, 0)
        events = poll.poll()
        if any(event & (select.POLLHUP | select.POLLERR) for _, event in events):
            act(_HANGUP)

    threading.Thread(target=watch, name="terminal", daemon=True).start()


def _interrupt(number: int, _: FrameType | None) -> None:
    if _ending.raised is None:
        _ending.raised = 128 + number
    raise KeyboardInterrupt


def _hear(read: int) -> None:
    while True:
        for number in os.read(read, 1):
            if number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                _told(number)


def _told(number: int) -> None:
    if _ending.code is not None:
        if _ending.heard is None and number != signal.SIGHUP:
            _leave_at_once()
        return
    _ending.code = 128 + number
    timer = threading.Timer(LIMIT_SECONDS, _leave_at_once)
    timer.daemon = True
    timer.start()
    if _ending.heard is not None:
        _ending.heard(number)


def _leave_at_once() -> None:
    if _ending.restore:
        with contextlib.suppress(OSError):
            os.write(2, _ending.restore)
    assert _ending.code is not None
    os._exit(_ending.code)

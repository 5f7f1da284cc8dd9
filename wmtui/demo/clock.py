"""The sandbox's own time: it starts at a fixed moment, and runs only while a process has the sandbox open."""

import fcntl
import os
import time
import weakref
from datetime import UTC, datetime
from pathlib import Path

_NOTE_EVERY = 500_000_000
"""Nanoseconds between two notes of the time reached."""
_MARGIN = 2 * _NOTE_EVERY
"""Added to the noted time at the next use, so that it is later than any time handed out before a kill -9."""


class SandboxClock:
    """A Clock that all processes share which use one sandbox; aware UTC, never earlier than the newest write.

    The file's mtime is the time reached; a file beside it holds the nanoseconds that real time is ahead of it. All
    processes that use the sandbox share this offset, and a lock on the file says whether there are any, also after a
    kill -9. The first process goes on from the time reached. The caller serialises opening.
    """

    def __init__(self, file: Path) -> None:
        self._descriptor = os.open(file, os.O_RDWR | os.O_CLOEXEC)
        weakref.finalize(self, os.close, self._descriptor)
        self._noted = os.fstat(self._descriptor).st_mtime_ns
        self._last = self._noted
        offset_file = file.with_suffix(".behind")
        if _alone(self._descriptor):
            self._offset = time.time_ns() - self._noted - _MARGIN
            _replace(offset_file, str(self._offset))
        else:
            self._offset = int(offset_file.read_text())
        fcntl.flock(self._descriptor, fcntl.LOCK_SH)

    def __call__(self) -> datetime:
        """Now in the sandbox."""
        self._last = now = max(time.time_ns() - self._offset, self._last)
        if now - self._noted >= _NOTE_EVERY:
            self._noted = now
            os.utime(self._descriptor, ns=(now, now))
        return datetime.fromtimestamp(now // 1000 / 1_000_000, UTC)


def start_clock(file: Path, moment: datetime) -> None:
    """Make the clock of a new sandbox; its first user begins at `moment`."""
    file.touch()
    reached = int(moment.timestamp()) * 10**9 - _MARGIN
    os.utime(file, ns=(reached, reached))


def in_use(file: Path) -> bool:
    """Whether any process has this sandbox open."""
    if not file.exists():
        return False
    descriptor = os.open(file, os.O_RDWR | os.O_CLOEXEC)
    try:
        return not _alone(descriptor)
    finally:
        os.close(descriptor)


def _alone(descriptor: int) -> bool:
    """Take the clock's lock for this process alone; False if another process has it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _replace(file: Path, text: str) -> None:
    written = file.with_suffix(".new")
    written.write_text(text)
    written.replace(file)

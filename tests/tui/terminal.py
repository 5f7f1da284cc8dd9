"""A program at a terminal of its own: a pseudo-terminal, and what a terminal would show of its output."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import pyte

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 40.0
_OF_OUR_TERMINAL = ("NO_COLOR", "COLORTERM", "COLUMNS", "LINES")


class Terminal:
    """SyncQueue `python -m wmtui …`, or another Python program, at a terminal of so many columns and lines.

    emulated: what the terminal shows can be asked for, which costs time; otherwise only what was written.
    """

    def __init__(
        self,
        *arguments: str,
        cwd: Path,
        size: tuple[int, int] = (120, 40),
        environment: Mapping[str, str] = {},
        program: Sequence[str] = ("-m", "wmtui"),
        emulated: bool = True,
    ) -> None:
        self._ours, theirs = pty.openpty()
        self._theirs = theirs
        self.before = termios.tcgetattr(theirs)
        self._screen = pyte.Screen(*size)
        self._stream = pyte.ByteStream(self._screen)
        self._emulated = emulated
        self._lock = threading.Lock()
        self.output = bytearray()
        """Everything the program wrote."""
        self.resize(*size)
        kept = {name: value for name, value in os.environ.items() if name not in _OF_OUR_TERMINAL}
        self.process = subprocess.Popen(
            [sys.executable, *program, *arguments],
            cwd=cwd,
            env={**kept, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", "LANG": "C.UTF-8", **environment},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        threading.Thread(target=self._read, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self.process:
            self.process.kill()
        os.close(self._theirs)

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._ours, 65536)
            except OSError:
                return
            if not data:
                return
            with self._lock:
                self.output += data
                if self._emulated:
                    self._stream.feed(data)

    @property
    def text(self) -> str:
        """What the terminal shows."""
        with self._lock:
            return "\n".join(self._screen.display)

    def resize(self, columns: int, lines: int) -> None:
        """Another size; the program is told by SIGWINCH."""
        fcntl.ioctl(self._theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        with self._lock:
            self._screen.resize(lines, columns)
        if hasattr(self, "process"):
            self.process.send_signal(28)

    def send(self, keys: str) -> None:
        """Press keys, as a terminal sends them."""
        os.write(self._ours, keys.encode())

    def click(self, column: int, line: int) -> None:
        """A click of the left button, both counted from 0."""
        self.send(f"\x1b[<0;{column + 1};{line + 1}M\x1b[<0;{column + 1};{line + 1}m")

    def see(self, *words: str) -> None:
        """Wait until the terminal shows all of this."""
        self._until(lambda: all(word in self.text for word in words), f"{words}")

    def miss(self, *words: str) -> None:
        """Wait until the terminal shows none of this."""
        self._until(lambda: not any(word in self.text for word in words), f"no {words}")

    def calm(self) -> int:
        """Wait until nothing was written for half a second; returns how many bytes were written until now."""
        while True:
            count = len(self.output)
            time.sleep(0.5)
            if len(self.output) - count < 200:  # The age in the first line grows all the time.
                return count

    def _until(self, holds: "object", what: str) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not holds():  # type: ignore[operator]
            alive = self.process.poll() is None
            assert time.monotonic() < deadline and alive, f"waited in vain for {what}; shown is\n{self.text}"  # noqa: PT018
            time.sleep(0.02)

    def end(self) -> int:
        """Wait for the program's end; returns its exit code."""
        code = self.process.wait(PATIENCE_SECONDS)
        time.sleep(0.1)
        return code

    @property
    def restored(self) -> bool:
        """The terminal is as it was: modes, the ordinary screen, the cursor, no mouse reports."""
        modes = termios.tcgetattr(self._theirs) == self.before
        off = (b"\x1b[?1049l", b"\x1b[?25h", b"\x1b[?1000l", b"\x1b[?2004l")
        on = (b"\x1b[?1049h", b"\x1b[?25l", b"\x1b[?1000h", b"\x1b[?2004h")
        left = all(self.output.rfind(a) > self.output.rfind(b) for a, b in zip(off, on, strict=True))
        return modes and left

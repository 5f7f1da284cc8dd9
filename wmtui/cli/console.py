"""Where output goes: data to stdout, everything else to stderr and the log file."""

import errno
import io
import json
import os
import stat
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TextIO

import click
import msgspec

from wmtui.errors import OutputFailed, UsageError, WmtuiError
from wmtui.events import Severity
from wmtui.model import utc_now
from wmtui.secrets import redacted
from wmtui.words.values import in_one_line, instant, printable

SCHEMA_VERSION = 1
"""Of every JSON document; greater when a field goes away or means something else."""


class Console:
    """The streams of one command. quiet: stderr gets errors only; debug: also what only developers need."""

    def __init__(self, *, quiet: bool = False, debug: bool = False, log_file: Path | None = None) -> None:
        self._shown = _shown(quiet, debug)
        self._log_file = log_file
        if log_file is not None:
            _append(log_file, "")
        self._document = False
        self._lines = False
        self.echo: Callable[[str], None] = _to_stderr
        """Shows a line on stderr; a live display puts it above itself."""

    def data(self, *lines: str) -> None:
        """What the command was asked for, on stdout. Raises WmtuiError when it cannot be written.

        A pipe gets it as a terminal does, unprintable characters spelled out: what must be exact is asked for as JSON.
        """
        self._put("\n".join(map(in_one_line, lines)))

    def _put(self, text: str) -> None:
        error = _write(sys.stdout, f"{text}\n")
        if error is not None:
            raise OutputFailed("cannot write the output", error.strerror or "", "free space, or write somewhere else")

    def json(self, document: Mapping[str, Any]) -> None:
        """A JSON document on stdout, in printable ASCII, which every locale can print."""
        self._document = True
        self._put(_versioned(document, indent=2))

    def json_line(self, document: Mapping[str, Any]) -> None:
        """One of many JSON documents on stdout, each on its line."""
        self._lines = True
        self._put(_versioned(document, indent=None))

    def json_error(self, error: WmtuiError) -> None:
        """The document of a command that an error ended; none after another one, because a command prints one."""
        ended = {"exit_code": int(error.exit_code), "error": error.failure}
        if self._lines:
            self.json_line({"event": "error", **ended})
        elif not self._document:
            self.json(ended)

    def tell(self, text: str, severity: Severity = Severity.INFO) -> None:
        """A message for the reader on stderr, and always into the log."""
        if self._log_file is not None:
            at = instant(utc_now())
            _append(self._log_file, f"{at} {severity.value.upper()} {_indented(printable(text))}\n")
        if self.shows(severity):
            prefix = "warning: " if severity is Severity.WARNING else ""
            self.echo(prefix + printable(text))

    def shows(self, severity: Severity) -> bool:
        """Whether messages of this severity reach stderr."""
        return severity in self._shown

    @property
    def at_terminal(self) -> bool:
        """A reader sees what is told at once: stderr is a terminal."""
        return sys.stderr is not None and sys.stderr.isatty()

    @property
    def interactive(self) -> bool:
        """A question can be answered: stdin is a terminal."""
        return sys.stdin is not None and sys.stdin.isatty()

    def ask(self, question: str) -> bool:
        """Ask for yes or no on stderr; Ctrl-C, the end of input and of the terminal raise click.Abort."""
        try:
            return click.confirm(printable(question), err=True)
        except OSError:
            raise click.Abort from None


def _versioned(document: Mapping[str, Any], indent: int | None) -> str:
    value = redacted(msgspec.to_builtins({"schema_version": SCHEMA_VERSION, **document}))
    return json.dumps(value, indent=indent).replace("\x7f", "\\u007f")


def _shown(quiet: bool, debug: bool) -> frozenset[Severity]:
    if debug:
        return frozenset(Severity)
    if quiet:
        return frozenset({Severity.ERROR})
    return frozenset(Severity) - {Severity.DEBUG}


def _indented(text: str) -> str:
    """Every line but the first after a blank: only a message begins where the line does."""
    first, *others = text.split("\n")
    return "\n".join((first, *(line if line.startswith(" ") else f"  {line}" for line in others)))


def _append(path: Path, text: str) -> None:
    """Opened for every message, so that the file may be moved away meanwhile. Raises UsageError."""
    try:
        with path.open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
    except OSError as error:
        why = error.strerror or ""
        raise UsageError(f"cannot write the log file {path}", why, "name a file that you may write") from None


class Lasting(io.StringIO):
    """A stream for Rich, which goes on when the terminal is gone."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream

    def isatty(self) -> bool:
        """Whether the stream is a terminal."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """The stream's."""
        return self._stream.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The stream's."""
        return self._stream.encoding

    def write(self, text: str) -> int:
        """Write it, or lose it."""
        _write(self._stream, text)
        return len(text)

    def flush(self) -> None:
        """Nothing waits."""


def _to_stderr(text: str) -> None:
    _write(sys.stderr, f"{text}\n")


def _write(stream: TextIO | None, text: str) -> OSError | None:
    """Write at once. A reader that went away ends the output, not the command; any other failure is returned."""
    if stream is None:
        return None
    try:
        stream.write(text)
        stream.flush()
    except OSError as error:
        # What is left in the buffer would fail again when the interpreter ends.
        gone = isinstance(error, BrokenPipeError) or _is_terminal_gone(error, stream)
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        return None if gone else error
    return None


def _is_terminal_gone(error: OSError, stream: TextIO) -> bool:
    """A terminal that was closed answers as a broken disk does, but is none."""
    return error.errno == errno.EIO and stat.S_ISCHR(os.fstat(stream.fileno()).st_mode)

"""`wmtui` alone opens the screen; `--screenshot` saves a picture of it, for which no terminal is needed."""

import gc
import os
import signal
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wmtui.cli import shutdown
from wmtui.cli.invocation import Invocation
from wmtui.config import DEFAULT_PATH, load
from wmtui.errors import ExitCode, UsageError
from wmtui.service import Service

if TYPE_CHECKING:
    from wmtui.tui.app import WmtuiApp

_RESTORE = b"\x1b[?2004l\x1b[?1000l\x1b[?1003l\x1b[?1006l\x1b[?1004l\x1b[<u\x1b[?1049l\x1b[?25h"
"""What a terminal gets from a screen that cannot be taken down: its own modes are off again."""

_FRAMES_PER_SECOND = 120
"""A key's effect is painted with the next frame, or the one after that."""

_SWITCH_SECONDS = 0.0005
"""How long a thread that reads tables may keep the screen's thread waiting."""

_NEVER = 1_000_000
"""Full collections of garbage, 0.2 s at 10,000 tables, are left to the screen: it has them while no key is pressed."""


class Size(click.ParamType[tuple[int, int]]):
    """Columns and lines, as `120x40`."""

    name = "size"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """Both numbers; at least 80x24, the smallest that has room for every pane."""
        columns, _, lines = str(value).lower().partition("x")
        if not (columns.isdigit() and lines.isdigit()):
            self.fail(f"{value!r} is not a size such as 120x40", param, ctx)
        if not (80 <= int(columns) <= 500 and 24 <= int(lines) <= 200):
            self.fail(f"{value} is not between 80x24 and 500x200", param, ctx)
        return int(columns), int(lines)


def open_screen(invocation: Invocation, *, table: str | None, theme: str | None, ascii_only: bool) -> int:
    """Open the screen at the terminal; returns the exit code. Raises UsageError where there is none."""
    if not (sys.stdin and sys.stdout and sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(
            "the screen needs a terminal",
            "input or output is no terminal here",
            "name a command, see `wmtui --help`; `wmtui --screenshot status.png` saves a picture",
        )
    app = _make(invocation, table, theme, ascii_only, None)
    shutdown.tell(app.terminated, signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    shutdown.restoring(_RESTORE)
    shutdown.when_terminal_is_gone(sys.stdin.fileno(), partial(_abandon, app))
    code = app.run()
    _end(app)
    return ExitCode.DONE if code is None else code


def save_picture(
    invocation: Invocation, path: Path, size: tuple[int, int], *, table: str | None, theme: str | None, ascii_only: bool
) -> int:
    """Save a picture of every table, what is failed and stale first; returns the exit code."""
    from wmtui.tui.image_file import check

    check(path)
    app = _make(invocation, table, theme, ascii_only, path)
    code = app.run(headless=True, size=size)
    if app.failure is not None:
        raise app.failure
    invocation.console.tell(f"saved {path}")
    _end(app)
    return code or ExitCode.DONE


def _make(
    invocation: Invocation, table: str | None, theme: str | None, ascii_only: bool, picture: Path | None
) -> "WmtuiApp":
    service, options = invocation.service, invocation.options
    os.environ.setdefault("TEXTUAL_FPS", str(_FRAMES_PER_SECOND))
    sys.setswitchinterval(_SWITCH_SECONDS)
    gc.set_threshold(*gc.get_threshold()[:2], _NEVER)
    from wmtui.tui.app import WmtuiApp
    from wmtui.tui.start import Start

    path = options.config or DEFAULT_PATH

    def reopen(name: str) -> Service:
        return Service(load(path, name), read_only=options.read_only)

    words = ("--demo",) if options.demo else ("--config", str(options.config)) if options.config else ()
    return WmtuiApp(
        Start(
            service=service,
            reopen=None if options.demo else reopen,
            profiles=service.workspace.settings.profiles,
            options=words,
            theme=theme,
            ascii_only=ascii_only or _needs_ascii(),
            walkthrough=options.demo and picture is None,
            table=None if table is None else service.table(table),
            picture=picture,
        )
    )


def _needs_ascii() -> bool:
    """The locale cannot write the glyphs."""
    encoding = (sys.stdout.encoding or "") if sys.stdout else ""
    try:
        "✓│".encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return True
    return False


def _end(app: "WmtuiApp") -> None:
    """Leave at once, whatever server a thread still waits for; syncs get some time to stop between parts."""
    _stop_syncs(app)
    if app.background.busy or app.sync_queue.busy:
        code = app.return_value if isinstance(app.return_value, int) else ExitCode.DONE
        shutdown.leave(int(code))


def _abandon(app: "WmtuiApp", code: int) -> None:
    """The terminal is gone: end it without drawing anything."""
    _stop_syncs(app)
    shutdown.leave(code)


def _stop_syncs(app: "WmtuiApp") -> None:
    app.sync_queue.cancel_all()
    until = time.monotonic() + shutdown.GRACE_SECONDS
    while app.sync_queue.busy and time.monotonic() < until:
        time.sleep(0.05)

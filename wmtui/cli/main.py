"""The `wmtui` command: the one place that turns errors into words and exit codes."""

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from io import TextIOWrapper
from types import TracebackType

import click

from wmtui.cli import shutdown
from wmtui.cli.commands import root
from wmtui.cli.console import Console
from wmtui.cli.invocation import Invocation
from wmtui.errors import Bug, ExitCode, Interrupted, OutputFailed, UsageError, WmtuiError, as_wmtui_error
from wmtui.events import Severity
from wmtui.secrets import know_environment
from wmtui.words.values import printable


def run() -> None:
    """The console script."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    sys.excepthook = _report_bug
    know_environment(os.environ)
    shutdown.begin()
    shutdown.finish(main(sys.argv[1:]))


def main(argv: Sequence[str]) -> int:
    """Run one command line; returns its exit code."""
    invocation = Invocation()
    try:
        return int(root.main(list(argv), "wmtui", standalone_mode=False, obj=invocation) or ExitCode.DONE)
    except click.exceptions.NoArgsIsHelpError as error:
        failure: WmtuiError = UsageError("which command?", "", f"see `{_path(error)} --help`")
    except click.UsageError as error:
        failure = UsageError(error.format_message(), "", f"see `{_path(error)} --help`")
    except (click.Abort, KeyboardInterrupt):
        failure = Interrupted(shutdown.code())
    except Exception as error:  # noqa: BLE001 - the one place that has the last word
        failure = as_wmtui_error(error)
    return _fail(invocation, failure, as_json=bool(invocation.given.get("json")) or "--json" in argv)


def _path(error: click.UsageError) -> str:
    return error.ctx.command_path if error.ctx else "wmtui"


def _fail(invocation: Invocation, error: WmtuiError, *, as_json: bool) -> int:
    """Tell an error, as data too where those are asked for; with --debug where it came from."""
    try:
        _tell(invocation, error)
    except UsageError:  # The options contradict each other, or the log file takes no more: without their wishes.
        invocation.console = Console()
        _tell(invocation, error)
    if as_json:
        with suppress(OutputFailed):
            invocation.console.json_error(error)
    return error.exit_code


def _tell(invocation: Invocation, error: WmtuiError) -> None:
    if not isinstance(error, Interrupted) or error.why:
        invocation.report(error)
    if isinstance(error, Bug):
        invocation.console.tell(error.trace, Severity.DEBUG)
    elif invocation.console.shows(Severity.DEBUG):
        import traceback

        invocation.console.tell("".join(traceback.format_exception(error)), Severity.DEBUG)


def _report_bug(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """What an unexpected exception ends with, at exit code 1. Its text is not shown: it may hold a secret."""
    if issubclass(kind, KeyboardInterrupt):
        return
    if "--debug" in sys.argv:
        import traceback

        print(printable("".join(traceback.format_exception(kind, error, trace))), file=sys.stderr)
    print(
        f"wmtui: this is a bug in wmtui ({kind.__name__})\n  next: run it again with --debug and report the traceback",
        file=sys.stderr,
    )

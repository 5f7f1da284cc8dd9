"""How commands tell what they did, or why they could not."""

from collections.abc import Iterator
from contextlib import contextmanager

from wmtui.errors import WmtuiError
from wmtui.events import Severity
from wmtui.model import TableName
from wmtui.service import Consequence
from wmtui.tui.shell import Shell


def report_change(shell: Shell, action: str, changed: Consequence) -> None:
    """Say what a change lets the next load do, and show the table as it is after it."""
    summary = changed.selection.summary
    report_done(shell, f"{action}: {summary}" + (f"; {summary.hint}" if summary.hint else ""), changed.mark.table)


def report_done(shell: Shell, text: str, table: TableName) -> None:
    """Say what was done to a table, and read it again."""
    shell.say(text, table=table)
    shell.read_again([table])


def report_failure(shell: Shell, error: WmtuiError, table: TableName | None = None) -> None:
    """Say why something did not succeed; the table it was about is read again."""
    shell.say(error.in_one_line, Severity.ERROR, table)
    if table is not None:
        shell.read_again([table])


@contextmanager
def failures_reported(shell: Shell, table: TableName | None = None) -> Iterator[None]:
    """End the block at the first WmtuiError, and report it."""
    try:
        yield
    except WmtuiError as error:
        report_failure(shell, error, table)

"""Which tables a command is about."""

from wmtui.events import Severity
from wmtui.model import TableName
from wmtui.texts import count
from wmtui.tui.shell import Shell


def marked_or_current(shell: Shell) -> list[TableName]:
    """The marked tables, else the one under the cursor."""
    return shell.table_state.targets(shell.current)


def hidden_count(shell: Shell) -> int:
    """How many of the marked tables the filter hides: they are meant all the same."""
    return len(shell.table_state.marked - set(shell.table_state.visible()))


def only_current(shell: Shell, what: str) -> TableName | None:
    """The table under the cursor; None, and a warning, while others are marked. what: is done to one at a time."""
    marked = shell.table_state.marked
    if marked - {shell.current}:
        number = count(len(marked), "marked table")
        shell.say(f"{what} is done to one table at a time, and there are {number}: Esc unmarks", Severity.WARNING)
        return None
    return shell.current

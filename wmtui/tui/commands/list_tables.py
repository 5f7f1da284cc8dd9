"""What keys do to the list of tables: sort, mark, filter, go to one, see what is wrong."""

import textwrap

from wmtui.service import TableSeverity
from wmtui.texts import count
from wmtui.tui.dialogs.base import texts
from wmtui.tui.dialogs.pick import TEXT_WIDTH, PickDialog, PickItem, TextDialog
from wmtui.tui.shell import Shell
from wmtui.tui.state.table_list import SortOrder, find_table
from wmtui.tui.widgets.cells import Line
from wmtui.words.styled import Tone

TYPED_SECONDS = 0.4
"""A table is read once its name has stayed under the cursor for so long: a pattern moves it with every key."""


def refresh(shell: Shell) -> None:
    """Read everything again."""
    shell.read_all()


def sort(shell: Shell) -> None:
    """Sort the tables by the next order."""
    orders = list(SortOrder)
    shell.table_state.order = orders[(orders.index(shell.table_state.order) + 1) % len(orders)]
    shell.arrange()


def mark(shell: Shell) -> None:
    """Mark the table under the cursor, or unmark it; then go to the next one."""
    if shell.current is not None:
        shell.table_state.marked ^= {shell.current}
        shell.arrange()
        shell.main.tables_pane.lines.action_move(1)


def mark_all(shell: Shell) -> None:
    """Mark every table shown; if they are marked, none."""
    state = shell.table_state
    shown = set(state.visible())
    state.marked = set() if state.marked >= shown else state.marked | shown
    shell.arrange()


def filter_or_search(shell: Shell) -> None:
    """Ask for a pattern: for the log if that has the focus, else for the tables."""
    main = shell.main
    in_log = main.focused is main.log_pane.lines
    main.prompt.open(searches_log=in_log, text=main.log_pane.pattern if in_log else shell.table_state.pattern)


def apply_pattern(shell: Shell, pattern: str) -> None:
    """Narrow what the prompt is for, while one types."""
    if shell.main.prompt.searches_log:
        shell.main.log_pane.search(pattern)
    elif pattern != shell.table_state.pattern:
        shell.table_state.pattern = pattern
        shell.arrange()
        shell.read_detail(after_seconds=TYPED_SECONDS)


def end_pattern(shell: Shell) -> None:
    """Close the prompt; what it narrowed gets the focus."""
    main = shell.main
    main.prompt.close()
    (main.log_pane if main.prompt.searches_log else main.tables_pane).lines.focus()


async def jump(shell: Shell) -> None:
    """Go to a table by name, past the filter."""
    state = shell.table_state
    items = [PickItem(str(table)) for table in state.tables]
    name = await shell.open_dialog(PickDialog("Jump to a table", items, current=str(shell.current or "")))
    table = find_table(shell.table_state.tables, name or "")
    if table is not None:
        if table not in state.visible():
            state.pattern = ""
        shell.arrange(table)
        shell.main.tables_pane.lines.focus()
        shell.read_detail()


async def show_problems(shell: Shell) -> None:
    """Show what is wrong, each cause once with its tables."""
    lines: list[Line] = []
    state = shell.table_state
    for cause, tables in state.causes():
        severities = {state.looks[table].status.severity for table in tables}
        kind: str = Tone.BAD if TableSeverity.ERROR in severities else Tone.WARN
        number = f"{count(len(tables), 'table')}: "
        first, *rest = textwrap.wrap(cause, TEXT_WIDTH, initial_indent=" " * len(number)) or [number]
        lines += [[(number, "strong"), (first[len(number) :], kind)], *([(line, kind)] for line in rest)]
        lines += [[(f"  {table}", "")] for table in tables]
    await shell.open_dialog(TextDialog("Problems by cause", lines or texts("✓ nothing is wrong", kind="good")))

"""The list of all keys."""

from wmtui.tui.dialogs.base import texts
from wmtui.tui.dialogs.pick import TextDialog
from wmtui.tui.shell import Action, Shell, format_key
from wmtui.tui.widgets.cells import Line


async def show_help(shell: Shell) -> None:
    """Show every key, those of the focused pane first."""
    pane, areas = shell.main.focused_pane
    here = [action for action in shell.actions if action.area in areas]
    lines: list[Line] = [
        [(f"in {pane}", "dim")],
        *(_help_line(shell, action) for action in here),
        [("j k g G ↑ ↓ PgUp PgDn Enter", "strong"), ("  move and open, in every list; or the mouse", "")],
        [],
        [("everywhere", "dim")],
        *(_help_line(shell, action) for action in shell.actions if action not in here),
        [],
    ]
    lines += texts("statuses: ✓ good  · pending  ▸ running  ! look here  ✗ failed")
    lines += texts("columns: status in MySQL and Redshift, lag and its share of the limit, files")
    await shell.open_dialog(TextDialog("Keys", lines))


def _help_line(shell: Shell, action: Action) -> Line:
    keys = ", ".join(format_key(key) for key in shell.keys[action.id].split(","))
    return [(f"{keys:18}", "strong"), (action.title, "")]

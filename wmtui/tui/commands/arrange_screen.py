"""What keys do to the screen as a whole: which pane, zoom, one step back."""

from wmtui.tui.commands.list_tables import end_pattern
from wmtui.tui.shell import Shell


def focus_pane(shell: Shell, number: int) -> None:
    """Give a pane the focus."""
    shell.main.focus_pane(number)


def zoom(shell: Shell) -> None:
    """Show the pane in focus alone, or all of them again."""
    shell.main.zoom()


def go_back(shell: Shell) -> None:
    """Leave the prompt, the zoom or the pane; then drop the filter, the marks, the walkthrough: one at a time."""
    main, state = shell.main, shell.table_state
    if main.prompt.display:
        main.prompt.value = ""
        end_pattern(shell)
    elif main.zoomed:
        main.zoom()
    elif main.focused is not main.tables_pane.lines:
        main.tables_pane.lines.focus()
    elif state.pattern:
        state.pattern = ""
        shell.arrange()
    elif state.marked:
        state.marked = set()
        shell.arrange()
    else:
        main.walkthrough.hide()

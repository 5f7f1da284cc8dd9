"""Choosing the theme."""

from wmtui.events import Severity
from wmtui.tui import themes
from wmtui.tui.commands.reports import failures_reported
from wmtui.tui.dialogs.pick import PickDialog, PickItem
from wmtui.tui.shell import Shell
from wmtui.tui.state.preferences import remember_theme


async def choose_theme(shell: Shell) -> None:
    """Choose a theme, which is remembered; the one under the cursor is shown at once."""
    before = shell.theme_name
    available = themes.find()
    for problem in available.problems:
        shell.say(problem, Severity.WARNING)

    def show(name: str) -> None:
        shell.show_theme(shell.available_themes.get(name) or themes.read(available.files[name]))

    items = [
        PickItem(name, "your own" if path.parent != themes.SHIPPED else "") for name, path in available.files.items()
    ]
    name = await shell.open_dialog(PickDialog("Theme", items, current=before, moved=show))
    show(name or before)
    if name is not None:
        with failures_reported(shell):
            remember_theme(name)

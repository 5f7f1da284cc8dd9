"""Switching the profile, and asking before one that is protected is changed."""

from wmtui.errors import UsageError, WmtuiError
from wmtui.events import Severity
from wmtui.tui.commands.reports import failures_reported, report_failure
from wmtui.tui.dialogs.base import ConfirmDialog, texts
from wmtui.tui.dialogs.pick import PickDialog, PickItem
from wmtui.tui.shell import Shell


async def switch_profile(shell: Shell) -> None:
    """Open another profile, or the present one again: configuration, environment and credentials are read again."""
    current = shell.service.workspace.settings.profile_name
    if shell.start.reopen is None or not shell.start.profiles:
        shell.say("the demo has one profile", Severity.WARNING)
        return
    if shell.sync_queue.busy:
        shell.say("wait for the syncs, or cancel them with x: they belong to this profile", Severity.WARNING)
        return
    items = [PickItem(name, "current: read again" if name == current else "") for name in shell.start.profiles]
    name = await shell.open_dialog(PickDialog("Profile", items, current=current))
    if name is not None:
        with failures_reported(shell):
            await _reopen(shell, name, unlocked=False)
            shell.say(f"opened profile {name}")


async def permitted(shell: Shell) -> bool:
    """Whether changes may be made. A protected profile asks for its name first, and is opened again."""
    if not shell.locked:
        return True
    settings = shell.service.workspace.settings
    name = settings.profile_name
    effect = texts(f"{name} is protected: from here on, changes are made to {settings.store.root}", kind="warn")
    dialog = ConfirmDialog(f"Change {name}?", effect, lambda _: "", yes="Unlock", typed=name)
    if await shell.open_dialog(dialog) is None:
        return False
    try:
        await _reopen(shell, name, unlocked=True)
    except WmtuiError as error:
        report_failure(shell, error)
        return False
    return True


async def _reopen(shell: Shell, name: str, *, unlocked: bool) -> None:
    reopen = shell.start.reopen
    if reopen is None:
        raise UsageError(f"cannot open the profile {name}", "the demo has one profile", "start wmtui without --demo")
    shell.take_service(await shell.background.run(lambda: reopen(name)), unlocked=unlocked)

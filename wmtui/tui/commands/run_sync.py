"""Starting syncs and stopping them."""

from wmtui.events import Severity
from wmtui.tui.commands.profile import permitted
from wmtui.tui.commands.selected_tables import hidden_count, marked_or_current
from wmtui.tui.dialogs.sync import SyncDialog
from wmtui.tui.shell import Shell


async def start_sync(shell: Shell) -> None:
    """Ask which sync, and start it for the marked tables, else for the current one."""
    tables = marked_or_current(shell)
    if not tables:
        return
    state = shell.table_state
    looks = [state.looks.get(table) for table in tables]
    manual = [look.table for look in looks if look is not None and look.mark is not None and look.mark.is_manual]
    if not await permitted(shell):
        return
    dialog = SyncDialog(shell.service, tables, manual, shell.cli, hidden=hidden_count(shell))
    request = await shell.open_dialog(dialog)
    if request is None:
        return
    started = shell.sync_queue.start(shell.service, request)
    for table in set(tables) - set(started):
        shell.say("is being synced already", Severity.WARNING, table)
    shell.table_state.marked.clear()
    shell.table_state.queued = shell.sync_queue.waiting
    shell.arrange()
    shell.show_status()


def cancel_sync(shell: Shell) -> None:
    """Stop the syncs of the marked tables, else of the current one, between parts."""
    for table in marked_or_current(shell):
        if not shell.sync_queue.cancel(table):
            shell.say("no sync of this screen works on it; U breaks a dead run's lock", Severity.WARNING, table)

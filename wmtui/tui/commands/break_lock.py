"""Taking a table over from a run that died."""

from wmtui.events import Severity
from wmtui.tui.commands.profile import permitted
from wmtui.tui.commands.reports import failures_reported, report_done
from wmtui.tui.dialogs.base import ConfirmDialog, texts
from wmtui.tui.shell import Shell


async def break_lock(shell: Shell) -> None:
    """Break the lock of the current table, once the end of its id was typed."""
    table = shell.current
    if table is None or not await permitted(shell):
        return
    service = shell.service
    with failures_reported(shell, table):
        lock = await shell.background.run(lambda: service.workspace.heartbeat(table))
        lease_id = lock.lease_id
        if lease_id is None:
            shell.say("nobody holds it", Severity.INFO, table)
            return
        dialog = ConfirmDialog(
            f"Break the lock of {table}",
            texts(
                str(lock.refusal()),
                "its run, if it is alive, notices within seconds and writes nothing more; the next sync resumes it",
            ),
            lambda reason: shell.cli.command("unlock", lease_id, "--yes", reason=reason),
            yes="Unlock",
            typed=lease_id[-4:],
            reason_required=service.workspace.settings.profile.protected,
        )
        reason = await shell.open_dialog(dialog)
        if reason is not None:
            await shell.background.run(lambda: service.locks.unlock(lock, reason=reason or None))
            report_done(shell, "broke the lock", table)

"""Holding a watermark where it is, and letting it go."""

from wmtui.model import TableName
from wmtui.service import Watermark
from wmtui.tui.commands.profile import permitted
from wmtui.tui.commands.reports import failures_reported, report_done
from wmtui.tui.commands.selected_tables import only_current
from wmtui.tui.dialogs.base import ConfirmDialog, texts
from wmtui.tui.dialogs.pin import PinDialog
from wmtui.tui.shell import Shell
from wmtui.words import watermarks


async def pin(shell: Shell) -> None:
    """Pin the current table's watermark; unpin it if it is pinned."""
    table = only_current(shell, "pinning")
    look = shell.table_state.looks.get(table) if table else None
    if table is None or look is None or look.mark is None or not await permitted(shell):
        return
    with failures_reported(shell, table):
        if not shell.service.pins.is_pinned(look.mark):
            await _pin(shell, table)
        else:
            await _unpin(shell, table, look.mark)


async def _pin(shell: Shell, table: TableName) -> None:
    pins = shell.service.pins
    answer = await shell.open_dialog(PinDialog(table, shell.cli))
    if answer is not None:
        reason, until = answer
        await shell.background.run(lambda: pins.pin(table, reason=reason, until=until or None))
        report_done(shell, "pinned", table)


async def _unpin(shell: Shell, table: TableName, mark: Watermark) -> None:
    pins = shell.service.pins
    dialog = ConfirmDialog(
        f"Unpin the watermark of {table}",
        texts(f"held by {watermarks.pin(mark)}", "runs extract it again, and anybody may move it"),
        lambda reason: shell.cli.command("watermark", "unpin", tables=[table], reason=reason),
        yes="Unpin",
        reason_required=shell.service.workspace.settings.profile.protected,
    )
    reason = await shell.open_dialog(dialog)
    if reason is not None:
        await shell.background.run(lambda: pins.unpin(table, reason=reason or None))
        report_done(shell, "unpinned", table)

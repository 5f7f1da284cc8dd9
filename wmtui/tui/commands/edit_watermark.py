"""Placing watermarks by hand: of tables, and of the system; and making tables new again."""

from collections.abc import Sequence

from wmtui.errors import WmtuiError
from wmtui.model import TableName
from wmtui.service import Consequence, Service
from wmtui.texts import count
from wmtui.tui.commands.profile import permitted
from wmtui.tui.commands.reports import failures_reported, report_change, report_failure
from wmtui.tui.commands.selected_tables import hidden_count, marked_or_current
from wmtui.tui.dialogs.base import ConfirmDialog, texts
from wmtui.tui.dialogs.conflict import ConflictDialog
from wmtui.tui.dialogs.edit import ConflictFound, EditDialog, Edited
from wmtui.tui.dialogs.system_watermark import SystemDialog
from wmtui.tui.shell import Shell
from wmtui.tui.state.walkthrough import Step
from wmtui.tui.widgets.cells import Line


async def edit(shell: Shell) -> None:
    """Place the watermarks of the marked tables, else of the current one; after a conflict again, if wished."""
    tables = marked_or_current(shell)
    if not tables or not await permitted(shell):
        return
    outcome = await _ask_edit(shell, tables, "")
    while isinstance(outcome, ConflictFound):
        point = await shell.open_dialog(ConflictDialog(outcome.preview, outcome.point))
        shell.read_again(tables)
        outcome = None if point is None else await _ask_edit(shell, tables, point)
    if outcome is None:
        return
    shell.table_state.marked.clear()
    for changed in outcome.changed:
        report_change(shell, "set", changed)
    for table, error in outcome.refused:
        report_failure(shell, error, table)
    shell.main.walkthrough.done(Step.EDITED)


async def _ask_edit(shell: Shell, tables: Sequence[TableName], point: str) -> Edited | ConflictFound | None:
    return await shell.open_dialog(
        EditDialog(shell.service, tables, shell.cli, point, hidden=hidden_count(shell)),
    )


async def reset(shell: Shell) -> None:
    """Make the marked tables new again, else the current one."""
    tables = marked_or_current(shell)
    if not tables or not await permitted(shell):
        return
    service, settings = shell.service, shell.service.workspace.settings
    name = str(tables[0]) if len(tables) == 1 else f"{len(tables)} tables"
    without_key = [table for table in tables if not settings.tables[table].primary_key]
    force = bool(without_key)
    dialog = ConfirmDialog(
        f"Reset {name}",
        _reset_effect(len(without_key)),
        lambda reason: shell.cli.command(
            "watermark", "reset", "--yes", tables=tables, single=True, reason=reason, force=force
        ),
        yes="Reset",
        typed=settings.profile_name if len(tables) > 1 else "",
        reason_required=settings.profile.protected,
    )
    reason = await shell.open_dialog(dialog)
    if reason is None:
        return
    with failures_reported(shell):
        outcomes = await shell.background.run(lambda: [_reset(service, table, force, reason) for table in tables])
        shell.table_state.marked.clear()
        for table, outcome in zip(tables, outcomes, strict=True):
            if isinstance(outcome, Consequence):
                report_change(shell, "reset", outcome)
            else:
                report_failure(shell, outcome, table)


def _reset_effect(tables_without_key: int) -> list[Line]:
    effect = texts(
        "the next sync begins at the beginning, or at the system watermark, in a new epoch",
        "files loaded before may be loaded again; data in the store and the warehouse stays",
    )
    if tables_without_key:
        number = count(tables_without_key, "table")
        effect += texts(f"! {number} without primary key: reading again appends the same rows once more", kind="warn")
    return effect


def _reset(service: Service, table: TableName, force: bool, reason: str) -> Consequence | WmtuiError:
    try:
        seen = service.watermarks.standing(table)
        return service.watermarks.reset(table, force=force, reason=reason or None, seen=seen)
    except WmtuiError as error:
        return error


async def set_system_watermark(shell: Shell) -> None:
    """Move the point from which tables without a watermark of their own are read and loaded."""
    if await permitted(shell):
        point = await shell.open_dialog(SystemDialog(shell.service, shell.cli))
        if point is not None:
            shell.say(f"moved the system watermark to {point}")
            shell.read_all()

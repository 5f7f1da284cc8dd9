"""Taking changes of a watermark back: the last one, or all after an entry of its history."""

from functools import partial

from wmtui.errors import UsageError
from wmtui.events import Severity
from wmtui.model import TableName
from wmtui.service import Entry, WayBack
from wmtui.tui.commands.profile import permitted
from wmtui.tui.commands.reports import failures_reported, report_change, report_failure
from wmtui.tui.commands.selected_tables import only_current
from wmtui.tui.dialogs.base import ConfirmDialog, texts
from wmtui.tui.panes.detail import Change
from wmtui.tui.shell import Shell
from wmtui.tui.state.walkthrough import Step
from wmtui.tui.widgets.cells import Line
from wmtui.words.changes import differences


async def undo(shell: Shell) -> None:
    """Take the last change of the current table back; a watermark that is gone comes back."""
    table = only_current(shell, "undo")
    if table is None or not await permitted(shell):
        return
    history = shell.service.history
    with failures_reported(shell, table):
        way = await shell.background.run(lambda: history.last_edit(table))
        if way is not None and way.gone:
            title = f"Bring the watermark of {table} back as change {way.seen.serial} left it"
        elif way is not None and way.edit is not None:
            title = f"Undo “{way.edit.action}” of {table}"
        else:
            report_failure(shell, UsageError(f"nothing to undo for {table}", "it was never moved by hand"), table)
            return
        await _go_back(shell, table, way, title)


async def restore(shell: Shell) -> None:
    """Go back to how the history's entry under the cursor left the watermark."""
    pane = shell.main.detail_pane
    table, line = pane.table, pane.lines.current if pane.entries is not None else None
    if table is None or not isinstance(line, Change) or not isinstance(line.entry, Entry):
        shell.say("open the history with h, and go to the change to go back to", Severity.WARNING)
        return
    serial = line.entry.serial
    if serial is None:
        shell.say("this change was made outside: u takes it back", Severity.WARNING)
        return
    if not await permitted(shell):
        return
    history = shell.service.history
    with failures_reported(shell, table):
        way = await shell.background.run(lambda: history.way_back(table, serial))
        await _go_back(shell, table, way, f"Restore {table} as change {serial} left it")


async def _go_back(shell: Shell, table: TableName, way: WayBack, title: str) -> None:
    """Show which fields go back, ask, and do it. Raises WmtuiError."""
    if not way.diff:
        shell.say(f"nothing would change for {table}: its watermark is as it was then", Severity.WARNING)
        return
    service, options = shell.service, () if way.to is None else ("--to", str(way.to))
    dialog = ConfirmDialog(
        title,
        _effect(way),
        lambda reason: shell.cli.command(
            "watermark", "undo", *options, tables=[table], reason=reason, force=way.doubles
        ),
        yes="Undo",
        reason_required=service.workspace.settings.profile.protected,
    )
    reason = await shell.open_dialog(dialog)
    if reason is not None:
        go_back = partial(service.history.undo, table, way.to, force=way.doubles, reason=reason or None, seen=way.seen)
        report_change(shell, "undo", await shell.background.run(go_back))
        shell.main.walkthrough.done(Step.UNDONE)


def _effect(way: WayBack) -> list[Line]:
    fields: list[Line] = [[(f"  {name}  ", "dim"), (change, "")] for name, change in differences(way.diff)]
    notes = texts("what was extracted and loaded meanwhile stays", kind="dim")
    if way.doubles:
        notes += texts("! no primary key: reading again appends the same rows once more", kind="warn")
    return [*fields, *notes]

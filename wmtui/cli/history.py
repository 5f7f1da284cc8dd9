"""`wmtui watermark history` and `undo`."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from wmtui.cli.invocation import Invocation, pass_invocation
from wmtui.cli.options import Command, table_option
from wmtui.cli.watermark_output import show_consequence
from wmtui.errors import ExitCode, Unreadable, combine
from wmtui.words.changes import differences
from wmtui.words.values import ABSENT

if TYPE_CHECKING:
    from wmtui.service import Entry


@click.command(
    cls=Command,
    examples=[
        "wmtui watermark history -t shop.orders",
        "wmtui watermark history -t shop.orders --last 5",
        "wmtui watermark history -t shop.orders --json",
    ],
)
@table_option
@click.option("--last", type=click.IntRange(1), metavar="N", help="Only the newest N changes.")
@pass_invocation
def history(invocation: Invocation, table: str | None, last: int | None) -> ExitCode:
    """Show who changed a watermark, when, why, and which fields; the newest change last."""
    name = invocation.table(table)
    found = invocation.service.history.entries(name, last)
    unreadable = [entry for entry in found if isinstance(entry, Unreadable)]
    code = combine(error.exit_code for error in unreadable)
    if invocation.options.json:
        invocation.console.json(
            {"exit_code": int(code), "table": str(name), "changes": [_as_json(entry) for entry in found]}
        )
    else:
        for entry in found:
            invocation.console.data(*_lines(entry))
        if not found:
            invocation.console.tell("it was never changed")
    for error in unreadable:
        invocation.report(error)
    return code


@click.command(
    cls=Command,
    examples=[
        "wmtui watermark undo -t shop.orders",
        "wmtui watermark undo -t shop.orders --to 12 --reason 'too early'",
    ],
)
@table_option
@click.option(
    "--to",
    type=click.IntRange(0),
    metavar="SERIAL",
    help="Go back to how this change left the watermark; 0: before all.",
)
@pass_invocation
def undo(invocation: Invocation, table: str | None, to: int | None) -> None:
    """Take the last change of a watermark back; undoing that takes it back again. One that was deleted comes back.

    What was extracted and loaded meanwhile stays: it is neither removed nor loaded twice.
    """
    name, options = invocation.table(table), invocation.options
    show_consequence(invocation, invocation.service.history.undo(name, to, force=options.force, reason=options.reason))


def _as_json(entry: "Entry | Unreadable") -> dict[str, Any]:
    if isinstance(entry, Unreadable):
        return {"key": entry.key, "error": entry.failure}
    diff = {name: {"old": old, "new": new} for name, (old, new) in entry.diff.items()}
    return {
        "serial": entry.serial,
        "at": entry.at,
        "actor": entry.actor,
        "host": entry.host,
        "action": entry.action,
        "reason": entry.reason,
        "diff": diff,
        "error": None,
    }


def _lines(entry: "Entry | Unreadable") -> Iterator[str]:
    """A change in words: its head, then a line for each field."""
    if isinstance(entry, Unreadable):
        yield f"{'?':>4}  {entry.key}: {entry.why}"
        return
    serial = ABSENT if entry.serial is None else entry.serial
    who = f"{entry.actor}@{entry.host}" if entry.actor else "somebody"
    why = f": {entry.reason}" if entry.reason else ""
    yield f"{serial:>4}  {entry.at or ABSENT}  {who}  {entry.action}{why}"
    for name, change in differences(entry.diff):
        yield f"      {name}  {change}"

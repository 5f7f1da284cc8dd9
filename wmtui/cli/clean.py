"""`wmtui clean`: remove what crashed processes left."""

from collections.abc import Sequence

import click

from wmtui.cli.invocation import Invocation, pass_invocation
from wmtui.cli.options import Command, tables_option
from wmtui.cli.table import show_table
from wmtui.errors import ConfirmationNeeded, ExitCode, WmtuiError, combine
from wmtui.service import TableLeftovers
from wmtui.texts import count
from wmtui.words.values import ABSENT

COLUMNS = ("table", "size", "key", "why")


@click.command(
    cls=Command,
    examples=["wmtui clean --dry-run", "wmtui clean -t shop.orders", "wmtui clean --yes --json"],
)
@tables_option
@click.option("--dry-run", is_flag=True, help="Show what would be removed; touch nothing.")
@pass_invocation
def clean(invocation: Invocation, tables: Sequence[str], dry_run: bool) -> ExitCode:
    """Remove parts that no load will ever take; without -t also the store's forgotten objects.

    Only parts of abandoned runs, and parts older than a day that no run lists; never files of other tools, nor any
    that the ledger knows. They are listed first, and removed after a yes, under the table's lease.
    """
    service, options = invocation.service, invocation.options
    found = service.leftovers.find([service.table(text) for text in tables])
    number = sum(len(group.leftovers) for group in found)
    if not options.json:
        _show(invocation, found, number)
    to_remove = number > 0 and not dry_run
    agreed = to_remove and invocation.agreed(f"Remove {count(number, 'object')}?", unattended=False)
    removed = [service.leftovers.remove(group, reason=options.reason) for group in found] if agreed else []
    errors: list[tuple[str | None, WmtuiError]] = [
        (_name(group), group.error) for group in (*found, *removed) if group.error is not None
    ]
    if to_remove and not agreed:
        unsaid = ConfirmationNeeded(
            "nothing was removed", "it was not confirmed", "add --yes, or --dry-run to look only"
        )
        errors.append((None, unsaid))
    code = combine(error.exit_code for _, error in errors)
    if options.json:
        invocation.console.json({"exit_code": int(code), **_as_json(found, removed, errors)})
    elif agreed:
        invocation.console.tell(f"removed {count(sum(len(group.leftovers) for group in removed), 'object')}")
    for _, error in errors:
        invocation.report(error)
    return code


def _show(invocation: Invocation, found: Sequence[TableLeftovers], number: int) -> None:
    rows = [
        (str(group.table or ABSENT), f"{leftover.size:,}", leftover.key, leftover.why)
        for group in found
        for leftover in group.leftovers
    ]
    if rows:
        show_table(invocation.console, COLUMNS, rows, numbers=("size",))
    invocation.console.tell(f"{count(number, 'leftover')} found")


def _as_json(
    found: Sequence[TableLeftovers], removed: Sequence[TableLeftovers], errors: Sequence[tuple[str | None, WmtuiError]]
) -> dict[str, object]:
    gone = {leftover.key for group in removed for leftover in group.leftovers}
    return {
        "leftovers": [
            {
                "table": _name(group),
                "key": leftover.key,
                "size": leftover.size,
                "why": leftover.why,
                "removed": leftover.key in gone,
            }
            for group in found
            for leftover in group.leftovers
        ],
        "errors": [{"table": table, "error": error.failure} for table, error in errors],
    }


def _name(group: TableLeftovers) -> str | None:
    return None if group.table is None else str(group.table)

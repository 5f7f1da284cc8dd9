"""`wmtui files`: every file of a table, in or out, and why."""

from typing import Any

import click

from wmtui.cli.invocation import Invocation, pass_invocation
from wmtui.cli.options import Command, table_option
from wmtui.cli.table import show_table
from wmtui.files.selection import Selection
from wmtui.files.verdicts import explain
from wmtui.model import TableName
from wmtui.service.wording import count, instant

COLUMNS = ("verdict", "last modified", "size", "reason", "key")


@click.command(cls=Command, examples=["wmtui files -t shop.orders", "wmtui files -t shop.orders --json"])
@table_option
@pass_invocation
def files(invocation: Invocation, table: str | None) -> None:
    """Show every file of a table with its verdict: loaded next or not, and why."""
    name = invocation.table(table)
    selection = invocation.service.files(name)
    if invocation.options.json:
        invocation.console.json(as_json(name, selection))
    else:
        show_files(invocation, selection)


def as_json(table: TableName, selection: Selection) -> dict[str, Any]:
    """The selection as data."""
    return {
        "table": str(table),
        "found": selection.summary.found,
        "selected": selection.summary.selected,
        "verdicts": [
            {
                "key": verdict.file.key,
                "last_modified": instant(verdict.file.last_modified),
                "size": verdict.file.size,
                "etag": verdict.file.etag,
                "selected": verdict.selected,
                "rule": verdict.rule,
                "reason": verdict.reason.value,
                "distance_seconds": None if verdict.distance is None else verdict.distance.total_seconds(),
            }
            for verdict in selection.verdicts
        ],
        "reasons": {reason.value: number for reason, number in selection.summary.reasons.items()},
        "hint": selection.summary.hint,
    }


def show_files(invocation: Invocation, selection: Selection) -> None:
    """A line per file, then what it comes to."""
    console = invocation.console
    if selection.verdicts:
        rows = [
            (
                "✓ in" if verdict.selected else "· out",
                instant(verdict.file.last_modified),
                f"{verdict.file.size:,}",
                explain(verdict, selection.loaded),
                verdict.file.key,
            )
            for verdict in selection.verdicts
        ]
        show_table(console, COLUMNS, rows, numbers=("size",))
        console.data("")
    for line in _conclusion(selection):
        console.data(line)


def _conclusion(selection: Selection) -> list[str]:
    summary, listing = selection.summary, selection.listing
    decided = (
        "the warehouse's ledger" if selection.by_ledger else "the load records; a sync asks the warehouse's ledger"
    )
    lines = [f"{selection.basis.describe()}; what is loaded is known from {decided}", str(summary)]
    if summary.reasons:
        lines.append(", ".join(f"{reason.value} {number:,}" for reason, number in summary.reasons.items()))
    if not summary.found:
        lines.append(f"nothing found under {' and '.join(listing.prefixes)}")
    for keys, why in ((listing.unparsed, "no Parquet files"), (listing.ambiguous, "fit two configured tables")):
        if keys:
            lines.append(f"{count(len(keys), 'name')} ignored, {why}: {', '.join(keys[:10])}{', …' * (len(keys) > 10)}")
    return [*lines, *([summary.hint] if summary.hint else [])]

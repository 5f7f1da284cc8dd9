"""`wmtui files`: every file of a table, in or out, and why; and what an operator decides about single ones."""

from typing import Any

import click

from wmtui.cli.invocation import Invocation, pass_invocation
from wmtui.cli.options import Command, table_option
from wmtui.cli.table import show_table
from wmtui.errors import ConfirmationNeeded, UsageError
from wmtui.model import TableName
from wmtui.service import FileDecision, Selection, Will
from wmtui.texts import count
from wmtui.words import files as words
from wmtui.words.values import instant

COLUMNS = ("verdict", "last modified", "size", "reason", "key")


@click.command(
    cls=Command,
    examples=[
        "wmtui files -t shop.orders",
        "wmtui files -t shop.orders --json",
        "wmtui files -t shop.orders --write-off --reason 'loaded by hand in May'",
        "wmtui files -t shop.orders --skip incremental/shop.orders/a.parquet --reason 'a test export'",
    ],
)
@table_option
@click.option("--skip", "skipped", multiple=True, metavar="KEY", help="Never load this file as it is; repeatable.")
@click.option("--write-off", is_flag=True, help="Give up files that are held back: all, or those named by --key.")
@click.option("--key", "keys", multiple=True, metavar="KEY", help="Write off only this file; repeatable.")
@click.option("--unskip", "taken_back", multiple=True, metavar="KEY", help="Take back what was decided; repeatable.")
@pass_invocation
def files(invocation: Invocation, /, table: str | None, **asked: Any) -> None:
    """Show every file of a table with its verdict: loaded next or not, and why.

    A file is held back when it is out although it was neither loaded nor given up. --skip, --write-off and --unskip
    decide about files and need --reason; the history shows who did. A file that changes after that is another one.
    """
    options = {"--skip": asked["skipped"], "--write-off": asked["write_off"], "--unskip": asked["taken_back"]}
    given = [option for option, value in options.items() if value]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)} exclude each other", "one decision at a time", "run it twice")
    if asked["keys"] and not asked["write_off"]:
        raise UsageError("--key goes with --write-off", "it names what is written off", "add --write-off")
    name = invocation.table(table)
    if given:
        _tell(invocation, name, _decide(invocation, name, asked["skipped"], asked["keys"], asked["taken_back"]))
    else:
        _show(invocation, name, invocation.service.files.select(name))


def _decide(
    invocation: Invocation,
    table: TableName,
    skipped: tuple[str, ...],
    keys: tuple[str, ...],
    taken_back: tuple[str, ...],
) -> FileDecision:
    service, reason = invocation.service.files, invocation.options.reason or ""
    if skipped:
        return service.skip(table, skipped, reason=reason)
    if taken_back:
        return service.unskip(table, taken_back, reason=reason)
    if not keys and reason.strip():
        held_back = service.select(table)
        question = f"give up {words.held_back(held_back)}? No load will take them"
        if held_back.held_back and not invocation.agreed(question, unattended=False):
            raise ConfirmationNeeded(
                f"{count(held_back.held_back, 'file')} would be given up", "it was not confirmed", "add --yes"
            )
    return service.write_off(table, keys, reason=reason)


def _tell(invocation: Invocation, table: TableName, done: FileDecision) -> None:
    word = {Will.SKIP: "skipped", Will.WRITE_OFF: "written off", None: "taken back"}[done.will]
    if invocation.options.json:
        invocation.console.json({"table": str(table), "decision": word, "keys": list(done.keys)})
        return
    for key in done.keys:
        invocation.console.data(f"{word}: {key}")
    if not done.keys:
        invocation.console.tell("nothing is held back")
    invocation.console.tell(str(done.selection.summary))


def _show(invocation: Invocation, table: TableName, selection: Selection) -> None:
    if invocation.options.json:
        invocation.console.json(as_json(table, selection))
    else:
        show_files(invocation, selection)


def as_json(table: TableName, selection: Selection) -> dict[str, Any]:
    """The selection as data."""
    return {
        "table": str(table),
        "found": selection.summary.found,
        "selected": selection.summary.selected,
        "held_back": selection.held_back,
        "since": None if selection.since is None else f"{selection.since:%Y-%m-%d}",
        "all_days_listed_at": None if selection.whole_at is None else instant(selection.whole_at),
        "verdicts": [
            {
                "key": verdict.file.key,
                "last_modified": instant(verdict.file.last_modified),
                "size": verdict.file.size,
                "etag": verdict.file.etag,
                "selected": verdict.selected,
                "held_back": verdict.held_back,
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
                words.label(verdict),
                instant(verdict.file.last_modified),
                f"{verdict.file.size:,}",
                selection.explain(verdict),
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
    if selection.held_back:
        held_back = words.held_back(selection)
        lines.append(f"held back: {held_back}; `wmtui files --write-off` gives up what is not to be loaded any more")
    return [*lines, _listed(selection), *([summary.hint] if summary.hint else [])]


def _listed(selection: Selection) -> str:
    """Which folders this speaks of, and how old what it says of the others is."""
    if selection.since is None:
        return "the folders of all days were listed"
    whole = "never" if selection.whole_at is None else f"at {instant(selection.whole_at)}"
    return f"folders from {selection.since:%Y-%m-%d} on were listed; all days were listed last {whole}"

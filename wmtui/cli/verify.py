"""`wmtui verify`: does the warehouse have what the source had at the watermark's position?"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import click
from msgspec.structs import asdict

from wmtui.cli.invocation import Invocation, pass_invocation
from wmtui.cli.options import Command, tables_option
from wmtui.cli.table import show_table
from wmtui.cli.watch import watch
from wmtui.errors import ExitCode, UsageError, WmtuiError, combine
from wmtui.model import TableName
from wmtui.pipeline.verify import FINDINGS, Example, Verification
from wmtui.service.wording import ABSENT

COUNTS = ("source", "warehouse", *FINDINGS, "moved on", "not loaded", "not due", "never read")
_LONGEST = 60
"""Characters of a value that are shown to people."""


@click.command(
    cls=Command,
    examples=["wmtui verify -t shop.orders", "wmtui verify -t shop.orders -t shop.items --examples 3 --json"],
)
@tables_option
@click.option(
    "--from", "since", metavar="POINT", help="Expect every row from here on, whatever the runs say they extracted."
)
@click.option(
    "--examples", type=click.IntRange(0, 1000), default=10, show_default=True, help="Rows to list of each finding."
)
@pass_invocation
def verify(invocation: Invocation, tables: Sequence[str], since: str | None, examples: int) -> ExitCode:
    """Compare the warehouse with the source, row by row; exit 1 if a row is missing, extra, doubled or differing."""
    if not tables:
        raise UsageError("which table?", "verify needs -t", "name one: -t schema.table")
    service, console = invocation.service, invocation.console
    names = [service.table(text) for text in tables]
    results = watch(console, partial(service.verify, names, since=since, examples=examples))
    code = combine(_exit_code(result) for _, result in results)
    if invocation.options.json:
        console.json({"exit_code": int(code), "tables": [_as_json(table, result) for table, result in results]})
    else:
        _show(invocation, results)
    for _, result in results:
        if isinstance(result, WmtuiError):
            invocation.report(result)
    return code


def _exit_code(result: Verification | WmtuiError) -> ExitCode:
    if isinstance(result, WmtuiError):
        return result.exit_code
    return ExitCode.DONE if result.right else ExitCode.TABLE_FAILED


def _show(invocation: Invocation, results: Sequence[tuple[TableName, Verification | WmtuiError]]) -> None:
    """A line per table, then the examples."""
    console = invocation.console
    columns = ("table", "verdict", "as of", *COUNTS)
    show_table(console, columns, [_row(table, result) for table, result in results], numbers=COUNTS)
    found = [result for _, result in results if isinstance(result, Verification)]
    for result in found:
        for example in result.examples:
            console.data(_line(result.table, example))
    if any(result.counts.extra for result in found):
        console.tell("extra rows may be deletions: a cursor does not show them, so they stay in the warehouse")


def _row(table: TableName, result: Verification | WmtuiError) -> Sequence[str]:
    if isinstance(result, WmtuiError):
        return (str(table), "✗ not compared", *[ABSENT] * (1 + len(COUNTS)))
    c = result.counts
    numbers = (
        *(result.source_rows, result.warehouse_rows, c.missing, c.extra, c.doubled, c.differing),
        *(c.moved_on, c.waiting, result.ahead, result.outside),
    )
    verdict = "✓ right" if result.right else "✗ wrong"
    return (str(table), verdict, result.position or ABSENT, *(f"{number:,}" for number in numbers))


def _line(table: str, example: Example) -> str:
    values = {**example.key} or example.source or example.warehouse or {}
    text = f"{table}: {example.finding} {', '.join(f'{name} {_short(value)}' for name, value in values.items())}"
    if example.finding != "differing" or example.source is None or example.warehouse is None:
        return text
    unlike = (
        f"{name} is {_short(value)} in the source, {_short(example.warehouse[name])} in the warehouse"
        for name, value in example.source.items()
    )
    return f"{text}: {'; '.join(unlike)}"


def _short(value: object) -> str:
    if value is None:
        return "NULL"
    text = str(value) if isinstance(value, int) else repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _as_json(table: TableName, result: Verification | WmtuiError) -> Mapping[str, Any]:
    if isinstance(result, WmtuiError):
        return {"table": str(table), "error": str(result)}
    examples: dict[str, list[dict[str, Any]]] = {finding: [] for finding in FINDINGS}
    for example in result.examples:
        examples[example.finding].append({"key": example.key, "source": example.source, "warehouse": example.warehouse})
    counts = asdict(result.counts)
    return {
        "table": result.table,
        "error": None,
        "position": result.position,
        "source_rows": result.source_rows,
        "warehouse_rows": result.warehouse_rows,
        "compared": result.compared,
        **{finding: counts[finding] for finding in FINDINGS},
        "moved_on": result.counts.moved_on,
        "not_loaded": result.counts.waiting,
        "not_loaded_files": result.waiting_files,
        "not_due": result.ahead,
        "never_read": result.outside,
        "examples": examples,
    }

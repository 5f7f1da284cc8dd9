"""`wmtui verify`: does the warehouse have what the source had at the watermark's position?"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import click
from msgspec.structs import asdict

from wmtui.cli.invocation import Invocation, pass_invocation
from wmtui.cli.options import Command, tables_option
from wmtui.cli.run_with_progress import run_with_progress
from wmtui.cli.table import Row, show_table
from wmtui.errors import ExitCode, UsageError, WmtuiError, combine
from wmtui.model import TableName
from wmtui.service import DIFFERENCES, Example, LeftOut, Problem, Result, Verification
from wmtui.words.styled import Glyph, Styled
from wmtui.words.values import ABSENT

COUNTS = ("source", "warehouse", *DIFFERENCES, "moved on", "not loaded", "not due", "left out")
_VERDICTS = {
    Result.RIGHT: Styled.marked(Glyph.GOOD, "right"),
    Result.LEFT_OUT: Styled.marked(Glyph.WARN, "left out"),
    Result.NOT_RIGHT: Styled.marked(Glyph.BAD, "not right"),
}
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
@click.option("--strict", is_flag=True, help="Exit 1 also for what was left out on purpose.")
@pass_invocation
def verify(
    invocation: Invocation, tables: Sequence[str], since: str | None, examples: int, *, strict: bool
) -> ExitCode:
    """Compare the warehouse with the source, row by row, up to the watermark's position.

    Exit 1 if it is not right: a row is missing, extra, doubled or differing, a file is held back or not loaded, a
    cursor lies in the future, or it is unknown whether rows were read. What an operator left out, by placing the
    watermark after it or by giving a file up, is named with who did it. Status and list show when a table was last
    verified.
    """
    if not tables:
        raise UsageError("which table?", "verify needs -t", "name one: -t schema.table")
    service, console = invocation.service, invocation.console
    names = [service.table(text) for text in tables]
    reason = invocation.options.reason
    results = run_with_progress(console, partial(service.verify, names, since=since, examples=examples, reason=reason))
    code = combine(_exit_code(result, strict=strict) for _, result in results)
    if invocation.options.json:
        console.json(
            {"exit_code": int(code), "tables": [_as_json(table, result, strict=strict) for table, result in results]}
        )
    else:
        _show(invocation, results)
    for _, result in results:
        if isinstance(result, WmtuiError):
            invocation.report(result)
    return code


def _exit_code(result: Verification | WmtuiError, *, strict: bool) -> ExitCode:
    if isinstance(result, WmtuiError):
        return result.exit_code
    fine = (Result.RIGHT,) if strict else (Result.RIGHT, Result.LEFT_OUT)
    return ExitCode.DONE if result.result in fine else ExitCode.TABLE_FAILED


def _show(invocation: Invocation, results: Sequence[tuple[TableName, Verification | WmtuiError]]) -> None:
    """A line per table, then what is not right, what was left out, and the examples."""
    console = invocation.console
    columns = ("table", "verdict", "as of", *COUNTS)
    show_table(console, columns, [_row(table, result) for table, result in results], numbers=COUNTS)
    for _, result in results:
        if not isinstance(result, Verification):
            continue
        for problem in result.problems:
            console.data(f"{result.table}: not right: {problem.what}; {problem.next_step}")
        for left in result.left_out:
            console.data(f"{result.table}: left out by {_who(left)}: {left.what}; {left.next_step}")
        for example in result.examples:
            console.data(_line(result.table, example))


def _who(left: LeftOut) -> str:
    return left.by if left.serial is None else f"{left.by} at serial {left.serial}"


def _row(table: TableName, result: Verification | WmtuiError) -> Row:
    if isinstance(result, WmtuiError):
        return (str(table), Styled.marked(Glyph.BAD, "not compared"), *[ABSENT] * (1 + len(COUNTS)))
    c = result.counts
    numbers = (
        *(result.source_rows, result.warehouse_rows, c.missing, c.extra, c.doubled, c.differing),
        *(c.moved_on, result.waiting, result.ahead, sum(left.rows for left in result.left_out)),
    )
    return (str(table), _VERDICTS[result.result], result.position or ABSENT, *(f"{number:,}" for number in numbers))


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


def _as_json(table: TableName, result: Verification | WmtuiError, *, strict: bool) -> Mapping[str, Any]:
    if isinstance(result, WmtuiError):
        return {"table": str(table), "code": int(result.exit_code), "error": result.failure}
    examples: dict[str, list[dict[str, Any]]] = {finding: [] for finding in DIFFERENCES}
    for example in result.examples:
        examples[example.finding].append({"key": example.key, "source": example.source, "warehouse": example.warehouse})
    counts = asdict(result.counts)
    return {
        "table": result.table,
        "code": int(_exit_code(result, strict=strict)),
        "error": None,
        "result": result.result.value,
        "reasons": [_problem(problem) for problem in result.problems],
        "left_out": [
            {**_problem(left), "by": left.by, "serial": left.serial, "at": left.at} for left in result.left_out
        ],
        "position": result.position,
        "source_rows": result.source_rows,
        "warehouse_rows": result.warehouse_rows,
        "compared": result.compared,
        **{finding: counts[finding] for finding in DIFFERENCES},
        "moved_on": result.counts.moved_on,
        "not_loaded": result.waiting,
        "not_due": result.ahead,
        "examples": examples,
    }


def _problem(found: Problem | LeftOut) -> dict[str, Any]:
    return {
        "reason": found.reason.value,
        "rows": found.rows,
        "files": found.files,
        "what": found.what,
        "next": found.next_step,
        "commands": list(found.commands),
    }

"""`wmtui sync` and `wmtui --run`: extract and load, and show how it goes."""

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

import click

from wmtui.cli import plan
from wmtui.cli.events_json import as_json, summary
from wmtui.cli.invocation import Invocation, pass_invocation
from wmtui.cli.options import Command, parse_duration, tables_option
from wmtui.cli.progress import tell
from wmtui.cli.run_with_progress import run_with_progress
from wmtui.cli.table import Row, show_table
from wmtui.errors import ExitCode, Pinned, UsageError, combine
from wmtui.events import Event, Message, Status, TableResult
from wmtui.model import Strategy
from wmtui.service import Request
from wmtui.words.values import status

COLUMNS = ("table", "status", "extracted", "loaded", "files written", "files loaded", "seconds")


def _sync_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that `sync` and `--run` share, in the order of the help."""
    for option in reversed(
        (
            tables_option,
            click.option("--redshift-only", is_flag=True, help="Only load; a manual watermark stays manual."),
            click.option("--reprocess", is_flag=True, help="Load files that were loaded before, too."),
            click.option("--key", "keys", multiple=True, metavar="KEY", help="Reprocess only this file; repeatable."),
            click.option("--backup-only", is_flag=True, help="Only extract."),
            click.option(
                "-s",
                "--strategy",
                type=click.Choice([strategy.value for strategy in Strategy]),
                default=Strategy.SEQUENTIAL.value,
                show_default=True,
                help="One table after the other, tables in parallel, or key ranges of each table in parallel, which"
                " does not pay on few cores.",
            ),
            click.option(
                "--workers", type=click.IntRange(1, 64), default=4, show_default=True, help="How many in parallel."
            ),
            click.option("--limit", type=click.IntRange(1), metavar="ROWS", help="Extract so many rows per table."),
            click.option(
                "--wait",
                callback=parse_duration,
                metavar="DURATION",
                help="Wait so long for a table that another run holds, e.g. 10m.",
            ),
            click.option(
                "--batch", metavar="ID", help="A retry with the same ID takes over from the try before it at once."
            ),
            click.option("--dry-run", is_flag=True, help="Show the plan that would be executed; touch nothing."),
        )
    ):
        command = option(command)
    return command


@click.command(
    cls=Command,
    examples=[
        "wmtui sync -t shop.orders",
        "wmtui sync -t shop.orders --redshift-only --dry-run",
        "wmtui sync -t shop.orders -t shop.items -s inter-table --workers 2",
        "wmtui sync -t shop.orders --wait 10m --batch nightly-2025-08-14",
        "wmtui sync -t shop.orders --redshift-only --reprocess --key incremental/shop.orders/a.parquet",
    ],
)
@_sync_options
@pass_invocation
def sync(invocation: Invocation, /, **asked: Any) -> ExitCode:
    """Extract what is new in the source, and load it into the warehouse."""
    if not asked["tables"]:
        raise UsageError("which table?", "sync needs -t", "name one: -t schema.table; `wmtui --run` takes them all")
    return _perform(invocation, unattended=False, **asked)


@click.command(
    cls=Command,
    examples=[
        "wmtui --run",
        "wmtui --profile prod --reason cron --run --json --log-file /var/log/wmtui.log",
        "wmtui --run -s inter-table --workers 4",
    ],
)
@_sync_options
@pass_invocation
def run(invocation: Invocation, /, **asked: Any) -> ExitCode:
    """Sync every table, for cron; tables with a manual watermark are only loaded."""
    return _perform(invocation, unattended=True, **asked)


def _perform(invocation: Invocation, *, unattended: bool, dry_run: bool, **asked: Any) -> ExitCode:
    request = _request(invocation, **asked)
    if dry_run:
        return _preview(invocation, request, unattended)
    console, options = invocation.console, invocation.options
    lines = unattended and options.json

    def write_line(event: Event) -> None:
        console.json_line(as_json(event))

    results = run_with_progress(console, partial(invocation.service.syncs.sync, request), write_line if lines else None)
    code = _code((result.exit_code for result in results if not _held_for_cron(result, unattended)), unattended)
    if lines:
        console.json_line({"event": "summary", **summary(code, results)})
    elif options.json:
        console.json(summary(code, results))
    elif not options.quiet:
        show_table(console, COLUMNS, [_row(result) for result in results], numbers=COLUMNS[2:])
    return code


def _preview(invocation: Invocation, request: Request, unattended: bool) -> ExitCode:
    def emit(event: Event) -> None:
        if isinstance(event, Message):
            tell(invocation.console, event)

    previews = invocation.service.syncs.preview(request, emit=emit)
    counted = [preview for preview in previews if not (unattended and isinstance(preview.error, Pinned))]
    code = _code((plan.exit_code(preview, request) for preview in counted), unattended)
    plan.show_plan(invocation, request, previews, code)
    return code


def _request(
    invocation: Invocation, *, tables: Sequence[str], strategy: str, wait: timedelta | None, **asked: Any
) -> Request:
    return Request(
        tables=tuple(invocation.service.table(text) for text in tables),
        strategy=Strategy(strategy),
        wait=wait or timedelta(0),
        force=invocation.options.force,
        reason=invocation.options.reason,
        **asked,
    )


def _code(codes: Iterable[ExitCode], unattended: bool) -> ExitCode:
    """The one code of all tables; for cron a table without files to load is no failure."""
    return combine(code for code in codes if not (unattended and code is ExitCode.NOTHING_SELECTED))


def _held_for_cron(result: TableResult, unattended: bool) -> bool:
    """For cron a table that is pinned is no failure."""
    return unattended and result.status is Status.PINNED


def _row(result: TableResult) -> Row:
    numbers = (result.rows_extracted, result.rows_loaded, result.files_written, result.files_loaded)
    return (result.table, status(result.status), *(f"{number:,}" for number in numbers), f"{result.seconds:.1f}")

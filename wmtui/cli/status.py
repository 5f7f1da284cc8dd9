"""`wmtui status`: is every table as fresh as it should be?"""

from datetime import timedelta
from typing import Any

import click

from wmtui.cli.invocation import Invocation, pass_invocation
from wmtui.cli.options import Command, parse_duration
from wmtui.cli.table import show_table
from wmtui.errors import ExitCode, combine
from wmtui.service import TableStatus, wording

COLUMNS = ("table", "health", "mysql", "redshift", "lag", "last success", "running")


@click.command(cls=Command, examples=["wmtui status", "wmtui status --max-age 2h --json"])
@click.option(
    "--max-age",
    callback=parse_duration,
    metavar="AGE",
    help="Age of the last success that is too old, e.g. 30m, 2h, 1d.",
)
@pass_invocation
def status(invocation: Invocation, max_age: timedelta | None) -> ExitCode:
    """Show lag, last success and live run of every table; exit 1 if one failed or is too old."""
    service, console = invocation.service, invocation.console
    found = service.health.status(service.workspace.settings.tables, max_age)
    code = combine(_code(table) for table in found)
    if invocation.options.json:
        console.json({"exit_code": int(code), "tables": [_as_json(table) for table in found]})
    else:
        show_table(console, COLUMNS, [_row(table) for table in found])
    for table in found:
        if table.error:
            console.tell(f"{table.table}: {table.error}")
        if table.held_by:
            console.tell(f"{table.table}: reading was {table.held_by}")
    return code


def _code(table: TableStatus) -> ExitCode:
    return ExitCode.DONE if table.healthy else ExitCode.TABLE_FAILED


def _row(table: TableStatus) -> tuple[str, ...]:
    running = f"▸ {table.phase}, {wording.count(table.rows, 'row')}, {table.owner}" if table.phase else wording.ABSENT
    return (
        str(table.table),
        wording.healthy(table.healthy, table.problem),
        wording.status(table.mysql_status),
        wording.status(table.redshift_status),
        wording.span(table.lag),
        "never" if table.age is None else f"{wording.span(table.age)} ago",
        running,
    )


def _as_json(table: TableStatus) -> dict[str, Any]:
    return {
        "table": str(table.table),
        "code": int(_code(table)),
        "healthy": table.healthy,
        "problem": table.problem or None,
        "mysql_status": table.mysql_status,
        "redshift_status": table.redshift_status,
        "lag_seconds": None if table.lag is None else table.lag.total_seconds(),
        "last_success": None if table.last_success is None else wording.instant(table.last_success),
        "age_seconds": None if table.age is None else table.age.total_seconds(),
        "phase": table.phase,
        "rows": table.rows,
        "owner": table.owner,
        "last_error": None if table.failure else table.error,
        "error": table.failure,
        "held_by": table.held_by,
    }

"""`wmtui status`: how is every table, and how old are its data and its last run?"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import click

from wmtui.cli.invocation import Invocation, pass_invocation
from wmtui.cli.options import Command, parse_duration
from wmtui.cli.table import Row, show_table
from wmtui.errors import ExitCode, combine
from wmtui.service import Look, TableSeverity, TableStatus
from wmtui.texts import count
from wmtui.words import states, values
from wmtui.words.last_verified import as_json, in_words
from wmtui.words.styled import Glyph, Styled

COLUMNS = ("table", "state", "mysql", "redshift", "data age", "lag", "last success", "verified", "running")


@click.command(cls=Command, examples=["wmtui status", "wmtui status --max-age 2h --json"])
@click.option(
    "--max-age",
    callback=parse_duration,
    metavar="AGE",
    help="Age of the data that is too old, e.g. 30m, 2h, 1d; else each table's freshness.error.",
)
@pass_invocation
def status(invocation: Invocation, max_age: timedelta | None) -> ExitCode:
    """Show how every table is; exit 1 if the state of a table is an error (✗)."""
    service, console = invocation.service, invocation.console
    looks = service.overview.looks(service.workspace.settings.tables, max_age)
    statuses = [look.status for look in looks]
    code = combine(_code(table) for table in statuses)
    if invocation.options.json:
        console.json({"exit_code": int(code), "tables": [_as_json(look) for look in looks]})
    else:
        show_table(console, COLUMNS, [_row(table) for table in statuses])
    for table in statuses:
        if why := states.why(table.table, table.judgement):
            console.tell(f"{table.table}: {states.name(table)}: {why}")
        if table.held_by:
            console.tell(f"{table.table}: reading was {table.held_by}")
    console.tell(_total(statuses))
    return code


def _code(table: TableStatus) -> ExitCode:
    return ExitCode.DONE if table.healthy else ExitCode.TABLE_FAILED


def _total(statuses: Sequence[TableStatus]) -> str:
    """`3 tables: 1 ok, 1 warn, 1 error`."""
    counts = Counter(table.severity for table in statuses)
    return f"{count(len(statuses), 'table')}: {', '.join(f'{counts[s]:,} {s}' for s in TableSeverity if counts[s])}"


def _row(table: TableStatus) -> Row:
    run_age = table.judgement.run_age
    return (
        str(table.table),
        states.label(table, since=True),
        values.status(table.mysql_status),
        values.status(table.redshift_status),
        values.span(table.judgement.age),
        values.span(table.lag),
        "never" if run_age is None else f"{values.span(run_age)} ago",
        in_words(table.verified),
        Styled.marked(Glyph.BUSY, states.running(table)) if table.phase else values.ABSENT,
    )


def _as_json(look: Look) -> dict[str, Any]:
    table, judgement = look.status, look.status.judgement
    manual, verified = judgement.manual, table.verified
    return {
        "table": str(table.table),
        "code": int(_code(table)),
        "state": states.name(table),
        "severity": table.severity.value,
        "healthy": table.healthy,
        "problem": states.name(table) if table.problem else None,
        "why": states.why(table.table, judgement) or None,
        "mysql_status": table.mysql_status,
        "redshift_status": table.redshift_status,
        "data_at": _instant(judgement.data_at),
        "data_age_seconds": _seconds(judgement.age),
        "lag_seconds": _seconds(table.lag),
        "last_success": _instant(table.last_success),
        "age_seconds": _seconds(judgement.run_age),
        "last_run": table.last_run,
        "manual": manual and {"since": _instant(manual.since), "by": manual.by},
        "verified": verified and as_json(verified),
        "waiting": look.waiting,
        "held_back": table.held_back,
        "phase": table.phase,
        "rows": table.rows,
        "owner": table.owner,
        "last_error": None if table.failure else table.error,
        "error": table.failure,
        "held_by": table.held_by,
    }


def _instant(at: datetime | None) -> str | None:
    return None if at is None else values.instant(at)


def _seconds(span: timedelta | None) -> float | None:
    return None if span is None else span.total_seconds()

"""`wmtui doctor`: is everything in place for the next run?"""

from collections.abc import Sequence

import click

from wmtui.cli.invocation import Invocation, pass_invocation
from wmtui.cli.options import Command, tables_option
from wmtui.cli.table import show_table
from wmtui.errors import ExitCode, combine
from wmtui.model import Check, Level
from wmtui.words.values import status

COLUMNS = ("level", "subject", "finding", "next step")


@click.command(cls=Command, examples=["wmtui doctor", "wmtui doctor -t shop.orders", "wmtui doctor --json --read-only"])
@tables_option
@pass_invocation
def doctor(invocation: Invocation, tables: Sequence[str]) -> ExitCode:
    """Check store, source and warehouse; with -t also the table's key, cursor and size."""
    service, console = invocation.service, invocation.console
    names = [service.table(text) for text in tables]
    findings = service.health.doctor(names, reason=invocation.options.reason)
    code = combine(_exit_code(finding) for finding in findings)
    if invocation.options.json:
        findings_json = [
            {"subject": f.subject, "level": f.level.value, "finding": f.finding, "next_step": f.next_step or None}
            for f in findings
        ]
        console.json({"exit_code": int(code), "findings": findings_json})
    else:
        rows = [(status(f.level), f.subject, f.finding, f.next_step) for f in findings]
        show_table(console, COLUMNS, rows)
    return code


def _exit_code(finding: Check) -> ExitCode:
    """An error about a table is that table's; any other means that something cannot be reached."""
    if finding.level is not Level.ERROR:
        return ExitCode.DONE
    return ExitCode.UNREACHABLE if finding.table is None else ExitCode.TABLE_FAILED

"""`wmtui accept`: let a table go on after a sync refused its target or its store."""

import click

from wmtui.cli.invocation import Invocation, pass_invocation
from wmtui.cli.options import Command, table_option


@click.command(
    cls=Command,
    examples=[
        "wmtui accept -t shop.orders --reason 'finance deleted the rows of 2019'",
        "wmtui accept -t shop.orders --moved-from old_shop.orders --reason 'the schema was renamed'",
    ],
)
@table_option
@click.option("--moved-from", metavar="SCHEMA.TABLE", help="The table whose rows the target has: it is this one now.")
@pass_invocation
def accept(invocation: Invocation, table: str | None, moved_from: str | None) -> None:
    """Let a table go on loading into its target as both are now; needs --reason.

    For a target that lost rows or has rows of another table, and for a store or a warehouse that was put back: whatever
    a sync refused. Nothing is loaded by it, and the history shows who accepted what.
    """
    name = invocation.table(table)
    done = invocation.service.ownership.accept(name, reason=invocation.options.reason or "", moved_from=moved_from)
    console = invocation.console
    if invocation.options.json:
        found = [{"doubt": f.doubt.value, "what": f.what, "why": f.why} for f in done.findings]
        console.json({"table": str(name), "accepted": found})
        return
    for finding in done.findings:
        console.data(f"accepted: {finding.what}")
    if not done.findings:
        console.tell(f"nothing to accept: {name} and its target fit each other")

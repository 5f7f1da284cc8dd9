"""`wmtui locks` and `wmtui unlock`: who is at work, and ending the lease of a run that is not."""

from typing import Any

import click

from wmtui.cli.invocation import Invocation, pass_invocation
from wmtui.cli.options import Command
from wmtui.cli.table import Row, show_table
from wmtui.errors import ConfirmationNeeded, ExitCode, WmtuiError, combine
from wmtui.service import Heartbeat
from wmtui.words.styled import Glyph, Styled
from wmtui.words.values import ABSENT, exact_instant, span

COLUMNS = ("id", "table", "lease", "owner", "pid", "phase", "rows", "seen", "batch")


@click.command(cls=Command, examples=["wmtui locks", "wmtui locks --json"])
@pass_invocation
def locks(invocation: Invocation) -> ExitCode:
    """Show the leases of live runs, and of dead ones that no run has taken over yet."""
    console = invocation.console
    found = invocation.service.locks.held()
    held = [lock for lock in found if isinstance(lock, Heartbeat)]
    unreadable = [lock for lock in found if isinstance(lock, WmtuiError)]
    code = combine(error.exit_code for error in unreadable)
    if invocation.options.json:
        console.json({"exit_code": int(code), "locks": [_as_json(lock) for lock in found]})
    elif held:
        show_table(console, COLUMNS, [_row(lock) for lock in held], numbers=("pid", "rows"))
    else:
        console.tell("no table is held")
    for error in unreadable:
        invocation.report(error)
    return code


@click.command(cls=Command, examples=["wmtui unlock 0198a4f3c0001a2b3c", "wmtui unlock 0198a4f3c0001a2b3c --yes"])
@click.argument("lease_id", metavar="ID")
@pass_invocation
def unlock(invocation: Invocation, lease_id: str) -> None:
    """Break the lease of this id, as `wmtui locks` shows it; a run that still holds it stops."""
    service, options = invocation.service, invocation.options
    lock = service.locks.find(lease_id)
    question = (
        f"Break the lease on {lock.table}? {_holder(lock)} {'is alive and will stop' if lock.held else 'is dead'}."
    )
    if not invocation.agreed(question, unattended=False):
        raise ConfirmationNeeded(
            f"{lease_id} was not broken", f"{_holder(lock)} holds {lock.table}, and it was not confirmed", "add --yes"
        )
    service.locks.unlock(lock, reason=options.reason)
    if options.json:
        invocation.console.json(_as_json(lock))
    else:
        invocation.console.data(f"{lock.table} is free; it was held by {_holder(lock)}, seen {span(lock.age)} ago")


def _row(lock: Heartbeat) -> Row:
    held = lock.document
    state = Styled.marked(Glyph.GOOD, "live") if lock.held else Styled.marked(Glyph.BAD, "dead")
    owner = f"{held.owner}@{held.host}"
    return (
        str(lock.lease_id),
        str(lock.table),
        state,
        owner,
        str(held.pid),
        str(held.phase),
        str(held.rows),
        f"{span(lock.age)} ago",
        lock.batch or ABSENT,
    )


def _holder(lock: Heartbeat) -> str:
    held = lock.document
    return f"{held.owner}@{held.host} (pid {held.pid})"


def _as_json(lock: Heartbeat | WmtuiError) -> dict[str, Any]:
    if isinstance(lock, WmtuiError):
        return {"error": lock.failure}
    held = lock.document
    return {
        "id": lock.lease_id,
        "table": str(lock.table),
        "live": lock.held,
        "owner": held.owner,
        "host": held.host,
        "pid": held.pid,
        "phase": held.phase,
        "rows": held.rows,
        "acquired": held.acquired and exact_instant(held.acquired),
        "renewed": held.renewed and exact_instant(held.renewed),
        "batch": held.batch,
        "age_seconds": lock.age.total_seconds(),
        "token": lock.token,
        "error": None,
    }

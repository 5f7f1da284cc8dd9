"""`wmtui store`: the store's identity."""

from typing import Any

import click
import msgspec

from wmtui.cli.invocation import Invocation, pass_invocation
from wmtui.cli.options import Command, Group
from wmtui.errors import UsageError
from wmtui.service import StoreInfo


@click.group(cls=Group, examples=["wmtui store show", "wmtui store accept --moved --reason 'bucket renamed'"])
def store() -> None:
    """Show or accept whose store this is."""


@store.command(cls=Command, examples=["wmtui store show", "wmtui store show --json"])
@pass_invocation
def show(invocation: Invocation) -> None:
    """Show the store's id, the places it was written from, and the warehouse of each profile."""
    _show(invocation, invocation.service.ownership.store())


@store.command(cls=Command, examples=["wmtui store accept --moved --reason 'bucket renamed'"])
@click.option("--moved", is_flag=True, help="The store was moved here, and is not written elsewhere any more.")
@pass_invocation
def accept(invocation: Invocation, moved: bool) -> None:
    """Let the store be written from where it is now; needs --reason."""
    if not moved:
        raise UsageError(
            "what is to be accepted?",
            "a copy of a store that is still in use must not be written: rows without a primary key would double",
            "add --moved if the other one is not used any more",
        )
    _show(invocation, invocation.service.ownership.accept_moved(reason=invocation.options.reason or ""))


def _show(invocation: Invocation, found: StoreInfo) -> None:
    console, identity = invocation.console, found.identity
    if invocation.options.json:
        identity_fields: dict[str, Any] = {} if identity is None else msgspec.to_builtins(identity)
        console.json({"root": found.root, "known": found.known, **identity_fields})
        return
    console.data(f"root      {found.root}")
    if identity is None:
        console.data("id        none yet: the first sync or edit gives it one")
        return
    console.data(f"id        {identity.id}")
    console.data(f"format    {identity.format}")
    for root in identity.roots:
        why = f": {root.reason}" if root.reason else ""
        console.data(f"written   from {root.root} since {root.at}, by {root.by}{why}")
    for profile, warehouse in sorted(identity.warehouses.items()):
        console.data(f"warehouse {warehouse} of profile {profile}")
    for place, proof in sorted(identity.proven.items()):
        console.data(f"proven    conditional writes on {place} at {proof.at}")
    if not found.known:
        console.tell("this root is new: if the store was moved, `wmtui store accept --moved --reason …`")

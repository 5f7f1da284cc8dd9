"""Leaving the screen."""

import asyncio

from wmtui.errors import ExitCode
from wmtui.texts import count
from wmtui.tui.dialogs.pick import PickDialog, PickItem
from wmtui.tui.shell import Shell

_POLL_SECONDS = 0.1


async def quit_screen(shell: Shell) -> None:
    """Leave; while syncs run, ask how."""
    syncs = shell.sync_queue
    if not syncs.busy:
        shell.leave(ExitCode.DONE)
        return
    items = [
        PickItem("stay", "go on working"),
        PickItem("finish", "leave once every sync has ended"),
        PickItem("abort", "stop them between parts, then leave; the next sync resumes"),
    ]
    under_way = count(len(syncs.running) + len(syncs.waiting), "sync")
    answer = await shell.open_dialog(PickDialog(f"{under_way} under way", items))
    if answer not in ("finish", "abort"):
        return
    if answer == "abort":
        syncs.cancel_all()
    left = len(syncs.running)
    shell.say(f"leaving once {count(left, 'sync')} {'has' if left == 1 else 'have'} ended")
    while syncs.busy:
        await asyncio.sleep(_POLL_SECONDS)
    shell.leave(ExitCode.DONE)

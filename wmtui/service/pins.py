"""Holding a table: neither a run nor an operator moves a pinned watermark."""

from datetime import datetime

from wmtui.config import Duration
from wmtui.errors import UsageError
from wmtui.model import TableName
from wmtui.service.watermarks import Watermarks
from wmtui.service.workspace import Workspace
from wmtui.watermarks import changes
from wmtui.watermarks.changes import Action, Patch
from wmtui.watermarks.model import Watermark
from wmtui.watermarks.pins import pin_at, refuse_pinned
from wmtui.watermarks.timestamps import parse_point, to_instant


class Pins:
    """Pins and unpins watermarks. A pending run stays pending: the next extraction resumes it."""

    def __init__(self, workspace: Workspace, watermarks: Watermarks) -> None:
        self._workspace = workspace
        self._watermarks = watermarks

    def pin(self, table: TableName, *, reason: str, until: str | None = None) -> Watermark:
        """Hold a table. until: a point in the future as people type it, or a duration from now such as `2h`.

        The owner may pin it again, which replaces reason and expiry. Raises UsageError for a bad point or without a
        reason, Pinned while another user holds it, LeaseHeld during a run.
        """
        workspace = self._workspace
        workspace.require_write(reason)
        if not reason.strip():
            raise UsageError("why is it pinned?", "those who meet the pin need to know", "add --reason '…'")
        workspace.hear_clock()
        now, owner = workspace.clock(), workspace.author.actor
        patch = changes.pin(owner, reason, now, None if until is None else self._expiry(until, now))

        def edit(mark: Watermark) -> Patch:
            self._refuse_running(table)
            held = pin_at(mark, now)
            if held is not None and held.get("owner") != owner:
                refuse_pinned(mark, now)
            return patch

        workspace.watermarks.change(table, Action.PIN, edit, reason=reason)
        return self._watermarks.get(table)

    def is_pinned(self, mark: Watermark) -> bool:
        """Whether a pin holds the watermark now."""
        return pin_at(mark, self._workspace.clock()) is not None

    def unpin(self, table: TableName, *, reason: str | None = None) -> Watermark:
        """Unpin a table, also for another operator; the journal says who did. Raises UsageError without a pin."""
        workspace = self._workspace
        workspace.require_write(reason)

        def edit(mark: Watermark) -> Patch:
            if mark.fields["pin"] is None:
                raise UsageError(
                    f"{table} is not pinned", "there is nothing to take back", f"see `wmtui watermark get -t {table}`"
                )
            self._refuse_running(table)
            return changes.unpin()

        workspace.watermarks.change(table, Action.UNPIN, edit, reason=reason)
        return self._watermarks.get(table)

    def _refuse_running(self, table: TableName) -> None:
        """A run bases its changes on the document it knows: one that changes meanwhile would end it. Asked again for
        every document that is to be written over: a run may have begun since the last.
        """
        heartbeat = self._workspace.heartbeat(table)
        if heartbeat.held:
            raise heartbeat.refusal()

    def _expiry(self, text: str, now: datetime) -> datetime:
        workspace = self._workspace
        try:
            return now.replace(microsecond=0) + Duration.parse(text)
        except ValueError:
            point = parse_point(text, now=now, zone=workspace.zone, presets=workspace.settings.presets, force=True)
        until = to_instant(point, workspace.zone)
        if until <= now:
            raise UsageError(
                f"a pin until {text} holds nothing",
                "that is in the past",
                "name a point in the future, or a duration such as 2h",
            )
        return until

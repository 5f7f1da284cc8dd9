"""Looking at watermarks and moving them.

A pinned watermark is not moved by hand either, also not with --force: who pinned it counts on where it is. It is
unpinned first, which the journal shows.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from wmtui.errors import ConfirmationNeeded, Conflict, RowsWouldDouble, Unreadable, UsageError
from wmtui.model import TableName
from wmtui.service.workspace import Workspace
from wmtui.watermarks import changes, documents
from wmtui.watermarks.bounds import LARGEST
from wmtui.watermarks.changes import Action, MakePatch, Patch
from wmtui.watermarks.lease import Heartbeat
from wmtui.watermarks.model import Json, Watermark
from wmtui.watermarks.pins import refuse_pinned
from wmtui.watermarks.source_progress import read_to
from wmtui.watermarks.timestamps import format_wall, parse_point, preset_names, to_instant
from wmtui.watermarks.zones import refuse_foreign, wall_of

if TYPE_CHECKING:
    from wmtui.service.table_documents import Consequence

_TRIES = 60
"""Lost races of an edit before giving up, as many as the store's own."""


class Watermarks:
    """Every operation on watermarks. Points are text as people type it, in the profile's zone."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def get(self, table: TableName) -> Watermark:
        """The watermark of a table, of a new one when it was never synced. Raises WatermarkGone, Unreadable."""
        return self._workspace.watermarks.read(table).watermark

    def standing(self, table: TableName) -> Watermark:
        """The watermark of a table; of a document that is gone what the journal knows, for a decision about it."""
        return self._workspace.watermarks.standing(table)

    def restore(self, table: TableName, *, reason: str | None = None) -> "Consequence":
        """Bring a document that is gone back as its newest change left it, a pending run too.

        Raises LeaseHeld during a run, Conflict when it is there again, Unreadable where the journal has gaps.
        """
        self._workspace.require_write(reason)
        heartbeat = self._workspace.heartbeat(table)
        if heartbeat.held:
            raise heartbeat.refusal()
        self._workspace.watermarks.restore(table, reason=reason)
        return self._changed(table)

    def system(self) -> datetime | None:
        """The system watermark, wall clock in the profile's zone; None when there is none."""
        return self._workspace.watermarks.system()

    def lag(self, mark: Watermark, heartbeat: Heartbeat) -> timedelta | None:
        """How long before now the source was read up to; None where nothing was."""
        reached = read_to(mark, heartbeat, self._workspace.zone)
        now = heartbeat.now or self._workspace.clock()
        return None if reached is None else max(now - reached, timedelta(0))

    def point(self, text: str, *, force: bool = False) -> datetime:
        """A typed point as wall clock in the profile's zone; raises UsageError."""
        workspace = self._workspace
        workspace.hear_clock()
        return parse_point(
            text, now=workspace.clock(), zone=workspace.zone, presets=workspace.settings.presets, force=force
        )

    def presets(self) -> list[tuple[str, datetime]]:
        """The names that stand for points, and the points, wall clock in the profile's zone."""
        names = preset_names(self._workspace.settings.presets)
        return [(name, self.point(name, force=True)) for name in names]

    def set(
        self,
        table: TableName,
        text: str,
        *,
        force: bool = False,
        reason: str | None = None,
        seen: Watermark | None = None,
    ) -> "Consequence":
        """Place a table's watermark at a point by hand.

        seen: the watermark that the decision was based on; None: it is placed whatever is there. Raises UsageError
        for a bad point, ConfirmationNeeded where moving back doubles rows, LeaseHeld during a run, and Conflict when
        the watermark is no longer the one seen.
        """
        self._workspace.require_write(reason)
        wall = self.point(text, force=force)
        instant = to_instant(wall, self._workspace.zone)

        def edit(mark: Watermark) -> Patch:
            before = wall_of(mark, self._workspace.zone)
            if before is not None and wall < before:
                self.refuse_doubling(table, force)
            author = self._workspace.author
            return changes.set_point(mark, wall, instant, self._after_every_run(table), f"{author.actor}@{author.host}")

        return self.change(table, Action.SET, edit, reason=reason, seen=seen)

    def _after_every_run(self, table: TableName) -> datetime:
        """Now, or after the newest run of a host whose clock is ahead: an edit comes after every run so far."""
        from wmtui.runs.run_document import RunStore, new_run_id, run_started

        now = self._workspace.clock()
        later = map(run_started, RunStore(self._workspace.objects, table).since(new_run_id(now)))
        return max([now, *(started + timedelta(milliseconds=1) for started in later)])

    def reset(
        self, table: TableName, *, force: bool = False, reason: str | None = None, seen: Watermark | None = None
    ) -> "Consequence":
        """Make a table new again, in the next epoch. Data in the store and the warehouse is never touched.

        seen: as for `set`. Raises ConfirmationNeeded where starting again doubles rows, LeaseHeld during a run, and
        Conflict when the watermark is no longer the one seen.
        """
        self._workspace.require_write(reason)
        self.refuse_doubling(table, force)
        return self.change(table, Action.RESET, changes.reset, reason=reason, seen=seen)

    def import_document(
        self, table: TableName, document: Mapping[str, Any], *, force: bool = False, reason: str | None = None
    ) -> "Consequence":
        """Take over the fields of a document that `get --json` printed, unless the watermark changed since.

        Raises UsageError when it is no watermark of this table or lies in the future, ConfigError when its point is in
        another time zone than the profile's, ConfirmationNeeded where moving back doubles rows, Conflict when its
        serial is not the current one.
        """
        self._workspace.require_write(reason)
        seen = _imported(table, document)
        refuse_foreign(seen, self._workspace.zone)
        if seen.data_timestamp is not None:
            self.point(format_wall(seen.data_timestamp), force=force)
        patch = changes.import_fields(seen, document)
        if (size := len(documents.encode(patch))) > LARGEST:
            raise UsageError(
                f"the document of {table} is too large",
                f"its fields have {size:,} bytes, and every change and every look moves all of them",
                f"leave fields of other tools out: {LARGEST:,} bytes are the most",
            )

        def edit(mark: Watermark) -> Patch:
            before = wall_of(mark, self._workspace.zone)
            if before is not None and seen.data_timestamp != before:
                self.refuse_doubling(table, force)
            return patch

        return self.change(table, Action.IMPORT, edit, reason=reason, seen=seen if seen.serial else None)

    def set_system(
        self, text: str, *, force: bool = False, confirmed: bool = False, reason: str | None = None
    ) -> datetime:
        """Move the system watermark, which every table without its own starts from; returns it re-read.

        Raises ConfirmationNeeded unless forced or confirmed.
        """
        self._workspace.require_write(reason)
        wall = self.point(text, force=force).replace(microsecond=0)
        if not (force or confirmed):
            raise ConfirmationNeeded(
                "moving the system watermark needs a yes",
                "every table without a watermark of its own starts from it",
                "add --force, or name one table with -t",
            )
        self._workspace.watermarks.set_system(wall)
        return self.system() or wall

    def change(
        self, table: TableName, action: Action, edit: MakePatch, *, reason: str | None, seen: Watermark | None = None
    ) -> "Consequence":
        """Move a watermark by hand: refused while it is pinned or a run is alive, a pending run is settled first.

        What comes of it must be in the profile's time zone: ConfigError else.
        seen: the document the change is based on; None: it is computed on whatever is there. Either way it is written
        over the very document in which no run was pending: one that changes meanwhile is looked at and settled again.
        """

        def unpinned(mark: Watermark) -> Patch:
            refuse_pinned(mark, self._workspace.clock())
            patch = edit(mark)
            refuse_foreign(mark.patched(patch), self._workspace.zone)
            return patch

        for attempt in range(_TRIES):
            try:
                self._change_settled(table, action, unpinned, reason, seen)
                return self._changed(table)
            except Conflict as error:
                if seen is not None or type(error) is not Conflict:
                    raise
                documents.pause(attempt)
        raise Conflict(
            f"could not change the watermark of {table}",
            f"{_TRIES} times another process was quicker",
            "see who writes it with `wmtui locks`, then try again",
        )

    def _change_settled(
        self, table: TableName, action: Action, edit: MakePatch, reason: str | None, seen: Watermark | None
    ) -> None:
        from wmtui.runs.settle import settle_for_edit

        workspace = self._workspace
        mark = self.standing(table)
        edit(mark)  # What is refused anyway settles nothing.
        settled = settle_for_edit(workspace.objects, workspace.watermarks, mark, workspace.clock())
        if seen is None or (seen.serial == mark.serial and settled is not mark):
            seen = settled
        workspace.watermarks.change(table, action, edit, reason=reason, based_on=seen, by_hand=True)

    def refuse_doubling(self, table: TableName, force: bool) -> None:
        """Raises ConfirmationNeeded where rows that are read or loaded again are appended again."""
        if not self._workspace.config(table).primary_key and not force:
            raise RowsWouldDouble(
                f"{table} has no primary key",
                "reading or loading again appends the same rows once more",
                "add --force if that is what you want",
            )

    def _changed(self, table: TableName) -> "Consequence":
        """The watermark as it is after a change, re-read, and what follows from it."""
        from wmtui.service.table_documents import TableDocuments, consequence

        documents = TableDocuments.read(self._workspace, table)
        return consequence(self._workspace, documents, self._workspace.new_filter())


def _imported(table: TableName, document: Mapping[str, Any]) -> Watermark:
    import json

    data: Json = {**document, "table_name": document.get("table_name")}
    try:
        return Watermark.decode(table, json.dumps(data).encode(), "the document")
    except Unreadable as error:
        raise UsageError(
            f"this is no watermark of {table}", error.why, "give what `wmtui watermark get --json` printed"
        ) from None

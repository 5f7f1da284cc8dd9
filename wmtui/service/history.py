"""What happened to a watermark, and going back."""

from dataclasses import dataclass
from typing import Any

from wmtui.errors import Unreadable, UsageError
from wmtui.model import TableName
from wmtui.service.watermarks import Changed, Watermarks
from wmtui.service.workspace import Workspace
from wmtui.watermarks import documents
from wmtui.watermarks.journal import Journal, difference
from wmtui.watermarks.model import Json, Watermark, patch_undo

OUTSIDE = "changed outside wmtui, not adopted yet"


@dataclass(frozen=True)
class Entry:
    """One change. at: ISO 8601, UTC. diff: the fields it changed, each from → to.

    serial, at, actor, host None: made outside wmtui since the last change; the next change adopts it.
    """

    serial: int | None
    at: str | None
    actor: str | None
    host: str | None
    action: str
    reason: str | None
    diff: dict[str, tuple[Any, Any]]


class History:
    """The journal of every table."""

    def __init__(self, workspace: Workspace, watermarks: Watermarks) -> None:
        self._workspace = workspace
        self._watermarks = watermarks

    def entries(self, table: TableName, last: int | None = None) -> list[Entry | Unreadable]:
        """Every change of a watermark, oldest first, and in its place why one cannot be read.

        last: only so many of the newest. Nothing is written, also where an edit made outside is found.
        """
        try:
            riding = self._watermarks.get(table).change
            outside = self._outside(table)
        except Unreadable as error:
            riding, outside = None, [error]
        known = {riding["serial"]: riding} if riding else {}
        journal = Journal(self._workspace.objects, table)
        serials = sorted({*journal.serials(), *known})
        wanted = list(range(serials[0], serials[-1] + 1)) if serials else []

        def read(serial: int) -> Entry | Unreadable:
            try:
                entry = journal.get(serial) or known.get(serial)
            except Unreadable as error:
                return error
            return _entry(entry) if entry else Unreadable(journal.key(serial), "it is missing")

        return [*self._workspace.each(read, wanted if last is None else wanted[-last:]), *outside]

    def undo(
        self,
        table: TableName,
        to: int | None = None,
        *,
        force: bool = False,
        reason: str | None = None,
        seen: Watermark | None = None,
    ) -> Changed:
        """Take the last change back, or go back to how the change of serial `to` left the watermark.

        This is a change of its own, so that it can be undone too. A pending run is settled first. What loads and runs
        did to store and warehouse stays. seen: the watermark somebody looked at when deciding; None: the one that is
        there now. Raises UsageError when there is nothing to undo, ConfirmationNeeded where
        moving back doubles rows, Pinned, LeaseHeld during a run, Conflict when the watermark changes meanwhile, and
        Unreadable.
        """
        self._workspace.require_write(reason)
        seen = seen or self._watermarks.get(table)
        earlier = self._before(table, seen) if to is None else self._left_by(table, seen, to)
        if not difference({**seen.content, **patch_undo(seen, earlier)}, seen.content):
            raise UsageError(
                f"nothing to undo for {table}",
                "the watermark is as it was then" if to else "the last change left every field that undo restores",
                f"see `wmtui watermark history -t {table}`, then name a serial with --to",
            )

        def edit(mark: Watermark) -> Json:
            if _moves_back(mark, earlier):
                self._watermarks.refuse_doubling(table, force)
            return patch_undo(mark, earlier)

        return self._watermarks.change(table, "undo", edit, reason=reason, seen=seen)

    def _outside(self, table: TableName) -> list[Entry | Unreadable]:
        found = self._workspace.watermarks.unadopted(table)
        if found is None:
            return []
        before, mark = found
        diff = difference(before, mark.content) if before else {}
        return [Entry(None, None, None, None, "external", OUTSIDE, diff)]

    def _before(self, table: TableName, seen: Watermark) -> Watermark:
        """The document before the last change, which may be one made outside."""
        outside = self._workspace.watermarks.unadopted(table)
        content = outside[0] if outside else (seen.change or {}).get("before")
        if not content:
            raise UsageError(
                f"nothing to undo for {table}",
                "nothing is known of what was before",
                f"see `wmtui watermark history -t {table}`",
            )
        return self._document(table, content, seen.serial)

    def _left_by(self, table: TableName, seen: Watermark, serial: int) -> Watermark:
        """The document as the change of a serial left it."""
        riding = seen.change if seen.serial == serial else None
        entry = riding or Journal(self._workspace.objects, table).get(serial)
        if entry is None:
            raise UsageError(
                f"{table} has no change {serial}",
                f"its last one is {seen.serial}",
                f"see `wmtui watermark history -t {table}` for the serials",
            )
        return self._document(table, entry["after"], serial)

    def _document(self, table: TableName, content: Json, serial: int) -> Watermark:
        key = Journal(self._workspace.objects, table).key(serial)
        return Watermark.decode(table, documents.encode(content), key)


def _entry(entry: Json) -> Entry:
    words = (entry.get(name) for name in ("at", "actor", "host", "action", "reason"))
    at, actor, host, action, reason = (None if word is None else str(word) for word in words)
    return Entry(
        entry["serial"], at, actor, host, action or "unknown", reason, difference(entry["before"], entry["after"])
    )


def _moves_back(mark: Watermark, earlier: Watermark) -> bool:
    """Whether rows are read or files loaded a second time: the position is earlier, or the epoch another."""
    if earlier.epoch != mark.epoch:
        return True
    if mark.data_timestamp is None:
        return False
    return earlier.data_timestamp is None or earlier.data_timestamp < mark.data_timestamp

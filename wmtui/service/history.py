"""What happened to a watermark, and going back."""

from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import Struct

from wmtui.errors import Unreadable, UsageError, WatermarkGone
from wmtui.model import TableName
from wmtui.service.table_documents import Consequence
from wmtui.service.watermarks import Watermarks
from wmtui.service.workspace import Workspace
from wmtui.watermarks import changes, documents, journal_entries
from wmtui.watermarks.changes import Action, Patch
from wmtui.watermarks.journal import Journal
from wmtui.watermarks.journal_entries import difference
from wmtui.watermarks.model import Json, Watermark
from wmtui.watermarks.zones import instant_of

OUTSIDE = "changed outside wmtui, not adopted yet"
BY_HAND = frozenset({Action.SET, Action.RESET, Action.IMPORT, Action.UNDO, Action.EXTERNAL})
"""What the journal calls changes that an operator made to a position; others are made by runs, or about pins."""
RECENT = 200
"""Among so many of the newest changes an edit is looked for."""


class Entry(Struct, frozen=True):
    """One change. at: ISO 8601, UTC. diff: the fields it changed, each from → to.

    serial, at, actor, host None: made outside wmtui since the last change; the next change adopts it. previous: the
    serial of the change before.
    """

    serial: int | None
    at: str | None
    actor: str | None
    host: str | None
    action: str
    reason: str | None
    diff: dict[str, tuple[Any, Any]]
    previous: int | None = None


class WayBack(Struct, frozen=True):
    """What an `undo` would change, not made yet.

    to: as `History.undo` takes it; None: before the last change. seen: the watermark this was computed on. diff: the
    fields that would change, each from → to. doubles: without a primary key rows would be appended a second time, which
    `undo` does only with `force`. edit: the change that is taken back, where it is one. gone: the document was deleted,
    and comes back as its newest change left it.
    """

    to: int | None
    seen: Watermark
    diff: dict[str, tuple[Any, Any]]
    doubles: bool
    edit: Entry | None = None
    gone: bool = False


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
        journal = Journal(self._workspace.objects, table, riding)
        serials = sorted({*journal.serials(), *([riding["serial"]] if riding else [])})

        def read(serial: int) -> Entry | Unreadable:
            try:
                entry = journal.get(serial)
            except Unreadable as error:
                return error
            return entry_of(entry) if entry else Unreadable(journal.key(serial), "it is missing")

        serials_shown = serials if last is None else serials[-last:]
        return [*_with_gaps(self._workspace.each(read, serials_shown), serials_shown, journal), *outside]

    def last_edit(self, table: TableName) -> "WayBack | None":
        """The newest change that was made by hand, and what taking it back would change; None when there is none.

        What runs wrote about themselves since then does not matter to an operator who takes an edit back. Raises
        Unreadable, and UsageError where nothing is known of what was before.
        """
        try:
            seen = self._watermarks.get(table)
        except WatermarkGone:
            seen = self._watermarks.standing(table)
            diff = difference(Watermark.new(table).content, seen.content)
            return WayBack(to=None, seen=seen, diff=diff, doubles=False, gone=True)
        found = self.entries(table, RECENT)
        edits = [entry for entry in found if isinstance(entry, Entry) and entry.action in BY_HAND]
        if not edits:
            return None
        newest = edits[-1]
        to = None if newest is found[-1] or newest.serial is None else newest.previous
        return self._way(table, seen, to, newest)

    def way_back(self, table: TableName, to: int) -> "WayBack":
        """What going back to how a change left the watermark would change. Raises Unreadable, UsageError."""
        return self._way(table, self._watermarks.standing(table), to)

    def undo(
        self,
        table: TableName,
        to: int | None = None,
        *,
        force: bool = False,
        reason: str | None = None,
        seen: Watermark | None = None,
    ) -> Consequence:
        """Take the last change back, or go back to how the change of serial `to` left the watermark.

        This is a change of its own, so that it can be undone too. A pending run is settled first. What loads and runs
        did to store and warehouse stays. A document that is gone comes back: as its newest change left it, or as `to`
        did. seen: the watermark that the decision was based on; None: the one that is there now. Raises UsageError
        when there is nothing to undo, ConfirmationNeeded where moving back doubles rows, Pinned, LeaseHeld during a
        run, Conflict when the watermark changes meanwhile, and Unreadable.
        """
        self._workspace.require_write(reason)
        try:
            now = self._watermarks.get(table)
        except WatermarkGone:
            if to is None:
                return self._watermarks.restore(table, reason=reason)
            now = self._watermarks.standing(table)
        seen = seen or now
        earlier = self._earlier(table, seen, to)
        if not self._diff(seen, earlier):
            raise UsageError(
                f"nothing to undo for {table}",
                "the watermark is as it was then"
                if to is not None
                else "the last change left every field that undo restores",
                f"see `wmtui watermark history -t {table}`, then name a serial with --to",
            )

        def edit(mark: Watermark) -> Patch:
            if self._moves_back(mark, earlier):
                self._watermarks.refuse_doubling(table, force)
            return changes.undo(mark, earlier)

        return self._watermarks.change(table, Action.UNDO, edit, reason=reason, seen=seen)

    def _way(self, table: TableName, seen: Watermark, to: int | None, edit: Entry | None = None) -> "WayBack":
        earlier = self._earlier(table, seen, to)
        doubles = not self._workspace.config(table).primary_key and self._moves_back(seen, earlier)
        return WayBack(to=to, seen=seen, diff=self._diff(seen, earlier), doubles=doubles, edit=edit)

    def _earlier(self, table: TableName, seen: Watermark, to: int | None) -> Watermark:
        return self._before(table, seen) if to is None else self._left_by(table, seen, to)

    def _moves_back(self, mark: Watermark, earlier: Watermark) -> bool:
        """Whether rows are read or files loaded a second time: the position is earlier, or the epoch another."""
        if earlier.epoch != mark.epoch:
            return True
        now, then = (instant_of(each, self._workspace.zone) for each in (mark, earlier))
        return now is not None and (then is None or then < now)

    @staticmethod
    def _diff(seen: Watermark, earlier: Watermark) -> dict[str, tuple[Any, Any]]:
        return difference(seen.content, {**seen.content, **changes.undo(seen, earlier)})

    def _outside(self, table: TableName) -> list[Entry | Unreadable]:
        found = self._workspace.watermarks.unadopted(table)
        if found is None:
            return []
        before, mark = found
        diff = difference(before, mark.content) if before else {}
        return [Entry(serial=None, at=None, actor=None, host=None, action=Action.EXTERNAL, reason=OUTSIDE, diff=diff)]

    def _before(self, table: TableName, seen: Watermark) -> Watermark:
        """The document before the last change, which may be one made outside."""
        outside = self._workspace.watermarks.unadopted(table)
        change = seen.change
        content = outside[0] if outside else change and journal_entries.taken_back(seen.content, change)
        if not content:
            raise UsageError(
                f"nothing to undo for {table}",
                "nothing is known of what was before",
                f"see `wmtui watermark history -t {table}`",
            )
        return self._document(table, content, seen.serial)

    def _left_by(self, table: TableName, seen: Watermark, serial: int) -> Watermark:
        """The document as the change of a serial left it; the one before the first change for 0."""
        if serial and serial == seen.serial and seen.unchanged_outside:
            return seen
        journal = Journal(self._workspace.objects, table, seen.change)
        entry = journal.get(serial or 1)
        if entry is None and (serial > seen.serial or seen.serial == 0):
            raise UsageError(
                f"{table} has no change {serial}",
                f"its last one is {seen.serial}",
                f"see `wmtui watermark history -t {table}` for the serials",
            )
        content, _ = journal.left_by(serial or 1)
        if not serial and entry is not None:
            content = journal_entries.taken_back(content, entry)
        return self._document(table, content, serial)

    def _document(self, table: TableName, content: Json, serial: int) -> Watermark:
        key = Journal(self._workspace.objects, table).key(serial)
        return Watermark.decode(table, documents.encode(content), key)


def entry_of(entry: Json) -> Entry:
    """A change as the journal or the watermark has it."""
    texts = {name: None if entry.get(name) is None else str(entry[name]) for name in ("at", "actor", "host", "reason")}
    return Entry(
        serial=entry["serial"],
        action=str(entry.get("action") or "unknown"),
        diff=journal_entries.field_changes(entry),
        previous=journal_entries.previous_of(entry),
        **texts,
    )


def _with_gaps(
    found: Sequence[Entry | Unreadable], serials: Sequence[int], journal: Journal
) -> Iterator[Entry | Unreadable]:
    """Entries, and in their place those that are missing: a serial may be left out only if the next one says so."""
    for number, (serial, entry) in enumerate(zip(serials, found, strict=True)):
        before = serials[number - 1] if number else serial - 1
        expected = entry.previous if isinstance(entry, Entry) else before
        missing = 0 if expected is None else min(serial - 1, expected) - before
        if missing > 0:
            more = f", and so are the {missing - 1} after it" if missing > 1 else ""
            yield Unreadable(journal.key(before + 1), f"it is missing{more}")
        yield entry

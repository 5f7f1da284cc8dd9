"""The watermark store: every table's document in the object store, changed by compare-and-swap only."""

import contextlib
import getpass
import socket
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from msgspec import Struct

from wmtui.errors import Conflict, ObjectMissing, PreconditionFailed, StoreError, Unreadable
from wmtui.model import Clock, TableName
from wmtui.objects import ObjectStore
from wmtui.objects.conditions import prove_conditions
from wmtui.watermarks import documents
from wmtui.watermarks import identity as identities
from wmtui.watermarks.documents import Json
from wmtui.watermarks.journal import Journal
from wmtui.watermarks.model import VERSION, Watermark, complete, keep_highest_epoch
from wmtui.watermarks.timestamps import format_instant, format_wall, parse_wall
from wmtui.watermarks.zones import is_foreign

SYSTEM_KEY = "watermark/last_run_timestamp.txt"
_UTC = ZoneInfo("UTC")
_SEEN_SECONDS = 10.0
_ATTEMPTS = 60
"""Lost races before giving up; with the jitter below 32 writers on one document all get through."""

Edit = Callable[[Watermark], Mapping[str, Any]]
"""Computes the patch from the document as it is; called anew after every lost race."""


class Stored(Struct, frozen=True):
    """A watermark as read, with its ETag; None: there is no document."""

    watermark: Watermark
    etag: str | None


class Author(Struct, frozen=True):
    """Who changes a watermark, for the journal."""

    actor: str
    host: str

    @classmethod
    def current(cls) -> "Author":
        """The user and host of this process."""
        try:
            actor = getpass.getuser()
        except (KeyError, OSError):
            actor = "unknown"
        return cls(actor, socket.gethostname())


class WatermarkStore:
    """Reads and changes watermarks. Absent is not unreadable: a missing document is a new table, a corrupt one raises
    Unreadable and is never overwritten. Safe to share between threads. zone: the profile's, which every change notes
    unless the document is in another one and the patch leaves its point there.
    """

    def __init__(self, objects: ObjectStore, clock: Clock, author: Author, zone: ZoneInfo = _UTC) -> None:
        self._objects = objects
        self._clock = clock
        self._author = author
        self.zone = zone
        self._proven = False
        self._identity: identities.StoreIdentity | None = None
        self._seen: tuple[float, identities.StoreIdentity | None] | None = None
        self._proving = threading.Lock()

    @staticmethod
    def key(table: TableName) -> str:
        """Where a table's document is."""
        return f"watermark/tables/{table.key}.json"

    def read(self, table: TableName) -> Stored:
        """The document as it is, of a new table when there is none."""
        key = self.key(table)
        try:
            found = self._objects.get(key)
        except ObjectMissing:
            return Stored(Watermark.new(table), None)
        return Stored(Watermark.decode(table, found.data, key), found.info.etag)

    def current(self, table: TableName) -> Watermark:
        """The document a run works on: what was changed outside is adopted first, so that an epoch or fence that an
        older or deleted document lost is back before files are judged by it.
        """
        return self._adopted(table, self.read(table)).watermark

    def unadopted(self, table: TableName) -> tuple[Json, Watermark] | None:
        """The document as somebody left it behind wmtui's back, and the content before; None if nobody did.

        Nothing is written: the next change adopts it. Raises Unreadable.
        """
        journal = Journal(self._objects, table)
        for _ in range(_ATTEMPTS):
            stored = self.read(table)
            newest = journal.newest(stored.watermark.serial)
            if not _changed_outside(stored, newest):
                return None
            # A change that lands meanwhile looks the same: its entry is newer than the document just read.
            if self.read(table).etag == stored.etag:
                return _before_outside(journal, stored.watermark, newest), stored.watermark
        return None

    def change(
        self, table: TableName, action: str, edit: Edit, *, reason: str | None = None, based_on: Watermark | None = None
    ) -> Watermark:
        """Apply a patch by compare-and-swap and record it in the journal; returns the document written.

        based_on: the document somebody has seen; if it has changed since, Conflict shows both. Without it the patch
        is computed anew on whatever is there. Raises ConditionsIgnored where compare-and-swap cannot be trusted.
        A change that landed is a success even if its journal entry could not be copied yet: the next one copies it.
        """
        self.require_conditions()
        for attempt in range(_ATTEMPTS):
            found = self.read(table)
            stored = self._adopted(table, found)
            if based_on is not None:
                if not _is_seen(based_on, found, adopted=stored is not found):
                    raise _conflict(based_on, stored.watermark)
                based_on = stored.watermark
            written = self._write(stored, action, edit(stored.watermark), reason)
            if written is not None:
                return written
            documents.pause(attempt)
        raise Conflict(
            f"could not change the watermark of {table}",
            f"{_ATTEMPTS} times somebody else was quicker",
            "see who writes it with `wmtui locks`, then try again",
        )

    def require_conditions(self) -> None:
        """Prove once per process that the store checks conditional writes; raises ConditionsIgnored."""
        with self._proving:
            if not self._proven:
                prove_conditions(self._objects)
                self._proven = True

    def identity(self) -> identities.StoreIdentity:
        """Whose store this is, made by the first write. Raises ConditionsIgnored, Unreadable."""
        self.require_conditions()
        with self._proving:
            if self._identity is None:
                now = format_instant(self._clock())
                self._identity = identities.ensure(
                    self._objects, now=now, by=f"{self._author.actor}@{self._author.host}"
                )
            return self._identity

    def forget_identity(self) -> None:
        """Read it again the next time: somebody changed it."""
        with self._proving:
            self._identity = self._seen = None

    def known_identity(self) -> identities.StoreIdentity | None:
        """The same, read only and seconds old at most: None where nothing was ever written. Raises Unreadable."""
        with self._proving:
            if self._identity is not None:
                return self._identity
            if self._seen is None or time.monotonic() - self._seen[0] > _SEEN_SECONDS:
                found = identities.read(self._objects)
                self._seen = (time.monotonic(), found and found[0])
            return self._seen[1]

    def remember_warehouse(self, profile: str, warehouse: str) -> None:
        """Note which warehouse a profile loads into, unless that is known."""
        if self.identity().warehouses.get(profile) != warehouse:
            changed = identities.remember_warehouse(self._objects, profile, warehouse)
            with self._proving:
                self._identity = changed

    def system(self) -> datetime | None:
        """The system watermark, wall clock in the profile's zone; None when there is none. Raises Unreadable."""
        return self._read_system()[0]

    def set_system(self, wall: datetime) -> None:
        """Move the system watermark. Raises Conflict when somebody moves it at the same moment, Unreadable."""
        self.require_conditions()
        _, etag = self._read_system()
        try:
            documents.write(self._objects, SYSTEM_KEY, format_wall(wall, 0).encode() + b"\n", etag)
        except PreconditionFailed:
            if self.system() != wall.replace(microsecond=0):
                raise Conflict(
                    "the system watermark was moved by somebody else at the same moment",
                    f"it is {format_wall(self.system() or wall)} now",
                    "look at it with `wmtui watermark get`, then decide again",
                ) from None

    def _read_system(self) -> tuple[datetime | None, str | None]:
        """The system watermark and its ETag."""
        try:
            found = self._objects.get(SYSTEM_KEY)
        except ObjectMissing:
            return None, None
        try:
            return parse_wall(found.data.decode("utf-8", "replace").strip()), found.info.etag
        except ValueError as error:
            raise Unreadable(SYSTEM_KEY, str(error)) from None

    def _adopted(self, table: TableName, stored: Stored) -> Stored:
        """A document changed outside wmtui becomes a change of its own before the next one.

        Its fence never goes back. Its epoch may, if it says so: somebody restored an earlier version on purpose.
        """
        mark = stored.watermark
        journal = Journal(self._objects, table)
        if mark.change is not None:
            journal.append(mark.change)
        newest = journal.newest(mark.serial)
        if not _changed_outside(stored, newest):
            return stored
        before = _before_outside(journal, mark, newest)
        kept = ("epoch", "fence") if mark.serial == 0 else ("fence",)
        mark = mark.patched({name: max(before[name], mark.fields[name]) for name in kept if name in before})
        adopted = Stored(mark, stored.etag)
        written = self._write(adopted, "external", {}, "changed outside wmtui", before=before, serial=newest)
        return stored if written is None else self.read(table)

    def _write(
        self,
        stored: Stored,
        action: str,
        patch: Mapping[str, Any],
        reason: str | None,
        *,
        before: Json | None = None,
        serial: int | None = None,
    ) -> Watermark | None:
        """One compare-and-swap; None when the race was lost."""
        mark = stored.watermark
        before = before or mark.content
        entry = {"action": action, "reason": reason, "before": before}
        zone = self.zone.key if "timezone" in patch or not is_foreign(mark, self.zone) else mark.timezone
        content = {**mark.content, **patch, "timezone": patch.get("timezone") or zone}
        content = keep_highest_epoch(before, content)
        changed = self._stamped(mark, content, (serial or mark.serial) + 1, entry)
        key = self.key(mark.table)
        try:
            documents.write(self._objects, key, changed.encode(), stored.etag)
        except (PreconditionFailed, StoreError) as error:
            if not self._landed(changed):
                if isinstance(error, StoreError):
                    raise
                return None
        with contextlib.suppress(StoreError):
            Journal(self._objects, mark.table).append(changed.fields["metadata"]["change"])
        return changed

    def _stamped(self, mark: Watermark, content: Json, serial: int, entry: Json) -> Watermark:
        """The document with its bookkeeping and the journal entry of its serial."""
        now = format_instant(self._clock())
        write_id = uuid.uuid4().hex
        entry = {
            "serial": serial,
            "write_id": write_id,
            "at": now,
            "actor": self._author.actor,
            "host": self._author.host,
            **entry,
            "after": content,
        }
        metadata = {
            **mark.fields["metadata"],
            "version": VERSION,
            "store": self.identity().id,
            "serial": serial,
            "write_id": write_id,
            "created_at": mark.fields["metadata"].get("created_at", now),
            "updated_at": now,
            "change": entry,
        }
        return Watermark(mark.table, {**content, "metadata": metadata})

    def _landed(self, written: Watermark) -> bool:
        """Whether a write whose answer was a refusal or was lost is in the store after all."""
        if self.read(written.table).watermark.write_id == written.write_id:
            return True
        entry = Journal(self._objects, written.table).get(written.serial)
        return entry is not None and entry.get("write_id") == written.write_id


def _changed_outside(stored: Stored, newest: int) -> bool:
    """A document without serial, older than its journal, or with other fields than its own entry left."""
    mark = stored.watermark
    if stored.etag is None:
        return newest > 0
    return newest > mark.serial or mark.change is None or complete(mark.change["after"]) != mark.content


def _before_outside(journal: Journal, mark: Watermark, newest: int) -> Json:
    """What the document held when wmtui last wrote it; empty when it never did."""
    before: Json = (journal.get(newest) or mark.change or {}).get("after") or {}
    return complete(before) if before else before


def _is_seen(seen: Watermark, found: Stored, *, adopted: bool) -> bool:
    """Whether a document is the one somebody has seen; one changed outside kept its serial, so its content tells."""
    return seen.serial == found.watermark.serial and (not adopted or seen.content == found.watermark.content)


def _conflict(seen: Watermark, found: Watermark) -> Conflict:
    change = found.change or {}
    return Conflict(
        f"the watermark of {found.table} changed meanwhile",
        f"you saw serial {seen.serial} at {seen.fields['last_mysql_data_timestamp']}; now it is serial {found.serial} "
        f"at {found.fields['last_mysql_data_timestamp']}, by {change.get('actor', 'somebody outside wmtui')}",
        f"look at it with `wmtui watermark get -t {found.table}`, then decide again",
    )

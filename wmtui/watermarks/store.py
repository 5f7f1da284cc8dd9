"""The watermark store: every table's document in the object store, changed by compare-and-swap only."""

import contextlib
import getpass
import socket
import threading
import time
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from msgspec import Struct
from msgspec.structs import replace

from wmtui import layout
from wmtui.errors import (
    ConditionsIgnored,
    Conflict,
    NotWritten,
    ObjectMissing,
    PreconditionFailed,
    StoreError,
    Unreadable,
    WatermarkGone,
    WmtuiError,
)
from wmtui.model import Clock, TableName
from wmtui.objects import ObjectStore
from wmtui.objects.conditional_writes import prove_conditions
from wmtui.watermarks import documents, journal_entries, outside_edits, store_identity, system_watermark
from wmtui.watermarks.bounds import VERSION, with_short_texts, wrong_field
from wmtui.watermarks.changes import Action, MakePatch, Patch, keep_highest_epoch
from wmtui.watermarks.documents import Json
from wmtui.watermarks.journal import Journal
from wmtui.watermarks.model import Watermark, digest_of, with_defaults
from wmtui.watermarks.timestamps import format_instant
from wmtui.watermarks.zones import is_foreign

_UTC = ZoneInfo("UTC")
_SEEN_SECONDS = 10.0
_ATTEMPTS = 60
"""Lost races before giving up; with the jitter below 32 writers on one document all get through."""

_DISTINCT_TIMES = timedelta(seconds=5)
"""Stores tell times in whole seconds, and not all of a store's machines by one clock."""


class StoredWatermark(Struct, frozen=True):
    """A watermark as read, with its ETag; None: there is no document.

    used: the highest serial known to be in use. known: the content is what the newest change left, or an edit outside.
    written: when the store took it, aware UTC, if that is so long ago that a later write has another time. listed: the
    journal was asked for newer changes.
    """

    watermark: Watermark
    etag: str | None
    used: int = 0
    known: bool = True
    written: datetime | None = None
    listed: bool = True


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
        self._identity: store_identity.StoreIdentity | None = None
        self._seen: tuple[float, store_identity.StoreIdentity | None] | None = None
        self._journalled: dict[TableName, StoredWatermark] = {}
        """By table, the document whose entries all are in the journal, as this process left or proved it last."""
        self._proving = threading.Lock()

    def read(self, table: TableName) -> StoredWatermark:
        """The document as it is, of a new table when there is none. A table without document costs a second request.

        Raises WatermarkGone where there is none although the journal has changes of it, and Unreadable.
        """
        stored = self._get(table)
        if stored.etag is not None:
            return stored
        used, newest = Journal(self._objects, table).newest()
        if newest is None:
            return StoredWatermark(stored.watermark, None, used)
        stored = self._get(table)
        if stored.etag is None:  # Else the first change of a new table landed in between.
            raise WatermarkGone(str(table), layout.watermark_key(table), newest["serial"])
        return stored

    def standing(self, table: TableName) -> Watermark:
        """The document, or for one that is gone what the journal knows of it: what an operator decides about."""
        return self._standing(table).watermark

    def current(
        self, table: TableName, journalled: Json | None = None, found: StoredWatermark | None = None
    ) -> Watermark:
        """The document a run works on: what was changed outside is adopted first, so that an epoch or fence that an
        older document lost is back before files are judged by it. Raises WatermarkGone, Unreadable.

        journalled: what a run before noted (`journal_note`); a document that was not written since is taken as it is
        until the first change. One whose newer version was deleted in the bucket looks like that, too. found: the
        document as the caller has just read it; a change of another since refuses the first write.
        """
        stored, noted = found or self.read(table), journalled or {}
        if stored.etag is not None and stored.written is not None and noted == _note(stored):
            self._journalled[table] = replace(stored, listed=False)
            return stored.watermark
        known = stored.etag is not None and noted.get("etag") == stored.etag
        return self._adopted(table, stored, known=known).watermark

    def journal_note(self, table: TableName) -> Json:
        """What names the document that this process last left, or proved to be in the journal as its newest change; for
        the next run's `current`. Empty: none.
        """
        stored = self._journalled.get(table)
        return {} if stored is None else _note(stored)

    def unadopted(self, table: TableName) -> tuple[Json, Watermark] | None:
        """The document as another tool left it, and the content before; None where its last change was wmtui's.

        Nothing is written: the next change adopts it. Raises WatermarkGone, Unreadable.
        """
        for _ in range(_ATTEMPTS):
            stored = self.read(table)
            mark = stored.watermark
            journal = Journal(self._objects, table, mark.change)
            _, newest = journal.newest(mark.serial)
            if stored.etag is None or not outside_edits.changed_outside(mark, newest):
                return None
            # A change that lands meanwhile looks the same: its entry is newer than the document just read.
            if self._get(table).etag == stored.etag:
                return outside_edits.content_before(journal, mark, newest), mark
        return None

    def restore(self, table: TableName, *, reason: str | None = None) -> Watermark:
        """Write a document that is gone again, as its newest change left it; a change of its own.

        Raises Unreadable where the journal does not tell all of it, and Conflict when there is one again.
        """
        self.require_conditions()
        written = self._write(self._rebuilt(table, exact=True), Action.RESTORED, {}, reason)
        if written is None:
            raise Conflict(
                f"the watermark of {table} is there again",
                "another process wrote it at the same moment",
                f"look at it with `wmtui watermark get -t {table}`, then decide again",
            )
        return written

    def change(
        self,
        table: TableName,
        action: Action,
        patch: Patch | MakePatch,
        *,
        reason: str | None = None,
        based_on: Watermark | None = None,
        by_hand: bool = False,
        leased: bool = False,
    ) -> Watermark:
        """Apply a patch by compare-and-swap and record it in the journal; returns the document written.

        based_on: the document the caller has seen; if it has changed since, Conflict shows both. Without it the patch
        is computed again on whatever is there. by_hand: an operator decides, so that a document that is gone comes back
        with this change. leased: the caller has held the lease since it read the document; one that this process knows
        is not read again, and a change of another refuses the write. Raises ConditionsIgnored where compare-and-swap
        cannot be trusted, WatermarkGone, Unreadable, and NotWritten for a document that could not be read again.
        A change that landed is a success even if its journal entry could not be copied yet: the next one copies it.
        """
        self.require_conditions()
        for attempt in range(_ATTEMPTS):
            known = self._journalled.pop(table, None) if leased else None
            if known is None or based_on is None or known.watermark.fields != based_on.fields:
                known = None
            current = known or (self._standing(table) if by_hand else self.read(table))
            stored = known if known and known.listed else self._adopted(table, current, known=known is not None)
            if based_on is not None:
                if not _is_seen(based_on, current, adopted=stored.watermark is not current.watermark):
                    raise _conflict(based_on, stored.watermark)
                based_on = stored.watermark
            fields = patch if isinstance(patch, Mapping) else patch(stored.watermark)
            written = self._write(stored, action, fields, reason)
            if written is not None:
                return written
            documents.pause(attempt)
        raise Conflict(
            f"could not change the watermark of {table}",
            f"{_ATTEMPTS} times another process was quicker",
            "see who writes it with `wmtui locks`, then try again",
        )

    def require_conditions(self) -> None:
        """Prove that the store checks conditional writes, once a process, unless another did within a day. Raises
        ConditionsIgnored, Unreadable.
        """
        with self._proving:
            if self._proven:
                return
            stored, now = store_identity.read(self._objects), self._clock()
            identity = stored[0] if stored else None
            proof = None if identity is None else store_identity.last_proof(self._objects, identity, now)
            if proof is not None:
                self._objects.quotes_etags = proof.quotes_etags
            else:
                prove_conditions(self._objects)
                if identity is not None:
                    with contextlib.suppress(WmtuiError):  # The next process proves again.
                        identity = store_identity.remember_proof(self._objects, identity, now)
            self._identity, self._proven = identity, True

    def prove_conditions(self) -> None:
        """Prove it now, whatever was proven before: a proof that does not hold any more is forgotten, so that no other
        process goes by it. Raises ConditionsIgnored.
        """
        with self._proving:
            try:
                prove_conditions(self._objects)
            except ConditionsIgnored:
                self._proven = False
                with contextlib.suppress(WmtuiError):
                    store_identity.forget_proof(self._objects)
                raise
            self._proven = True

    def identity(self) -> store_identity.StoreIdentity:
        """Whose store this is, made by the first write. Raises ConditionsIgnored, Unreadable."""
        self.require_conditions()
        with self._proving:
            if self._identity is None:
                by = f"{self._author.actor}@{self._author.host}"
                self._identity = store_identity.ensure(self._objects, now=self._clock(), by=by)
            return self._identity

    def forget_identity(self) -> None:
        """Read it again the next time: another process changed it."""
        with self._proving:
            self._identity = self._seen = None

    def known_identity(self) -> store_identity.StoreIdentity | None:
        """Whose store this is, read only and seconds old at most: None where nothing was ever written.

        Raises Unreadable.
        """
        with self._proving:
            if self._identity is not None:
                return self._identity
            if self._seen is None or time.monotonic() - self._seen[0] > _SEEN_SECONDS:
                stored = store_identity.read(self._objects)
                self._seen = (time.monotonic(), stored and stored[0])
            return self._seen[1]

    def remember_warehouse(self, profile: str, warehouse: str) -> None:
        """Note which warehouse a profile loads into, unless that is known."""
        if self.identity().warehouses.get(profile) != warehouse:
            changed = store_identity.remember_warehouse(self._objects, profile, warehouse)
            with self._proving:
                self._identity = changed

    def system(self) -> datetime | None:
        """The system watermark, wall clock in the profile's zone; None when there is none. Raises Unreadable."""
        return system_watermark.read(self._objects)

    def system_for(self, mark: Watermark) -> datetime | None:
        """The system watermark where it stands in for a watermark without a point; None: the watermark has its own."""
        return self.system() if mark.position is None else None

    def set_system(self, wall: datetime) -> None:
        """Move the system watermark. Raises Conflict when another process moves it at the same moment, Unreadable."""
        self.require_conditions()
        system_watermark.move(self._objects, wall)

    def _get(self, table: TableName) -> StoredWatermark:
        """The document; of a new table when there is none, whatever the journal says."""
        key = layout.watermark_key(table)
        try:
            document = self._objects.get(key)
        except ObjectMissing:
            return StoredWatermark(Watermark.new(table), None)
        mark, info = Watermark.decode(table, document.data, key), document.info
        # A file's time can be copied with it; S3 gives every write a time of its own.
        tells = self._objects.uri("").startswith("s3://")
        written = info.last_modified if tells and document.now - info.last_modified >= _DISTINCT_TIMES else None
        return StoredWatermark(mark, info.etag, mark.serial, written=written)

    def _standing(self, table: TableName) -> StoredWatermark:
        try:
            return self.read(table)
        except WatermarkGone:
            return self._rebuilt(table)

    def _rebuilt(self, table: TableName, *, exact: bool = False) -> StoredWatermark:
        """A document that is gone, from the journal. exact: Unreadable unless all of it is known; else what is."""
        journal = Journal(self._objects, table)
        used, newest = journal.newest()
        if newest is None:
            return StoredWatermark(Watermark.new(table), None, used)
        new = Watermark.new(table).fields
        content: Json = {**new, **journal_entries.numbers(newest)}
        metadata: Json = {}
        known = True
        try:
            content, metadata = journal.left_by(newest["serial"])
        except Unreadable:
            if exact:
                raise
            known = False
        metadata = {**new["metadata"], **metadata, "serial": newest["serial"]}
        return StoredWatermark(Watermark(table, {**with_defaults(content), "metadata": metadata}), None, used, known)

    def _adopted(self, table: TableName, stored: StoredWatermark, *, known: bool = False) -> StoredWatermark:
        """A document changed outside wmtui becomes a change of its own before the next one.

        Its fence never goes back. Its epoch may, if it says so: an operator restored an earlier version on purpose.
        known: the document's own entry is in the journal.
        """
        mark = stored.watermark
        if stored.etag is None:
            return stored
        journal = Journal(self._objects, table)
        entry = None if mark.change is None else outside_edits.copied(mark)
        used, newest = journal.completed(mark.serial, entry, known=known)
        stored = StoredWatermark(mark, stored.etag, used, written=stored.written)
        if not outside_edits.changed_outside(mark, newest):
            self._journalled[table] = stored
            return stored
        numbers = journal_entries.numbers(newest or mark.change or {})
        try:
            before = outside_edits.content_before(journal, mark, newest)
            numbers = journal_entries.numbers({"after": before})
        except Unreadable:
            before = {}
        kept = ("epoch", "fence") if mark.serial == 0 else ("fence",)
        mark = mark.patched({name: max(numbers[name], mark.fields[name]) for name in kept if name in numbers})
        adopted = StoredWatermark(mark, stored.etag, used)
        previous = newest["serial"] if newest else mark.serial
        reason = "changed outside wmtui"
        written = self._write(adopted, Action.EXTERNAL, {}, reason, before=before, known=numbers, previous=previous)
        return stored if written is None else self._get(table)

    def _write(
        self,
        stored: StoredWatermark,
        action: Action,
        patch: Patch,
        reason: str | None,
        *,
        before: Json | None = None,
        known: Json | None = None,
        previous: int | None = None,
    ) -> Watermark | None:
        """One compare-and-swap; None when the race was lost.

        before: the content before, where it is not that of the document; empty: it is not known. known: the epoch at
        least. previous: the change that left it, where it is not the document's.
        """
        mark = stored.watermark
        zone = self.zone.key if "timezone" in patch or not is_foreign(mark, self.zone) else mark.timezone
        content = with_short_texts({**mark.content, **patch, "timezone": patch.get("timezone") or zone})
        _refuse_unreadable(mark, wrong_field(content))
        content = keep_highest_epoch(known or mark.content, content)
        before = (mark.content if stored.known else {}) if before is None else before
        entry = {
            "action": action,
            "reason": reason,
            "previous": mark.serial if previous is None else previous,
            "changed": journal_entries.changed_fields(before, content) if before else {},
        }
        whole = action is Action.EXTERNAL or stored.etag is None
        changed = self._stamped(mark, content, max(stored.used, mark.serial) + 1, entry, whole=whole)
        _refuse_unreadable(changed, changed.problem)
        etag: str | None = None
        try:
            etag = documents.write(self._objects, layout.watermark_key(mark.table), changed.encode(), stored.etag)
        except (PreconditionFailed, StoreError) as error:
            if not self._landed(changed):
                if isinstance(error, StoreError):
                    raise
                return None
        with contextlib.suppress(StoreError):
            Journal(self._objects, mark.table).append(outside_edits.copied(changed))
            if etag is not None:
                self._journalled[mark.table] = StoredWatermark(changed, etag, changed.serial)
        return changed

    def _stamped(self, mark: Watermark, content: Json, serial: int, entry: Json, *, whole: bool) -> Watermark:
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
            **journal_entries.numbers({"after": content}),
            "digest": digest_of(content),
            "whole": whole or journal_entries.is_whole_due(serial, entry["previous"]),
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
        if self._get(written.table).watermark.write_id == written.write_id:
            return True
        entry = Journal(self._objects, written.table).get(written.serial)
        return entry is not None and entry.get("write_id") == written.write_id


def _refuse_unreadable(mark: Watermark, problem: str | None) -> None:
    if problem is not None:
        raise NotWritten(
            f"the watermark of {mark.table} was not changed",
            f"it could not be read again: {problem}",
            f"look at {layout.watermark_key(mark.table)} and restore an earlier version",
        )


def _is_seen(seen: Watermark, found: StoredWatermark, *, adopted: bool) -> bool:
    """Whether a document is the one the caller has seen; one changed outside kept its serial, so its content tells."""
    return seen.serial == found.watermark.serial and (not adopted or seen.content == found.watermark.content)


def _conflict(seen: Watermark, found: Watermark) -> Conflict:
    change = found.change or {}
    return Conflict(
        f"the watermark of {found.table} changed meanwhile",
        f"you saw serial {seen.serial} at {seen.fields['last_mysql_data_timestamp']}; now it is serial {found.serial} "
        f"at {found.fields['last_mysql_data_timestamp']}, by {change.get('actor', 'another tool')}",
        f"look at it with `wmtui watermark get -t {found.table}`, then decide again",
    )


def _note(stored: StoredWatermark) -> Json:
    return {"etag": stored.etag, "written": stored.written and format_instant(stored.written)}

"""The watermark store: every table's document in the object store, changed by compare-and-swap only."""

import getpass
import random
import socket
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from wmtui.errors import (
    Conflict,
    ObjectMissing,
    PreconditionFailed,
    StoreError,
    Unreadable,
    WriteContended,
)
from wmtui.model import Clock, TableName
from wmtui.objects import ObjectStore
from wmtui.objects.conditions import prove_conditions
from wmtui.watermarks.journal import Journal
from wmtui.watermarks.model import VERSION, Json, Watermark
from wmtui.watermarks.timestamps import format_instant, format_wall, parse_wall

SYSTEM_KEY = "watermark/last_run_timestamp.txt"
_ATTEMPTS = 60
"""Lost races before giving up; with the jitter below 32 writers on one document all get through."""

Edit = Callable[[Watermark], Mapping[str, Any]]
"""Computes the patch from the document as it is; called anew after every lost race."""


@dataclass(frozen=True)
class Stored:
    """A watermark as read: with its ETag (None: no document) and the store's clock at the answer."""

    watermark: Watermark
    etag: str | None


@dataclass(frozen=True)
class Author:
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
    Unreadable and is never overwritten. Safe to share between threads.
    """

    def __init__(self, objects: ObjectStore, clock: Clock, author: Author) -> None:
        self._objects = objects
        self._clock = clock
        self._author = author
        self._proven = False

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

    def change(
        self, table: TableName, action: str, edit: Edit, *, reason: str | None = None, based_on: Watermark | None = None
    ) -> Watermark:
        """Apply a patch by compare-and-swap and record it in the journal; returns the document written.

        based_on: the document somebody has seen; if it has changed since, Conflict shows both. Without it the patch
        is computed anew on whatever is there. Raises ConditionsIgnored where compare-and-swap cannot be trusted.
        """
        self.require_conditions()
        for attempt in range(_ATTEMPTS):
            stored = self._adopted(table, self.read(table))
            if based_on is not None and stored.watermark.serial != based_on.serial:
                raise _conflict(based_on, stored.watermark)
            written = self._write(stored, action, edit(stored.watermark), reason)
            if written is not None:
                return written
            time.sleep(random.uniform(0, 0.01 * min(attempt + 1, 20)))
        raise Conflict(
            f"could not change the watermark of {table}",
            f"{_ATTEMPTS} times somebody else was quicker",
            "see who writes it with `wmtui locks`, then try again",
        )

    def require_conditions(self) -> None:
        """Prove once per process that the store checks conditional writes; raises ConditionsIgnored."""
        if not self._proven:
            prove_conditions(self._objects)
            self._proven = True

    def system(self) -> datetime | None:
        """The system watermark, wall clock in the profile's zone; None when there is none. Raises Unreadable."""
        try:
            text = self._objects.get(SYSTEM_KEY).data.decode("utf-8", "replace").strip()
        except ObjectMissing:
            return None
        try:
            return parse_wall(text)
        except ValueError as error:
            raise Unreadable(SYSTEM_KEY, str(error)) from None

    def set_system(self, wall: datetime) -> None:
        """Move the system watermark. Raises Conflict when somebody moves it at the same moment."""
        self.require_conditions()
        try:
            etag: str | None = self._objects.head(SYSTEM_KEY).etag
        except ObjectMissing:
            etag = None
        text = format_wall(wall, 0).encode() + b"\n"
        try:
            self._objects.put(SYSTEM_KEY, text, if_match=etag, if_absent=etag is None)
        except (PreconditionFailed, WriteContended):
            if self.system() != wall.replace(microsecond=0):
                raise Conflict(
                    "the system watermark was moved by somebody else at the same moment",
                    f"it is {format_wall(self.system() or wall)} now",
                    "look at it with `wmtui watermark get`, then decide again",
                ) from None

    def _adopted(self, table: TableName, stored: Stored) -> Stored:
        """A document changed outside wmtui becomes a change of its own before the next one."""
        mark = stored.watermark
        change = mark.fields["metadata"].get("change")
        journal = Journal(self._objects, table)
        if stored.etag is not None and isinstance(change, dict) and change.get("serial") == mark.serial > 0:
            journal.append(change)
        newest = journal.newest(mark.serial)
        if not _changed_outside(stored, newest):
            return stored
        last = journal.get(newest) if newest else None
        before = (last or {}).get("after") or (change.get("after") if isinstance(change, dict) else None)
        kept = {name: before[name] for name in ("epoch", "fence") if before and name in before}
        if mark.serial == 0 and "epoch" in kept:
            mark = mark.patched({name: max(kept[name], mark.fields[name]) for name in kept})
        base = Stored(mark, stored.etag)
        written = self._write(base, "external", {}, "changed outside wmtui", before=before, serial=newest)
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
        entry = {"action": action, "reason": reason, "before": before or mark.content}
        changed = self._stamped(mark, {**mark.content, **patch}, (serial or mark.serial) + 1, entry)
        key = self.key(mark.table)
        try:
            self._objects.put(key, changed.encode(), if_match=stored.etag, if_absent=stored.etag is None)
        except WriteContended:
            return None
        except (PreconditionFailed, StoreError) as error:
            if not self._landed(changed):
                if isinstance(error, StoreError):
                    raise
                return None
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
    change = mark.fields["metadata"].get("change")
    after = change.get("after") if isinstance(change, dict) else None
    return mark.serial == 0 or newest > mark.serial or after != mark.content


def _conflict(seen: Watermark, found: Watermark) -> Conflict:
    change = found.fields["metadata"].get("change") or {}
    return Conflict(
        f"the watermark of {found.table} changed meanwhile",
        f"you saw serial {seen.serial} at {seen.fields['last_mysql_data_timestamp']}; now it is serial {found.serial} "
        f"at {found.fields['last_mysql_data_timestamp']}, by {change.get('actor', 'somebody outside wmtui')}",
        f"look at it with `wmtui watermark get -t {found.table}`, then decide again",
    )

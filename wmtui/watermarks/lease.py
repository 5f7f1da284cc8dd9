"""The lease: an expiring, fenced lock on one table, and the heartbeat others read.

Every acquisition raises the token. Expiry is judged by the store's own clock (Date − LastModified), so that host
clocks do not matter. Release writes owner null and keeps the token; a lease is never deleted. Somebody may break a
lease in the same way: its holder notices at its next renewal and stops. So does a retry of one's own batch, at once
and without asking: it knows the earlier try by the batch, and that it is the earlier one by the store's clock.
"""

import contextlib
import os
import threading
import time
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct, field

from wmtui.errors import (
    Conflict,
    LeaseHeld,
    LeaseLost,
    LeaseNotFound,
    ObjectMissing,
    PreconditionFailed,
    StoreError,
    Unreadable,
    WmtuiError,
)
from wmtui.layout import lock_key
from wmtui.model import Clock, TableName
from wmtui.objects import ObjectStore
from wmtui.watermarks import documents
from wmtui.watermarks.documents import Json
from wmtui.watermarks.model import Watermark
from wmtui.watermarks.store import Author
from wmtui.watermarks.timestamps import format_instant, parse_instant
from wmtui.watermarks.validity import wrong_count

TTL = timedelta(seconds=60)
"""A lease that was not renewed for this long may be taken over; its holder stops after half of it."""
_RENEW_SECONDS = 10.0
_ATTEMPTS = 5

_FREE: Json = {
    "token": 0, "owner": None, "host": None, "pid": None, "run": None, "phase": None, "rows": 0,
    "acquired": None, "renewed": None, "last_run": None, "last_success": None, "extracted_to": None,
    "extracted_behind": None, "clock_back": None, "newest_key": None, "held_by": None,
    "extracted_from": None, "clock_read": None, "batch": None, "held_since": None,
    "decisions": None, "last_verified": None,
}  # fmt: skip
_NO_HOLDER = {
    name: _FREE[name] for name in ("owner", "host", "pid", "run", "phase", "rows", "acquired", "batch", "held_since")
}


_BESIDE = ("last_verified",)
"""What others note in the lock document of a table that a run holds; the run keeps it."""


class Batch(Struct, frozen=True):
    """What a run belongs to, in the words of whoever starts it: a retry has the batch of the try before.

    began: when this process began, by the store's clock; None: it is not known, or nobody held anything then.
    """

    id: str
    began: datetime | None = None


class Heartbeat(Struct, frozen=True):
    """The lock document as read. age: since the last renewal, and now: both by the store's clock.

    etag, now None: no document yet.
    """

    table: TableName
    fields: Mapping[str, Any]
    etag: str | None = None
    age: timedelta = timedelta(0)
    now: datetime | None = None

    @property
    def held(self) -> bool:
        """A live run holds the table."""
        # A live holder renews it within seconds, also after a clock that was ahead was set right.
        return self.fields["owner"] is not None and abs(self.age) < TTL

    @property
    def lease_id(self) -> str | None:
        """What names the lease, live or dead: the run that took it; None when the table is free."""
        return None if self.fields["owner"] is None else str(self.fields["run"])

    @property
    def batch(self) -> str | None:
        """The batch of the run that holds the table."""
        batch = self.fields["batch"]
        return batch if isinstance(batch, str) else None

    @property
    def held_since(self) -> datetime | None:
        """When the holder took the table, by the store's clock; None for a table that nobody holds."""
        if self.fields["owner"] is None or self.now is None:
            return None
        # Before its first renewal the document is as old as that.
        return _instant(self.fields["held_since"]) or self.now - self.age

    def open_to(self, batch: Batch | None) -> bool:
        """Whether a run may take the table: it is free, or held by an earlier try of the same batch.

        Both moments count in whole seconds, as stores tell them: within one second nobody is the earlier.
        """
        if not self.held:
            return True
        if batch is None or batch.began is None or batch.id != self.batch:
            return False
        since, began = self.held_since, batch.began.replace(microsecond=0)
        return since is not None and since.replace(microsecond=0) < began

    @property
    def token(self) -> int:
        """The fence: grows with every acquisition."""
        return int(self.fields["token"])

    @property
    def last_success(self) -> datetime | None:
        """When a sync of this table last succeeded, also one without news."""
        return _instant(self.fields["last_success"])

    def extracted_to(self, mark: Watermark) -> datetime | None:
        """Up to which instant the source has been read behind this watermark's position, rows or none; None: it was
        read behind another one, which says nothing about this.
        """
        behind = self.fields.get("extracted_behind") == place(mark)
        return _instant(self.fields["extracted_to"]) if behind else None

    def lookback(self, mark: Watermark) -> timedelta:
        """How far below `extracted_to` rows could still appear when the source was read up to there; 0: not known."""
        read_to, since = self.extracted_to(mark), self.fields.get("extracted_from")
        return max(read_to - parse_instant(since), timedelta(0)) if read_to and since else timedelta(0)

    @property
    def clock_read(self) -> datetime | None:
        """When the source's clock was last read, by the clock of the host that did."""
        return _instant(self.fields.get("clock_read"))

    def clock_went_back(self, mark: Watermark) -> bool:
        """Whether the source's clock was seen to stand before this watermark's position, without anybody having decided
        what becomes of the rows stamped since.
        """
        return bool(self.fields.get("clock_back") == standing(mark))

    @property
    def newest_key(self) -> int | None:
        """The greatest primary key that the last run saw, of a table whose key is counted up."""
        number = self.fields.get("newest_key")
        return number if type(number) is int else None

    @property
    def decisions(self) -> int | None:
        """Serial of the decisions about this table's files, 0 for none; None: it is not known."""
        number = self.fields.get("decisions")
        return number if type(number) is int else None

    @property
    def held_by(self) -> str | None:
        """What held reading back when the table was last read, in words."""
        text = self.fields.get("held_by")
        return text if isinstance(text, str) else None

    def refusal(self) -> LeaseHeld:
        """The error that says who holds the table."""
        f, seen = self.fields, int(self.age.total_seconds())
        of = f" of batch {self.batch}" if self.batch else ""
        return LeaseHeld(
            f"{self.table} is held by {f['owner']} on {f['host']} (pid {f['pid']})",
            f"run {f['run']}{of} is in phase {f['phase']}, {f['rows']} rows, seen {seen} s ago",
            f"wait for it (`sync --wait 10m`); a dead run's lease ends by itself after {int(TTL.total_seconds())} s; "
            f"`wmtui unlock {f['run']}` breaks it",
        )


def place(mark: Watermark) -> list[Any]:
    """A watermark's position, as the lock document remembers behind which one the source was read."""
    return [mark.epoch, mark.fields["last_mysql_data_timestamp"], mark.fields["last_processed_key"]]


def standing(mark: Watermark) -> list[Any]:
    """The same, and whether somebody placed it by hand: to place it where it is decides, too."""
    return [*place(mark), mark.is_manual]


def free(table: TableName) -> Heartbeat:
    """Of a table that was never locked."""
    return Heartbeat(table, _FREE)


def read(objects: ObjectStore, table: TableName) -> Heartbeat:
    """The lock document; of a table that was never locked when there is none. Raises Unreadable."""
    try:
        found = objects.get(lock_key(table))
    except ObjectMissing:
        return free(table)
    fields = {**_FREE, **documents.decode(lock_key(table), found.data)}
    try:
        for name in ("token", "rows"):
            if problem := wrong_count(name, fields[name]):
                raise ValueError(problem)
        _instant(fields["extracted_to"])
        _instant(fields["last_success"])
        _instant(fields["extracted_from"])
        _instant(fields["clock_read"])
        _instant(fields["held_since"])
    except (TypeError, ValueError) as error:
        raise Unreadable(lock_key(table), f"not a lock document: {error}") from None
    return Heartbeat(table, fields, found.info.etag, found.now - found.info.last_modified, found.now)


class Lease(Struct):
    """A lease that is held; renewed by a thread of its own until released."""

    table: TableName
    token: int
    run: str
    _objects: ObjectStore
    _clock: Clock
    _fields: Json
    _etag: str
    _renewed_at: float = field(default_factory=time.monotonic)
    _stop: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _lost: str | None = None
    _thread: threading.Thread | None = None

    def beat(self, phase: str, rows: int = 0) -> None:
        """Note what the run is doing; the next renewal shows it."""
        with self._lock:
            self._fields |= {"phase": phase, "rows": rows}

    def note(self, **fields: Any) -> None:
        """Leave a fact for the next sync of this table in the lock document."""
        with self._lock:
            self._fields |= fields

    def check(self) -> None:
        """Raises LeaseHeld when the lease was lost, or could not be renewed for half its life."""
        if self._lost is None and time.monotonic() - self._renewed_at > TTL.total_seconds() / 2:
            self._lost = "it could not be renewed in time"
        if self._lost is not None:
            raise LeaseLost(
                f"the lease on {self.table} was lost", self._lost, "nothing was committed after that; run it again"
            )

    def release(self, outcome: Mapping[str, Any]) -> None:
        """Stop renewing and write owner null with what the run left; a lost lease is left alone."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        with contextlib.suppress(WmtuiError):
            self._put({**_NO_HOLDER, **outcome})

    def renew(self) -> None:
        """Write the heartbeat now. Raises LeaseHeld when the lease was lost, StoreError, and Unreadable."""
        self._put({})

    def _renew_until_stopped(self) -> None:
        while not self._stop.wait(_RENEW_SECONDS):
            try:
                self.renew()
            except LeaseHeld:
                return
            except WmtuiError:
                continue

    def _put(self, changes: Mapping[str, Any]) -> None:
        with self._lock:
            fields = {**self._fields, **changes, "renewed": format_instant(self._clock()), "write_id": uuid.uuid4().hex}
            for _ in range(_ATTEMPTS):
                asked_at = time.monotonic()
                try:
                    self._etag = documents.write(
                        self._objects, lock_key(self.table), documents.encode(fields), self._etag
                    )
                except PreconditionFailed:
                    self._etag, beside = self._own_document()
                    fields |= beside
                    continue
                self._fields, self._renewed_at = fields, asked_at
                return
        raise StoreError(f"cannot renew the lease on {self.table}", "the store keeps losing its answers", "try again")

    def _own_document(self) -> tuple[str, Json]:
        """The ETag of our lease as it is now, and what others noted beside it: somebody did meanwhile, or a write of
        ours landed although its answer was lost. Raises LeaseHeld when the lease is not ours.
        """
        found = read(self._objects, self.table)
        if found.etag is not None and (found.token, found.fields["run"]) == (self.token, self.run):
            return found.etag, {name: found.fields[name] for name in _BESIDE}
        owner, host, broken = (found.fields.get(name) for name in ("owner", "host", "broken"))
        if isinstance(broken, dict) and broken.get("run") == self.run:
            self._lost = f"it was broken by {broken.get('by')} on {broken.get('host')}"
        elif owner:
            self._lost = f"it was taken by {owner} on {host}"
        else:
            self._lost = "it was released or removed by somebody else"
        raise LeaseLost(f"the lease on {self.table} was lost", self._lost)


def acquire(
    objects: ObjectStore,
    clock: Clock,
    author: Author,
    table: TableName,
    run: str,
    *,
    fence: int = 0,
    batch: Batch | None = None,
) -> tuple[Lease, Heartbeat]:
    """Take the table's lease by conditional create or takeover; returns it and the heartbeat found.

    fence: the highest token the watermark has seen; the new one is higher even if the lock document was lost.
    batch: whose earlier try is not waited for. Raises LeaseHeld while another holds it, Unreadable, and Conflict when
    others keep being quicker.
    """
    for _ in range(_ATTEMPTS):
        found = read(objects, table)
        if not found.open_to(batch):
            raise found.refusal()
        now = format_instant(clock())
        token = max(found.token, fence) + 1
        if problem := wrong_count("the next token", token):
            raise Unreadable(
                lock_key(table), f"{problem}: this document, the watermark or the ledger has one that no run left"
            )
        fields = {
            **found.fields,
            "token": token,
            "owner": author.actor,
            "host": author.host,
            "pid": os.getpid(),
            "run": run,
            "phase": "starting",
            "rows": 0,
            "acquired": now,
            "renewed": now,
            "batch": batch and batch.id,
            "held_since": None,
            "write_id": uuid.uuid4().hex,
        }
        asked_at = time.monotonic()
        etag = _take(objects, table, found, fields)
        if etag is not None:
            if batch is not None:
                fields["held_since"] = _written(objects, table, etag)
            lease = Lease(table, token, run, objects, clock, fields, etag, asked_at)
            lease._thread = threading.Thread(target=lease._renew_until_stopped, name=f"lease {table}", daemon=True)
            lease._thread.start()
            return lease, found
    raise Conflict(f"could not take the lease on {table}", "others keep taking and releasing it", "try again")


def unlock(objects: ObjectStore, clock: Clock, author: Author, found: Heartbeat, reason: str | None) -> None:
    """Break a lease, live or dead; the lock document notes who did, and keeps the token, so that it only grows.

    A holder that renews meanwhile is still the one to break. Raises Conflict when it is no longer the holder,
    Unreadable, and StoreError.
    """
    lease_id = found.lease_id
    by = {"run": lease_id, "by": author.actor, "host": author.host, "at": format_instant(clock()), "reason": reason}
    for attempt in range(_ATTEMPTS):
        if lease_id is None or found.lease_id != lease_id:
            break
        fields = {**found.fields, **_NO_HOLDER, "broken": by, "write_id": uuid.uuid4().hex}
        if _take(objects, found.table, found, fields) is not None:
            return
        documents.pause(attempt)
        found = read(objects, found.table)
    raise LeaseNotFound(
        f"{lease_id} no longer holds {found.table}",
        "it ended, or another run has taken over",
        "see who holds what with `wmtui locks`",
    )


def write_beside(objects: ObjectStore, found: Heartbeat, **noted: Any) -> bool:
    """Note facts beside a lease; whether they are noted: the document may have changed since it was read.

    A live lease is written as it is, with the moment since which it is held; an expired one is over.
    """
    since = found.held_since if found.held else None
    holder = {"held_since": format_instant(since)} if since else _NO_HOLDER
    fields = {**found.fields, **holder, **noted, "write_id": uuid.uuid4().hex}
    return _take(objects, found.table, found, fields) is not None


def _take(objects: ObjectStore, table: TableName, found: Heartbeat, fields: Json) -> str | None:
    """The ETag of our lock document, None when somebody else was quicker."""
    try:
        return documents.write(objects, lock_key(table), documents.encode(fields), found.etag)
    except PreconditionFailed:
        seen = read(objects, table)
        return seen.etag if seen.fields.get("write_id") == fields["write_id"] else None


def _written(objects: ObjectStore, table: TableName, etag: str) -> str | None:
    """When the store took this version of the lock document, for renewals to say; None: it cannot be told any more."""
    with contextlib.suppress(StoreError, ObjectMissing):
        info = objects.head(lock_key(table))
        return format_instant(info.last_modified) if info.etag == etag else None
    return None


def _instant(text: str | None) -> datetime | None:
    return parse_instant(text) if text else None

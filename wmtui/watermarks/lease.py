"""The lease: an expiring, fenced lock on one table, and the heartbeat others read.

Every acquisition raises the token. Expiry is judged by the store's own clock (Date − LastModified), so that host
clocks do not matter. Release writes owner null and keeps the token; a lease is never deleted. An operator may break a
lease in the same way: its holder notices at its next renewal and stops. So does a retry of one's own batch, at once
and without asking: it knows the earlier try by the batch, and that it is the earlier one by the store's clock.
"""

import contextlib
import os
import threading
import time
import uuid
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

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
from wmtui.watermarks.bounds import wrong_count
from wmtui.watermarks.documents import Json
from wmtui.watermarks.lock_document import Broken, LockDocument
from wmtui.watermarks.model import Watermark
from wmtui.watermarks.store import Author
from wmtui.watermarks.timestamps import format_instant

TTL = timedelta(seconds=60)
"""A lease that was not renewed for this long may be taken over; its holder stops after half of it."""
_RENEW_SECONDS = 10.0
_ATTEMPTS = 5

_NO_HOLDER: Json = {
    name: getattr(LockDocument(), name)
    for name in ("owner", "host", "pid", "run", "phase", "rows", "acquired", "batch", "held_since")
}
_OTHERS = ""
_BESIDE = ("last_verified",)
"""What others note in the lock document of a table that a run holds; the run keeps it."""


class Batch(Struct, frozen=True):
    """What a run belongs to, in the words of who starts it: a retry has the batch of the try before.

    began: when this process began, by the store's clock; None: it is not known, or no table was held then.
    """

    id: str
    began: datetime | None = None


class Heartbeat(Struct, frozen=True):
    """The lock document as read. age: since the last renewal, and now: both by the store's clock.

    etag, now None: no document yet.
    """

    table: TableName
    document: LockDocument
    etag: str | None = None
    age: timedelta = timedelta(0)
    now: datetime | None = None

    @property
    def held(self) -> bool:
        """A live run holds the table."""
        # A live holder renews it within seconds, also after a clock that was ahead was set right.
        return self.document.owner is not None and abs(self.age) < TTL

    @property
    def lease_id(self) -> str | None:
        """What names the lease, live or dead: the run that took it; None when the table is free."""
        return None if self.document.owner is None else str(self.document.run)

    def compared_in(self, fence: int) -> dict[str, int]:
        """By the id of a warehouse, "" for every other one: up to which token this store knows the loads in it, which
        is that of the last run that compared them. Runs since then may be others than the ledger's, if the store was
        put back. fence: of the watermark.
        """
        return self.document.compared_in or {_OTHERS: max(self.token, fence)}

    def compared_token(self, warehouse: str | None, fence: int) -> int:
        """Up to which token this store knows the loads in a warehouse; fence: of the watermark."""
        known = self.compared_in(fence)
        return known.get(warehouse or _OTHERS, known.get(_OTHERS, 0))

    @property
    def batch(self) -> str | None:
        """The batch of the run that holds the table."""
        return self.document.batch

    @property
    def held_since(self) -> datetime | None:
        """When the holder took the table, by the store's clock; None for a free table."""
        if self.document.owner is None or self.now is None:
            return None
        # Before its first renewal the document is as old as that.
        return self.document.held_since or self.now - self.age

    def open_to(self, batch: Batch | None) -> bool:
        """Whether a run may take the table: it is free, or held by an earlier try of the same batch.

        Both moments count in whole seconds, as stores tell them: within one second neither is the earlier.
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
        return self.document.token

    @property
    def last_success(self) -> datetime | None:
        """When a sync of this table last succeeded, also one without news."""
        return self.document.last_success

    def extracted_to(self, mark: Watermark) -> datetime | None:
        """Up to which instant the source has been read after this watermark's position, rows or none; None: it was
        read after another one, which says nothing about this.
        """
        return self.document.extracted_to if self.document.extracted_behind == position_of(mark) else None

    def lookback(self, mark: Watermark) -> timedelta:
        """How far below `extracted_to` rows could still appear when the source was read up to there; 0: not known."""
        read_to, since = self.extracted_to(mark), self.document.extracted_from
        return max(read_to - since, timedelta(0)) if read_to and since else timedelta(0)

    @property
    def clock_read(self) -> datetime | None:
        """When the source's clock was last read, by the clock of the host that did."""
        return self.document.clock_read

    def clock_went_back(self, mark: Watermark) -> bool:
        """Whether the source's clock was seen to stand before this watermark's position, without anybody having decided
        what becomes of the rows stamped since.
        """
        return self.document.clock_back == placement_of(mark)

    @property
    def newest_key(self) -> int | None:
        """The greatest primary key that the last run saw, of a table whose key is counted up."""
        return self.document.newest_key

    @property
    def decisions(self) -> int | None:
        """Serial of the decisions about this table's files, 0 for none; None: it is not known."""
        return self.document.decisions

    @property
    def held_by(self) -> str | None:
        """What held reading back when the table was last read, in words."""
        return self.document.held_by

    def refusal(self) -> LeaseHeld:
        """The error that says who holds the table."""
        held, seconds = self.document, int(self.age.total_seconds())
        of = f" of batch {self.batch}" if self.batch else ""
        return LeaseHeld(
            f"{self.table} is held by {held.owner} on {held.host} (pid {held.pid})",
            f"run {held.run}{of} is in phase {held.phase}, {held.rows} rows, seen {seconds} s ago",
            f"wait for it (`sync --wait 10m`); a dead run's lease ends by itself after {int(TTL.total_seconds())} s; "
            f"`wmtui unlock {held.run}` breaks it",
        )


def position_of(mark: Watermark) -> list[Any]:
    """A watermark's position, as the lock document remembers after which one the source was read."""
    return [mark.epoch, mark.fields["last_mysql_data_timestamp"], mark.fields["last_processed_key"]]


def placement_of(mark: Watermark) -> list[Any]:
    """A watermark's position, and whether an operator placed it: to place it where it is decides, too."""
    return [*position_of(mark), mark.is_manual]


def free(table: TableName) -> Heartbeat:
    """Of a table that was never locked."""
    return Heartbeat(table, LockDocument())


def read(objects: ObjectStore, table: TableName) -> Heartbeat:
    """The lock document; of a table that was never locked when there is none. Raises Unreadable."""
    try:
        stored = objects.get(lock_key(table))
    except ObjectMissing:
        return free(table)
    document = LockDocument.decode(lock_key(table), stored.data)
    return Heartbeat(table, document, stored.info.etag, stored.now - stored.info.last_modified, stored.now)


class Lease(Struct):
    """A lease that is held; renewed by a thread of its own until released."""

    table: TableName
    token: int
    run: str
    _objects: ObjectStore
    _clock: Clock
    _document: LockDocument
    _etag: str
    _renewed_at: float = field(default_factory=time.monotonic)
    _stop: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _lost: str | None = None
    _thread: threading.Thread | None = None

    def set_phase(self, phase: str, rows: int = 0) -> None:
        """Note what the run is doing; the next renewal shows it."""
        with self._lock:
            self._document = replace(self._document, phase=phase, rows=rows)

    def note(self, **fields: Any) -> None:
        """Leave facts for the next sync of this table, as fields of the lock document."""
        with self._lock:
            self._document = replace(self._document, **fields)

    def raise_token(self, token: int) -> None:
        """Go on under a higher token, before anything is written under the present one.

        Raises LeaseLost, StoreError, Unreadable.
        """
        with self._lock:
            self.token = token
            self._document = replace(self._document, token=token)
        self._put()

    def check(self) -> None:
        """Raises LeaseLost when the lease was lost, or could not be renewed for half its life."""
        if self._lost is None and time.monotonic() - self._renewed_at > TTL.total_seconds() / 2:
            self._lost = "it could not be renewed in time"
        if self._lost is not None:
            raise LeaseLost(
                f"the lease on {self.table} was lost", self._lost, "nothing was committed after that; run it again"
            )

    def release(self, **left: Any) -> None:
        """Stop renewing and write owner null, with the fields that the run leaves; a lost lease is left alone."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        with contextlib.suppress(WmtuiError):
            self._put(**_NO_HOLDER, **left)

    def renew(self) -> None:
        """Write the heartbeat now. Raises LeaseLost when the lease was lost, StoreError, and Unreadable."""
        self._put()

    def _renew_until_stopped(self) -> None:
        while not self._stop.wait(_RENEW_SECONDS):
            try:
                self.renew()
            except LeaseHeld:
                return
            except WmtuiError:
                continue

    def _put(self, **changes: Any) -> None:
        with self._lock:
            document = replace(self._document, **changes, renewed=self._clock(), write_id=uuid.uuid4().hex)
            for _ in range(_ATTEMPTS):
                asked_at = time.monotonic()
                try:
                    self._etag = documents.write(self._objects, lock_key(self.table), document.encode(), self._etag)
                except PreconditionFailed:
                    self._etag, beside = self._own_document()
                    document = replace(document, **beside)
                    continue
                self._document, self._renewed_at = document, asked_at
                return
        raise StoreError(f"cannot renew the lease on {self.table}", "the store keeps losing its answers", "try again")

    def _own_document(self) -> tuple[str, Json]:
        """The ETag of our lease as it is now, and what others noted beside it: another process did meanwhile, or a
        write of ours landed although its answer was lost. Raises LeaseLost when the lease is not ours.
        """
        heartbeat = read(self._objects, self.table)
        if heartbeat.etag is not None and (heartbeat.token, heartbeat.document.run) == (self.token, self.run):
            return heartbeat.etag, {name: getattr(heartbeat.document, name) for name in _BESIDE}
        current, broken = heartbeat.document, heartbeat.document.broken
        if broken is not None and broken.run == self.run:
            self._lost = f"it was broken by {broken.by} on {broken.host}"
        elif current.owner:
            self._lost = f"it was taken by {current.owner} on {current.host}"
        else:
            self._lost = "it was released or removed by another process"
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
    found: Heartbeat | None = None,
    compared: str | None = None,
) -> tuple[Lease, Heartbeat]:
    """Take the table's lease by conditional create or takeover; returns it and the heartbeat found.

    fence: the highest token the watermark has seen; the new one is higher even if the lock document was lost.
    found: the lock document as the caller has just read it; where that is returned, no other run had the table since.
    compared: the id of a warehouse whose loads were compared with this store, "" for one that has none yet.
    batch: whose earlier try is not waited for. Raises LeaseHeld while another holds it, Unreadable, and Conflict when
    others keep being quicker.
    """
    for _ in range(_ATTEMPTS):
        heartbeat, found = found or read(objects, table), None
        if not heartbeat.open_to(batch):
            raise heartbeat.refusal()
        now = clock()
        token = max(heartbeat.token, fence) + 1
        if problem := wrong_count("the next token", token):
            raise Unreadable(
                lock_key(table), f"{problem}: this document, the watermark or the ledger has one that no run left"
            )
        document = replace(
            heartbeat.document,
            token=token,
            compared_in=heartbeat.compared_in(fence) | ({} if compared is None else {compared: token}),
            owner=author.actor,
            host=author.host,
            pid=os.getpid(),
            run=run,
            phase="starting",
            rows=0,
            acquired=now,
            renewed=now,
            batch=batch and batch.id,
            held_since=None,
            write_id=uuid.uuid4().hex,
        )
        asked_at = time.monotonic()
        etag = _take(objects, table, heartbeat, document)
        if etag is not None:
            if batch is not None:
                document = replace(document, held_since=_written(objects, table, etag))
            lease = Lease(
                table=table,
                token=token,
                run=run,
                _objects=objects,
                _clock=clock,
                _document=document,
                _etag=etag,
                _renewed_at=asked_at,
            )
            lease._thread = threading.Thread(target=lease._renew_until_stopped, name=f"lease {table}", daemon=True)
            lease._thread.start()
            return lease, heartbeat
    raise Conflict(f"could not take the lease on {table}", "others keep taking and releasing it", "try again")


def unlock(objects: ObjectStore, clock: Clock, author: Author, heartbeat: Heartbeat, reason: str | None) -> None:
    """Break a lease, live or dead; the lock document notes who did, and keeps the token, so that it only grows.

    A holder that renews meanwhile is still the one to break. Raises Conflict when it is no longer the holder,
    Unreadable, and StoreError.
    """
    lease_id = heartbeat.lease_id
    for attempt in range(_ATTEMPTS):
        if lease_id is None or heartbeat.lease_id != lease_id:
            break
        broken = Broken(lease_id, author.actor, author.host, format_instant(clock()), reason)
        document = replace(heartbeat.document, **_NO_HOLDER, broken=broken, write_id=uuid.uuid4().hex)
        if _take(objects, heartbeat.table, heartbeat, document) is not None:
            return
        documents.pause(attempt)
        heartbeat = read(objects, heartbeat.table)
    raise LeaseNotFound(
        f"{lease_id} no longer holds {heartbeat.table}",
        "it ended, or another run has taken over",
        "see who holds what with `wmtui locks`",
    )


def write_beside(objects: ObjectStore, heartbeat: Heartbeat, **noted: Any) -> bool:
    """Note facts beside a lease; whether they are noted: the document may have changed since it was read.

    A live lease is written as it is, with the moment since which it is held; an expired one is over.
    """
    since = heartbeat.held_since if heartbeat.held else None
    holder = {"held_since": since} if since else _NO_HOLDER
    document = replace(heartbeat.document, **holder, **noted, write_id=uuid.uuid4().hex)
    return _take(objects, heartbeat.table, heartbeat, document) is not None


def _take(objects: ObjectStore, table: TableName, heartbeat: Heartbeat, document: LockDocument) -> str | None:
    """The ETag of our lock document, None when another process was quicker."""
    try:
        return documents.write(objects, lock_key(table), document.encode(), heartbeat.etag)
    except PreconditionFailed:
        current = read(objects, table)
        return current.etag if current.document.write_id == document.write_id else None


def _written(objects: ObjectStore, table: TableName, etag: str) -> datetime | None:
    """When the store took this version of the lock document, for renewals to say; None: it cannot be told any more."""
    with contextlib.suppress(StoreError, ObjectMissing):
        info = objects.head(lock_key(table))
        return info.last_modified if info.etag == etag else None
    return None

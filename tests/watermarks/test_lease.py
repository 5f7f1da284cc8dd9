"""The lease: one holder, expiry by the store's own clock, a token that only grows.

Guards against locks that stay for ever after a crash, locks taken by two, locks released by somebody who never held
them, and a paused run that wakes up and writes.
"""

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from tests.clock import NOON, HandClock
from tests.servers.s3 import S3Server, hang_up, refuse, serve_then
from wmtui.config import S3Config
from wmtui.errors import Conflict, LeaseHeld, StoreError, Unreadable
from wmtui.layout import lock_key
from wmtui.model import TableName
from wmtui.objects import ObjectStore
from wmtui.objects.s3 import S3Store
from wmtui.watermarks import lease
from wmtui.watermarks.lease import TTL, Batch, Lease
from wmtui.watermarks.lock_document import LastRun, SyncOutcome
from wmtui.watermarks.model import Watermark
from wmtui.watermarks.store import Author

ANA = Author("ana", "host-1")
BEN = Author("ben", "host-2")


class Leases:
    """Takes leases on one table and stops their threads at the end of the test."""

    def __init__(self, objects: ObjectStore, clock: HandClock, table: TableName) -> None:
        self.objects, self.clock, self.table = objects, clock, table
        self.held: list[Lease] = []

    def take(self, run: str = "run-1", author: Author = ANA, fence: int = 0, batch: Batch | None = None) -> Lease:
        held, _ = lease.acquire(self.objects, self.clock, author, self.table, run, fence=fence, batch=batch)
        self.held.append(held)
        return held

    def document(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.objects.get(lock_key(self.table)).data)
        return document

    def release(self) -> None:
        for held in self.held:
            held.release()


@pytest.fixture
def leases(objects: ObjectStore, clock: HandClock, table: TableName) -> Iterator[Leases]:
    leases = Leases(objects, clock, table)
    yield leases
    leases.release()


@pytest.fixture
def in_folder(folder: ObjectStore, clock: HandClock, table: TableName) -> Iterator[Leases]:
    """Leases in a folder, whose age goes by `clock`."""
    leases = Leases(folder, clock, table)
    yield leases
    leases.release()


@pytest.fixture
def on_s3(s3: S3Server, clock: HandClock, table: TableName) -> Iterator[Leases]:
    leases = Leases(S3Store(f"s3://{s3.new_bucket()}", S3Config(endpoint_url=s3.endpoint_url)), clock, table)
    yield leases
    s3.faults.clear()
    leases.release()


def test_a_table_that_was_never_locked_is_free(objects: ObjectStore, table: TableName) -> None:
    found = lease.read(objects, table)

    assert (found.held, found.token, found.last_success) == (False, 0, None)
    assert found.extracted_to(Watermark.new(table)) is None


def test_a_second_run_is_told_who_holds_the_table_and_since_when(leases: Leases) -> None:
    held = leases.take(run="run-1")
    held.set_phase("extracting", rows=1200)
    held.renew()

    with pytest.raises(LeaseHeld) as refused:
        leases.take(run="run-2", author=BEN)

    for part in ("ana", "host-1", "run-1", "extracting", "1200 rows", " s ago"):
        assert part in str(refused.value)
    assert "60 s" in refused.value.next_step
    assert leases.document()["run"] == "run-1"


def test_of_eight_runs_that_begin_together_one_gets_the_table(leases: Leases) -> None:
    def take(number: int) -> bool:
        try:
            leases.take(run=f"run-{number}")
        except LeaseHeld:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(take, range(8))) == 1

    assert leases.document()["token"] == 1


def test_releasing_keeps_the_document_the_token_and_what_the_run_left(leases: Leases, table: TableName) -> None:
    mark = Watermark.new(table)
    leases.take().release(
        last_success=NOON,
        extracted_to=NOON - timedelta(hours=1),
        extracted_behind=lease.position_of(mark),
        last_run=LastRun(NOON, SyncOutcome.SUCCESS, 5),
    )

    document = leases.document()
    assert document["token"] == 1
    assert document["last_run"] == {"at": "2025-08-14T12:00:00Z", "outcome": "success", "rows": 5, "error": None}
    assert [document[name] for name in ("owner", "host", "pid", "run", "phase", "acquired")] == [None] * 6
    found = lease.read(leases.objects, table)
    assert not found.held
    assert found.last_success is not None
    assert found.extracted_to(mark) is not None
    assert found.extracted_to(mark.patched({"last_mysql_data_timestamp": "2025-08-14 10:00:00"})) is None


def test_the_next_run_gets_a_higher_token_and_finds_what_the_last_one_left(leases: Leases, clock: HandClock) -> None:
    leases.take().release(extracted_to=NOON - timedelta(hours=1))

    held, found = lease.acquire(leases.objects, clock, BEN, leases.table, "run-2")
    leases.held.append(held)

    assert held.token == 2
    assert found.document.extracted_to == NOON - timedelta(hours=1)
    assert leases.document()["extracted_to"] == "2025-08-14T11:00:00Z"


def test_a_dead_runs_lease_is_taken_over_when_the_store_says_it_is_old_and_not_before(
    in_folder: Leases, clock: HandClock
) -> None:
    in_folder.take(run="dead")
    clock.advance(seconds=TTL.total_seconds() - 1)
    with pytest.raises(LeaseHeld):
        in_folder.take(run="early", author=BEN)

    clock.advance(seconds=1)
    heir = in_folder.take(run="heir", author=BEN)

    assert heir.token == 2
    assert in_folder.document()["owner"] == "ben"


def test_a_hosts_own_clock_has_no_say_in_expiry(in_folder: Leases, clock: HandClock, table: TableName) -> None:
    in_folder.take()
    fast = HandClock(clock() + timedelta(days=1))

    with pytest.raises(LeaseHeld):
        lease.acquire(in_folder.objects, fast, BEN, table, "run-2")


def test_renewing_keeps_the_lease_alive(in_folder: Leases, clock: HandClock) -> None:
    held = in_folder.take()
    for _ in range(5):
        clock.advance(seconds=40)
        held.renew()
    held.check()

    with pytest.raises(LeaseHeld):
        in_folder.take(run="run-2", author=BEN)


def test_the_token_grows_even_if_the_lock_document_was_lost(leases: Leases, table: TableName) -> None:
    held = leases.take()
    held.release()
    leases.objects.delete(lock_key(table))

    assert leases.take(run="run-2", fence=7).token == 8


def test_a_paused_holder_notices_that_it_was_replaced_and_leaves_the_heir_alone(
    in_folder: Leases, clock: HandClock
) -> None:
    paused = in_folder.take(run="paused")
    clock.advance(seconds=61)
    in_folder.take(run="heir", author=BEN)
    heirs = in_folder.document()

    with pytest.raises(LeaseHeld, match="taken by ben on host-2"):
        paused.renew()
    with pytest.raises(LeaseHeld, match="was lost"):
        paused.check()
    paused.release(last_run=LastRun(NOON, SyncOutcome.SUCCESS, 5))

    assert in_folder.document() == heirs


@pytest.mark.parametrize("how", ["deleted", "released"])
def test_a_lease_ended_from_outside_is_lost(leases: Leases, table: TableName, how: str) -> None:
    held = leases.take()
    if how == "deleted":
        leases.objects.delete(lock_key(table))
    else:
        free = {**leases.document(), "owner": None, "run": None}
        leases.objects.put(lock_key(table), json.dumps(free).encode())

    with pytest.raises(LeaseHeld, match="released or removed"):
        held.renew()
    with pytest.raises(LeaseHeld):
        held.check()


def test_a_holder_that_could_not_renew_for_half_its_life_stops(
    in_folder: Leases, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = in_folder.take()
    held.check()
    now = time.monotonic()
    monkeypatch.setattr(lease, "time", SimpleNamespace(monotonic=lambda: now + 31))

    with pytest.raises(LeaseHeld, match="could not be renewed in time"):
        held.check()


def test_a_broken_lease_is_free_for_a_higher_token_and_its_holder_stops(leases: Leases, clock: HandClock) -> None:
    held = leases.take(run="run-1")
    lease.unlock(leases.objects, clock, BEN, lease.read(leases.objects, leases.table), "host is gone")

    heir = leases.take(run="run-2", author=BEN)

    assert heir.token == 2
    with pytest.raises(LeaseHeld):
        held.renew()
    assert leases.document()["broken"] == {
        "run": "run-1",
        "by": "ben",
        "host": "host-2",
        "at": "2025-08-14T12:00:00Z",
        "reason": "host is gone",
    }


def test_only_the_holder_that_was_seen_is_broken(leases: Leases, clock: HandClock) -> None:
    leases.take(run="run-1")
    seen = lease.read(leases.objects, leases.table)
    leases.release()
    heir = leases.take(run="run-2")

    with pytest.raises(Conflict, match="no longer holds"):
        lease.unlock(leases.objects, clock, BEN, seen, None)

    heir.renew()
    assert leases.document()["run"] == "run-2"


def nightly(clock: HandClock, **later: float) -> Batch:
    """A try of the batch whose process begins so much later than now."""
    return Batch("nightly", clock() + timedelta(**later))


@pytest.mark.parametrize("renewed", [False, True])
def test_a_retry_of_ones_own_batch_takes_over_at_once_and_the_earlier_try_stops(
    in_folder: Leases, clock: HandClock, renewed: bool
) -> None:
    earlier = in_folder.take(run="earlier", batch=nightly(clock))
    clock.advance(seconds=5)
    began = nightly(clock)
    if renewed:  # Which makes the document younger than the retry.
        clock.advance(seconds=5)
        earlier.renew()

    retry = in_folder.take(run="retry", batch=began)

    assert retry.token == earlier.token + 1
    assert (in_folder.document()["run"], in_folder.document()["batch"]) == ("retry", "nightly")
    with pytest.raises(LeaseHeld, match="was lost"):
        earlier.renew()


@pytest.mark.parametrize("seconds", [0, 0.9, -5])
def test_a_try_that_began_no_later_than_the_holder_takes_nothing_over(
    in_folder: Leases, clock: HandClock, seconds: float
) -> None:
    holder = in_folder.take(run="holder", batch=nightly(clock))
    clock.advance(seconds=10)
    holder.renew()

    with pytest.raises(LeaseHeld, match="of batch nightly"):
        in_folder.take(run="other", batch=replace(nightly(clock, seconds=seconds - 10), id="nightly"))

    holder.renew()
    assert in_folder.document()["run"] == "holder"


@pytest.mark.parametrize("batch", [None, Batch("hourly"), Batch("nightly"), Batch("Nightly")])
def test_another_batch_none_or_one_that_does_not_know_when_it_began_takes_nothing_over(
    in_folder: Leases, clock: HandClock, batch: Batch | None
) -> None:
    in_folder.take(batch=nightly(clock))
    clock.advance(seconds=10)
    if batch is not None and batch.id != "nightly":
        batch = replace(batch, began=clock())

    with pytest.raises(LeaseHeld):
        in_folder.take(run="other", batch=batch)


def test_a_batch_takes_nothing_over_from_a_run_that_has_none(in_folder: Leases, clock: HandClock) -> None:
    in_folder.take()
    clock.advance(seconds=10)

    with pytest.raises(LeaseHeld):
        in_folder.take(run="other", batch=nightly(clock))


def test_of_eight_retries_that_begin_together_one_takes_over_and_none_steals_from_it(
    in_folder: Leases, clock: HandClock
) -> None:
    in_folder.take(run="dead", batch=nightly(clock))
    clock.advance(seconds=10)
    began = nightly(clock)

    def take(number: int) -> bool:
        try:
            in_folder.take(run=f"run-{number}", batch=began)
        except LeaseHeld:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(take, range(8))) == 1

    assert in_folder.document()["token"] == 2


def test_a_released_lease_keeps_no_batch(in_folder: Leases, clock: HandClock) -> None:
    held = in_folder.take(batch=nightly(clock))
    held.renew()
    assert in_folder.document()["held_since"] == "2025-08-14T12:00:00Z"
    held.release()

    assert [in_folder.document()[name] for name in ("batch", "held_since")] == [None, None]
    in_folder.take(run="run-2")
    assert in_folder.document()["batch"] is None


def test_breaking_a_lease_survives_a_lost_answer(on_s3: Leases, s3: S3Server, clock: HandClock) -> None:
    on_s3.take()
    s3.faults.add(serve_then(hang_up), method="PUT", key="watermark/locks/")

    lease.unlock(on_s3.objects, clock, BEN, lease.read(on_s3.objects, on_s3.table), None)

    assert on_s3.document()["owner"] is None


@pytest.mark.parametrize("answer", [hang_up, refuse(500, "InternalError")])
def test_taking_renewing_and_releasing_survive_a_lost_answer(on_s3: Leases, s3: S3Server, answer: Any) -> None:
    for _ in range(2):
        s3.faults.add(serve_then(answer), method="PUT", key="watermark/locks/")
        held = on_s3.take()
        s3.faults.add(serve_then(answer), method="PUT", key="watermark/locks/")
        held.renew()
        held.check()
        s3.faults.add(serve_then(answer), method="PUT", key="watermark/locks/")
        held.release(held_by="x")

        assert on_s3.document()["owner"] is None

    assert on_s3.document()["token"] == 2


def test_a_renewal_that_landed_unseen_is_not_mistaken_for_another_holder(on_s3: Leases, s3: S3Server) -> None:
    held = on_s3.take()
    s3.faults.add(serve_then(refuse(500, "InternalError")), method="PUT", key="watermark/locks/", times=None)
    with pytest.raises(StoreError):
        held.renew()
    s3.faults.clear()

    held.set_phase("loading", rows=5)
    held.renew()

    held.check()
    assert on_s3.document()["phase"] == "loading"
    held.release()
    assert on_s3.document()["owner"] is None


def test_a_release_that_meets_another_write_under_way_is_tried_again(on_s3: Leases, s3: S3Server) -> None:
    held = on_s3.take()
    s3.faults.add(refuse(409, "ConditionalRequestConflict"), method="PUT", key="watermark/locks/", times=2)

    held.release()

    assert on_s3.document()["owner"] is None


def test_an_unreachable_store_does_not_hide_what_the_run_has_to_say(on_s3: Leases, s3: S3Server) -> None:
    held = on_s3.take()
    s3.faults.add(refuse(500, "InternalError"), key="watermark/locks/", times=None)

    held.release(last_run=LastRun(NOON, SyncOutcome.FAILED, 0))

    s3.faults.clear()
    assert on_s3.document()["owner"] == "ana"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b'{"token": "1"}',
        b'{"token": 1, "owner"',
        b'{"token": 1, "extracted_to": "soon"}',
        b'{"token": 1, "last_success": 5}',
        b'{"x": ' + b"[" * 100_000,
    ],
)
def test_a_corrupt_lock_document_is_reported_by_key_and_not_overwritten(
    folder: ObjectStore, clock: HandClock, table: TableName, data: bytes
) -> None:
    folder.put(lock_key(table), data)

    with pytest.raises(Unreadable) as error:
        lease.acquire(folder, clock, ANA, table, "run-1")

    assert error.value.key == lock_key(table)
    assert folder.get(lock_key(table)).data == data


def test_a_lock_document_that_is_garbled_meanwhile_ends_the_lease_without_a_crash(
    in_folder: Leases, table: TableName
) -> None:
    held = in_folder.take()
    in_folder.objects.put(lock_key(table), b"[")

    held.release()

    assert in_folder.objects.get(lock_key(table)).data == b"["


def test_the_lease_is_renewed_in_the_background(in_folder: Leases, monkeypatch: pytest.MonkeyPatch) -> None:
    renewed = threading.Event()
    put = in_folder.objects.put

    def noting(key: str, data: bytes, **conditions: Any) -> str:
        etag = put(key, data, **conditions)
        if conditions.get("if_match"):
            renewed.set()
        return etag

    monkeypatch.setattr(in_folder.objects, "put", noting)
    monkeypatch.setattr(lease, "_RENEW_SECONDS", 0.001)
    in_folder.take()

    assert renewed.wait(30)


def test_a_lease_from_the_future_of_a_clock_that_was_set_right_holds_nothing(
    in_folder: Leases, clock: HandClock, table: TableName
) -> None:
    clock.advance(days=26_000)
    dead = in_folder.take(run="run-1")
    in_folder.held.clear()
    dead._stop.set()
    clock.advance(days=-26_000)

    assert not lease.read(in_folder.objects, table).held
    assert in_folder.take(run="run-2").token == dead.token + 1

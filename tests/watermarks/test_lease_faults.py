"""A lease where answers of the store get lost, others write at the same moment, or its thread meets trouble."""

import json
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.answers import Unreliable
from tests.clock import HandClock
from wmtui.errors import Conflict, LeaseHeld, ObjectMissing, PreconditionFailed, StoreError, Unreadable
from wmtui.layout import lock_key
from wmtui.model import TableName
from wmtui.objects import ObjectStore
from wmtui.watermarks import lease
from wmtui.watermarks.lease import Batch, Lease
from wmtui.watermarks.store import Author

TABLE = TableName("shop", "orders")
ANA = Author("ana", "host-1")
BEN = Author("ben", "host-2")
LOST = PreconditionFailed()
"""How a lost answer shows: the client asks again, and meets its own write."""


class Locked:
    """One table in a store that fails as the test says; leases end with the test."""

    def __init__(self, folder: ObjectStore, clock: HandClock) -> None:
        self.clock = clock
        self.unreliable = Unreliable(folder, "watermark/locks/")
        self.objects = cast(ObjectStore, self.unreliable)
        self.held: list[Lease] = []

    def take(self, run: str = "run-1", author: Author = ANA, **options: Any) -> Lease:
        held, _ = lease.acquire(self.objects, self.clock, author, TABLE, run, **options)
        self.held.append(held)
        return held

    def document(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.objects.get(lock_key(TABLE)).data)
        return document

    def unlock(self, reason: str | None = None) -> None:
        lease.unlock(self.objects, self.clock, BEN, lease.read(self.objects, TABLE), reason)


@pytest.fixture
def locked(folder: ObjectStore, clock: HandClock) -> Iterator[Locked]:
    locked = Locked(folder, clock)
    yield locked
    locked.unreliable.fail()
    for held in locked.held:
        held.release()


def test_a_lease_taken_says_who_took_it_for_which_run_and_when(locked: Locked) -> None:
    held = locked.take(fence=6)

    assert (held.token, held.run, held.table) == (7, "run-1", TABLE)
    document = locked.document()
    assert {name: document[name] for name in ("token", "owner", "host", "run", "phase", "rows", "batch")} == {
        "token": 7,
        "owner": "ana",
        "host": "host-1",
        "run": "run-1",
        "phase": "starting",
        "rows": 0,
        "batch": None,
    }
    assert (document["acquired"], document["renewed"]) == ("2025-08-14T12:00:00Z", "2025-08-14T12:00:00Z")
    assert isinstance(document["pid"], int)


def test_a_renewal_says_when_and_what_the_run_does_and_the_token_stays(locked: Locked) -> None:
    held = locked.take()
    held.set_phase("extracting", rows=7)
    held.note(committed_run="run-1")
    locked.clock.advance(seconds=10)
    held.renew()

    document = locked.document()
    assert (document["renewed"], document["acquired"]) == ("2025-08-14T12:00:10Z", "2025-08-14T12:00:00Z")
    assert (document["phase"], document["rows"], document["token"]) == ("extracting", 7, 1)
    assert (document["committed_run"], document["owner"]) == ("run-1", "ana")
    held.set_phase("loading")
    held.renew()
    assert (locked.document()["phase"], locked.document()["rows"]) == ("loading", 0)


def test_taking_renewing_and_releasing_notice_their_own_write_after_a_lost_answer(locked: Locked) -> None:
    locked.unreliable.fail(landing=[LOST])
    held = locked.take()
    locked.unreliable.fail(landing=[LOST])
    held.renew()
    held.check()
    locked.unreliable.fail(landing=[LOST])
    held.release(held_by="x")

    assert (locked.document()["owner"], locked.document()["held_by"], locked.document()["token"]) == (None, "x", 1)


def test_a_take_that_another_run_won_is_tried_again_and_refused_by_the_winner(locked: Locked) -> None:
    locked.take(run="winner")
    locked.clock.advance(seconds=61)
    read, seen = locked.objects.get, []

    def late(key: str, **how: Any) -> Any:
        found = read(key, **how)
        if not seen:
            seen.append(key)
            locked.take(run="other", author=BEN)
        return found

    locked.unreliable.get = late  # type: ignore[attr-defined]
    with pytest.raises(LeaseHeld, match="held by ben"):
        locked.take(run="loser")

    assert locked.document()["run"] == "other"


def test_a_token_that_no_run_left_is_refused_before_it_is_written(locked: Locked) -> None:
    with pytest.raises(Unreadable) as error:
        locked.take(fence=10**15)
    assert error.value.why.startswith("the next token")
    assert locked.unreliable.puts == 0


def test_a_take_that_never_gets_through_gives_up_and_says_so(locked: Locked) -> None:
    locked.unreliable.fail(refusing=[PreconditionFailed() for _ in range(9)])
    with pytest.raises(Conflict, match="could not take the lease"):
        locked.take()
    assert locked.unreliable.puts == 5


def test_a_renewal_that_others_always_write_before_gives_up_and_says_so(locked: Locked) -> None:
    held = locked.take()
    locked.unreliable.fail(refusing=[PreconditionFailed() for _ in range(9)])
    with pytest.raises(StoreError, match="cannot renew"):
        held.renew()
    assert locked.unreliable.puts == 5


def test_a_broken_lease_tells_its_holder_who_broke_it_and_where(locked: Locked) -> None:
    held = locked.take()
    locked.unlock("host is gone")

    with pytest.raises(LeaseHeld) as lost:
        held.renew()
    assert lost.value.why == "it was broken by ben on host-2"
    with pytest.raises(LeaseHeld) as lost:
        held.check()
    assert lost.value.why == "it was broken by ben on host-2"


def test_a_lease_that_an_heir_took_long_after_another_one_was_broken_was_taken_not_broken(locked: Locked) -> None:
    locked.take(run="first")
    locked.unlock()
    held = locked.take(run="second")
    locked.clock.advance(seconds=61)
    locked.take(run="heir", author=BEN)

    with pytest.raises(LeaseHeld) as lost:
        held.renew()
    assert lost.value.why == "it was taken by ben on host-2"


def test_a_lease_that_somebody_removed_says_just_that(locked: Locked) -> None:
    held = locked.take()
    locked.objects.delete(lock_key(TABLE))
    with pytest.raises(LeaseHeld) as lost:
        held.renew()
    assert lost.value.why == "it was released or removed by another process"


def test_a_lease_is_ours_by_token_and_run_and_not_by_one_of_them(locked: Locked) -> None:
    held = locked.take()
    document = locked.document()
    for change in ({"token": 2}, {"run": "run-2"}):
        locked.objects.put(lock_key(TABLE), json.dumps({**document, **change}).encode())
        with pytest.raises(LeaseHeld, match="taken by ana"):
            held.renew()


def test_breaking_survives_a_lost_answer_and_a_renewal_in_between(locked: Locked) -> None:
    held = locked.take()
    found = lease.read(locked.objects, TABLE)
    held.renew()
    lease.unlock(locked.objects, locked.clock, BEN, found, None)
    assert (locked.document()["owner"], locked.document()["token"]) == (None, 1)

    locked.take(run="run-2")
    locked.unreliable.fail(landing=[LOST])
    locked.unlock("why not")
    assert locked.unreliable.puts == 1
    assert locked.document()["broken"]["reason"] == "why not"
    ended = ("owner", "host", "pid", "run", "phase", "acquired", "batch")
    assert [locked.document()[name] for name in ended] == [None] * 7
    assert locked.document()["rows"] == 0


def test_breaking_that_never_gets_through_gives_up(locked: Locked) -> None:
    locked.take()
    locked.unreliable.fail(refusing=[PreconditionFailed() for _ in range(9)])
    with pytest.raises(Conflict, match="no longer holds"):
        locked.unlock()
    assert locked.unreliable.puts == 5


def test_a_free_table_cannot_be_broken(locked: Locked) -> None:
    locked.take().release()
    before = locked.document()
    with pytest.raises(Conflict):
        locked.unlock()
    assert locked.document() == before


@pytest.mark.parametrize(("seconds", "lost"), [(29, False), (30, False), (30.5, True)])
def test_a_holder_may_go_on_for_half_a_minute_without_a_renewal(
    locked: Locked, monkeypatch: pytest.MonkeyPatch, seconds: float, lost: bool
) -> None:
    now = 1000.0
    monkeypatch.setattr(lease, "time", SimpleNamespace(monotonic=lambda: now))
    held = locked.take()
    now += seconds

    if not lost:
        held.check()
        return
    with pytest.raises(LeaseHeld) as refused:
        held.check()
    assert refused.value.why == "it could not be renewed in time"


def test_a_lease_counts_from_before_the_write_that_renewed_it(locked: Locked, monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter(range(100, 1000, 20))
    monkeypatch.setattr(lease, "time", SimpleNamespace(monotonic=lambda: next(ticks)))
    held = locked.take()  # Asked at 100.
    held.check()  # At 120.
    held.renew()  # Asked at 140.
    held.check()  # At 160.
    with pytest.raises(LeaseHeld):  # At 180.
        held.check()


def test_each_write_is_another_one_to_the_store_and_knows_the_one_before(locked: Locked) -> None:
    held = locked.take()
    ids = [locked.document()["write_id"]]
    for _ in range(2):
        locked.unreliable.fail()
        held.renew()
        ids.append(locked.document()["write_id"])
        assert locked.unreliable.puts == 1
    locked.unlock()
    ids.append(locked.document()["write_id"])
    assert len(set(filter(None, ids))) == 4


def test_the_next_holder_begins_again_whatever_the_dead_run_had_come_to(locked: Locked) -> None:
    dead = locked.take(run="dead", batch=Batch("nightly"))
    dead.set_phase("loading", rows=1200)
    dead.renew()
    locked.clock.advance(seconds=61)
    locked.take(run="heir", author=BEN)

    document = locked.document()
    assert (document["phase"], document["rows"], document["batch"], document["held_since"]) == (
        "starting",
        0,
        None,
        None,
    )


def test_releasing_waits_for_a_renewal_that_is_under_way(locked: Locked, monkeypatch: pytest.MonkeyPatch) -> None:
    began, renewed = threading.Event(), []

    def renew(_: Lease) -> None:
        began.set()
        time.sleep(0.2)
        renewed.append(True)

    monkeypatch.setattr(Lease, "renew", renew)
    monkeypatch.setattr(lease, "_RENEW_SECONDS", 0.001)
    held = locked.take()
    assert began.wait(30)
    held.release()

    assert renewed


def test_a_released_lease_is_renewed_no_more(locked: Locked) -> None:
    held = locked.take()
    thread = held._thread
    assert thread is not None
    assert thread.daemon

    held.release()

    assert not thread.is_alive()


def test_renewing_goes_on_after_the_store_failed_and_ends_when_the_lease_is_lost(
    locked: Locked, monkeypatch: pytest.MonkeyPatch
) -> None:
    renewed = threading.Event()
    errors: list[Exception] = [StoreError("no answer"), StoreError("no answer"), LeaseHeld("lost")]

    def renew(_: Lease) -> None:
        if not errors:
            renewed.set()
            return
        raise errors.pop(0)

    monkeypatch.setattr(Lease, "renew", renew)
    monkeypatch.setattr(lease, "_RENEW_SECONDS", 0.001)
    held = locked.take()
    assert held._thread is not None
    held._thread.join(30)

    assert not held._thread.is_alive()
    assert not errors
    assert not renewed.is_set()


def test_of_a_batch_the_document_says_since_when_the_store_saw_it_hold(locked: Locked) -> None:
    held = locked.take(batch=Batch("nightly"))
    locked.clock.advance(seconds=10)
    held.renew()

    assert (locked.document()["batch"], locked.document()["held_since"]) == ("nightly", "2025-08-14T12:00:00Z")
    assert lease.read(locked.objects, TABLE).held_since == locked.clock() - timedelta(seconds=10)


@pytest.mark.parametrize("trouble", [StoreError("no answer"), ObjectMissing("gone"), None])
def test_where_the_store_cannot_say_when_it_took_the_document_the_holder_does_without(
    locked: Locked, trouble: Exception | None
) -> None:
    head = locked.objects.head

    def other(key: str) -> Any:
        if trouble is not None:
            raise trouble
        locked.objects.put(key, b"{}")  # Somebody was quick.
        return head(key)

    locked.unreliable.head = other  # type: ignore[attr-defined]
    held = locked.take(batch=Batch("nightly"))

    assert held._document.held_since is None


# What others note beside a lease.


def test_what_is_noted_beside_a_live_lease_stays_when_its_holder_renews(locked: Locked) -> None:
    held = locked.take(batch=Batch("nightly"))
    held.set_phase("loading", rows=7)
    locked.clock.advance(seconds=5)
    found = lease.read(locked.objects, TABLE)
    assert lease.write_beside(locked.objects, found, last_verified={"w1": {"at": "now"}})
    document = locked.document()
    assert (document["owner"], document["run"], document["token"]) == ("ana", "run-1", 1)
    assert document["held_since"] == "2025-08-14T12:00:00Z"
    assert document["write_id"] != found.document.write_id

    held.renew()
    held.check()
    assert locked.document()["last_verified"] == {"w1": {"at": "now"}}
    assert (locked.document()["phase"], locked.document()["rows"]) == ("loading", 7)


def test_what_is_noted_beside_a_lease_that_is_over_ends_it_and_one_of_no_batch_keeps_its_moment(locked: Locked) -> None:
    locked.take()
    locked.clock.advance(seconds=5)
    assert lease.write_beside(locked.objects, lease.read(locked.objects, TABLE), last_verified={"w1": {"rows": 1}})
    assert (locked.document()["owner"], locked.document()["held_since"]) == ("ana", "2025-08-14T12:00:00Z")
    locked.clock.advance(seconds=61)
    assert lease.write_beside(locked.objects, lease.read(locked.objects, TABLE), last_verified={"w1": {"rows": 2}})

    document = locked.document()
    ended = ("owner", "host", "pid", "run", "phase", "acquired", "batch", "held_since")
    assert [document[name] for name in ended] == [None] * 8
    assert (document["token"], document["last_verified"]) == (1, {"w1": {"rows": 2}})


def test_nothing_is_noted_beside_a_document_that_changed_since_it_was_read(locked: Locked) -> None:
    held = locked.take()
    found = lease.read(locked.objects, TABLE)
    held.renew()
    assert not lease.write_beside(locked.objects, found, last_verified={"w1": {"rows": 1}})
    assert locked.document()["last_verified"] is None
    locked.unreliable.fail(landing=[LOST])
    assert lease.write_beside(locked.objects, lease.read(locked.objects, TABLE), last_verified={"w1": {"rows": 1}})

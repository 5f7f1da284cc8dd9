"""When a table was last verified: noted beside the lease, and never at its expense."""

import json
from datetime import UTC, datetime

import pytest

from tests.clock import HandClock
from wmtui.errors import LeaseHeld
from wmtui.layout import lock_key
from wmtui.model import TableName
from wmtui.objects import ObjectStore
from wmtui.watermarks import last_verification, lease
from wmtui.watermarks.last_verification import LastVerified, last_verified
from wmtui.watermarks.lease import TTL, Lease
from wmtui.watermarks.store import Author

ANA = Author("ana", "host-1")
RIGHT = LastVerified(datetime(2025, 8, 14, 12, tzinfo=UTC), "right", 3, "ben", "host-2", "2025-08-14 11:59:00")
WRONG = LastVerified(datetime(2025, 8, 15, 12, tzinfo=UTC), "not_right", 2, "ben", "host-2", None, ("missing",))


@pytest.fixture
def held(folder: ObjectStore, clock: HandClock, table: TableName) -> Lease:
    return lease.acquire(folder, clock, ANA, table, "run-1")[0]


def test_it_is_noted_for_each_warehouse_also_of_a_table_that_no_run_ever_took(
    objects: ObjectStore, table: TableName
) -> None:
    last_verification.note(objects, table, "w1", RIGHT)
    last_verification.note(objects, table, None, WRONG)

    found = lease.read(objects, table)

    assert (last_verified(found, "w1"), last_verified(found, None), last_verified(found, "w2")) == (RIGHT, WRONG, None)
    assert (found.held, found.token, found.lease_id) == (False, 0, None)


def test_a_run_that_holds_the_table_keeps_it_to_its_end_and_its_lease(
    folder: ObjectStore, clock: HandClock, table: TableName, held: Lease
) -> None:
    last_verification.note(folder, table, "w1", RIGHT)
    with pytest.raises(LeaseHeld):
        lease.acquire(folder, clock, ANA, table, "run-2")

    held.set_phase("loading", 7)
    held.renew()
    held.check()
    held.release(last_success=datetime(2025, 8, 14, 12, tzinfo=UTC))

    found = lease.read(folder, table)
    assert last_verified(found, "w1") == RIGHT
    assert (found.lease_id, found.token, found.document.phase) == (None, 1, None)
    assert found.last_success is not None


def test_it_leaves_since_when_a_run_holds_the_table(
    folder: ObjectStore, clock: HandClock, table: TableName, held: Lease
) -> None:
    before = lease.read(folder, table).held_since
    clock.advance(seconds=5)

    last_verification.note(folder, table, "w1", RIGHT)

    assert held.token == 1
    assert lease.read(folder, table).held_since == before


def test_it_does_not_make_the_lease_of_a_dead_run_look_alive(
    folder: ObjectStore, clock: HandClock, table: TableName, held: Lease
) -> None:
    clock.advance(seconds=TTL.total_seconds())

    last_verification.note(folder, table, "w1", RIGHT)

    found = lease.read(folder, table)
    assert (found.held, found.token, last_verified(found, "w1")) == (False, 1, RIGHT)
    with pytest.raises(LeaseHeld):
        held.renew()


def test_a_note_that_cannot_be_read_is_none(objects: ObjectStore, table: TableName) -> None:
    for noted in ([], {"w1": 1}, {"w1": {"at": "yesterday"}}, {"w1": {"at": "2025-08-14T12:00:00Z", "rows": "many"}}):
        document = {"token": 1, "last_verified": noted}
        objects.put(lock_key(table), json.dumps(document).encode())
        assert last_verified(lease.read(objects, table), "w1") is None

    last_verification.note(objects, table, "w1", RIGHT)
    assert last_verified(lease.read(objects, table), "w1") == RIGHT

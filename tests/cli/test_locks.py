"""`wmtui locks` and `unlock`: who is at work, and ending the lease of a run that is not."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from tests.cli.conftest import Wmtui
from tests.clock import NOON
from tests.stack import Stack
from wmtui.errors import Conflict, LeaseHeld
from wmtui.layout import lock_key
from wmtui.watermarks import lease
from wmtui.watermarks.lease import Lease
from wmtui.watermarks.lock_document import LastRun, SyncOutcome

ID = "0198a4f3c0001a2b3c"


@pytest.fixture
def run(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lease]:
    """A live run that holds shop.orders; commands live by the stack's clock."""
    monkeypatch.setattr("wmtui.cli.invocation.utc_now", stack.clock)
    workspace = stack.service.workspace
    held, _ = lease.acquire(workspace.objects, stack.clock, workspace.author, stack.table(), ID)
    held.set_phase("extracting", 1200)
    held.renew()
    yield held
    held.release()


def test_locks_shows_who_holds_what_and_what_it_is_doing(wmtui: Wmtui, run: Lease) -> None:
    (lock,) = wmtui("locks", "--json").json["locks"]

    assert (lock["id"], lock["table"], lock["live"], lock["token"]) == (ID, "shop.orders", True, run.token)
    assert (lock["owner"], lock["host"], lock["phase"], lock["rows"]) == ("tester", "test-host", "extracting", 1200)
    assert isinstance(lock["pid"], int)
    assert 0 <= lock["age_seconds"] < 60
    line = wmtui("locks").out.splitlines()[1]
    for word in (ID, "shop.orders", "✓ live", "tester@test-host", "extracting", "1200"):
        assert word in line


@pytest.mark.usefixtures("run")
def test_a_run_that_stopped_renewing_is_shown_as_dead(wmtui: Wmtui, stack: Stack) -> None:
    stack.clock.advance(timedelta(seconds=61))

    (lock,) = wmtui("locks", "--json").json["locks"]

    assert (lock["id"], lock["live"]) == (ID, False)
    assert "✗ dead" in wmtui("locks").out


def test_no_table_is_held_once_every_run_ended(wmtui: Wmtui, run: Lease) -> None:
    run.release()

    assert wmtui("locks", "--json").json["locks"] == []
    assert "no table is held" in wmtui("locks").err


@pytest.mark.usefixtures("run")
def test_a_corrupt_lock_is_reported_by_key_beside_the_others(wmtui: Wmtui, stack: Stack) -> None:
    stack.service.workspace.objects.put("watermark/locks/shop.items.json", b"[")

    found = wmtui("locks", "--json")

    assert found.code == 1
    held, unreadable = found.json["locks"]
    assert (held["id"], unreadable["error"]["code"]) == (ID, "document-unreadable")
    assert "watermark/locks/shop.items.json" in found.err


def test_a_broken_lease_is_free_keeps_its_token_and_says_who_broke_it(wmtui: Wmtui, stack: Stack, run: Lease) -> None:
    found = wmtui("unlock", ID, "--yes", "--reason", "host is gone")

    assert found.code == 0
    assert "shop.orders is free" in found.out
    heartbeat = stack.service.workspace.heartbeat(stack.table())
    assert (heartbeat.lease_id, heartbeat.held, heartbeat.token) == (None, False, run.token)
    broken = heartbeat.document.broken
    assert broken is not None
    assert (broken.run, broken.reason) == (ID, "host is gone")
    assert wmtui("sync", "-t", "shop.orders").code == 0
    assert stack.service.workspace.heartbeat(stack.table()).token == run.token + 1


def test_a_run_whose_lease_was_broken_notices_writes_nothing_and_names_who_did_it(
    wmtui: Wmtui, stack: Stack, run: Lease
) -> None:
    wmtui("unlock", ID, "--yes")
    document = stack.service.workspace.objects.get(lock_key(stack.table())).data

    with pytest.raises(LeaseHeld, match="was broken by"):
        run.renew()
    with pytest.raises(LeaseHeld):
        run.check()
    run.release(last_run=LastRun(NOON, SyncOutcome.SUCCESS, 5))

    assert stack.service.workspace.objects.get(lock_key(stack.table())).data == document


def test_a_holder_that_renews_meanwhile_is_broken_all_the_same(wmtui: Wmtui, stack: Stack, run: Lease) -> None:
    lock = stack.service.locks.find(ID)
    run.renew()

    stack.service.locks.unlock(lock)

    assert wmtui("locks", "--json").json["locks"] == []


@pytest.mark.usefixtures("run")
def test_breaking_a_lease_needs_a_yes(wmtui: Wmtui, stack: Stack, answer: Callable[[str], None]) -> None:
    unattended = wmtui("unlock", ID)
    answer("n")
    refused = wmtui("unlock", ID)
    assert stack.service.workspace.heartbeat(stack.table()).held
    answer("y")
    agreed = wmtui("unlock", ID, "--json")

    assert (unattended.code, refused.code, agreed.code) == (2, 2, 0)
    assert "--yes" in unattended.err
    assert "tester@test-host" in refused.err
    assert agreed.json["id"] == ID


@pytest.mark.usefixtures("run")
def test_breaking_is_refused_read_only(wmtui: Wmtui, stack: Stack) -> None:
    assert wmtui("unlock", ID, "--yes", "--read-only").code == 2
    assert stack.service.workspace.heartbeat(stack.table()).held


def test_an_id_that_is_not_the_holder_breaks_nothing(wmtui: Wmtui, stack: Stack, run: Lease) -> None:
    lock = stack.service.locks.find(ID)
    run.release()
    workspace = stack.service.workspace
    heir, _ = lease.acquire(workspace.objects, stack.clock, workspace.author, stack.table(), "0198a4f3c0001a2b3d")

    found = wmtui("unlock", ID, "--yes")
    lease_document = json.loads(workspace.objects.get(lock_key(stack.table())).data)

    assert (found.code, found.out) == (5, "")
    assert f"{ID} holds no table" in found.err
    with pytest.raises(Conflict, match=r"no longer holds shop\.orders"):
        stack.service.locks.unlock(lock)
    assert lease_document["run"] == "0198a4f3c0001a2b3d"
    heir.check()
    heir.release()


@pytest.mark.usefixtures("run")
def test_whoever_is_refused_by_a_lease_is_told_its_id(wmtui: Wmtui) -> None:
    found = wmtui("sync", "-t", "shop.orders")

    assert found.code == 5
    assert f"wmtui unlock {ID}" in found.err

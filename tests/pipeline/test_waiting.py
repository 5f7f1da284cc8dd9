"""Waiting for a table that another run holds: until it is free, for so long, or until a stop is requested."""

import threading
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.stack import Stack
from wmtui.errors import ExitCode, UsageError
from wmtui.events import Event, Message, Status, Stop, TableResult
from wmtui.pipeline import sync
from wmtui.runs.run_document import RunStore, new_run_id
from wmtui.service import Request
from wmtui.watermarks import lease
from wmtui.watermarks.lease import Lease

MINUTE = timedelta(minutes=1)


@pytest.fixture
def holder(embedded: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lease]:
    """A live run of another process."""
    monkeypatch.setattr(sync, "_LOOK_SECONDS", 0.01)
    embedded.insert((1, 1, "seed", embedded.ago(hours=1)))
    w = embedded.service.workspace
    held, _ = lease.acquire(w.objects, w.clock, w.author, embedded.table(), new_run_id(w.clock() + MINUTE))
    yield held
    held.release()


class Waiting:
    """A sync in a thread of its own, which is to wait for the table."""

    def __init__(self, stack: Stack, wait: timedelta) -> None:
        self.events: list[Event] = []
        self.stop = Stop()
        self._waits = threading.Event()
        self._results: list[TableResult] = []
        request = Request(tables=(stack.table(),), wait=wait)

        def sync() -> None:
            self._results += stack.service.syncs.sync(request, emit=self._take, stop=self.stop)

        self._thread = threading.Thread(target=sync)
        self._thread.start()
        assert self._waits.wait(60)

    def _take(self, event: Event) -> None:
        self.events.append(event)
        if isinstance(event, Message) and event.text.startswith("waiting"):
            self._waits.set()

    def result(self) -> TableResult:
        """How it ended."""
        self._thread.join(60)
        return self._results[0]

    def messages(self) -> list[str]:
        """What it said about waiting."""
        return [e.text for e in self.events if isinstance(e, Message) and e.text.startswith("waiting")]


def test_a_sync_that_waits_says_for_whom_and_goes_on_once_the_table_is_free(embedded: Stack, holder: Lease) -> None:
    waiting = Waiting(embedded, MINUTE)
    ahead = holder.run
    holder.release(committed_run=ahead)

    result = waiting.result()

    assert (result.error, result.rows_loaded) == (None, 1)
    (message,) = waiting.messages()
    assert message.startswith("waiting up to 1 m: shop.orders is held by tester on test-host")
    (run,) = RunStore(embedded.service.workspace.objects, embedded.table()).since("")
    assert run > ahead  # It was named after the wait, so that it sorts after what was committed meanwhile.


def test_a_sync_that_waits_goes_on_when_a_dead_runs_lease_ends(embedded: Stack, holder: Lease) -> None:
    waiting = Waiting(embedded, MINUTE)
    embedded.clock.advance(lease.TTL)

    assert waiting.result().rows_loaded == 1
    assert embedded.service.workspace.heartbeat(embedded.table()).token == holder.token + 1


@pytest.mark.usefixtures("holder")
def test_a_wait_that_was_too_short_ends_as_without_one(embedded: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(Stop, "wait", lambda _, seconds: slept.append(seconds) or time.sleep(0.001))
    (result,) = embedded.sync(wait=timedelta(seconds=0.2))

    assert (result.status, result.exit_code) == (Status.HELD, ExitCode.CONFLICT)
    assert "is held by tester on test-host" in str(result.error)
    assert slept
    assert max(slept) <= 0.01


@pytest.mark.usefixtures("holder")
def test_without_a_wait_no_sync_waits(embedded: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("it waited")

    monkeypatch.setattr(Stop, "wait", never)

    assert embedded.sync()[0].exit_code is ExitCode.CONFLICT
    assert "waiting" not in embedded.log()


@pytest.mark.usefixtures("holder")
@pytest.mark.parametrize("code", [ExitCode.INTERRUPTED, ExitCode.TERMINATED])
def test_a_wait_ends_at_once_when_a_stop_is_requested(
    embedded: Stack, monkeypatch: pytest.MonkeyPatch, code: ExitCode
) -> None:
    monkeypatch.setattr(sync, "_LOOK_SECONDS", 60.0)
    waiting = Waiting(embedded, timedelta(hours=1))
    asked = time.monotonic()
    waiting.stop.request(code)

    assert (waiting.result().status, waiting.result().exit_code) == (Status.INTERRUPTED, code)
    assert time.monotonic() - asked < 30


@pytest.mark.parametrize("batch", ["", " ", "a ", "a\nb", "\x1b[31m", "x" * 101])
def test_a_batch_has_a_name_that_can_be_printed(embedded: Stack, batch: str) -> None:
    with pytest.raises(UsageError, match="no name of a batch"):
        embedded.sync(batch=batch)


def test_a_batch_is_noted_while_its_run_holds_the_table(embedded: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str | None] = []

    def look(load: object, *args: object) -> object:
        seen.append(embedded.service.workspace.heartbeat(embedded.table()).batch)
        return load(*args)  # type: ignore[operator]

    embedded.insert((1, 1, "seed", embedded.ago(hours=1)))
    embedded.patch_source(monkeypatch, "clock", look)
    embedded.sync_one(batch="nightly 2025-08-14 §1")

    assert set(seen) == {"nightly 2025-08-14 §1"}
    assert embedded.service.workspace.heartbeat(embedded.table()).batch is None

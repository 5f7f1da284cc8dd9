"""A retry right after its run was killed, as an orchestrator does it: processes of their own, and kill -9.

The warehouse file is held by the test meanwhile, so that a sync holds its table for as long as the test wants it.
"""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from tests.cli.conftest import Start, Wmtui
from tests.cli.test_interruption import held_warehouse
from tests.stack import Stack
from wmtui.watermarks import lease

SYNC = ("sync", "-t", "shop.orders")
BATCH = ("--batch", "nightly-1")


@pytest.fixture(autouse=True)
def _locked_before(wmtui: Wmtui) -> None:
    """The table was synced before: there is a lock document, which tells the store's clock."""
    assert wmtui(*SYNC).code == 0


def at_work(start: Start, *options: str) -> "subprocess.Popen[str]":
    """A sync that holds its table, and has done so for longer than the second it began in."""
    process = start("--run", "--json", "-t", "shop.orders", *options)
    assert process.stdout is not None
    assert any(json.loads(line).get("phase") == "selecting" for line in process.stdout)
    began = int(datetime.now(UTC).timestamp())
    while int(datetime.now(UTC).timestamp()) == began:
        time.sleep(0.02)
    return process


def new_rows(stack: Stack) -> None:
    stack.insert(*((number, 1, "new", stack.ago(minutes=30)) for number in range(11, 14)))


def test_a_retry_after_kill_9_takes_over_at_once_and_others_are_refused(
    start: Start, stack: Stack, wmtui: Wmtui
) -> None:
    new_rows(stack)
    with held_warehouse(stack):
        killed = at_work(start, *BATCH)
        (lock,) = wmtui("locks", "--json").json["locks"]
        assert lock["batch"] == "nightly-1"
        assert "nightly-1" in wmtui("locks").out
        killed.kill()
        killed.wait()
    token = stack.service.workspace.heartbeat(stack.table()).token

    for options in ((), ("--batch", "nightly-2")):
        other = start(*SYNC, *options)
        assert "of batch nightly-1" in other.communicate(timeout=60)[1]
        assert other.returncode == 5
    retry = start(*SYNC, *BATCH)
    _, err = retry.communicate(timeout=60)

    assert retry.returncode == 0, err
    assert stack.service.workspace.heartbeat(stack.table()).token == token + 1
    assert [row[0] for row in stack.warehouse_rows()] == [1, 2, 3, 11, 12, 13]


def test_a_run_that_sleeps_while_its_retry_takes_over_loads_nothing_more(start: Start, stack: Stack) -> None:
    new_rows(stack)
    with held_warehouse(stack):
        sleeper = at_work(start, *BATCH)
        sleeper.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, sleeper.pid, os.WSTOPPED | os.WNOWAIT)  # Else a thread of it may still take the warehouse.
    retry = start(*SYNC, *BATCH)
    _, err = retry.communicate(timeout=60)
    sleeper.send_signal(signal.SIGCONT)
    sleeper.communicate(timeout=60)

    assert retry.returncode == 0, err
    assert sleeper.returncode != 0
    assert [row[0] for row in stack.warehouse_rows()] == [1, 2, 3, 11, 12, 13]


def test_two_live_retries_of_one_batch_do_not_take_the_table_from_each_other(start: Start, stack: Stack) -> None:
    new_rows(stack)
    with held_warehouse(stack):
        killed = at_work(start, *BATCH)
        killed.kill()
        killed.wait()
        retries = [start(*SYNC, *BATCH) for _ in range(2)]
        refused = next(ended(retries))
        _, err = refused.communicate(timeout=60)
        assert (refused.returncode, "of batch nightly-1" in err) == (5, True)
        (going_on,) = (process for process in retries if process is not refused)
        assert going_on.poll() is None
    _, err = going_on.communicate(timeout=60)

    assert going_on.returncode == 0, err
    assert [row[0] for row in stack.warehouse_rows()] == [1, 2, 3, 11, 12, 13]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_wait_at_once(start: Start, stack: Stack, number: signal.Signals, code: int) -> None:
    workspace = stack.service.workspace
    held, _ = lease.acquire(workspace.objects, workspace.clock, workspace.author, stack.table(), "0198a4f3c0001a2b3c")
    waiting = start(*SYNC, "--wait", "1h")
    assert waiting.stderr is not None
    assert any("waiting up to 1 h: shop.orders is held by tester" in line for line in waiting.stderr)
    asked = time.monotonic()
    waiting.send_signal(number)
    waiting.communicate(timeout=60)
    held.release()

    assert waiting.returncode == code
    assert time.monotonic() - asked < 30


def test_a_wait_is_a_length_of_time(wmtui: Wmtui) -> None:
    found = wmtui(*SYNC, "--wait", "soon")

    assert found.code == 2
    assert "is not a duration" in found.err


def ended(processes: "list[subprocess.Popen[str]]") -> "Iterator[subprocess.Popen[str]]":
    """The processes in the order in which they end."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        yield from (process for process in processes if process.poll() is not None)
        time.sleep(0.05)

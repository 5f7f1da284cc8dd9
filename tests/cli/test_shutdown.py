"""The program ends soon after it was told to, whatever it waits for, and when its terminal is gone."""

import os
import pty
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb
import pytest
import yaml

from tests.cli.conftest import ROOT, Start, Wmtui
from tests.servers.s3 import ENVIRONMENT, S3Server, hold
from tests.stack import Stack
from wmtui.cli import shutdown

IMPATIENT = "import wmtui.cli.shutdown as e, wmtui.cli.main as m; e.GRACE_SECONDS, e.LIMIT_SECONDS = 1, 2; m.run()"


class Silent:
    """A server that takes every connection and says nothing. reached: somebody connected."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._socket.getsockname()[1]
        self.reached = threading.Event()
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                self._open.append(self._socket.accept()[0])
            except OSError:
                return
            self.reached.set()

    def close(self) -> None:
        self._socket.close()
        for connection in self._open:
            connection.close()


@pytest.fixture
def silent() -> Iterator[Silent]:
    """A server that hangs."""
    server = Silent()
    yield server
    server.close()


def profile(stack: Stack, **changes: object) -> None:
    stack.document["profiles"]["test"].update(changes)
    stack.path.write_text(yaml.safe_dump(stack.document))


def seconds_to_end(process: "subprocess.Popen[str]", number: signal.Signals) -> float:
    began = time.monotonic()
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert "Traceback" not in out + err
    return time.monotonic() - began


@pytest.mark.parametrize(
    ("line", "number"),
    [
        (("status",), signal.SIGINT),
        (("watermark", "get", "-t", "shop.orders"), signal.SIGTERM),
        (("sync", "-t", "shop.orders"), signal.SIGINT),
        (("--run", "--json"), signal.SIGTERM),
        (("--screenshot", "picture.svg"), signal.SIGTERM),
    ],
    ids=str,
)
def test_a_store_that_hangs_keeps_nobody(
    start: Start, stack: Stack, silent: Silent, line: tuple[str, ...], number: signal.Signals
) -> None:
    profile(stack, store="s3://lake", s3={"endpoint_url": f"http://127.0.0.1:{silent.port}"})
    process = start(*line, python=("-c", IMPATIENT), **ENVIRONMENT)
    assert silent.reached.wait(30)
    assert seconds_to_end(process, number) < 10
    assert process.returncode == 128 + number


def test_the_main_thread_may_know_of_a_signal_before_the_thread_that_hears_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutdown, "_ending", shutdown._Ending())
    left: list[int] = []
    monkeypatch.setattr(shutdown, "leave", left.append)
    with pytest.raises(KeyboardInterrupt):
        shutdown._interrupt(signal.SIGTERM, None)
    shutdown.finish(shutdown.code())
    assert left == [143]


@pytest.mark.parametrize(
    ("part", "line"),
    [
        ("source", ("doctor",)),
        ("source", ("sync", "-t", "shop.orders", "--dry-run")),
        ("warehouse", ("sync", "-t", "shop.orders")),
    ],
    ids=str,
)
def test_a_database_that_hangs_keeps_nobody(
    start: Start, stack: Stack, silent: Silent, part: str, line: tuple[str, ...]
) -> None:
    server = {"host": "127.0.0.1", "port": silent.port, "user": "etl", "password": "correct-horse", "tls": "disable"}
    kind = {"source": {"type": "mysql"}, "warehouse": {"type": "postgres", "database": "dw"}}[part]
    profile(stack, **{part: {**server, **kind}})
    process = start(*line, python=("-c", IMPATIENT))
    assert silent.reached.wait(30)
    assert seconds_to_end(process, signal.SIGINT) < 10
    assert process.returncode == 130


def test_a_sync_that_is_left_behind_in_a_hanging_store_goes_on_with_the_next_run(
    start: Start, stack: Stack, s3: S3Server, wmtui: Wmtui, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    profile(stack, store=f"s3://{s3.new_bucket()}", s3={"endpoint_url": s3.endpoint_url})
    arrived, released = threading.Event(), threading.Event()
    s3.faults.add(hold(arrived, released), method="PUT", key="parquet", times=None)
    process = start("sync", "-t", "shop.orders")
    assert arrived.wait(30)
    seconds = seconds_to_end(process, signal.SIGINT)
    assert seconds < 10
    assert process.returncode == 130
    released.set()
    s3.faults.clear()
    (held,) = wmtui("locks", "--json").json["locks"]
    assert wmtui("unlock", held["id"], "--yes").code == 0
    assert wmtui("sync", "-t", "shop.orders").code == 0
    assert len(stack.warehouse_rows()) == 3


@contextmanager
def at_a_terminal(
    stack: Stack, *arguments: str, ignoring: bool = False
) -> "Iterator[tuple[subprocess.Popen[bytes], int]]":
    """A command at a terminal; yields the process and the terminal's other end, which the caller closes."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=stack.path.parent,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=(lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)) if ignoring else None,  # noqa: PLW1509
    )
    os.close(theirs)
    try:
        yield process, ours
    finally:
        process.kill()
        process.wait()


def read_until(terminal: int, words: bytes, times: int = 1) -> None:
    """Read what is shown until these words are, so many times."""
    seen = b""
    while seen.count(words) < times:
        seen += os.read(terminal, 65536)


@pytest.mark.parametrize("ignoring", [False, True])
def test_the_screen_ends_when_its_terminal_is_gone(stack: Stack, ignoring: bool) -> None:
    with at_a_terminal(stack, "-m", "wmtui", ignoring=ignoring) as (process, terminal):
        read_until(terminal, b"Tables")
        os.close(terminal)
        process.wait(10)
        assert process.returncode == 129


def test_a_sync_that_ignores_the_end_of_its_terminal_goes_on_to_its_own(stack: Stack) -> None:
    with at_a_terminal(stack, "-m", "wmtui", "sync", "-t", "shop.orders", ignoring=True) as (process, terminal):
        os.close(terminal)
        assert process.wait(60) == 0
    assert len(stack.warehouse_rows()) == 3


def test_a_sync_stops_between_parts_when_its_terminal_is_gone(stack: Stack, wmtui: Wmtui) -> None:
    warehouse = duckdb.connect(stack.path.parent / "warehouse.duckdb")
    with at_a_terminal(stack, "-m", "wmtui", "sync", "-t", "shop.orders") as (process, terminal):
        read_until(terminal, b"\x1b[2K", times=5)  # The display is drawn again and again.
        process.send_signal(signal.SIGHUP)
        read_until(terminal, b"stopping")
        os.close(terminal)
        warehouse.close()
        assert process.wait(20) == 143
    assert wmtui("sync", "-t", "shop.orders", "--wait", "2m").code == 0

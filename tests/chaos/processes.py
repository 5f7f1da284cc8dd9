"""The harness's side of the fork server: start `wmtui` processes, pause, kill and await them."""

import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from tests.servers.s3 import ENVIRONMENT

ROOT = Path(__file__).parents[2]
BUG = 70
"""How a process ends that raised what it should have reported."""

_PATIENCE = 90.0
"""Seconds after which a process counts as hanging; long, because machines are slow and servers restart."""


@dataclass(frozen=True)
class Setup:
    """How a process differs from a plain `wmtui`.

    at, do: the step at which it is to be killed or paused. broken: a variant of the product. ttl: seconds a lease
    lives; renew: seconds between its renewals. clock_offset: seconds by which its host's clock is wrong.
    """

    at: str | None = None
    do: str = "kill"
    broken: str | None = None
    ttl: float = 4.0
    renew: float = 0.1
    clock_offset: float = 0.0
    batch_rows: int = 20
    part_bytes: int = 2000
    read_seconds: float = 2.0


PLAIN = Setup()
"""A process like any other."""


@dataclass
class Process:
    """One process."""

    argv: tuple[str, ...]
    setup: Setup
    log: Path
    pid: int = 0
    status: int | None = None
    _started: threading.Event = field(default_factory=threading.Event)
    _ended: threading.Event = field(default_factory=threading.Event)

    def wait(self, seconds: float = _PATIENCE) -> int:
        """The exit code, or minus the signal that ended it; a process that does not end is a failure of its own."""
        if not self._ended.wait(seconds):
            self.signal(signal.SIGKILL)
            self._ended.wait(10)
            raise AssertionError(f"wmtui {' '.join(self.argv)} hangs ({self.setup}), see {self.log}")
        assert self.status is not None
        return os.waitstatus_to_exitcode(self.status)

    def ended(self, seconds: float) -> bool:
        """Whether it ends within this time."""
        return self._ended.wait(seconds)

    def signal(self, number: int) -> bool:
        """Send a signal; False when the process has ended by itself."""
        self._started.wait(_PATIENCE)
        if self._ended.is_set():
            return False
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            return False
        return True

    def paused(self, seconds: float = _PATIENCE) -> bool:
        """Wait until it has stopped itself; False when it ended instead."""
        self._started.wait(seconds)
        for _ in range(int(seconds / 0.01)):
            if self._ended.wait(0.01):
                return False
            try:
                if Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T":
                    return True
            except OSError:
                return False
        raise AssertionError(f"wmtui {' '.join(self.argv)} did not reach {self.setup.at}")


class ForkServer:
    """Starts processes; as a context manager."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._processes: list[Process] = []
        self._lock = threading.Lock()
        self._errors = (folder / "fork-server.log").open("wb")
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.fork_server"],
            cwd=ROOT,
            env={**{k: v for k, v in os.environ.items() if not k.startswith("AWS_")}, **ENVIRONMENT},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            bufsize=1,
        )
        assert self._server.stdout is not None
        if not self._server.stdout.readline():
            raise RuntimeError(f"the fork server did not start:\n{(folder / 'fork-server.log').read_text()}")
        self._reader = threading.Thread(target=self._listen, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._server.stdin is not None
        self._server.stdin.close()
        self._server.wait()
        self._reader.join()
        assert self._server.stdout is not None
        self._server.stdout.close()
        self._errors.close()

    def start(self, *argv: str, setup: Setup) -> Process:
        """Start `wmtui argv`."""
        with self._lock:
            number = len(self._processes)
            process = Process(argv, setup, self.folder / f"{number:05d}.log")
            self._processes.append(process)
            line: dict[str, Any] = {**asdict(setup), "number": number, "argv": argv, "log": str(process.log)}
            assert self._server.stdin is not None
            self._server.stdin.write(json.dumps(line) + "\n")
        return process

    @property
    def count(self) -> int:
        """Processes started so far."""
        return len(self._processes)

    def _listen(self) -> None:
        assert self._server.stdout is not None
        for line in self._server.stdout:
            word, number, value = line.split()
            process = self._processes[int(number)]
            if word == "started":
                process.pid = int(value)
                process._started.set()
            else:
                process.status = int(value)
                process._ended.set()

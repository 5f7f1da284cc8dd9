"""The sandbox's time: from its moment on, only while it is used, never backwards."""

import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from wmtui.demo.clock import SandboxClock, in_use, start_clock

MOMENT = datetime(2025, 8, 14, 15, 30, 45, tzinfo=UTC)

_USE_AND_DIE = """
import os, signal, sys
from pathlib import Path
from wmtui.demo.clock import SandboxClock
clock = SandboxClock(Path(sys.argv[1]))
for _ in range(20_000):
    last = clock()
print(last.isoformat(), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


class RealTime:
    """What the host says the time is."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_ns = time.time_ns()
        monkeypatch.setattr("wmtui.demo.clock.time.time_ns", lambda: self.now_ns)

    def pass_by(self, **span: float) -> None:
        """Let real time pass."""
        self.now_ns += int(timedelta(**span).total_seconds() * 10**9)


@pytest.fixture
def real(monkeypatch: pytest.MonkeyPatch) -> RealTime:
    """Real time, moved by the test."""
    return RealTime(monkeypatch)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The clock of a new sandbox."""
    start_clock(tmp_path / "clock", MOMENT)
    return tmp_path / "clock"


@pytest.mark.usefixtures("real")
def test_the_first_user_begins_at_the_moment_of_the_sandbox(file: Path) -> None:
    assert SandboxClock(file)() == MOMENT


def test_time_runs_on_as_real_time_does(file: Path, real: RealTime) -> None:
    clock = SandboxClock(file)
    real.pass_by(minutes=2, seconds=30)
    assert clock() == MOMENT + timedelta(minutes=2, seconds=30)


def test_weeks_without_use_do_not_count(file: Path, real: RealTime) -> None:
    clock = SandboxClock(file)
    real.pass_by(minutes=10)
    left = clock()
    del clock
    real.pass_by(weeks=6)
    assert left < SandboxClock(file)() <= left + timedelta(seconds=1)


def test_time_is_not_set_back_when_the_last_reading_was_never_noted(file: Path, real: RealTime) -> None:
    clock = SandboxClock(file)
    real.pass_by(seconds=5)
    clock()
    real.pass_by(milliseconds=499)
    left = clock()
    del clock
    assert SandboxClock(file)() > left


def test_a_clock_that_the_host_sets_back_stands_still(file: Path, real: RealTime) -> None:
    clock = SandboxClock(file)
    real.pass_by(minutes=1)
    reached = clock()
    real.pass_by(hours=-1)
    assert clock() == reached


def test_users_at_the_same_time_share_one_time(file: Path, real: RealTime) -> None:
    first = SandboxClock(file)
    real.pass_by(hours=3)
    second = SandboxClock(file)
    assert first() == second() == MOMENT + timedelta(hours=3)


def test_the_time_is_noted_at_most_every_half_second(file: Path, real: RealTime) -> None:
    clock = SandboxClock(file)
    real.pass_by(seconds=1)
    clock()
    noted = file.stat().st_mtime_ns
    real.pass_by(milliseconds=499)
    clock()
    assert file.stat().st_mtime_ns == noted
    real.pass_by(milliseconds=1)
    clock()
    assert file.stat().st_mtime_ns == noted + 500_000_000


def test_kill_9_does_not_set_time_back(file: Path) -> None:
    killed = subprocess.run(
        [sys.executable, "-c", _USE_AND_DIE, file], capture_output=True, text=True, check=False, timeout=60
    )
    assert killed.returncode == -9
    last = datetime.fromisoformat(killed.stdout.strip())
    assert MOMENT <= last < SandboxClock(file)()


def test_a_sandbox_is_in_use_as_long_as_somebody_has_its_clock(file: Path) -> None:
    assert not in_use(file)
    clock = SandboxClock(file)
    assert in_use(file)
    del clock
    assert not in_use(file)

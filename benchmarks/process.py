"""Run a program as a user would wait for it: seconds, processor time and memory of the whole process tree."""

import os
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import Figure

_TICKS = os.sysconf("SC_CLK_TCK")
_SAMPLE_SECONDS = 0.1


@dataclass(frozen=True)
class Run:
    """One finished program: seconds on the clock, seconds of processor time, peak memory in bytes, of its whole tree.

    Memory is the sum of the proportional set sizes (PSS), so that a page which two processes share counts once; it is
    looked at ten times a second. output: what it printed.
    """

    wall: float
    cpu: float
    peak: int
    output: str = ""


def run(
    command: Sequence[str], env: Mapping[str, str] | None = None, *, folder: Path | None = None, seconds: float = 3600
) -> Run:
    """Run a command to its end; raises CalledProcessError with its output, or TimeoutExpired after `seconds`.

    It is in a session of its own, which is ended as a whole when time is up or Ctrl-C was pressed.
    """
    with tempfile.TemporaryFile("w+", errors="replace") as printed:
        began = time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        watch = _Watch(process.pid, seconds)
        watch.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            end_group(process.pid)
            raise
        finally:
            watch.done.set()
        wall = time.perf_counter() - began
        watch.join()
        code = process.returncode = os.waitstatus_to_exitcode(status)
        end_group(process.pid)
        printed.seek(0)
        output = printed.read()
    if watch.expired:
        raise subprocess.TimeoutExpired(command, seconds, output)
    if code:
        raise subprocess.CalledProcessError(code, command, output)
    return Run(wall, usage.ru_utime + usage.ru_stime, watch.peak, output)


def end_group(pid: int) -> None:
    """End what is left of the session that a process began."""
    with suppress(ProcessLookupError):
        os.killpg(pid, 9)


class _Watch(threading.Thread):
    """Notes the peak of a tree's memory, and ends it when its time is up."""

    def __init__(self, pid: int, seconds: float) -> None:
        super().__init__(daemon=True)
        self._pid, self._deadline = pid, time.monotonic() + seconds
        self.done = threading.Event()
        self.peak, self.expired = 0, False

    def run(self) -> None:
        while True:
            self.peak = max(self.peak, sum(map(memory, tree([self._pid]))))
            if self.done.wait(_SAMPLE_SECONDS):
                return
            if time.monotonic() > self._deadline:
                self.expired = True
                end_group(self._pid)


def tree(roots: Iterable[int]) -> set[int]:
    """Processes that are there, with all that descend from them."""
    parents = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and (stat := _stat(int(folder.name))):
            parents[int(folder.name)] = int(stat[1])
    found, known = {root for root in roots if root in parents}, 0
    while len(found) > known:
        known = len(found)
        found |= {pid for pid, parent in parents.items() if parent in found}
    return found


def memory(pid: int) -> int:
    """Proportional set size in bytes; 0 for a process that is gone or another user's."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def processor(roots: Iterable[int]) -> float:
    """Seconds of processor time that trees have taken, with that of children which have ended."""
    stats = (_stat(pid) for pid in tree(roots))
    return sum(sum(map(int, stat[11:15])) for stat in stats if stat) / _TICKS


def busy() -> float:
    """Seconds that all processors of the machine were at work, for whomever; what its host took from it counts too."""
    user, nice, system, _idle, _wait, irq, soft, steal = map(
        int, Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:9]
    )
    return (user + nice + system + irq + soft + steal) / _TICKS


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat from the state on; None: it is gone."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    return None


def interleaved(commands: Sequence[Sequence[str]], times: int) -> list[list[Run]]:
    """The runs of each command, all of them run in turn, after a warm-up of each."""
    runs: list[list[Run]] = [[] for _ in commands]
    for number in range(times + 1):
        for command, seen in zip(commands, runs, strict=True):
            done = run(command)
            if number:
                seen.append(done)
    return runs


def compared(name: str, ours: Sequence[Run], least: Sequence[Run], budget: float | None) -> Figure:
    """The median on the clock; and by processor time, which other work on the machine disturbs less, the ratio to the
    least that could do.
    """
    ratio = statistics.median(run.cpu for run in ours) / statistics.median(run.cpu for run in least)
    return Figure(name, statistics.median(run.wall for run in ours) * 1000, "ms", ratio, budget)

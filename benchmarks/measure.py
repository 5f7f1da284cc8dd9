"""Times whole processes, as a user would wait for them."""

import os
import re
import statistics
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import Figure


@dataclass(frozen=True)
class Run:
    """One finished process: seconds on the clock, seconds of processor time, peak memory in bytes."""

    wall: float
    cpu: float
    peak: int


def run(command: Sequence[str], env: Mapping[str, str] | None = None) -> Run:
    """Run a command to its end; raises CalledProcessError with its output when it fails."""
    began = time.perf_counter()
    process = subprocess.Popen(
        command, env={**os.environ, **(env or {})}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    peaks = [0]
    watcher = threading.Thread(target=_watch, args=(process.pid, peaks))
    watcher.start()
    output = process.stdout.read()
    watcher.join()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    code = process.returncode = os.waitstatus_to_exitcode(status)
    if code:
        raise subprocess.CalledProcessError(code, command, output)
    return Run(wall, usage.ru_utime + usage.ru_stime, max(peaks))


def _watch(pid: int, peaks: list[int]) -> None:
    """Note a process's peak of memory until it ends.

    What wait4 returns is at least the peak of the process that started it, which may hold a store of many files.
    """
    status = Path(f"/proc/{pid}/status")
    while peak := re.search(r"VmHWM:\s+(\d+) kB", status.read_text()):
        peaks.append(int(peak[1]) * 1024)
        time.sleep(0.02)


def interleaved(commands: Sequence[Sequence[str]], times: int) -> list[list[Run]]:
    """The runs of each command, all of them run in turn, after a warm-up of each."""
    runs: list[list[Run]] = [[] for _ in commands]
    for number in range(times + 1):
        for command, seen in zip(commands, runs, strict=True):
            done = run(command)
            if number:
                seen.append(done)
    return runs


def compared(name: str, ours: Sequence[Run], least: Sequence[Run], budget: float) -> Figure:
    """The median on the clock; and by processor time, which other work on the machine disturbs less, the ratio to the
    least that could do.
    """
    ratio = statistics.median(run.cpu for run in ours) / statistics.median(run.cpu for run in least)
    return Figure(name, statistics.median(run.wall for run in ours) * 1000, "ms", ratio, budget)

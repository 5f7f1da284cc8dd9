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


def pairs(first: Sequence[str], second: Sequence[str], times: int) -> tuple[float, float]:
    """The median wall times of two commands run in turn, after a warm-up of each."""
    walls: tuple[list[float], list[float]] = ([], [])
    for number in range(times + 1):
        for command, seen in zip((first, second), walls, strict=True):
            wall = run(command).wall
            if number:
                seen.append(wall)
    return statistics.median(walls[0]), statistics.median(walls[1])

"""What a campaign has done, counted by many threads at once."""

import signal
import threading
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.chaos.audit import Audit
from tests.chaos.environment import Table
from tests.chaos.processes import BUG, PLAIN, Process, Setup


@dataclass
class Score:
    """Kills, faults, runs, rows compared and differences so far, on these servers."""

    seed: int
    servers: str
    kills: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    exits: Counter[int] = field(default_factory=Counter)
    rows: int = 0
    lost: int = 0
    doubled: int = 0
    differences: list[str] = field(default_factory=list)
    _started: float = field(default_factory=time.monotonic)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _counted: set[int] = field(default_factory=set)

    @property
    def total(self) -> int:
        """Kills and faults."""
        return self.kills.total() + self.faults.total()

    def count_kill(self, how: str) -> None:
        """Count a kill."""
        with self._lock:
            self.kills[how] += 1

    def count_fault(self, fault: str) -> None:
        """Count a fault."""
        with self._lock:
            self.faults[fault] += 1

    def add(self, differences: Iterable[str], audit: Audit | None = None) -> None:
        """Note the differences, and the rows of the audit that found them."""
        with self._lock:
            self.differences += differences
            if audit is not None:
                self.rows += audit.rows
                self.lost += audit.lost
                self.doubled += audit.doubled

    def sync(self, table: Table, *options: str, setup: Setup = PLAIN) -> int:
        """Sync a table to the end; the exit code, or minus a signal."""
        return self.ended(table.start(*options, setup=setup))

    def ended(self, process: Process) -> int:
        """Wait for a process and count it, once; the exit code, or minus a signal."""
        code = process.wait()
        with self._lock:
            if process.pid not in self._counted:
                self._counted.add(process.pid)
                self.exits[code] += 1
                if code == BUG:
                    self.differences.append(f"wmtui {' '.join(process.argv)} has a bug, see {process.log}")
        return code

    def kill(self, process: Process, delay: float) -> None:
        """Kill a process after so many seconds, unless it has ended by then."""
        if not process.ended(delay) and process.signal(signal.SIGKILL):
            self.count_kill("at a random time")
        self.ended(process)

    def __str__(self) -> str:
        lines = [
            f"{self.servers}, seed {self.seed}: {self.kills.total()} kills, {self.faults.total()} faults, "
            f"{self.exits.total()} runs, {self.rows} rows, {self.lost} lost, {self.doubled} doubled, "
            f"{len(self.differences)} differences, {time.monotonic() - self._started:.0f} s"
        ]
        for title, counts in (("kills", self.kills), ("faults", self.faults), ("exit codes", self.exits)):
            lines.append(f"  {title}: " + ", ".join(f"{name} {count}" for name, count in sorted(counts.items())))
        lines += [f"  DIFFERENCE {line}" for line in self.differences]
        if self.differences:
            lines.append(f"  again: make chaos SEED={self.seed} {self.servers}")
        return "\n".join(lines)

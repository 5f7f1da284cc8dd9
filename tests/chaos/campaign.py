"""A campaign: kills and faults by a plan drawn from a seed, then a clean run, then the audit."""

import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar
from uuid import UUID

from tests.chaos.audit import differences
from tests.chaos.lab import Lab, Table
from tests.chaos.processes import PLAIN, Agent, Order
from tests.chaos.steps import STEPS
from tests.chaos.weather import Weather
from tests.chaos.writers import Pace, Writers

LONG_AGO = "2020-01-01"
_HOUR = 3600.0
_LANES = 3
_REST_SECONDS = 2.1
"""Longer than lag and a second of a cursor without fractions."""

_GENTLE = Pace(pause=0.3, hold=0, long_of_1000=0, backups=False)
OPTIONS = {"intra-table": ("-s", "intra-table", "--workers", "2"), "load-only": ("--redshift-only",)}
BEFORE: dict[str, Sequence[tuple[str | None, Sequence[str]]]] = {
    "first load": (),
    "incremental": ((None, ()),),
    "intra-table": ((None, ()),),
    "load-only": ((None, ()), (None, ("--backup-only",))),
    "resume": (("after:put:part#2", ()),),
    "take over": ((None, ()), ("after:put:run:committed", ())),
    "edit": (("after:put:part#2", ()),),
}
"""What leads to each kind of run: syncs, killed at a step or not, with options."""
_EDITS = (("set", "--timestamp", LONG_AGO), ("reset",), ("undo",), ("pin",), ("unpin",))
_NEEDS_NEWS = ("incremental", "intra-table", "load-only", "take over")
_TRIES = 6
_T = TypeVar("_T")


@dataclass
class Score:
    """What a campaign has done so far."""

    seed: int
    kills: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    exits: Counter[int] = field(default_factory=Counter)
    runs: int = 0
    rows: int = 0
    differences: list[str] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)

    @property
    def total(self) -> int:
        """Kills and faults."""
        return self.kills.total() + self.faults.total()

    def __str__(self) -> str:
        seconds = time.monotonic() - self.started
        lines = [
            f"seed {self.seed}: {self.kills.total()} kills, {self.faults.total()} faults, {self.runs} runs, "
            f"{self.rows} rows compared, {len(self.differences)} differences, {seconds:.0f} s"
        ]
        for title, counts in (("kills", self.kills), ("faults", self.faults), ("exit codes", self.exits)):
            lines.append(f"  {title}: " + ", ".join(f"{name} {count}" for name, count in sorted(counts.items())))
        lines += [f"  DIFFERENCE {line}" for line in self.differences]
        if self.differences:
            lines.append(f"  again: make chaos SEED={self.seed}")
        return "\n".join(lines)


class Campaign:
    """Kills and faults in one lab. The plan depends on the seed alone; what the scheduler makes of it does not."""

    def __init__(self, lab: Lab, seed: int) -> None:
        self.lab = lab
        self.score = Score(seed)
        self._lock = threading.Lock()
        self._segments = 0

    def by_name(self, plan: Sequence[tuple[str, str]]) -> None:
        """Kill a process at every step of the plan (kind of run, step), and audit behind each kill."""
        plan = list(plan)
        random.Random(f"{self.score.seed} names").shuffle(plan)
        self._in_lanes(plan, lambda _, step: self._kill_at(*step))

    def at_random(self, wanted: int) -> None:
        """Kills and faults at random times until there are so many more."""
        until = self.score.total + wanted
        while self.score.total < until and not self.score.differences:
            self._segment(min(60, until - self.score.total))

    def _segment(self, wanted: int) -> None:
        """One stretch of bad weather over fresh tables, and the audit behind it."""
        self._segments += 1
        seed = self.score.seed * 1000 + self._segments
        until = self.score.total + wanted
        chances = [random.Random(f"{seed} lane {n}") for n in range(_LANES)]
        lanes = [self._new_lane(chance) for chance in chances]
        weather = Weather(self.lab, seed, s3=random.Random(seed).choice((0.0, 0.01, 0.03)))

        def rounds(number: int, table: Table) -> None:
            while self.score.total + weather.faults.total() < until:
                self._round(table, chances[number])

        with Writers(self.lab, lanes, seed), weather:
            self._in_lanes(lanes, rounds)
        self.score.faults.update(weather.faults)
        self._in_lanes(lanes, lambda _, table: self._settle(table))

    def _round(self, table: Table, chance: random.Random) -> None:
        """Something happens to a table."""
        happening: Callable[[Table, random.Random], None] = chance.choice(
            (
                self._kill_some_time,
                self._kill_some_time,
                self._schedulers,
                self._pause_past_lease,
                self._edit,
                self._clean,
                self._break_lease,
            )
        )
        happening(table, chance)

    def _kill_some_time(self, table: Table, chance: random.Random) -> None:
        agent = table.start(*_options(chance), order=_order(chance))
        self._kill(agent, chance.uniform(0, 2))
        table.expire_lease()

    def _schedulers(self, table: Table, chance: random.Random) -> None:
        """Two to four processes sync the table at once; some are killed."""
        agents = [table.start(*_options(chance), order=_order(chance)) for _ in range(chance.randint(2, 4))]
        delays = [(agent, chance.uniform(0, 2)) for agent in agents if chance.random() < 0.5]
        for agent, delay in delays:
            self._kill(agent, delay)
        for agent in agents:
            self._ended(agent)

    def _pause_past_lease(self, table: Table, chance: random.Random) -> None:
        """A process stops at a step, another takes its lease over, the first wakes up."""
        step = chance.choice(STEPS[chance.choice(("first load", "incremental", "load-only"))])
        agent = table.start(*_options(chance), order=_order(chance, at=step, do="pause"))
        if agent.paused():
            with self._lock:
                self.score.faults["paused past its lease"] += 1
            table.expire_lease()
            if chance.random() < 0.3:
                self._edit(table, chance)
            other = table.start(*_options(chance), order=_order(chance))
            if chance.random() < 0.5:
                self._ended(other)
                agent.signal(signal.SIGCONT)
            else:
                other.ended(chance.uniform(0, 2))
                agent.signal(signal.SIGCONT)
                self._ended(other)
        self._ended(agent)

    def _edit(self, table: Table, chance: random.Random) -> None:
        """An operator moves the watermark, perhaps while a run is beginning or is killed half-way."""
        runs = [table.start(*_options(chance), order=_order(chance))] if chance.random() < 0.5 else []
        words = chance.choice(_EDITS)
        reason = str(UUID(int=chance.getrandbits(128)))
        for agent in runs:
            agent.ended(chance.uniform(0, 1))
            if chance.random() < 0.5:
                self._kill(agent, 0)
                table.expire_lease()
        code = table.edit(*words, reason=reason, order=_order(chance))
        with self._lock:
            self.score.exits[code] += 1
        for agent in runs:
            self._ended(agent)

    def _clean(self, table: Table, chance: random.Random) -> None:
        """Leftovers are removed, perhaps while a run begins or after one was killed."""
        agent = table.start(*_options(chance), order=_order(chance))
        if chance.random() < 0.5:
            self._kill(agent, chance.uniform(0, 2))
            table.expire_lease()
        self._ended(table.run("clean", "--yes", order=_order(chance)))
        self._ended(agent)

    def _break_lease(self, table: Table, chance: random.Random) -> None:
        """Somebody unlocks the table under a run, dead or alive, and another run begins."""
        agent = table.start(*_options(chance), order=_order(chance))
        agent.ended(chance.uniform(0, 1))
        if chance.random() < 0.3:
            self._kill(agent, 0)
        for other in (table.unlock(), table.start(*_options(chance), order=_order(chance)), agent):
            self._ended(other)

    def _kill_at(self, kind: str, step: str) -> None:
        """Bring a fresh table where this kind of run begins, kill the run at the step, and settle."""
        table = self.lab.create()
        table.seed(300)
        with Writers(self.lab, [table], self.score.seed, _GENTLE):
            killed = self._killed_at(table, kind, step)
        with self._lock:
            if killed:
                self.score.kills[f"at a step of {kind}"] += 1
            else:
                self.score.differences.append(f"{table.name}: {kind}: {step} was never reached")
        self._settle(table)

    def _killed_at(self, table: Table, kind: str, step: str) -> bool:
        """Whether the run died at the step; where there must be news, tried again in case a writer held it back."""
        for earlier, options in BEFORE[kind]:
            self._sync(table, *options, order=Order(at=earlier))
            table.expire_lease()
            if kind in _NEEDS_NEWS:
                table.news()
        order = Order(at=step)
        if kind == "edit":
            return table.edit("set", "--timestamp", LONG_AGO, order=order) == -signal.SIGKILL
        for _ in range(_TRIES if kind in _NEEDS_NEWS else 1):
            if self._sync(table, *OPTIONS.get(kind, ()), order=order) == -signal.SIGKILL:
                return True
            table.news()
        return False

    def _settle(self, table: Table) -> None:
        """One clean run, then the audit; another clean run while writers of other lanes hold reading back."""
        time.sleep(_REST_SECONDS)
        table.expire_lease()
        table.edit("unpin")
        for _ in range(_TRIES):
            code = self._sync(table)
            if code or table.read_to_the_end():
                break
        found = [f"{table.name}: the clean run ended with {code}"] if code else []
        found += differences(table)
        if not found and (code := self._ended(table.run("verify"))):
            found = [f"{table.name}: `wmtui verify` ended with {code} although nothing differs"]
        with self._lock:
            self.score.differences += found
            self.score.rows += self.lab.pg.query(f"SELECT count(*) FROM {table.name}")[0][0]

    def _sync(self, table: Table, *options: str, order: Order = PLAIN) -> int:
        agent = table.start(*options, order=order)
        return self._ended(agent)

    def _kill(self, agent: Agent, delay: float) -> None:
        if not agent.ended(delay) and agent.signal(signal.SIGKILL):
            with self._lock:
                self.score.kills["at a random time"] += 1
        self._ended(agent)

    def _ended(self, agent: Agent) -> int:
        code = agent.wait()
        with self._lock:
            if not agent.counted:
                agent.counted = True
                self.score.runs += 1
                self.score.exits[code] += 1
                if code == 70:
                    self.score.differences.append(f"wmtui {' '.join(agent.argv)} has a bug, see {agent.log}")
        return code

    def _new_lane(self, chance: random.Random) -> Table:
        table = self.lab.create(digits=chance.choice((0, 6)), lag=chance.choice(("0s", "1s")))
        table.seed(300)
        return table

    def _in_lanes(self, items: Sequence[_T], work: Callable[[int, _T], object]) -> None:
        with ThreadPoolExecutor(_LANES, thread_name_prefix="lane") as pool:
            list(pool.map(work, range(len(items)), items))


def _options(chance: random.Random) -> tuple[str, ...]:
    return chance.choice(
        ((), (), (), ("-s", "intra-table", "--workers", "2"), ("--redshift-only",), ("--backup-only",))
    )


def _order(chance: random.Random, at: str | None = None, do: str = "kill") -> Order:
    """A process on some host, whose clock may be wrong."""
    return Order(at, do, clock_offset=chance.choice((0, 0, 0, -3, 3, -50, 50)) * _HOUR)


def every_step() -> list[tuple[str, str]]:
    """Every step of every kind of run."""
    return [(kind, step) for kind, steps in STEPS.items() for step in steps]

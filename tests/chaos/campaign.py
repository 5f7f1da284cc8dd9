"""A campaign: kills and faults by a plan drawn from a seed, then a clean run, then the audit."""

import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from uuid import UUID

from tests.chaos.audit import differences
from tests.chaos.lab import Lab, Table
from tests.chaos.processes import Agent, Order
from tests.chaos.steps import STEPS
from tests.chaos.weather import Weather
from tests.chaos.writers import Pace, Writers

LONG_AGO = "2020-01-01"
_TRIES = 4
_HOUR = 3600.0
_LANES = 3


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
        """Kill a process at every step of the plan: (kind of run, step)."""
        plan = list(plan)
        random.Random(f"{self.score.seed} names").shuffle(plan)
        lanes = [self._table(f"lane{n}", 200, digits=6, lag="0s") for n in range(_LANES)]
        with Writers(self.lab, lanes, self.score.seed, Pace(pause=0.5, hold=0, long_of_1000=0, backups=False)):
            self._in_lanes(lanes, lambda n, table: [self._kill_at(table, *step) for step in plan[n::_LANES]])
        self._settle(lanes)

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
        lanes = [
            self._table(f"t{self._segments}_{n}", 300, digits=chance.choice((0, 6)), lag=chance.choice(("0s", "1s")))
            for n, chance in enumerate(chances)
        ]
        weather = Weather(self.lab, seed, s3=random.Random(seed).choice((0.0, 0.01, 0.03)))

        def rounds(number: int, table: Table) -> None:
            while self.score.total + weather.faults.total() < until:
                self._round(table, chances[number])

        with Writers(self.lab, lanes, seed), weather:
            self._in_lanes(lanes, rounds)
        self.score.faults.update(weather.faults)
        self._settle(lanes)

    def _round(self, table: Table, chance: random.Random) -> None:
        """Something happens to a table."""
        happening: Callable[[Table, random.Random], None] = chance.choice(
            (self._kill_some_time, self._kill_some_time, self._schedulers, self._pause_past_lease, self._edit)
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
        words = chance.choice((("set", "--timestamp", LONG_AGO), ("reset",)))
        reason = str(UUID(int=chance.getrandbits(128)))
        for agent in runs:
            agent.ended(chance.uniform(0, 1))
            if chance.random() < 0.5:
                self._kill(agent, 0)
                table.expire_lease()
        table.edits[reason] = code = table.edit(*words, "--reason", reason, order=_order(chance))
        with self._lock:
            self.score.exits[code] += 1
        for agent in runs:
            self._ended(agent)

    def _kill_at(self, table: Table, kind: str, step: str) -> None:
        """Bring the table where this kind of run begins, and kill the run at the step."""
        for _ in range(_TRIES):
            if self._sync(table) == 0 and self._killed_at(table, kind, step):
                table.expire_lease()
                with self._lock:
                    self.score.kills[f"{kind}: {step}"] += 1
                return
            table.expire_lease()
        with self._lock:
            self.score.differences.append(f"{table.name}: {kind}: {step} was never reached")

    def _killed_at(self, table: Table, kind: str, step: str) -> bool:
        options: tuple[str, ...] = ()
        if kind in ("first load", "resume", "edit"):
            table.edit("reset")
        else:
            table.news()
        if kind in ("resume", "edit"):
            self._sync(table, order=Order(at="after:put:part#2"))
        elif kind == "take over":
            self._sync(table, order=Order(at="after:put:run:committed"))
        elif kind == "load-only":
            self._sync(table, "--backup-only")
            options = ("--redshift-only",)
        elif kind == "intra-table":
            options = ("-s", "intra-table", "--workers", "2")
        table.expire_lease()
        order = Order(at=step)
        if kind == "edit":
            return table.edit("set", "--timestamp", LONG_AGO, order=order) == -signal.SIGKILL
        return self._sync(table, *options, order=order) == -signal.SIGKILL

    def _settle(self, tables: Sequence[Table]) -> None:
        """One clean run of every table, then the audit."""
        time.sleep(2.5)

        def settle(_: int, table: Table) -> None:
            table.expire_lease()
            code = self._sync(table)
            found = [f"{table.name}: the clean run ended with {code}"] if code else []
            found += differences(table)
            with self._lock:
                self.score.differences += found
                self.score.rows += self.lab.pg.query(f"SELECT count(*) FROM {table.name}")[0][0]

        self._in_lanes(tables, settle)

    def _sync(self, table: Table, *options: str, order: Order = Order()) -> int:
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

    def _table(self, name: str, rows: int, **settings: object) -> Table:
        return self.lab.create(name, rows, **settings)  # type: ignore[arg-type]

    def _in_lanes(self, tables: Sequence[Table], work: Callable[[int, Table], object]) -> None:
        with ThreadPoolExecutor(len(tables), thread_name_prefix="lane") as pool:
            list(pool.map(work, range(len(tables)), tables))


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

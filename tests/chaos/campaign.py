"""A campaign: kills and faults by a plan drawn from a seed, then a clean run, then the audit."""

import random
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from tests.chaos.audit import audit
from tests.chaos.environment import LONG_AGO, Environment, Table
from tests.chaos.events import EVENTS
from tests.chaos.faults import RandomFaults
from tests.chaos.processes import Setup
from tests.chaos.score import Score
from tests.chaos.steps import BEFORE, NEEDS_CHANGES, OPTIONS
from tests.chaos.writers import Pace, Writers

_LANES = 3
_REST_SECONDS = 2.1
"""Longer than lag and a second of a cursor without fractions."""

_WITHOUT_TARGET = ("first load", "load-only", "resume")
"""Kinds of runs that are killed before there is a target."""
_TRIES = 6
_SCHEMAS = ("public", "own", "own")
"""Warehouses that several tables share, and of one table: only such a one is put back to an earlier moment."""
_SEGMENT = 60
"""Kills and faults between two audits."""

_GENTLE = Pace(pause=0.3, hold=0, long_of_1000=0, backups=False)
_T = TypeVar("_T")


class Campaign:
    """Kills and faults in one environment. The plan depends on the seed alone; in which order things happen also on the
    scheduler.
    """

    def __init__(self, environment: Environment, seed: int) -> None:
        self.environment = environment
        self.score = Score(seed, environment.servers)
        self._segments = 0

    def by_name(self, plan: Sequence[tuple[str, str]]) -> None:
        """Kill a process at every step of the plan (kind of run, step), and audit after each kill."""
        plan = list(plan)
        random.Random(f"{self.score.seed} names").shuffle(plan)
        _in_lanes(plan, lambda _, step: self._kill_at(*step))

    def at_random(self, more: int) -> None:
        """Kills and faults at random times until there are so many more, or a difference."""
        until = self.score.total + more
        while self.score.total < until and not self.score.differences:
            self._segment(min(_SEGMENT, until - self.score.total))

    def _segment(self, more: int) -> None:
        """One stretch of bad faults over fresh tables, and the audit after it."""
        self._segments += 1
        seed = self.score.seed * 1000 + self._segments
        until = self.score.total + more
        rng = random.Random(f"{seed} faults")
        pace = Pace(backups=rng.random() < 0.5, long_hold=rng.choice((5, 5, 60)))
        faults = RandomFaults(self.environment, seed, s3=rng.choice((0.0, 0.01, 0.03)))
        rngs = [random.Random(f"{seed} lane {n}") for n in range(_LANES)]
        lanes = [self._lane(one, pace) for one in rngs]

        def rounds(number: int, table: Table) -> None:
            while self.score.total + faults.counts.total() < until:
                rngs[number].choice(EVENTS)(self.score, table, rngs[number])

        with Writers(self.environment, lanes, seed, pace), faults:
            _in_lanes(lanes, rounds)
        self.score.faults.update(faults.counts)
        _in_lanes(lanes, lambda _, table: self._settle(table))

    def _lane(self, rng: random.Random, pace: Pace) -> Table:
        """A table whose settings promise that nothing is lost at this pace.

        Open transactions are seen whatever their age; only for a statement that a backup blocked in an open transaction
        is the lookback needed, because it does not show when it began.
        """
        lookback = f"{pace.long_hold + 30:.0f}s" if pace.backups else "0s"
        table = self.environment.create(
            digits=rng.choice((0, 6)),
            lag=rng.choice(("0s", "1s")),
            lookback=lookback,
            schema=rng.choice(_SCHEMAS),
            has_target=rng.choice((True, False)),
        )
        table.seed(300)
        return table

    def _kill_at(self, kind: str, step: str) -> None:
        """Bring a fresh table where this kind of run begins, kill the run at the step, and settle."""
        table = self.environment.create(has_target=kind not in _WITHOUT_TARGET)
        table.seed(300)
        with Writers(self.environment, [table], self.score.seed, _GENTLE):
            killed = self._killed_at(table, kind, step)
        if killed:
            self.score.count_kill(f"at a step of {kind}")
        else:
            self.score.add([f"{table.name}: {kind}: {step} was never reached"])
        self._settle(table)

    def _killed_at(self, table: Table, kind: str, step: str) -> bool:
        """Whether the run died at the step.

        Where there must be news, what leads to them is repeated: an open transaction of another lane holds them back.
        """
        preparations = BEFORE[kind]
        for _ in range(_TRIES if kind in NEEDS_CHANGES else 1):
            for earlier, options in preparations:
                self.score.sync(table, *options, setup=Setup(at=earlier))
                table.expire_lease()
                if kind in NEEDS_CHANGES:
                    table.change_rows()
            if self._ended_at(table, kind, step) == -signal.SIGKILL:
                return True
            preparations = preparations[-1:]
        return False

    def _ended_at(self, table: Table, kind: str, step: str) -> int:
        """How a run of this kind ended that was to die at the step."""
        setup = Setup(at=step)
        if kind == "edit":
            return table.edit("set", "--timestamp", LONG_AGO, setup=setup)
        return self.score.sync(table, *OPTIONS.get(kind, ()), setup=setup)

    def _settle(self, table: Table) -> None:
        """One clean run, then the audit; another clean run while writers of other lanes hold reading back."""
        time.sleep(_REST_SECONDS)
        table.expire_lease()
        table.edit("unpin")
        differences = [line for profile in table.warehouses for line in self._clean_run(table, profile)]
        audited = audit(table)
        differences += audited.differences
        for profile in () if differences else table.warehouses:
            if code := self.score.ended(table.run("--profile", profile, "verify")):
                differences.append(
                    f"{table.name}: `wmtui verify` of {profile} ended with {code} although nothing differs"
                )
        if differences:
            table.keep_store(self.environment.folder / f"{table.name}.store")
        self.score.add(differences, audited)

    def _clean_run(self, table: Table, profile: str) -> Iterator[str]:
        """A line where it did not end well."""
        for _ in range(_TRIES):
            last = table.sync_and_resolve("--profile", profile)
            code = self.score.ended(last)
            if code or table.read_to_the_end():
                break
        if code:
            yield f"{table.name}: the clean run into {profile} ended with {code}, see {last.log}"


def _in_lanes(items: Sequence[_T], work: Callable[[int, _T], object]) -> None:
    with ThreadPoolExecutor(_LANES, thread_name_prefix="lane") as pool:
        list(pool.map(work, range(len(items)), items))

"""What happens to a table at random: kills, rivals, pauses, operators. Each takes the chance that draws its plan."""

import random
import signal
from collections.abc import Callable
from uuid import UUID

from tests.chaos.lab import LONG_AGO, Table
from tests.chaos.processes import Agent, Order
from tests.chaos.score import Score
from tests.chaos.steps import STEPS

_EDITS = (("set", "--timestamp", LONG_AGO), ("reset",), ("undo",), ("pin",))
_OPTIONS = ((), (), (), ("-s", "intra-table", "--workers", "2"), ("--redshift-only",), ("--backup-only",))
_CLOCKS = (0, 0, 0, -3, 3, -50, 50)
"""Hours by which a host's clock is wrong."""


def kill_some_time(score: Score, table: Table, chance: random.Random) -> None:
    """A process is killed at any moment."""
    score.kill(_start(table, chance), chance.uniform(0, 2))
    table.expire_lease()


def schedulers(score: Score, table: Table, chance: random.Random) -> None:
    """Two to four processes sync the table at once; some are killed."""
    agents = [_start(table, chance) for _ in range(chance.randint(2, 4))]
    for agent, delay in [(agent, chance.uniform(0, 2)) for agent in agents if chance.random() < 0.5]:
        score.kill(agent, delay)
    for agent in agents:
        score.ended(agent)


def pause_past_lease(score: Score, table: Table, chance: random.Random) -> None:
    """A process stops at a step, another takes its lease over, the first wakes up."""
    step = chance.choice(STEPS[chance.choice(("first load", "incremental", "load-only"))])
    agent = _start(table, chance, at=step, do="pause")
    if agent.paused():
        score.struck("paused past its lease")
        table.expire_lease()
        if chance.random() < 0.3:
            edit(score, table, chance)
        other = _start(table, chance)
        other.ended(chance.choice((2.0, 20.0)) * chance.random())
        agent.signal(signal.SIGCONT)
        score.ended(other)
    score.ended(agent)


def edit(score: Score, table: Table, chance: random.Random) -> None:
    """An operator changes the watermark, perhaps while a run begins or after one was killed."""
    runs = [_start(table, chance)] if chance.random() < 0.5 else []
    words, reason = chance.choice(_EDITS), str(UUID(int=chance.getrandbits(128)))
    for agent in runs:
        agent.ended(chance.uniform(0, 1))
        if chance.random() < 0.5:
            score.kill(agent, 0)
            table.expire_lease()
    table.edit(*words, reason=reason, order=_order(chance))
    if words == ("pin",):
        score.ended(_start(table, chance))
        table.edit("unpin")
    for agent in runs:
        score.ended(agent)


def clean(score: Score, table: Table, chance: random.Random) -> None:
    """Leftovers are removed, perhaps while a run begins or after one was killed."""
    agent = _start(table, chance)
    if chance.random() < 0.5:
        score.kill(agent, chance.uniform(0, 2))
        table.expire_lease()
    score.ended(table.run("clean", "--yes", order=_order(chance)))
    score.ended(agent)


def break_lease(score: Score, table: Table, chance: random.Random) -> None:
    """Somebody unlocks the table under a run, dead or alive, and another run begins."""
    agent = _start(table, chance)
    agent.ended(chance.uniform(0, 1))
    if chance.random() < 0.3:
        score.kill(agent, 0)
    for other in (table.unlock(), _start(table, chance), agent):
        score.ended(other)


HAPPENINGS: tuple[Callable[[Score, Table, random.Random], None], ...] = (
    kill_some_time,
    kill_some_time,
    schedulers,
    pause_past_lease,
    edit,
    clean,
    break_lease,
)
"""How often each is drawn."""


def _start(table: Table, chance: random.Random, at: str | None = None, do: str = "kill") -> Agent:
    """A sync on some host, whose clock may be wrong."""
    return table.start(*chance.choice(_OPTIONS), order=_order(chance, at, do))


def _order(chance: random.Random, at: str | None = None, do: str = "kill") -> Order:
    return Order(at, do, clock_offset=chance.choice(_CLOCKS) * 3600.0)

"""What happens to a table at random: kills, rivals, pauses, operators. Each takes the chance that draws its plan."""

import random
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import UUID

from tests.chaos.environment import LONG_AGO, Table
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


def move_store(score: Score, table: Table, chance: random.Random) -> None:
    """The store is copied to another bucket, and from now on the copy is used; somebody says so, or nobody does."""
    if chance.random() < 0.7:
        _copy_halfway(score, table, chance)
    else:
        table.move_store()
        score.struck("store moved")
    other = _start(table, chance) if chance.random() < 0.5 else None
    if chance.random() < 0.5:
        score.ended(table.wmtui("store", "accept", "--moved", "--reason", "chaos"))
    if other is not None:
        score.ended(other)
    if chance.random() < 0.5:  # Else nothing moves in an incomplete copy until the end.
        score.ended(table.sync_and_cure("--profile", chance.choice(list(table.warehouses))))


def _copy_halfway(score: Score, table: Table, chance: random.Random) -> None:
    """The copy is taken while a run pauses, or goes on for a while; in the old store it then dies or ends."""
    step = chance.choice(STEPS[chance.choice(("first load", "incremental", "load-only"))])
    agent = _start(table, chance, at=step, do="pause")
    if not agent.paused():
        table.move_store()
        score.struck("store moved")
    else:
        table.forgetful = True  # What the old store gets from now on, the copy does not know.
        score.struck("store copied half-way")
        if chance.random() < 0.5:
            table.move_store()
        else:
            table.move_store(chance.random(), lambda: agent.signal(signal.SIGCONT) and agent.ended(chance.random()))
        if chance.random() < 0.5:
            score.kill(agent, 0)
        agent.signal(signal.SIGCONT)
        table.expire_lease()
    score.ended(agent)


def put_store_back(score: Score, table: Table, chance: random.Random) -> None:
    """Runs and edits go on for a while, then the store's documents are put back to what they were."""
    saved = table.save_store()
    chance.choice(_MEANWHILE)(score, table, chance)
    with _paused_run(score, table, chance):
        table.put_store_back(saved)
        table.expire_lease()
        score.struck("store put back")


def add_warehouse(score: Score, table: Table, chance: random.Random) -> None:
    """A second warehouse is loaded from the same store, from now on by every other run."""
    if "second" not in table.warehouses:
        table.add_warehouse("second", f"{table.name}_w2")
        score.struck("second warehouse")
    for _ in range(2):
        score.ended(_start(table, chance))


def put_warehouse_back(score: Score, table: Table, chance: random.Random) -> None:
    """Runs and edits go on for a while, then a warehouse is put back to what it was."""
    owned = [schema for schema in table.warehouses.values() if schema != "public"]
    schema = chance.choice(owned) if owned else None
    saved = table.save_warehouse(schema) if schema else {}
    chance.choice(_MEANWHILE)(score, table, chance)
    if schema:
        with _paused_run(score, table, chance):
            table.put_warehouse_back(schema, saved)
            score.struck("warehouse put back")


@contextmanager
def _paused_run(score: Score, table: Table, chance: random.Random) -> Iterator[None]:
    """Perhaps a run that pauses at a step meanwhile, and goes on or dies afterwards."""
    if chance.random() < 0.5:
        yield
        return
    step = chance.choice(STEPS[chance.choice(("first load", "incremental", "load-only"))])
    agent = _start(table, chance, at=step, do="pause")
    paused = agent.paused()
    yield
    if paused and chance.random() < 0.3:
        score.kill(agent, 0)
        table.expire_lease()
    elif paused:
        agent.signal(signal.SIGCONT)
    score.ended(agent)


_MEANWHILE = (kill_some_time, schedulers, pause_past_lease, edit, clean)

HAPPENINGS: tuple[Callable[[Score, Table, random.Random], None], ...] = (
    kill_some_time,
    kill_some_time,
    schedulers,
    pause_past_lease,
    edit,
    clean,
    break_lease,
    move_store,
    put_store_back,
    add_warehouse,
    put_warehouse_back,
)
"""How often each is drawn."""


def _start(table: Table, chance: random.Random, at: str | None = None, do: str = "kill") -> Agent:
    """A sync into some warehouse, on some host, whose clock may be wrong."""
    profile = ("--profile", chance.choice(list(table.warehouses)))
    return table.start(*profile, *chance.choice(_OPTIONS), order=_order(chance, at, do))


def _order(chance: random.Random, at: str | None = None, do: str = "kill") -> Order:
    return Order(at, do, clock_offset=chance.choice(_CLOCKS) * 3600.0)

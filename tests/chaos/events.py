"""What happens to a table at random: kills, other processes, pauses, operators. Each takes the generator that
draws its plan."""

import random
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import UUID

from tests.chaos.environment import LONG_AGO, Table
from tests.chaos.processes import Process, Setup
from tests.chaos.score import Score
from tests.chaos.steps import STEPS

_EDITS = (("set", "--timestamp", LONG_AGO), ("reset",), ("undo",), ("pin",))
_OPTIONS = ((), (), (), ("-s", "intra-table", "--workers", "2"), ("--redshift-only",), ("--backup-only",))
_CLOCKS = (0, 0, 0, -3, 3, -50, 50)
"""Hours by which a host's clock is wrong."""


def kill_some_time(score: Score, table: Table, rng: random.Random) -> None:
    """A process is killed at any moment."""
    score.kill(_start(table, rng), rng.uniform(0, 2))
    table.expire_lease()


def schedulers(score: Score, table: Table, rng: random.Random) -> None:
    """Two to four processes sync the table at once; some are killed."""
    processes = [_start(table, rng) for _ in range(rng.randint(2, 4))]
    for process, delay in [(process, rng.uniform(0, 2)) for process in processes if rng.random() < 0.5]:
        score.kill(process, delay)
    for process in processes:
        score.ended(process)


def pause_past_lease(score: Score, table: Table, rng: random.Random) -> None:
    """A process stops at a step, another takes its lease over, the first wakes up."""
    step = rng.choice(STEPS[rng.choice(("first load", "incremental", "load-only"))])
    process = _start(table, rng, at=step, do="pause")
    if process.paused():
        score.count_fault("paused past its lease")
        table.expire_lease()
        if rng.random() < 0.3:
            edit(score, table, rng)
        other = _start(table, rng)
        other.ended(rng.choice((2.0, 20.0)) * rng.random())
        process.signal(signal.SIGCONT)
        score.ended(other)
    score.ended(process)


def edit(score: Score, table: Table, rng: random.Random) -> None:
    """An operator changes the watermark, perhaps while a run begins or after one was killed."""
    runs = [_start(table, rng)] if rng.random() < 0.5 else []
    words, reason = rng.choice(_EDITS), str(UUID(int=rng.getrandbits(128)))
    for process in runs:
        process.ended(rng.uniform(0, 1))
        if rng.random() < 0.5:
            score.kill(process, 0)
            table.expire_lease()
    table.edit(*words, reason=reason, setup=_setup(rng))
    if words == ("pin",):
        score.ended(_start(table, rng))
        table.edit("unpin")
    for process in runs:
        score.ended(process)


def clean(score: Score, table: Table, rng: random.Random) -> None:
    """Leftovers are removed, perhaps while a run begins or after one was killed."""
    process = _start(table, rng)
    if rng.random() < 0.5:
        score.kill(process, rng.uniform(0, 2))
        table.expire_lease()
    score.ended(table.run("clean", "--yes", setup=_setup(rng)))
    score.ended(process)


def break_lease(score: Score, table: Table, rng: random.Random) -> None:
    """An operator unlocks the table under a run, dead or alive, and another run begins."""
    process = _start(table, rng)
    process.ended(rng.uniform(0, 1))
    if rng.random() < 0.3:
        score.kill(process, 0)
    for other in (table.unlock(), _start(table, rng), process):
        score.ended(other)


def move_store(score: Score, table: Table, rng: random.Random) -> None:
    """The store is copied to another bucket, and from now on the copy is used; perhaps an operator says so."""
    if rng.random() < 0.7:
        _copy_halfway(score, table, rng)
    else:
        table.move_store()
        score.count_fault("store moved")
    other = _start(table, rng) if rng.random() < 0.5 else None
    if rng.random() < 0.5:
        score.ended(table.wmtui("store", "accept", "--moved", "--reason", "chaos"))
    if other is not None:
        score.ended(other)
    if rng.random() < 0.5:  # Else nothing moves in an incomplete copy until the end.
        score.ended(table.sync_and_resolve("--profile", rng.choice(list(table.warehouses))))


def _copy_halfway(score: Score, table: Table, rng: random.Random) -> None:
    """The copy is taken while a run pauses, or goes on for a while; in the old store it then dies or ends."""
    step = rng.choice(STEPS[rng.choice(("first load", "incremental", "load-only"))])
    process = _start(table, rng, at=step, do="pause")
    if not process.paused():
        table.move_store()
        score.count_fault("store moved")
    else:
        table.store_is_outdated = True  # What the old store gets from now on, the copy does not know.
        score.count_fault("store copied half-way")
        if rng.random() < 0.5:
            table.move_store()
        else:
            table.move_store(rng.random(), lambda: process.signal(signal.SIGCONT) and process.ended(rng.random()))
        if rng.random() < 0.5:
            score.kill(process, 0)
        process.signal(signal.SIGCONT)
        table.expire_lease()
    score.ended(process)


def put_store_back(score: Score, table: Table, rng: random.Random) -> None:
    """Runs and edits go on for a while, then the store's documents are put back to what they were."""
    saved = table.save_store()
    rng.choice(_MEANWHILE)(score, table, rng)
    with _paused_run(score, table, rng):
        table.put_store_back(saved)
        table.expire_lease()
        score.count_fault("store put back")


def add_warehouse(score: Score, table: Table, rng: random.Random) -> None:
    """A second warehouse is loaded from the same store, from now on by every other run."""
    if "second" not in table.warehouses:
        table.add_warehouse("second", f"{table.name}_w2")
        score.count_fault("second warehouse")
    for _ in range(2):
        score.ended(_start(table, rng))


def put_warehouse_back(score: Score, table: Table, rng: random.Random) -> None:
    """Runs and edits go on for a while, then a warehouse is put back to what it was."""
    owned = [schema for schema in table.warehouses.values() if schema != "public"]
    schema = rng.choice(owned) if owned else None
    saved = table.save_warehouse(schema) if schema else {}
    rng.choice(_MEANWHILE)(score, table, rng)
    if schema:
        with _paused_run(score, table, rng):
            table.put_warehouse_back(schema, saved)
            score.count_fault("warehouse put back")


@contextmanager
def _paused_run(score: Score, table: Table, rng: random.Random) -> Iterator[None]:
    """Perhaps a run that pauses at a step meanwhile, and goes on or dies afterwards."""
    if rng.random() < 0.5:
        yield
        return
    step = rng.choice(STEPS[rng.choice(("first load", "incremental", "load-only"))])
    process = _start(table, rng, at=step, do="pause")
    paused = process.paused()
    yield
    if paused and rng.random() < 0.3:
        score.kill(process, 0)
        table.expire_lease()
    elif paused:
        process.signal(signal.SIGCONT)
    score.ended(process)


_MEANWHILE = (kill_some_time, schedulers, pause_past_lease, edit, clean)

EVENTS: tuple[Callable[[Score, Table, random.Random], None], ...] = (
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


def _start(table: Table, rng: random.Random, at: str | None = None, do: str = "kill") -> Process:
    """A sync into some warehouse, on some host, whose clock may be wrong."""
    profile = ("--profile", rng.choice(list(table.warehouses)))
    return table.start(*profile, *rng.choice(_OPTIONS), setup=_setup(rng, at, do))


def _setup(rng: random.Random, at: str | None = None, do: str = "kill") -> Setup:
    return Setup(at, do, clock_offset=rng.choice(_CLOCKS) * 3600.0)

"""The protocol's steps, by name, and how a process comes to stop at one of them.

A name is `before:` or `after:` and what is done: `put:<object>`, a transaction of the warehouse, a read of the source.
A process counts how often it reaches each name; `after:put:part#3` is the third time.
"""

import json
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from wmtui.objects.s3 import S3Store
from wmtui.sources.mysql.source import MySQLConnection
from wmtui.warehouses.pg_protocol import merge_transaction
from wmtui.warehouses.pg_protocol import warehouse as pg_warehouse
from wmtui.warehouses.postgres import warehouse as postgres
from wmtui.warehouses.postgres.building import TargetBuilder
from wmtui.warehouses.postgres.session import PostgresSession
from wmtui.warehouses.redshift.session import RedshiftSession
from wmtui.warehouses.redshift.staging import Stager


def _around(*names: str) -> tuple[str, ...]:
    return tuple(f"{moment}:{name}" for name in names for moment in ("before", "after"))


_LEASE = _around("put:lease:acquired", "put:lease:renewed", "put:lease:released")
_BEGIN = _around("put:watermark:run started", "put:journal", "put:run:created")
_WRITE = _around("put:part", "put:part#2", "put:run:running", "put:run:running#2", "read:batch#2")
_AHEAD = _around("stage ahead")
_COMMIT = _around("put:run:committed", "put:watermark:extracted")
_LOAD = _around("stage", "lock ledger", "merge", "merge commit", "put:loads", "put:watermark:loaded")

STEPS = {
    "first load": (*_LEASE, *_BEGIN, *_WRITE, *_AHEAD, *_COMMIT, *_LOAD),
    "incremental": (*_LEASE, *_BEGIN, *_WRITE, *_AHEAD, *_COMMIT, *_LOAD),
    "intra-table": (*_BEGIN, *_WRITE, *_AHEAD, *_COMMIT, *_LOAD),
    "load-only": (*_LEASE, *_LOAD),
    "resume": (*_around("put:watermark:run started", "put:run:resumed"), *_WRITE, *_COMMIT),
    "take over": _around("put:watermark:extracted"),
    "edit": _around("put:run:abandoned", "put:watermark:run abandoned", "put:watermark:set", "put:journal"),
}
"""What a run of each kind is made to stop at, every name once per campaign."""

BEFORE: dict[str, Sequence[tuple[str | None, Sequence[str]]]] = {
    "first load": (),
    "incremental": ((None, ()),),
    "intra-table": ((None, ()),),
    "load-only": ((None, ()), (None, ("--backup-only",))),
    "resume": (("after:put:part#2", ()),),
    "take over": ((None, ()), ("after:put:run:committed", ())),
    "edit": (("after:put:part#2", ()),),
}
"""What leads to each kind of run: syncs, each killed at a step or not, with options."""

OPTIONS = {"intra-table": ("-s", "intra-table", "--workers", "2"), "load-only": ("--redshift-only",)}
NEEDS_CHANGES = ("incremental", "intra-table", "load-only", "take over")


REDSHIFT_STEPS = tuple(
    (kind, step) for kind in ("first load", "load-only") for step in (*_LOAD, *_around("put:manifests"))
)
"""What is done otherwise there: the load."""


def every_step() -> list[tuple[str, str]]:
    """Every step of every kind of run."""
    return [(kind, step) for kind, steps in STEPS.items() for step in steps]


class Steps:
    """Counts the steps of this process and, at the one that is given, kills or pauses the process."""

    def __init__(self, at: str | None, do: str) -> None:
        name, _, ordinal = (at or "").partition("#")
        self._at = (name, int(ordinal or 1))
        self._signal = {"kill": signal.SIGKILL, "pause": signal.SIGSTOP}[do]
        self._reached: Counter[str] = Counter()
        self._lock = threading.Lock()

    def reach(self, name: str) -> None:
        """Note a step."""
        with self._lock:
            self._reached[name] += 1
            if (name, self._reached[name]) == self._at:
                # To this very thread: a signal to the process would let it run on until another thread took it.
                signal.pthread_kill(threading.get_ident(), self._signal)

    @contextmanager
    def around(self, name: str) -> Iterator[None]:
        """Note the moments before and after; a step that failed has no after."""
        self.reach(f"before:{name}")
        yield
        self.reach(f"after:{name}")


def install(steps: Steps) -> None:
    """Report the steps of the adapters of this process. The product has no hooks: its classes are wrapped here."""
    own: set[str] = set()

    def put(original: Callable[..., str], self: S3Store, key: str, data: bytes, **condition: Any) -> str:
        with steps.around(f"put:{kind_of(key, data, own, **condition)}"):
            return original(self, key, data, **condition)

    def read(original: Callable[..., Iterator[Any]], *args: Any) -> Iterator[Any]:
        for batch in original(*args):
            with steps.around("read:batch"):
                yield batch

    _wrap(S3Store, "put", put)
    _wrap(MySQLConnection, "read", read)
    for owner, name, step in (
        (postgres.PostgresWarehouse, "stage_ahead", "stage ahead"),
        (postgres, "stage", "stage"),
        (TargetBuilder, "complete", "stage"),
        (Stager, "stage", "stage"),
        (PostgresSession, "lock_ledger", "lock ledger"),
        (RedshiftSession, "lock_ledger", "lock ledger"),
        (pg_warehouse, "merge", "merge"),
        (postgres, "become_target", "merge"),
        (merge_transaction, "_merge_once", "merge commit"),
    ):
        _wrap(owner, name, _stepping(steps, step))


def _stepping(steps: Steps, step: str) -> Callable[..., Any]:
    def call(original: Callable[..., Any], *args: Any) -> Any:
        with steps.around(step):
            return original(*args)

    return call


def _wrap(owner: Any, name: str, wrapper: Callable[..., Any]) -> None:
    original = getattr(owner, name)
    setattr(owner, name, lambda *args, **kwargs: wrapper(original, *args, **kwargs))


def kind_of(key: str, data: bytes, own: set[str], *, if_absent: bool = False, **_: Any) -> str:
    """What an object is in the protocol's words. own: keys this process has written, to tell a first write."""
    folder, _, rest = key.partition("/")
    if folder == "incremental":
        return "part"
    kind = rest.partition("/")[0]
    if kind not in ("tables", "locks", "runs"):
        return kind
    document, first = json.loads(data), key not in own
    own.add(key)
    if kind == "tables":
        return f"watermark:{document['metadata']['change']['action']}"
    if kind == "locks":
        return "lease:released" if document["owner"] is None else "lease:acquired" if first else "lease:renewed"
    if document["state"] == "running" and first:
        return "run:created" if if_absent else "run:resumed"
    return f"run:{document['state']}"

"""Faults at random: S3 refuses or loses answers, database connections drop, servers crash and start again."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field

import mysql.connector
import psycopg

from tests.chaos.environment import Environment
from tests.servers.s3 import Action, Answer, Environ, Serve, hang_up, refuse, serve_then

_SLOW_SECONDS = 2.5
"""Longer than the processes wait for an answer of the store."""

_OTHERS = (
    "SELECT id FROM information_schema.processlist"
    " WHERE id <> CONNECTION_ID() AND user NOT IN ('system user', 'event_scheduler') ORDER BY id"
)


def _sleep(environ: Environ, serve: Serve) -> Answer:
    time.sleep(_SLOW_SECONDS)
    return hang_up(environ, serve)


S3_FAULTS: dict[str, tuple[int, Action]] = {
    "S3 500": (4, refuse(500, "InternalError")),
    "S3 503": (4, refuse(503, "SlowDown")),
    "S3 409": (4, refuse(409, "ConditionalRequestConflict")),
    "S3 no answer": (4, hang_up),
    "S3 lost answer": (6, serve_then(hang_up)),
    "S3 500 although served": (4, serve_then(refuse(500, "InternalError"))),
    "S3 timeout": (1, _sleep),
    "S3 timeout although served": (1, serve_then(_sleep)),
}
"""How often, and what."""


@dataclass
class RandomFaults:
    """Faults until the end of the block. s3: share of requests; every: mean seconds between database faults."""

    environment: Environment
    seed: int
    s3: float = 0.03
    drops: float = 1.0
    crashes: float = 20.0
    counts: Counter[str] = field(default_factory=Counter)
    _stop: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> "RandomFaults":
        self._chance = random.Random(f"{self.seed} store")
        self.environment.s3.faults.add(self._fault, times=None)
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="faults")
        works = ((self._drop, self.drops), (self._crash, self.crashes))
        self._works = [self._pool.submit(self._repeat, *work) for work in works]
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self.environment.s3.faults.clear()
        self._pool.shutdown()
        for work in self._works:
            work.result()

    def _count(self, fault: str) -> None:
        with self._lock:
            self.counts[fault] += 1

    def _fault(self, environ: Environ, serve: Serve) -> Answer:
        with self._lock:
            struck = self._chance.random() < self.s3
            weights = [weight for weight, _ in S3_FAULTS.values()]
            name = self._chance.choices(list(S3_FAULTS), weights)[0]
        if not struck or (name == "S3 409" and environ["REQUEST_METHOD"] != "PUT"):
            return serve(environ)
        self._count(name)
        return S3_FAULTS[name][1](environ, serve)

    def _repeat(self, work: Callable[[random.Random], None], mean: float) -> None:
        rng = random.Random(f"{self.seed} {work.__name__}")
        while not self._stop.wait(rng.expovariate(1 / mean)):
            work(rng)

    def _drop(self, rng: random.Random) -> None:
        if rng.random() < 0.5:
            with suppress(mysql.connector.Error):
                if others := self.environment.source.query(_OTHERS):
                    self.environment.source.execute(f"KILL {rng.choice(others)[0]}")
                    self._count(f"{type(self.environment.source.server).__name__} connection dropped")
        else:
            statement = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'wmtui'"
            with suppress(psycopg.Error):
                self.counts["PostgreSQL connection dropped"] += len(self.environment.pg.query(statement))

    def _crash(self, rng: random.Random) -> None:
        database = rng.choice((self.environment.source, self.environment.pg))
        database.server.kill()
        self._stop.wait(rng.uniform(0, 0.5))
        database.server.start()
        self._count(f"{type(database.server).__name__} crashed")

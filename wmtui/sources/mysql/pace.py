"""How a long read spares the server between two statements: by rows per second, and by a replica's delay."""

import time
from collections.abc import Iterator
from datetime import timedelta
from threading import Lock

from wmtui.config import MySQLConfig
from wmtui.errors import SourceError
from wmtui.events import Severity
from wmtui.sources.base import Tell
from wmtui.sources.mysql.clock import replica_delay
from wmtui.sources.mysql.session import Session
from wmtui.texts import format_duration

LOOK_SECONDS = 5.0
"""How often a replica is asked at most."""

_STEP = 0.5
"""Seconds that are waited at once."""


class RowRate:
    """`max_rows_per_second`, shared by all connections of a process; None: as many as come."""

    def __init__(self, most: int | None) -> None:
        self._most = most
        self._lock = Lock()
        self._next = 0.0

    def took(self, rows: int) -> None:
        """Rows were read."""
        if self._most is not None:
            with self._lock:
                self._next = max(self._next, time.monotonic()) + rows / self._most

    def waits(self) -> Iterator[None]:
        """Wait until more may be read, a step at a time."""
        while (left := self._next - time.monotonic()) > 0:
            time.sleep(min(left, _STEP))
            yield


class ReplicaWatch:
    """A replica that is read over one connection. It is allowed the delay it has when it is first looked at, or
    `max_replica_lag` if that is more; while it is further behind, reading pauses so that it catches up.
    """

    def __init__(self, config: MySQLConfig) -> None:
        self._limit = config.max_replica_lag
        self._allowed: timedelta = config.max_replica_lag
        self._next: float | None = 0.0

    def waits(self, session: Session, tell: Tell) -> Iterator[None]:
        """Look now and then, and wait while it is too far behind, a step at a time."""
        if self._next is None or time.monotonic() < self._next:
            return
        first, told = self._next == 0.0, False
        while True:
            try:
                delay, words = replica_delay(session, session.server)
            except SourceError as error:
                tell(f"{error.what}: reading goes on without regard for its delay", Severity.WARNING)
                self._next = None
                return
            if first:
                self._allowed = max(self._limit, delay)
            self._next = time.monotonic() + LOOK_SECONDS if words else None  # a primary is not asked again
            if delay <= self._allowed:
                break
            if not told:
                behind = f"a replica and {format_duration(delay)} behind, more than {format_duration(self._allowed)}"
                tell(f"the source is {behind}: reading pauses until it has caught up", Severity.WARNING)
                told = True
            yield from _pause(LOOK_SECONDS)
        if told:
            tell("the replica has caught up; reading goes on", Severity.INFO)


def _pause(seconds: float) -> Iterator[None]:
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        time.sleep(min(left, _STEP))
        yield

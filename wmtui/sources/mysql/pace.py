"""How a long read spares the server between two statements: by rows per second, and by a replica's delay."""

import time
from collections.abc import Iterator
from datetime import timedelta
from threading import Lock

from wmtui.config import MySQLConfig
from wmtui.events import Severity
from wmtui.sources.base import Tell
from wmtui.sources.mysql.clock import replica_delay
from wmtui.sources.mysql.session import Session
from wmtui.texts import format_duration

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
    """A replica that is read. It is allowed the delay it had when it was first looked at, or `max_replica_lag` if that
    is more; while it is further behind, reading pauses so that it catches up.
    """

    def __init__(self, config: MySQLConfig, first: timedelta) -> None:
        self._allowed = max(first, config.max_replica_lag)
        self._every = LOOK_SECONDS
        self._looked = time.monotonic()

    def waits(self, session: Session, tell: Tell) -> Iterator[None]:
        """Look now and then, and wait while it is too far behind, a step at a time. Raises SourceError when it has
        stopped.
        """
        if time.monotonic() - self._looked < self._every:
            return
        told = False
        while (delay := replica_delay(session, session.server)[0]) > self._allowed:
            if not told:
                behind = f"{format_duration(delay)} behind, more than {format_duration(self._allowed)}"
                tell(f"the source is a replica and is {behind}: reading pauses until it has caught up", Severity.WARNING)
                told = True
            until = time.monotonic() + self._every
            while time.monotonic() < until:
                time.sleep(min(_STEP, self._every))
                yield
        if told:
            tell("the replica has caught up; reading goes on", Severity.INFO)
        self._looked = time.monotonic()


LOOK_SECONDS = 5.0
"""How often a replica is asked at most."""

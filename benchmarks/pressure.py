"""What a source feels: the longest statement and the longest snapshot while a program reads it.

Looked at every 50 ms over a connection of its own, so each is right to that. MariaDB's snapshots are looked at twice a
second, since whoever asks for its list of transactions more often than ten times a second keeps it from being renewed.
"""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Self

import mysql.connector

_SECONDS = 0.05
_LOOKS_A_SNAPSHOT = {True: 10, False: 1}
_STATEMENTS = {
    True: "SELECT id, query_id FROM information_schema.processlist WHERE command = 'Query' AND id <> CONNECTION_ID()",
    False: "SELECT thread_id, event_id FROM performance_schema.events_statements_current WHERE end_event_id IS NULL"
    " AND thread_id <> PS_CURRENT_THREAD_ID()",
}
_SNAPSHOTS = {
    True: "SELECT trx_mysql_thread_id, trx_id, trx_started FROM information_schema.innodb_trx"
    " WHERE trx_mysql_thread_id <> CONNECTION_ID()",
    False: "SELECT thread_id, event_id FROM performance_schema.events_transactions_current WHERE state = 'ACTIVE'"
    " AND thread_id <> PS_CURRENT_THREAD_ID()",
}
"""Each by whether the server is MariaDB."""


class Pressure(threading.Thread):
    """Watches a server while it is entered; connect: None: nothing. statement, snapshot: seconds; None: none seen."""

    def __init__(self, connect: Callable[[], Any] | None) -> None:
        super().__init__(daemon=True)
        self._connect = connect
        self._over = threading.Event()
        self.statement: float | None = None
        self.snapshot: float | None = None

    def __enter__(self) -> Self:
        if self._connect is None:
            return self
        self._connection = self._connect()
        cursor = self._connection.cursor()
        cursor.execute("SELECT VERSION()")
        self._mariadb = "MariaDB" in cursor.fetchall()[0][0]
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._connect is not None:
            self.join()
            self._connection.close()

    def run(self) -> None:
        """Look until told to end; a server that does not answer any more ends it too."""
        self._since: dict[str, dict[Any, float]] = {"statement": {}, "snapshot": {}}
        looks = 0
        with suppress(mysql.connector.Error):
            while not self._over.wait(_SECONDS):
                self.statement = self._longest("statement", _STATEMENTS, self.statement)
                if looks % _LOOKS_A_SNAPSHOT[self._mariadb] == 0:
                    self.snapshot = self._longest("snapshot", _SNAPSHOTS, self.snapshot)
                looks += 1

    def _longest(self, what: str, asked: dict[bool, str], longest: float | None) -> float | None:
        cursor = self._connection.cursor()
        cursor.execute(asked[self._mariadb])
        now, before = time.perf_counter(), self._since[what]
        self._since[what] = {row: before.get(row, now) for row in cursor.fetchall()}
        ages = [now - began for began in self._since[what].values()]
        return max([longest or 0.0, *ages]) if ages else longest

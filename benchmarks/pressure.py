"""What a source feels: the longest statement and the longest snapshot while a program reads it.

Looked at every 50 ms over a connection of its own, so each is right to that; MySQL and MariaDB renew what they say of
transactions every 100 ms. Two snapshots of one connection that began in the same second look like one.
"""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Self

import mysql.connector

_SECONDS = 0.05
_STATEMENTS = {
    True: "SELECT id, query_id FROM information_schema.processlist WHERE command = 'Query' AND id <> CONNECTION_ID()",
    False: "SELECT t.processlist_id, e.event_id FROM performance_schema.events_statements_current e"
    " JOIN performance_schema.threads t USING (thread_id)"
    " WHERE e.end_event_id IS NULL AND t.processlist_id <> CONNECTION_ID()",
}
"""By whether the server is MariaDB."""
_SNAPSHOTS = "SELECT trx_mysql_thread_id, trx_id, trx_started FROM information_schema.innodb_trx"


class Pressure(threading.Thread):
    """Watches a server while it is entered. statement, snapshot: seconds; None: none was seen."""

    def __init__(self, connect: Callable[[], Any]) -> None:
        super().__init__(daemon=True)
        self._connect = connect
        self._over = threading.Event()
        self.statement: float | None = None
        self.snapshot: float | None = None

    def __enter__(self) -> Self:
        self._connection = self._connect()
        cursor = self._connection.cursor()
        cursor.execute("SELECT VERSION()")
        self._mariadb = "MariaDB" in cursor.fetchall()[0][0]
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()
        self._connection.close()

    def run(self) -> None:
        """Look until told to end; a server that does not answer any more ends it too."""
        since: dict[str, dict[Any, float]] = {"statement": {}, "snapshot": {}}
        asked = {"statement": _STATEMENTS[self._mariadb], "snapshot": _SNAPSHOTS}
        with suppress(mysql.connector.Error):
            while not self._over.wait(_SECONDS):
                for what, sql in asked.items():
                    cursor = self._connection.cursor()
                    cursor.execute(sql)
                    now, before = time.perf_counter(), since[what]
                    since[what] = {row: before.get(row, now) for row in cursor.fetchall()}
                    ages = [now - began for began in since[what].values()]
                    if ages:
                        setattr(self, what, max([getattr(self, what) or 0.0, *ages]))

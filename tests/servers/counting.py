"""What a piece of work asks of servers: requests to the store, statements and connections of source and warehouse."""

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import psycopg

from tests.servers.s3 import S3Server
from tests.servers.sources import SourceServer

_SETTINGS = ("SET ", "SHOW STATUS LIKE 'Ssl_cipher'", "SHOW SESSION STATUS LIKE 'Ssl_cipher'", "SELECT @@hostname")
"""How statements begin that make a new connection ready."""

_LIMIT = re.compile(r"SET STATEMENT max_statement_time = [0-9.]+ FOR ")
"""How MariaDB bounds a statement."""

_GUARD = (
    "SELECT GET_LOCK",
    "SELECT UTC_TIMESTAMP(6)",
    "SHOW ALL SLAVES STATUS",
    "SHOW REPLICA STATUS",
    "SHOW PROCESSLIST",
    "START TRANSACTION WITH CONSISTENT SNAPSHOT",
    "SELECT session,",
    "ROLLBACK",
    "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('wsrep_on'",
    "SELECT RELEASE_LOCK",
)
"""How statements begin that read the clock and the transactions of others."""


@dataclass
class Asked:
    """requests: (method, key) to the store. statements: of the source, as its own log has them; those of settings and
    of the guard are counted apart. warehouse: statements it was sent.
    """

    requests: list[tuple[str, str]] = field(default_factory=list)
    statements: list[str] = field(default_factory=list)
    settings: int = 0
    guard: int = 0
    source_connections: int = 0
    warehouse: list[str] = field(default_factory=list)
    warehouse_connections: int = 0

    @property
    def by_method(self) -> Counter[str]:
        """Requests, a listing as LIST."""
        return Counter("LIST" if method == "GET" and not key else method for method, key in self.requests)


@contextmanager
def counting(s3: S3Server, source: SourceServer) -> Iterator[Asked]:
    """Count until the end of the block. What a test itself asks of the source in it counts too."""
    asked = Asked()
    control = source.connect()
    before = len(s3.requests)
    try:
        cursor = control.cursor()
        cursor.execute("SET GLOBAL log_output = 'TABLE'")
        cursor.execute("TRUNCATE TABLE mysql.general_log")
        cursor.execute("SET GLOBAL general_log = ON")
        try:
            with _warehouse_counted(asked):
                yield asked
        finally:
            cursor.execute("SET GLOBAL general_log = OFF")
        cursor.execute(
            "SELECT command_type, CONVERT(argument USING utf8mb4) FROM mysql.general_log"
            " WHERE thread_id <> CONNECTION_ID() ORDER BY event_time"
        )
        for command, text in cursor.fetchall():
            _sort_in(asked, str(command), " ".join(str(text).split()))
    finally:
        control.close()
    asked.requests = s3.requests[before:]


def _sort_in(asked: Asked, command: str, text: str) -> None:
    if command == "Connect":
        asked.source_connections += 1
    if command != "Query":
        return
    text = _LIMIT.sub("", text, count=1)
    if text.startswith(_SETTINGS):
        asked.settings += 1
    elif text.startswith(_GUARD):
        asked.guard += 1
    else:
        asked.statements.append(text)


@contextmanager
def _warehouse_counted(asked: Asked) -> Iterator[None]:
    connect, execute = psycopg.connect, psycopg.Cursor.execute

    def counted_connect(*arguments: Any, **named: Any) -> Any:
        asked.warehouse_connections += 1
        return connect(*arguments, **named)

    def counted_execute(cursor: Any, query: Any, *arguments: Any, **named: Any) -> Any:
        asked.warehouse.append(" ".join((query.decode() if isinstance(query, bytes) else str(query)).split()))
        return execute(cursor, query, *arguments, **named)

    with patch.object(psycopg, "connect", counted_connect), patch.object(psycopg.Cursor, "execute", counted_execute):
        yield

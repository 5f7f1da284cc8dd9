"""An application that writes the source's tables all the time, and backups that get in its way."""

import random
import threading
from collections.abc import Callable, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import mysql.connector
from _mysql_connector import MySQLInterfaceError  # which commit and rollback raise as it is

from tests.chaos.environment import Environment, Table
from tests.servers.mariadb import MariaDB
from tests.servers.mysql import MySQL
from tests.sql import series

_MOST_ROWS = 1_500


@dataclass(frozen=True)
class Pace:
    """How the application writes: pause between transactions, how long they stay open, how many of 1,000 are long."""

    pause: float = 0.15
    hold: float = 1.0
    long_hold: float = 8.0
    long_of_1000: int = 5
    backups: bool = True


@dataclass
class Writers:
    """Threads as a context manager; every row they write has a greater version and is stamped NOW()."""

    environment: Environment
    tables: Sequence[Table]
    seed: int
    pace: Pace = Pace()
    transactions: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> "Writers":
        works: list[Callable[..., None]] = [self._transaction, self._transaction]
        if self.pace.backups:
            works.append(self._backup)
        for number, work in enumerate(works):
            rng = random.Random(f"{self.seed} writer {number}")
            thread = threading.Thread(target=self._repeat, args=(work, rng), daemon=True)
            self._threads.append(thread)
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _repeat(self, work: Callable[..., None], rng: random.Random) -> None:
        """Do the work on one connection; on a new one after an error, because servers are killed meanwhile."""
        while not self._stop.is_set():
            with suppress(mysql.connector.Error, MySQLInterfaceError), _connection(self.environment) as connection:
                while not self._stop.wait(rng.uniform(0, 2 * self.pace.pause)):
                    work(connection, rng)
            self._stop.wait(0.1)

    def _transaction(self, connection: Any, rng: random.Random) -> None:
        table = rng.choice(self.tables)
        is_long = rng.randrange(1000) < self.pace.long_of_1000
        hold = rng.uniform(0, self.pace.long_hold if is_long else self.pace.hold)
        connection.start_transaction()
        cursor = connection.cursor()
        for _ in range(rng.randint(1, 3)):
            cursor.execute(_statement(table, rng))
            self._stop.wait(hold / 3)
        if rng.random() < 0.1:
            connection.rollback()
        else:
            connection.commit()
        self.transactions += 1

    def _backup(self, connection: Any, rng: random.Random) -> None:
        """Block every commit, or every write, for a moment, as backups do."""
        if self._stop.wait(rng.uniform(1, 4)):
            return
        cursor = connection.cursor()
        begin, end = rng.choice(_BACKUPS[type(self.environment.source.server)])
        for statement in begin:
            cursor.execute(statement)
        self._stop.wait(rng.uniform(0.2, 2))
        for statement in end:
            cursor.execute(statement)


_STAGES = ("START", "FLUSH", "BLOCK_DDL", "BLOCK_COMMIT")
_READ_LOCK = (("FLUSH TABLES WITH READ LOCK",), ("UNLOCK TABLES",))
_BACKUPS = {
    MariaDB: (_READ_LOCK, (tuple(f"BACKUP STAGE {stage}" for stage in _STAGES), ("BACKUP STAGE END",))),
    MySQL: (_READ_LOCK, (("LOCK INSTANCE FOR BACKUP", *_READ_LOCK[0]), (*_READ_LOCK[1], "UNLOCK INSTANCE"))),
}
"""How backups begin and end, for each kind of server."""


def _statement(table: Table, rng: random.Random) -> str:
    first, digits = rng.randint(1, _MOST_ROWS), table.digits
    if rng.random() < 0.4:
        rows = rng.randint(1, 15)
        return (
            f"INSERT INTO {table.name} (version, note, update_at) SELECT 1, 'written', NOW({digits})"
            f" FROM {series(rows)} WHERE (SELECT COUNT(*) FROM {table.name}) < {_MOST_ROWS}"
        )
    return (
        f"UPDATE {table.name} SET version = version + 1, note = 'rewritten', update_at = NOW({digits})"
        f" WHERE id BETWEEN {first} AND {first + 40}"
    )


@contextmanager
def _connection(environment: Environment) -> Any:
    connection = environment.source.connect()
    try:
        cursor = connection.cursor()
        cursor.execute("SET SESSION innodb_lock_wait_timeout = 5, lock_wait_timeout = 5, time_zone = '+00:00'")
        yield connection
    finally:
        with suppress(mysql.connector.Error):
            connection.close()

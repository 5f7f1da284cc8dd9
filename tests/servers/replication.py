"""Replication between two private source servers, with or without a delay."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

from tests.servers.mariadb import MariaDB
from tests.servers.sources import SourceServer

PRIMARY = ("--log-bin=binlog", "--server-id=11", "--binlog-format=ROW")
"""What a server is to be started with to be a primary; a replica needs another `--server-id`."""


@contextmanager
def replicated(primary: SourceServer, replica: SourceServer, *, delay: int = 0, channel: str = "") -> Iterator[None]:
    """Apply on the replica what happens on the primary from now on, `delay` seconds later; ended afterwards.

    channel: its name, where a replica follows several primaries.
    """
    replica.execute(_change(primary, replica, delay, channel), f"START REPLICA {_named(replica, channel)}")
    try:
        until(lambda: _applies(replica, channel))
        yield
    finally:
        named = _named(replica, channel)
        reset = f"{named} ALL" if isinstance(replica, MariaDB) else f"ALL {named}"
        replica.execute(f"STOP REPLICA {named}", f"RESET REPLICA {reset}")


def until(holds: Callable[[], object], seconds: float = 20) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it never came to hold"
        time.sleep(0.02)


def _applies(replica: SourceServer, channel: str) -> bool:
    """Whether the replica is connected to its primary, which takes a moment after START REPLICA."""
    with closing(replica.connect()) as connection, connection.cursor(dictionary=True) as cursor:
        cursor.execute("SHOW ALL SLAVES STATUS" if isinstance(replica, MariaDB) else "SHOW REPLICA STATUS")
        rows = [{name.lower(): value for name, value in row.items()} for row in cursor.fetchall()]
    name, word = ("connection_name", "slave") if isinstance(replica, MariaDB) else ("channel_name", "replica")
    return any(
        row[name] == channel and row[f"{word}_io_running"] == row[f"{word}_sql_running"] == "Yes" for row in rows
    )


def _named(replica: SourceServer, channel: str) -> str:
    if not channel:
        return ""
    return f"'{channel}'" if isinstance(replica, MariaDB) else f"FOR CHANNEL '{channel}'"


def _change(primary: SourceServer, replica: SourceServer, delay: int, channel: str) -> str:
    mariadb = isinstance(replica, MariaDB)
    ((file, position, *_),) = primary.query("SHOW MASTER STATUS" if mariadb else "SHOW BINARY LOG STATUS")
    word, named = ("MASTER", f"'{channel}'" if channel else "") if mariadb else ("SOURCE", "")
    settings = {
        "HOST": f"'{primary.host}'",
        "PORT": primary.port,
        "USER": f"'{primary.user}'",
        "PASSWORD": f"'{primary.password}'",
        "LOG_FILE": f"'{file}'",
        "LOG_POS": position,
        "DELAY": delay,
    }
    told = ", ".join(f"{word}_{name} = {value}" for name, value in settings.items())
    if mariadb:
        return f"CHANGE MASTER {named} TO {told}"
    tail = f" FOR CHANNEL '{channel}'" if channel else ""
    return f"CHANGE REPLICATION SOURCE TO {told}, GET_SOURCE_PUBLIC_KEY = 1{tail}"

"""A private PostgreSQL server."""

import os
import pwd
import shutil
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import psycopg

from tests.servers import Database, Server, find_binary

_FOLDERS = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/local/pgsql/bin")

# Nothing is synced to disk, for speed; commits reach the operating system, so that they survive a killed server.
_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "32MB",
    "max_connections": "100",
    "timezone": "UTC",
}


def _account() -> str | None:
    """PostgreSQL refuses to run as root; its own account, else nobody, takes over."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


class Postgres(Server):
    """`user` is the superuser and proves its password by SCRAM."""

    user = "wmtui"
    crash_signal = signal.SIGQUIT

    def __init__(self, *arguments: str) -> None:
        self.run_as = _account()
        super().__init__(*arguments)

    def initialise(self) -> None:
        """Create the cluster."""
        password_file = self.folder / "password"
        password_file.write_text(self.password)
        if self.run_as:
            shutil.chown(password_file, self.run_as)
        access = (f"--username={self.user}", f"--pwfile={password_file}", "--auth=scram-sha-256")
        encoding = ("--encoding=UTF8", "--locale=C.UTF-8")
        self.run(find_binary("initdb", *_FOLDERS), f"--pgdata={self.folder}/data", "--no-sync", *encoding, *access)

    def command(self) -> Sequence[str]:
        """The server on a unix socket and a loopback port."""
        settings = {"listen_addresses": self.host, "unix_socket_directories": str(self.folder), **_SETTINGS}
        options = [f"--{name}={value}" for name, value in settings.items()]
        place = ("-D", f"{self.folder}/data", "-p", str(self.port))
        return (find_binary("postgres", *_FOLDERS), *place, *options, *self.arguments)

    def answers(self) -> bool:
        """Whether a connection succeeds."""
        try:
            self.connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def connect(self, database: str | None = None) -> Any:
        """A new connection, autocommit, plain TCP."""
        return psycopg.connect(
            host=self.host,
            port=self.port,
            user=self.user,
            password=self.password,
            dbname=database or "postgres",
            autocommit=True,
            sslmode="disable",
        )

    @contextmanager
    def new_database(self) -> Iterator[Database]:
        """A fresh database, dropped afterwards even if somebody is still connected."""
        name = f"test_{uuid4().hex[:12]}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE template0 STRATEGY wal_log")
        yield Database(self, name, "postgres")
        self.execute(f"DROP DATABASE {name} WITH (FORCE)")

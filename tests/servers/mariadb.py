"""A private MariaDB server."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import mysql.connector

from tests.servers import Database, Server, find_binary

# Nothing is synced to disk, for speed; commits reach the operating system, so that they survive a killed server.
_ARGUMENTS = (
    "--innodb-flush-method=nosync",
    "--innodb-flush-log-at-trx-commit=2",
    "--innodb-log-file-size=16M",
    "--innodb-buffer-pool-size=64M",
    "--innodb-data-file-path=ibdata1:2M:autoextend",
    "--innodb-temp-data-file-path=ibtmp1:2M:autoextend",
    "--aria-log-file-size=8M",
    "--performance-schema=OFF",
    "--skip-name-resolve",
    "--character-set-server=utf8mb4",
    "--max-allowed-packet=64M",
    "--max-connections=200",
)


class MariaDB(Server):
    """`user` has all rights; `limited_user` (same password) may read every table but lacks PROCESS."""

    user = "wmtui"
    limited_user = "reader"

    def initialise(self) -> None:
        """Create the system tables, and the file of accounts that every start runs."""
        installer = find_binary("mariadb-install-db", "/usr/bin", "/usr/local/bin")
        self.run(installer, *self._options(), "--auth-root-authentication-method=normal", "--skip-test-db")
        accounts = (
            f"CREATE USER IF NOT EXISTS '{self.user}'@'%' IDENTIFIED BY '{self.password}'",
            f"GRANT ALL PRIVILEGES ON *.* TO '{self.user}'@'%' WITH GRANT OPTION",
            f"CREATE USER IF NOT EXISTS '{self.limited_user}'@'%' IDENTIFIED BY '{self.password}'",
            f"GRANT SELECT ON *.* TO '{self.limited_user}'@'%'",
        )
        (self.folder / "accounts.sql").write_text("".join(f"{line};\n" for line in accounts))

    def command(self) -> Sequence[str]:
        """The server on a unix socket and a loopback port."""
        return (
            find_binary("mariadbd", "/usr/sbin", "/usr/libexec", "/usr/local/sbin"),
            *self._options(),
            f"--socket={self.folder}/socket",
            f"--port={self.port}",
            f"--bind-address={self.host}",
            f"--init-file={self.folder}/accounts.sql",
            *self.arguments,
        )

    def answers(self) -> bool:
        """Whether a connection succeeds."""
        try:
            self.connect().close()
        except mysql.connector.Error:
            return False
        return True

    def connect(self, database: str | None = None) -> Any:
        """A new connection, autocommit, plain TCP."""
        return mysql.connector.connect(
            host=self.host,
            port=self.port,
            user=self.user,
            password=self.password,
            database=database,
            autocommit=True,
            ssl_disabled=True,
        )

    @contextmanager
    def new_database(self) -> Iterator[Database]:
        """A fresh database (a schema, in MySQL's words), dropped afterwards."""
        name = f"test_{uuid4().hex[:12]}"
        self.execute(f"CREATE DATABASE {name}")
        yield Database(self, name, "mysql")
        self.execute("SET SESSION lock_wait_timeout = 20", f"DROP DATABASE {name}")

    @contextmanager
    def new_account(self) -> Iterator[str]:
        """A fresh account without any privilege (its password is that of all), dropped afterwards."""
        name = f"account_{uuid4().hex[:12]}"
        self.execute(f"CREATE USER {name} IDENTIFIED BY '{self.password}'")
        yield name
        self.execute(f"DROP USER {name}")

    def _options(self) -> tuple[str, ...]:
        as_root = ("--user=root",) if os.geteuid() == 0 else ()
        return ("--no-defaults", f"--datadir={self.folder}/data", *_ARGUMENTS, *as_root)

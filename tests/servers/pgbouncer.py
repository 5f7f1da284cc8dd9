"""A private PgBouncer before a PostgreSQL server: clients share its few sessions."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg

from tests.servers import Database, Server, find_binary
from tests.servers.postgres import Postgres

_FOLDERS = ("/usr/sbin", "/usr/local/sbin", "/usr/local/bin")
NO_PGBOUNCER = "there is no PgBouncer here: `make servers` installs it as root"
"""Why a test was skipped."""


def is_there() -> bool:
    """Whether PgBouncer is installed."""
    with suppress(RuntimeError):
        return bool(find_binary("pgbouncer", *_FOLDERS))
    return False


class PgBouncer(Server):
    """Every database and the superuser of `postgres`; a session serves one transaction, then any other client.

    settings: of its configuration, all others as its package ships them.
    """

    def __init__(self, postgres: Postgres, **settings: Any) -> None:
        self.run_as = postgres.run_as  # It refuses to run as root, as PostgreSQL does.
        self.user, self.password = postgres.user, postgres.password
        self._postgres = postgres
        self._settings = {"pool_mode": "transaction", "default_pool_size": 2, **settings}
        super().__init__()

    def initialise(self) -> None:
        """Write configuration and accounts. Passwords are plain: it proves them to the server by SCRAM itself."""
        accounts = self.folder / "accounts"
        accounts.write_text(f'"{self.user}" "{self.password}"\n')
        settings = {
            "listen_addr": self.host,
            "listen_port": self.port,
            "unix_socket_dir": self.folder,
            "auth_type": "scram-sha-256",
            "auth_file": accounts,
            **self._settings,
        }
        lines = "\n".join(f"{name} = {value}" for name, value in settings.items())
        server = f"host={self._postgres.host} port={self._postgres.port}"
        self._configuration.write_text(f"[databases]\n* = {server}\n\n[pgbouncer]\n{lines}\n")

    def command(self) -> Sequence[str]:
        """In the foreground; its log goes to standard error."""
        return (find_binary("pgbouncer", *_FOLDERS), str(self._configuration))

    def answers(self) -> bool:
        """Whether a connection to PostgreSQL through it succeeds."""
        try:
            self.connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def connect(self, database: str | None = None) -> Any:
        """A new connection, autocommit. No statement is prepared: its session may be another one next time."""
        return psycopg.connect(
            host=self.host,
            port=self.port,
            user=self.user,
            password=self.password,
            dbname=database or "postgres",
            autocommit=True,
            sslmode="disable",
            prepare_threshold=None,
        )

    def serve(self, database: Database) -> Database:
        """The same database, reached through it."""
        return Database(self, database.name, "postgres")

    @property
    def _configuration(self) -> Path:
        return self.folder / "pgbouncer.ini"

"""A private MySQL server, from the files that `make mysql` unpacks into the project's own folder."""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any
from uuid import uuid4

import mysql.connector

from tests.servers import Database, Server

ROOT = Path(__file__).parents[2] / ".mysql"
"""Where `make mysql` unpacks the server."""

# Nothing is synced to disk, for speed; commits reach the operating system, so that they survive a killed server.
_ARGUMENTS = (
    "--innodb-flush-method=nosync",
    "--innodb-flush-log-at-trx-commit=2",
    "--innodb-doublewrite=OFF",
    "--innodb-use-native-aio=OFF",  # the kernel limits it, and servers of several test runs share that
    "--innodb-buffer-pool-size=64M",
    "--innodb-redo-log-capacity=32M",
    "--innodb-log-buffer-size=4M",
    "--mysqlx=OFF",
    "--skip-name-resolve",
    "--secure-file-priv=NULL",
    "--max-allowed-packet=64M",
    "--max-connections=200",
    "--log-error-verbosity=2",
    # 150 MB less, for a machine that runs a dozen servers; the performance schema stays on, products read it.
    "--table-open-cache=400",
    "--table-definition-cache=400",
    "--performance-schema-error-size=100",
    "--performance-schema-digests-size=100",
    "--performance-schema-max-digest-length=256",
    "--performance-schema-max-sql-text-length=256",
    "--performance-schema-events-stages-history-long-size=10",
    "--performance-schema-events-statements-history-long-size=10",
    "--performance-schema-events-transactions-history-long-size=10",
    "--performance-schema-events-waits-history-long-size=10",
)
_AT_INITIALISATION = ("--lower-case-table-names",)
"""Arguments that a data directory keeps for ever."""


def is_there() -> bool:
    """Whether `make mysql` found a server for this machine."""
    return (ROOT / "usr/sbin/mysqld").exists()


class MySQL(Server):
    """`user` has all rights; `limited_user` (same password) may read every table but lacks PROCESS.

    Both prove their password by caching_sha2_password, MySQL's default; `start` logs them in once over the socket, so
    that the server remembers them and plain TCP works. It writes no binary log unless told to.
    """

    user = "wmtui"
    limited_user = "reader"

    def __init__(self, *arguments: str, zone: str = "UTC") -> None:
        if not is_there():
            raise RuntimeError("there is no MySQL in .mysql: `make mysql` fetches it")
        super().__init__(*arguments, zone=zone)

    def initialise(self) -> None:
        """Copy an initialised data directory, and write the file of accounts that every start runs."""
        kept = [a for a in self.arguments if a.startswith(_AT_INITIALISATION)]
        shutil.copytree(self._template(kept), self.folder / "data")
        with suppress(FileNotFoundError):  # Every server makes an identity of its own.
            (self.folder / "data" / "auto.cnf").unlink()
        accounts = (
            f"CREATE USER IF NOT EXISTS '{self.user}'@'%' IDENTIFIED BY '{self.password}'",
            f"GRANT ALL PRIVILEGES ON *.* TO '{self.user}'@'%' WITH GRANT OPTION",
            f"CREATE USER IF NOT EXISTS '{self.limited_user}'@'%' IDENTIFIED BY '{self.password}'",
            f"GRANT SELECT ON *.* TO '{self.limited_user}'@'%'",
        )
        (self.folder / "accounts.sql").write_text("".join(f"{line};\n" for line in accounts))

    def command(self) -> Sequence[str]:
        """The server on a unix socket and a loopback port."""
        binary_log = () if any("log-bin" in a for a in self.arguments) else ("--skip-log-bin",)
        return (
            *_program(self.folder / "data"),
            f"--socket={self.folder}/socket",
            f"--port={self.port}",
            f"--bind-address={self.host}",
            f"--pid-file={self.folder}/pid",
            f"--init-file={self.folder}/accounts.sql",
            *binary_log,
            *self.arguments,
        )

    def start(self) -> None:
        """Start the server, wait until it answers, and log both accounts in."""
        super().start()
        self._remember(self.user, self.limited_user)

    def answers(self) -> bool:
        """Whether a connection succeeds."""
        try:
            self._log_in(self.user, unix_socket=f"{self.folder}/socket").close()
        except mysql.connector.Error:
            return False
        return True

    def connect(self, database: str | None = None) -> Any:
        """A new connection, autocommit, plain TCP."""
        return self._log_in(self.user, host=self.host, port=self.port, ssl_disabled=True, database=database)

    @contextmanager
    def new_database(self) -> Iterator[Database]:
        """A fresh database (a schema, in MySQL's words), dropped afterwards."""
        name = f"test_{uuid4().hex[:12]}"
        self.execute(f"CREATE DATABASE {name}")
        yield Database(self, name, "mysql")
        self.execute("SET SESSION lock_wait_timeout = 20", f"DROP DATABASE {name}")

    @contextmanager
    def new_account(self) -> Iterator[str]:
        """A fresh account without any privilege (its password is that of all), dropped afterwards; it can log in."""
        name = f"account_{uuid4().hex[:12]}"
        self.execute(f"CREATE USER {name} IDENTIFIED BY '{self.password}'")
        self._remember(name)
        yield name
        self.execute(f"DROP USER {name}")

    def _remember(self, *users: str) -> None:
        """Let the server cache what proves these passwords: from then on they are accepted over plain TCP."""
        for user in users:
            self._log_in(user, unix_socket=f"{self.folder}/socket").close()

    def _log_in(self, user: str, **where: Any) -> Any:
        return mysql.connector.connect(user=user, password=self.password, autocommit=True, **where)

    def _template(self, arguments: Sequence[str]) -> Path:
        """An initialised data directory for these arguments; made once per checkout (five seconds), then copied."""
        name = blake2b("\n".join(_program(Path()) + tuple(arguments)).encode(), digest_size=6).hexdigest()
        folder = ROOT / f"template-{name}"
        with (ROOT / f"template-{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not folder.exists():
                made = self.folder / "initialised"
                self.run(*_program(made), "--initialize-insecure", *arguments)
                unfinished = ROOT / f"{folder.name}.unfinished"
                shutil.rmtree(unfinished, ignore_errors=True)
                shutil.copytree(made, unfinished)
                unfinished.rename(folder)
                shutil.rmtree(made)
        return folder


def _program(data: Path) -> tuple[str, ...]:
    """The server by its own loader and libraries, with its data directory."""
    libraries = next(ROOT.glob("usr/lib/*-linux-gnu*"))
    loader = next(path for path in sorted(libraries.glob("ld-linux*.so.*")))
    as_root = ("--user=root",) if os.geteuid() == 0 else ()
    return (
        str(loader),
        "--library-path",
        f"{libraries}:{ROOT}/usr/lib/mysql/private",
        f"{ROOT}/usr/sbin/mysqld",
        "--no-defaults",
        f"--basedir={ROOT}/usr",
        f"--lc-messages-dir={ROOT}/usr/share/mysql",
        f"--plugin-dir={ROOT}/usr/lib/mysql/plugin",
        f"--character-sets-dir={ROOT}/usr/share/mysql/charsets",
        f"--datadir={data}",
        *_ARGUMENTS,
        *as_root,
    )


def version() -> str:
    """What the unpacked server calls itself."""
    loader, option, libraries, program, *_ = _program(Path())
    done = subprocess.run(
        [loader, option, libraries, program, "--no-defaults", "--version"], capture_output=True, text=True, check=True
    )
    return done.stdout.split(" Ver ")[1].split()[0]

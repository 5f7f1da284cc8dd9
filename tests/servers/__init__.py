"""Private database servers for tests: started in a folder of their own, gone when pytest is."""

import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

LOOPBACK = "127.0.0.1"
_START_SECONDS = 60
_POLL_SECONDS = 0.01

# Reads the id of the process group at work, line by line (empty: none). At end of file, also when pytest was killed,
# it ends that group and removes the folder.
_KEEPER = """
while read -r line; do pid=$line; done
[ -z "$pid" ] || { kill -s QUIT -- "-$pid"; sleep 1; kill -s KILL -- "-$pid"; }
rm -rf "$0"
"""


def find_binary(name: str, *folders: str) -> str:
    """The path of a program on PATH or in one of the folders (globs below `/`, newest version first)."""
    if found := shutil.which(name):
        return found
    for folder in folders:
        for path in sorted(Path("/").glob(f"{folder.lstrip('/')}/{name}"), reverse=True):
            return str(path)
    raise RuntimeError(f"{name} is not installed: `make test` installs it as root, see README.md otherwise")


def free_port() -> int:
    """A free loopback port below the ephemeral range, so that no outgoing connection takes it during a restart."""
    while True:
        port = random.randrange(20000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
            return port


class Server(ABC):
    """A database server as a context manager; extra arguments go to the server program. zone: its system's, as in TZ.

    It listens on a loopback TCP port and on a unix socket in `folder`. `kill` and `start` keep data and port.
    """

    host = LOOPBACK
    user: str
    password = "correct-horse"
    run_as: str | None = None
    """The account the server runs under; None: our own."""
    crash_signal = signal.SIGKILL
    """Ends the server at once, without an orderly shutdown, in a state from which it can start again."""

    def __init__(self, *arguments: str, zone: str = "UTC") -> None:
        self.arguments = arguments
        self.zone = zone
        self.port = free_port()
        # Below /tmp whatever TMPDIR says: a unix socket's path has at most 107 characters.
        self.folder = Path(tempfile.mkdtemp(prefix="wmtui-test-", dir="/tmp"))
        self.log = self.folder / "log"
        self._process: subprocess.Popen[bytes] | None = None
        self._keeper = subprocess.Popen(
            ["sh", "-c", _KEEPER, self.folder],
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            bufsize=1,
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        try:
            if self.run_as:
                shutil.chown(self.folder, self.run_as)
            self.initialise()
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @abstractmethod
    def initialise(self) -> None:
        """Create the data directory."""

    @abstractmethod
    def command(self) -> Sequence[str]:
        """The program and arguments that start the server in the foreground."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether the server accepts connections yet."""

    @abstractmethod
    def connect(self, database: str | None = None) -> Any:
        """A new connection (DB-API, autocommit) with all rights."""

    def query(self, sql: str, parameters: Sequence[Any] = (), *, database: str | None = None) -> list[tuple[Any, ...]]:
        """The rows of one statement."""
        connection = self.connect(database)
        try:
            cursor = connection.cursor()
            cursor.execute(sql, parameters or None)
            return [tuple(row) for row in cursor.fetchall()]
        finally:
            connection.close()

    def execute(self, *statements: str, database: str | None = None) -> None:
        """Run statements without a result, one after the other on one connection."""
        connection = self.connect(database)
        try:
            cursor = connection.cursor()
            for statement in statements:
                cursor.execute(statement)
        finally:
            connection.close()

    def run(self, *command: str) -> None:
        """Run a set-up program to its end; raises RuntimeError with its output."""
        failed = self._spawn(command).wait()
        self._tell_keeper("")
        if failed:
            raise RuntimeError(f"{command[0]} failed:\n{self.log.read_text(errors='replace')}")

    def start(self) -> None:
        """Start the server and wait until it answers."""
        self._process = self._spawn(self.command())
        deadline = time.monotonic() + _START_SECONDS
        while not self.answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the server did not start:\n{self.log.read_text(errors='replace')}")
            time.sleep(_POLL_SECONDS)

    def kill(self) -> None:
        """End the server as a crash would; every connection breaks."""
        if self._process is not None:
            self._process.send_signal(self.crash_signal)
            self._process.wait()
            self._process = None
            self._tell_keeper("")

    def stop(self) -> None:
        """End the server and remove its folder."""
        self.kill()
        self._keeper.communicate()

    def _tell_keeper(self, group: str) -> None:
        assert self._keeper.stdin is not None
        self._keeper.stdin.write(f"{group}\n")

    def _spawn(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        """Start a program in a session of its own, so that Ctrl-C reaches pytest alone."""
        other_user: dict[str, Any] = {"user": self.run_as, "extra_groups": []} if self.run_as else {}
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                command,
                cwd=self.folder,
                # A starting MariaDB removes the temporary tables it finds in TMPDIR, other servers' too.
                env={**os.environ, "LC_ALL": "C.UTF-8", "TZ": self.zone, "TMPDIR": str(self.folder)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **other_user,
            )
        self._tell_keeper(str(process.pid))
        return process


class Database:
    """One database of a server, seen from a test that owns it."""

    def __init__(self, server: Server, name: str, kind: str) -> None:
        self.server = server
        self.name = name
        self.kind = kind

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows of one statement."""
        return self.server.query(sql, parameters, database=self.name)

    def execute(self, *statements: str) -> None:
        """Run statements without a result."""
        self.server.execute(*statements, database=self.name)

    def connect(self) -> Any:
        """A new connection (DB-API, autocommit) to this database; the caller closes it."""
        return self.server.connect(self.name)

    @property
    def config(self) -> dict[str, Any]:
        """The `source` or `warehouse` of a profile in tables.yaml that reaches this database."""
        address = {"type": self.kind, "host": self.server.host, "port": self.server.port, "tls": "disable"}
        account = {"user": self.server.user, "password": self.server.password}
        return {**address, **account, **({"database": self.name} if self.kind == "postgres" else {})}

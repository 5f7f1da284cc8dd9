"""The servers that are measured with, and one measured run on them."""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import mysql.connector
import yaml

from benchmarks.data import SHAPES, build
from benchmarks.options import Options
from benchmarks.pressure import Pressure
from benchmarks.process import busy, processor, run
from benchmarks.rounds import Sample
from benchmarks.s3 import S3Process
from tests.servers import Database
from tests.servers.postgres import Postgres
from tests.servers.s3 import ENVIRONMENT
from tests.servers.sources import SOURCES
from tests.sources.certificates import Authority, new_authority
from wmtui import config
from wmtui.config import MySQLConfig

_SOURCE_SETTINGS = {
    "mysql": ("--innodb-buffer-pool-size=1G", "--innodb-redo-log-capacity=512M"),
    "mariadb": ("--innodb-buffer-pool-size=1G", "--innodb-log-file-size=512M"),
}
_WAREHOUSE_SETTINGS = (
    "--fsync=on",
    "--full_page_writes=on",
    "--shared_buffers=256MB",
    "--max_wal_size=4GB",
    "--log_connections=on",
)
"""A warehouse keeps what it was given, also in a benchmark."""


@dataclass(frozen=True)
class Job:
    """A program to measure."""

    command: list[str]
    env: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """A table of the source: its name without the schema, its rows, its cursor and key."""

    name: str
    rows: int
    cursor: str = "update_at"
    key: tuple[str, ...] = ("id",)


class Servers:
    """A source, PostgreSQL and S3 over HTTP. Private ones, but for the source where options name a user's own."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self._stack = ExitStack()
        self._tables: dict[tuple[str, int, str], Table] = {}
        self.authority: Authority | None = None

    def __enter__(self) -> Self:
        os.environ.update(ENVIRONMENT)
        with ExitStack() as stack:
            self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wmtui-bench-")))
            self.folder.chmod(0o755)  # servers read certificates in it
            self.s3 = stack.enter_context(S3Process())
            self._postgres = stack.enter_context(Postgres(*_WAREHOUSE_SETTINGS))
            self._pids = [self.s3.pid, _pid(self._postgres)]
            self.source = self._own_source(stack) if self.options.config else self._private_source(stack)
            self.kind = "MariaDB" if "MariaDB" in self.ask("SELECT VERSION()")[0][0] else "MySQL"
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _private_source(self, stack: ExitStack) -> dict[str, Any]:
        self.authority = new_authority(self.folder / "authority")
        self.authority.sign("server", "/CN=source", "IP:127.0.0.1")
        settings = *_SOURCE_SETTINGS[self.options.source], *self.authority.server_arguments("server")
        server: Any = stack.enter_context(SOURCES[self.options.source](*settings))
        self._pids.append(_pid(server))
        self._database: Database | None = stack.enter_context(server.new_database())
        self.schema = self._database.name
        return dict(self._database.config)

    def _own_source(self, stack: ExitStack) -> dict[str, Any]:
        assert self.options.config is not None
        settings = config.load(self.options.config, profile=self.options.profile)
        source = settings.profile.source
        if not isinstance(source, MySQLConfig):
            raise SystemExit(f"{self.options.config}: the source is not of type mysql, which is what peers read too")
        values = {name: getattr(source, name) for name in source.__struct_fields__}
        found = {"type": "mysql"} | {name: _as_written(value) for name, value in values.items() if value is not None}
        found["password"] = source.password.reveal()
        self._database = None
        self.source = found
        self.schema = (self.options.table or "").partition(".")[0]
        if self.options.build:
            self.schema = f"wmtui_bench_{uuid4().hex[:8]}"
            self.write(f"CREATE DATABASE {self.schema}")
            stack.callback(self.write, f"DROP DATABASE {self.schema}")
        return found

    @contextmanager
    def over_tls(self) -> Iterator[None]:
        """Read the private source over TLS meanwhile."""
        plain, authority = self.source, self.authority
        assert authority is not None
        self.source = {**plain, "tls": "verify", "ca": authority.ca}
        try:
            yield
        finally:
            self.source = plain

    def warehouse_log(self) -> str:
        """What PostgreSQL has written into its log."""
        return self._postgres.log.read_text(encoding="utf-8", errors="replace")

    def versions(self) -> dict[str, str]:
        """Of the servers."""
        server = self._postgres.query("SHOW server_version")[0][0]
        return {self.kind: self.ask("SELECT VERSION()")[0][0], "PostgreSQL": server}

    def connect(self) -> Any:
        """A new connection to the source, for what the benchmark itself asks."""
        source = self.source
        tls: dict[str, Any] = {"ssl_disabled": True} if source.get("tls") == "disable" else {}
        files = {"ssl_ca": source.get("ca"), "ssl_cert": source.get("cert"), "ssl_key": source.get("key")}
        return mysql.connector.connect(
            host=source["host"],
            port=source.get("port", 3306),
            user=source["user"],
            password=source.get("password", ""),
            autocommit=True,
            **(tls or {name: value for name, value in files.items() if value}),
        )

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of one statement on the source."""
        connection = self.connect()
        try:
            cursor = connection.cursor()
            cursor.execute(sql)
            return [tuple(row) for row in cursor.fetchall()]
        finally:
            connection.close()

    def write(self, sql: str) -> None:
        """Run a statement on the source: only where tables are built."""
        connection = self.connect()
        try:
            connection.cursor().execute(sql)
        finally:
            connection.close()

    def table(self, shape: str = "settlement", rows: int | None = None, copy: str = "") -> Table:
        """A table of the benchmark, built when it is first asked for; on a user's server the one that was named."""
        if self.options.config and not self.options.build:
            return self._named()
        wanted = max(1, round((rows or self.options.rows) * SHAPES[shape].share))
        if (shape, wanted, copy) not in self._tables:
            name = f"{shape}_{wanted}{copy}"
            began = time.perf_counter()
            build(self, name, SHAPES[shape], wanted)
            print(f"built {name} in {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
            self._tables[shape, wanted, copy] = Table(name, wanted)
        return self._tables[shape, wanted, copy]

    def _named(self) -> Table:
        settings = config.load(self.options.config, profile=self.options.profile)  # type: ignore[arg-type]
        name = self.options.table or ""
        if name not in map(str, settings.tables):
            raise SystemExit(f"{self.options.config} has no table {name or '(none was named with -t)'}")
        table = next(found for key, found in settings.tables.items() if str(key) == name)
        bare = name.partition(".")[2]
        if "count" not in self.__dict__:
            self.count = self.ask(f"SELECT COUNT(*) FROM `{self.schema}`.`{bare}`")[0][0]
        return Table(bare, self.count, table.cursor, tuple(table.primary_key))

    @contextmanager
    def lake(self, *tables: Table, warehouse: dict[str, Any] | None = None) -> Iterator["Lake"]:
        """A new store with a tables.yaml of these tables; it is gone afterwards. warehouse: None: an embedded one."""
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        bucket = self.s3.new_bucket()
        embedded = {"type": "duckdb", "path": str(folder / "warehouse.duckdb")}
        profile = {
            "store": f"s3://{bucket}",
            "s3": {"endpoint_url": self.s3.endpoint_url},
            "source": self.source,
            "warehouse": warehouse or embedded,
        }
        entries = {
            f"{self.schema}.{table.name}": {"cursor": table.cursor, "primary_key": list(table.key)} for table in tables
        }
        path = folder / "tables.yaml"
        path.write_text(yaml.safe_dump({"version": 1, "profiles": {"bench": profile}, "tables": entries}))
        path.chmod(0o600)
        try:
            yield Lake(folder, path, bucket, tuple(entries))
        finally:
            self.s3.empty(bucket)
            shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def warehouse(self) -> Iterator[Database]:
        """A new database of PostgreSQL."""
        with self._postgres.new_database() as database:
            yield database

    def measure(self, job: Job, *, watched: bool = True) -> tuple[Sample, str]:
        """Run it: what it took, and what it printed; raises what `process.run` does. watched: look at the source."""
        before, servers, own = busy(), processor(self._pids), time.process_time()
        with Pressure(self.connect if watched else None) as pressure:
            done = run(job.command, job.env, folder=self.folder, seconds=self.options.seconds)
        taken = processor(self._pids) - servers
        share = (busy() - before - done.cpu - taken - (time.process_time() - own)) / done.wall / (os.cpu_count() or 1)
        longest = pressure.statement, pressure.snapshot
        return Sample(done.wall, done.cpu, taken, done.peak, max(0.0, share), *longest), done.output


@dataclass(frozen=True)
class Lake:
    """Where a store is configured. tables: their names, with the schema."""

    folder: Path
    path: Path
    bucket: str
    tables: tuple[str, ...]

    @property
    def named(self) -> list[str]:
        """The arguments that name all tables."""
        return [argument for table in self.tables for argument in ("-t", table)]

    def wmtui(self, *arguments: str) -> Job:
        """A command of wmtui on it."""
        return Job([sys.executable, "-m", "wmtui", "--config", str(self.path), *arguments])


def _pid(server: Any) -> int:
    """The process of a server of the tests."""
    return int(server._process.pid)


def _as_written(value: Any) -> Any:
    """A setting as tables.yaml has it."""
    return f"{value.total_seconds():.0f}s" if isinstance(value, timedelta) else value

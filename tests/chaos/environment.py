"""What chaos tests run on: a source server, S3, PostgreSQL at REPEATABLE READ, tables, and processes."""

import json
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import mysql.connector
import psycopg
import yaml

from tests.chaos.processes import PLAIN, ForkServer, Process, Setup
from tests.servers import Database
from tests.servers.pgbouncer import PgBouncer
from tests.servers.postgres import Postgres
from tests.servers.redshift import RedshiftStandIn
from tests.servers.s3 import S3Server
from tests.servers.sources import SOURCES
from tests.sql import series

SNAPSHOT_ISOLATION = "--default_transaction_isolation=repeatable read"
"""An argument of PostgreSQL: what Redshift does by default."""

_SEED_STAMP = "2025-01-01 00:00:00"
DEFAULT = "chaos"
"""The profile that every table has."""
LONG_AGO = "2020-01-01"
"""Earlier than every row, so that an edit loses none: rows below a watermark are skipped on purpose."""

_DOCUMENTS = "watermark/"
_TABLE_FAILED = 1
_NEXT_STEP = re.compile(r"`wmtui (store accept --moved|accept -t \S+|watermark set -t \S+) [^`]*`")
_REFUSALS = 4
"""How many refusals may follow one another."""
_DEADLOCKS = 20
_PATIENCE = 100
_T = TypeVar("_T")
_LOCK_ERRORS = (1205, 1213, 1467)
"""Errors of a lock waited for in vain, of a deadlock, and of MariaDB's over the counter of AUTO_INCREMENT."""


@dataclass
class Environment:
    """Servers, one source database, one warehouse, and the fork server."""

    folder: Path
    source: Database
    pg: Database
    s3: S3Server
    fork_server: ForkServer
    warehouse: dict[str, Any]
    """That of every profile: `pg`, or the stand-in for Redshift before it."""
    servers: str
    """Which they are, in the words of `make chaos`."""
    stack: ExitStack
    """What ends with the environment."""
    _names: Iterator[int] = field(default_factory=count)

    @cached_property
    def pooled(self) -> dict[str, Any]:
        """The warehouse as a pooler reaches it, which gives every transaction any of its two sessions."""
        assert isinstance(self.pg.server, Postgres)
        return self.stack.enter_context(PgBouncer(self.pg.server)).serve(self.pg).config

    def create(
        self,
        *,
        digits: int = 6,
        broken: str | None = None,
        schema: str = "public",
        has_target: bool = True,
        **settings: Any,
    ) -> "Table":
        """An empty table with a bucket and a `tables.yaml` of its own. schema: `own` for a warehouse that no other
        table has. has_target: its target is there, which enforces no key; else the first load makes it.
        """
        name = f"t{next(self._names)}"
        cursor = f"update_at DATETIME({digits}) NOT NULL, KEY (update_at, id)"
        key = "id BIGINT PRIMARY KEY AUTO_INCREMENT"
        self.source.execute(f"CREATE TABLE {name} ({key}, version INT NOT NULL, note VARCHAR(40), {cursor})")
        made = {"lag": "0s", "lookback": "0s", **settings}
        table = Table(self, name, digits, self.s3.new_bucket(), broken, has_target, made)
        table.add_warehouse(DEFAULT, f"{name}_w" if schema == "own" else schema)
        return table


@dataclass
class Table:
    """One table of the environment. broken: a variant of the product, for every process that works on this table.
    has_target: its targets are there before the first load.

    root: where in the bucket its store is. warehouses: by profile, the schema that has ledger and target.
    """

    environment: Environment
    name: str
    digits: int
    bucket: str
    broken: str | None = None
    has_target: bool = True
    settings: dict[str, Any] = field(default_factory=dict)
    root: str = "lake/"
    warehouses: dict[str, str] = field(default_factory=dict)
    is_pooled: bool = False
    """Its processes reach the warehouse through a pooler."""
    edits: dict[str, int] = field(default_factory=dict)
    """Reason of every edit by an operator, and how its process ended."""
    store_is_outdated: bool = False
    """Its store was put back to an earlier moment, or copied before a run ended."""
    restored: set[str] = field(default_factory=set)
    """Schemas of warehouses that were put back to an earlier moment."""

    def add_warehouse(self, profile: str, schema: str) -> None:
        """Let a profile load from the same store into a schema of its own."""
        columns = "id bigint NOT NULL, version integer, note text, update_at timestamp"
        target = [f"CREATE TABLE IF NOT EXISTS {schema}.{self.name} ({columns})"] if self.has_target else []
        retry_while_down(lambda: self.environment.pg.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}", *target))
        self.warehouses[profile] = schema
        self.configure()

    def configure(self) -> None:
        """Write `tables.yaml`."""
        store = {"store": f"s3://{self.bucket}/{self.root}", "s3": {"endpoint_url": self.environment.s3.endpoint_url}}
        place = {**store, "source": self.environment.source.config}
        warehouse = self.environment.pooled if self.is_pooled else self.environment.warehouse
        profiles = {
            profile: {**place, "warehouse": {**warehouse, "schema": schema}}
            for profile, schema in self.warehouses.items()
        }
        tables = {self.full: self.settings}
        document = {"version": 1, "default_profile": DEFAULT, "profiles": profiles, "tables": tables}
        self.config.write_text(yaml.safe_dump(document))

    @property
    def full(self) -> str:
        """`schema.table`."""
        return f"{self.environment.source.name}.{self.name}"

    @property
    def config(self) -> Path:
        """Its `tables.yaml`."""
        return self.environment.folder / f"{self.name}.yaml"

    def move_store(self, share: float = 1.0, meanwhile: Callable[[], object] | None = None) -> None:
        """Copy the store to another bucket and prefix, and use the copy from now on.

        meanwhile: what happens when this share of the objects, in the order of their keys, is copied.
        """
        here, there = (self.bucket, self.root), (self.environment.s3.new_bucket(), f"{self.root[:-1]}-moved/")
        keys = sorted(self.objects(""))
        last = keys[int(share * (len(keys) - 1))] if keys else ""
        self.environment.s3.copy(here, there, lambda key: key <= last)
        if meanwhile is not None:
            meanwhile()
        self.environment.s3.copy(here, there, lambda key: key > last)
        self.bucket, self.root = there
        self.configure()

    def save_store(self) -> "SavedStore":
        """The store's documents as they are now, the parts left out."""
        return SavedStore(self.objects(_DOCUMENTS), dict(self.edits))

    def keep_store(self, folder: Path) -> None:
        """Write every object of the store into a folder, to look there for the reason of a difference."""
        for key, data in self.objects("").items():
            path = folder / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)

    def put_store_back(self, saved: "SavedStore") -> None:
        """Let the documents be what they were; parts written since stay."""
        for key in self.objects(_DOCUMENTS).keys() - saved.documents.keys():
            self.environment.s3.remove(self.bucket, self.root + key)
        for key, data in saved.documents.items():
            self.environment.s3.fill(self.bucket, [self.root + key], data)
        self.edits, self.store_is_outdated = dict(saved.edits), True

    def save_warehouse(self, schema: str) -> "SavedWarehouse":
        """Every table of a warehouse as it is now."""
        return retry_while_down(lambda: _save_warehouse(self.environment.pg, schema))

    def put_warehouse_back(self, schema: str, saved: "SavedWarehouse") -> None:
        """Let every table of a warehouse be what it was, in one transaction."""
        retry_while_down(lambda: _put_warehouse_back(self.environment.pg, schema, saved))
        self.restored.add(schema)

    def write(self, *statements: str) -> None:
        """Run statements in the source; again where another writer was in the way."""
        for statement in statements:
            for tries_left in reversed(range(_DEADLOCKS)):
                try:
                    self.environment.source.execute(statement)
                    break
                except mysql.connector.Error as error:
                    if error.errno not in _LOCK_ERRORS or not tries_left:
                        raise

    def seed(self, rows: int, *, step: int = 1) -> None:
        """Insert rows of long ago, `step` seconds between three and the next three."""
        stamp = f"'{_SEED_STAMP}' + INTERVAL CAST(seq AS SIGNED) DIV 3 * {step} SECOND"
        self.write(f"INSERT INTO {self.name} (version, note, update_at) SELECT 1, 'seed', {stamp} FROM {series(rows)}")

    def change_rows(self, rows: int = 100) -> None:
        """Insert rows and update as many older ones."""
        stamp = f"NOW({self.digits})"
        self.write(
            f"INSERT INTO {self.name} (version, note, update_at) SELECT 1, 'new', {stamp} FROM {series(rows)}",
            f"UPDATE {self.name} SET version = version + 1, note = 'update', update_at = {stamp}"
            f" ORDER BY RAND() LIMIT {rows}",
        )

    def wmtui(self, *command: str, setup: Setup = PLAIN) -> Process:
        """Start `wmtui COMMAND`."""
        made = replace(setup, broken=self.broken)
        return self.environment.fork_server.start("--config", str(self.config), *command, setup=made)

    def run(self, *command: str, setup: Setup = PLAIN) -> Process:
        """Start `wmtui COMMAND -t TABLE`."""
        return self.wmtui(*command, "-t", self.full, setup=setup)

    def start(self, *options: str, setup: Setup = PLAIN) -> Process:
        """Start a sync."""
        return self.run("sync", *options, setup=setup)

    def sync(self, *options: str, setup: Setup = PLAIN) -> int:
        """Sync to the end; the exit code, or minus a signal."""
        return self.start(*options, setup=setup).wait()

    def start_edit(self, reason: str, *words: str, setup: Setup = PLAIN) -> Process:
        """Start `wmtui watermark WORDS`."""
        return self.run("watermark", *words, "--yes", "--reason", reason, setup=setup)

    def edit(self, *words: str, reason: str | None = None, setup: Setup = PLAIN) -> int:
        """The same to the end; the exit code, or minus a signal, which is remembered under the reason."""
        name = reason or uuid4().hex
        self.edits[name] = self.start_edit(name, *words, setup=setup).wait()
        return self.edits[name]

    def pause(self, step: str, *options: str) -> Process:
        """A sync that has stopped itself at a step and lost its lease."""
        process = self.start(*options, setup=Setup(at=step, do="pause"))
        if not process.paused():
            raise AssertionError(f"the sync ended with {process.wait()} before {step}, see {process.log}")
        self.expire_lease()
        return process

    def resume(self, process: Process) -> int:
        """Let a paused process go on to its end; its exit code."""
        process.signal(signal.SIGCONT)
        return process.wait()

    def unlock(self) -> Process:
        """Start `wmtui unlock` with the id of whatever lease there is."""
        return self.wmtui("unlock", str(self._heartbeat.get("run")), "--yes")

    def sync_and_resolve(self, *options: str) -> Process:
        """Sync to the end; after a refusal do what it says and sync again. The last of these syncs.

        It asks the warehouse, as every sync does some hours after the last look, also for a table without news.
        """
        self._forget_last_look()
        for _ in range(_REFUSALS):
            process = self.start(*options)
            if process.wait() != _TABLE_FAILED or not self.resolve(process, *options):
                break
        return process

    def resolve(self, refused: Process, *options: str) -> bool:
        """Run the command that a refusal names; False where it names none."""
        next_step = _NEXT_STEP.search(refused.log.read_text())
        if next_step is None:
            return False
        command = next_step[1].split()
        if command[0] == "watermark":
            self.edit("set", "--timestamp", LONG_AGO)
        else:
            profile = options[:2] if "--profile" in options else ()
            self.wmtui(*profile, *command, "--yes", "--reason", "chaos").wait()
        return True

    def expire_lease(self) -> None:
        """Let the lease of a dead process end now, as if its time had passed."""
        if self._lock in self.environment.s3.contents(self.bucket):
            self.environment.s3.set_last_modified(self.bucket, self._lock, datetime.now(UTC) - timedelta(minutes=10))

    def _forget_last_look(self) -> None:
        document = self._heartbeat
        if document.get("owner") is None and document.pop("unchanged_in", None):
            self.environment.s3.fill(self.bucket, [self._lock], json.dumps(document).encode())

    def lose_lock(self) -> None:
        """Remove the lock document without any process noticing."""
        self.environment.s3.remove(self.bucket, self._lock)

    def forget_proof(self) -> None:
        """Let the store say no more that its server was seen to check conditions, as a day later."""
        ((name, data),) = self.objects(f"{_DOCUMENTS}store.json").items()
        document = {**json.loads(data), "proven": {}}
        self.environment.s3.fill(self.bucket, [self.root + name], json.dumps(document).encode())

    def objects(self, prefix: str) -> dict[str, bytes]:
        """Objects whose key starts with a prefix, read without a request; keys as wmtui has them."""
        contents = self.environment.s3.contents(self.bucket)
        return {key[len(self.root) :]: data for key, data in contents.items() if key.startswith(self.root + prefix)}

    def read_to_the_end(self) -> bool:
        """Whether the last sync's window closed after the last write."""
        (last,) = self.environment.source.query(f"SELECT MAX(update_at) FROM {self.name}")[0]
        reached = self._heartbeat.get("extracted_to")
        return bool(reached) and datetime.fromisoformat(reached).replace(tzinfo=None) >= last

    @property
    def _heartbeat(self) -> dict[str, Any]:
        return dict(json.loads(self.environment.s3.contents(self.bucket).get(self._lock, b"{}")))

    @property
    def _lock(self) -> str:
        return f"{self.root}watermark/locks/{self.full}.json"


@dataclass(frozen=True)
class SavedStore:
    """Documents of a store at some moment, and the edits by then."""

    documents: dict[str, bytes]
    edits: dict[str, int]


SavedWarehouse = dict[str, bytes]
"""The rows of every table of a schema, as COPY has them."""

_TABLES_OF = "SELECT relname FROM pg_class WHERE relnamespace = %s::regnamespace AND relkind = 'r' ORDER BY relname"

_BREAK_OFF = (
    "SELECT pg_terminate_backend(pid, 5000) FROM (SELECT DISTINCT pid FROM pg_locks JOIN pg_class ON oid = relation"
    " WHERE relnamespace = %s::regnamespace AND pid <> pg_backend_pid()) AS users"
)


def _save_warehouse(pg: Database, schema: str) -> SavedWarehouse:
    with closing(pg.connect()) as connection, connection.transaction(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        saved = {}
        for (name,) in cursor.execute(_TABLES_OF, (schema,)).fetchall():
            with cursor.copy(f'COPY {schema}."{name}" TO STDOUT') as copy:
                saved[name] = b"".join(map(bytes, copy))
    return saved


def _put_warehouse_back(pg: Database, schema: str, saved: SavedWarehouse) -> None:
    """Sessions are broken off, as a restore does; tables made since are dropped, and the views over them."""
    pg.query(_BREAK_OFF, (schema,))
    with closing(pg.connect()) as connection, connection.transaction(), connection.cursor() as cursor:
        for (name,) in cursor.execute(_TABLES_OF, (schema,)).fetchall():
            if name not in saved:
                cursor.execute(f'DROP TABLE {schema}."{name}" CASCADE')
                continue
            cursor.execute(f'DELETE FROM {schema}."{name}"')
            if saved[name]:
                with cursor.copy(f'COPY {schema}."{name}" FROM STDIN') as copy:
                    copy.write(saved[name])


def retry_while_down(work: Callable[[], _T]) -> _T:
    """Do it again while the warehouse is down."""
    for tries_left in reversed(range(_PATIENCE)):
        try:
            return work()
        except psycopg.OperationalError:
            if not tries_left:
                raise
            time.sleep(0.1)
    raise AssertionError


@contextmanager
def private_environment(folder: Path, source: str = "mariadb", warehouse: str = "postgres") -> Iterator[Environment]:
    """An environment on servers of its own. source: one of SOURCES; warehouse: `postgres` or `redshift`."""
    with ExitStack() as stack:
        source_server = stack.enter_context(SOURCES[source]())
        postgres = stack.enter_context(Postgres(SNAPSHOT_ISOLATION))
        s3 = stack.enter_context(S3Server())
        shop, pg = (stack.enter_context(server.new_database()) for server in (source_server, postgres))
        fork_server = stack.enter_context(ForkServer(folder))
        config = pg.config
        if warehouse == "redshift":
            config = stack.enter_context(RedshiftStandIn(pg, s3).running()).config
        yield Environment(folder, shop, pg, s3, fork_server, config, f"SOURCE={source} WAREHOUSE={warehouse}", stack)

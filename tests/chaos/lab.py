"""Where chaos happens: MariaDB, S3 and PostgreSQL at REPEATABLE READ, some tables, and processes that sync them."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from tests.chaos.processes import Agent, Nursery, Order
from tests.servers import Database
from tests.servers.mariadb import MariaDB
from tests.servers.postgres import Postgres
from tests.servers.s3 import S3Server

SNAPSHOT_ISOLATION = "--default_transaction_isolation=repeatable read"
"""An argument of PostgreSQL: what Redshift does by default."""

_SEED_STAMP = "2025-01-01 00:00:00"


@dataclass
class Lab:
    """Servers, one bucket, one source database, one warehouse, and the nursery of processes."""

    folder: Path
    mysql: Database
    pg: Database
    s3: S3Server
    nursery: Nursery
    bucket: str = ""
    tables: dict[str, dict[str, Any]] = field(default_factory=dict)
    broken: str | None = None
    """A variant of the product, for every process started from now on."""

    def __post_init__(self) -> None:
        self.bucket = self.bucket or self.s3.new_bucket()

    def create(self, name: str, rows: int = 0, *, digits: int = 0, **settings: Any) -> "Table":
        """A table with rows of long ago, known to `tables.yaml`, and its target, which enforces no key."""
        columns = f"id BIGINT PRIMARY KEY AUTO_INCREMENT, version INT NOT NULL, note VARCHAR(40), update_at DATETIME({digits}) NOT NULL"
        self.mysql.execute(f"CREATE TABLE {name} ({columns}, KEY (update_at, id))")
        self.pg.execute(f"CREATE TABLE {name} (id bigint NOT NULL, version integer, note text, update_at timestamp)")
        self.tables[f"{self.mysql.name}.{name}"] = {"lag": "1s", "lookback": "0s", **settings}
        self._configure()
        table = Table(self, name, digits)
        if rows:
            stamp = f"'{_SEED_STAMP}' + INTERVAL seq DIV 3 SECOND"
            table.write(f"INSERT INTO {name} SELECT seq, 1, 'seed', {stamp} FROM seq_1_to_{rows}")
        return table

    def start(self, *argv: str, order: Order = Order()) -> Agent:
        """Start `wmtui argv` in the profile of this lab."""
        made = order if order.broken or not self.broken else Order(**{**vars(order), "broken": self.broken})
        return self.nursery.start("--config", str(self.folder / "tables.yaml"), *argv, order=made)

    def objects(self, prefix: str) -> dict[str, bytes]:
        """Objects whose key starts with a prefix, read behind the server's back; keys as wmtui says them."""
        root = "lake/"
        found = self.s3.contents(self.bucket)
        return {key[len(root) :]: data for key, data in found.items() if key.startswith(root + prefix)}

    def _configure(self) -> None:
        store = {"store": f"s3://{self.bucket}/lake", "s3": {"endpoint_url": self.s3.endpoint_url}}
        profile = {**store, "source": self.mysql.config, "warehouse": self.pg.config}
        document = {"version": 1, "profiles": {"chaos": profile}, "tables": self.tables}
        (self.folder / "tables.yaml").write_text(yaml.safe_dump(document))


@dataclass
class Table:
    """One table of the lab."""

    lab: Lab
    name: str
    digits: int = 0
    """Fraction digits of its cursor."""
    edits: dict[str, int] = field(default_factory=dict)
    """Reason of every edit by an operator, and how its process ended."""

    @property
    def full(self) -> str:
        """`schema.table`."""
        return f"{self.lab.mysql.name}.{self.name}"

    def write(self, *statements: str) -> None:
        """Run statements in the source."""
        self.lab.mysql.execute(*statements)

    def news(self, rows: int = 60) -> None:
        """Insert rows and update as many older ones."""
        stamp = f"NOW({self.digits})"
        self.write(
            f"INSERT INTO {self.name} (version, note, update_at) SELECT 1, 'news', {stamp} FROM seq_1_to_{rows}",
            f"UPDATE {self.name} SET version = version + 1, note = 'update', update_at = {stamp} ORDER BY RAND() LIMIT {rows}",
        )

    def start(self, *options: str, order: Order = Order()) -> Agent:
        """Start a sync."""
        return self.lab.start("sync", "-t", self.full, *options, order=order)

    def sync(self, *options: str, order: Order = Order()) -> int:
        """Sync to the end; the exit code, or minus a signal."""
        return self.start(*options, order=order).wait()

    def edit(self, *words: str, order: Order = Order()) -> int:
        """`wmtui watermark WORDS -t TABLE` to the end; the exit code, or minus a signal."""
        return self.lab.start("watermark", *words, "-t", self.full, "--yes", order=order).wait()

    def expire_lease(self) -> None:
        """Let the lease of a dead process end now, as if its time had passed."""
        key = f"lake/watermark/locks/{self.full}.json"
        if key in self.lab.s3.contents(self.lab.bucket):
            self.lab.s3.set_last_modified(self.lab.bucket, key, datetime.now(UTC) - timedelta(minutes=10))


@contextmanager
def private_lab(folder: Path) -> Iterator[Lab]:
    """A lab on servers of its own."""
    with ExitStack() as stack:
        mariadb = stack.enter_context(MariaDB())
        postgres = stack.enter_context(Postgres(SNAPSHOT_ISOLATION))
        s3 = stack.enter_context(S3Server())
        mysql, pg = (stack.enter_context(server.new_database()) for server in (mariadb, postgres))
        nursery = stack.enter_context(Nursery(folder))
        yield Lab(folder, mysql, pg, s3, nursery)

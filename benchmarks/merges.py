"""Two merges into two targets of one warehouse, alone and at once, and a sync without news beside one.

`python -m benchmarks merges --quick` makes them shorter. A merge lasts so long because a CHECK of its target
sleeps for every row that is written: it waits, and takes no processor. Each load is `Warehouse.load` of one file, of as
many rows as a first one has shown to be needed, which replace those that are there.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import yaml

from benchmarks.figures import Figure
from benchmarks.options import Options
from tests.servers import Database
from tests.servers.postgres import Postgres
from tests.servers.redshift import RedshiftStandIn
from tests.servers.s3 import ENVIRONMENT, S3Server
from tests.warehouses.bench import Bench, at, rows
from tests.warehouses.conftest import ROLE, postgres_bench, redshift_bench
from wmtui import config
from wmtui.events import Stop
from wmtui.model import TableName, utc_now
from wmtui.service import Author, Request, Service

SECONDS = 8.0
"""How long a merge lasts alone."""
PAUSE = 0.01
"""Seconds that a written row takes at least."""
IDLE_SYNCS = 5
TARGETS = ("orders", "customers")
LEVELS = {
    "PostgreSQL": {"REPEATABLE READ": "repeatable read", "SERIALIZABLE": "serializable"},
    "Redshift's stand-in": {"SNAPSHOT": "snapshot", "SERIALIZABLE": "serializable"},
}


class Merges:
    """A warehouse with both targets, whose rows are slow to write."""

    def __init__(self, bench: Bench, seconds: float) -> None:
        self._bench = bench
        self._minute = 0
        for target in TARGETS:
            self.load(target, 1)
        bench.execute(
            "CREATE FUNCTION public.pause(id bigint) RETURNS boolean LANGUAGE plpgsql AS"
            f" $$ BEGIN PERFORM pg_sleep({PAUSE}); RETURN true; END $$"
        )
        for target in TARGETS:
            bench.execute(f"ALTER TABLE {target} ADD CONSTRAINT slow CHECK (public.pause(id))")
        self.rows = round(seconds / PAUSE)
        taken = [self.load(target, self.rows) for target in TARGETS]
        self.rows = max(1, round(self.rows * seconds / statistics.mean(taken)))

    def load(self, target: str, count: int) -> float:
        """Replace so many rows; the seconds it took."""
        self._minute += 1
        bench, table = self._bench, rows(*((number, at(self._minute % 60), "a") for number in range(count)))
        request = bench.request(bench.file(table), table=f"shop.{target}", target=target, token=self._minute)
        warehouse = bench.connect()
        began = time.perf_counter()
        warehouse.load(request, bench.open_part, lambda _file, _rows: None)
        return time.perf_counter() - began

    def at_once(self) -> float:
        """Both merges; the seconds until both are done."""
        began = time.perf_counter()
        with ThreadPoolExecutor(len(TARGETS)) as pool:
            for done in [pool.submit(self.load, target, self.rows) for target in TARGETS]:
                done.result()
        return time.perf_counter() - began

    def beside(self, sync: "IdleSync") -> float:
        """A sync without news while one of the merges writes; its seconds."""
        with ThreadPoolExecutor(1) as pool:
            merge = pool.submit(self.load, TARGETS[0], self.rows)
            while not self._bench.query("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"):
                if merge.done():
                    merge.result()
                    raise RuntimeError("the merge was over before the sync began: measure without --quick")
            return sync.run()


class IdleSync:
    """A pipeline of a third table, from an embedded source, that has nothing new to load."""

    def __init__(self, folder: Path, s3: S3Server, warehouse: dict[str, Any]) -> None:
        source = folder / "source.duckdb"
        moment = (datetime.now(UTC) - timedelta(hours=1)).replace(tzinfo=None, microsecond=0)
        with duckdb.connect(source) as connection:
            connection.execute("CREATE SCHEMA shop")
            connection.execute("CREATE TABLE shop.quiet (id BIGINT PRIMARY KEY, update_at TIMESTAMP)")
            connection.execute("INSERT INTO shop.quiet VALUES (1, ?)", [moment])
        profile = {
            "store": f"s3://{s3.new_bucket()}",
            "s3": {"endpoint_url": s3.endpoint_url},
            "source": {"type": "duckdb", "path": str(source)},
            "warehouse": warehouse,
        }
        path = folder / "tables.yaml"
        path.write_text(yaml.safe_dump({"version": 1, "profiles": {"bench": profile}, "tables": {"shop.quiet": {}}}))
        self._service = Service(config.load(path), clock=utc_now, author=Author("bench", "bench"))
        self.run()

    def run(self) -> float:
        """The seconds of a sync."""
        began = time.perf_counter()
        request = Request(tables=(TableName("shop", "quiet"),))
        (result,) = self._service.syncs.sync(request, emit=lambda _event: None, stop=Stop())
        if result.error is not None:
            raise result.error
        return time.perf_counter() - began


def figures(options: Options) -> Iterator[Figure]:
    """Three figures for each warehouse and isolation level."""
    os.environ.update(ENVIRONMENT)
    seconds = SECONDS / 4 if options.quick else SECONDS
    with ExitStack() as stack:
        postgres = stack.enter_context(Postgres())
        s3 = stack.enter_context(S3Server())
        for kind, levels in LEVELS.items():
            for name, level in levels.items():
                with warehouse(kind, level, postgres, s3) as (bench, address), tempfile.TemporaryDirectory() as folder:
                    merges = Merges(bench, seconds)
                    yield compare(f"{kind}, {name}", merges)
                    yield from look_beside(f"{kind}, {name}", merges, IdleSync(Path(folder), s3, address))


@contextmanager
def warehouse(kind: str, level: str, postgres: Postgres, s3: S3Server) -> Iterator[tuple[Bench, dict[str, Any]]]:
    """A new database at an isolation level: what loads into it, and its settings in tables.yaml."""
    with ExitStack() as stack:
        database: Database = stack.enter_context(postgres.new_database())
        if kind == "PostgreSQL":
            database.execute(f"ALTER DATABASE {database.name} SET default_transaction_isolation = '{level}'")
            yield postgres_bench(database), database.config
        else:
            stand_in = stack.enter_context(RedshiftStandIn(database, s3).running())
            stand_in.isolation = "serializable" if level == "serializable" else "snapshot"
            yield redshift_bench(stand_in, database, s3), {**stand_in.config, "iam_role": ROLE}


def compare(what: str, merges: Merges) -> Figure:
    """How long both merges take at once, and how many times that of the longer one alone."""
    alone = [merges.load(target, merges.rows) for target in TARGETS]
    both = merges.at_once()
    return Figure(f"{what}: two merges at once, to the longer alone", both, "s", both / max(alone))


def look_beside(what: str, merges: Merges, idle: IdleSync) -> Iterator[Figure]:
    """How long a sync without news takes."""
    yield Figure(f"{what}: sync without news", statistics.median(idle.run() for _ in range(IDLE_SYNCS)), "s")
    yield Figure(f"{what}: sync without news beside a merge", merges.beside(idle), "s")

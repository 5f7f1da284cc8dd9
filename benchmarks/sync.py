"""`wmtui sync` of a million rows: MySQL → Parquet in S3 → PostgreSQL, all on this machine, each server private."""

import os
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import yaml

from benchmarks.measure import run
from tests.servers import Database
from tests.servers.postgres import Postgres
from tests.servers.s3 import ENVIRONMENT, S3Server
from tests.servers.sources import SOURCES
from tests.sql import series

ROWS = int(os.environ.get("ROWS", "1000000"))
SOURCE = os.environ.get("SOURCE", "mysql")
"""The server that is read: mysql, which `make mysql` fetches, or mariadb."""


def main() -> None:
    """Print rows/s and peak memory of a first extraction, a first load, both, and of a sync without news."""
    print(f"source {SOURCE}, {ROWS:,} rows", flush=True)
    os.environ.update(ENVIRONMENT)
    with ExitStack() as stack:
        source = stack.enter_context(stack.enter_context(SOURCES[SOURCE]()).new_database())
        warehouse = stack.enter_context(stack.enter_context(Postgres()).new_database())
        s3 = stack.enter_context(S3Server())
        path = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "tables.yaml"
        fill(source)
        path.write_text(yaml.safe_dump(configuration(source, warehouse, s3)))
        wmtui = [sys.executable, "-m", "wmtui", "--config", str(path)]
        measure("extract", [*wmtui, "sync", "-t", f"{source.name}.orders", "--backup-only"])
        measure("load", [*wmtui, "sync", "-t", f"{source.name}.orders", "--redshift-only"])
        measure("extract and load", [*wmtui, "sync", "-t", f"{source.name}.twin"])
        measure("no news", [*wmtui, "sync", "-t", f"{source.name}.twin"], rows=0)
        same = "SELECT count(*), sum(id) FROM twin"
        assert warehouse.query(same) == source.query(same)


def fill(source: Database) -> None:
    """Two tables alike: ten columns of the common types, ten rows to a second."""
    numbers = f"{series(-(-ROWS // 1000), 'thousand')} CROSS JOIN {series(1000, 'one')}"
    source.execute(
        "CREATE TABLE orders (id BIGINT PRIMARY KEY, shop INT, customer INT UNSIGNED, amount DECIMAL(12,2),"
        " rate DOUBLE, code CHAR(12), note VARCHAR(120), day DATE, created DATETIME(6), update_at DATETIME,"
        " KEY (update_at))",
        "INSERT INTO orders SELECT seq, seq % 1000, seq * 3 % 4000000000, seq / 7, seq / 13, LPAD(seq, 12, '0'),"
        " CONCAT('note number ', seq, ' ', LEFT(SHA2(seq, 256), 32)), '2025-01-01' + INTERVAL seq % 365 DAY,"
        " NOW(6) - INTERVAL seq SECOND, NOW() - INTERVAL 10 DAY + INTERVAL seq DIV 10 SECOND"
        " FROM (SELECT (thousand.seq - 1) * 1000 + one.seq AS seq"
        f" FROM {numbers}) AS numbers WHERE seq <= {ROWS}",
        "CREATE TABLE twin LIKE orders",
        "INSERT INTO twin SELECT * FROM orders",
    )


def configuration(source: Database, warehouse: Database, s3: S3Server) -> dict[str, object]:
    """A tables.yaml of the two tables."""
    profile = {
        "store": f"s3://{s3.new_bucket()}",
        "s3": {"endpoint_url": s3.endpoint_url},
        "source": source.config,
        "warehouse": warehouse.config,
    }
    tables = {f"{source.name}.{name}": {} for name in ("orders", "twin")}
    return {"version": 1, "profiles": {"bench": profile}, "tables": tables}


def measure(what: str, command: list[str], rows: int = ROWS) -> None:
    """Run a sync as a process of its own and print its figures."""
    done = run(command)
    pace = f"{rows / done.wall:,.0f} rows/s, " if rows else ""
    print(f"{what}: {pace}{done.wall:.1f} s ({done.cpu:.1f} s processor), peak {done.peak / 2**20:.0f} MiB", flush=True)

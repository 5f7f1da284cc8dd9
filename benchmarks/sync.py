"""`wmtui sync` of a million rows: MariaDB → Parquet in S3 → PostgreSQL, all on this machine, each server private."""

import os
import sys
import tempfile
from pathlib import Path

import yaml

from benchmarks.measure import run
from tests.servers import Database
from tests.servers.mariadb import MariaDB
from tests.servers.postgres import Postgres
from tests.servers.s3 import ENVIRONMENT, S3Server

ROWS = int(os.environ.get("ROWS", 1_000_000))


def main() -> None:
    """Print rows/s and peak memory of a first extraction, a first load, both, and of a sync without news."""
    os.environ.update(ENVIRONMENT)
    with MariaDB() as mariadb, Postgres() as postgres, S3Server() as s3, tempfile.TemporaryDirectory() as folder:
        with mariadb.new_database() as source, postgres.new_database() as warehouse:
            fill(source)
            path = Path(folder) / "tables.yaml"
            path.write_text(yaml.safe_dump(configuration(source, warehouse, s3)))
            wmtui = [sys.executable, "-m", "wmtui", "--config", str(path)]
            measure("extract", [*wmtui, "sync", "-t", f"{source.name}.orders", "--backup-only"])
            measure("load", [*wmtui, "sync", "-t", f"{source.name}.orders", "--redshift-only"])
            measure("extract and load", [*wmtui, "sync", "-t", f"{source.name}.twin"])
            measure("no news", [*wmtui, "sync", "-t", f"{source.name}.twin"], rows=0)
            assert warehouse.query("SELECT count(*), sum(id) FROM twin") == source.query(
                "SELECT count(*), sum(id) FROM twin"
            )


def fill(source: Database) -> None:
    """Two tables alike: ten columns of the common types, ten rows to a second."""
    source.execute(
        "CREATE TABLE orders (id BIGINT PRIMARY KEY, shop INT, customer INT UNSIGNED, amount DECIMAL(12,2), rate DOUBLE,"
        " code CHAR(12), note VARCHAR(120), day DATE, created DATETIME(6), update_at DATETIME, KEY (update_at))",
        "INSERT INTO orders SELECT seq, seq % 1000, seq * 3 % 4000000000, seq / 7, seq / 13, LPAD(seq, 12, '0'),"
        " CONCAT('note number ', seq, ' ', MD5(seq)), '2025-01-01' + INTERVAL seq % 365 DAY, NOW(6) - INTERVAL seq SECOND,"
        f" NOW() - INTERVAL 10 DAY + INTERVAL seq DIV 10 SECOND FROM seq_1_to_{ROWS}",
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

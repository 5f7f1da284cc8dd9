"""Peak memory of `wmtui verify` of a long table: an embedded pipeline, then a source server → PostgreSQL.

`ROWS=2000000 python -m benchmarks verify`; the budget is 300 MB of the process at any length.
"""

import os
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import duckdb
import yaml

from benchmarks import sync
from benchmarks.measure import run
from tests.servers.postgres import Postgres
from tests.servers.s3 import ENVIRONMENT, S3Server
from tests.servers.sources import SOURCES

ROWS = int(os.environ.get("ROWS", "2000000"))
BUDGET = 300
KINDS = os.environ.get("KINDS", "embedded,servers").split(",")
"""What to compare: the pipeline of the demo, and one of servers."""


def main() -> None:
    """Print rows/s and peak memory of a comparison that finds everything right, of each kind."""
    os.environ.update(ENVIRONMENT)
    for kind in KINDS:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            configuration = embedded(folder) if kind == "embedded" else servers(stack)
            path = folder / "tables.yaml"
            path.write_text(yaml.safe_dump(configuration))
            table = next(iter(configuration["tables"]))
            wmtui = [sys.executable, "-m", "wmtui", "--config", str(path)]
            run([*wmtui, "sync", "-t", table])
            done = run([*wmtui, "verify", "-t", table])
            peak = done.peak / 1e6
            print(
                f"{kind}: {ROWS:,} rows of either side, {ROWS / done.wall:,.0f} rows/s, {done.wall:.1f} s,"
                f" peak {peak:.0f} MB (budget {BUDGET})",
                flush=True,
            )


def servers(stack: ExitStack) -> dict[str, Any]:
    """A table of a source server, to be loaded into PostgreSQL."""
    source = stack.enter_context(stack.enter_context(SOURCES[sync.SOURCE]()).new_database())
    warehouse = stack.enter_context(stack.enter_context(Postgres()).new_database())
    sync.ROWS = ROWS
    sync.fill(source)
    return dict(sync.configuration(source, warehouse, stack.enter_context(S3Server())))


def embedded(folder: Path) -> dict[str, Any]:
    """The same table in an embedded database, to be loaded into another one from a folder."""
    with duckdb.connect(folder / "source.duckdb") as connection:
        connection.execute("CREATE SCHEMA shop")
        connection.execute(
            "CREATE TABLE shop.orders AS SELECT i AS id, (i % 1000)::INTEGER AS shop, (i / 7)::DECIMAL(12,2) AS amount,"
            " i / 13.0 AS rate, lpad(i::VARCHAR, 12, '0') AS code, concat('note number ', i, ' ', md5(i::VARCHAR)) AS"
            " note, DATE '2025-01-01' + (i % 365)::INTEGER AS day, TIMESTAMP '2025-01-01' + INTERVAL 1 SECOND * i AS"
            " created, TIMESTAMP '2025-01-01' + INTERVAL 1 SECOND * (i // 10) AS update_at"
            f" FROM range(1, {ROWS + 1}) t(i)"
        )
        connection.execute("ALTER TABLE shop.orders ADD PRIMARY KEY (id)")
    (folder / "lake").mkdir()
    ends = {name: {"type": "duckdb", "path": str(folder / f"{end}.duckdb")} for name, end in ENDS.items()}
    profile = {"store": str(folder / "lake"), **ends}
    return {"version": 1, "profiles": {"bench": profile}, "tables": {"shop.orders": {}}}


ENDS = {"source": "source", "warehouse": "warehouse"}

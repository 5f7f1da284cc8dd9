"""`wmtui verify` of a long table after its first sync: pace, and memory, which has a budget at any length."""

from collections.abc import Iterator

from benchmarks.contestants import sync
from benchmarks.figures import Figure
from benchmarks.machinery import Servers

MEMORY = 300
"""MB of the process."""


def figures(servers: Servers) -> Iterator[Figure]:
    """Pace and memory, into PostgreSQL and into DuckDB."""
    table = servers.table()
    with servers.warehouse() as database:
        for kind, address in (("PostgreSQL", database.config), ("DuckDB", None)):
            with servers.lake(table, warehouse=address) as lake:
                sync(servers, lake, table.rows)
                sample, _ = servers.measure(lake.wmtui("verify", *lake.named))
            yield Figure(f"verify {servers.kind} → {kind}, {table.rows:,} rows", table.rows / sample.wall, "rows/s")
            yield Figure(f"memory of that, {kind}", sample.memory / 1e6, "MB", budget=MEMORY)
            if sample.statement is not None:
                yield Figure(f"longest statement of that, {kind}", sample.statement, "s")

"""What a sync without news costs: seconds, requests to S3, statements and connections, a table."""

import re
from collections.abc import Iterator

from benchmarks.figures import Figure
from benchmarks.machinery import Servers, Table

TABLES, QUICK_TABLES = (1, 100), (1, 10)
LONG_TABLES = 1_000
ROWS = 10
REQUESTS, SECONDS = 6, 0.04


def figures(servers: Servers) -> Iterator[Figure]:
    """For each number of tables, after a first sync of all of them."""
    options = servers.options
    if not options.writes:
        return
    tables = (*(QUICK_TABLES if options.quick else TABLES), *([LONG_TABLES] if options.long else []))
    made = _tables(servers, max(tables))
    for count in tables:
        yield from _without_news(servers, made[:count])


def _tables(servers: Servers, count: int) -> list[Table]:
    first = servers.table("narrow", rows=ROWS)
    found = []
    for number in range(count):
        found.append(Table(f"idle_{number}", ROWS))
        name = f"{servers.schema}.idle_{number}"
        servers.write(f"CREATE TABLE {name} LIKE {servers.schema}.{first.name}")
        servers.write(f"INSERT INTO {name} SELECT * FROM {servers.schema}.{first.name}")
    return found


def _without_news(servers: Servers, tables: list[Table]) -> Iterator[Figure]:
    count = len(tables)
    what = f"no news, {count:,} table{'s' if count > 1 else ''}"
    with servers.warehouse() as database, servers.lake(*tables, warehouse=database.config) as lake:
        database.execute(f"ALTER DATABASE {database.name} SET log_statement = 'all'")
        run = lake.wmtui("--run", "--quiet")
        before = _Counts(servers)
        first, _ = servers.measure(run, watched=False)
        once = _Counts(servers)
        servers.measure(run, watched=False)  # The first look after a change asks the journal too.
        between = _Counts(servers)
        idle, _ = servers.measure(run, watched=False)
        after = _Counts(servers)
    yield Figure(f"first sync, {count:,} tables, a table", first.wall / count, "s")
    for name, value in once.since(before).items():
        yield Figure(f"{name} of that, a table", value / count, "")
    budget = SECONDS if count > 1 else None
    yield Figure(f"{what}, a table", idle.wall / count, "s", budget=budget)
    budgets = {"S3 requests": REQUESTS, "PostgreSQL statements": 0, "PostgreSQL connections": 0}
    for name, value in after.since(between).items():
        budget = budgets.get(name) if count > 1 else None
        yield Figure(f"{name} of that, a table", value / count, "", budget=budget)


class _Counts:
    """What servers have been asked so far, without these questions."""

    def __init__(self, servers: Servers) -> None:
        self._asked = self._look(servers)
        again = self._look(servers)
        self._own = {name: again[name] - value for name, value in self._asked.items()}

    def since(self, earlier: "_Counts") -> dict[str, int]:
        """What was asked in between."""
        return {
            name: max(0, value - earlier._asked[name] - 2 * earlier._own[name]) for name, value in self._asked.items()
        }

    def _look(self, servers: Servers) -> dict[str, int]:
        status = dict(servers.ask("SHOW GLOBAL STATUS WHERE variable_name IN ('Questions', 'Connections')"))
        log = servers.warehouse_log()
        return {
            "S3 requests": servers.s3.requests(),
            f"{servers.kind} statements": int(status["Questions"]),
            f"{servers.kind} connections": int(status["Connections"]),
            "PostgreSQL statements": len(re.findall(r"LOG:  (?:statement|execute [^:]*):", log)),
            "PostgreSQL connections": len(re.findall(r"LOG:  connection received", log)),
        }

"""Rows moved: from the source to S3, and on into a warehouse, against the client alone and against peers."""

from collections.abc import Iterator

from benchmarks.comparison import Comparison, Contestant, compare
from benchmarks.contestants import dlt, ingestr, limit, rivet, sync, wmtui
from benchmarks.machinery import Servers, Table
from benchmarks.rounds import Sample

LONG_ROWS = 10_000_000
WORKERS = (1, 2, 4)
WINDOWS = (0.01, 0.1, 1.0)


def extraction(servers: Servers) -> Iterator[Comparison]:
    """A first load into S3, and over TLS where the source is a private one."""
    table, options = servers.table(), servers.options
    contestants = [limit(servers, [table]), wmtui("", servers, [table], into="s3")]
    if options.peers:
        contestants.append(rivet(servers, table))
    yield compare(f"{servers.kind} → S3, {table.rows:,} rows", contestants, options)
    if servers.authority:
        with servers.over_tls():
            contestants = [limit(servers, [table]), wmtui("", servers, [table], into="s3")]
            yield compare(f"{servers.kind} over TLS → S3, {table.rows:,} rows", contestants, options)


def shapes(servers: Servers) -> Iterator[Comparison]:
    """A narrow and a wide table into S3 and PostgreSQL."""
    if not servers.options.writes:
        return
    for shape in ("narrow", "wide"):
        table = servers.table(shape)
        contestants = [
            limit(servers, [table]),
            wmtui(" to S3", servers, [table], into="s3"),
            wmtui(" to PostgreSQL", servers, [table]),
        ]
        yield compare(f"{servers.kind}, a {shape} table, {table.rows:,} rows", contestants, servers.options)


def full_sync(servers: Servers) -> Iterator[Comparison]:
    """A first sync into PostgreSQL and into DuckDB. Peers that replace the target do less: no key, no merge."""
    table, options = servers.table(), servers.options
    contestants = [limit(servers, [table]), wmtui("", servers, [table])]
    if options.peers:
        contestants += [
            dlt("merge", "peer", servers, table),
            ingestr("merge", "peer", servers, table),
        ]
    if options.peers and not options.quick:
        contestants += [dlt("replace", "other", servers, table), ingestr("replace", "other", servers, table)]
    yield compare(f"{servers.kind} → S3 → PostgreSQL, {table.rows:,} rows", contestants, options)
    embedded = [limit(servers, [table]), wmtui("", servers, [table], into="duckdb")]
    yield compare(f"{servers.kind} → S3 → DuckDB, {table.rows:,} rows", embedded, options)


def sizes(servers: Servers) -> Iterator[Comparison]:
    """The same table at other lengths: a tenth, and ten million rows where a long run was asked for."""
    options = servers.options
    for rows in (options.rows // 10, *([LONG_ROWS] if options.long else [])):
        if options.writes:
            table = servers.table(rows=rows)
            contestants = [
                limit(servers, [table]),
                wmtui(" to S3", servers, [table], into="s3"),
                wmtui(" to PostgreSQL", servers, [table]),
            ]
            yield compare(f"{servers.kind}, {table.rows:,} rows", contestants, options)


def workers(servers: Servers) -> Iterator[Comparison]:
    """Each strategy with one and several workers, into PostgreSQL: one table, then four of a quarter of its rows."""
    table, options = servers.table(), servers.options
    one = [limit(servers, [table]), wmtui(", sequential", servers, [table])]
    yield compare(
        f"{servers.kind}, one table by workers", [*one, *_by_workers(servers, "intra-table", [table])], options
    )
    if options.writes:
        tables = [servers.table(rows=options.rows // 4, copy=f"_{letter}") for letter in "abcd"]
        several = [limit(servers, tables), wmtui(", sequential", servers, tables)]
        contestants = [*several, *_by_workers(servers, "inter-table", tables)]
        yield compare(f"{servers.kind}, four tables by workers", contestants, options)


def _by_workers(servers: Servers, strategy: str, tables: list[Table]) -> list[Contestant]:
    return [
        wmtui(f", {strategy}, {count} workers", servers, tables, "--strategy", strategy, "--workers", str(count))
        for count in (WORKERS[1:2] if servers.options.quick else WORKERS)
    ]


def windows(servers: Servers) -> Iterator[Comparison]:
    """Syncs of what has changed since the last one, by the cursor, into a PostgreSQL that has the whole table."""
    if not servers.options.writes:
        return
    table = servers.table(copy="_changing")
    with servers.warehouse() as database, servers.lake(table, warehouse=database.config) as lake:
        sync(servers, lake, table.rows)
        changes = _Changes(servers, table)
        for share in WINDOWS:
            count = round(table.rows * share)

            def read(count: int = count) -> Sample:
                return limit(servers, [table], changes.make(count), count).measure()

            def ours(count: int = count) -> Sample:
                return sync(servers, lake, count, exactly=False)

            contestants = [
                Contestant("the client alone", "limit", count, read),
                Contestant("wmtui", "ours", count, ours),
            ]
            yield compare(
                f"{servers.kind} → S3 → PostgreSQL, {share:.0%} of {table.rows:,} rows", contestants, servers.options
            )


class _Changes:
    """Rows of a table that change, each time with a later cursor, hours before now."""

    def __init__(self, servers: Servers, table: Table) -> None:
        self._servers, self._table, self._hours = servers, table, 0

    def make(self, count: int) -> str:
        """Change so many rows; returns the condition that finds them."""
        self._hours += 1
        ((since,),) = self._servers.ask(f"SELECT NOW() - INTERVAL 6 DAY + INTERVAL {self._hours} HOUR")
        name = f"{self._servers.schema}.{self._table.name}"
        self._servers.write(
            f"UPDATE {name} SET version = version + 1, update_at = '{since}' + INTERVAL id % 1800 SECOND"
            f" WHERE id <= {count}"
        )
        return f"WHERE update_at >= '{since}'"

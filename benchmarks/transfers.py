"""Rows moved: from the source to S3, and on into a warehouse, against the client alone and against peers."""

from collections.abc import Iterator

from benchmarks.comparison import Comparison, compare
from benchmarks.contestants import dlt, ingestr, limit, rivet, wmtui
from benchmarks.machinery import Servers


def extraction(servers: Servers) -> Iterator[Comparison]:
    """A first load into S3."""
    table, options = servers.table(), servers.options
    contestants = [limit(servers, [table]), wmtui("", servers, [table], into="s3")]
    if options.peers:
        contestants.append(rivet(servers, table))
    yield compare(f"{servers.kind} → S3, {table.rows:,} rows", contestants, options)


def full_sync(servers: Servers) -> Iterator[Comparison]:
    """A first sync into PostgreSQL and into DuckDB. Peers that replace the target do less: no key, no merge."""
    table, options = servers.table(), servers.options
    contestants = [limit(servers, [table]), wmtui("", servers, [table])]
    if options.peers:
        contestants += [
            dlt("merge", "peer", servers, table),
            ingestr("merge", "peer", servers, table),
            dlt("replace", "other", servers, table),
            ingestr("replace", "other", servers, table),
        ]
    yield compare(f"{servers.kind} → S3 → PostgreSQL, {table.rows:,} rows", contestants, options)
    embedded = [limit(servers, [table]), wmtui("", servers, [table], into="duckdb")]
    yield compare(f"{servers.kind} → S3 → DuckDB, {table.rows:,} rows", embedded, options)

"""Every warehouse, each with data of the test's own."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import psycopg
import pytest

from tests.servers import Database
from tests.servers.redshift import RedshiftStandIn
from tests.servers.s3 import S3Server
from tests.warehouses.bench import Bench
from tests.warehouses.stand_in_client import Connection
from wmtui.config import DuckDBConfig, PostgresConfig, RedshiftConfig, S3Config, Secret
from wmtui.model import utc_now
from wmtui.objects.directory import DirectoryStore
from wmtui.objects.s3 import S3Store
from wmtui.warehouses import Warehouse, open_warehouse

NOWHERE = DirectoryStore("/nowhere", utc_now)
"""The store, for warehouses that do not read it."""
ROLE = "arn:aws:iam::123456789012:role/redshift-reads-lake"


def postgres_config(database: Database, /, **changes: Any) -> PostgresConfig:
    """The settings that reach a test's database."""
    words = {key: value for key, value in database.config.items() if key not in ("type", "password")}
    config = PostgresConfig(**words, password=Secret(database.config["password"]))
    return msgspec.structs.replace(config, **changes)


def duckdb_bench(path: Path) -> Bench:
    """A DuckDB file that need not exist yet."""

    def query(statement: str) -> list[tuple[Any, ...]]:
        with closing(duckdb.connect(path)) as connection:
            return connection.execute(statement).fetchall()

    def execute(statement: str) -> None:
        query(statement)

    config = DuckDBConfig(path=str(path))
    return Bench(
        "duckdb",
        open_warehouse(config, utc_now, NOWHERE),
        query,
        execute,
        lambda: open_warehouse(config, utc_now, NOWHERE),
    )


def postgres_bench(database: Database, /, **changes: Any) -> Bench:
    """A PostgreSQL database."""
    config = postgres_config(database, **changes)
    return Bench(
        "postgres",
        open_warehouse(config, utc_now, NOWHERE),
        database.query,
        database.execute,
        lambda: open_warehouse(config, utc_now, NOWHERE),
    )


class _Uploaded(dict[str, bytes]):
    """Files that are in a bucket too, because Redshift reads them there."""

    def __init__(self, s3: S3Server, bucket: str) -> None:
        super().__init__()
        self._s3, self._bucket = s3, bucket

    def __setitem__(self, key: str, data: bytes) -> None:
        super().__setitem__(key, data)
        self._s3.fill(self._bucket, [key], data)


def redshift_bench(stand_in: RedshiftStandIn, database: Database, s3: S3Server, **changes: Any) -> Bench:
    """The stand-in for Redshift."""
    bucket = s3.new_bucket()
    words = {key: value for key, value in stand_in.config.items() if key not in ("type", "password")}
    words |= {"password": Secret(stand_in.config["password"]), "iam_role": ROLE, **changes}
    config = RedshiftConfig(**words)

    def connect() -> Warehouse:
        return open_warehouse(config, utc_now, S3Store(f"s3://{bucket}", S3Config(endpoint_url=s3.endpoint_url)))

    return Bench(
        "redshift", connect(), database.query, database.execute, connect, _Uploaded(s3, bucket), f"s3://{bucket}"
    )


@pytest.fixture
def stand_in(pg_db: Database, s3: S3Server) -> Iterator[RedshiftStandIn]:
    """A stand-in for Redshift, before a database of the test's own."""
    with RedshiftStandIn(pg_db, s3).running() as made:
        yield made


@pytest.fixture
def connect(stand_in: RedshiftStandIn) -> Callable[[], Connection]:
    """A client of its own, autocommit."""
    words = {key: stand_in.config[key] for key in ("host", "port", "user", "password")}

    def connect() -> Connection:
        return psycopg.connect(
            **words,
            dbname=stand_in.config["database"],
            client_encoding="utf8",
            autocommit=True,
            prepare_threshold=None,
        )

    return connect


@pytest.fixture
def one(connect: Callable[[], Connection]) -> Iterator[Connection]:
    """A client."""
    with connect() as connection:
        yield connection


@pytest.fixture
def other(connect: Callable[[], Connection]) -> Iterator[Connection]:
    """Another one."""
    with connect() as connection:
        yield connection


@pytest.fixture
def rs_bench(stand_in: RedshiftStandIn, pg_db: Database, s3: S3Server) -> Bench:
    """Redshift alone."""
    return redshift_bench(stand_in, pg_db, s3)


@pytest.fixture
def pg_bench(pg_db: Database) -> Bench:
    """PostgreSQL alone."""
    return postgres_bench(pg_db)


@pytest.fixture(params=["postgres", "duckdb", "redshift"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    """Every warehouse in turn."""
    if request.param == "duckdb":
        return duckdb_bench(tmp_path / "main.duckdb")
    if request.param == "redshift":
        bench: Bench = request.getfixturevalue("rs_bench")
        return bench
    return postgres_bench(request.getfixturevalue("pg_db"))

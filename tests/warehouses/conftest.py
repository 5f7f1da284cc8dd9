"""Both warehouses, each with data of the test's own."""

from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pytest

from tests.servers import Database
from tests.warehouses.bench import Bench
from wmtui.config import DuckDBConfig, PostgresConfig, Secret
from wmtui.model import utc_now
from wmtui.warehouses import open_warehouse


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
    return Bench("duckdb", open_warehouse(config, utc_now), query, execute, lambda: open_warehouse(config, utc_now))


def postgres_bench(database: Database, /, **changes: Any) -> Bench:
    """A PostgreSQL database."""
    config = postgres_config(database, **changes)
    return Bench(
        "postgres",
        open_warehouse(config, utc_now),
        database.query,
        database.execute,
        lambda: open_warehouse(config, utc_now),
    )


@pytest.fixture
def pg_bench(pg_db: Database) -> Bench:
    """PostgreSQL alone."""
    return postgres_bench(pg_db)


@pytest.fixture(params=["postgres", "duckdb"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    """Every warehouse in turn."""
    if request.param == "duckdb":
        return duckdb_bench(tmp_path / "main.duckdb")
    return postgres_bench(request.getfixturevalue("pg_db"))

"""Several servers behind one address: everything of a run comes from one of them, and no other one is touched."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from tests.servers import Database
from tests.servers.balancer import Balancer
from tests.servers.s3 import S3Server
from tests.servers.sources import SourceServer
from tests.sources.conftest import EVERYTHING, mysql_config, table_config
from tests.sql import series
from tests.stack import Stack, ago, server_stack
from wmtui.errors import ExitCode
from wmtui.model import Strategy, TableName
from wmtui.pipeline.extract import part_writer, span_reader
from wmtui.sources.mysql.source import MySQLSource

ROWS, WIDTH = 20_000, 2000
COLUMNS = "id BIGINT PRIMARY KEY AUTO_INCREMENT, amount DECIMAL(10,2), note VARCHAR(2000), update_at DATETIME NOT NULL"


@pytest.fixture(scope="module")
def wide(servers_with: Callable[..., SourceServer]) -> Callable[[str], tuple[Database, Database]]:
    """Two servers of a kind with one database each, of the same name, that hold the same table `wide` of 40 MB."""
    made: dict[str, tuple[Database, Database]] = {}

    def two(kind: str) -> tuple[Database, Database]:
        if kind not in made:
            servers = [servers_with(kind, f"--server-id={number}") for number in (21, 22)]
            made[kind] = tuple(Database(server, "balanced", "mysql") for server in servers)
            for server in servers:
                server.execute(
                    "CREATE DATABASE balanced",
                    f"CREATE TABLE balanced.wide ({COLUMNS})",
                    f"INSERT INTO balanced.wide SELECT seq, 1, REPEAT('x', {WIDTH}), '2025-01-01' FROM {series(ROWS)}",
                    f"CREATE TABLE balanced.orders ({COLUMNS})",
                )
        return made[kind]

    return two


@pytest.fixture
def servers(wide: Callable[[str], tuple[Database, Database]], source_kind: str) -> tuple[Database, Database]:
    """The same two, with an empty table `orders`."""
    two = wide(source_kind)
    for database in two:
        database.execute("TRUNCATE orders")
    return two


@pytest.fixture
def balancer(servers: tuple[Database, Database]) -> Iterator[Balancer]:
    with Balancer(*(database.server for database in servers)) as running:
        yield running


def source_behind(balancer: Balancer, database: Database) -> MySQLSource:
    return MySQLSource(replace(mysql_config(database), port=balancer.port), ZoneInfo("UTC"))


def begin_reading(source: MySQLSource) -> tuple[Any, Iterator[Any]]:
    """A connection in the middle of the wide table."""
    connection = source.connect()
    table = connection.describe(TableName("balanced", "wide"), table_config("update_at", ["id"]))
    batches = connection.read(table, EVERYTHING, 100)
    next(batches)
    return connection, batches


def sessions(database: Database) -> set[int]:
    """Sessions in the database, but for the one that asks."""
    asked = "SELECT id FROM information_schema.processlist WHERE db = 'balanced' AND id <> CONNECTION_ID()"
    return {row[0] for row in database.query(asked)}


@pytest.mark.parametrize("second", ["same", "other"])
def test_closing_a_read_early_is_quick_and_ends_no_session_of_another_server(
    servers: tuple[Database, Database], balancer: Balancer, second: str
) -> None:
    first, other = servers
    strangers = [other.connect() for _ in range(40)]
    before = sessions(other)
    balancer.turn(first.server, first.server if second == "same" else other.server)
    connection, batches = begin_reading(source_behind(balancer, first))
    began = time.monotonic()
    batches.close()
    connection.__exit__()
    assert time.monotonic() - began < 2
    assert balancer.passed[0] < ROWS * WIDTH / 3
    assert before <= sessions(other)
    for stranger in strangers:
        stranger.close()


def test_many_reads_that_end_at_once_drain_nothing_although_each_opened_beside_others(
    servers: tuple[Database, Database], balancer: Balancer
) -> None:
    first, other = servers
    count = 8
    source = source_behind(balancer, first)
    balancer.turn(*[first.server] * count, then=[other.server])
    with ThreadPoolExecutor(count) as pool:
        opened = list(pool.map(lambda _: begin_reading(source), range(count)))
        began = time.monotonic()
        list(pool.map(lambda one: (one[1].close(), one[0].__exit__()), opened))
    assert time.monotonic() - began < 4
    assert max(balancer.passed) < ROWS * WIDTH / 3


def test_a_run_reads_clock_and_rows_from_one_server(
    servers: tuple[Database, Database], balancer: Balancer, tmp_path: Path, pg_db: Database, s3: S3Server
) -> None:
    """The one that answers first has an open transaction; the other, which a second connection would reach, has none
    and shows rows that are newer.
    """
    first, other = servers
    stack = balanced(tmp_path, first, balancer, pg_db, s3)
    first.execute(f"INSERT INTO orders VALUES (1, 1, 'both', '{ago(minutes=5)}')")
    other.execute(f"INSERT INTO orders VALUES (1, 1, 'both', '{ago(minutes=5)}'), (3, 1, 'newer', '{ago(seconds=30)}')")
    with closing(first.connect()) as writer:
        writer.autocommit = False
        writer.cursor().execute(f"INSERT INTO orders VALUES (2, 1, 'late', '{ago(minutes=1)}')")
        balancer.turn(first.server, then=[other.server, first.server])
        stack.sync_one()
        assert [row[0] for row in stack.warehouse_rows()] == [1]
        assert len(balancer.passed) == 1


@pytest.fixture
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(span_reader, "BATCH_ROWS", 10)
    monkeypatch.setattr(part_writer, "PART_BYTES", 1)


def balanced(folder: Path, database: Database, balancer: Balancer, pg: Database, s3: S3Server) -> Stack:
    """A pipeline whose source is the balancer."""
    stack = server_stack(folder, database, pg, s3)
    stack.document["profiles"]["test"]["source"]["port"] = balancer.port
    stack.reload(orders={"lag": "0s"})
    return stack


def seed(*databases: Database, count: int = 100) -> None:
    rows = ", ".join(f"({i}, 1, 'seed', '{ago(hours=2, minutes=-i)}')" for i in range(1, count + 1))
    for database in databases:
        database.execute(f"INSERT INTO orders VALUES {rows}")


@pytest.mark.usefixtures("_small_parts")
def test_key_ranges_are_not_read_from_a_server_that_is_behind_and_nothing_is_lost_afterwards(
    servers: tuple[Database, Database], balancer: Balancer, tmp_path: Path, pg_db: Database, s3: S3Server
) -> None:
    """The other server's open transaction stands for what it has not applied yet."""
    first, other = servers
    stack = balanced(tmp_path, first, balancer, pg_db, s3)
    seed(*servers)
    with closing(other.connect()) as applier:
        applier.autocommit = False
        applier.cursor().execute("UPDATE orders SET note = 'changed', update_at = NOW() WHERE id = 50")
        time.sleep(3)
        first.execute("UPDATE orders SET note = 'changed', update_at = NOW() - INTERVAL 1 SECOND WHERE id = 50")
        balancer.turn(first.server, then=[other.server])
        (result,) = stack.sync(strategy=Strategy.INTRA_TABLE, workers=3)
        assert result.exit_code is ExitCode.UNREACHABLE
        assert "may lack rows" in str(result.error)
        assert "open transaction" in str(result.error)
        applier.commit()
    balancer.turn(first.server, then=[other.server, first.server])
    time.sleep(0.5)
    stack.sync_one(strategy=Strategy.INTRA_TABLE, workers=3)
    balancer.turn(first.server)
    stack.sync_one()
    assert stack.warehouse_rows() == first.query("SELECT id, amount, note, update_at FROM orders ORDER BY id")


@pytest.mark.usefixtures("_small_parts")
def test_a_resume_on_a_server_that_is_behind_is_refused_and_goes_on_when_it_is_not(
    servers: tuple[Database, Database], balancer: Balancer, tmp_path: Path, pg_db: Database, s3: S3Server
) -> None:
    first, other = servers
    stack = balanced(tmp_path, first, balancer, pg_db, s3)
    seed(*servers)
    with closing(other.connect()) as applier:
        applier.autocommit = False
        applier.cursor().execute("UPDATE orders SET note = 'changed', update_at = NOW() WHERE id = 90")
        time.sleep(3)
        first.execute("UPDATE orders SET note = 'changed', update_at = NOW() - INTERVAL 1 SECOND WHERE id = 90")
        balancer.turn(first.server)
        stack.sync(stop_after=3)
        balancer.turn(other.server)
        (result,) = stack.sync()
        assert "may lack rows" in str(result.error)
        applier.commit()
    time.sleep(0.5)
    result = stack.sync_one()
    assert "resuming run" in stack.log()
    assert stack.warehouse_rows() == other.query("SELECT id, amount, note, update_at FROM orders ORDER BY id")

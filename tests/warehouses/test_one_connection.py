"""Operations of one sync share a connection to the warehouse, and one that the server ended is opened again."""

from collections.abc import Iterator
from contextlib import suppress

import psycopg
import pytest

from tests.servers import Database
from tests.warehouses.bench import FEED, TARGET, Bench, at, rows
from tests.warehouses.conftest import postgres_bench
from wmtui.errors import TableError
from wmtui.warehouses import Warehouse


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Process ids of the server for every connection that was opened, in order."""
    made: list[int] = []
    connect = psycopg.connect

    def noted(*args: object, **options: object) -> object:
        connection = connect(*args, **options)  # type: ignore[call-overload]
        if options.get("application_name") == "wmtui":
            made.append(connection.info.backend_pid)
        return connection

    monkeypatch.setattr(psycopg, "connect", noted)
    return made


@pytest.fixture
def bench(pg_db: Database) -> Bench:
    return postgres_bench(pg_db)


@pytest.fixture
def shared(bench: Bench, opened: list[int]) -> Iterator[Warehouse]:
    """A warehouse on one connection, after a load. opened: none yet."""
    bench.load(rows((1, at(1), "a")))
    opened.clear()
    with bench.warehouse.on_one_connection() as warehouse:
        yield warehouse


def _load(bench: Bench, warehouse: Warehouse, number: int, token: int = 2, **changes: int) -> None:
    request = bench.request(bench.file(rows((number, at(2), "b")), **changes), token=token)
    warehouse.load(request, bench.open_part, lambda _file, _rows: None)


def test_operations_share_one_connection_that_ends_with_the_block(bench: Bench, opened: list[int]) -> None:
    with bench.warehouse.on_one_connection() as warehouse:
        assert opened == []
        warehouse.describe(TARGET)
        warehouse.loads(FEED)
        _load(bench, warehouse, 1)
        _load(bench, warehouse, 2)
        warehouse.loads(FEED)
        assert len(opened) == 1
    assert not bench.query(f"SELECT 1 FROM pg_stat_activity WHERE pid = {opened[0]} AND state IS NOT NULL")
    assert [row[0] for row in bench.target()] == [1, 2]


def test_a_connection_that_the_server_ended_is_opened_again(bench: Bench, shared: Warehouse, opened: list[int]) -> None:
    shared.describe(TARGET)
    bench.execute(f"SELECT pg_terminate_backend({opened[0]}, 10000)")
    _load(bench, shared, 2)
    assert len(opened) == 2
    assert [row[0] for row in bench.target()] == [1, 2]


def test_a_load_that_fails_leaves_neither_its_connection_nor_its_staging(
    bench: Bench, shared: Warehouse, opened: list[int]
) -> None:
    with suppress(TableError):
        _load(bench, shared, 2, promised=7)
    _load(bench, shared, 3)
    assert len(opened) == 2
    assert [row[0] for row in bench.target()] == [1, 3]

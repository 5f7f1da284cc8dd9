"""How often a sync asks the store, the source and the warehouse: what every minute of an idle table costs."""

from collections import Counter
from pathlib import Path

import pytest

from tests.servers import Database
from tests.servers.counting import Asked, counting
from tests.servers.s3 import S3Server
from tests.stack import Stack, server_stack
from wmtui.watermarks import store

IDLE = {"GET": 3, "LIST": 1, "PUT": 2}
"""Lock document, watermark, last run; the table's folder; the lease and its release."""

CHANGED = {"GET": 4, "LIST": 3, "PUT": 13}
"""Beside those of an idle table the day's load records, listed and read; newer changes; the run twice, its part, and
the watermark and journal at its begin, its end and after the load; the lease once more, and the load record.
"""

ONCE_A_PROCESS = Counter(LIST=1)
"""The folder of the flat layout, which all tables share."""


@pytest.fixture
def stack(tmp_path: Path, source_db: Database, pg_db: Database, s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> Stack:
    """A pipeline of two tables after two syncs, whose documents count as written long ago."""
    monkeypatch.setattr(store, "_DISTINCT_TIMES", store.timedelta(0))
    made = server_stack(tmp_path, source_db, pg_db, s3)
    for name in ("orders", "lines"):
        made.create(name)
        made.insert((1, 1, "a", made.ago(hours=2)), name=name)
    made.reload(orders={}, lines={})
    for _ in range(2):
        made.sync("orders", "lines")
    return made


def asked(stack: Stack, s3: S3Server, source_db: Database, *names: str) -> Asked:
    """What the first sync of a process asks for."""
    stack.reload()
    with counting(s3, source_db.server) as counted:
        for result in stack.sync(*names):
            assert result.error is None
    return counted


def requests(counted: Asked, table: str) -> Counter[str]:
    """Those for one table; a listing tells no key and counts for every table."""
    return Counter(
        "LIST" if method == "GET" and not key else method for method, key in counted.requests if not key or table in key
    )


def test_a_table_without_news_costs_six_requests_and_nothing_is_asked_of_the_warehouse(
    stack: Stack, s3: S3Server, source_db: Database
) -> None:
    counted = asked(stack, s3, source_db, "orders")
    assert requests(counted, "orders") == Counter(IDLE) + ONCE_A_PROCESS
    assert (counted.warehouse_connections, counted.warehouse) == (0, [])
    assert counted.source_connections == 1
    assert len(counted.statements) <= 6


@pytest.mark.parametrize("index", [False, True])
def test_a_table_without_news_costs_six_statements_of_the_source(
    stack: Stack, s3: S3Server, source_db: Database, index: bool
) -> None:
    if index:
        source_db.execute(f"CREATE INDEX by_cursor ON {stack.schema}.orders (update_at)")
        stack.sync("orders")
    counted = asked(stack, s3, source_db, "orders")
    assert 5 <= len(counted.statements) <= 6, counted.statements


def test_each_further_table_without_news_costs_six_requests_more(
    stack: Stack, s3: S3Server, source_db: Database
) -> None:
    counted = asked(stack, s3, source_db, "orders", "lines")
    others = sum(1 for _, key in counted.requests if key and "orders" not in key and "lines" not in key)
    assert len(counted.requests) - others == 2 * sum(IDLE.values()) + sum(ONCE_A_PROCESS.values())
    assert counted.warehouse_connections == 0


def test_a_table_with_news_costs_twenty_requests_and_one_connection_to_each_server(
    stack: Stack, s3: S3Server, source_db: Database
) -> None:
    stack.insert((2, 1, "b", stack.ago(minutes=2)))
    counted = asked(stack, s3, source_db, "orders")
    assert requests(counted, "orders") == Counter(CHANGED) + ONCE_A_PROCESS
    assert (counted.warehouse_connections, counted.source_connections) == (1, 1)
    assert stack.warehouse_rows() == stack.source_rows()


def test_a_process_proves_conditional_writes_unless_another_did_within_a_day(
    stack: Stack, s3: S3Server, source_db: Database
) -> None:
    def proves() -> bool:
        return any("/probe/" in key for _, key in asked(stack, s3, source_db, "orders").requests)

    assert not proves()
    stack.let_pass(hours=25)
    assert [proves(), proves()] == [True, False]
    stack.reload()
    with counting(s3, source_db.server) as counted:
        stack.service.health.doctor([])
    assert any("/probe/" in key for _, key in counted.requests)

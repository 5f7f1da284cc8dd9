"""Rows that are committed later than they are stamped: no window may close over them."""

import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.servers import Database
from tests.servers.s3 import S3Server
from tests.stack import Stack, ago, server_stack


@pytest.fixture
def stack(tmp_path: Path, source_db: Database, pg_db: Database, s3: S3Server) -> Stack:
    """Source server, S3 and PostgreSQL; nothing but the transaction guard protects against late commits."""
    made = server_stack(tmp_path, source_db, pg_db, s3)
    made.create()
    made.reload(orders={"lag": "0s", "lookback": "0s"})
    return made


def test_the_window_stays_below_the_oldest_open_writing_transaction(stack: Stack, source_db: Database) -> None:
    stack.insert((2, 1, "long committed", ago(hours=1)))
    with closing(source_db.connect()) as writer:
        writer.autocommit = False
        writer.cursor().execute("INSERT INTO orders VALUES (1, 1, 'committed late', NOW() - INTERVAL 1 SECOND)")
        stack.source(f"INSERT INTO {stack.schema}.orders VALUES (3, 1, 'at once', NOW() - INTERVAL 1 SECOND)")
        stack.sync_one()
        assert [row[0] for row in stack.warehouse_rows()] == [2]
        writer.commit()
    time.sleep(0.4)  # What is known of open transactions may be 0.2 s old here, and 0.1 s in InnoDB.
    stack.sync_one()
    assert [row[0] for row in stack.warehouse_rows()] == [1, 2, 3]


def test_a_transaction_that_only_reads_holds_nothing_back(stack: Stack, source_db: Database) -> None:
    stack.insert((1, 1, None, ago(seconds=2)))
    with closing(source_db.connect()) as reader:
        reader.autocommit = False
        cursor = reader.cursor()
        cursor.execute("SELECT * FROM orders")
        cursor.fetchall()
        stack.sync_one()
    assert [row[0] for row in stack.warehouse_rows()] == [1]

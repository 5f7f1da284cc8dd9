"""A table whose rows change by its definition alone: no stamp moves, and the next run tells what happened."""

import time
from pathlib import Path

import pytest

from tests.servers import Database
from tests.servers.s3 import S3Server
from tests.stack import Stack, ago, server_stack


@pytest.fixture
def stack(tmp_path: Path, source_db: Database, pg_db: Database, s3: S3Server) -> Stack:
    """Source server, S3 and PostgreSQL; a table in two partitions with two amounts and a sum, synced once."""
    made = server_stack(tmp_path, source_db, pg_db, s3)
    made.source(
        f"CREATE TABLE {made.schema}.orders (id BIGINT PRIMARY KEY, net INT, gross INT,"
        " total INT GENERATED ALWAYS AS (net + gross) STORED,"
        " update_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP, KEY (update_at))"
        " PARTITION BY RANGE (id) (PARTITION low VALUES LESS THAN (100), PARTITION high VALUES LESS THAN MAXVALUE)"
    )
    insert(made, *range(1, 21))
    made.sync_one()
    time.sleep(1.1)  # Servers note whole seconds.
    return made


def insert(stack: Stack, *ids: int) -> None:
    rows = ", ".join(f"({i}, {i}, {2 * i}, '{ago(minutes=200 - i)}')" for i in ids)
    stack.source(f"INSERT INTO {stack.schema}.orders (id, net, gross, update_at) VALUES {rows}")


def reported(stack: Stack) -> str:
    """What the next run with a new row says."""
    insert(stack, 101)
    stack.sync_one()
    return stack.log()


def alter(stack: Stack, what: str) -> None:
    stack.source(f"ALTER TABLE {stack.schema}.orders {what}")


def test_columns_renamed_to_each_others_names_are_reported(stack: Stack) -> None:
    alter(stack, "DROP COLUMN total")
    stack.sync_one()
    insert(stack, 50)
    stack.sync_one()
    alter(stack, "RENAME COLUMN net TO gross, RENAME COLUMN gross TO net")

    assert "columns gross, net stand in each other's places" in reported(stack)


def test_another_expression_of_a_generated_column_is_reported(stack: Stack) -> None:
    alter(stack, "DROP COLUMN total, ADD COLUMN total INT GENERATED ALWAYS AS (net - gross) STORED AFTER gross")

    log = reported(stack)
    assert "column total is" in log
    assert "it was" in log


def test_a_stamp_that_updates_no_longer_move_is_reported(stack: Stack) -> None:
    alter(stack, "MODIFY update_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP")

    assert "column update_at is" in reported(stack)


def test_a_partition_exchanged_for_another_table_is_reported(stack: Stack) -> None:
    stack.source(f"CREATE TABLE {stack.schema}.other LIKE {stack.schema}.orders")
    stack.source(f"ALTER TABLE {stack.schema}.other REMOVE PARTITIONING")
    stack.source(f"INSERT INTO {stack.schema}.other (id, net, gross, update_at) VALUES (1, 7, 7, '{ago(days=1)}')")
    alter(stack, f"EXCHANGE PARTITION low WITH TABLE {stack.schema}.other")

    assert "other rows stand in partition low than at the last run" in reported(stack)
    insert(stack, 102)
    stack.sync_one()
    assert "partition" not in stack.log()


def test_partitions_that_come_and_go_are_not_reported(stack: Stack) -> None:
    alter(stack, "DROP PARTITION low")

    assert "partition" not in reported(stack)

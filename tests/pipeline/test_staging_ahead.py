"""Parts are staged in PostgreSQL while the next ones are read: whatever happens there, the extraction goes on, and the
target gets every row once.
"""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
import pytest

from tests.pipeline.faults import crash_when_saving
from tests.servers import Database
from tests.servers.s3 import S3Server
from tests.stack import Stack, server_stack
from wmtui.errors import WarehouseError
from wmtui.events import Status
from wmtui.model import Strategy
from wmtui.pipeline.extract.run_writer import RunWriter
from wmtui.pipeline.load import load_table
from wmtui.warehouses.postgres.warehouse import PostgresWarehouse

pytestmark = pytest.mark.usefixtures("small_parts")


@pytest.fixture
def stack(tmp_path: Any, source_db: Database, pg_db: Database, s3: S3Server) -> Stack:
    """The source server → S3 over HTTP → PostgreSQL, with an empty table."""
    made = server_stack(tmp_path, source_db, pg_db, s3)
    made.create()
    return made


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Keys of the files that loads have read from the store."""
    keys: list[str] = []
    open_part = load_table.open_part

    def noted(objects: Any, table: Any, file: Any) -> Any:
        keys.append(file.key)
        return open_part(objects, table, file)

    monkeypatch.setattr(load_table, "open_part", noted)
    return keys


def staged_by(patch: pytest.MonkeyPatch, instead: Callable[..., None]) -> None:
    """Replace the staging; `instead` gets the operation, then its arguments."""
    stage = PostgresWarehouse.stage_ahead
    patch.setattr(PostgresWarehouse, "stage_ahead", lambda *arguments: instead(stage, *arguments))


def seed(stack: Stack, first: int, count: int, note: str = "seed") -> None:
    stack.insert(*((i, 1, note, stack.ago(hours=5, minutes=-i)) for i in range(first, first + count)))


def leftovers(stack: Stack) -> list[Any]:
    return stack.warehouse("SELECT relname FROM pg_class WHERE relname ~ '^wmtui_(staging|building)' AND relkind = 'r'")


def test_the_load_does_not_read_what_was_staged_while_it_was_written(stack: Stack, opened: list[str]) -> None:
    for first in (1, 101):
        seed(stack, first, 20)
        assert stack.sync_one().rows_loaded == 20
        stack.let_pass(hours=1)
    assert stack.warehouse_rows() == stack.source_rows()
    assert opened == []
    assert leftovers(stack) == []


def test_a_slow_warehouse_does_not_hold_up_the_extraction(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, opened: list[str]
) -> None:
    committed, commit = threading.Event(), RunWriter.commit

    def noted(writer: RunWriter, *arguments: Any) -> Any:
        run = commit(writer, *arguments)
        committed.set()
        return run

    def slow(stage: Callable[..., None], *arguments: Any) -> None:
        assert committed.wait(60)
        stage(*arguments)

    monkeypatch.setattr(RunWriter, "commit", noted)
    staged_by(monkeypatch, slow)
    seed(stack, 1, 60)
    assert stack.sync_one().rows_loaded == 60
    assert stack.warehouse_rows() == stack.source_rows()
    assert len(opened) == 4  # Of six parts two were held.


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("strategy", [Strategy.SEQUENTIAL, Strategy.INTRA_TABLE])
def test_every_row_of_many_parts_arrives(stack: Stack, strategy: Strategy, known: bool) -> None:
    if known:
        seed(stack, 1, 5)
        stack.sync_one()
        stack.let_pass(hours=1)
    seed(stack, 101, 95)
    assert stack.sync_one(strategy=strategy, workers=3).rows_loaded == 95
    assert stack.warehouse_rows() == stack.source_rows()
    assert leftovers(stack) == []


def test_a_connection_lost_while_parts_are_staged_costs_no_row(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = 0

    def break_connection(stage: Callable[..., None], warehouse: Any, *arguments: Any) -> None:
        nonlocal calls
        calls += 1
        stage(warehouse, *arguments)
        if calls == 1:
            stack.warehouse(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
                " WHERE application_name = 'wmtui' AND datname = current_database()"
            )

    staged_by(monkeypatch, break_connection)
    seed(stack, 1, 20)
    result = stack.sync_one()
    assert (result.rows_extracted, result.rows_loaded) == (20, 20)
    assert calls == 2
    assert "what was staged is gone" in stack.log()
    assert stack.warehouse_rows() == stack.source_rows()
    assert leftovers(stack) == []


def test_a_warehouse_that_is_gone_fails_the_load_and_not_the_extraction(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: Any) -> None:
        raise WarehouseError("lost the warehouse")

    seed(stack, 1, 20)
    with monkeypatch.context() as patch:
        staged_by(patch, gone)
        patch.setattr(PostgresWarehouse, "load", gone)
        (result,) = stack.sync()
    assert result.error is not None
    assert (result.status, result.rows_extracted) == (Status.FAILED, 20)
    assert "lost the warehouse; extracting goes on" in stack.log()
    assert stack.sync_one().rows_loaded == 20
    assert stack.warehouse_rows() == stack.source_rows()


def test_what_a_run_staged_that_was_killed_is_gone_and_its_parts_are_loaded_when_it_is_resumed(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed(stack, 1, 60)
    with monkeypatch.context() as patch:
        crash_when_saving(patch, 4)
        patch.setattr(PostgresWarehouse, "_end", lambda _self: None)  # As if the process were dead.
        (result,) = stack.sync()
    assert result.error is not None
    assert stack.warehouse("SELECT to_regclass('orders')") == [(None,)]
    assert leftovers(stack) != []
    assert stack.sync_one().rows_loaded == 60
    assert stack.warehouse_rows() == stack.source_rows()
    assert leftovers(stack) == []


def test_a_stopped_sync_leaves_nothing_of_what_it_staged(stack: Stack) -> None:
    seed(stack, 1, 60)
    stack.service.watermarks.set(stack.table(), "2020-01-01")
    (result,) = stack.sync(stop_after=3)
    assert result.status is Status.INTERRUPTED
    assert leftovers(stack) == []
    stack.sync_one()
    stack.let_pass(hours=1)
    stack.sync_one()
    assert stack.warehouse_rows() == stack.source_rows()


def test_a_key_that_a_run_has_twice_gives_its_newest_row(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    def changed_while_read(read: Any, *arguments: Any) -> Iterator[pa.RecordBatch]:
        for batch in read(*arguments):
            yield batch
        notes = pa.array(["changed"] * batch.num_rows, batch.schema.field("note").type)
        yield batch.set_column(batch.schema.get_field_index("note"), "note", notes)

    stack.patch_source(monkeypatch, "read", changed_while_read)
    seed(stack, 1, 20)
    assert stack.sync_one().rows_loaded == 30
    assert [(row[0], row[2]) for row in stack.warehouse_rows()] == [
        (number, "seed" if number <= 10 else "changed") for number in range(1, 21)
    ]
    assert leftovers(stack) == []


@pytest.mark.parametrize("option", ["backup_only", "redshift_only"])
def test_half_a_sync_stages_nothing_ahead(stack: Stack, monkeypatch: pytest.MonkeyPatch, option: str) -> None:
    seed(stack, 1, 20)
    if option == "redshift_only":
        stack.sync_one(backup_only=True)

    def refuse(*_: Any) -> None:
        raise AssertionError("staged ahead")

    staged_by(monkeypatch, refuse)
    result = stack.sync_one(**{option: True})
    assert (result.rows_extracted, result.rows_loaded) == ((20, 0) if option == "backup_only" else (0, 20))
    assert "staged ahead" not in stack.log()


def test_tables_at_once_stage_each_its_own(stack: Stack) -> None:
    for name in ("a", "b", "c"):
        stack.create(name)
        stack.reload(**{name: {}})
        stack.insert(*((i, 1, name, stack.ago(hours=5, minutes=-i)) for i in range(30)), name=name)
    results = stack.sync("a", "b", "c", strategy=Strategy.INTER_TABLE, workers=3)
    assert [result.rows_loaded for result in results] == [30, 30, 30]
    for name in ("a", "b", "c"):
        assert stack.warehouse_rows(name) == stack.source_rows(name)

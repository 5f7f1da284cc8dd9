"""A sync that asks neither warehouse nor journal, as nothing can be different; and everything that makes it ask."""

import json
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from msgspec.structs import replace

from tests.stack import Stack, embedded_stack
from wmtui.events import Status
from wmtui.model import TableName
from wmtui.pipeline.extract import warehouse_check
from wmtui.pipeline.load import table_ledger
from wmtui.pipeline.load.table_ledger import TableLedger
from wmtui.runs.load_records import LoadRecords
from wmtui.watermarks.journal import Journal
from wmtui.watermarks.lease import Lease
from wmtui.watermarks.store import StoredWatermark

UNASKED = "no files to load: they are those of the last sync"


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    """A table that was synced, and looked at again without news."""
    made = embedded_stack(tmp_path)
    made.create()
    made.insert((1, 1, "a", made.ago(hours=2)))
    made.sync_one()
    made.let_pass(minutes=1)
    made.sync_one()
    assert UNASKED in made.log()
    made.let_pass(minutes=1)
    return made


def test_news_are_extracted_and_loaded(stack: Stack) -> None:
    stack.insert((2, 2, "b", stack.ago(seconds=30)))
    stack.let_pass(minutes=5)
    stack.sync_one()
    assert UNASKED not in stack.log()
    assert stack.warehouse_rows() == stack.source_rows()


def test_a_foreign_file_in_a_folder_of_the_window_is_found(stack: Stack) -> None:
    (part,) = stack.keys()
    objects = stack.service.workspace.objects
    objects.put(part.rpartition("/")[0] + "/foreign.parquet", objects.get(part).data)
    stack.sync_one()
    assert UNASKED not in stack.log()


def test_a_file_in_no_day_folder_is_found_when_all_days_are_listed(stack: Stack) -> None:
    (part,) = stack.keys()
    objects = stack.service.workspace.objects
    objects.put(f"incremental/{stack.table()}/loose.parquet", objects.get(part).data)
    stack.sync_one()
    assert UNASKED in stack.log()
    stack.let_pass(hours=9)
    stack.sync_one()
    assert UNASKED not in stack.log()


def test_a_warehouse_that_lost_its_rows_is_noticed_when_all_days_are_listed(stack: Stack) -> None:
    stack.warehouse("DELETE FROM orders")
    assert stack.sync_one().status is Status.SUCCESS
    stack.let_pass(hours=9)
    (result,) = stack.sync()
    assert result.error is not None
    assert "orders" in result.error.what


def test_a_warehouse_that_lost_its_rows_is_noticed_before_news_are_read(stack: Stack) -> None:
    stack.warehouse("DELETE FROM orders")
    stack.insert((2, 2, "b", stack.ago(seconds=30)))
    stack.let_pass(minutes=5)
    (result,) = stack.sync()
    assert result.error is not None
    assert stack.warehouse_rows() == []


def test_another_warehouse_in_the_settings_is_asked_at_once_and_gets_every_row(stack: Stack, tmp_path: Path) -> None:
    stack.document["profiles"]["test"]["warehouse"]["path"] = str(tmp_path / "new.duckdb")
    stack.reload()
    assert stack.sync_one().rows_loaded == 1
    with duckdb.connect(str(tmp_path / "new.duckdb")) as connection:
        assert connection.sql("SELECT id FROM orders").fetchall() == [(1,)]


def test_a_document_put_back_to_what_it_was_is_adopted_although_its_content_is_known(stack: Stack) -> None:
    objects, key = stack.service.workspace.objects, f"watermark/tables/{stack.table()}.json"
    before = objects.get(key).data
    stack.service.watermarks.reset(stack.table())
    stack.let_pass(minutes=1)
    objects.put(key, before)
    stack.let_pass(minutes=1)
    stack.sync_one()
    newest = Journal(objects, stack.table()).newest()[1]
    assert newest is not None
    assert (newest["action"], stack.mark()["metadata"]["serial"]) == ("external", newest["serial"])


def test_a_run_that_had_the_table_between_two_looks_is_seen(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    store = stack.service.workspace.watermarks
    read = store.read

    def read_then_another_runs(table: TableName) -> StoredWatermark:
        monkeypatch.undo()
        found = read(table)
        stack.insert((2, 2, "b", stack.ago(seconds=30)))
        stack.clock.advance(timedelta(minutes=5))
        assert embedded_again(stack).sync_one().rows_loaded == 1
        return found

    monkeypatch.setattr(store, "read", read_then_another_runs)
    stack.sync_one()
    assert stack.warehouse_rows() == stack.source_rows()
    assert [row[0] for row in stack.warehouse_rows()] == [1, 2]


def test_a_warehouse_that_saw_higher_tokens_gets_one_that_is_higher_still(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warehouse_check, "read_ledger", with_token(1_000))
    stack.insert((2, 2, "b", stack.ago(seconds=30)))
    stack.let_pass(minutes=5)
    assert stack.sync_one().rows_loaded == 1
    lock = stack.service.workspace.objects.get(f"watermark/locks/{stack.table()}.json")
    assert (json.loads(lock.data)["token"], stack.mark()["fence"]) == (1_001, 1_001)
    assert stack.keys()[-1].rpartition("_")[0].endswith("_1001")
    assert stack.sync_one().rows_extracted == 0


@pytest.mark.parametrize("looks", [0, 3])
def test_a_store_put_back_is_found_out_however_often_it_was_looked_at_since(tmp_path: Path, looks: int) -> None:
    stack = keyless_stack(tmp_path)
    shutil.copytree(tmp_path / "lake", tmp_path / "backup")
    kept = stack.source_rows()
    stack.insert((2, 2, "b", stack.ago(hours=2)))
    stack.sync_one()
    shutil.rmtree(tmp_path / "lake")
    shutil.move(tmp_path / "backup", tmp_path / "lake")
    stack.source(f"DELETE FROM {stack.schema}.orders WHERE id = 2")
    stack.reload()
    assert stack.source_rows() == kept
    for _ in range(looks):
        stack.sync_one()
        assert UNASKED in stack.log()
    stack.insert((3, 3, "c", stack.ago(hours=1)))
    for _ in range(2):
        (result,) = stack.sync()
        assert result.error is not None
        assert "that this store does not know" in str(result.error)
    assert [row[0] for row in stack.warehouse_rows()] == [1, 2]


def test_a_process_that_dies_after_it_loaded_a_foreign_file_leaves_no_doubt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = keyless_stack(tmp_path)
    (part,) = stack.keys()
    objects = stack.service.workspace.objects
    objects.put(part.rpartition("/")[0] + "/foreign.parquet", objects.get(part).data)
    with monkeypatch.context() as patch:
        patch.setattr(LoadRecords, "add", dies)
        patch.setattr(Lease, "release", lambda *_, **__: None)
        stack.sync()
    assert len(stack.warehouse_rows()) == 2
    stack.let_pass(minutes=5)
    stack.sync_one()
    assert len(stack.warehouse_rows()) == 2


def dies(*_: object) -> None:
    raise RuntimeError("killed")


def keyless_stack(folder: Path) -> Stack:
    """A table without primary key whose first row was loaded."""
    stack = embedded_stack(folder)
    stack.create(key="")
    stack.reload(orders={"primary_key": []})
    stack.insert((1, 1, "a", stack.ago(hours=3)))
    for _ in range(2):
        stack.sync_one()
        stack.let_pass(minutes=1)
    return stack


def with_token(token: int) -> Callable[..., TableLedger]:
    """What the ledger says, with this token of the fence."""

    def read(*arguments: Any) -> TableLedger:
        found = table_ledger.read_ledger(*arguments)
        assert found.mine.fence is not None
        return replace(found, mine=replace(found.mine, fence=replace(found.mine.fence, token=token)))

    return read


def embedded_again(stack: Stack) -> Stack:
    """The same pipeline in another process."""
    return Stack(
        stack.path,
        stack.document,
        source=stack.source,
        warehouse=stack.warehouse,
        schema=stack.schema,
        clock=stack.clock,
    )

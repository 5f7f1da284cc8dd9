"""Doubts that must outlast a sync without news, a failed sync, and an edit at the same moment."""

import shutil
from pathlib import Path

import pytest

from tests.pipeline.test_unchanged import dies, embedded_again, keyless_stack
from tests.pipeline.test_whose_rows import two_profiles, use
from tests.stack import Stack, embedded_stack
from wmtui.pipeline import sync as sync_module
from wmtui.runs.load_records import LoadRecords
from wmtui.watermarks.journal import Journal
from wmtui.watermarks.lease import Lease


def ids(stack: Stack) -> list[int]:
    return [row[0] for row in stack.warehouse_rows()]


def test_files_that_the_ledger_lost_are_refused_until_an_operator_accepts_it(tmp_path: Path) -> None:
    stack = keyless_stack(tmp_path)
    stack.insert((2, 2, "b", stack.ago(seconds=30)))
    stack.let_pass(minutes=5)
    stack.sync_one()
    assert ids(stack) == [1, 2]
    lose_newest_load(stack)
    stack.insert((3, 3, "c", stack.ago(seconds=30)))
    stack.let_pass(minutes=5)
    for _ in range(3):
        (result,) = stack.sync()
        assert result.error is not None, ids(stack)
        assert "its ledger does not know of it" in str(result.error)
        stack.let_pass(minutes=1)
    assert ids(stack) == [1, 2]


def lose_newest_load(stack: Stack) -> None:
    """Remove the rows of the newest load from the ledger."""
    (ledger,) = stack.warehouse(
        "SELECT table_name FROM information_schema.tables"
        " WHERE table_name LIKE 'wmtui_ledger%' AND table_type = 'BASE TABLE'"
    )[:1]
    newest = f"(SELECT load_id FROM {ledger[0]} ORDER BY loaded_at DESC LIMIT 1)"
    stack.warehouse(f"DELETE FROM {ledger[0]} WHERE load_id = {newest}")


def put_back(stack: Stack, folder: Path) -> None:
    """Copy the store, load one more row, put the copy back."""
    shutil.copytree(folder / "lake", folder / "backup")
    stack.insert((2, 2, "b", stack.ago(hours=2)))
    stack.sync_one()
    shutil.rmtree(folder / "lake")
    shutil.move(folder / "backup", folder / "lake")
    stack.reload()


def test_runs_that_only_extract_do_not_hide_that_the_store_was_put_back(tmp_path: Path) -> None:
    stack = keyless_stack(tmp_path)
    put_back(stack, tmp_path)
    stack.source(f"DELETE FROM {stack.schema}.orders WHERE id = 2")
    for _ in range(3):
        stack.let_pass(hours=9)
        stack.sync_one(backup_only=True)
    stack.insert((3, 3, "c", stack.ago(hours=1)))
    (result,) = stack.sync()
    assert result.error is not None, ids(stack)
    assert "that this store does not know" in str(result.error)


def test_rows_that_runs_without_loading_extracted_do_not_hide_that_the_store_was_put_back(tmp_path: Path) -> None:
    stack = keyless_stack(tmp_path)
    put_back(stack, tmp_path)
    for number in range(3, 6):
        stack.insert((number, number, "c", stack.ago(minutes=90)))
        stack.let_pass(minutes=5)
        stack.sync_one(backup_only=True)
    for _ in range(2):
        (result,) = stack.sync(redshift_only=True)
        assert result.error is not None, ids(stack)
        assert "that this store does not know" in str(result.error)
    assert ids(stack) == [1, 2]


def test_a_process_that_dies_after_it_loaded_news_leaves_no_doubt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = keyless_stack(tmp_path)
    stack.insert((2, 2, "b", stack.ago(seconds=30)))
    stack.let_pass(minutes=5)
    with monkeypatch.context() as patch:
        patch.setattr(LoadRecords, "add", dies)
        patch.setattr(Lease, "release", lambda *_, **__: None)
        stack.sync()
    assert ids(stack) == [1, 2]
    stack.let_pass(minutes=5)
    stack.sync_one()
    assert ids(stack) == [1, 2]


def test_a_warehouse_that_did_not_answer_does_not_hide_that_the_store_was_put_back(tmp_path: Path) -> None:
    stack = keyless_stack(tmp_path)
    put_back(stack, tmp_path)
    stack.source(f"DELETE FROM {stack.schema}.orders WHERE id = 2")
    away = tmp_path / "away.duckdb"
    (tmp_path / "warehouse.duckdb").rename(away)
    (tmp_path / "warehouse.duckdb").write_text("no database " * 100)
    for _ in range(3):
        stack.let_pass(hours=9)
        (result,) = stack.sync()
        assert result.error is not None
    (tmp_path / "warehouse.duckdb").unlink()
    away.rename(tmp_path / "warehouse.duckdb")
    stack.let_pass(minutes=1)
    stack.insert((3, 3, "c", stack.ago(hours=1)))
    (result,) = stack.sync()
    assert result.error is not None, ids(stack)
    assert "that this store does not know" in str(result.error)


def foreign_file(stack: Stack) -> None:
    (part,) = stack.keys()
    objects = stack.service.workspace.objects
    objects.put(part.rpartition("/")[0] + "/foreign.parquet", objects.get(part).data)


@pytest.mark.parametrize("asked", [False, True])
def test_a_watermark_placed_just_before_the_lease_keeps_earlier_files_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: bool
) -> None:
    stack = keyless_stack(tmp_path)
    foreign_file(stack)
    acquire = sync_module.lease.acquire
    other = embedded_again(stack)

    def place_first(*arguments: object, **named: object) -> object:
        monkeypatch.undo()
        other.service.watermarks.set(stack.table(), str(stack.ago()), force=True)
        return acquire(*arguments, **named)

    if asked:
        stack.let_pass(hours=9)
    monkeypatch.setattr(sync_module.lease, "acquire", place_first)
    (result,) = stack.sync(redshift_only=True)
    assert stack.mark()["backup_strategy"] == "manual_cli"
    assert ids(stack) == [1], result


def test_a_document_put_back_with_its_time_is_adopted(tmp_path: Path) -> None:
    stack = embedded_stack(tmp_path)
    stack.create()
    stack.insert((1, 1, "a", stack.ago(hours=2)))
    for _ in range(3):
        stack.sync_one()
        stack.let_pass(minutes=1)
    path = tmp_path / "lake" / "watermark" / "tables" / f"{stack.table()}.json"
    shutil.copy2(path, tmp_path / "kept.json")
    stack.service.watermarks.reset(stack.table())
    stack.let_pass(minutes=1)
    shutil.copy2(tmp_path / "kept.json", path)
    stack.reload()
    stack.let_pass(minutes=1)
    stack.insert((2, 2, "b", stack.ago(seconds=30)))
    stack.let_pass(minutes=5)
    stack.sync_one()
    stack.sync_one()
    objects = stack.service.workspace.objects
    actions = [entry["action"] for entry in Journal(objects, stack.table())]
    assert "external" in actions
    assert stack.mark()["metadata"]["serial"] == len(actions)


def test_a_foreign_file_in_a_keyed_store_that_was_put_back_is_loaded_at_once(tmp_path: Path) -> None:
    stack = embedded_stack(tmp_path)
    stack.create()
    stack.insert((1, 1, "a", stack.ago(hours=3)))
    for _ in range(2):
        stack.sync_one()
        stack.let_pass(minutes=1)
    put_back(stack, tmp_path)
    stack.source(f"DELETE FROM {stack.schema}.orders WHERE id = 2")
    foreign_file(stack)
    assert stack.sync_one().rows_loaded == 1


def test_loads_into_another_warehouse_do_not_hide_that_the_store_was_put_back(tmp_path: Path) -> None:
    stack = keyless_stack(tmp_path)
    two_profiles(stack, tmp_path)
    use(stack, "test")
    put_back(stack, tmp_path)
    use(stack, "second")
    for number in range(3, 5):
        stack.insert((number, number, "c", stack.ago(minutes=90)))
        stack.let_pass(minutes=5)
        stack.sync_one()
    use(stack, "test")
    for _ in range(2):
        (result,) = stack.sync()
        assert result.error is not None, ids(stack)
        assert "that this store does not know" in str(result.error)
    assert ids(stack) == [1, 2]

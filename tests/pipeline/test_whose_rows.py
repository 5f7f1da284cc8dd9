"""Stores that are moved, copied, put back or lost, warehouses that are restored, replaced or shared: every row once, or
a refusal that says what to type.
"""

import shutil
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.stack import Stack
from wmtui import layout
from wmtui.errors import ExitCode, StoreIncomplete, UsageError
from wmtui.events import TableResult
from wmtui.pipeline.load import load_table
from wmtui.service import Request

KEYLESS = {"primary_key": []}


@pytest.fixture
def keyless(embedded: Stack) -> Stack:
    """A table without primary key: whatever is loaded twice is doubled."""
    embedded.source("DROP TABLE shop.orders")
    embedded.create(key="")
    embedded.reload(orders=KEYLESS)
    return embedded


def seed(stack: Stack, first: int = 1, count: int = 10, minutes: int = 60) -> None:
    stack.insert(*((first + n, n, "row", stack.ago(minutes=minutes - n)) for n in range(count)))


def refused(stack: Stack, *words: str, **options: Any) -> TableResult:
    """A sync that is refused, in these words, and has loaded nothing."""
    before = stack.warehouse_rows() if "orders" in tables(stack) else []
    (result,) = stack.sync(**options)
    assert result.exit_code is ExitCode.TABLE_FAILED, result
    for word in words:
        assert word in str(result.error)
    assert (stack.warehouse_rows() if "orders" in tables(stack) else []) == before
    return result


def tables(stack: Stack) -> set[str]:
    return {name for (name,) in stack.warehouse("SELECT table_name FROM duckdb_tables()")}


def move(stack: Stack, tmp_path: Path, *, keep: bool = False) -> None:
    """The store is somewhere else from now on."""
    (shutil.copytree if keep else shutil.move)(tmp_path / "lake", tmp_path / "moved")
    stack.document["profiles"]["test"]["store"] = str(tmp_path / "moved")
    stack.reload()


def test_a_moved_store_loads_nothing_twice_and_tells_of_its_new_place(embedded: Stack, tmp_path: Path) -> None:
    seed(embedded)
    embedded.sync_one()
    move(embedded, tmp_path)
    seed(embedded, 100, 3, minutes=20)
    assert embedded.sync_one().rows_loaded == 3
    assert "was never written from" in embedded.log()
    assert embedded.warehouse_rows() == embedded.source_rows()
    embedded.service.watermarks.set(embedded.table(), "2020-01-01")
    assert embedded.sync_one(redshift_only=True).files_loaded == 0


def test_a_moved_store_of_a_table_without_key_is_refused_until_it_is_accepted(keyless: Stack, tmp_path: Path) -> None:
    seed(keyless)
    keyless.sync_one()
    move(keyless, tmp_path)
    seed(keyless, 100, 3, minutes=20)
    for _ in range(2):
        refused(keyless, "was never written from", "`wmtui store accept --moved --reason …`")
    with pytest.raises(UsageError, match="why is it accepted"):
        keyless.service.ownership.accept_moved(reason="")
    store = keyless.service.ownership.accept_moved(reason="bucket renamed")
    assert [root.reason for root in store.identity.roots] == [None, "bucket renamed"]
    keyless.sync_one()
    assert keyless.warehouse_rows() == keyless.source_rows()


def test_of_a_copied_store_only_the_one_that_loaded_last_goes_on(keyless: Stack, tmp_path: Path) -> None:
    seed(keyless)
    keyless.sync_one()
    original = dict(keyless.document["profiles"]["test"])
    move(keyless, tmp_path, keep=True)
    keyless.service.ownership.accept_moved(reason="moved, it was thought")
    seed(keyless, 100, 3, minutes=20)
    keyless.sync_one()
    keyless.document["profiles"]["test"] = original
    keyless.reload()
    refused(keyless, "has loads of shop.orders that this store does not know", "`wmtui accept -t shop.orders")
    assert keyless.warehouse_rows() == keyless.source_rows()


def test_a_store_put_back_to_an_earlier_moment_is_refused_without_key_and_told_of_with_one(
    embedded: Stack, tmp_path: Path
) -> None:
    embedded.source("CREATE TABLE shop.keyless AS FROM shop.orders")
    embedded.reload(keyless=KEYLESS)
    embedded.insert((1, 1, None, embedded.ago(hours=3)))
    embedded.insert((1, 1, None, embedded.ago(hours=3)), name="keyless")
    embedded.sync("orders", "keyless")
    shutil.copytree(tmp_path / "lake", tmp_path / "backup")
    for name in ("orders", "keyless"):
        embedded.insert((2, 2, None, embedded.ago(hours=2)), name=name)
    embedded.sync("orders", "keyless")
    shutil.rmtree(tmp_path / "lake")
    shutil.move(tmp_path / "backup", tmp_path / "lake")
    embedded.reload()
    for name in ("orders", "keyless"):
        embedded.insert((3, 3, None, embedded.ago(hours=1)), name=name)

    for _ in range(2):
        (result,) = embedded.sync("keyless")
        assert result.exit_code is ExitCode.TABLE_FAILED
        assert "has loads of shop.keyless that this store does not know" in str(result.error)
        assert len(embedded.warehouse_rows("keyless")) == 2
    embedded.sync_one()
    assert "was put back to an earlier moment" in embedded.log()
    assert embedded.warehouse_rows() == embedded.source_rows()

    embedded.service.ownership.accept(embedded.table("keyless"), reason="rows since the backup may come twice")
    (result,) = embedded.sync("keyless")
    assert result.error is None
    assert [row[0] for row in embedded.warehouse_rows("keyless")] == [1, 2, 2, 3]


def test_a_lost_store_beside_a_full_target_is_refused_without_key(keyless: Stack, tmp_path: Path) -> None:
    seed(keyless)
    keyless.sync_one()
    shutil.rmtree(tmp_path / "lake")
    (tmp_path / "lake").mkdir()
    keyless.reload()
    refused(keyless, "target orders has 10 rows, and no load of shop.orders from this store", "wmtui accept")
    keyless.warehouse("DELETE FROM orders")
    keyless.sync_one()
    assert keyless.warehouse_rows() == keyless.source_rows()


def test_a_target_that_another_tool_filled_is_refused_without_key(keyless: Stack) -> None:
    keyless.warehouse("CREATE TABLE orders (id BIGINT, amount DECIMAL(10,2), note VARCHAR, update_at TIMESTAMP)")
    keyless.warehouse("INSERT INTO orders VALUES (7, 7, 'older tool', NULL)")
    seed(keyless, 100, 3)
    refused(keyless, "target orders has 1 rows, and no load of shop.orders", "another tool filled it")
    done = keyless.service.ownership.accept(keyless.table(), reason="the older tool's rows stay")
    assert [finding.doubt.value for finding in done.findings] == ["foreign_rows"]
    keyless.sync_one()
    assert len(keyless.warehouse_rows()) == 4
    assert keyless.service.ownership.accept(keyless.table(), reason="again").findings == ()


def test_a_target_that_another_tool_filled_is_merged_by_key_and_reported(embedded: Stack) -> None:
    embedded.warehouse("CREATE TABLE orders (id BIGINT, amount DECIMAL(10,2), note VARCHAR, update_at TIMESTAMP)")
    embedded.warehouse("INSERT INTO orders VALUES (1, 7, 'older tool', '2020-01-01')")
    seed(embedded)
    embedded.sync_one()
    assert "another tool filled it" in embedded.log()
    assert embedded.warehouse_rows() == embedded.source_rows()
    embedded.sync_one()
    assert "another tool filled it" not in embedded.log()


def two_profiles(stack: Stack, tmp_path: Path) -> None:
    """A second profile, with another warehouse and the same store."""
    first = stack.document["profiles"]["test"]
    second = {**first, "warehouse": {"type": "duckdb", "path": str(tmp_path / "second.duckdb")}}
    stack.document["profiles"]["second"] = second
    stack.document["default_profile"] = "test"
    stack.reload()


def use(stack: Stack, profile: str) -> None:
    from tests.stack import AUTHOR
    from wmtui import config
    from wmtui.service import Service

    stack.service = Service(config.load(stack.path, profile=profile), clock=stack.clock, author=AUTHOR)


def second_rows(tmp_path: Path) -> list[tuple[Any, ...]]:
    with duckdb.connect(tmp_path / "second.duckdb") as connection:
        return connection.execute("SELECT id, amount, note, update_at FROM orders ORDER BY id").fetchall()


def test_two_warehouses_of_one_store_each_get_every_row_and_have_a_status_each(embedded: Stack, tmp_path: Path) -> None:
    two_profiles(embedded, tmp_path)
    seed(embedded)
    embedded.sync_one()
    seed(embedded, 100, 3, minutes=20)
    embedded.sync_one()
    use(embedded, "second")
    assert embedded.service.workspace.load_status(embedded.service.watermarks.get(embedded.table())) == "pending"
    assert embedded.service.files.select(embedded.table()).summary.selected == 2
    assert embedded.sync_one(redshift_only=True).files_loaded == 2
    assert second_rows(tmp_path) == embedded.source_rows()
    seed(embedded, 200, 2, minutes=10)
    embedded.sync_one()
    assert second_rows(tmp_path) == embedded.source_rows()

    mark = embedded.service.watermarks.get(embedded.table())
    notes = {noted["profile"]: noted["status"] for noted in mark.fields["warehouses"].values()}
    assert notes == {"test": "pending", "second": "success"}
    assert mark.fields["redshift_status"] == "pending"
    use(embedded, "test")
    assert [(n.profile, n.status) for n in embedded.service.workspace.loads(mark)] == [
        ("test", "pending"),
        ("second", "success"),
    ]
    embedded.sync_one(redshift_only=True)
    assert embedded.warehouse_rows() == embedded.source_rows()


def test_a_warehouse_put_back_to_an_earlier_moment_gets_again_what_it_lost(embedded: Stack, tmp_path: Path) -> None:
    seed(embedded)
    embedded.sync_one()
    shutil.copy(tmp_path / "warehouse.duckdb", tmp_path / "snapshot.duckdb")
    embedded.let_pass(hours=30)
    seed(embedded, 100, 3, minutes=20)
    embedded.sync_one()
    embedded.let_pass(hours=30)
    seed(embedded, 200, 3, minutes=20)
    embedded.sync_one()
    shutil.copy(tmp_path / "snapshot.duckdb", tmp_path / "warehouse.duckdb")
    embedded.let_pass(hours=30)
    seed(embedded, 300, 1, minutes=20)
    embedded.sync_one()
    assert embedded.warehouse_rows() == embedded.source_rows()
    assert "its ledger does not know of it" in embedded.log()


def test_a_warehouse_put_back_while_files_are_staged_gets_again_what_it_lost(
    embedded: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedded.reload(orders={"target_may_shrink": True})  # The rows that are missing raise no alarm.
    seed(embedded)
    embedded.sync_one()
    shutil.copy(tmp_path / "warehouse.duckdb", tmp_path / "snapshot.duckdb")
    embedded.let_pass(hours=30)
    seed(embedded, 100, 3, minutes=20)
    embedded.sync_one()
    embedded.let_pass(hours=30)
    seed(embedded, 200, 3, minutes=20)
    execute = load_table._execute

    def put_back(*args: Any) -> Any:
        shutil.copy(tmp_path / "snapshot.duckdb", tmp_path / "warehouse.duckdb")
        return execute(*args)

    with monkeypatch.context() as patch:
        patch.setattr(load_table, "_execute", put_back)
        (result,) = embedded.sync()
    assert result.exit_code is ExitCode.CONFLICT
    assert "was put back to an earlier moment while files were staged" in str(result.error)
    embedded.let_pass(hours=30)
    seed(embedded, 300, 1, minutes=20)
    embedded.sync_one()
    assert embedded.warehouse_rows() == embedded.source_rows()


def test_a_warehouse_put_back_to_an_earlier_moment_is_refused_without_key_until_accepted(
    keyless: Stack, tmp_path: Path
) -> None:
    seed(keyless)
    keyless.sync_one()
    shutil.copy(tmp_path / "warehouse.duckdb", tmp_path / "snapshot.duckdb")
    seed(keyless, 100, 3, minutes=20)
    keyless.sync_one()
    shutil.copy(tmp_path / "snapshot.duckdb", tmp_path / "warehouse.duckdb")
    seed(keyless, 200, 1, minutes=10)
    refused(keyless, "1 files were loaded into orders, and its ledger does not know of it")
    keyless.service.ownership.accept(keyless.table(), reason="restored from the snapshot of tonight")
    keyless.sync_one()
    assert keyless.warehouse_rows() == keyless.source_rows()


def test_ledger_rows_that_were_pruned_are_no_reason_to_load_again_without_key(keyless: Stack) -> None:
    seed(keyless)
    keyless.sync_one()
    (shard,) = [name for name in tables(keyless) if keyless.warehouse(f"FROM {name}") and "ledger_" in name]
    keyless.warehouse(f"DELETE FROM {shard}")
    seed(keyless, 100, 3, minutes=20)
    refused(keyless, "its ledger does not know of it")


def test_another_warehouse_in_the_place_of_the_first_gets_every_row(embedded: Stack, tmp_path: Path) -> None:
    seed(embedded)
    embedded.sync_one()
    embedded.let_pass(hours=30)
    (tmp_path / "warehouse.duckdb").unlink()
    seed(embedded, 100, 3, minutes=20)
    embedded.sync_one()
    assert embedded.warehouse_rows() == embedded.source_rows()


def test_another_schema_of_the_warehouse_is_another_target_and_gets_every_row(embedded: Stack) -> None:
    seed(embedded)
    embedded.sync_one()
    embedded.let_pass(hours=30)
    seed(embedded, 100, 3, minutes=20)
    embedded.sync_one()
    embedded.warehouse("CREATE SCHEMA mart")
    embedded.reload(orders={"schema": "mart"})
    embedded.sync_one()
    assert embedded.warehouse_rows("mart.orders") == embedded.source_rows()


@pytest.mark.parametrize(
    "options", [{}, {"backup_only": True}, {"redshift_only": True}], ids=["sync", "backup", "load"]
)
@pytest.mark.parametrize("news", [False, True])
def test_a_copy_taken_during_a_run_is_refused_before_its_watermark_moves(
    embedded: Stack, tmp_path: Path, options: dict[str, Any], news: bool
) -> None:
    seed(embedded)
    embedded.sync_one()
    shutil.copytree(tmp_path / "lake" / "watermark" / "runs", tmp_path / "runs")
    seed(embedded, 100, 3, minutes=20)
    embedded.sync_one(backup_only=True)
    move(embedded, tmp_path)
    shutil.rmtree(tmp_path / "moved" / "watermark" / "runs")
    shutil.move(tmp_path / "runs", tmp_path / "moved" / "watermark" / "runs")

    if news:
        seed(embedded, 200, 5, minutes=10)
    stands = embedded.mark()["last_mysql_data_timestamp"]
    refused(embedded, "the store is an incomplete copy", "wmtui watermark set -t shop.orders", **options)
    assert embedded.mark()["last_mysql_data_timestamp"] == stands
    (preview,) = embedded.service.syncs.preview(Request((embedded.table(),)), emit=embedded.events.append)
    assert isinstance(preview.error, StoreIncomplete)
    (status,) = embedded.service.health.status([embedded.table()], None)
    assert (status.problem, status.healthy) == ("incomplete copy", False)
    embedded.service.watermarks.set(embedded.table(), "2000-01-01")
    embedded.sync_one()
    assert embedded.warehouse_rows() == embedded.source_rows()


def test_a_store_without_its_document_has_the_id_that_its_watermarks_bear(embedded: Stack, tmp_path: Path) -> None:
    seed(embedded)
    embedded.sync_one()
    known = embedded.service.ownership.store().identity
    assert known is not None
    (tmp_path / "lake" / layout.STORE).unlink()
    embedded.reload()
    seed(embedded, 100, 1, minutes=20)
    assert embedded.sync_one().rows_loaded == 1
    found = embedded.service.ownership.store()
    assert found.identity is not None
    assert found.identity.id == known.id
    assert not found.known


class TestTargets:
    """What becomes of a target between two loads."""

    @pytest.mark.parametrize(
        ("event", "said"),
        [
            ("DELETE FROM orders", "is empty, although 1 files were loaded into it"),
            ("DROP TABLE orders", "does not exist, although 1 files were loaded into it"),
            ("ALTER TABLE orders RENAME TO orders_old", "does not exist, although"),
            ("DELETE FROM orders WHERE id < 4", "has 7 rows, 3 less than after the last load"),
        ],
    )
    def test_rows_that_are_gone_are_refused_until_an_operator_accepts_it(
        self, stack: Stack, event: str, said: str
    ) -> None:
        seed(stack)
        stack.sync_one()
        for statement in event.split(";"):
            stack.warehouse(statement)
        seed(stack, 100, 3, minutes=20)
        for _ in range(2):
            (result,) = stack.sync()
            assert result.exit_code is ExitCode.TABLE_FAILED
            assert said in str(result.error)
            assert "wmtui watermark reset" in str(result.error)
        stack.service.ownership.accept(stack.table(), reason="meant so")
        assert stack.sync_one().rows_loaded == 3
        assert {row[0] for row in stack.warehouse_rows()} >= {100, 101, 102}

    def test_a_reset_brings_back_rows_that_are_gone(self, stack: Stack) -> None:
        seed(stack)
        stack.sync_one()
        stack.warehouse("DELETE FROM orders WHERE id < 4")
        stack.service.watermarks.reset(stack.table())
        stack.sync_one()
        assert stack.warehouse_rows() == stack.source_rows()

    def test_a_target_whose_rows_others_may_remove_is_no_alarm(self, embedded: Stack) -> None:
        embedded.reload(orders={"target_may_shrink": True})
        seed(embedded)
        embedded.sync_one()
        embedded.warehouse("DELETE FROM orders WHERE id < 4")
        seed(embedded, 100, 3, minutes=20)
        embedded.sync_one()
        assert len(embedded.warehouse_rows()) == 10

    def test_a_target_of_another_table_is_refused_also_with_a_key_until_it_is_said_to_be_this_one(
        self, embedded: Stack
    ) -> None:
        seed(embedded)
        embedded.sync_one()
        embedded.create("renamed")
        embedded.source("INSERT INTO shop.renamed FROM shop.orders")
        embedded.document["tables"] = {}
        embedded.reload(renamed={"target": "orders"})
        (result,) = embedded.sync("renamed")
        assert "target orders has 10 rows of shop.orders" in str(result.error)
        assert "--moved-from shop.orders" in str(result.error)
        table = embedded.table("renamed")
        with pytest.raises(UsageError) as failure:
            embedded.service.ownership.accept(table, reason="renamed")
        assert "add --moved-from shop.orders" in failure.value.next_step
        with pytest.raises(UsageError, match=r"shop\.items has loaded nothing into orders"):
            embedded.service.ownership.accept(table, reason="renamed", moved_from="shop.items")
        embedded.service.ownership.accept(table, reason="renamed", moved_from="shop.orders")
        assert embedded.sync("renamed")[0].error is None
        assert embedded.warehouse_rows() == embedded.source_rows()

        embedded.document["tables"] = {}
        embedded.reload(orders={})
        seed(embedded, 100, 1, minutes=5)
        (result,) = embedded.sync()
        assert "orders is the target of shop.renamed now" in str(result.error)

    def test_after_a_reset_a_newer_version_that_the_source_lost_is_replaced(self, stack: Stack) -> None:
        seed(stack)
        stack.sync_one()
        stack.warehouse("UPDATE orders SET note = 'dead', update_at = '2037-01-01' WHERE id = 1")
        stack.service.watermarks.reset(stack.table())
        stack.sync_one()
        assert stack.warehouse_rows() == stack.source_rows()
        stack.warehouse("UPDATE orders SET note = 'newer', update_at = '2037-01-01' WHERE id = 2")
        stack.sync_one(redshift_only=True, reprocess=True)
        assert (2, "newer") in {(row[0], row[2]) for row in stack.warehouse_rows()}

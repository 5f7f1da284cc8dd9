"""A table that does not fit its target is reported before a row of it is read, and stops nothing else."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.servers import Database, free_port
from tests.servers.s3 import S3Server
from tests.stack import Stack, server_stack
from wmtui.errors import ExitCode
from wmtui.events import Stop
from wmtui.model import Level
from wmtui.verify import Verification

OLD_TARGET = "CREATE TABLE orders (id BIGINT, amount SMALLINT, note INTEGER, update_at TIMESTAMP)"


def verify(stack: Stack) -> Verification:
    """Compare orders with its target."""
    ((_, result),) = stack.service.verify(
        [stack.table()], since=None, examples=10, emit=stack.events.append, stop=Stop()
    )
    assert isinstance(result, Verification), result
    return result


def rewrite(stack: Stack, **settings: Any) -> None:
    """Settings of orders."""
    stack.reload(orders=settings)


@contextmanager
def unreachable(stack: Stack) -> Iterator[None]:
    """The warehouse is away."""
    profile = stack.document["profiles"]["test"]
    good = dict(profile["warehouse"])
    profile["warehouse"] = {**good, **({"port": free_port()} if "port" in good else {"path": "/nowhere/dw.duckdb"})}
    stack.reload()
    yield
    profile["warehouse"] = good
    stack.reload()


def test_all_misfits_are_told_at_once_and_nothing_is_written(stack: Stack) -> None:
    stack.warehouse(OLD_TARGET)
    stack.insert((1, "1.50", "a", stack.ago(hours=1)))
    (result,) = stack.sync()
    assert result.exit_code is ExitCode.TABLE_FAILED
    assert "does not fit its target orders" in str(result.error)
    assert "column amount does not fit" in str(result.error)
    assert "column note does not fit" in str(result.error)
    assert str(result.error).count("ALTER TABLE") == 2
    lines = [line for line in stack.log().splitlines() if line.startswith("column")]
    assert [line.count("ALTER TABLE") for line in lines] == [1, 1]
    assert stack.keys() == []
    assert stack.mark()["mysql_status"] == "failed"


def test_the_preview_and_doctor_tell_the_same(stack: Stack) -> None:
    stack.warehouse(OLD_TARGET)
    (preview,) = stack.preview()
    (result,) = stack.sync()
    assert preview.error is not None
    assert preview.error.failure == result.error
    found = stack.service.health.doctor([stack.table()])
    errors = [check for check in found if check.level is Level.ERROR]
    assert [check.finding.split()[1] for check in errors] == ["amount", "note"]
    assert all(check.next_step in str(result.error) for check in errors)


def test_after_the_statements_were_run_the_sync_goes_on(stack: Stack) -> None:
    stack.warehouse(OLD_TARGET)
    stack.insert((1, "1.50", "a", stack.ago(hours=1)))
    stack.sync()
    for check in stack.service.health.doctor([stack.table()]):
        if check.level is Level.ERROR:
            stack.warehouse(check.next_step.removeprefix("run ").partition(", or ")[0])
    stack.sync_one()
    assert stack.warehouse_rows() == stack.source_rows()
    assert stack.mark()["mysql_status"] == "success"


def test_a_column_that_changes_later_stops_neither_committed_parts_nor_other_tables(stack: Stack) -> None:
    stack.create("items")
    stack.insert((1, "1.50", "a", stack.ago(hours=2)))
    stack.sync_one()
    stack.insert((2, "2.50", "b", stack.ago(hours=1)))
    stack.sync_one(backup_only=True)
    stack.source(f"ALTER TABLE {stack.schema}.orders DROP COLUMN amount")
    stack.source(f"ALTER TABLE {stack.schema}.orders ADD COLUMN amount DATE")
    stack.insert((7, "1", "x", stack.ago(hours=1)), name="items")
    stack.reload(items={})
    orders, items = stack.sync("orders", "items")
    assert "column amount does not fit" in str(orders.error)
    assert (orders.rows_extracted, orders.rows_loaded) == (0, 1)
    assert (items.error, items.rows_loaded) == (None, 1)
    assert [row[0] for row in stack.warehouse("SELECT id FROM orders ORDER BY id")] == [1, 2]
    assert stack.mark()["mysql_status"] == "failed"
    assert "amount" in stack.mark()["last_error"]


def test_a_view_is_no_target(stack: Stack) -> None:
    stack.warehouse("CREATE TABLE base (id BIGINT)")
    stack.warehouse("CREATE VIEW orders AS SELECT id FROM base")
    (result,) = stack.sync()
    assert "no table but a view" in str(result.error)
    assert stack.keys() == []


def test_a_value_that_the_target_does_not_take_is_refused_by_its_row_before_it_is_part_of_a_file(
    stack: Stack,
) -> None:
    stack.warehouse("CREATE TABLE orders (id BIGINT, amount NUMERIC(10,2), note VARCHAR NOT NULL, update_at TIMESTAMP)")
    stack.insert((1, "1.50", "a", stack.ago(hours=2)), (2, "1.50", None, stack.ago(hours=1)))
    (result,) = stack.sync()
    assert "column note of" in str(result.error)
    assert "is NULL in the row id = 2" in str(result.error)
    assert stack.keys() == []


def test_without_a_warehouse_the_columns_of_its_last_load_count(stack: Stack) -> None:
    stack.insert((1, "1.50", "a", stack.ago(hours=2)))
    stack.sync_one()
    stack.insert((2, "2.50", "b", stack.ago(hours=1)))
    with unreachable(stack):
        (result,) = stack.sync()
        assert (result.rows_extracted, result.exit_code) == (1, ExitCode.UNREACHABLE)
        assert "compared with the columns that orders had at its last load" in stack.log()
        stack.source(f"ALTER TABLE {stack.schema}.orders DROP COLUMN amount")
        stack.source(f"ALTER TABLE {stack.schema}.orders ADD COLUMN amount DATE")
        (result,) = stack.sync(backup_only=True)
        assert "column amount does not fit" in str(result.error)


def test_without_a_warehouse_that_was_ever_seen_only_files_are_written_and_that_is_reported(stack: Stack) -> None:
    stack.insert((1, "1.50", "a", stack.ago(hours=2)))
    with unreachable(stack):
        (result,) = stack.sync()
        assert result.exit_code is ExitCode.UNREACHABLE
        assert "--backup-only" in str(result.error)
        assert stack.keys() == []
        assert stack.sync_one(backup_only=True).rows_extracted == 1
        assert "whether orders takes the rows was not compared" in stack.log()
    stack.sync_one()
    assert stack.warehouse_rows() == stack.source_rows()


def test_a_target_of_another_schema_is_remembered_apart(stack: Stack) -> None:
    stack.insert((1, "1.50", "a", stack.ago(hours=2)))
    stack.sync_one()
    rewrite(stack, target="other")
    with unreachable(stack):
        (result,) = stack.sync()
        assert "what other looks like is not remembered" in str(result.error)


FORMS = {
    "updated": "utc_timestamp",
    "local_time": "local_timestamp",
    "paid": "boolean",
    "year": "text",
    "price": "text",
    "doc": "json",
}


@pytest.fixture
def formed(servers_stack: Stack) -> Stack:
    """A table of which the target keeps almost every column in another form, the cursor too."""
    return with_forms(servers_stack)


def with_forms(stack: Stack) -> Stack:
    """Give a stack that table and that target."""
    stack.source(f"DROP TABLE {stack.schema}.orders")
    stack.source(
        f"CREATE TABLE {stack.schema}.orders (id BIGINT NOT NULL PRIMARY KEY, paid TINYINT(1), year YEAR,"
        " price DECIMAL(10,2), doc JSON, local_time TIMESTAMP NULL,"
        " updated TIMESTAMP NOT NULL DEFAULT '2025-01-01', KEY (updated))"
    )
    stack.warehouse(
        "CREATE TABLE orders (id BIGINT PRIMARY KEY, paid BOOLEAN, year VARCHAR(4), price VARCHAR(20), doc JSONB,"
        " local_time TIMESTAMP, updated TIMESTAMP)"
    )
    stack.document["profiles"]["test"]["timezone"] = "Asia/Shanghai"
    rewrite(stack, cursor="updated", **{"as": FORMS})
    return stack


@pytest.fixture
def servers_stack(tmp_path: Path, source_db: Database, pg_db: Database, s3: S3Server) -> Stack:
    """The pipeline on servers alone."""
    made = server_stack(tmp_path, source_db, pg_db, s3)
    made.create()
    return made


def put(stack: Stack, number: int, paid: int | None = 1, hours: int = 2) -> None:
    """A row with a value in every column."""
    stack.source(
        f"REPLACE INTO {stack.schema}.orders VALUES ({number}, {'NULL' if paid is None else paid}, 2024, 1.5,"
        f""" '{{"b": [1.50, "é"], "a": null}}', FROM_UNIXTIME(86400), NOW() - INTERVAL {hours} HOUR)"""
    )


def array_of(stack: Stack) -> str:
    """The array in row 1's document as the source has it: MariaDB keeps the text 1.50, MySQL the number."""
    ((text,),) = stack.source(f"SELECT JSON_EXTRACT(doc, '$.b') FROM {stack.schema}.orders WHERE id = 1")
    assert text in ('[1.50, "é"]', '[1.5, "é"]')
    return str(text)


def test_a_target_keeps_columns_in_other_forms_and_verify_compares_them_rightly(formed: Stack) -> None:
    put(formed, 1, hours=3)
    formed.sync_one()
    put(formed, 1, paid=0, hours=2)
    put(formed, 2, paid=None, hours=1)
    formed.sync_one()
    assert formed.warehouse("SELECT id, paid, year, price, doc ->> 'b', local_time::text FROM orders ORDER BY id") == [
        (1, False, "2024", "1.50", array_of(formed), "1970-01-02 08:00:00"),
        (2, None, "2024", "1.50", array_of(formed), "1970-01-02 08:00:00"),
    ]
    result = verify(formed)
    assert (result.result, result.compared) == ("right", 2)
    formed.warehouse("UPDATE orders SET doc = '{\"a\": 1}', paid = true, local_time = '1970-01-02' WHERE id = 1")
    (example,) = verify(formed).examples
    assert example.source is not None
    assert set(example.source) == {"doc", "paid", "local_time"}


def test_redshift_makes_the_same_forms_and_verify_compares_them_rightly(redshift_stack: Stack) -> None:
    redshift_stack.create()
    formed = with_forms(redshift_stack)
    put(formed, 1, paid=0, hours=3)
    formed.sync_one()
    put(formed, 1, hours=2)
    put(formed, 2, paid=None, hours=1)
    formed.sync_one()
    assert formed.warehouse("SELECT id, paid, year, price, doc ->> 'b', local_time::text FROM orders ORDER BY id") == [
        (1, True, "2024", "1.50", array_of(formed), "1970-01-02 08:00:00"),
        (2, None, "2024", "1.50", array_of(formed), "1970-01-02 08:00:00"),
    ]
    result = verify(formed)
    assert (result.result, result.compared) == ("right", 2)


def test_a_system_name_of_redshift_is_told_before_reading_and_no_matter_once_it_is_renamed(
    redshift_stack: Stack,
) -> None:
    stack = redshift_stack
    stack.source(
        f"CREATE TABLE {stack.schema}.orders (id BIGINT NOT NULL PRIMARY KEY, oid INT, xmin INT, update_at DATETIME)"
    )
    stack.source(f"INSERT INTO {stack.schema}.orders VALUES (1, 2, 3, '2025-01-01')")
    (result,) = stack.sync()
    assert "`rename: {oid: …}`" in str(result.error)
    assert "`rename: {xmin: …}`" in str(result.error)
    assert stack.keys() == []
    rewrite(stack, rename={"oid": "number", "xmin": "least"})
    stack.sync_one()
    assert stack.warehouse("SELECT number, least FROM orders") == [(2, 3)]


def test_a_number_that_is_no_truth_value_is_refused_by_its_row_before_it_is_part_of_a_file(formed: Stack) -> None:
    put(formed, 1)
    put(formed, 2, paid=7)
    (result,) = formed.sync()
    assert "column paid of" in str(result.error)
    assert "cannot be kept as boolean in the row id = 2" in str(result.error)
    assert formed.keys() == []


def test_row_level_security_and_another_owner_are_reported(servers_stack: Stack, pg_db: Database) -> None:
    stack = servers_stack
    guest = f"guest_{pg_db.name[-8:]}"
    stack.sync_one()
    stack.insert((1, "1.50", "a", stack.ago(hours=2)))
    stack.sync_one()
    pg_db.execute(f"CREATE ROLE {guest} LOGIN PASSWORD 'correct-horse'")
    try:
        pg_db.execute(
            f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {guest}",
            f"GRANT USAGE, CREATE ON SCHEMA public TO {guest}",
            "ALTER TABLE orders ENABLE ROW LEVEL SECURITY",
        )
        stack.document["profiles"]["test"]["warehouse"] |= {"user": guest, "password": "correct-horse"}
        stack.reload()
        stack.insert((3, "2.50", "b", stack.ago(hours=1)))
        stack.source(f"ALTER TABLE {stack.schema}.orders ADD COLUMN more INT")
        (result,) = stack.sync()
        assert "row-level security of orders holds for this user" in str(result.error)
        assert "ADD COLUMN" in str(result.error)
        pg_db.execute("ALTER TABLE orders DISABLE ROW LEVEL SECURITY")
        stack.source(f"ALTER TABLE {stack.schema}.orders DROP COLUMN more")
        found = stack.service.health.doctor([stack.table()])
        assert [check.level for check in found if "belongs to" in check.finding] == [Level.WARNING]
        stack.insert((2, "2.50", "b", stack.ago(hours=1)))
        stack.sync_one()
        assert stack.warehouse_rows()[-1][1] == Decimal("2.50")
    finally:
        pg_db.execute(f"DROP OWNED BY {guest}", f"DROP ROLE {guest}")

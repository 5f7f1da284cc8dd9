"""The statements of a load, word for word: what decides which row of a key stays is in them.

Their effect is held on real warehouses by `test_merge`, `test_updates` and `test_columns`; here no word changes unseen.
"""

from collections.abc import Callable

import pyarrow as pa
import pytest

from wmtui.warehouses.ledger_state import Feed
from wmtui.warehouses.load import statements
from wmtui.warehouses.load.statements import OutdatedRows, Staging, Statements, Update
from wmtui.warehouses.load_request import TargetLayout

DW = Statements("dw")
STAGING = Staging("staged", '"staged"', {"id": "bigint", "update_at": "timestamp", "note": "text"})
KEY, CURSOR = ("id",), "update_at"


def test_a_target_is_found_in_the_warehouses_schema_unless_it_names_its_own() -> None:
    assert DW.target("orders") == '"dw"."orders"'
    assert DW.target("other.orders") == '"other"."orders"'
    assert Statements("dw", "db").target("orders") == '"db"."dw"."orders"'


def test_staging_is_named_by_place_and_load_so_that_no_two_loads_share_it() -> None:
    feed = Feed("s", "shop.orders", "orders")
    prefix = statements.staging_prefix(feed)
    assert prefix == "wmtui_staging_9f8ea95d_"
    assert statements.staging_name(feed, "load-1") == f"{prefix}load-1"
    others = [
        Feed("t", "shop.orders", "orders"),
        Feed("s", "shop.items", "orders"),
        Feed("s", "shop.orders", "items"),
    ]
    assert len({prefix, *map(statements.staging_prefix, others)}) == 4


def test_staging_numbers_its_columns_so_that_no_name_is_in_the_way() -> None:
    assert STAGING.references(["note", "id"]) == ['"staged"."c2"', '"staged"."c0"']
    assert STAGING.file == '"staged"."file"'
    assert statements.into_staging(STAGING, ("note", "id")) == '"staged" ("c2", "c0", "file", "row")'


def test_a_target_is_made_with_its_key() -> None:
    columns = {"id": "bigint", "n": "int", "note": "text"}
    assert DW.create_target("orders", columns, ("id", "n"), TargetLayout()) == (
        'CREATE TABLE "dw"."orders" ("id" bigint NOT NULL, "n" int NOT NULL, "note" text, PRIMARY KEY ("id", "n"))'
    )
    assert (
        DW.create_target("orders", {"id": "bigint"}, (), TargetLayout()) == 'CREATE TABLE "dw"."orders" ("id" bigint)'
    )
    assert DW.column_type(pa.field("note", pa.string())) == "text"
    assert DW.column_type(pa.field("amount", pa.decimal128(10, 2))) == "numeric(10,2)"


ALTER = 'ALTER TABLE "dw"."orders"'


@pytest.mark.parametrize(
    ("statement", "text"),
    [
        (lambda: DW.select("orders", ['"a"', "1"]), 'SELECT "a", 1 FROM "dw"."orders"'),
        (lambda: DW.select_any("orders"), 'SELECT 1 FROM "dw"."orders" LIMIT 1'),
        (lambda: DW.count("orders"), 'SELECT count(*) FROM "dw"."orders"'),
        (lambda: DW.add_column("orders", "n", "text"), f'{ALTER} ADD COLUMN "n" text'),
        (lambda: DW.rename_column("orders", "n", "m"), f'{ALTER} RENAME COLUMN "n" TO "m"'),
        (lambda: DW.widen_column("orders", "n", "text"), f'{ALTER} ALTER COLUMN "n" TYPE text'),
        (lambda: DW.retype_column("orders", "n", "text"), f'{ALTER} ALTER COLUMN "n" TYPE text'),
        (lambda: DW.allow_null("orders", "n"), f'{ALTER} ALTER COLUMN "n" DROP NOT NULL'),
        (lambda: DW.create_staging("s"), 'CREATE TEMPORARY TABLE s ("file" integer NOT NULL, "row" bigint NOT NULL)'),
        (
            lambda: DW.create_staging("s", lasting=True),
            'CREATE UNLOGGED TABLE s ("file" integer NOT NULL, "row" bigint NOT NULL)',
        ),
        (lambda: statements.extend_staging("s", 2, "text"), 'ALTER TABLE s ADD COLUMN "c2" text'),
        (lambda: statements.widen_staging("s", 2, "text"), 'ALTER TABLE s ALTER COLUMN "c2" TYPE text'),
        (lambda: statements.drop_staging("s"), "DROP TABLE IF EXISTS s"),
        (lambda: statements.count_staged("s"), 'SELECT "file", count(*) FROM s GROUP BY "file"'),
        (lambda: statements.unstage("s"), 'DELETE FROM s WHERE "file" = $1'),
        (
            lambda: DW.insert_all("orders", STAGING),
            'INSERT INTO "dw"."orders" ("id", "update_at", "note")'
            ' SELECT "staged"."c0", "staged"."c1", "staged"."c2" FROM "staged"',
        ),
    ],
)
def test_tables_and_columns_are_named_in_quotes(statement: Callable[[], str], text: str) -> None:
    assert statement() == text


def test_of_a_key_staged_twice_the_newest_cursor_stays_then_the_last_file_then_the_last_row() -> None:
    assert statements.keep_newest(STAGING, KEY, CURSOR) == (
        'DELETE FROM "staged" WHERE ("file", "row") IN (SELECT "file", "row" FROM (SELECT "file", "row",'
        ' row_number() OVER (PARTITION BY "staged"."c0"'
        ' ORDER BY "staged"."c1" DESC NULLS LAST, "file" DESC, "row" DESC) AS "rank"'
        ' FROM "staged") AS ranked WHERE "rank" > 1)'
    )
    assert 'PARTITION BY "staged"."c0", "staged"."c2" ORDER' in statements.keep_newest(STAGING, ("id", "note"), CURSOR)


def test_a_staged_row_loses_to_a_newer_one_of_the_target_and_without_a_cursor_to_any_that_has_one() -> None:
    beaten = '"orders"."update_at" > "staged"."c1" OR ("staged"."c1" IS NULL AND "orders"."update_at" IS NOT NULL)'
    of = 'DELETE FROM "staged" USING "dw"."orders" WHERE "staged"."c0" = "orders"."id" AND "staged"."file" IN'
    assert DW.delete_outdated("orders", STAGING, KEY, CURSOR, OutdatedRows((0, 2))) == f"{of} (0, 2) AND ({beaten})"
    tie = '"orders"."update_at" = "staged"."c1" OR ("staged"."c1" IS NULL AND "orders"."update_at" IS NULL)'
    assert (
        DW.delete_outdated("orders", STAGING, KEY, CURSOR, OutdatedRows((1,), ties=True))
        == f"{of} (1) AND ({beaten} OR {tie})"
    )


def test_a_row_takes_what_its_file_carries_and_loses_what_the_source_has_no_more() -> None:
    update = Update(("update_at", "note"), ("gone",), (0, 1))
    assert DW.update_rows("orders", STAGING, KEY, update) == (
        'UPDATE "dw"."orders" SET "update_at" = "staged"."c1", "note" = "staged"."c2", "gone" = NULL FROM "staged"'
        ' WHERE "staged"."c0" = "orders"."id" AND "staged"."file" IN (0, 1)'
    )


def test_rows_are_added_whose_whole_key_the_target_does_not_have() -> None:
    assert DW.insert_absent("orders", STAGING, ("id", "note")) == (
        'INSERT INTO "dw"."orders" ("id", "update_at", "note")'
        ' SELECT "staged"."c0", "staged"."c1", "staged"."c2" FROM "staged" LEFT JOIN "dw"."orders"'
        ' ON "staged"."c0" = "orders"."id" AND "staged"."c2" = "orders"."note" WHERE "orders"."id" IS NULL'
    )


def test_after_a_merge_every_staged_row_is_there_by_key_and_cursor() -> None:
    assert DW.count_absent("orders", STAGING, KEY, CURSOR) == (
        'SELECT count(*) FROM "staged" LEFT JOIN "dw"."orders" ON "staged"."c0" = "orders"."id"'
        ' AND ("orders"."update_at" = "staged"."c1" OR ("staged"."c1" IS NULL AND "orders"."update_at" IS NULL))'
        ' WHERE "orders"."id" IS NULL'
    )

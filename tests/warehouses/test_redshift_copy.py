"""How files get into Redshift's staging: which of them by one COPY, straight or by a landing table."""

import re
from datetime import UTC
from typing import Any

import pyarrow as pa
from msgspec.structs import replace

from tests.servers import Database
from tests.servers.redshift import RedshiftStandIn
from tests.servers.s3 import S3Server
from tests.warehouses.bench import TARGET, Bench, at, rows
from tests.warehouses.conftest import ROLE, redshift_bench
from wmtui.model import Level
from wmtui.warehouses import TargetLayout
from wmtui.warehouses.load_request import LoadFile


def test_files_of_one_schema_are_one_copy_of_a_manifest(rs_bench: Bench, stand_in: RedshiftStandIn) -> None:
    rs_bench.load(*(rows((number, at(1), "a")) for number in range(20)))

    (copy,) = stand_in.copies
    assert re.fullmatch(
        r'COPY "wmtui_staging_\w+_load-\d+" \("c0", "c1", "c2"\)'
        r" FROM 's3://[\w-]+/watermark/manifests/load-\d+-1.json'"
        rf" IAM_ROLE '{ROLE}' FORMAT AS PARQUET MANIFEST STATUPDATE OFF",
        copy,
    )
    assert len(rs_bench.target()) == 20


def test_files_are_landed_first_where_the_target_keeps_something_otherwise(
    rs_bench: Bench, stand_in: RedshiftStandIn
) -> None:
    rs_bench.execute(f"CREATE TABLE {TARGET} (id bigint, update_at timestamp, note varchar(5))")
    instants = pa.schema([("id", pa.int64()), ("update_at", pa.timestamp("us", "UTC")), ("note", pa.string())])
    rs_bench.load(rows((1, at(1).replace(tzinfo=UTC), "a"), schema=instants), target="instants")
    rs_bench.load(rows((1, at(1), "a")))

    assert ['"wmtui_landing"' in copy for copy in stand_in.copies] == [True, True]
    assert rs_bench.target() == [(1, at(1), "a")]


def test_staging_is_distributed_by_the_distkey_of_the_target(rs_bench: Bench, stand_in: RedshiftStandIn) -> None:
    layout = TargetLayout(distkey="id")
    for _ in range(2):
        rs_bench.load(rows((1, at(1), "a")), layout=layout)
    rs_bench.load(rows((1, at(1), "a")), target="other")

    created = [statement for statement in stand_in.statements if "TEMPORARY TABLE" in statement]
    assert ['DISTKEY ("c0")' in statement for statement in created] == [True, True, False]


def test_staging_is_analysed_by_its_key_before_it_is_joined(rs_bench: Bench, stand_in: RedshiftStandIn) -> None:
    rs_bench.load(rows((1, at(1), "a")))
    assert not [statement for statement in stand_in.statements if statement.startswith("ANALYZE")]
    rs_bench.load(rows((1, at(2), "b")))
    (analyze,) = [statement for statement in stand_in.statements if statement.startswith("ANALYZE")]
    assert re.fullmatch(r'ANALYZE "wmtui_staging_\w+_load-\d+" \("c0"\)', analyze)


def test_rows_and_keys_are_counted_in_one_statement(rs_bench: Bench, stand_in: RedshiftStandIn) -> None:
    rs_bench.load(rows((1, at(1), "a")), primary_key=("id", "note"))
    counts = [statement for statement in stand_in.statements if statement.startswith("SELECT count(*)")]
    assert [statement.partition(" FROM ")[0] for statement in counts] == ['SELECT count(*), count("c0"), count("c2")']


def test_capitals_in_names_are_folded_as_redshift_does(
    pg_db: Database, stand_in: RedshiftStandIn, s3: S3Server
) -> None:
    bench = redshift_bench(stand_in, pg_db, s3, schema="Mart")
    bench.execute("CREATE SCHEMA mart")
    named = pa.schema([("OrderId", pa.int64()), ("UpdateAt", pa.timestamp("us")), ("Note", pa.string())])
    words: dict[str, Any] = {"target": "CustomerOrders", "primary_key": ("OrderId",), "cursor": "UpdateAt"}
    bench.load(rows((1, at(1), "a"), schema=named), **words)
    bench.load(rows((1, at(2), "b"), (2, at(1), "c"), schema=named), **words)

    assert bench.query("SELECT orderid, note FROM mart.customerorders ORDER BY 1") == [(1, "b"), (2, "c")]
    assert bench.row_count("CustomerOrders") == 2
    assert [entry.rows for entry in bench.ledger(target="CustomerOrders")] == [1, 2]
    assert all(check.level is Level.OK or "encrypted" in check.finding for check in bench.warehouse.check())


def test_files_of_two_schemas_are_two_copies_and_a_lacking_column_is_null(
    rs_bench: Bench, stand_in: RedshiftStandIn
) -> None:
    narrow = pa.schema([("id", pa.int64()), ("update_at", pa.timestamp("us"))])
    rs_bench.load(rows((1, at(1), "a")), rows((3, at(1), "c")), rows((2, at(1)), schema=narrow))

    assert len(stand_in.copies) == 2
    assert rs_bench.target() == [(1, at(1), "a"), (2, at(1), None), (3, at(1), "c")]


def test_files_whose_schemas_alternate_are_a_copy_for_each_schema(rs_bench: Bench, stand_in: RedshiftStandIn) -> None:
    narrow = pa.schema([("id", pa.int64()), ("update_at", pa.timestamp("us"))])
    rs_bench.load(*(rows((n, at(1), "a")) if n % 2 else rows((n, at(1)), schema=narrow) for n in range(1, 7)))

    assert len(stand_in.copies) == 2
    assert rs_bench.target() == [(n, at(1), "a" if n % 2 else None) for n in range(1, 7)]


def of_run(bench: Bench, run: str, *letters: str) -> list[LoadFile]:
    """Parts of a run, a row in each."""
    return [replace(bench.file(rows((1, at(1), letter))), run=run) for letter in letters]


def test_within_a_run_no_file_decides_and_all_are_one_copy(rs_bench: Bench, stand_in: RedshiftStandIn) -> None:
    rs_bench.load(*of_run(rs_bench, "run-1", *"a" * 60, "b"))

    assert len(stand_in.copies) == 1
    ((number, cursor, _),) = rs_bench.target()
    assert (number, cursor) == (1, at(1))


def test_where_the_later_run_decides_each_run_is_one_copy(rs_bench: Bench, stand_in: RedshiftStandIn) -> None:
    rs_bench.load(*of_run(rs_bench, "run-1", *"a" * 30), *of_run(rs_bench, "run-2", *"b" * 30))

    assert len(stand_in.copies) == 1 + 2
    assert rs_bench.target() == [(1, at(1), "b")]


def test_a_foreign_file_that_came_between_parts_of_a_run_decides_over_those_before_it(rs_bench: Bench) -> None:
    (before,) = of_run(rs_bench, "run-1", "a")
    after = replace(rs_bench.file(rows((2, at(1), "c"))), run="run-1")
    rs_bench.load(before, rows((1, at(1), "b")), after)

    assert rs_bench.target() == [(1, at(1), "b"), (2, at(1), "c")]


def test_where_the_later_foreign_file_decides_each_is_copied_alone(rs_bench: Bench, stand_in: RedshiftStandIn) -> None:
    rs_bench.load(*(rows((1, at(1), letter)) for letter in "abc"))

    assert len(stand_in.copies) == 4
    assert rs_bench.target() == [(1, at(1), "c")]


def test_a_row_that_was_read_twice_alike_does_not_part_its_files(rs_bench: Bench, stand_in: RedshiftStandIn) -> None:
    rs_bench.load(rows((1, at(1), None), (2, at(1), "b")), rows((1, at(1), None), (3, at(1), "c")))

    assert len(stand_in.copies) == 1
    assert rs_bench.target() == [(1, at(1), None), (2, at(1), "b"), (3, at(1), "c")]


def test_between_files_of_two_schemas_the_later_decides_too(rs_bench: Bench) -> None:
    other = pa.schema([("note", pa.string()), ("id", pa.int64()), ("update_at", pa.timestamp("us"))])
    rs_bench.load(rows((1, at(1), "a")), rows(("b", 1, at(1)), schema=other), rows((2, at(1), "c")))

    assert rs_bench.target() == [(1, at(1), "b"), (2, at(1), "c")]


def test_of_three_files_of_two_schemas_the_last_decides(rs_bench: Bench) -> None:
    other = pa.schema([("note", pa.string()), ("id", pa.int64()), ("update_at", pa.timestamp("us"))])
    rs_bench.load(rows((1, at(1), "a")), rows(("b", 1, at(1)), schema=other), rows((1, at(1), "c")))

    assert rs_bench.target() == [(1, at(1), "c")]


def test_every_file_is_told_of_once_although_it_was_copied_twice(rs_bench: Bench) -> None:
    files = [rs_bench.file(rows((1, at(1), letter))) for letter in "abc"]
    told: list[LoadFile] = []
    rs_bench.warehouse.load(rs_bench.request(*files), rs_bench.open_part, lambda file, _rows: told.append(file))

    assert told == files

"""What a merge touches: the columns that a row's own file carries, in rows it beats, and nothing else."""

import pyarrow as pa
import pytest
from msgspec.structs import replace

from tests.warehouses.bench import SCHEMA, TARGET, Bench, at, rows
from wmtui.errors import TableError

NARROW = pa.schema([("id", pa.int64()), ("update_at", pa.timestamp("us"))])


def test_rows_of_other_tables_that_refer_to_an_updated_row_stay(pg_bench: Bench) -> None:
    pg_bench.load(rows((1, at(1), "a"), (2, at(1), "b")))
    pg_bench.execute(f"CREATE TABLE child (parent bigint REFERENCES {TARGET} ON DELETE CASCADE)")
    pg_bench.execute("INSERT INTO child VALUES (1), (1), (2)")
    pg_bench.load(rows((1, at(2), "new")))
    assert pg_bench.query("SELECT count(*) FROM child") == [(3,)]
    assert pg_bench.target() == [(1, at(2), "new"), (2, at(1), "b")]


def test_a_column_that_the_target_alone_has_keeps_its_values(bench: Bench) -> None:
    bench.load(rows((1, at(1), "a"), (2, at(1), "b")))
    bench.execute(f"ALTER TABLE {TARGET} ADD COLUMN judged text")
    bench.execute(f"UPDATE {TARGET} SET judged = 'good'")
    bench.load(rows((1, at(2), "new")))
    assert sorted(bench.query(f"SELECT id, note, judged FROM {TARGET}")) == [(1, "new", "good"), (2, "b", "good")]


def test_a_column_that_the_source_dropped_becomes_null_in_rows_that_change(bench: Bench) -> None:
    bench.load(rows((1, at(1), "a"), (2, at(1), "b")))
    bench.load(rows((1, at(2)), schema=NARROW))
    assert bench.target() == [(1, at(2), None), (2, at(1), "b")]


def test_a_foreign_file_changes_only_the_columns_it_has(bench: Bench) -> None:
    bench.load(rows((1, at(1), "a"), (2, at(1), "b")))
    bench.load(replace(bench.file(rows((1, at(2)), schema=NARROW)), rows=None))
    assert bench.target() == [(1, at(2), "a"), (2, at(1), "b")]


def test_files_of_one_load_each_change_their_own_columns(bench: Bench) -> None:
    bench.load(rows((1, at(1), "a"), (2, at(1), "b"), (3, at(1), "c")))
    foreign = replace(bench.file(rows((1, at(2)), schema=NARROW)), rows=None)
    bench.load(foreign, rows((2, at(2), "two")), rows((3, at(2)), schema=NARROW))
    assert bench.target() == [(1, at(2), "a"), (2, at(2), "two"), (3, at(2), None)]


def test_of_equal_cursors_what_was_read_before_the_last_load_loses(bench: Bench) -> None:
    bench.load(rows((1, at(1), "last"), (2, None, "last")))
    late = replace(bench.file(rows((1, at(1), "late"), (2, None, "late"), (3, at(1), "new"))), loses_ties=True)
    bench.load(late)
    assert bench.target() == [(1, at(1), "last"), (2, None, "last"), (3, at(1), "new")]


def test_after_a_reset_rows_of_the_target_give_way_whatever_their_cursor(bench: Bench) -> None:
    bench.load(rows((1, at(9), "dead"), (2, at(1), "old")))
    first = replace(bench.file(rows((1, at(2), "alive"), (2, at(2), "new"))), replaces=True)
    bench.load(first, rows((2, at(1), "older")), epoch=2)
    assert bench.target() == [(1, at(2), "alive"), (2, at(2), "new")]


@pytest.mark.parametrize("primary_key", [("id",), ()])
def test_a_trigger_that_keeps_rows_out_is_noticed_and_nothing_is_loaded(
    pg_bench: Bench, primary_key: tuple[str, ...]
) -> None:
    pg_bench.load(rows((1, at(1), "a")), primary_key=primary_key)
    pg_bench.execute("CREATE FUNCTION drop_row() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'")
    for event in ("INSERT", "UPDATE"):
        pg_bench.execute(
            f"CREATE TRIGGER no_{event} BEFORE {event} ON {TARGET} FOR EACH ROW EXECUTE FUNCTION drop_row()"
        )
    for number in (1, 2):
        with pytest.raises(TableError, match="did not take every row") as failure:
            pg_bench.load(rows((number, at(2), "b")), primary_key=primary_key)
        assert "wmtui doctor" in failure.value.next_step
    assert pg_bench.target() == [(1, at(1), "a")]
    assert len(pg_bench.ledger()) == 1


def test_a_target_with_doubled_keys_is_updated_in_all_of_them(bench: Bench) -> None:
    bench.execute(f"CREATE TABLE {TARGET} (id bigint, update_at timestamp, note text)")
    bench.execute(f"INSERT INTO {TARGET} VALUES (1, '2025-01-01', 'x'), (1, '2025-01-01', 'y')")
    bench.load(rows((1, at(1), "new"), (2, at(1), "b")))
    assert sorted(bench.target()) == [(1, at(1), "new"), (1, at(1), "new"), (2, at(1), "b")]


def test_columns_of_the_source_named_like_those_of_staging_are_no_problem(bench: Bench) -> None:
    schema = pa.schema([*SCHEMA, *((name, pa.int64()) for name in ("file", "row", "c0", "wmtui:file", "wmtui:row"))])
    bench.load(rows((1, at(1), "a", 1, 2, 3, 4, 5), schema=schema))
    bench.load(rows((1, at(2), "b", 6, 7, 8, 9, 10), schema=schema))
    assert bench.target() == [(1, at(2), "b", 6, 7, 8, 9, 10)]

"""Which row of a key survives a load, whatever the order in which files arrive."""

from datetime import UTC, timedelta

import pyarrow as pa

from tests.warehouses.bench import SCHEMA, TARGET, Bench, at, rows
from wmtui.model import utc_now


def test_the_first_load_creates_the_target_with_a_primary_key(bench: Bench) -> None:
    result = bench.load(rows((1, at(1), "a"), (2, at(2), None)))
    assert bench.target() == [(1, at(1), "a"), (2, at(2), None)]
    assert result.rows == 2
    assert bench.row_count(TARGET) == 2
    constraints = bench.query(
        f"SELECT constraint_type FROM information_schema.table_constraints WHERE table_name = '{TARGET}'"
    )
    enforces = bench.kind != "redshift"  # There it is declared, which the stand-in keeps to itself.
    assert (("PRIMARY KEY",) in constraints) == enforces


def test_nothing_is_there_before_the_first_load(bench: Bench) -> None:
    assert bench.row_count(TARGET) is None
    assert bench.ledger() == []


def test_an_update_replaces_its_row(bench: Bench) -> None:
    bench.load(rows((1, at(1), "old"), (2, at(1), "kept")))
    bench.load(rows((1, at(2), "new")))
    assert bench.target() == [(1, at(2), "new"), (2, at(1), "kept")]


def test_an_old_file_loaded_late_never_overwrites_a_newer_row(bench: Bench) -> None:
    bench.load(rows((1, at(5), "newer")))
    bench.load(rows((1, at(4), "older"), (2, at(4), "missing until now")))
    assert bench.target() == [(1, at(5), "newer"), (2, at(4), "missing until now")]


def test_with_equal_cursors_the_staged_row_wins(bench: Bench) -> None:
    bench.load(rows((1, at(1), "first")))
    bench.load(rows((1, at(1), "second")))
    assert bench.target() == [(1, at(1), "second")]


def test_keys_that_differ_in_blanks_at_the_end_are_two(bench: Bench) -> None:
    named = pa.schema([("id", pa.string()), ("update_at", pa.timestamp("us")), ("note", pa.string())])
    bench.load(rows(("a", at(1), "one"), ("a ", at(1), "two"), schema=named))
    bench.load(rows(("a ", at(2), "three"), ("a  ", at(2), "four"), schema=named))
    assert sorted(bench.target()) == [("a", at(1), "one"), ("a ", at(2), "three"), ("a  ", at(2), "four")]


def test_of_two_files_with_equal_cursors_the_later_wins(bench: Bench) -> None:
    bench.load(rows((1, at(1), "a"), (2, at(9), "newest")), rows((1, at(1), "b"), (2, at(1), "old")))
    assert bench.target() == [(1, at(1), "b"), (2, at(9), "newest")]


def test_of_two_rows_of_one_file_with_equal_cursors_the_later_wins(bench: Bench) -> None:
    many = [(number % 7, at(1), f"{number}" * (number % 50)) for number in range(7_000)]
    bench.load(rows(*many))
    if bench.kind == "redshift":  # COPY keeps no order of rows: it is one of them.
        assert [row[0] for row in bench.target()] == list(range(7))
        assert set(bench.target()) <= set(many)
    else:
        assert bench.target() == sorted(many[-7:])


def test_a_row_without_cursor_loses_to_any_other(bench: Bench) -> None:
    bench.load(rows((1, None, "none"), (2, at(1), "some")))
    bench.load(rows((1, at(1), "some"), (2, None, "none"), (3, None, "a"), (3, at(1), "b"), (4, None, "c")))
    assert bench.target() == [(1, at(1), "some"), (2, at(1), "some"), (3, at(1), "b"), (4, None, "c")]


def test_without_cursor_on_both_sides_the_staged_row_wins(bench: Bench) -> None:
    bench.load(rows((1, None, "first")))
    bench.load(rows((1, None, "second")))
    assert bench.target() == [(1, None, "second")]


def test_text_and_composite_keys_compare_as_the_database_compares(bench: Bench) -> None:
    schema = pa.schema([("region", pa.string()), ("id", pa.int64()), ("update_at", pa.timestamp("us", "UTC"))])
    early, late = at(1).replace(tzinfo=UTC), at(2).replace(tzinfo=UTC)
    bench.load(rows(("e", 1, late), ("E", 1, late), ("é😀", 1, early), schema=schema), primary_key=("region", "id"))
    bench.load(rows(("e", 1, early), ("é😀", 1, late), schema=schema), primary_key=("region", "id"))
    newer = bench.query(f"SELECT count(*) FROM {TARGET} WHERE update_at = '2025-08-09 20:02:00+00'")
    assert (bench.row_count(TARGET), newer) == (3, [(3,)])


def test_without_primary_key_rows_are_appended(bench: Bench) -> None:
    bench.load(rows((1, at(1), "a"), (1, at(1), "a")), primary_key=())
    bench.load(rows((1, at(1), "a"), (None, at(1), "b")), primary_key=())
    assert bench.row_count(TARGET) == 4


def test_an_existing_target_without_an_index_on_the_key_works(bench: Bench) -> None:
    bench.execute(f"CREATE TABLE {TARGET} (id bigint, update_at timestamp, note text)")
    bench.load(rows((1, at(1), "a"), (2, at(1), "b")))
    bench.load(rows((1, at(2), "c")))
    assert bench.target() == [(1, at(2), "c"), (2, at(1), "b")]


def test_a_file_without_rows_is_loaded_and_remembered(bench: Bench) -> None:
    result = bench.load(SCHEMA.empty_table())
    assert (len(result.loaded), result.rows, bench.target()) == (1, 0, [])
    assert len(bench.ledger()) == 1


def test_the_ledger_tells_what_was_loaded_when_and_by_which_load(bench: Bench) -> None:
    file = bench.file(rows((1, at(1), "a"), (2, at(1), "b")))
    bench.load(file, load_id="the-load")
    (entry,) = bench.ledger()
    assert (entry.uri, entry.etag, entry.rows, entry.load_id) == (file.uri, file.etag, 2, "the-load")
    assert entry.loaded_at.tzinfo is UTC
    assert abs(entry.loaded_at - utc_now()) < timedelta(minutes=5)
    assert bench.ledger(table="shop.other") == []

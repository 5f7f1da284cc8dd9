"""A ledger of the first format is taken over in one transaction, and an older wmtui fails on the new one clearly."""

from datetime import UTC, datetime

import pytest

from tests.warehouses.bench import FEED, STORE, TABLE, TARGET, Bench, at, concurrent_loads, rows
from wmtui.errors import WmtuiError
from wmtui.warehouses import Feed

FIRST = (
    "CREATE TABLE wmtui_ledger (table_name varchar(1024) NOT NULL, target varchar(1024) NOT NULL,"
    ' uri varchar(4096) NOT NULL, etag varchar(256) NOT NULL, "rows" bigint NOT NULL, load_id varchar(256) NOT NULL,'
    " epoch bigint NOT NULL, token bigint NOT NULL, loaded_at timestamp NOT NULL)",
    "CREATE TABLE wmtui_fence (table_name varchar(1024) NOT NULL, target varchar(1024) NOT NULL,"
    " token bigint NOT NULL)",
    f"INSERT INTO wmtui_ledger VALUES ('{TABLE}', '{TARGET}', 's3://lake/part-0', 'etag-0', 10, 'load-0', 1, 4,"
    " '2025-08-09 20:00:00')",
    f"INSERT INTO wmtui_fence VALUES ('{TABLE}', '{TARGET}', 4)",
    "INSERT INTO wmtui_ledger VALUES ('shop.items', 'mart.items', 's3://lake/i', 'e', 3, 'load-1', 2, 7,"
    " '2025-08-09 20:00:00')",
    "INSERT INTO wmtui_fence VALUES ('shop.items', 'mart.items', 7)",
)


@pytest.fixture
def first_format(bench: Bench) -> Bench:
    """A warehouse that an older wmtui loaded into."""
    bench.execute(f"CREATE TABLE {TARGET} (id bigint, update_at timestamp, note text)")
    for statement in FIRST:
        bench.execute(statement)
    return bench


def test_what_it_knows_is_read_before_it_is_taken_over_and_is_nobodys(first_format: Bench) -> None:
    known = first_format.warehouse.loads(FEED)
    (entry,), (fence,) = known.entries, known.fences
    assert known.warehouse is None
    assert (entry.store, entry.key, entry.uri, entry.etag, entry.load_id) == (
        "",
        "",
        "s3://lake/part-0",
        "etag-0",
        "load-0",
    )
    assert entry.loaded_at == datetime(2025, 8, 9, 20, tzinfo=UTC)
    assert (fence.store, fence.table, fence.token) == ("", TABLE, 4)


def test_the_next_load_takes_it_over_and_claims_what_is_its_own(first_format: Bench) -> None:
    first_format.file(rows((0, at(0), "loaded before")))
    first_format.load(rows((1, at(1), "a")), token=5, claim=True)
    known = first_format.warehouse.loads(FEED)
    assert known.warehouse
    assert (known.entries[0].store, known.entries[0].load_id) == (STORE, "load-0")
    assert [(fence.store, fence.token) for fence in known.fences] == [(STORE, 5)]
    items = first_format.warehouse.loads(Feed(STORE, "shop.items", "mart.items"))
    assert [(entry.store, entry.rows) for entry in items.entries] == [("", 3)]
    assert sorted(first_format.query("SELECT load_id FROM wmtui_ledger"))[:2] == [("load-0",), ("load-1",)]


def test_its_fence_counts_when_it_is_claimed(first_format: Bench) -> None:
    with pytest.raises(WmtuiError, match="a newer run has taken over"):
        first_format.load(rows((1, at(1), "a")), token=3, claim=True)


def test_it_is_taken_over_once_by_loads_at_once(first_format: Bench) -> None:
    first_format.file(rows((0, at(0), "loaded before")))
    results = concurrent_loads(first_format, first_format.file(rows((1, at(1), "a"))), token=5, claim=True, run="r")
    assert sorted(len(result.loaded) for result in results) == [0, 0, 0, 1]
    assert len(first_format.query("SELECT id FROM wmtui_warehouse")) == 1
    assert len(first_format.query(f"SELECT 1 FROM wmtui_ledger WHERE table_name = '{TABLE}'")) == 2


@pytest.mark.parametrize(
    "statement",
    [
        f"SELECT token FROM wmtui_fence WHERE table_name = '{TABLE}' AND target = '{TARGET}'",
        f"SELECT token FROM wmtui_fence WHERE table_name = 'shop.never' AND target = '{TARGET}'",
    ],
)
def test_an_older_wmtui_fails_at_its_first_question_and_is_told_to_be_upgraded(bench: Bench, statement: str) -> None:
    bench.load(rows((1, at(1), "a")))
    with pytest.raises(Exception, match="wmtui on this host is too old for this warehouse: upgrade it"):
        bench.query(statement)


def test_a_ledger_of_a_later_format_is_refused(bench: Bench) -> None:
    bench.load(rows((1, at(1), "a")))
    bench.execute("UPDATE wmtui_warehouse SET format = 3")
    for act in (lambda: bench.warehouse.loads(FEED), lambda: bench.load(rows((2, at(1), "b")))):
        with pytest.raises(WmtuiError, match="has format 3") as failure:
            act()
        assert "upgrade wmtui" in failure.value.next_step


def test_a_file_of_the_first_format_is_not_loaded_again(first_format: Bench) -> None:
    file = first_format.file(rows((1, at(1), "a")))
    first_format.execute(f"UPDATE wmtui_ledger SET uri = '{file.uri}', etag = '{file.etag}' WHERE load_id = 'load-0'")
    assert first_format.load(file, token=5, claim=True).already_loaded == (file,)
    assert first_format.target() == []


def test_a_warehouse_without_its_id_row_is_refused_with_what_puts_it_back(bench: Bench) -> None:
    bench.load(rows((1, at(1), "a")))
    bench.execute("DELETE FROM wmtui_warehouse")
    with pytest.raises(WmtuiError, match="has lost its id") as failure:
        bench.warehouse.loads(FEED)
    assert "INSERT INTO" in failure.value.next_step


def test_a_ledger_of_which_a_view_alone_is_left_is_made_again(bench: Bench) -> None:
    bench.load(rows((1, at(1), "a")))
    bench.execute("DROP VIEW wmtui_ledger")
    for name in sorted(bench.tables()):
        if name.startswith("wmtui_") and name != "wmtui_fence":
            bench.execute(f"DROP TABLE {name}")
    assert "wmtui_fence" in bench.tables()
    assert bench.load(rows((2, at(1), "b"))).rows == 1
    assert len(bench.ledger()) == 1


def test_tables_that_are_left_of_a_ledger_are_told_of_and_not_waited_for(bench: Bench) -> None:
    bench.load(rows((1, at(1), "a")))
    bench.execute("DROP TABLE wmtui_warehouse")
    bench.execute("DROP VIEW wmtui_ledger")
    with pytest.raises(WmtuiError, match="the ledger cannot be made") as failure:
        bench.load(rows((2, at(1), "b")))
    assert "restore wmtui_warehouse too, or drop them" in failure.value.next_step


def test_an_equal_token_of_another_run_is_refused(bench: Bench) -> None:
    bench.load(rows((1, at(1), "a")), token=5, run="one")
    bench.load(rows((2, at(1), "a")), token=5, run="one")
    with pytest.raises(WmtuiError, match="a newer run has taken over"):
        bench.load(rows((3, at(1), "b")), token=5, run="two")
    bench.load(rows((3, at(1), "b")), token=5, run="two", store="another")


def test_targets_written_with_and_without_the_schema_are_one(bench: Bench) -> None:
    schema = "main" if bench.kind == "duckdb" else "public"
    bench.load(rows((1, at(1), "a")))
    other = bench.warehouse.loads(Feed(STORE, "shop.other", f"{schema}.{TARGET}"))
    assert [fence.table for fence in other.fences] == [TABLE]

"""A first load into PostgreSQL builds the table that becomes the target; what cannot be built is staged."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import psycopg
import pyarrow as pa
import pytest

from tests.servers import Database
from tests.warehouses.bench import FEED, SCHEMA, TARGET, Bench, at, concurrent_loads, rows, staged_loads
from tests.warehouses.conftest import postgres_bench
from tests.warehouses.proxy import CommitBreaker
from wmtui.errors import Superseded, TableError, WarehouseError
from wmtui.warehouses import LoadFile, LoadRequest, Warehouse
from wmtui.warehouses.load.statements import BUILDING, staging_prefix
from wmtui.warehouses.postgres import warehouse as postgres


@pytest.fixture
def bench(pg_db: Database) -> Bench:
    return postgres_bench(pg_db)


@pytest.fixture
def staged(monkeypatch: pytest.MonkeyPatch) -> list[LoadRequest]:
    """The loads that were staged, not built."""
    return staged_loads(monkeypatch, postgres)


def leftovers(bench: Bench) -> list[str]:
    return [name for name in bench.tables() if name.startswith(("wmtui_staging", BUILDING))]


def primary_key(bench: Bench) -> list[tuple[Any, ...]]:
    return bench.query(
        "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"
        f" WHERE conrelid = '{TARGET}'::regclass AND contype = 'p'"
    )


def ahead(bench: Bench, warehouse: Warehouse, load_id: str, *tables: pa.Table, **changes: Any) -> list[LoadFile]:
    """Stage tables ahead of a load; the files may then not be opened."""
    files = [bench.file(table) for table in tables]
    for number, (file, table) in enumerate(zip(files, tables, strict=True)):
        warehouse.stage_ahead(bench.request(load_id=load_id, one_run=True, **changes), number, file, table)
    return files


def load_staged(bench: Bench, warehouse: Warehouse, load_id: str, *files: LoadFile, **changes: Any) -> int:
    """Load files, none of which may be opened."""

    def closed(file: LoadFile) -> Any:
        raise AssertionError(f"{file.key} was opened")

    request = bench.request(*files, load_id=load_id, **{"one_run": True, **changes})
    return warehouse.load(request, closed, lambda _file, _rows: None).rows


def test_a_first_load_of_one_run_builds_the_target(bench: Bench, staged: list[LoadRequest]) -> None:
    result = bench.load(rows((1, at(1), "a")), rows((2, at(2), None)), one_run=True, target_rows=0)
    assert (len(result.loaded), result.rows) == (2, 2)
    assert bench.target() == [(1, at(1), "a"), (2, at(2), None)]
    assert primary_key(bench) == [(f"{TARGET}_pkey", "PRIMARY KEY (id)")]
    known = bench.warehouse.loads(FEED)
    assert [(fence.target_id, fence.target_rows, fence.columns) for fence in known.fences] == [
        (known.target.id, 2, tuple(SCHEMA.names))
    ]
    assert len(bench.ledger()) == 2
    assert staged == []
    assert leftovers(bench) == []


def test_a_built_target_is_as_a_staged_one(bench: Bench) -> None:
    columns = (
        "SELECT column_name, data_type, is_nullable, ordinal_position FROM information_schema.columns"
        " WHERE table_name = '{}' ORDER BY ordinal_position"
    )
    content = rows((1, at(1), "a"))
    bench.load(content, one_run=True)
    bench.load(content, one_run=False, target="staged")
    assert bench.query(columns.format(TARGET)) == bench.query(columns.format("staged"))
    assert bench.query("SELECT * FROM staged") == bench.target()


def test_a_load_without_key_builds_the_target_of_many_runs(bench: Bench, staged: list[LoadRequest]) -> None:
    bench.load(rows((1, at(1), "a")), rows((1, at(1), "a")), primary_key=())
    assert bench.target() == [(1, at(1), "a")] * 2
    assert staged == []


def test_a_key_that_comes_twice_leaves_its_newest_row(bench: Bench, staged: list[LoadRequest]) -> None:
    bench.load(rows((1, at(1), "old"), (2, at(1), "b")), rows((1, at(3), "new"), (1, at(2), "older")), one_run=True)
    assert bench.target() == [(1, at(3), "new"), (2, at(1), "b")]
    assert len(staged) == 1
    assert primary_key(bench) == [(f"{TARGET}_pkey", "PRIMARY KEY (id)")]
    assert leftovers(bench) == []


def test_a_target_that_somebody_creates_meanwhile_is_loaded_into(bench: Bench, staged: list[LoadRequest]) -> None:
    def create(_file: LoadFile, _rows: int) -> None:
        bench.execute(f"CREATE TABLE IF NOT EXISTS {TARGET} (id bigint PRIMARY KEY, update_at timestamp, note text)")

    request = bench.request(bench.file(rows((1, at(1), "a"))), one_run=True)
    assert bench.warehouse.load(request, bench.open_part, create).rows == 1
    assert bench.target() == [(1, at(1), "a")]
    assert len(staged) == 1
    assert leftovers(bench) == []


def test_a_view_that_has_the_targets_name_by_then_is_not_replaced(bench: Bench) -> None:
    def create(_file: LoadFile, _rows: int) -> None:
        bench.execute(f"CREATE SEQUENCE IF NOT EXISTS {TARGET}")

    request = bench.request(bench.file(rows((1, at(1), "a"))), one_run=True)
    with pytest.raises(TableError):
        bench.warehouse.load(request, bench.open_part, create)
    assert leftovers(bench) == []
    assert bench.ledger() == []


def test_first_loads_at_once_count_once(bench: Bench) -> None:
    files = bench.file(rows((1, at(1), "a"))), bench.file(rows((2, at(2), "b")))
    results = concurrent_loads(bench, *files, one_run=True)
    assert sorted(len(result.loaded) for result in results) == [0, 0, 0, 2]
    assert [row[0] for row in bench.target()] == [1, 2]
    assert len(bench.ledger()) == 2
    bench.load(rows((3, at(3), "c")))
    assert leftovers(bench) == []


def test_a_file_with_fewer_rows_than_promised_builds_nothing(bench: Bench) -> None:
    with pytest.raises(TableError, match="were promised"):
        bench.load(bench.file(rows((1, at(1), "a")), promised=2), one_run=True)
    assert leftovers(bench) == []
    assert bench.row_count() is None


def test_a_stop_between_files_builds_nothing(bench: Bench) -> None:
    def stop(_file: LoadFile, _rows: int) -> None:
        raise KeyboardInterrupt

    request = bench.request(bench.file(rows((1, at(1), "a"))), one_run=True)
    with pytest.raises(KeyboardInterrupt):
        bench.warehouse.load(request, bench.open_part, stop)
    assert leftovers(bench) == []
    assert bench.row_count() is None


@pytest.mark.parametrize("change", ["DELETE FROM {}", "DROP TABLE {}", "INSERT INTO {} VALUES (9, NULL, 'x')"])
def test_a_table_that_another_program_changed_does_not_become_the_target(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, staged: list[LoadRequest], change: str
) -> None:
    become = postgres.become_target

    def changed(session: Any, request: LoadRequest, builder: Any) -> Any:
        with suppress(psycopg.Error):
            session.execute(change.format(builder.table))
        return become(session, request, builder)

    monkeypatch.setattr(postgres, "become_target", changed)
    bench.load(rows((1, at(1), "a")), one_run=True)
    assert bench.target() == [(1, at(1), "a")]
    assert len(staged) == 1
    assert leftovers(bench) == []


@pytest.mark.parametrize("delivered", [True, False])
def test_after_a_broken_commit_of_a_first_load_the_ledger_says_what_happened(pg_db: Database, delivered: bool) -> None:
    breaker = CommitBreaker(pg_db.server.port, deliver=delivered)
    bench = postgres_bench(pg_db, port=breaker.port)
    direct = postgres_bench(pg_db)
    direct.load(rows((0, at(0), "z")), target="other", table="shop.other")  # The ledger is there.
    file = bench.file(rows((1, at(1), "a")))
    with breaker.running():
        if delivered:
            assert bench.load(file, one_run=True).loaded == (file,)
        else:
            with pytest.raises(WarehouseError, match="lost the warehouse"):
                bench.load(file, one_run=True)
    assert breaker.broken == 1
    assert direct.row_count() == (1 if delivered else None)
    direct.load(rows((2, at(2), "b")), one_run=True)
    assert leftovers(direct) == []


def test_what_a_killed_load_left_is_dropped_by_the_next_that_has_the_fence(bench: Bench) -> None:
    bench.load(rows((1, at(1), "a")), token=5)
    left = f"{staging_prefix(FEED, BUILDING)}killed"
    bench.execute(f"CREATE TABLE {left} (id bigint)")
    with pytest.raises(Superseded):
        bench.load(rows((2, at(2), "b")), token=4)
    assert leftovers(bench) == [left]
    bench.load(rows((2, at(2), "b")), token=6)
    assert leftovers(bench) == []


def test_a_table_that_a_load_still_writes_is_left_and_dropped_later(pg_db: Database, bench: Bench) -> None:
    bench.load(rows((1, at(1), "a")))
    left = f"{staging_prefix(FEED, BUILDING)}asleep"
    bench.execute(f"CREATE TABLE {left} (id bigint)")
    with pg_db.connect() as holder, holder.transaction():
        holder.execute(f"INSERT INTO {left} VALUES (1)")
        bench.load(rows((2, at(2), "b")), token=2)
        assert leftovers(bench) == [left]
    bench.load(rows((3, at(3), "c")), token=3)
    assert leftovers(bench) == []


def test_what_other_tables_build_is_left_alone(bench: Bench) -> None:
    bench.execute(f"CREATE TABLE {BUILDING}_00000000_other (id bigint)")
    bench.load(rows((1, at(1), "a")), one_run=True)
    assert leftovers(bench) == [f"{BUILDING}_00000000_other"]


@pytest.fixture
def shared(bench: Bench) -> Iterator[Warehouse]:
    """A warehouse on one connection."""
    with bench.warehouse.on_one_connection() as warehouse:
        yield warehouse


def test_files_built_ahead_are_not_opened_by_the_load(
    bench: Bench, shared: Warehouse, staged: list[LoadRequest]
) -> None:
    files = ahead(bench, shared, "x", rows((1, at(1), "a")), rows((2, at(2), "b")))
    assert bench.row_count() is None
    assert load_staged(bench, shared, "x", *files) == 2
    assert [row[0] for row in bench.target()] == [1, 2]
    assert staged == []


def test_files_staged_ahead_are_not_opened_by_the_load(bench: Bench, shared: Warehouse) -> None:
    bench.load(rows((1, at(1), "a")))
    files = ahead(bench, shared, "x", rows((1, at(2), "new")), rows((2, at(2), "b")))
    assert bench.target() == [(1, at(1), "a")]
    assert load_staged(bench, shared, "x", *files) == 2
    assert bench.target() == [(1, at(2), "new"), (2, at(2), "b")]


def test_of_equal_rows_that_were_staged_ahead_the_later_files_wins_whatever_came_first(
    bench: Bench, shared: Warehouse
) -> None:
    bench.load(rows((9, at(1), "z")))
    early, late = rows((1, at(2), "early")), rows((1, at(2), "late"))
    files = bench.file(early), bench.file(late)
    for number, content in ((1, late), (0, early)):
        shared.stage_ahead(bench.request(load_id="x", one_run=True), number, files[number], content)
    load_staged(bench, shared, "x", *files)
    assert bench.target()[0] == (1, at(2), "late")


@pytest.mark.parametrize("known", [True, False])
def test_files_that_a_load_brings_beside_those_staged_ahead_keep_their_order(
    bench: Bench, shared: Warehouse, known: bool
) -> None:
    if known:
        bench.load(rows((9, at(1), "z")))
    before, content, after = (rows((1, at(2), note)) for note in ("before", "staged", "after"))
    first, last = bench.file(before), bench.file(after)
    middle = bench.file(content)
    shared.stage_ahead(bench.request(load_id="x", one_run=True), 100, middle, content)
    request = bench.request(first, middle, last, load_id="x")
    shared.load(request, bench.open_part, lambda _file, _rows: None)
    assert bench.target()[0] == (1, at(2), "after")


@pytest.mark.parametrize("known", [True, False])
def test_a_file_staged_ahead_that_the_load_did_not_choose_is_not_loaded(
    bench: Bench, shared: Warehouse, known: bool
) -> None:
    if known:
        bench.load(rows((9, at(1), "z")))
    ahead(bench, shared, "x", rows((1, at(1), "a")))
    request = bench.request(bench.file(rows((2, at(2), "b"))), load_id="x", one_run=True)
    shared.load(request, bench.open_part, lambda _file, _rows: None)
    assert [row[0] for row in bench.target()] == ([2, 9] if known else [2])
    assert len(bench.ledger()) == (2 if known else 1)


@pytest.mark.parametrize("known", [True, False])
def test_what_no_load_came_for_is_dropped_with_the_connection(bench: Bench, known: bool) -> None:
    if known:
        bench.load(rows((9, at(1), "z")))
    with bench.warehouse.on_one_connection() as warehouse:
        ahead(bench, warehouse, "x", rows((1, at(1), "a")))
    assert leftovers(bench) == []
    assert bench.row_count() == (1 if known else None)


@pytest.mark.parametrize("known", [True, False])
def test_what_was_staged_on_a_connection_that_was_lost_is_staged_again(
    pg_db: Database, bench: Bench, shared: Warehouse, known: bool
) -> None:
    if known:
        bench.load(rows((9, at(1), "z")))
    content = rows((1, at(1), "a"))
    (file,) = ahead(bench, shared, "x", content)
    bench.execute(
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
        f" WHERE application_name = 'wmtui' AND datname = '{pg_db.name}'"
    )
    request = bench.request(file, load_id="x", one_run=True)
    assert shared.load(request, bench.open_part, lambda _file, _rows: None).rows == 1
    assert bench.target()[0] == (1, at(1), "a")
    assert leftovers(bench) == []


def test_a_target_that_was_altered_since_files_were_staged_ahead_is_staged_for_again(
    bench: Bench, shared: Warehouse
) -> None:
    bench.load(rows((9, at(1), "z")))
    (file,) = ahead(bench, shared, "x", rows((1, at(1), "a")))
    bench.execute(f"ALTER TABLE {TARGET} ADD COLUMN extra text")
    request = bench.request(file, load_id="x", one_run=True)
    shared.load(request, bench.open_part, lambda _file, _rows: None)
    assert bench.target()[0] == (1, at(1), "a", None)


def test_a_target_that_was_dropped_since_files_were_staged_ahead_is_made_again(bench: Bench, shared: Warehouse) -> None:
    bench.load(rows((9, at(1), "z")))
    (file,) = ahead(bench, shared, "x", rows((1, at(1), "a")))
    bench.execute(f"DROP TABLE {TARGET}")
    request = bench.request(file, load_id="x", one_run=True)
    shared.load(request, bench.open_part, lambda _file, _rows: None)
    assert bench.target() == [(1, at(1), "a")]
    assert primary_key(bench) == [(f"{TARGET}_pkey", "PRIMARY KEY (id)")]


def test_rows_staged_ahead_are_those_of_the_file(bench: Bench, shared: Warehouse) -> None:
    content = rows((1, at(1), "a"), (2, at(1), None))
    (file,) = ahead(bench, shared, "x", content)
    load_staged(bench, shared, "x", file)
    bench.load(content, target="read", one_run=True)
    assert bench.query("SELECT * FROM read ORDER BY id") == bench.target()

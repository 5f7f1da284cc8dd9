"""A first load into DuckDB makes the target of the files themselves; what cannot be made so is staged."""

import signal
import subprocess
import sys
from pathlib import Path
from threading import Event, Thread
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from tests.warehouses.bench import FEED, SCHEMA, TARGET, Bench, at, rows, staged_loads
from tests.warehouses.conftest import duckdb_bench
from wmtui.errors import FileMisfit, Superseded, TableError
from wmtui.warehouses import LoadFile, LoadRequest, LoadResult
from wmtui.warehouses.duckdb import warehouse as duckdb_warehouse

_KILLED_HALF_WAY = """
import os
import signal
import sys
from pathlib import Path

from tests.warehouses.bench import at, rows
from tests.warehouses.conftest import duckdb_bench

bench = duckdb_bench(Path(sys.argv[1]))
files = bench.file(rows(*((n, at(1), 'x' * 100) for n in range(300_000)))), bench.file(rows((-1, at(1), 'a')))

def kill(file, _rows):
    if file == files[0]:
        os.kill(os.getpid(), signal.SIGKILL)

bench.warehouse.load(bench.request(*files, one_run=True), bench.open_part, kill)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "dw.duckdb"


@pytest.fixture
def bench(path: Path) -> Bench:
    return duckdb_bench(path)


@pytest.fixture
def staged(monkeypatch: pytest.MonkeyPatch) -> list[LoadRequest]:
    """The loads that were staged, not built."""
    return staged_loads(monkeypatch, duckdb_warehouse)


def primary_key(bench: Bench) -> list[tuple[Any, ...]]:
    return bench.query(
        f"SELECT constraint_column_names FROM duckdb_constraints() WHERE table_name = '{TARGET}'"
        " AND constraint_type = 'PRIMARY KEY'"
    )


def test_a_first_load_of_one_run_makes_the_target_of_its_files(bench: Bench, staged: list[LoadRequest]) -> None:
    result = bench.load(rows((1, at(1), "a")), rows((2, at(2), None)), one_run=True, target_rows=0)
    assert (len(result.loaded), result.rows) == (2, 2)
    assert bench.target() == [(1, at(1), "a"), (2, at(2), None)]
    assert primary_key(bench) == [(["id"],)]
    fences = bench.warehouse.loads(FEED).fences
    assert [(fence.target_rows, fence.columns) for fence in fences] == [(2, tuple(SCHEMA.names))]
    assert len(bench.ledger()) == 2
    assert staged == []


def test_a_target_made_of_files_is_as_a_staged_one(bench: Bench) -> None:
    columns = "SELECT column_name, data_type, is_nullable FROM duckdb_columns() WHERE table_name = '{}' ORDER BY 1"
    content = rows((1, at(1), "a"))
    bench.load(content, one_run=True)
    bench.load(content, one_run=False, target="staged")
    assert bench.query(columns.format(TARGET)) == bench.query(columns.format("staged"))
    assert bench.query("SELECT * FROM staged") == bench.target()


def test_rows_keep_the_order_of_their_files(bench: Bench) -> None:
    files = [rows(*((n, at(1), None) for n in range(start, start + 150_000))) for start in (150_000, 0)]
    bench.load(*files, one_run=True)
    found = [number for (number,) in bench.query(f"SELECT id FROM {TARGET}")]
    assert found == [*range(150_000, 300_000), *range(150_000)]


def test_files_of_a_table_without_key_keep_equal_rows(bench: Bench, staged: list[LoadRequest]) -> None:
    bench.load(rows((1, at(1), "a")), rows((1, at(1), "a")), primary_key=())
    assert bench.target() == [(1, at(1), "a")] * 2
    assert staged == []


@pytest.mark.parametrize("apart", [True, False])
def test_of_a_key_that_comes_twice_the_newest_row_stays(bench: Bench, staged: list[LoadRequest], apart: bool) -> None:
    old, others = [(1, at(1), "old"), (2, at(1), "b")], [(1, at(3), "new"), (1, at(2), "older")]
    files = [rows(*old), rows(*others)] if apart else [rows(*old, *others)]
    result = bench.load(*files, one_run=True, target_rows=0)
    assert (len(result.loaded), result.rows) == (len(files), 4)
    assert bench.target() == [(1, at(3), "new"), (2, at(1), "b")]
    assert len(staged) == 1
    assert primary_key(bench) == [(["id"],)]
    assert len(bench.ledger()) == len(files)


def test_files_with_other_columns_than_the_first_are_staged(bench: Bench, staged: list[LoadRequest]) -> None:
    more = pa.schema([*SCHEMA, ("price", pa.int64())])
    bench.load(rows((1, at(1), "a")), rows((2, at(2), "b", 7), schema=more), one_run=True)
    assert bench.target() == [(1, at(1), "a", None), (2, at(2), "b", 7)]
    assert len(staged) == 1


def test_a_load_of_several_runs_is_staged(bench: Bench, staged: list[LoadRequest]) -> None:
    bench.load(rows((1, at(1), "a")), rows((1, at(2), "b")))
    assert bench.target() == [(1, at(2), "b")]
    assert len(staged) == 1


def test_a_file_with_fewer_rows_than_promised_leaves_nothing(bench: Bench) -> None:
    with pytest.raises(TableError, match="were promised"):
        bench.load(rows((1, at(1), "a")), bench.file(rows((2, at(1), "b")), promised=2), one_run=True)
    assert (bench.row_count(), bench.ledger(), bench.fence()) == (None, [], 0)


def test_a_stop_between_files_leaves_nothing(bench: Bench) -> None:
    def stop(_file: LoadFile, _rows: int) -> None:
        raise KeyboardInterrupt

    request = bench.request(bench.file(rows((1, at(1), "a"))), one_run=True)
    with pytest.raises(KeyboardInterrupt):
        bench.warehouse.load(request, bench.open_part, stop)
    assert (bench.row_count(), bench.ledger(), bench.fence()) == (None, [], 0)
    assert bench.load(*request.files, one_run=True).rows == 1


def test_a_process_that_is_killed_half_way_leaves_nothing(bench: Bench, path: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", _KILLED_HALF_WAY, str(path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert (bench.row_count(), bench.ledger(), bench.fence()) == (None, [], 0)
    assert not any(name.startswith(("wmtui_staging", "wmtui_building")) for name in bench.tables())
    bench.load(rows((1, at(1), "a")), one_run=True)
    assert bench.target() == [(1, at(1), "a")]


def test_what_is_wrong_with_a_row_that_comes_late_is_said_as_of_the_first(bench: Bench) -> None:
    ids = [*range(100_000), None]
    content = pa.table({"id": ids, "update_at": [at(1)] * len(ids), "note": ["a"] * len(ids)}, SCHEMA)
    with pytest.raises(FileMisfit, match="key column id is NULL"):
        bench.load(content, one_run=True)
    assert bench.row_count() is None
    assert bench.load(rows((1, at(1), "a")), one_run=True).rows == 1


def test_a_lower_token_makes_no_target(bench: Bench) -> None:
    bench.load(rows((1, at(1), "a")), token=5, one_run=True)
    bench.execute(f"DROP TABLE {TARGET}")
    with pytest.raises(Superseded):
        bench.load(rows((2, at(2), "b")), token=4, one_run=True)
    assert bench.row_count() is None


def test_files_that_the_ledger_has_by_now_are_not_loaded_again(bench: Bench) -> None:
    files = bench.file(rows((1, at(1), "a"))), bench.file(rows((2, at(2), "b")))
    bench.load(files[0], one_run=True)
    bench.execute(f"DROP TABLE {TARGET}")
    result = bench.load(*files, token=2, one_run=True)
    assert (result.loaded, result.already_loaded) == (files[1:], files[:1])
    assert bench.target() == [(2, at(2), "b")]


def test_a_load_that_comes_while_another_makes_the_target_counts_once(bench: Bench, staged: list[LoadRequest]) -> None:
    file = bench.file(rows((1, at(1), "a")))
    other_staged = Event()
    results: list[LoadResult] = []

    def second() -> None:
        request = bench.request(file, one_run=True)
        done = bench.connect().load(request, bench.open_part, lambda _file, _rows: other_staged.set())
        results.append(done)

    thread = Thread(target=second)

    def first_has_copied(_file: LoadFile, _rows: int) -> None:
        thread.start()
        assert other_staged.wait(30)

    results.append(bench.warehouse.load(bench.request(file, one_run=True), bench.open_part, first_has_copied))
    thread.join(30)
    assert [len(result.loaded) for result in results] == [1, 0]
    assert bench.target() == [(1, at(1), "a")]
    assert len(staged) == 1


@pytest.mark.parametrize("twice", [True, False])
def test_other_connections_of_the_process_keep_their_settings(bench: Bench, path: Path, twice: bool) -> None:
    settings = "SELECT name, value FROM duckdb_settings() ORDER BY name"
    with duckdb.connect(path) as other:
        before = other.execute(settings).fetchall()
        bench.load(rows((1, at(1), "a"), (1 if twice else 2, at(2), "b")), one_run=True)
        assert other.execute(settings).fetchall() == before

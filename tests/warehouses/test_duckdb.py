"""What only DuckDB does: one process at a time, a file that may not exist yet."""

import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from types import SimpleNamespace

import duckdb
import pytest

import wmtui.warehouses.duckdb.warehouse
from tests.warehouses.bench import FEED, TARGET, at, rows
from tests.warehouses.conftest import duckdb_bench
from wmtui.config import DuckDBConfig
from wmtui.errors import WarehouseError
from wmtui.model import Level, utc_now
from wmtui.warehouses import KnownLoads
from wmtui.warehouses.duckdb.warehouse import DuckDBWarehouse

_HOLD = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('open', flush=True); sys.stdin.read()"


@contextmanager
def another_process_has_it_open(path: Path) -> Iterator["subprocess.Popen[str]"]:
    """A process that holds the file's lock until its standard input ends."""
    command = [sys.executable, "-c", _HOLD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        yield holder
        holder.communicate()


def test_a_file_that_another_process_has_open_is_refused_after_a_bounded_wait(tmp_path: Path) -> None:
    path = tmp_path / "dw.duckdb"
    warehouse = DuckDBWarehouse(DuckDBConfig(path=str(path)), utc_now, wait=timedelta(0))
    with another_process_has_it_open(path):
        with pytest.raises(WarehouseError, match="another process has"):
            warehouse.describe(TARGET)
        (check,) = warehouse.check()
    assert check.level is Level.ERROR


def test_a_file_that_is_released_in_time_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "dw.duckdb"
    with another_process_has_it_open(path) as holder:
        clock = SimpleNamespace(monotonic=time.monotonic, sleep=lambda _seconds: holder.communicate())
        monkeypatch.setattr(wmtui.warehouses.duckdb.warehouse, "time", clock)
        assert duckdb_bench(path).load(rows((1, at(1), "a"))).rows == 1


def test_looking_does_not_make_the_file(tmp_path: Path) -> None:
    path = tmp_path / "dw.duckdb"
    warehouse = DuckDBWarehouse(DuckDBConfig(path=str(path)), utc_now)
    assert (warehouse.describe(TARGET), warehouse.loads(FEED)) == (None, KnownLoads())
    assert [check.level for check in warehouse.check()] == [Level.OK]
    assert not path.exists()


def test_a_path_that_cannot_be_a_database_is_said_plainly(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello" * 1000)
    for path in (tmp_path / "text", tmp_path / "nowhere" / "dw.duckdb"):
        bench = duckdb_bench(path)
        with pytest.raises(WarehouseError, match=path.name):
            bench.load(rows((1, at(1), "a")))
        assert [check.level for check in bench.warehouse.check()] == [Level.ERROR]


def test_the_ledger_keeps_the_time_of_the_given_clock(tmp_path: Path) -> None:
    moment = datetime(2025, 8, 9, 20, 1, 2, 345, tzinfo=UTC)
    bench = duckdb_bench(tmp_path / "dw.duckdb")
    bench.warehouse = DuckDBWarehouse(DuckDBConfig(path=str(tmp_path / "dw.duckdb")), lambda: moment)
    bench.load(rows((1, at(1), "a")))
    assert [entry.loaded_at for entry in bench.ledger()] == [moment]


def test_a_file_that_another_thread_is_just_closing_is_opened_a_moment_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = duckdb_bench(tmp_path / "dw.duckdb")
    bench.load(rows((1, at(1), "a")))
    connect, refusals = duckdb.connect, iter([duckdb.Error("Unique file handle conflict: Cannot attach")])

    def closing(path: Path) -> duckdb.DuckDBPyConnection:
        for refusal in refusals:
            raise refusal
        return connect(path)

    monkeypatch.setattr(duckdb, "connect", closing)
    assert bench.row_count(TARGET) == 1


def test_a_file_that_another_thread_opens_and_closes_all_the_time_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wmtui.warehouses.duckdb.warehouse, "_POLL_SECONDS", 0.001)
    bench = duckdb_bench(tmp_path / "dw.duckdb")
    bench.load(rows((1, at(1), "a")))
    done = Event()

    def open_and_close() -> None:
        while not done.is_set():
            with suppress(duckdb.Error):
                duckdb.connect(tmp_path / "dw.duckdb").close()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(open_and_close)
        try:
            assert not any(bench.warehouse.loads(FEED).target.empty for _ in range(5))
        finally:
            done.set()

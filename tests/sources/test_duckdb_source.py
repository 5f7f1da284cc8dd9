"""DuckDB as source: its types, its clock, and the one process that DuckDB lets in."""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import IO

import duckdb
import pytest

from tests.sources.conftest import EVERYTHING, ZONE, Apart, SourceCase, read_rows, table_config
from wmtui.config import DuckDBConfig
from wmtui.errors import SourceError, UnsupportedValue
from wmtui.model import TableName, utc_now
from wmtui.sources.duckdb import session
from wmtui.sources.duckdb.source import DuckDBSource

VALUES = [
    ("BOOLEAN", "true", 1),
    ("TINYINT", "-128", -128),
    ("UTINYINT", "255", 255),
    ("SMALLINT", "-32768", -32768),
    ("USMALLINT", "65535", 65535),
    ("INTEGER", "-2147483648", -(2**31)),
    ("UINTEGER", "4294967295", 2**32 - 1),
    ("BIGINT", str(2**53 + 1), 2**53 + 1),
    ("UBIGINT", str(2**64 - 1), Decimal(2**64 - 1)),
    ("DECIMAL(38,10)", "9" * 28 + ".0000000001", Decimal("9" * 28 + ".0000000001")),
    ("FLOAT", "0.1", 0.10000000149011612),
    ("DOUBLE", "'-0.0'", -0.0),
    ("DOUBLE", "5e-324", 5e-324),
    ("VARCHAR", "'\\N'", "\\N"),
    ("VARCHAR(9)", "'NULL'", "NULL"),
    ("VARCHAR", "'\N{GRINNING FACE}'", "\N{GRINNING FACE}"),
    ("VARCHAR", "''", ""),
    ("BLOB", "UNHEX('00FF')", b"\x00\xff"),
    ("DATE", "'0001-01-01'", date(1, 1, 1)),
    ("DATE", "'9999-12-31'", date(9999, 12, 31)),
    ("TIMESTAMP", "'9999-12-31 23:59:59.999999'", datetime.max),
    ("TIMESTAMP_S", "'0001-01-01'", datetime.min),
    ("TIMESTAMP_MS", "'2025-01-01 00:00:00.123'", datetime(2025, 1, 1, 0, 0, 0, 123000)),
    ("TIMESTAMPTZ", "'2025-01-01 00:00:00.123456+00'", datetime(2025, 1, 1, 0, 0, 0, 123456, UTC)),
]


@pytest.mark.parametrize(("column_type", "literal", "value"), VALUES)
def test_values_come_out_as_they_went_in(
    duckdb_case: SourceCase, column_type: str, literal: str, value: object
) -> None:
    duckdb_case.run(
        [
            f"CREATE TABLE t (id INT PRIMARY KEY, u TIMESTAMP, v {column_type})",
            f"INSERT INTO t VALUES (1, '2025-01-01', {literal}), (2, '2025-01-01', NULL)",
        ]
    )
    read = [row[2] for row in read_rows(duckdb_case.source, duckdb_case.describe("t"))]
    assert read == [value, None]
    assert str(read[0]) == str(value)


@pytest.mark.parametrize("column_type", ["DATE", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMPTZ"])
@pytest.mark.parametrize("value", ["0044-03-15 (BC)", "10000-01-01", "infinity"])
def test_a_date_outside_the_calendar_is_refused_with_its_row(
    duckdb_case: SourceCase, column_type: str, value: str
) -> None:
    duckdb_case.run(
        [
            f"CREATE TABLE t (id INT PRIMARY KEY, u TIMESTAMP, v {column_type})",
            f"INSERT INTO t VALUES (6, '2025-01-01', NULL), (7, '2025-01-01', '{value}'::TIMESTAMP)",
        ]
    )
    with pytest.raises(UnsupportedValue, match=r"column v of shop\.t holds a date outside .* in the row with key 7"):
        read_rows(duckdb_case.source, duckdb_case.describe("t"))


def test_now_is_the_injected_clock_in_the_profiles_zone(duckdb_case: SourceCase) -> None:
    clock = duckdb_case.source.clock()
    assert (clock.now, clock.writer, clock.blind) == (datetime(2025, 8, 14, 20), None, "")


def test_a_file_that_is_missing_or_no_database_is_a_source_error(tmp_path: Path) -> None:
    (tmp_path / "junk").write_bytes(b"x" * 5000)
    for name in ("none", "junk"):
        source = Apart(DuckDBSource(DuckDBConfig(path=str(tmp_path / name)), ZONE, utc_now))
        with pytest.raises(SourceError, match=f"cannot read {tmp_path / name}"):
            source.describe(TableName.parse("shop.t"), table_config("u", ["id"]))


@pytest.fixture
def writer(duckdb_case: SourceCase) -> Iterator[IO[str]]:
    """Another process that has the file open for writing, until a line is written to it."""
    duckdb_case.execute("CREATE TABLE t (id INT PRIMARY KEY, u TIMESTAMP)")
    script = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('open', flush=True); input(); c.close()"
    command = [sys.executable, "-c", script, duckdb_case.path]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as process:
        assert process.stdin
        assert process.stdout
        assert process.stdout.readline() == "open\n"
        yield process.stdin
        process.kill()


@pytest.mark.usefixtures("writer")
def test_a_file_that_stays_open_elsewhere_is_busy(duckdb_case: SourceCase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "PATIENCE", 0.1)
    with pytest.raises(SourceError, match="is busy"):
        duckdb_case.describe("t")


def test_a_writer_that_ends_in_time_is_waited_for(duckdb_case: SourceCase, writer: IO[str]) -> None:
    with ThreadPoolExecutor() as pool:
        described = pool.submit(duckdb_case.describe, "t")
        writer.write("\n")
        assert described.result().primary_key == ("id",)


def test_a_writer_in_this_process_is_waited_for_too(duckdb_case: SourceCase, monkeypatch: pytest.MonkeyPatch) -> None:
    duckdb_case.execute("CREATE TABLE t (id INT PRIMARY KEY, u TIMESTAMP)")
    monkeypatch.setattr(session, "PATIENCE", 0.1)
    with duckdb.connect(duckdb_case.path), pytest.raises(SourceError, match="is busy"):
        duckdb_case.describe("t")


def test_a_read_closed_early_lets_a_writer_in(duckdb_case: SourceCase) -> None:
    duckdb_case.execute(
        "CREATE TABLE t (id INT PRIMARY KEY, u TIMESTAMP)", "INSERT INTO t SELECT range, '2025-01-01' FROM range(9999)"
    )
    batches = duckdb_case.source.read(duckdb_case.describe("t"), EVERYTHING, 10)
    assert next(batches).num_rows == 10
    batches.close()
    duckdb_case.execute("DELETE FROM t")

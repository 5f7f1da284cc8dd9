"""What `doctor` finds about sources and tables."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from tests.servers import Database, free_port
from tests.sources.conftest import ZONE, Apart, SourceCase, mysql_config, table_config
from wmtui.config import DuckDBConfig
from wmtui.model import Check, Level, utc_now
from wmtui.sources.duckdb.source import DuckDBSource
from wmtui.sources.mysql.source import MySQLSource


def levels(checks: Sequence[Check]) -> dict[str, Level]:
    """The level of every finding by the part of its subject that names no table."""
    assert all(check.next_step for check in checks if check.level is not Level.OK)
    return {check.subject.rpartition(": ")[2]: check.level for check in checks}


def test_a_healthy_server_is_all_well_but_for_its_plain_text(server_case: SourceCase) -> None:
    assert levels(server_case.source.check()) == {
        "source driver": Level.OK,
        "source": Level.OK,
        "source TLS": Level.WARNING,
        "source replication": Level.OK,
        "source transactions": Level.OK,
    }


def test_missing_privileges_are_warnings(source_db: Database) -> None:
    found = levels(Apart(MySQLSource(mysql_config(source_db, source_db.server.limited_user), ZONE)).check())
    assert (found["source replication"], found["source transactions"]) == (Level.WARNING, Level.WARNING)


def test_a_dead_server_is_a_finding(source_db: Database) -> None:
    config = msgspec.structs.replace(mysql_config(source_db), port=free_port())
    assert levels(Apart(MySQLSource(config, ZONE)).check())["source"] is Level.ERROR


def test_a_missing_file_is_a_finding(tmp_path: Path) -> None:
    source = DuckDBSource(DuckDBConfig(path=str(tmp_path / "none.duckdb")), ZONE, utc_now)
    assert levels(source.check()) == {"source": Level.ERROR}


def test_a_file_that_opens_is_well(duckdb_case: SourceCase) -> None:
    assert levels(duckdb_case.source.check()) == {"source": Level.OK}


def check_table(case: SourceCase, *primary_key: str) -> Sequence[Check]:
    return case.source.check_table(case.name("t"), table_config("u", primary_key))


def test_a_table_made_for_incremental_reading_is_well(server_case: SourceCase) -> None:
    stamp = "TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP"
    server_case.execute(f"CREATE TABLE t (id INT PRIMARY KEY, u {stamp}, KEY (u))")
    assert set(levels(check_table(server_case, "id")).values()) == {Level.OK}


def test_what_endangers_incremental_reading_is_warned_of(server_case: SourceCase) -> None:
    server_case.execute("CREATE TABLE t (id INT, u DATETIME) ENGINE = MyISAM", "INSERT INTO t VALUES (1, NULL)")
    checks = check_table(server_case)
    assert levels(checks) == {
        "primary key": Level.WARNING,
        "index on u": Level.WARNING,
        "NULL in u": Level.WARNING,
        "u and the clock": Level.WARNING,
        "updates touch u": Level.WARNING,
        "engine": Level.WARNING,
        "size": Level.OK,
    }
    assert any(check.finding.startswith("unknown: without an index") for check in checks)


@pytest.mark.parametrize("u", ["DATETIME", "TIMESTAMP NULL"])
def test_rows_without_a_cursor_and_with_one_in_the_future_are_counted_by_the_index(
    server_case: SourceCase, u: str
) -> None:
    rows = "(1, NULL), (2, NULL), (3, NOW() + INTERVAL 2 DAY), (4, '2025-01-01 10:00:00')"
    server_case.execute(f"CREATE TABLE t (id INT PRIMARY KEY, u {u}, KEY (u))", f"INSERT INTO t VALUES {rows}")
    found = {check.subject.rpartition(": ")[2]: check.finding for check in check_table(server_case, "id")}
    assert found["NULL in u"].startswith("2 rows, which are never extracted")
    assert found["u and the clock"].startswith("1 rows lie in the future")
    assert "the newest row is of 2025-01-01" in found["u and the clock"]


def test_a_duckdb_table_is_checked_for_key_and_cursor(duckdb_case: SourceCase) -> None:
    duckdb_case.execute("CREATE TABLE t (id INT PRIMARY KEY, u TIMESTAMP)", "INSERT INTO t VALUES (1, NULL)")
    assert levels(check_table(duckdb_case, "id")) == {
        "primary key": Level.OK,
        "NULL in u": Level.WARNING,
        "u and the clock": Level.OK,
        "size": Level.OK,
    }


def test_a_table_that_does_not_fit_its_settings_is_a_finding(case: SourceCase) -> None:
    case.execute("CREATE TABLE t (id INTEGER, u {datetime})")
    assert [check.level for check in check_table(case, "id")] == [Level.ERROR]

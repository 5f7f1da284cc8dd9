"""The servers that tests run on are what tests rely on."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import mysql.connector
import psycopg
import pytest

from tests.servers import Database
from tests.servers.postgres import Postgres
from tests.servers.sources import SOURCES, SourceServer
from tests.sql import series

ROOT = Path(__file__).parents[1]


def test_each_test_has_a_source_database_of_its_own(source_server: SourceServer, source_db: Database) -> None:
    source_db.execute("CREATE TABLE t (name VARCHAR(10))", "INSERT INTO t VALUES ('日本🙂')")
    with source_server.new_database() as other:
        assert other.query("SHOW TABLES") == []
    assert source_db.query("SELECT name FROM t WHERE name = %s", ["日本🙂"]) == [("日本🙂",)]


def test_each_test_has_a_postgres_database_of_its_own(postgres: Postgres, pg_db: Database) -> None:
    pg_db.execute("CREATE TABLE t (name TEXT)", "INSERT INTO t VALUES ('日本🙂')")
    with postgres.new_database() as other:
        assert other.query("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]
    assert pg_db.query("SELECT name FROM t WHERE name = %s", ["日本🙂"]) == [("日本🙂",)]


def test_a_killed_source_server_refuses_connections_and_comes_back_with_its_data(source_kind: str) -> None:
    with SOURCES[source_kind]() as server, server.new_database() as database:
        database.execute("CREATE TABLE t (id INT)", "INSERT INTO t VALUES (1)")
        server.kill()
        with pytest.raises(mysql.connector.Error):
            database.query("SELECT 1")
        server.start()
        assert database.query("SELECT id FROM t") == [(1,)]


def test_a_killed_postgres_comes_back_with_its_data() -> None:
    with Postgres() as server, server.new_database() as database:
        database.execute("CREATE TABLE t (id INT)", "INSERT INTO t VALUES (1)")
        server.kill()
        assert not server.answers()
        server.start()
        assert database.query("SELECT id FROM t") == [(1,)]


def test_a_further_source_server_runs_with_its_own_arguments(source_server_with: Callable[..., SourceServer]) -> None:
    server = source_server_with("--default-time-zone=+08:00")
    assert server.query("SELECT TIMEDIFF(NOW(), UTC_TIMESTAMP())")[0][0].total_seconds() == 8 * 3600
    assert source_server_with("--default-time-zone=+08:00") is server


def test_a_further_source_server_runs_in_a_zone_of_its_own(source_server_with: Callable[..., SourceServer]) -> None:
    server = source_server_with(zone="XXX-09:00")
    assert server.query("SELECT TIMEDIFF(NOW(), UTC_TIMESTAMP())")[0][0].total_seconds() == 9 * 3600


def test_the_source_server_is_of_the_kind_that_the_test_is_named_after(
    source_server: SourceServer, source_kind: str
) -> None:
    assert ("MariaDB" in source_server.query("SELECT VERSION()")[0][0]) == (source_kind == "mariadb")


def test_a_series_is_the_numbers_from_one_to_its_length(source_db: Database) -> None:
    for length in (1, 2, 2_000):
        assert source_db.query(f"SELECT seq FROM {series(length)}") == [(n,) for n in range(1, length + 1)]


def test_the_limited_account_does_not_see_other_connections(source_server: SourceServer) -> None:
    server = source_server
    with mysql.connector.connect(
        host=server.host, port=server.port, user=server.limited_user, password=server.password, ssl_disabled=True
    ) as limited:
        cursor = limited.cursor()
        cursor.execute("SHOW GRANTS")
        assert "PROCESS" not in str(cursor.fetchall())


def test_a_stopped_server_leaves_no_folder() -> None:
    with Postgres() as server:
        folder = server.folder
        assert folder.exists()
    assert not folder.exists()


def test_pgbouncer_gives_a_client_another_session_for_its_next_transaction(pgbouncer: Database) -> None:
    with pgbouncer.connect() as one, pgbouncer.connect() as other:
        one.execute("CREATE TEMPORARY TABLE mine (id INT)")
        with other.transaction():
            assert other.execute("SELECT id FROM mine").fetchall() == []
            with pytest.raises(psycopg.errors.UndefinedTable):
                one.execute("SELECT id FROM mine")


@pytest.mark.parametrize("pgbouncer", [{"default_pool_size": 1, "query_wait_timeout": 1}], indirect=True)
def test_a_client_of_pgbouncer_waits_for_a_session_that_a_transaction_holds(pgbouncer: Database) -> None:
    with pgbouncer.connect() as one, pgbouncer.connect() as other, one.transaction():
        one.execute("SELECT 1")
        with pytest.raises(psycopg.OperationalError, match="query_wait_timeout"):
            other.execute("SELECT 1")


def test_pgbouncer_is_a_warehouse_of_type_postgres_on_its_own_port(pgbouncer: Database, pg_db: Database) -> None:
    assert pgbouncer.config == {**pg_db.config, "port": pgbouncer.server.port}
    pgbouncer.execute("CREATE TABLE t (id INT)", "INSERT INTO t VALUES (1)")
    assert pg_db.query("SELECT id FROM t") == pgbouncer.query("SELECT id FROM t") == [(1,)]


def test_without_pgbouncer_its_tests_are_skipped_and_the_end_says_so() -> None:
    script = """
import sys
import pytest
from tests.servers import pgbouncer
pgbouncer.is_there = lambda: False
sys.exit(pytest.main(["-p", "no:cacheprovider", "tests/test_servers.py", "-k", "pgbouncer_is_a_warehouse"]))
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "PgBouncer was not tested, 1 tests were skipped" in done.stdout

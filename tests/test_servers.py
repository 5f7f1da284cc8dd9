"""The servers that tests run on are what tests rely on."""

from collections.abc import Callable

import mysql.connector
import pytest

from tests.servers import Database
from tests.servers.mariadb import MariaDB
from tests.servers.postgres import Postgres


def test_each_test_has_a_mariadb_database_of_its_own(mariadb: MariaDB, mysql_db: Database) -> None:
    mysql_db.execute("CREATE TABLE t (name VARCHAR(10))", "INSERT INTO t VALUES ('日本🙂')")
    with mariadb.new_database() as other:
        assert other.query("SHOW TABLES") == []
    assert mysql_db.query("SELECT name FROM t WHERE name = %s", ["日本🙂"]) == [("日本🙂",)]


def test_each_test_has_a_postgres_database_of_its_own(postgres: Postgres, pg_db: Database) -> None:
    pg_db.execute("CREATE TABLE t (name TEXT)", "INSERT INTO t VALUES ('日本🙂')")
    with postgres.new_database() as other:
        assert other.query("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]
    assert pg_db.query("SELECT name FROM t WHERE name = %s", ["日本🙂"]) == [("日本🙂",)]


def test_a_killed_mariadb_refuses_connections_and_comes_back_with_its_data() -> None:
    with MariaDB() as server, server.new_database() as database:
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


def test_a_further_mariadb_runs_with_its_own_arguments(mariadb_with: Callable[..., MariaDB]) -> None:
    server = mariadb_with("--default-time-zone=+08:00")
    assert server.query("SELECT TIMEDIFF(NOW(), UTC_TIMESTAMP())")[0][0].total_seconds() == 8 * 3600
    assert mariadb_with("--default-time-zone=+08:00") is server


def test_the_limited_account_does_not_see_other_connections(mariadb: MariaDB) -> None:
    with mysql.connector.connect(
        host=mariadb.host, port=mariadb.port, user=mariadb.limited_user, password=mariadb.password, ssl_disabled=True
    ) as limited:
        cursor = limited.cursor()
        cursor.execute("SHOW GRANTS")
        assert "PROCESS" not in str(cursor.fetchall())


def test_a_stopped_server_leaves_no_folder() -> None:
    with Postgres() as server:
        folder = server.folder
        assert folder.exists()
    assert not folder.exists()

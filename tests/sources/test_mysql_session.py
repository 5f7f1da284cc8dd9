"""Connections to MySQL: TLS proven, failures in plain words, nothing left running."""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from tests.servers import Database, free_port
from tests.servers.mariadb import MariaDB
from tests.sources.conftest import EVERYTHING, ZONE, Place, mysql_config, read_rows, table_config
from wmtui.config import MySQLConfig, Secret
from wmtui.errors import ConfigError, SourceError
from wmtui.model import TableName
from wmtui.sources.mysql import MySQLSource
from wmtui.sources.mysql_session import Session


def failure(config: MySQLConfig) -> SourceError:
    with pytest.raises(SourceError) as caught:
        MySQLSource(config, ZONE).clock()
    assert caught.value.why
    assert caught.value.next_step
    assert config.password.reveal() not in str(caught.value)
    return caught.value


def test_a_server_that_is_down_is_named(mysql_db: Database) -> None:
    config = msgspec.structs.replace(mysql_config(mysql_db), port=free_port())
    assert failure(config).what == f"cannot reach MySQL at 127.0.0.1:{config.port}"


def test_a_wrong_password_is_told_from_a_dead_server(mysql_db: Database) -> None:
    error = failure(msgspec.structs.replace(mysql_config(mysql_db), password=Secret("s3cret-and-wrong")))
    assert "refuses the login" in error.what
    assert "password" in error.next_step


@pytest.mark.parametrize("tls", ["verify", "require"])
def test_a_server_without_tls_is_refused_unless_tls_is_disabled(mysql_db: Database, tls: str) -> None:
    error = failure(msgspec.structs.replace(mysql_config(mysql_db), tls=tls))
    assert "offers no TLS" in str(error)
    assert "TLS" in error.next_step


def test_tls_is_proven_by_the_cipher(tls_server: tuple[MariaDB, Path]) -> None:
    server, authority = tls_server
    config = MySQLConfig(
        host=server.host, port=server.port, user=server.user, password=Secret(server.password), tls="require"
    )
    with Session(config) as session:
        assert session.cipher
    with Session(msgspec.structs.replace(config, tls="verify", ca=str(authority))) as session:
        assert session.cipher
    assert "TLS" in failure(msgspec.structs.replace(config, tls="verify")).what


def test_a_session_reads_only_in_utc_and_waits_for_a_slow_reader(mysql_db: Database) -> None:
    with Session(mysql_config(mysql_db)) as session:
        names = ("time_zone", "character_set_results", "tx_read_only", "net_write_timeout", "net_read_timeout")
        found = session.query("SELECT " + ", ".join(f"@@{name} AS {name}" for name in names))[0]
        assert list(found.values()) == ["+00:00", "utf8mb4", 1, 600, 600]
        with pytest.raises(SourceError):
            session.query(f"CREATE TABLE {mysql_db.name}.t (id INT)")


def test_closing_a_read_early_ends_the_query_on_the_server(mysql_place: Place, mysql_db: Database) -> None:
    mysql_place.execute(
        "CREATE TABLE t (id INT PRIMARY KEY, u DATETIME NOT NULL, v VARCHAR(2000))",
        "INSERT INTO t SELECT seq, '2025-01-01', REPEAT('x', 2000) FROM seq_1_to_20000",
    )
    reading = f"SELECT id FROM information_schema.processlist WHERE info LIKE 'SELECT `id`%{mysql_db.name}%'"
    batches = mysql_place.source.read(mysql_place.describe("t"), EVERYTHING, 10)
    assert next(batches).num_rows == 10
    assert len(mysql_db.query(reading)) == 1
    received = bytes_sent(mysql_db)
    batches.close()
    deadline = time.monotonic() + 10
    while mysql_db.query(reading) and time.monotonic() < deadline:
        pass
    assert mysql_db.query(reading) == []
    assert bytes_sent(mysql_db) - received < 20 << 20


def bytes_sent(database: Database) -> int:
    return int(database.query("SHOW GLOBAL STATUS LIKE 'Bytes_sent'")[0][1])


def test_a_server_that_dies_under_a_read_is_a_source_error() -> None:
    with MariaDB() as server, server.new_database() as database:
        database.execute(
            "CREATE TABLE t (id INT PRIMARY KEY, u DATETIME NOT NULL, v VARCHAR(2000))",
            "INSERT INTO t SELECT seq, '2025-01-01', REPEAT('x', 2000) FROM seq_1_to_20000",
        )
        source = MySQLSource(mysql_config(database), ZONE)
        batches = source.read(source.describe(TableName(database.name, "t"), table_config("u", ["id"])), EVERYTHING, 10)
        next(batches)
        server.kill()
        with pytest.raises(SourceError, match="cannot reach MySQL"):
            list(batches)
        server.start()


def test_a_table_without_privilege_is_refused_with_the_account(mysql_place: Place, mysql_db: Database) -> None:
    mysql_place.execute("CREATE TABLE t (id INT PRIMARY KEY, u DATETIME NOT NULL)")
    table = mysql_place.describe("t")
    account = f"nobody_{mysql_db.name}"
    mysql_db.execute(f"CREATE USER {account} IDENTIFIED BY '{mysql_db.server.password}'")
    source = MySQLSource(mysql_config(mysql_db, account), ZONE)
    with pytest.raises(SourceError, match=f"denies user {account} a privilege"):
        read_rows(source, table)
    with pytest.raises(ConfigError, match="no schema"):
        source.describe(table.table, table_config("u", ["id"]))
    mysql_db.execute(f"DROP USER {account}")


def test_several_threads_read_at_once(mysql_place: Place) -> None:
    mysql_place.execute(
        "CREATE TABLE t (id INT PRIMARY KEY, u DATETIME NOT NULL)",
        "INSERT INTO t SELECT seq, '2025-01-01' FROM seq_1_to_3000",
    )
    table = mysql_place.describe("t")
    parts = mysql_place.source.split(table, EVERYTHING, 3)
    with ThreadPoolExecutor() as pool:
        counts = list(pool.map(lambda part: len(read_rows(mysql_place.source, table, part)), parts))
    assert counts == [1000, 1000, 1000]


@pytest.mark.parametrize("loaded_first", ["pyarrow", "duckdb", "hashlib", "boto3"])
def test_the_c_extension_loads_whatever_is_imported_after_wmtui(loaded_first: str) -> None:
    script = f"import wmtui, {loaded_first}; from wmtui.sources.mysql_session import HAS_C_EXTENSION as c; print(c)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"

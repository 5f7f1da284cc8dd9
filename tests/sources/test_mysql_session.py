"""Connections to MySQL: TLS proven, failures in plain words, nothing left running."""

import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from tests.servers import Database, free_port
from tests.servers.sources import SOURCES, SourceServer
from tests.sources.conftest import EVERYTHING, ZONE, Apart, SourceCase, mysql_config, read_rows, table_config
from tests.sql import series
from wmtui.config import MySQLConfig, Secret
from wmtui.errors import ConfigError, SourceError
from wmtui.model import TableName
from wmtui.sources.mysql.session import Session
from wmtui.sources.mysql.source import MySQLSource


def failure(config: MySQLConfig) -> SourceError:
    with pytest.raises(SourceError) as caught:
        Apart(MySQLSource(config, ZONE)).clock()
    assert caught.value.why
    assert caught.value.next_step
    assert config.password.reveal() not in str(caught.value)
    return caught.value


def test_a_server_that_is_down_is_named(source_db: Database) -> None:
    config = msgspec.structs.replace(mysql_config(source_db), port=free_port())
    assert failure(config).what == f"cannot reach MySQL at 127.0.0.1:{config.port}"


def test_a_wrong_password_is_told_from_a_dead_server(source_db: Database) -> None:
    error = failure(msgspec.structs.replace(mysql_config(source_db), password=Secret("s3cret-and-wrong")))
    assert "refuses the login" in error.what
    assert "password" in error.next_step


@pytest.mark.parametrize("tls", ["verify", "require"])
def test_a_server_without_tls_is_refused_unless_tls_is_disabled(
    source_server_with: Callable[..., SourceServer], source_kind: str, tls: str
) -> None:
    server = source_server_with(*(["--tls-version="] if source_kind == "mysql" else []))
    error = failure(msgspec.structs.replace(mysql_config(Database(server, "none", "mysql")), tls=tls))
    assert "offers no TLS" in str(error)
    assert "TLS" in error.next_step


def test_tls_is_proven_by_the_cipher(tls_server: tuple[SourceServer, Path]) -> None:
    server, authority = tls_server
    config = MySQLConfig(
        host=server.host, port=server.port, user=server.user, password=Secret(server.password), tls="require"
    )
    with Session(config) as session:
        assert session.cipher
    with Session(msgspec.structs.replace(config, tls="verify", ca=str(authority))) as session:
        assert session.cipher
    assert "TLS" in failure(msgspec.structs.replace(config, tls="verify")).what


def test_a_session_reads_only_in_utc_and_waits_for_a_slow_reader(source_db: Database, source_kind: str) -> None:
    read_only = {"mariadb": "tx_read_only", "mysql": "transaction_read_only"}[source_kind]
    with Session(mysql_config(source_db)) as session:
        names = ("time_zone", "character_set_results", read_only, "net_write_timeout", "net_read_timeout")
        found = session.query("SELECT " + ", ".join(f"@@{name} AS {name}" for name in names))[0]
        assert list(found.values()) == ["+00:00", "utf8mb4", 1, 600, 600]
        with pytest.raises(SourceError):
            session.query(f"CREATE TABLE {source_db.name}.t (id INT)")


def test_closing_a_read_early_ends_the_query_on_the_server(server_case: SourceCase, source_db: Database) -> None:
    server_case.execute(
        "CREATE TABLE t (id INT PRIMARY KEY, u DATETIME NOT NULL, v VARCHAR(2000))",
        f"INSERT INTO t SELECT seq, '2025-01-01', REPEAT('x', 2000) FROM {series(20_000)}",
    )
    reading = (
        f"SELECT id FROM information_schema.processlist WHERE info LIKE 'SELECT /* wmtui */ `id`%{source_db.name}%'"
    )
    batches = server_case.source.read(server_case.describe("t"), EVERYTHING, 10)
    assert next(batches).num_rows == 10
    assert len(source_db.query(reading)) == 1
    received = bytes_sent(source_db)
    batches.close()
    deadline = time.monotonic() + 10
    while source_db.query(reading) and time.monotonic() < deadline:
        pass
    assert source_db.query(reading) == []
    assert bytes_sent(source_db) - received < 20 << 20


def bytes_sent(database: Database) -> int:
    return int(database.query("SHOW GLOBAL STATUS LIKE 'Bytes_sent'")[0][1])


def test_a_server_that_dies_under_a_read_is_a_source_error(source_kind: str) -> None:
    with SOURCES[source_kind]() as server, server.new_database() as database:
        database.execute(
            "CREATE TABLE t (id INT PRIMARY KEY, u DATETIME NOT NULL, v VARCHAR(2000))",
            f"INSERT INTO t SELECT seq, '2025-01-01', REPEAT('x', 2000) FROM {series(20_000)}",
        )
        source = Apart(MySQLSource(mysql_config(database), ZONE))
        batches = source.read(source.describe(TableName(database.name, "t"), table_config("u", ["id"])), EVERYTHING, 10)
        next(batches)
        server.kill()
        with pytest.raises(SourceError, match="cannot reach MySQL"):
            list(batches)
        server.start()


def test_a_table_without_privilege_is_refused_with_the_account(
    server_case: SourceCase, source_db: Database, source_server: SourceServer
) -> None:
    server_case.execute("CREATE TABLE t (id INT PRIMARY KEY, u DATETIME NOT NULL)")
    table = server_case.describe("t")
    with source_server.new_account() as account:
        source = Apart(MySQLSource(mysql_config(source_db, account), ZONE))
        with pytest.raises(SourceError, match=f"denies user {account} a privilege"):
            read_rows(source, table)
        with pytest.raises(ConfigError, match="no schema"):
            source.describe(table.table, table_config("u", ["id"]))


def test_several_threads_read_at_once(server_case: SourceCase) -> None:
    server_case.execute(
        "CREATE TABLE t (id INT PRIMARY KEY, u DATETIME NOT NULL)",
        f"INSERT INTO t SELECT seq, '2025-01-01' FROM {series(3_000)}",
    )
    table = server_case.describe("t")
    parts = server_case.source.split(table, EVERYTHING, 3)
    with ThreadPoolExecutor() as pool:
        counts = list(pool.map(lambda part: len(read_rows(server_case.source, table, part)), parts))
    assert counts == [1000, 1000, 1000]


@pytest.mark.parametrize("loaded_first", ["pyarrow", "duckdb", "hashlib", "boto3"])
def test_the_c_extension_loads_whatever_is_imported_after_wmtui(loaded_first: str) -> None:
    script = f"import wmtui.sources, {loaded_first}\nfrom wmtui.sources.mysql.connections import HAS_C_EXTENSION as c"
    done = subprocess.run([sys.executable, "-c", f"{script}; print(c)"], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"

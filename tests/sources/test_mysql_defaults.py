"""A server's defaults, however hostile, change neither what is read nor whether it is."""

import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from tests.servers import Database
from tests.servers.mariadb import MariaDB
from tests.servers.mysql import MySQL
from tests.sources.conftest import EVERYTHING, FAR, ZONE, Apart, mysql_config, read_rows, table_config
from wmtui.errors import ConfigError, SourceError
from wmtui.model import Level, Order, Span, TableName
from wmtui.sources import SourceTable
from wmtui.sources.mysql.session import Session
from wmtui.sources.mysql.source import MySQLSource

ROWS = 40
BY_CURSOR = Span(Order.CURSOR, None, FAR)

COMMON = {
    "sql_select_limit": 1,
    "max_join_size": 1,
    "sql_big_selects": 0,
    "sql_safe_updates": 1,
    "wait_timeout": 1,
    "interactive_timeout": 1,
    "net_write_timeout": 1,
    "net_read_timeout": 1,
    "lock_wait_timeout": 1,
    "sort_buffer_size": 1,
    "max_sort_length": 8,
    "tmp_table_size": 1024,
    "max_heap_table_size": 16384,
    "max_error_count": 0,
    "group_concat_max_len": 4,
    "max_seeks_for_key": 1,
    "range_optimizer_max_mem_size": 1,
    "completion_type": "'RELEASE'",
    "sql_auto_is_null": 1,
    "autocommit": 0,
    "time_zone": "'+08:00'",
    "lc_time_names": "'zh_TW'",
    "div_precision_increment": 0,
    "character_set_results": "latin1",
    "collation_connection": "latin1_bin",
    "init_connect": "'SET time_zone = \"-03:00\", autocommit = 0'",
}
MODES = (
    "ANSI_QUOTES",
    "NO_BACKSLASH_ESCAPES",
    "ANSI",
    "TRADITIONAL",
    "PIPES_AS_CONCAT,IGNORE_SPACE,HIGH_NOT_PRECEDENCE",
)
ONLY_MYSQL = {
    "max_execution_time": 1,
    "transaction_isolation": "'READ-UNCOMMITTED'",
    "show_gipk_in_create_table_and_information_schema": "OFF",
    "information_schema_stats_expiry": 86400,
    "explain_format": "'JSON'",
    "use_secondary_engine": "FORCED",
    "sql_mode": "'PAD_CHAR_TO_FULL_LENGTH,TIME_TRUNCATE_FRACTIONAL'",
    "transaction_read_only": 1,
}
ONLY_MARIADB = {
    "max_statement_time": 0.0001,
    "tx_isolation": "'READ-UNCOMMITTED'",
    "idle_transaction_timeout": 1,
    "idle_readonly_transaction_timeout": 1,
    "idle_write_transaction_timeout": 1,
    "system_versioning_asof": "'2001-01-01'",
    "sql_mode": "'PAD_CHAR_TO_FULL_LENGTH'",
    "in_predicate_conversion_threshold": 2,
}
CASES = [
    *((kind, name, value) for kind in (MySQL, MariaDB) for name, value in COMMON.items()),
    *((kind, "sql_mode", f"'{mode}'") for kind in (MySQL, MariaDB) for mode in MODES),
    *((MySQL, name, value) for name, value in ONLY_MYSQL.items()),
    *((MariaDB, name, value) for name, value in ONLY_MARIADB.items()),
    (MariaDB, "sql_mode", "'ORACLE'"),
]


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[type[MySQL | MariaDB], Database]]:
    """One server of each kind with a table; `restore` undoes what a test sets."""
    with MySQL() as mysql, MariaDB() as mariadb, mysql.new_database() as one, mariadb.new_database() as other:
        for database in (one, other):
            fill(database)
        yield {MySQL: one, MariaDB: other}


def fill(database: Database) -> None:
    """Rows with one cursor and keys that differ in their last letters only, told apart in no other order.

    They are written from last to first. `versioned` is a table of MariaDB that keeps old rows.
    """
    versioned = "WITH SYSTEM VERSIONING" if isinstance(database.server, MariaDB) else ""
    database.execute(
        "SET time_zone = '+00:00'",
        f"""CREATE TABLE t (id VARCHAR(600) CHARACTER SET ascii COLLATE ascii_bin PRIMARY KEY, u TIMESTAMP(6) NOT NULL,
            c CHAR(10), v VARCHAR(200), n BIGINT, d DECIMAL(20, 6), f FLOAT, j JSON, INDEX (u)) {versioned}""",
    )
    for row in reversed(range(ROWS)):
        values = (
            f"'2025-01-01 00:00:00.123456', 'a', 'back\\\\slash \"ö\" 😀', {row - 5}, {row}.000001, 0.1, '[1, {row}]'"
        )
        database.execute(
            "SET time_zone = '+00:00', NAMES utf8mb4", f"INSERT INTO t VALUES ('{'k' * 580}{row:03}', {values})"
        )


def with_default(database: Database, name: str, value: object) -> None:
    database.execute(f"SET GLOBAL {name} = {value}")


def restore(database: Database, name: str, old: object) -> None:
    """Undo it by a session that the default does not hurt."""
    with database.server.connect(None) as connection, connection.cursor() as cursor:
        cursor.execute(f"SET GLOBAL {name} = {old}")


def literal(value: object) -> str:
    """A variable's value as SET takes it; `DEFAULT` is a word."""
    return "DEFAULT" if value in (None, "DEFAULT") else repr(value)


def everything(database: Database, user: str) -> tuple[SourceTable, list[tuple[object, ...]], list[object]]:
    source = Apart(MySQLSource(mysql_config(database, user), ZONE))
    name = TableName(database.name, "t")
    table = source.describe(name, table_config("u", ["id"]))
    in_order = read_rows(source, table, BY_CURSOR, 7)
    by_key = read_rows(source, table, EVERYTHING, 7)
    pieces = [row for piece in source.split(table, BY_CURSOR, 3) for row in read_rows(source, table, piece)]
    scanned = sorted(row for batch in source.scan(table, 9) for row in zip(*batch.to_pydict().values(), strict=True))
    assert in_order == by_key == sorted(in_order) == sorted(pieces) == scanned
    counts = [source.estimate(table, EVERYTHING), source.state(table, source.clock().now).counts, len(in_order)]
    now = source.clock().now
    assert abs(now - datetime.now(ZONE).replace(tzinfo=None)).total_seconds() < 30
    bad = [
        check
        for check in (*source.check(), *source.check_table(name, table_config("u", ["id"])))
        if check.level is Level.ERROR
    ]
    assert bad == []
    return table, in_order, counts


@pytest.mark.parametrize(
    ("kind", "name", "value"), CASES, ids=[f"{kind.__name__}-{name}-{value}" for kind, name, value in CASES]
)
@pytest.mark.parametrize("user", ["wmtui", "reader"])
def test_no_default_of_a_server_changes_what_is_read(
    servers: dict[type[MySQL | MariaDB], Database], kind: type[MySQL | MariaDB], name: str, value: object, user: str
) -> None:
    database = servers[kind]
    if not database.query(f"SHOW GLOBAL VARIABLES LIKE '{name}'"):
        pytest.skip(f"{kind.__name__} has no {name}")
    expected = everything(database, user)
    assert len(expected[1]) == ROWS
    assert expected[1][0][3] == 'back\\slash "ö" 😀'
    old = database.query(f"SELECT @@GLOBAL.{name}")[0][0]
    with_default(database, name, value)
    try:
        assert everything(database, user) == expected
    finally:
        restore(database, name, literal(old))


def test_all_defaults_together_change_nothing_either(servers: dict[type[MySQL | MariaDB], Database]) -> None:
    for kind, own in ((MySQL, ONLY_MYSQL), (MariaDB, ONLY_MARIADB)):
        database = servers[kind]
        expected = everything(database, "reader")
        hostile = {**COMMON, **own}
        known = {name for name in hostile if database.query(f"SHOW GLOBAL VARIABLES LIKE '{name}'")}
        old = {name: database.query(f"SELECT @@GLOBAL.{name}")[0][0] for name in known}
        with database.server.connect(None) as connection, connection.cursor() as cursor:
            for name in known:
                cursor.execute(f"SET GLOBAL {name} = {hostile[name]}")
            try:
                assert everything(database, "reader") == expected
            finally:
                for name, value in old.items():
                    cursor.execute(f"SET GLOBAL {name} = {literal(value)}")


@pytest.mark.parametrize("kind", [MySQL, MariaDB])
def test_an_update_that_is_rolled_back_is_never_read(
    servers: dict[type[MySQL | MariaDB], Database], kind: type[MySQL | MariaDB]
) -> None:
    database = servers[kind]
    isolation = "transaction_isolation" if kind is MySQL else "tx_isolation"
    with_default(database, isolation, "'READ-UNCOMMITTED'")
    try:
        expected = everything(database, "reader")
        writer = database.connect()
        cursor = writer.cursor()
        cursor.execute("START TRANSACTION")
        cursor.execute("UPDATE t SET n = 999")
        cursor.execute("SELECT COUNT(*) FROM t WHERE n = 999")
        assert cursor.fetchall() == [(ROWS,)]
        source = Apart(MySQLSource(mysql_config(database, "reader"), ZONE))
        seen = read_rows(source, expected[0], BY_CURSOR)
        writer.rollback()
        writer.close()
        assert seen == expected[1]
    finally:
        restore(database, isolation, "'REPEATABLE-READ'")


@pytest.mark.parametrize("kind", [MySQL, MariaDB])
def test_a_session_outlives_short_time_outs_and_a_slow_reader(
    servers: dict[type[MySQL | MariaDB], Database], kind: type[MySQL | MariaDB]
) -> None:
    database = servers[kind]
    database.execute(
        "CREATE TABLE slow (id INT PRIMARY KEY AUTO_INCREMENT, u DATETIME NOT NULL, v TEXT)",
        "INSERT INTO slow (u, v) VALUES ('2025-01-01', REPEAT('x', 60000))",
        *["INSERT INTO slow (u, v) SELECT u, v FROM slow"] * 9,
    )
    names = ("wait_timeout", "interactive_timeout", "net_write_timeout", "net_read_timeout")
    old = {name: database.query(f"SELECT @@GLOBAL.{name}")[0][0] for name in names}
    for name in names:
        with_default(database, name, 1)
    try:
        source = Apart(MySQLSource(mysql_config(database, "reader"), ZONE))
        table = source.describe(TableName(database.name, "slow"), table_config("u", ["id"]))
        rows = 0
        with Session(mysql_config(database, "reader")) as session:
            for batch in source.read(table, EVERYTHING, 100):
                rows += batch.num_rows
                if rows == 100:
                    time.sleep(3)
            assert session.query("SELECT 1 AS one") == [{"one": 1}]
        assert rows == 512
    finally:
        for name, value in old.items():
            restore(database, name, value)


# Keys and names that a server makes otherwise


def test_a_generated_invisible_primary_key_is_a_key_whether_or_not_the_server_shows_it() -> None:
    with MySQL("--sql-generate-invisible-primary-key=ON") as server, server.new_database() as database:
        with_default(database, "show_gipk_in_create_table_and_information_schema", "OFF")
        database.execute(
            "CREATE TABLE t (u DATETIME NOT NULL, v INT)", "INSERT INTO t VALUES ('2025-01-01', 7), ('2025-01-02', 8)"
        )
        assert database.query("SELECT COUNT(*) FROM information_schema.columns WHERE table_name = 't'") == [(2,)]
        source = Apart(MySQLSource(mysql_config(database, "reader"), ZONE))
        name = TableName(database.name, "t")
        table = source.describe(name, table_config("u", ["my_row_id"]))
        assert table.primary_key == ("my_row_id",)
        rows = read_rows(source, table)
        assert [dict(zip(table.schema.names, row, strict=True))["my_row_id"] for row in rows] == [1, 2]
        assert source.describe(name, table_config("u", [], exclude=("my_row_id",))).schema.names == ["u", "v"]


@pytest.mark.parametrize("kind", [MySQL, MariaDB])
def test_a_server_that_folds_names_says_how_it_writes_them(kind: type[MySQL | MariaDB]) -> None:
    with kind("--lower-case-table-names=1") as server, server.new_database() as database:
        database.execute(
            "CREATE TABLE Orders (Id INT PRIMARY KEY, U DATETIME NOT NULL)",
            "INSERT INTO ORDERS VALUES (1, '2025-01-01')",
        )
        source = Apart(MySQLSource(mysql_config(database, "reader"), ZONE))
        for schema, name in (
            (database.name, "Orders"),
            (database.name.upper(), "Orders"),
            (database.name.upper(), "orders"),
        ):
            with pytest.raises(ConfigError) as caught:
                source.describe(TableName(schema, name), table_config("U", ["Id"]))
            assert caught.value.next_step == f"write {database.name}.orders in tables.yaml"
        table = source.describe(TableName(database.name, "orders"), table_config("U", ["Id"]))
        assert read_rows(source, table) == [(1, datetime(2025, 1, 1))]


@pytest.mark.parametrize("kind", [MySQL, MariaDB])
def test_a_name_in_another_case_is_told_as_the_server_has_it(
    servers: dict[type[MySQL | MariaDB], Database], kind: type[MySQL | MariaDB]
) -> None:
    database = servers[kind]
    with pytest.raises(ConfigError) as caught:
        Apart(MySQLSource(mysql_config(database), ZONE)).describe(
            TableName(database.name, "T"), table_config("u", ["id"])
        )
    assert "no table" in caught.value.what
    assert caught.value.next_step == f"write {database.name}.t in tables.yaml"


# Long rows

READ_LONG = """
import resource, sys
from tests.sources.test_mysql_defaults import *
from wmtui.config import MySQLConfig, Secret
host, port, schema = sys.argv[1:]
config = MySQLConfig(host=host, port=int(port), user="wmtui", password=Secret("correct-horse"), tls="disable")
source = Apart(MySQLSource(config, ZONE))
table = source.describe(TableName(schema, "t"), table_config("u", ["id"]))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for batch in source.read(table, EVERYTHING, 20_000):
    for row, text in zip(batch.column("id").to_pylist(), batch.column("v"), strict=True):
        value = text.as_py()
        print(row, len(value), value[:1], value[-1:], set(value[1:-1]) == {"x"})
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.parametrize("kind", [MySQL, MariaDB])
def test_rows_of_seventy_megabytes_are_read_exactly_and_one_at_a_time(kind: type[MySQL | MariaDB]) -> None:
    log = "--innodb-redo-log-capacity=1G" if kind is MySQL else "--innodb-log-file-size=1G"
    with kind("--max-allowed-packet=256M", log) as server, server.new_database() as database:
        long = "CONCAT(id, REPEAT('x', 73400320), 'z')"
        database.execute(
            "CREATE TABLE t (id INT PRIMARY KEY, u DATETIME NOT NULL, v LONGTEXT)",
            *(f"INSERT INTO t SELECT id, '2025-01-01', {long} FROM (SELECT {row} AS id) AS one" for row in range(8)),
        )
        server.execute("SET GLOBAL max_allowed_packet = 1048576")  # no matter: it bounds what is sent to the server
        arguments = [server.host, str(server.port), database.name]
        command = [sys.executable, "-c", READ_LONG, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2], check=False)
        assert done.returncode == 0, done.stderr
        *rows, peak = done.stdout.splitlines()
        assert rows == [f"{row} 73400322 {row} z True" for row in range(8)]
        assert int(peak) < 600  # a row of 70 MB in its forms: the driver's bytes, the column, the text


def test_json_that_mysql_leaves_out_is_refused_by_its_row(servers: dict[type[MySQL | MariaDB], Database]) -> None:
    database = servers[MySQL]
    database.execute(
        "CREATE TABLE long_json (id INT PRIMARY KEY, u DATETIME NOT NULL, j JSON)",
        "INSERT INTO long_json VALUES (1, '2025-01-01', '\"\"'), (2, '2025-01-01', NULL)",
        "INSERT INTO long_json VALUES (3, '2025-01-01', JSON_ARRAY(REPEAT('x', 1048573)))",
    )
    source = Apart(MySQLSource(mysql_config(database), ZONE))
    table = source.describe(TableName(database.name, "long_json"), table_config("u", ["id"]))
    assert [len(row[2]) if isinstance(row[2], str) else row[2] for row in read_rows(source, table)] == [
        2,
        None,
        1048577,
    ]
    old = database.query("SELECT @@GLOBAL.max_allowed_packet")[0][0]
    with_default(database, "max_allowed_packet", 1048576)
    try:
        with pytest.raises(SourceError) as caught:
            read_rows(source, table)
    finally:
        restore(database, "max_allowed_packet", old)
    assert caught.value.what.endswith("did not arrive in the row id = 3")
    assert "max_allowed_packet" in caught.value.next_step


@pytest.mark.parametrize("kind", [MySQL, MariaDB])
def test_a_computed_value_that_the_server_leaves_out_is_refused(
    servers: dict[type[MySQL | MariaDB], Database], kind: type[MySQL | MariaDB]
) -> None:
    database = servers[kind]
    database.execute(
        "CREATE TABLE parts (id INT PRIMARY KEY, u DATETIME NOT NULL, a LONGTEXT)",
        "INSERT INTO parts VALUES (1, '2025-01-01', REPEAT('x', 900000))",
        "CREATE VIEW twice AS SELECT id, u, CONCAT(a, a) AS v FROM parts",
    )
    source = Apart(MySQLSource(mysql_config(database), ZONE))
    table = source.describe(TableName(database.name, "twice"), table_config("u", []))
    assert len(str(read_rows(source, table, BY_CURSOR)[0][2])) == 1_800_000
    old = database.query("SELECT @@GLOBAL.max_allowed_packet")[0][0]
    with_default(database, "max_allowed_packet", 1048576)
    try:
        with pytest.raises(SourceError, match="did not send a computed value"):
            read_rows(source, table, BY_CURSOR)
    finally:
        restore(database, "max_allowed_packet", old)

"""What may write later than it shows: functions and triggers at work, prepared transactions, events."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from threading import Thread
from typing import Any
from zoneinfo import ZoneInfo

import mysql.connector
import pytest
from msgspec.structs import replace

from tests.servers import Database
from tests.servers.replication import until
from tests.servers.sources import SourceServer
from tests.sources.conftest import EVERYTHING, mysql_config, table_config
from tests.sql import series
from wmtui.model import TableName
from wmtui.sources import SourceClock
from wmtui.sources.mysql.clock import is_write
from wmtui.sources.mysql.source import MySQLSource

UTC_ZONE = ZoneInfo("UTC")
SHORT = timedelta(seconds=1)

FUNCTIONS = (
    "CREATE FUNCTION stamp_late(n INT) RETURNS INT NOT DETERMINISTIC MODIFIES SQL DATA BEGIN "
    "DECLARE at DATETIME DEFAULT NOW(); DECLARE slept INT; SELECT SLEEP(n) INTO slept; "
    "INSERT INTO t VALUES (100 + CONNECTION_ID(), at); RETURN 1; END",
    "CREATE FUNCTION wait_in_return(n INT) RETURNS INT NOT DETERMINISTIC MODIFIES SQL DATA BEGIN "
    "DECLARE at DATETIME DEFAULT NOW(); DECLARE slept INT; SET slept = SLEEP(n); "
    "INSERT INTO t VALUES (100 + CONNECTION_ID(), at); RETURN 1; END",
)


@pytest.fixture
def server_db(source_server_with: Callable[..., SourceServer]) -> Iterator[Database]:
    """A database with a table `t` on a server of these tests, so that no other test's transactions are seen."""
    server = source_server_with("--log-bin-trust-function-creators=1", "--event-scheduler=ON")
    with server.new_database() as database:
        database.execute(
            "CREATE TABLE t (id INT PRIMARY KEY, u DATETIME NOT NULL)", "INSERT INTO t VALUES (1, '2025-01-01')"
        )
        yield database


def now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


def clock_of(database: Database, lookback: timedelta = SHORT, user: str | None = None, **settings: Any) -> SourceClock:
    config = replace(mysql_config(database, user), **settings)
    with MySQLSource(config, UTC_ZONE).connect() as connection:
        return connection.clock(lookback)


class AtWork:
    """A statement at work on a connection of its own; ended with the block."""

    def __init__(self, database: Database, *statements: str) -> None:
        self._connection = database.connect()
        self.session = self._connection.connection_id
        self._database = database
        self._thread = Thread(target=self._work, args=(statements,))

    def _work(self, statements: tuple[str, ...]) -> None:
        with suppress(mysql.connector.Error):
            cursor = self._connection.cursor()
            for statement in statements:
                cursor.execute(statement)
                if cursor.with_rows:
                    cursor.fetchall()

    def __enter__(self) -> "AtWork":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(mysql.connector.Error):
            self._database.execute(f"KILL {self.session}")
        self._thread.join()
        self._connection.close()


STAMPS_LATE = [
    "SELECT stamp_late(30)",
    "DO stamp_late(30)",
    "SET @n = stamp_late(30)",
    "SELECT wait_in_return(30)",
    "/* app */ SELECT `wait_in_return`(30)",
    f"SELECT /* {'long ' * 40}*/ wait_in_return(30)",
]


@pytest.mark.parametrize("statement", STAMPS_LATE)
def test_a_statement_in_a_function_that_writes_at_its_end_holds_reading_back(
    server_db: Database, statement: str
) -> None:
    server_db.execute(*FUNCTIONS)
    before = now()
    with AtWork(server_db, statement) as work:
        until(lambda: clock_of(server_db).writer, seconds=10)
        writer = clock_of(server_db).writer
    assert writer is not None
    assert (writer.session, writer.user) == (work.session, "wmtui")
    assert writer.started <= before + timedelta(seconds=2)


def test_a_statement_in_a_slow_trigger_holds_reading_back(server_db: Database) -> None:
    server_db.execute(
        "CREATE TABLE others (id INT PRIMARY KEY)",
        "CREATE TRIGGER slow BEFORE INSERT ON others FOR EACH ROW BEGIN DECLARE at DATETIME DEFAULT NOW(); "
        "DECLARE slept INT; SELECT SLEEP(30) INTO slept; INSERT INTO t VALUES (5, at); END",
    )
    with AtWork(server_db, "INSERT INTO others VALUES (1)") as work:
        until(lambda: clock_of(server_db).writer, seconds=10)
        writer = clock_of(server_db).writer
    assert writer is not None
    assert writer.session == work.session


def test_an_account_that_is_shown_no_function_waits_for_what_may_be_one(server_db: Database) -> None:
    """Functions and triggers show only to accounts that may run or change them, which one that reads need not."""
    server_db.execute(*FUNCTIONS)
    with server_db.server.new_account() as user:
        server_db.execute(f"GRANT SELECT ON {server_db.name}.* TO {user}", f"GRANT PROCESS ON *.* TO {user}")
        with AtWork(server_db, "SELECT stamp_late(30)") as work:
            until(lambda: clock_of(server_db, user=user).writer, seconds=10)
            writer = clock_of(server_db, user=user).writer
        assert writer is not None
        assert writer.session == work.session


READS = [
    "SELECT COUNT(*), SLEEP(30) FROM t",
    "WITH a AS (SELECT 1 AS n) SELECT n, SLEEP(30) FROM a",
    "SELECT /*!40001 SQL_NO_CACHE */ t.*, SLEEP(30) FROM t",
    "SELECT 'stamp_late', SLEEP(30)",
]


@pytest.mark.parametrize("statement", READS)
@pytest.mark.parametrize("account", ["all", "reader"])
def test_a_long_read_holds_nothing_back(server_db: Database, statement: str, account: str) -> None:
    server_db.execute(*FUNCTIONS)
    with server_db.server.new_account() as user:
        server_db.execute(f"GRANT SELECT, PROCESS ON *.* TO {user}")
        chosen = user if account == "reader" else None
        with AtWork(server_db, statement):
            time.sleep(2.2)
            assert clock_of(server_db, user=chosen).writer is None


def test_a_dump_holds_nothing_back_unless_all_open_transactions_count(server_db: Database) -> None:
    with closing(server_db.connect()) as dump:
        cursor = dump.cursor()
        cursor.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT")
        cursor.execute("SELECT * FROM t")
        cursor.fetchall()
        assert clock_of(server_db).writer is None
        writer = clock_of(server_db, open_transactions="all").writer
        assert writer is not None
        assert writer.session == dump.connection_id


def test_an_idle_transaction_that_took_its_time_first_counts_where_all_open_transactions_do(
    server_db: Database,
) -> None:
    with closing(server_db.connect()) as application:
        cursor = application.cursor()
        cursor.execute("START TRANSACTION")
        cursor.execute("SELECT COUNT(*), @n := NOW() FROM t")
        cursor.fetchall()
        writer = clock_of(server_db, open_transactions="all").writer
        assert writer is not None
        assert writer.session == application.connection_id
        assert clock_of(server_db).writer is None


def test_our_own_long_reads_hold_nothing_back_where_all_open_transactions_count(server_db: Database) -> None:
    server_db.execute(f"INSERT INTO t SELECT seq + 1, '2025-01-01' FROM {series(200_000)}", *FUNCTIONS)
    source = MySQLSource(replace(mysql_config(server_db), open_transactions="all"), UTC_ZONE)
    with source.connect() as reading, source.connect() as looking:
        table = reading.describe(TableName(server_db.name, "t"), table_config("u", ["id"]))
        batches = reading.read(table, EVERYTHING, 10)
        next(batches)
        time.sleep(2.2)
        assert looking.clock(SHORT).writer is None
        batches.close()


def test_a_prepared_transaction_whose_session_is_gone_holds_reading_back_to_its_start(server_db: Database) -> None:
    name = f"'{server_db.name}'"
    before = now()
    with closing(server_db.connect()) as one:
        for statement in (
            f"XA START {name}",
            "INSERT INTO t VALUES (7, NOW())",
            f"XA END {name}",
            f"XA PREPARE {name}",
        ):
            one.cursor().execute(statement)
    try:
        writer = clock_of(server_db).writer
        assert writer is not None
        assert abs(writer.started - before) < timedelta(seconds=3)
    finally:
        server_db.execute(f"XA ROLLBACK {name}")


def test_a_prepared_transaction_that_outlived_its_server_began_at_a_time_nobody_knows(
    source_server_with: Callable[..., SourceServer],
) -> None:
    """InnoDB shows the restart as its start, and it has stamped its rows before."""
    server = source_server_with("--server-id=31")
    with server.new_database() as database:
        database.execute("CREATE TABLE t (id INT PRIMARY KEY, u DATETIME NOT NULL)")
        with closing(database.connect()) as one:
            for statement in ("XA START 'x'", "INSERT INTO t VALUES (7, NOW())", "XA END 'x'", "XA PREPARE 'x'"):
                one.cursor().execute(statement)
        server.kill()
        time.sleep(3)
        server.start()
        clock = clock_of(database)
        server.execute("XA ROLLBACK 'x'")
        assert clock.writer is not None
        assert clock.blind
        assert not clock_of(database).blind


def test_a_scheduled_event_that_waits_for_a_lock_counts_as_a_writer(server_db: Database) -> None:
    with closing(server_db.connect()) as blocker:
        blocker.cursor().execute("LOCK TABLES t WRITE")
        server_db.server.execute(
            f"CREATE EVENT {server_db.name}.e ON SCHEDULE AT NOW() DO INSERT INTO {server_db.name}.t VALUES (9, NOW())"
        )
        shown = "SELECT 1 FROM information_schema.processlist WHERE state LIKE 'Waiting for table%'"
        until(lambda: server_db.query(shown))
        assert clock_of(server_db).writer is not None


@pytest.mark.parametrize("count", [24])
def test_many_sources_that_ask_at_once_are_all_answered(server_db: Database, count: int) -> None:
    sources = [MySQLSource(mysql_config(server_db), UTC_ZONE) for _ in range(count)]

    def ask(source: MySQLSource) -> SourceClock:
        with source.connect() as connection:
            return connection.clock()

    with ThreadPoolExecutor(count) as pool:
        clocks = list(pool.map(ask, sources))
    assert len(clocks) == count
    assert not any(clock.blind or clock.writer for clock in clocks)


def test_a_cte_that_only_reads_is_no_write() -> None:
    assert not is_write("WITH c AS (SELECT 1) SELECT * FROM c")

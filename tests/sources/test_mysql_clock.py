"""How far reading may go: the server's clock, and the writers that are still open."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from threading import Thread
from typing import Any

import pytest

from tests.servers import Database
from tests.servers.sources import SourceServer
from tests.sources.conftest import EVERYTHING, ZONE, Apart, SourceCase, mysql_config
from tests.sql import series
from wmtui.errors import SourceError, UnknownStatement
from wmtui.sources.mysql.clock import is_write, replica_delay
from wmtui.sources.mysql.server import Server
from wmtui.sources.mysql.server_kind import kind_of
from wmtui.sources.mysql.session import Session
from wmtui.sources.mysql.source import MySQLSource

TOLERANCE = timedelta(seconds=3)


@pytest.fixture(params=["UTC", "elsewhere"])
def server_db(request: pytest.FixtureRequest, source_server_with: Callable[..., SourceServer]) -> Iterator[Database]:
    """A database with a table `t` on a server of these tests, so that no other test's transactions are seen.

    Elsewhere the operating system is nine hours east of UTC and sessions are at +03:00.
    """
    if request.param == "UTC":
        server = source_server_with("--default-time-zone=SYSTEM")
    else:
        server = source_server_with("--default-time-zone=+03:00", zone="XXX-09:00")
    with server.new_database() as database:
        database.execute(
            "CREATE TABLE t (id INT PRIMARY KEY, u DATETIME NOT NULL)", "INSERT INTO t VALUES (1, '2025-01-01')"
        )
        yield database


def in_zone(instant: datetime) -> datetime:
    return instant.astimezone(ZONE).replace(tzinfo=None)


def transaction(database: Database, *statements: str) -> Any:
    """A connection with an open transaction; closing it rolls back."""
    connection = database.connect()
    cursor = connection.cursor()
    for statement in ("START TRANSACTION", *statements):
        cursor.execute(statement)
        if cursor.with_rows:
            cursor.fetchall()
    return connection


def test_now_is_wall_clock_in_the_profiles_zone(server_db: Database) -> None:
    clock = Apart(MySQLSource(mysql_config(server_db), ZONE)).clock()
    assert abs(clock.now - in_zone(datetime.now(UTC))) < TOLERANCE
    assert not clock.blind


def test_without_a_writer_nothing_holds_reading_back(server_db: Database) -> None:
    reader = transaction(server_db, "SELECT * FROM t")
    assert Apart(MySQLSource(mysql_config(server_db), ZONE)).clock().writer is None
    reader.close()


@pytest.mark.parametrize("statement", ["INSERT INTO t VALUES (2, NOW())", "SELECT * FROM t FOR UPDATE"])
def test_an_open_writer_holds_reading_back_to_its_start(server_db: Database, statement: str) -> None:
    before = in_zone(datetime.now(UTC))
    writer = transaction(server_db, statement)
    oldest = Apart(MySQLSource(mysql_config(server_db), ZONE)).clock().writer
    writer.close()
    assert oldest is not None
    assert abs(oldest.started - before) < TOLERANCE


def test_our_own_open_reads_hold_nothing_back(server_db: Database) -> None:
    server_db.execute(f"INSERT INTO t SELECT seq + 1, '2025-01-01' FROM {series(50_000)}")
    source = Apart(MySQLSource(mysql_config(server_db), ZONE))
    batches = source.read(SourceCase(source, server_db.name, {}, print).describe("t"), EVERYTHING, 10)
    next(batches)
    assert source.clock().writer is None
    batches.close()


def test_a_write_that_waits_for_a_lock_counts_from_its_own_start(server_db: Database) -> None:
    """It has stamped its rows already, and InnoDB may not know of it."""
    blocker = server_db.connect()
    blocker.cursor().execute("LOCK TABLES t WRITE")
    writer = server_db.connect()
    waiting = Thread(target=lambda: writer.cursor().execute("/* app */ INSERT INTO t VALUES (3, NOW())"))
    before = in_zone(datetime.now(UTC))
    waiting.start()
    source = Apart(MySQLSource(mysql_config(server_db), ZONE))
    while (oldest := source.clock().writer) is None:
        assert waiting.is_alive()
    blocker.close()
    waiting.join()
    writer.close()
    assert abs(oldest.started - before) < TOLERANCE


def test_a_write_that_gets_its_lock_between_two_looks_is_not_overlooked(
    server_db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is no running statement any more, and may have become an open transaction only now."""
    blocker, writer = server_db.connect(), transaction(server_db)
    blocker.cursor().execute("LOCK TABLES t WRITE")
    waiting = Thread(target=lambda: writer.cursor().execute("INSERT INTO t VALUES (4, NOW())"))
    waiting.start()
    while not server_db.query("SELECT 1 FROM information_schema.processlist WHERE state LIKE 'Waiting for table%'"):
        assert waiting.is_alive()
    query = Session.query

    def query_and_unlock(session: Session, sql: str, *values: Any) -> list[dict[str, Any]]:
        found = query(session, sql, *values)
        if "processlist" in sql or ("innodb_trx" in sql and found):
            blocker.close()
            waiting.join()
        return found

    monkeypatch.setattr(Session, "query", query_and_unlock)
    oldest = Apart(MySQLSource(mysql_config(server_db), ZONE)).clock().writer
    writer.close()
    assert oldest is not None


def test_an_account_without_the_process_privilege_says_that_it_sees_nothing(server_db: Database) -> None:
    writer = transaction(server_db, "INSERT INTO t VALUES (2, NOW())")
    clock = Apart(MySQLSource(mysql_config(server_db, server_db.server.limited_user), ZONE)).clock()
    writer.close()
    assert abs(clock.now - in_zone(datetime.now(UTC))) < TOLERANCE
    assert clock.writer is None
    assert clock.blind


BECOME_A_REPLICA = {
    "mariadb": "CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_USER = 'x', MASTER_PASSWORD = 'y'",
    "mysql": "CHANGE REPLICATION SOURCE TO SOURCE_HOST = '127.0.0.1', SOURCE_USER = 'x', SOURCE_PASSWORD = 'y'",
}


def test_a_replica_that_has_stopped_is_not_trusted(
    source_server_with: Callable[..., SourceServer], source_kind: str
) -> None:
    server = source_server_with("--server-id=7")
    server.execute(BECOME_A_REPLICA[source_kind])
    with server.new_database() as database:
        with pytest.raises(SourceError) as caught:
            Apart(MySQLSource(mysql_config(database), ZONE)).clock()
        assert "stopped" in caught.value.what
        assert "RESET REPLICA ALL" in caught.value.next_step
        server.execute("RESET REPLICA ALL")
        assert Apart(MySQLSource(mysql_config(database), ZONE)).clock().blind == ""


WRITES = [
    "INSERT INTO t VALUES (1)",
    "  update t set a = 1",
    "/* app */ -- note\n delete from t",
    "(REPLACE INTO t VALUES (1))",
    "/*!40001 INSERT */ INTO t VALUES (1)",
    "WITH c AS (SELECT 1) UPDATE t SET a = 1",
    "CALL fill()",
    "LOAD DATA INFILE 'x' INTO TABLE t",
]
READS = ["SELECT 'INSERT INTO t'", "SHOW TABLES", "/* update */ SELECT 1", "inserted", "", "-- insert\nSELECT 1"]


@pytest.mark.parametrize("statement", WRITES)
def test_a_statement_that_may_write_is_recognised(statement: str) -> None:
    assert is_write(statement)


@pytest.mark.parametrize("statement", READS)
def test_a_statement_that_only_reads_is_not(statement: str) -> None:
    assert not is_write(statement)


class Answers:
    """A session that answers what it is asked of replication; None: the server does not know the statement."""

    def __init__(self, **answers: list[dict[str, object]] | None) -> None:
        self.answers = {f"SHOW {name.replace('_', ' ').upper()} STATUS": found for name, found in answers.items()}

    def query(self, sql: str) -> list[dict[str, object]]:
        answer = self.answers[sql]
        if answer is None:
            raise UnknownStatement("no such statement")
        return answer


def channel(word: str, seconds: object, **more: object) -> dict[str, object]:
    """What a server says of a channel that runs; word: what it calls the two servers."""
    replica = {"source": "replica", "master": "slave"}[word]
    runs = {f"{replica}_{thread}_running": "Yes" for thread in ("io", "sql")}
    return {**runs, f"seconds_behind_{word}": seconds, **more}


MYSQL, MARIADB = (Server("id", kind_of(name, name), name, read_only=False) for name in ("MySQL 9.7", "MariaDB 11.4"))


@pytest.mark.parametrize(
    ("server", "answers", "seconds"),
    [
        (MYSQL, Answers(replica=[]), 0),
        (MYSQL, Answers(replica=[channel("source", 90)]), 90),
        (MYSQL, Answers(replica=None, slave=[channel("master", "3")]), 3),
        (MYSQL, Answers(replica=[channel("source", 1, sql_delay=60)]), 60),
        (MARIADB, Answers(all_slaves=[channel("master", 5), channel("master", 7)]), 7),
    ],
)
def test_a_replica_is_as_late_as_its_slowest_channel_and_at_least_as_it_is_told(
    server: Server, answers: Answers, seconds: int
) -> None:
    delay, blind = replica_delay(answers, server)
    assert delay == timedelta(seconds=seconds)
    assert bool(blind) == bool(seconds)


@pytest.mark.parametrize(
    "change",
    [{"replica_io_running": "Connecting"}, {"replica_sql_running": "No"}, {"seconds_behind_source": None}],
)
def test_a_channel_that_does_not_run_is_refused_whatever_delay_it_shows(change: dict[str, object]) -> None:
    with pytest.raises(SourceError, match="a replica that has stopped"):
        replica_delay(Answers(replica=[channel("source", 0), {**channel("source", 0), **change}]), MYSQL)


def test_a_replica_that_stopped_is_told_without_the_text_of_its_error_which_can_hold_rows() -> None:
    error = "Error 'Duplicate entry' on query. Query: 'INSERT INTO people VALUES (1, 'private')'"
    answer = channel("source", None, replica_sql_running="No", last_sql_errno=1062, last_sql_error=error)
    with pytest.raises(SourceError) as caught:
        replica_delay(Answers(replica=[answer]), MYSQL)
    assert "IO thread: Yes, SQL thread: No, error 1062" in caught.value.in_one_line
    assert "private" not in caught.value.in_one_line

"""A replica as a source: it is behind, and it shows no transaction that is open on its primary."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.servers import Database
from tests.servers.mariadb import MariaDB
from tests.servers.replication import PRIMARY, replicated, until
from tests.servers.s3 import S3Server
from tests.servers.sources import SourceServer
from tests.sources.conftest import mysql_config
from tests.stack import Stack, ago, server_stack
from wmtui.errors import SourceError
from wmtui.model import Check, Level
from wmtui.sources import SourceClock
from wmtui.sources.mysql.clock import READ_ONLY, REPLICA
from wmtui.sources.mysql.source import MySQLSource

UTC_ZONE = ZoneInfo("UTC")
TOLERANCE = timedelta(seconds=5)


@dataclass(frozen=True)
class Pair:
    """A primary with a database, which its replica gets as well."""

    primary: Database
    replica: Database

    def until_there(self, number: int) -> None:
        """Wait until the replica has so many orders."""
        until(lambda: self.replica.query("SELECT COUNT(*) FROM orders") == [(number,)])


Make = Callable[..., AbstractContextManager[Pair]]


@pytest.fixture
def pair(source_server_with: Callable[..., SourceServer]) -> Make:
    """A context of a replicated pair with a table `orders`."""
    primary, replica = source_server_with(*PRIMARY), source_server_with("--server-id=12")

    @contextmanager
    def running(delay: int = 0) -> Iterator[Pair]:
        with primary.new_database() as database:
            made = Pair(database, Database(replica, database.name, database.kind))
            columns = "id BIGINT PRIMARY KEY, amount DECIMAL(10,2), note VARCHAR(200), update_at DATETIME"
            replica.execute(f"CREATE DATABASE {database.name}")
            made.replica.execute(f"CREATE TABLE orders ({columns})")
            made.primary.execute(f"CREATE TABLE orders ({columns})")
            with replicated(primary, replica, delay=delay):
                yield made
            replica.execute(f"DROP DATABASE {database.name}")

    return running


def clock_of(database: Database) -> SourceClock:
    with MySQLSource(mysql_config(database), UTC_ZONE).connect() as connection:
        return connection.clock()


def test_a_replica_is_blind_and_shows_no_transaction_of_its_primary(pair: Make) -> None:
    with pair() as servers, closing(servers.primary.connect()) as writer:
        writer.autocommit = False
        writer.cursor().execute("INSERT INTO orders VALUES (1, 1, 'open', NOW())")
        clock = clock_of(servers.replica)
        assert clock_of(servers.primary).writer is not None
    assert (clock.blind, clock.writer) == (REPLICA, None)


def test_the_clock_of_a_replica_is_behind_by_the_delay_it_is_told_to_keep(pair: Make) -> None:
    with pair(delay=90) as servers:
        clock = clock_of(servers.replica)
    assert clock.delay >= timedelta(seconds=90)
    assert abs(clock.now - (datetime.now(UTC).replace(tzinfo=None) - clock.delay)) < TOLERANCE


def test_the_clock_of_a_replica_is_behind_by_what_it_has_not_applied_yet(pair: Make) -> None:
    with pair() as servers, closing(servers.replica.connect()) as blocker:
        blocker.cursor().execute("LOCK TABLES orders READ")
        servers.primary.execute("INSERT INTO orders VALUES (1, 1, 'waits on the replica', NOW())")
        until(lambda: clock_of(servers.replica).delay >= timedelta(seconds=2))


def test_a_replica_whose_applier_was_stopped_is_refused(pair: Make) -> None:
    with pair() as servers:
        servers.replica.server.execute("STOP REPLICA SQL_THREAD")
        with pytest.raises(SourceError, match=r"a replica that has stopped.* SQL thread: No"):
            clock_of(servers.replica)


def test_a_replica_that_cannot_reach_its_primary_is_refused_with_the_reason(pair: Make) -> None:
    with pair() as servers:
        server = servers.replica.server
        word = "MASTER TO MASTER" if isinstance(server, MariaDB) else "REPLICATION SOURCE TO SOURCE"
        server.execute("STOP REPLICA", f"CHANGE {word}_PORT = 1", "START REPLICA")
        with pytest.raises(SourceError, match=r"not connected.*IO thread: Connecting"):
            clock_of(servers.replica)


def test_one_stopped_channel_of_several_is_enough(
    source_server_with: Callable[..., SourceServer], source_kind: str
) -> None:
    primary, other = source_server_with(*PRIMARY), source_server_with("--server-id=13", "--log-bin=binlog")
    replica = source_server_with("--server-id=12")
    with (
        replica.new_database() as database,
        replicated(primary, replica, channel="east"),
        replicated(other, replica, channel="west", delay=70),
    ):
        clock = clock_of(database)
        assert (clock.blind, clock.delay >= timedelta(seconds=70)) == (REPLICA, True)
        replica.execute("STOP REPLICA 'east'" if source_kind == "mariadb" else "STOP REPLICA FOR CHANNEL 'east'")
        with pytest.raises(SourceError, match="a replica that has stopped"):
            clock_of(database)


def test_a_server_that_takes_no_writes_is_blind_although_it_follows_nobody(
    source_server_with: Callable[..., SourceServer],
) -> None:
    server = source_server_with("--server-id=14")
    with server.new_database() as database:
        server.execute("SET GLOBAL read_only = ON")
        try:
            assert clock_of(database).blind == READ_ONLY
        finally:
            server.execute("SET GLOBAL read_only = OFF")


def test_doctor_warns_of_a_replica(pair: Make) -> None:
    with pair() as servers:
        checks: list[Check] = MySQLSource(mysql_config(servers.replica), UTC_ZONE).check()
    (found,) = [check for check in checks if check.subject == "source transactions"]
    assert found.level is Level.WARNING
    assert REPLICA in found.finding


def test_rows_that_were_open_on_the_primary_at_the_first_sync_arrive_with_the_next(
    pair: Make, tmp_path: Path, pg_db: Database, s3: S3Server
) -> None:
    with pair() as servers, closing(servers.primary.connect()) as writer:
        stack: Stack = server_stack(tmp_path, servers.replica, pg_db, s3)
        servers.primary.execute(*(f"INSERT INTO orders VALUES ({i}, 1, 'at once', '{ago(minutes=9)}')" for i in (1, 2)))
        writer.autocommit = False
        writer.cursor().execute(f"INSERT INTO orders VALUES (3, 1, 'late', '{ago(minutes=8)}')")
        servers.primary.execute(f"INSERT INTO orders VALUES (4, 1, 'newer', '{ago(minutes=1)}')")
        servers.until_there(3)
        stack.sync_one()
        assert [row[0] for row in stack.warehouse_rows()] == [1, 2, 4]
        writer.commit()
        servers.primary.execute(f"INSERT INTO orders VALUES (5, 1, 'newest', '{ago(seconds=10)}')")
        servers.until_there(5)
        stack.sync_one()
        assert [row[0] for row in stack.warehouse_rows()] == [1, 2, 3, 4, 5]


def test_rows_that_were_open_on_the_primary_arrive_although_the_next_sync_reads_from_the_primary(
    pair: Make, tmp_path: Path, pg_db: Database, s3: S3Server
) -> None:
    """The fail-over from a replica, which did not see the transaction, to a server that sees every one."""
    with pair() as servers, closing(servers.primary.connect()) as writer:
        stack: Stack = server_stack(tmp_path, servers.replica, pg_db, s3)
        writer.autocommit = False
        writer.cursor().execute(f"INSERT INTO orders VALUES (1, 1, 'late', '{ago(minutes=8)}')")
        servers.primary.execute(f"INSERT INTO orders VALUES (2, 1, 'newer', '{ago(minutes=1)}')")
        servers.until_there(1)
        stack.sync_one()
        writer.commit()
        stack.document["profiles"]["test"]["source"] = servers.primary.config
        stack.reload()
        stack.sync_one()
        assert [row[0] for row in stack.warehouse_rows()] == [1, 2]

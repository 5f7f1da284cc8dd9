"""The stand-in for Redshift makes transactions wait and conflict as Redshift does by its documentation."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import product
from typing import Any

import psycopg
import pytest

from tests.servers import Database
from tests.servers.redshift import RedshiftStandIn
from tests.servers.redshift_conflicts import Transaction, find_cycle, must_precede
from tests.warehouses.stand_in_client import Connection, refused, rows_of

Background = Callable[[Connection, str], "Future[Any]"]


@pytest.fixture
def writers(one: Connection, other: Connection) -> tuple[Connection, Connection]:
    """Both."""
    return one, other


@pytest.fixture
def in_background() -> Iterator[Background]:
    """Runs a statement beside the test."""
    with ThreadPoolExecutor(1) as pool:
        yield lambda connection, statement: pool.submit(connection.execute, statement)


def waiting(database: Database, table: str) -> bool:
    """Whether a session waits for a lock of a table."""
    return bool(database.query(f"SELECT 1 FROM pg_locks WHERE relation = '{table}'::regclass AND NOT granted"))


def wait_until(condition: Callable[[], bool]) -> None:
    """At most as long as a test may last."""
    while not condition():
        pass


class TestLocks:
    """Of a table that a transaction writes: held until its end."""

    @pytest.fixture(autouse=True)
    def _table(self, pg_db: Database) -> None:
        pg_db.execute("CREATE TABLE t (id int)", "INSERT INTO t VALUES (1)", "CREATE TABLE u (id int)")

    @pytest.mark.parametrize(
        ("first", "second"),
        list(product(["INSERT INTO t VALUES (2)", "UPDATE t SET id = 2", "DELETE FROM t"], repeat=2)),
    )
    def test_a_second_writer_waits_until_the_first_has_ended(
        self,
        writers: tuple[Connection, Connection],
        pg_db: Database,
        in_background: Background,
        first: str,
        second: str,
    ) -> None:
        one, other = writers
        with one.transaction(), other.transaction():
            one.execute(first)
            later = in_background(other, second)
            wait_until(lambda: waiting(pg_db, "t"))
            one.execute("ROLLBACK")
            assert later.result(10).rowcount == 1

    def test_a_writer_that_waited_sees_what_the_first_has_committed(
        self, one: Connection, other: Connection, pg_db: Database, in_background: Background
    ) -> None:
        with other.transaction():
            with one.transaction():
                one.execute("UPDATE t SET id = id + 1")
                later = in_background(other, "UPDATE t SET id = id + 1")
                wait_until(lambda: waiting(pg_db, "t"))
            later.result(10)
        assert rows_of(one, "SELECT id FROM t") == [(3,)]

    def test_readers_do_not_wait_for_a_writer_and_see_the_last_commit(self, one: Connection, other: Connection) -> None:
        with one.transaction():
            one.execute("DELETE FROM t")
            assert rows_of(other, "SELECT id FROM t") == [(1,)]

    def test_writers_of_other_tables_do_not_wait(self, one: Connection, other: Connection) -> None:
        with one.transaction(), other.transaction():
            one.execute("INSERT INTO t VALUES (2)")
            other.execute("INSERT INTO u VALUES (2)")

    def test_values_may_be_bound_to_a_write_that_takes_the_lock(self, one: Connection, pg_db: Database) -> None:
        with one.transaction():
            one.execute("INSERT INTO t VALUES (%s)", [7])
            held = pg_db.query("SELECT mode FROM pg_locks WHERE relation = 't'::regclass AND mode LIKE 'Share%'")
            assert held == [("ShareRowExclusiveLock",)]
        assert rows_of(one, "SELECT id FROM t ORDER BY 1") == [(1,), (7,)]

    def test_a_lock_keeps_readers_out_too(
        self, one: Connection, other: Connection, pg_db: Database, in_background: Background
    ) -> None:
        with one.transaction():
            one.execute("LOCK t")
            later = in_background(other, "SELECT id FROM t")
            wait_until(lambda: waiting(pg_db, "t"))
            assert not later.done()
        assert later.result(10).fetchall() == [(1,)]

    def test_a_temporary_table_is_locked_for_nobody(self, one: Connection, other: Connection) -> None:
        for connection in (one, other):
            connection.execute("CREATE TEMPORARY TABLE mine (id int)")
        with one.transaction(), other.transaction():
            one.execute("INSERT INTO mine VALUES (1)")
            other.execute("INSERT INTO mine VALUES (1)")

    def test_a_view_cannot_be_locked(self, one: Connection, pg_db: Database) -> None:
        pg_db.execute("CREATE VIEW v AS SELECT id FROM t")
        with refused("is not a table"), one.transaction():
            one.execute("LOCK v")

    def test_two_that_wait_for_each_other_are_a_deadlock(
        self, one: Connection, other: Connection, pg_db: Database, in_background: Background
    ) -> None:
        one.execute("BEGIN")
        other.execute("BEGIN")
        one.execute("INSERT INTO t VALUES (2)")
        other.execute("INSERT INTO u VALUES (2)")
        later = in_background(one, "INSERT INTO u VALUES (3)")
        wait_until(lambda: waiting(pg_db, "u"))
        ended: list[bool] = []
        for attempt in (lambda: other.execute("INSERT INTO t VALUES (%s)", [3]), lambda: later.result(10)):
            try:
                attempt()
            except psycopg.errors.DeadlockDetected:
                ended.append(False)
                other.execute("ROLLBACK")
            else:
                ended.append(True)
        assert sorted(ended) == [False, True]


class TestIsolation:
    """What concurrent transactions may do at each level."""

    @pytest.fixture(autouse=True)
    def _tables(self, pg_db: Database) -> None:
        pg_db.execute("CREATE TABLE x (id int)", "CREATE TABLE y (id int)", "CREATE TABLE z (id int)")
        pg_db.execute("INSERT INTO x VALUES (1), (2)", "INSERT INTO y VALUES (1)")

    @pytest.fixture
    def serializable(self, stand_in: RedshiftStandIn) -> None:
        stand_in.isolation = "serializable"

    @staticmethod
    def cross(one: Connection, other: Connection) -> None:
        """Each reads what the other writes."""
        one.execute("BEGIN")
        other.execute("BEGIN")
        one.execute("SELECT count(*) FROM x")
        other.execute("SELECT count(*) FROM y")
        one.execute("INSERT INTO y VALUES (5)")
        other.execute("INSERT INTO x VALUES (5)")

    @pytest.mark.usefixtures("serializable")
    def test_of_two_that_read_what_the_other_writes_one_is_refused(self, one: Connection, other: Connection) -> None:
        self.cross(one, other)
        with refused("1023") as failure:
            one.execute("COMMIT")
        assert failure.value.sqlstate == "XX000"
        detail = failure.value.diag.message_detail or ""
        assert detail.startswith("Serializable isolation violation on table - ")
        assert "transactions forming the cycle are: " in detail
        assert one.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        other.execute("COMMIT")
        assert rows_of(one, "SELECT count(*) FROM x") == [(3,)]
        assert rows_of(one, "SELECT count(*) FROM y") == [(1,)]

    @pytest.mark.usefixtures("serializable")
    def test_a_conflict_is_told_at_the_next_statement_too(self, one: Connection, other: Connection) -> None:
        self.cross(one, other)
        with refused("1023"):
            other.execute("SELECT %s::int", [1])
        assert other.info.transaction_status == psycopg.pq.TransactionStatus.INERROR
        one.execute("COMMIT")
        other.execute("ROLLBACK")

    @pytest.mark.usefixtures("serializable")
    def test_a_transaction_conflicts_with_one_that_was_committed_meanwhile(
        self, one: Connection, other: Connection
    ) -> None:
        one.execute("BEGIN")
        one.execute("SELECT count(*) FROM x")
        with other.transaction():
            other.execute("SELECT count(*) FROM y")
            other.execute("INSERT INTO x VALUES (5)")
        one.execute("INSERT INTO y VALUES (5)")
        with refused("1023"):
            one.execute("COMMIT")

    def test_snapshot_isolation_lets_both_pass(self, one: Connection, other: Connection) -> None:
        self.cross(one, other)
        one.execute("COMMIT")
        other.execute("COMMIT")

    @pytest.mark.usefixtures("serializable")
    def test_tables_conflict_as_a_whole_also_through_a_view(
        self, one: Connection, other: Connection, pg_db: Database
    ) -> None:
        pg_db.execute("CREATE VIEW both_of_them AS SELECT id FROM x UNION ALL SELECT id FROM z")
        one.execute("BEGIN")
        other.execute("BEGIN")
        one.execute("SELECT id FROM both_of_them WHERE id = 1")
        one.execute("INSERT INTO y VALUES (1)")
        other.execute("INSERT INTO x VALUES (99)")
        other.execute("SELECT id FROM y WHERE id = 77")
        with refused("1023"):
            other.execute("COMMIT")
        one.execute("COMMIT")

    @pytest.mark.usefixtures("serializable")
    def test_a_delete_by_an_old_snapshot_conflicts_with_a_committed_insert(
        self, one: Connection, other: Connection
    ) -> None:
        one.execute("BEGIN")
        one.execute("SELECT count(*) FROM z")
        with other.transaction():
            other.execute("INSERT INTO x VALUES (3)")
        one.execute("DELETE FROM x WHERE id = 1")
        with refused("1023"):
            one.execute("COMMIT")

    @pytest.mark.usefixtures("serializable")
    def test_an_insert_by_an_old_snapshot_does_not(self, one: Connection, other: Connection) -> None:
        with one.transaction():
            one.execute("SELECT count(*) FROM z")
            with other.transaction():
                other.execute("INSERT INTO x VALUES (3)")
            one.execute("INSERT INTO x VALUES (4)")

    @pytest.mark.usefixtures("serializable")
    def test_a_lock_at_the_beginning_takes_no_snapshot_so_that_all_comes_in_turn(
        self, one: Connection, other: Connection, pg_db: Database, in_background: Background
    ) -> None:
        for connection in (one, other):
            connection.execute("BEGIN")
            connection.execute("SET statement_timeout TO 60000")
        one.execute("LOCK x")
        later = in_background(other, "LOCK x")
        wait_until(lambda: waiting(pg_db, "x"))
        for connection in (one, other):
            connection.execute("SELECT count(*) FROM x")
            connection.execute("UPDATE x SET id = id + 1")
            connection.execute("COMMIT")
            later.result(10)
        assert rows_of(one, "SELECT id FROM x ORDER BY 1") == [(3,), (4,)]

    @pytest.mark.usefixtures("serializable")
    def test_one_after_the_other_never_conflict(self, one: Connection, other: Connection) -> None:
        for connection in (one, other, one, other):
            with connection.transaction():
                connection.execute("SELECT count(*) FROM x")
                connection.execute("DELETE FROM y")
                connection.execute("INSERT INTO x VALUES (1)")

    def test_two_writers_of_one_row_conflict_under_snapshot_isolation(self, one: Connection, other: Connection) -> None:
        one.execute("BEGIN")
        one.execute("SELECT count(*) FROM z")
        with other.transaction():
            other.execute("UPDATE x SET id = 11 WHERE id = 1")
        with refused("could not complete because of conflict with concurrent transaction") as failure:
            one.execute("DELETE FROM x WHERE id = 1")
        assert failure.value.sqlstate == "XX000"

    def test_two_writers_of_different_rows_do_not(self, one: Connection, other: Connection) -> None:
        with one.transaction():
            one.execute("SELECT count(*) FROM z")
            with other.transaction():
                other.execute("UPDATE x SET id = 11 WHERE id = 1")
            one.execute("DELETE FROM x WHERE id = 2")
        assert rows_of(one, "SELECT id FROM x") == [(11,)]

    def test_a_cycle_may_go_through_transactions_that_have_ended(self) -> None:
        mine = Transaction(1, snapshot=1, reads={10}, writes={30})
        second = Transaction(2, snapshot=2, committed=4, reads={20}, writes={10})
        third = Transaction(3, snapshot=3, committed=5, reads={30}, writes={20})
        assert find_cycle(mine, [second, third]) == (30, [1, 2, 3])
        assert find_cycle(mine, [second]) is None

    def test_what_is_in_a_snapshot_came_before(self) -> None:
        early = Transaction(1, snapshot=1, committed=2, reads={10}, writes={10})
        late = Transaction(2, snapshot=3, reads={10}, writes={10})
        assert must_precede(early, late) == {10}
        assert must_precede(late, early) == set()

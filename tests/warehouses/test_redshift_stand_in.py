"""The stand-in for Redshift refuses, waits and conflicts where Redshift does by its documentation."""

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from io import BytesIO
from itertools import product
from typing import Any
from uuid import uuid4

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.servers import Database
from tests.servers.redshift import RedshiftStandIn
from tests.servers.redshift_conflicts import Transaction, find_cycle, must_precede
from tests.servers.s3 import S3Server

Connection = psycopg.Connection[tuple[Any, ...]]
Background = Callable[[Connection, str], "Future[Any]"]
ROLE = "arn:aws:iam::123456789012:role/reads-lake"


@pytest.fixture
def connect(stand_in: RedshiftStandIn) -> Callable[[], Connection]:
    """A client of its own, autocommit."""
    words = {key: stand_in.config[key] for key in ("host", "port", "user", "password")}

    def connect() -> Connection:
        return psycopg.connect(
            **words,
            dbname=stand_in.config["database"],
            client_encoding="utf8",
            autocommit=True,
            prepare_threshold=None,
        )

    return connect


@pytest.fixture
def one(connect: Callable[[], Connection]) -> Iterator[Connection]:
    """A client."""
    with connect() as connection:
        yield connection


@pytest.fixture
def other(connect: Callable[[], Connection]) -> Iterator[Connection]:
    """Another one."""
    with connect() as connection:
        yield connection


@pytest.fixture
def writers(one: Connection, other: Connection) -> tuple[Connection, Connection]:
    """Both."""
    return one, other


@pytest.fixture
def in_background() -> Iterator[Background]:
    """Runs a statement beside the test."""
    with ThreadPoolExecutor(1) as pool:
        yield lambda connection, statement: pool.submit(connection.execute, statement)


def refused(words: str) -> AbstractContextManager[Any]:
    """The block raises an error of the server with these words."""
    return pytest.raises(psycopg.DatabaseError, match=words)


def found(connection: Connection, question: str, *values: Any) -> list[tuple[Any, ...]]:
    return connection.execute(question, values or None).fetchall()


def waiting(database: Database, table: str) -> bool:
    """Whether somebody waits for a lock of a table."""
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
        assert found(one, "SELECT id FROM t") == [(3,)]

    def test_readers_do_not_wait_for_a_writer_and_see_the_last_commit(self, one: Connection, other: Connection) -> None:
        with one.transaction():
            one.execute("DELETE FROM t")
            assert found(other, "SELECT id FROM t") == [(1,)]

    def test_writers_of_other_tables_do_not_wait(self, one: Connection, other: Connection) -> None:
        with one.transaction(), other.transaction():
            one.execute("INSERT INTO t VALUES (2)")
            other.execute("INSERT INTO u VALUES (2)")

    def test_values_may_be_bound_to_a_write_that_takes_the_lock(self, one: Connection, pg_db: Database) -> None:
        with one.transaction():
            one.execute("INSERT INTO t VALUES (%s)", [7])
            held = pg_db.query("SELECT mode FROM pg_locks WHERE relation = 't'::regclass AND mode LIKE 'Share%'")
            assert held == [("ShareRowExclusiveLock",)]
        assert found(one, "SELECT id FROM t ORDER BY 1") == [(1,), (7,)]

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
        assert found(one, "SELECT count(*) FROM x") == [(3,)]
        assert found(one, "SELECT count(*) FROM y") == [(1,)]

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
        assert found(one, "SELECT id FROM x ORDER BY 1") == [(3,), (4,)]

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
        assert found(one, "SELECT id FROM x") == [(11,)]

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


SYSTEM_COLUMNS = ["oid", "xmin", "xmax", "cmin", "cmax", "ctid", "tableoid"]


class TestNames:
    @pytest.mark.parametrize("name", SYSTEM_COLUMNS)
    @pytest.mark.parametrize("statement", ["CREATE TABLE t (id int, {})", "CREATE TEMPORARY TABLE t (id int, {})"])
    def test_a_column_is_not_named_like_one_of_the_systems(self, one: Connection, statement: str, name: str) -> None:
        with refused("conflicts with a system column name"):
            one.execute(statement.format(f'"{name.upper()}" varchar(5)'))

    @pytest.mark.parametrize("name", SYSTEM_COLUMNS)
    def test_nor_one_that_is_added(self, one: Connection, name: str) -> None:
        one.execute("CREATE TABLE t (id int)")
        with refused("conflicts with a system column name"):
            one.execute(f"ALTER TABLE t ADD COLUMN {name} int")

    def test_a_name_of_127_bytes_is_kept(self, one: Connection) -> None:
        name = "é" * 63 + "x"
        one.execute(f'CREATE TABLE t (id int, "{name}" varchar(5))')
        one.execute(f'INSERT INTO t (id, "{name}") VALUES (1, %s)', ["a"])
        asked = "SELECT a.attname FROM pg_attribute a WHERE a.attrelid = 't'::regclass AND a.attnum = 2"
        assert found(one, asked) == [(name,)]
        assert found(one, f'SELECT "{name}" FROM t') == [("a",)]

    def test_a_longer_one_is_cut_without_a_word(self, one: Connection) -> None:
        one.execute(f'CREATE TABLE t ("{"a" * 128}" int)')
        asked = "SELECT a.attname FROM pg_attribute a WHERE a.attrelid = 't'::regclass AND a.attnum = 1"
        assert found(one, asked) == [("a" * 127,)]
        with refused("already exists"):
            one.execute(f'ALTER TABLE t ADD COLUMN "{"a" * 127}b" int')

    def test_a_table_with_a_long_name_is_found_by_it(self, one: Connection) -> None:
        name = "t" * 100
        one.execute(f'CREATE TABLE "{name}" (id int)')
        asked = (
            "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE n.nspname = %s AND c.relname = %s"
        )
        assert found(one, asked, "public", name) == [(name,)]


class TestFetching:
    @pytest.mark.parametrize("count", ["1001", "FORWARD 10000", "ALL", "FORWARD ALL"])
    def test_a_single_node_gives_a_thousand_rows_at_once(
        self, one: Connection, stand_in: RedshiftStandIn, count: str
    ) -> None:
        stand_in.single_node = True
        with one.transaction():
            one.execute("DECLARE c CURSOR FOR SELECT generate_series(1, 3000)")
            assert len(found(one, "FETCH FORWARD 1000 FROM c")) == 1000
        with refused("exceeds the limit of 1000 for a single node"), one.transaction():
            one.execute("DECLARE c CURSOR FOR SELECT generate_series(1, 3000)")
            one.execute(f"FETCH {count} FROM c")

    def test_several_nodes_give_more(self, one: Connection) -> None:
        with one.transaction():
            one.execute("DECLARE c CURSOR FOR SELECT generate_series(1, 3000)")
            assert len(found(one, "FETCH FORWARD 10000 FROM c")) == 3000


class TestFloats:
    def test_begin_with_15_digits(self, one: Connection) -> None:
        assert found(one, "SHOW extra_float_digits") == [("0",)]
        assert found(one, "SELECT 0.1::float8 + 0.2::float8") == [(0.3,)]

    def test_have_17_digits_at_most(self, one: Connection) -> None:
        one.execute("SET extra_float_digits TO 2")
        assert found(one, "SELECT 0.1::float8 + 0.2::float8") == [(0.1 + 0.2,)]

    @pytest.mark.parametrize("statement", ["SET extra_float_digits TO 3", "SET extra_float_digits = -16"])
    def test_have_no_more(self, one: Connection, statement: str) -> None:
        with refused("outside the valid range"):
            one.execute(statement)
        with refused("outside the valid range"):
            one.execute("SELECT set_config('extra_float_digits', '3', false)")

    def test_of_four_bytes_have_8_digits_at_most_which_do_not_tell_them_all(self, one: Connection) -> None:
        one.execute("SET extra_float_digits TO 2")
        ((short, exact, nothing),) = found(
            one, "SELECT r, r::float8, NULL::real FROM (SELECT 115527.0859375::real) AS t (r)"
        )
        assert (short, exact, nothing) == (115527.09, 115527.0859375, None)


class TestTypes:
    def test_binary_has_a_length(self, one: Connection) -> None:
        one.execute("CREATE TABLE t (a varbyte(2), b varbyte)")
        one.execute("INSERT INTO t VALUES ('\\x0102', '\\x01')")
        with pytest.raises(psycopg.DataError, match=r"value too long for type binary varying\(2\)"):
            one.execute("INSERT INTO t VALUES ('\\x010203', '\\x01')")
        asked = "SELECT format_type(a.atttypid, a.atttypmod) FROM pg_attribute a WHERE attrelid = 't'::regclass"
        assert found(one, f"{asked} AND attnum > 0 ORDER BY attnum") == [
            ("binary varying(2)",),
            ("binary varying(64000)",),
        ]

    def test_text_in_super_is_a_string_unless_it_is_parsed(self, one: Connection) -> None:
        one.execute("CREATE TABLE t (id int, s super)")
        one.execute("CREATE TEMPORARY TABLE texts (v varchar(50))")
        one.execute("""INSERT INTO texts VALUES ('{"a": [1, 2]}')""")
        one.execute("INSERT INTO t SELECT 1, v FROM texts")
        one.execute("INSERT INTO t SELECT 2, JSON_PARSE(v) FROM texts")
        assert found(one, "SELECT s FROM t ORDER BY id") == [('{"a": [1, 2]}',), ({"a": [1, 2]},)]
        asked = "SELECT format_type(a.atttypid, a.atttypmod) FROM pg_attribute a WHERE attrelid = 't'::regclass"
        assert found(one, f"{asked} AND attnum = 2") == [("super",)]

    def test_what_is_no_json_cannot_be_parsed(self, one: Connection) -> None:
        with refused("invalid input syntax"):
            one.execute("SELECT JSON_PARSE('{')")

    @pytest.mark.parametrize("kind", ["varbyte(5)", "super"])
    @pytest.mark.parametrize("clause", [') DISTKEY ("a")', ') SORTKEY ("id", "a")', " SORTKEY)", " DISTKEY)"])
    def test_binary_and_super_are_no_keys_of_storage(self, one: Connection, kind: str, clause: str) -> None:
        with refused("cannot be a (dist|sort)key"):
            one.execute(f'CREATE TABLE t ("id" int, "a" {kind}{clause}')

    def test_a_key_of_storage_is_a_column(self, one: Connection) -> None:
        with refused("does not exist"):
            one.execute('CREATE TABLE t ("id" int) DISTKEY ("a")')

    @pytest.mark.parametrize(
        "clause", ['DISTKEY ("id") COMPOUND SORTKEY ("id", "a")', "DISTSTYLE ALL SORTKEY AUTO", "BACKUP NO"]
    )
    def test_storage_of_other_columns_is_taken(self, one: Connection, clause: str) -> None:
        one.execute(f'CREATE TABLE t ("id" int ENCODE az64, "a" varchar(5) NOT NULL ENCODE lzo) {clause}')
        one.execute("INSERT INTO t VALUES (1, 'a')")

    def test_a_primary_key_keeps_no_double_out_but_null(self, one: Connection) -> None:
        one.execute("CREATE TABLE t (id int, PRIMARY KEY (id))")
        one.execute("CREATE TABLE u (id int PRIMARY KEY)")
        for table in "tu":
            one.execute(f"INSERT INTO {table} VALUES (1), (1)")
            with refused("null value"):
                one.execute(f"INSERT INTO {table} VALUES (NULL)")


class TestAlterColumn:
    @pytest.fixture(autouse=True)
    def _table(self, one: Connection) -> None:
        one.execute(
            "CREATE TABLE t (id int, k varchar(5), a varchar(5), d varchar(5) DEFAULT 'x',"
            " e varchar(5) ENCODE bytedict, b varbyte(5), PRIMARY KEY (k)) SORTKEY (a)"
        )

    def test_text_is_lengthened(self, one: Connection) -> None:
        one.execute("ALTER TABLE t ALTER COLUMN a TYPE varchar(9)")
        one.execute("INSERT INTO t (k, a) VALUES ('k', '123456789')")

    @pytest.mark.parametrize(
        ("column", "kind", "why"),
        [
            ("b", "varbyte(9)", "not supported"),
            ("id", "bigint", "not supported"),
            ("a", "bigint", "not supported"),
            ("k", "varchar(9)", "of a key"),
            ("d", "varchar(9)", "with a default value"),
            ("e", "varchar(9)", "of the encoding bytedict"),
            ("a", "varchar(4)", "greater or equal"),
        ],
    )
    def test_nothing_else_is(self, one: Connection, column: str, kind: str, why: str) -> None:
        with refused(why):
            one.execute(f"ALTER TABLE t ALTER COLUMN {column} TYPE {kind}")

    def test_nor_in_a_transaction(self, one: Connection) -> None:
        with refused("cannot run inside a transaction block"), one.transaction():
            one.execute("ALTER TABLE t ALTER COLUMN a TYPE varchar(9)")

    def test_nor_where_the_key_is_one_of_a_table_that_was_there(self, one: Connection, pg_db: Database) -> None:
        pg_db.execute("CREATE TABLE older (k varchar(5) PRIMARY KEY)")
        with refused("of a key"):
            one.execute("ALTER TABLE older ALTER COLUMN k TYPE varchar(9)")

    @pytest.mark.parametrize(
        "statement", ["ALTER TABLE t ADD COLUMN n int", "ALTER TABLE t ALTER COLUMN a TYPE varchar(9)", "DROP TABLE t"]
    )
    def test_a_table_is_changed_by_its_owner_alone(self, one: Connection, pg_db: Database, statement: str) -> None:
        owner = f"owner_{uuid4().hex[:8]}"
        pg_db.execute(f"CREATE ROLE {owner}", f"ALTER TABLE t OWNER TO {owner}")
        with refused("must be owner of relation t"):
            one.execute(statement)
        one.execute("INSERT INTO t (k) VALUES ('a')")
        pg_db.execute(f"ALTER TABLE t OWNER TO {pg_db.server.user}", f"DROP ROLE {owner}")


class TestCopy:
    @pytest.fixture
    def copy(self, one: Connection, s3: S3Server) -> Callable[..., str]:
        """Copies a file of one column."""
        bucket = s3.new_bucket()

        def copy(declared: str, values: Sequence[Any], access: str = f"IAM_ROLE '{ROLE}'", more: str = "") -> str:
            sink = BytesIO()
            columns = values if isinstance(values[0], list) else [values]
            names = [f"c{number}" for number in range(len(columns))]
            pq.write_table(pa.table(dict(zip(names, columns, strict=True))), sink)
            s3.fill(bucket, ["part"], sink.getvalue())
            entry = {"url": f"s3://{bucket}/part", "mandatory": True, "meta": {"content_length": len(sink.getvalue())}}
            s3.fill(bucket, ["manifest"], json.dumps({"entries": [entry]}).encode())
            one.execute(f'CREATE TEMPORARY TABLE "land" ({", ".join(f"{name} {declared}" for name in names)})')
            listed = ", ".join(f'"{name}"' for name in names)
            one.execute(
                f"COPY \"land\" ({listed}) FROM 's3://{bucket}/manifest' {access} FORMAT AS PARQUET MANIFEST{more}"
            )
            return f"s3://{bucket}/manifest"

        return copy

    def test_a_row_has_four_mebibytes_at_most(self, one: Connection, copy: Callable[..., str]) -> None:
        half = b"x" * (2 * 2**20)
        copy("varbyte(4000000)", [[half, b"a"], [half, b"b"]])
        assert found(one, "SELECT count(*) FROM land") == [(2,)]
        one.execute("DROP TABLE land")
        with refused("length of the data row exceeds"):
            copy("varbyte(4000000)", [[b"a", half], [b"b", half + b"y"]])

    def test_binary_longer_than_its_column_is_refused(self, copy: Callable[..., str]) -> None:
        with refused("String length exceeds DDL length"):
            copy("varbyte(3)", [b"abcd"])

    @pytest.mark.parametrize(
        "access",
        [
            f"IAM_ROLE '{ROLE}'",
            f"IAM_ROLE '{ROLE},arn:aws-cn:iam::210987654321:role/path/owns-lake'",
            "IAM_ROLE default",
            "ACCESS_KEY_ID 'a' SECRET_ACCESS_KEY 'b'",
            "ACCESS_KEY_ID 'a' SECRET_ACCESS_KEY 'b' SESSION_TOKEN 'c'",
        ],
    )
    def test_access_is_by_a_role_by_a_chain_of_roles_or_by_keys(
        self, one: Connection, copy: Callable[..., str], access: str
    ) -> None:
        copy("varchar(5)", ["a"], access, " STATUPDATE OFF")
        assert found(one, "SELECT c0 FROM land") == [("a",)]

    @pytest.mark.parametrize("access", ["IAM_ROLE 'reads-lake'", f"IAM_ROLE '{ROLE}, {ROLE}'", f"IAM_ROLE '{ROLE},'"])
    def test_what_is_no_chain_of_roles_is_refused(self, copy: Callable[..., str], access: str) -> None:
        with refused("syntax error in COPY"):
            copy("varchar(5)", ["a"], access)

    @pytest.mark.parametrize("notes", [True, False])
    def test_not_every_error_is_noted(
        self, one: Connection, copy: Callable[..., str], stand_in: RedshiftStandIn, notes: bool
    ) -> None:
        stand_in.notes_errors = notes
        with refused("String length"):
            copy("varchar(2)", ["abc"])
        asked = "SELECT trim(err_reason) FROM stl_load_errors WHERE session = pg_backend_pid()"
        assert found(one, asked) == ([("String length exceeds DDL length",)] if notes else [])

    def test_a_permanent_table_is_locked_by_it(
        self, one: Connection, copy: Callable[..., str], pg_db: Database
    ) -> None:
        manifest = copy("varchar(5)", ["a"])
        one.execute('CREATE TABLE "kept" ("c0" varchar(5))')
        with one.transaction():
            one.execute(f'COPY "public"."kept" ("c0") FROM \'{manifest}\' IAM_ROLE default FORMAT AS PARQUET MANIFEST')
            held = pg_db.query("SELECT mode FROM pg_locks WHERE relation = 'kept'::regclass AND mode LIKE 'Share%'")
            assert held == [("ShareRowExclusiveLock",)]
        assert found(one, "SELECT c0 FROM kept") == [("a",)]

    def test_two_clients_have_a_table_of_one_name_each(self, one: Connection, other: Connection, s3: S3Server) -> None:
        one.execute('CREATE TEMPORARY TABLE "land" ("a" int)')
        other.execute('CREATE TEMPORARY TABLE "land" ("b" int)')
        with refused("S3 object does not exist"):
            one.execute(
                f'COPY "land" ("a") FROM \'s3://{s3.new_bucket()}/m\' IAM_ROLE default FORMAT AS PARQUET MANIFEST'
            )

"""The stand-in for Redshift refuses, converts and prints as Redshift does by its documentation."""

import json
from collections.abc import Callable, Sequence
from io import BytesIO
from typing import Any
from uuid import uuid4

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.servers import Database
from tests.servers.redshift import RedshiftStandIn
from tests.servers.s3 import S3Server
from tests.warehouses.stand_in_client import Connection, refused, rows_of

ROLE = "arn:aws:iam::123456789012:role/reads-lake"
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
        assert rows_of(one, asked) == [(name,)]
        assert rows_of(one, f'SELECT "{name}" FROM t') == [("a",)]

    def test_a_longer_one_is_cut_without_a_word(self, one: Connection) -> None:
        one.execute(f'CREATE TABLE t ("{"a" * 128}" int)')
        asked = "SELECT a.attname FROM pg_attribute a WHERE a.attrelid = 't'::regclass AND a.attnum = 1"
        assert rows_of(one, asked) == [("a" * 127,)]
        with refused("already exists"):
            one.execute(f'ALTER TABLE t ADD COLUMN "{"a" * 127}b" int')

    def test_a_table_with_a_long_name_is_found_by_it(self, one: Connection) -> None:
        name = "t" * 100
        one.execute(f'CREATE TABLE "{name}" (id int)')
        asked = (
            "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE n.nspname = %s AND c.relname = %s"
        )
        assert rows_of(one, asked, "public", name) == [(name,)]


class TestFetching:
    @pytest.mark.parametrize("count", ["1001", "FORWARD 10000", "ALL", "FORWARD ALL"])
    def test_a_single_node_gives_a_thousand_rows_at_once(
        self, one: Connection, stand_in: RedshiftStandIn, count: str
    ) -> None:
        stand_in.single_node = True
        with one.transaction():
            one.execute("DECLARE c CURSOR FOR SELECT generate_series(1, 3000)")
            assert len(rows_of(one, "FETCH FORWARD 1000 FROM c")) == 1000
        with refused("exceeds the limit of 1000 for a single node"), one.transaction():
            one.execute("DECLARE c CURSOR FOR SELECT generate_series(1, 3000)")
            one.execute(f"FETCH {count} FROM c")

    def test_several_nodes_give_more(self, one: Connection) -> None:
        with one.transaction():
            one.execute("DECLARE c CURSOR FOR SELECT generate_series(1, 3000)")
            assert len(rows_of(one, "FETCH FORWARD 10000 FROM c")) == 3000


class TestFloats:
    def test_begin_with_15_digits(self, one: Connection) -> None:
        assert rows_of(one, "SHOW extra_float_digits") == [("0",)]
        assert rows_of(one, "SELECT 0.1::float8 + 0.2::float8") == [(0.3,)]

    def test_have_17_digits_at_most(self, one: Connection) -> None:
        one.execute("SET extra_float_digits TO 2")
        assert rows_of(one, "SELECT 0.1::float8 + 0.2::float8") == [(0.1 + 0.2,)]

    @pytest.mark.parametrize("statement", ["SET extra_float_digits TO 3", "SET extra_float_digits = -16"])
    def test_have_no_more(self, one: Connection, statement: str) -> None:
        with refused("outside the valid range"):
            one.execute(statement)
        with refused("outside the valid range"):
            one.execute("SELECT set_config('extra_float_digits', '3', false)")

    def test_of_four_bytes_have_8_digits_at_most_which_do_not_tell_them_all(self, one: Connection) -> None:
        one.execute("SET extra_float_digits TO 2")
        ((short, exact, nothing),) = rows_of(
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
        assert rows_of(one, f"{asked} AND attnum > 0 ORDER BY attnum") == [
            ("binary varying(2)",),
            ("binary varying(64000)",),
        ]

    def test_text_in_super_is_a_string_unless_it_is_parsed(self, one: Connection) -> None:
        one.execute("CREATE TABLE t (id int, s super)")
        one.execute("CREATE TEMPORARY TABLE texts (v varchar(50))")
        one.execute("""INSERT INTO texts VALUES ('{"a": [1, 2]}')""")
        one.execute("INSERT INTO t SELECT 1, v FROM texts")
        one.execute("INSERT INTO t SELECT 2, JSON_PARSE(v) FROM texts")
        assert rows_of(one, "SELECT s FROM t ORDER BY id") == [('{"a": [1, 2]}',), ({"a": [1, 2]},)]
        asked = "SELECT format_type(a.atttypid, a.atttypmod) FROM pg_attribute a WHERE attrelid = 't'::regclass"
        assert rows_of(one, f"{asked} AND attnum = 2") == [("super",)]

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
        assert rows_of(one, "SELECT count(*) FROM land") == [(2,)]
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
        assert rows_of(one, "SELECT c0 FROM land") == [("a",)]

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
        assert rows_of(one, asked) == ([("String length exceeds DDL length",)] if notes else [])

    def test_a_permanent_table_is_locked_by_it(
        self, one: Connection, copy: Callable[..., str], pg_db: Database
    ) -> None:
        manifest = copy("varchar(5)", ["a"])
        one.execute('CREATE TABLE "kept" ("c0" varchar(5))')
        with one.transaction():
            one.execute(f'COPY "public"."kept" ("c0") FROM \'{manifest}\' IAM_ROLE default FORMAT AS PARQUET MANIFEST')
            held = pg_db.query("SELECT mode FROM pg_locks WHERE relation = 'kept'::regclass AND mode LIKE 'Share%'")
            assert held == [("ShareRowExclusiveLock",)]
        assert rows_of(one, "SELECT c0 FROM kept") == [("a",)]

    def test_two_clients_have_a_table_of_one_name_each(self, one: Connection, other: Connection, s3: S3Server) -> None:
        one.execute('CREATE TEMPORARY TABLE "land" ("a" int)')
        other.execute('CREATE TEMPORARY TABLE "land" ("b" int)')
        with refused("S3 object does not exist"):
            one.execute(
                f'COPY "land" ("a") FROM \'s3://{s3.new_bucket()}/m\' IAM_ROLE default FORMAT AS PARQUET MANIFEST'
            )

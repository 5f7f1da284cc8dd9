"""Redshift, as far as its documentation tells: what is sent to it, and what it is told to load."""

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal
from uuid import uuid4

import psycopg
import pyarrow as pa
import pytest

from tests.servers import Database
from tests.servers.redshift import RedshiftStandIn
from tests.servers.redshift_rules import SCHEMA as STAND_IN
from tests.servers.s3 import S3Server
from tests.warehouses.bench import TARGET, Bench, at, concurrent_loads, rows
from tests.warehouses.conftest import ROLE, redshift_bench
from wmtui.column_types import MAX_BYTES
from wmtui.config import AccessKeys, RedshiftConfig, Secret
from wmtui.errors import Interrupted, TableError, WarehouseError
from wmtui.events import Stop
from wmtui.model import Level
from wmtui.warehouses import Naming, TargetLayout
from wmtui.warehouses.load.statements import OutdatedRows, Staging, Update
from wmtui.warehouses.load_request import LoadFile
from wmtui.warehouses.pg_protocol.merge_transaction import pause_after
from wmtui.warehouses.redshift import copy_statements
from wmtui.warehouses.redshift.statements import RedshiftStatements, create_newest, find_dispute, find_tie, find_twice


class TestBlanksAtTheEnd:
    """Redshift compares text without them, as PostgreSQL does in the type bpchar."""

    TEXT = "character varying(10)"
    COLUMNS: ClassVar = {"id": TEXT, "update_at": "timestamp without time zone", "note": TEXT}
    STAGING: ClassVar = Staging("staging", '"staging"', COLUMNS)

    @pytest.fixture
    def session(self, pg_db: Database) -> Iterator["psycopg.Connection[Any]"]:
        with pg_db.connect() as session:
            session.execute(f"CREATE TABLE {TARGET} (id bpchar, update_at timestamp, note bpchar)")
            session.execute("CREATE TEMPORARY TABLE staging (file int, c0 bpchar, c1 timestamp, c2 bpchar)")
            yield session

    @staticmethod
    def stage(session: "psycopg.Connection[Any]", *staged: tuple[str, datetime, str]) -> None:
        with session.cursor() as cursor:
            cursor.executemany("INSERT INTO staging VALUES (0, %s, %s, %s)", staged)

    def test_tell_keys_apart(self, session: "psycopg.Connection[Any]") -> None:
        session.execute(f"INSERT INTO {TARGET} VALUES ('a ', %s, 'old'), ('a  ', %s, 'older')", [at(1), at(1)])
        self.stage(session, ("a", at(2), "new"), ("a  ", at(2), "two"), ("a  ", at(1), "one"))
        statements, newest = (
            RedshiftStatements("public"),
            Staging("newest", '"newest"', self.COLUMNS),
        )
        assert session.execute(find_twice(self.STAGING, ("id",)).encode()).fetchall()
        for statement in (
            create_newest(self.STAGING, newest, ("id",), "update_at"),
            statements.delete_outdated(TARGET, newest, ("id",), "update_at", OutdatedRows((0,))),
            statements.update_rows(TARGET, newest, ("id",), Update(("update_at", "note"), (), (0,))),
            statements.insert_absent(TARGET, newest, ("id",)),
        ):
            session.execute(statement.encode())

        found = session.execute(f"SELECT id, note FROM {TARGET} ORDER BY octet_length(id)").fetchall()
        assert found == [("a", "new"), ("a ", "old"), ("a  ", "two")]
        assert session.execute(statements.count_absent(TARGET, newest, ("id",), "update_at").encode()).fetchone() == (
            0,
        )

    @pytest.mark.parametrize(
        ("ids", "notes", "tie", "dispute"),
        [
            (("a", "a "), ("x", "y"), False, False),
            (("a", "a"), ("x", "x"), True, False),
            (("a", "a"), ("x", "x "), True, True),
        ],
    )
    def test_tell_rows_apart(
        self,
        session: "psycopg.Connection[Any]",
        ids: Sequence[str],
        notes: Sequence[str],
        tie: bool,
        dispute: bool,
    ) -> None:
        self.stage(session, *((key, at(1), note) for key, note in zip(ids, notes, strict=True)))

        def found(find: Callable[..., str]) -> bool:
            return bool(session.execute(find(self.STAGING, ("id",), "update_at").encode()).fetchall())

        assert (found(find_tie), found(find_dispute)) == (tie, dispute)


def test_the_manifest_is_removed_whether_the_load_succeeds_or_fails(rs_bench: Bench, s3: S3Server) -> None:
    rs_bench.load(rows((1, at(1), "a")))
    rs_bench.execute("CREATE TABLE other (id bigint, update_at timestamp, note text)")
    with pytest.raises(TableError):
        rs_bench.load(rs_bench.file(rows((2, at(1), "b")), promised=7))

    assert not [key for key in s3.contents(rs_bench.bucket) if "manifests" in key]


def test_a_manifest_wants_every_file_in_its_length() -> None:
    file = LoadFile("k", "s3://b/k", "e", 123, 4)

    assert json.loads(copy_statements.manifest([file])) == {
        "entries": [{"url": "s3://b/k", "mandatory": True, "meta": {"content_length": 123}}]
    }


@pytest.mark.parametrize("harm", ["removed", "truncated"])
def test_a_file_that_is_not_as_listed_fails_the_load_by_name(rs_bench: Bench, s3: S3Server, harm: str) -> None:
    file = rs_bench.file(rows((1, at(1), "a")))
    if harm == "removed":
        s3._backend.delete_object(rs_bench.bucket, file.key)
    else:
        s3.fill(rs_bench.bucket, [file.key], rs_bench.contents[file.key][:-9])
    with pytest.raises(TableError, match=file.key):
        rs_bench.load(file)
    assert TARGET not in rs_bench.tables()


@pytest.mark.parametrize("serverless", [False, True])
def test_a_failed_copy_says_file_column_and_reason(
    rs_bench: Bench, stand_in: RedshiftStandIn, serverless: bool
) -> None:
    stand_in.serverless = serverless
    with pytest.raises(TableError, match="column note") as failure:
        rs_bench.load(rows((1, at(1), "x" * 65_536)))

    assert "String length exceeds DDL length" in str(failure.value)
    assert failure.value.next_step == "nothing was loaded"


@pytest.mark.parametrize("conflicts", [1, 20])
def test_a_serialization_failure_is_tried_again_after_a_pause(
    rs_bench: Bench, stand_in: RedshiftStandIn, conflicts: int
) -> None:
    rs_bench.load(rows((1, at(1), "a")))
    stand_in.refuse_merges = conflicts
    pauses: list[float] = []
    request = rs_bench.request(rs_bench.file(rows((1, at(2), "b"))))
    rs_bench.warehouse.load(request, rs_bench.open_part, lambda _file, _rows: None, pauses.append)

    assert rs_bench.target() == [(1, at(2), "b")]
    assert (stand_in.refuse_merges, len(pauses)) == (0, conflicts)


def test_serialization_failures_that_last_too_long_are_an_error_and_nothing_is_loaded(
    stand_in: RedshiftStandIn, pg_db: Database, s3: S3Server
) -> None:
    impatient = redshift_bench(stand_in, pg_db, s3, conflict_timeout=timedelta(0))
    impatient.load(rows((1, at(1), "a")))
    stand_in.refuse_merges = 99
    with pytest.raises(WarehouseError, match=r"conflicted with other transactions \(attempts: 1\)") as failure:
        impatient.load(rows((1, at(2), "b")))
    assert "1023" in failure.value.why
    assert "conflict_timeout" in failure.value.next_step
    assert impatient.target() == [(1, at(1), "a")]


def test_a_request_to_stop_is_heard_between_two_attempts(rs_bench: Bench, stand_in: RedshiftStandIn) -> None:
    rs_bench.load(rows((1, at(1), "a")))
    stand_in.refuse_merges = 99
    stop = Stop()
    stop.request()
    request = rs_bench.request(rs_bench.file(rows((1, at(2), "b"))))
    with pytest.raises(Interrupted):
        rs_bench.warehouse.load(request, rs_bench.open_part, lambda _file, _rows: None, stop.wait)
    assert stand_in.refuse_merges == 98
    assert rs_bench.target() == [(1, at(1), "a")]


def test_pauses_grow_up_to_a_bound() -> None:
    def longest(attempts: int) -> float:
        return max(pause_after(attempts) for _ in range(1_000))

    assert longest(1) <= 0.5 < longest(4) <= 4 < longest(10_000) <= 15


def test_the_merge_begins_with_the_ledgers_lock(rs_bench: Bench, stand_in: RedshiftStandIn) -> None:
    rs_bench.load(rows((1, at(1), "a")))

    number = next(
        n for n, statement in enumerate(stand_in.statements) if statement.startswith('LOCK "public"."wmtui_ledger_')
    )
    assert stand_in.statements[number - 1].startswith("BEGIN")


def test_access_keys_are_given_only_where_they_are_configured_and_never_told(
    rs_bench: Bench, stand_in: RedshiftStandIn, pg_db: Database, s3: S3Server
) -> None:
    keys = AccessKeys(id="AKIA", secret=Secret("hunter2"))
    with_keys = redshift_bench(stand_in, pg_db, s3, access_keys=keys)
    with_keys.load(rows((1, at(1), "a")))
    assert "ACCESS_KEY_ID 'AKIA' SECRET_ACCESS_KEY 'hunter2'" in stand_in.copies[-1]

    with pytest.raises(TableError) as failure:
        with_keys.load(rows((1, at(1), "x" * 65_536)))
    assert "hunter2" not in repr(failure.getrepr(style="short")) + str(failure.value) + repr(keys)

    rs_bench.load(rows((2, at(1), "a")))
    assert "hunter2" not in stand_in.copies[-1]


def test_a_chain_of_roles_is_given_as_it_is_configured(
    stand_in: RedshiftStandIn, pg_db: Database, s3: S3Server
) -> None:
    chain = f"{ROLE},arn:aws:iam::210987654321:role/owns-lake"
    redshift_bench(stand_in, pg_db, s3, iam_role=chain).load(rows((1, at(1), "a")))
    assert f" IAM_ROLE '{chain}' " in stand_in.copies[-1]


@pytest.mark.parametrize("isolation", ["snapshot", "serializable"])
def test_concurrent_loads_count_once_at_either_isolation(
    rs_bench: Bench, stand_in: RedshiftStandIn, isolation: Literal["snapshot", "serializable"]
) -> None:
    stand_in.isolation = isolation
    rs_bench.load(rows((0, at(0), "z")), primary_key=())
    results = concurrent_loads(rs_bench, rs_bench.file(rows((1, at(1), "a"))), primary_key=())

    assert sorted(len(result.loaded) for result in results) == [0, 0, 0, 1]
    assert rs_bench.row_count(TARGET) == 2


def test_a_target_of_another_owner_is_loaded_and_not_altered(rs_bench: Bench, pg_db: Database) -> None:
    rs_bench.load(sized(40, (1, at(1), "a")))
    owner = f"owner_{uuid4().hex[:8]}"
    pg_db.execute(f"CREATE ROLE {owner}", f"ALTER TABLE {TARGET} OWNER TO {owner}")
    rs_bench.load(sized(80, (2, at(1), "fits")))
    with pytest.raises(TableError, match="narrower than its source"):
        rs_bench.load(sized(80, (3, at(1), "x" * 80)))
    pg_db.execute(f"ALTER TABLE {TARGET} OWNER TO {pg_db.server.user}", f"DROP ROLE {owner}")
    assert len(rs_bench.target()) == 2


def test_binary_that_became_longer_is_refused_with_what_mends_it(rs_bench: Bench, stand_in: RedshiftStandIn) -> None:
    def binary(length: int, number: int, value: bytes) -> pa.Table:
        field = pa.field("b", pa.binary(), metadata={MAX_BYTES: str(length).encode()})
        schema = pa.schema([("id", pa.int64()), ("update_at", pa.timestamp("us")), field])
        return rows((number, at(1), value), schema=schema)

    rs_bench.load(binary(4, 1, b"abcd"))
    rs_bench.load(binary(8, 2, b"fits"))
    with pytest.raises(TableError, match="narrower than its source") as failure:
        rs_bench.load(binary(8, 3, b"too long"))
    assert not [statement for statement in stand_in.statements if "ALTER COLUMN" in statement]

    with rs_bench.connect()._session() as session:
        session.execute(failure.value.next_step.partition("run ")[2])
    rs_bench.load(binary(8, 3, b"too long"))
    assert rs_bench.query(f"SELECT b FROM {TARGET} ORDER BY id") == [(b"abcd",), (b"fits",), (b"too long",)]


def test_doctor_names_the_version(rs_bench: Bench) -> None:
    first, *rest = rs_bench.warehouse.check()

    assert first.finding == "Redshift 1.0.99999, not encrypted"
    assert all(check.level is Level.OK for check in rest)


def test_doctor_names_a_database_that_ignores_case(rs_bench: Bench, pg_db: Database) -> None:
    body = "RETURNS text LANGUAGE sql AS $$ SELECT 'case_insensitive'::text $$"
    pg_db.execute(f"CREATE OR REPLACE FUNCTION {STAND_IN}.db_collation() {body}")
    (found,) = [check for check in rs_bench.warehouse.check() if check.subject == "warehouse collation"]

    assert found.level is Level.WARNING
    assert "COLLATE CASE_SENSITIVE" in found.next_step


REFUSED = [
    "INSERT INTO wmtui_ledger VALUES (1) ON CONFLICT DO NOTHING",
    "INSERT INTO t VALUES (1) RETURNING a",
    "SAVEPOINT a",
    "CREATE INDEX i ON t (a)",
    "COPY t FROM STDIN",
    "DEALLOCATE ALL",
    "LOCK TABLE t IN SHARE MODE",
    "CREATE TABLE t (a bytea)",
    'COPY "t" ("a") FROM \'s3://b/k\' FORMAT AS PARQUET',
]


@pytest.mark.parametrize("statement", REFUSED)
def test_the_stand_in_refuses_what_redshift_refuses(
    stand_in: RedshiftStandIn, connect_directly: Callable[[], "psycopg.Connection[tuple[object, ...]]"], statement: str
) -> None:
    with connect_directly() as connection, pytest.raises(psycopg.Error, match=r"does not support|syntax error in COPY"):
        connection.execute(statement)
    assert statement in stand_in.statements


def test_the_stand_in_is_at_snapshot_isolation_and_has_redshifts_version(
    connect_directly: Callable[[], "psycopg.Connection[tuple[object, ...]]"],
) -> None:
    with connect_directly() as connection:
        assert connection.info.parameter_status("server_version") == "8.0.2"
        assert connection.execute("SHOW transaction_isolation").fetchone() == ("repeatable read",)


@pytest.fixture
def connect_directly(stand_in: RedshiftStandIn) -> Callable[[], "psycopg.Connection[tuple[object, ...]]"]:
    """A client of the stand-in that is not ours."""
    config = stand_in.config

    def connect() -> "psycopg.Connection[tuple[object, ...]]":
        return psycopg.connect(
            host=config["host"],
            port=config["port"],
            dbname=config["database"],
            user=config["user"],
            password=config["password"],
            client_encoding="utf8",
            autocommit=True,
            prepare_threshold=None,
        )

    return connect


def test_names_and_roles_are_only_names() -> None:
    config = RedshiftConfig(host="h", database="d", user="u", password=Secret("p"), iam_role="arn'; DROP TABLE t; --")

    assert copy_statements.copy('"t"', 1, "s3://b/it's", config) == (
        "COPY \"t\" (\"c0\") FROM 's3://b/it''s' IAM_ROLE 'arn''; DROP TABLE t; --'"
        " FORMAT AS PARQUET MANIFEST STATUPDATE OFF"
    )


def lengths(bench: Bench) -> dict[str, str]:
    """The target's declared columns."""
    statement = (
        "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute"
        f" WHERE attrelid = '{TARGET}'::regclass AND attnum > 0 AND NOT attisdropped"
    )
    return dict(bench.query(statement))


def sized(length: int, *values: tuple[int, datetime, str]) -> pa.Table:
    """Rows whose note has so many bytes at most."""
    note = pa.field("note", pa.string(), metadata={MAX_BYTES: str(length).encode()})
    return rows(*values, schema=pa.schema([("id", pa.int64()), ("update_at", pa.timestamp("us")), note]))


def test_text_is_as_long_as_its_source_in_bytes_and_grows_with_it(rs_bench: Bench, stand_in: RedshiftStandIn) -> None:
    rs_bench.load(sized(40, (1, at(1), "a")))
    assert lengths(rs_bench)["note"] == "character varying(40)"
    rs_bench.load(sized(80, (2, at(1), "é" * 40)), sized(20, (3, at(1), "c")))
    assert lengths(rs_bench)["note"] == "character varying(80)"
    assert rs_bench.target() == [(1, at(1), "a"), (2, at(1), "é" * 40), (3, at(1), "c")]
    alters = [statement for statement in stand_in.statements if "ALTER COLUMN" in statement]
    assert alters == ['ALTER TABLE "public"."orders" ALTER COLUMN "note" TYPE varchar(80)']


def test_text_as_long_as_it_gets_is_lengthened_no_more(rs_bench: Bench, stand_in: RedshiftStandIn) -> None:
    rs_bench.load(sized(40, (1, at(1), "a")))
    for minute in (2, 3, 4):
        rs_bench.load(sized(300_000, (1, at(minute), "b")))
    assert lengths(rs_bench)["note"] == "character varying(65535)"
    assert sum("ALTER COLUMN" in statement for statement in stand_in.statements) == 1


def test_text_that_redshift_does_not_lengthen_is_refused_when_a_value_does_not_fit(
    rs_bench: Bench, stand_in: RedshiftStandIn
) -> None:
    rs_bench.load(sized(40, (1, at(1), "a")))
    stand_in.refuse_lengthening = True
    rs_bench.load(sized(80, (2, at(1), "fits")))
    with pytest.raises(TableError, match="narrower than its source") as failure:
        rs_bench.load(sized(80, (3, at(1), "x" * 80)))
    assert 'ALTER COLUMN "note" TYPE varchar(80)' in failure.value.next_step
    assert len(rs_bench.target()) == 2


@pytest.mark.parametrize(
    ("layout", "clause"),
    [
        (TargetLayout(), ""),
        (TargetLayout("all"), " DISTSTYLE ALL"),
        (TargetLayout(distkey="note", sortkey=("id", "note")), ' DISTKEY ("remark") SORTKEY ("id", "remark")'),
    ],
)
def test_a_target_is_stored_as_its_settings_say(
    rs_bench: Bench, stand_in: RedshiftStandIn, layout: TargetLayout, clause: str
) -> None:
    rs_bench.load(rows((1, at(1), "a")), layout=layout, naming=Naming(rename={"note": "remark"}))
    (created,) = [s for s in stand_in.statements if s.startswith('CREATE TABLE "public"."orders"')]
    assert created.endswith(f'PRIMARY KEY ("id")){clause}')


@pytest.mark.timeout(30)
def test_a_server_that_never_answers_is_given_up(
    rs_bench: Bench, stand_in: RedshiftStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    rs_bench.load(rows((1, at(1), "a")))
    monkeypatch.setattr("wmtui.warehouses.pg_protocol.session.PgSession._patience", 0.5)
    stand_in.silent_on = "COPY"
    with pytest.raises(WarehouseError, match="no answer within"):
        rs_bench.load(rows((1, at(2), "b")))
    stand_in.silent_on = ""
    assert rs_bench.target() == [(1, at(1), "a")]
    rs_bench.load(rows((1, at(2), "b")))
    assert rs_bench.target() == [(1, at(2), "b")]


def read(bench: Bench, *columns: str) -> list[dict[str, Any]]:
    """The target's rows by id."""
    batches = bench.warehouse.read(TARGET, {column: column for column in columns}, 50_000)
    return sorted((row for batch in batches for row in batch.to_pylist()), key=lambda row: row["id"])


def test_floats_are_read_as_they_were_loaded(rs_bench: Bench) -> None:
    schema = pa.schema(
        [("id", pa.int64()), ("update_at", pa.timestamp("us")), ("d", pa.float64()), ("r", pa.float32())]
    )
    doubles = [0.1 + 0.2, 1 / 3, 1.7976931348623157e308, 5e-324, float("inf"), None]
    singles = [115527.0859375, -103.21731567382812, 3.4028234663852886e38, 1.401298464324817e-45, float("inf"), None]
    loaded = [(number, at(1), *pair) for number, pair in enumerate(zip(doubles, singles, strict=True))]
    rs_bench.load(rows(*loaded, schema=schema))

    assert [(row["d"], row["r"]) for row in read(rs_bench, "id", "d", "r")] == [row[2:] for row in loaded]


def test_a_cluster_of_one_node_is_read_without_a_cursor(rs_bench: Bench, stand_in: RedshiftStandIn) -> None:
    stand_in.single_node = True
    rs_bench.load(rows(*((number, at(1), "a") for number in range(2_500))))

    assert [row["id"] for row in read(rs_bench, "id")] == list(range(2_500))
    assert not [one for one in stand_in.statements if "DECLARE" in one or "FETCH" in one]


def test_every_session_has_a_statement_timeout(rs_bench: Bench, stand_in: RedshiftStandIn) -> None:
    rs_bench.row_count(TARGET)
    assert stand_in.statements[0].startswith("SET statement_timeout TO 7200000; SET timezone TO 'UTC'; SET")


def test_a_ledger_whose_making_conflicts_with_another_is_made_again(rs_bench: Bench, stand_in: RedshiftStandIn) -> None:
    stand_in.refuse_creation = 2
    rs_bench.load(rows((1, at(1), "a")))
    assert (stand_in.refuse_creation, rs_bench.target()) == (0, [(1, at(1), "a")])

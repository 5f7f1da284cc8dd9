"""What only PostgreSQL can do: isolation levels, broken connections, privileges."""

from datetime import timedelta
from uuid import uuid4

import pytest

from tests.servers import Database, free_port
from tests.warehouses.bench import FEED, TARGET, Bench, at, concurrent_loads, rows
from tests.warehouses.conftest import postgres_bench, postgres_config
from tests.warehouses.proxy import CommitBreaker
from wmtui.config import Secret
from wmtui.errors import UnsupportedValue, WarehouseError
from wmtui.model import Level
from wmtui.warehouses import LoadRequest, LoadResult
from wmtui.warehouses.load.statements import Statements
from wmtui.warehouses.pg_protocol import warehouse as pg_warehouse
from wmtui.warehouses.postgres.warehouse import PostgresWarehouse


@pytest.mark.parametrize("isolation", ["repeatable read", "serializable"])
def test_concurrent_loads_count_once_at_stricter_isolation(pg_db: Database, pg_bench: Bench, isolation: str) -> None:
    pg_db.execute(f"ALTER DATABASE {pg_db.name} SET default_transaction_isolation = '{isolation}'")
    pg_bench.load(rows((0, at(0), "z")), primary_key=())
    file = pg_bench.file(rows((1, at(1), "a")))
    results = concurrent_loads(pg_bench, file, primary_key=())
    assert sorted(len(result.loaded) for result in results) == [0, 0, 0, 1]
    assert pg_bench.row_count(TARGET) == 2


def failing_target(bench: Bench, failures: int, code: str) -> None:
    """A target whose first inserts fail with a code; a sequence counts them, because it is never rolled back."""
    bench.load(rows((0, at(0), "z")))
    bench.execute("CREATE SEQUENCE attempts")
    bench.execute(
        "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" IF nextval('attempts') <= {failures} THEN RAISE 'again' USING ERRCODE = '{code}'; END IF;"
        " RETURN NULL; END $$"
    )
    bench.execute(f"CREATE TRIGGER fail AFTER INSERT ON {TARGET} EXECUTE FUNCTION fail()")


@pytest.mark.parametrize("code", ["40001", "40P01"])
def test_a_merge_that_lost_against_another_program_is_tried_again(pg_bench: Bench, code: str) -> None:
    failing_target(pg_bench, 2, code)
    assert pg_bench.load(rows((1, at(1), "a"))).rows == 1
    assert len(pg_bench.target()) == 2


def test_a_merge_that_loses_for_too_long_is_given_up(pg_db: Database) -> None:
    impatient = postgres_bench(pg_db, conflict_timeout=timedelta(0))
    failing_target(impatient, 9, "40001")
    with pytest.raises(WarehouseError, match="conflicted with other transactions") as failure:
        impatient.load(rows((1, at(1), "a")))
    assert failure.value.why == "again"
    assert impatient.query("SELECT last_value FROM attempts") == [(1,)]
    assert len(impatient.ledger()) == 1


@pytest.mark.parametrize("delivered", [True, False])
def test_after_a_broken_commit_the_ledger_says_what_happened(pg_db: Database, delivered: bool) -> None:
    breaker = CommitBreaker(pg_db.server.port, deliver=delivered)
    bench = postgres_bench(pg_db, port=breaker.port)
    known = bench.file(rows((0, at(0), "z")))
    postgres_bench(pg_db).warehouse.load(bench.request(known), bench.open_part, lambda _file, _rows: None)
    file = bench.file(rows((1, at(1), "a"), (2, at(1), "b")))
    with breaker.running():
        if delivered:
            result = bench.load(known, file)
            assert (result.loaded, result.already_loaded, result.rows) == ((file,), (known,), 2)
        else:
            with pytest.raises(WarehouseError, match="lost the warehouse"):
                bench.load(known, file)
    assert breaker.broken == 1
    assert len(bench.target()) == (3 if delivered else 1)


def test_a_backend_killed_during_the_merge_leaves_nothing(pg_bench: Bench) -> None:
    failing_target(pg_bench, 0, "40001")
    pg_bench.execute(
        "CREATE OR REPLACE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(10); RETURN NULL; END $$"
    )
    with pytest.raises(WarehouseError, match="lost the warehouse"):
        pg_bench.load(rows((1, at(1), "a")))
    assert len(pg_bench.target()) == 1
    assert len(pg_bench.ledger()) == 1


def test_a_ledger_that_stays_locked_is_not_waited_for_for_ever(pg_db: Database, pg_bench: Bench) -> None:
    pg_bench.load(rows((0, at(0), "z")))
    impatient = PostgresWarehouse(postgres_config(pg_db, lock_timeout=timedelta(milliseconds=20)))
    request = pg_bench.request(pg_bench.file(rows((1, at(1), "a"))))
    with pg_db.connect() as holder, holder.transaction():
        holder.execute(f"LOCK TABLE {Statements('public').ledger(TARGET)} IN SHARE ROW EXCLUSIVE MODE")
        assert len(impatient.loads(FEED).entries) == 1
        with pytest.raises(WarehouseError, match="stays locked"):
            impatient.load(request, pg_bench.open_part, lambda _file, _rows: None)


def test_a_load_that_falls_asleep_in_its_merge_does_not_keep_the_others_out(
    pg_db: Database, pg_bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    pg_bench.load(rows((0, at(0), "z")))
    sleepy = PostgresWarehouse(postgres_config(pg_db, idle_timeout=timedelta(milliseconds=50)))
    awake = PostgresWarehouse(postgres_config(pg_db, lock_timeout=timedelta(seconds=10)))
    request = pg_bench.request(pg_bench.file(rows((1, at(1), "a"))))

    merge = pg_warehouse.merge

    def sleep(_session: object, asleep: LoadRequest, *_: object) -> LoadResult:
        monkeypatch.setattr(pg_warehouse, "merge", merge)
        awake.load(request, pg_bench.open_part, lambda _file, _rows: None)
        return LoadResult((), asleep.files, 0)

    monkeypatch.setattr(pg_warehouse, "merge", sleep)
    with pytest.raises(WarehouseError, match="fell asleep"):
        sleepy.load(pg_bench.request(pg_bench.file(rows((2, at(1), "b")))), pg_bench.open_part, lambda *_: None)
    assert [row[0] for row in pg_bench.target()] == [0, 1]


def test_a_server_that_is_down_is_said_plainly(pg_db: Database) -> None:
    warehouse = PostgresWarehouse(postgres_config(pg_db, port=free_port()))
    with pytest.raises(WarehouseError, match="cannot connect") as failure:
        warehouse.describe(TARGET)
    assert "Connection refused" in failure.value.why
    assert [(check.level, bool(check.next_step)) for check in warehouse.check()] == [(Level.ERROR, True)]


@pytest.mark.parametrize(
    ("changes", "why", "step"),
    [
        ({"password": Secret("hunter2-wrong")}, "password authentication failed", "check user and password"),
        ({"user": "nobody-here"}, "password authentication failed", "check user and password"),
        ({"database": "nowhere"}, 'database "nowhere" does not exist', "check database"),
        ({"tls": "require"}, "does not support SSL", "tls: disable"),
        ({"tls": "verify"}, "does not support SSL", "tls: disable"),
    ],
)
def test_a_refused_connection_says_why_without_the_secret(
    pg_db: Database, changes: dict[str, object], why: str, step: str
) -> None:
    with pytest.raises(WarehouseError) as failure:
        PostgresWarehouse(postgres_config(pg_db, **changes)).describe(TARGET)
    assert why in failure.value.why
    assert step in failure.value.next_step
    told = f"{failure.value!r} {failure.value} {failure.value.next_step} {failure.value.__cause__!r}"
    assert "hunter2" not in told
    assert pg_db.server.password not in told


def test_a_missing_schema_is_said_and_found_by_doctor(pg_db: Database) -> None:
    bench = postgres_bench(pg_db, schema="mart")
    with pytest.raises(WarehouseError, match="lacks the schema"):
        bench.load(rows((1, at(1), "a")))
    assert [check.next_step for check in bench.warehouse.check() if check.level is Level.ERROR] == [
        'run CREATE SCHEMA "mart"'
    ]
    bench.execute('CREATE SCHEMA "mart"')
    bench.load(rows((1, at(1), "a")))
    assert bench.query(f"SELECT id FROM mart.{TARGET}") == [(1,)]
    assert all(check.level is not Level.ERROR for check in bench.warehouse.check())


def test_an_account_without_privileges_is_told_the_grant(pg_db: Database) -> None:
    account = f"guest_{uuid4().hex[:8]}"
    pg_db.execute(f"CREATE ROLE {account} LOGIN PASSWORD 'guest'")
    bench = postgres_bench(pg_db, user=account, password=Secret("guest"))
    with pytest.raises(WarehouseError, match="lacks a privilege"):
        bench.load(rows((1, at(1), "a")))
    (grant,) = [check.next_step for check in bench.warehouse.check() if check.level is Level.ERROR]
    bench.execute(grant.removeprefix("run "))
    assert bench.load(rows((1, at(1), "a"))).rows == 1


def test_text_with_a_nul_character_is_refused_by_postgresql_and_the_column_named(pg_bench: Bench) -> None:
    with pytest.raises(UnsupportedValue, match="column note has text with a NUL"):
        pg_bench.load(rows((1, at(1), "fine"), (2, at(1), "a\0b")))
    assert TARGET not in pg_bench.tables()

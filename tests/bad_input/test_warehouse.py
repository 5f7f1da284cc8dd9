"""Warehouses that cannot be reached, refuse the login, are locked, or cannot take the rows."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from tests.bad_input.refusals import PASSWORD, WRONG_PASSWORD, Refusals, embedded, servers
from tests.servers import Database, free_port

LOAD = "wmtui sync -t T --redshift-only"
NO_WAREHOUSE_NEEDED = ("wmtui watermark get -t T", "wmtui watermark list", "wmtui files -t T")


@pytest.fixture
def extracted(refusals: Refusals) -> Refusals:
    """T's new row is in the store, and not in the warehouse."""
    refusals.operator.type("wmtui sync -t T --backup-only")
    return refusals


def fails(refusals: Refusals, code: int, *words: str) -> None:
    """Every way to load T fails, and is noted; what needs no warehouse goes on."""
    refusals.refused(f"{LOAD} --dry-run", code, *words)
    refusals.doctor_finds(4)
    not_loaded(refusals, code, *words)


def not_loaded(refusals: Refusals, code: int, *words: str) -> None:
    """Loading T fails, and is noted."""
    refusals.refused(LOAD, code, *words, failed="redshift_status")
    for command in NO_WAREHOUSE_NEEDED:
        refusals.operator.type(command)
    refusals.operator.type("wmtui status", code=1)
    assert words[0] in refusals.operator.err


@servers
def test_a_server_that_is_down_is_told_with_its_address(extracted: Refusals) -> None:
    port = free_port()
    extracted.profile(warehouse={"port": port})

    fails(extracted, 4, f"cannot connect to the warehouse 127.0.0.1:{port}", "check that the server runs")


@servers
@pytest.mark.parametrize("user", ["wmtui", "nobody"])
def test_a_refused_login_is_told(extracted: Refusals, user: str) -> None:
    extracted.profile(warehouse={"user": user, "password": "${PG_PASSWORD}"})
    extracted.monkeypatch.setenv("PG_PASSWORD", WRONG_PASSWORD)

    fails(extracted, 4, "cannot connect to the warehouse", "check user and password")


@servers
def test_an_unknown_database_is_told(extracted: Refusals) -> None:
    extracted.profile(warehouse={"database": "nowhere"})

    fails(extracted, 4, "cannot connect to the warehouse", 'database "nowhere" does not exist', "check database")


@servers
def test_a_missing_schema_is_told(extracted: Refusals) -> None:
    extracted.profile(warehouse={"schema": "nowhere"})

    not_loaded(extracted, 4, "the warehouse lacks the schema", "create it")


@pytest.fixture
def guest(pg_db: Database) -> Iterator[str]:
    """A PostgreSQL account that may connect, and no more."""
    name = f"guest_{pg_db.name[-8:]}"
    pg_db.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'")
    yield name
    pg_db.execute(f"DROP OWNED BY {name}", f"DROP ROLE {name}")


@servers
def test_an_account_that_may_not_read_the_ledger_is_told(extracted: Refusals, guest: str) -> None:
    extracted.profile(warehouse={"user": guest})

    fails(extracted, 4, "the warehouse lacks a privilege", "wmtui_warehouse", "wmtui doctor")


@servers
def test_an_account_that_may_not_create_is_told(extracted: Refusals, guest: str, pg_db: Database) -> None:
    pg_db.execute("CREATE SCHEMA bare", f"GRANT USAGE ON SCHEMA bare TO {guest}")
    extracted.profile(warehouse={"user": guest, "schema": "bare"})

    not_loaded(extracted, 4, "the warehouse lacks a privilege", "schema bare", "wmtui doctor")
    extracted.operator.type("wmtui doctor", code=4)
    assert 'GRANT USAGE, CREATE ON SCHEMA "bare"' in extracted.operator.out


@contextmanager
def opened_elsewhere(path: str) -> Iterator[None]:
    """Another process has a DuckDB file open for writing."""
    script = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('open', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", script, path]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        yield
        other.communicate()


@embedded
def test_a_file_that_another_process_has_open_is_told(extracted: Refusals) -> None:
    extracted.monkeypatch.setattr("wmtui.sources.duckdb.session.PATIENCE", 0.0)
    extracted.monkeypatch.setattr(
        "wmtui.warehouses.duckdb.warehouse.DuckDBWarehouse.__init__.__defaults__", (timedelta(0),)
    )
    profile = extracted.stack.document["profiles"]["test"]

    def locked(part: str) -> object:
        return lambda: opened_elsewhere(profile[part]["path"])

    for command in (LOAD, f"{LOAD} --dry-run"):
        failed = None if "--dry-run" in command else "redshift_status"
        extracted.refused(
            command, 4, "another process has", "again when it is done", failed=failed, during=locked("warehouse")
        )
    extracted.refused(
        "wmtui sync -t T --backup-only",
        4,
        "another process has it open",
        "wait",
        failed="mysql_status",
        during=locked("source"),
    )


@embedded
def test_a_warehouse_file_that_is_no_database_is_told(extracted: Refusals) -> None:
    path = extracted.stack.path.parent / "garbage.duckdb"
    path.write_bytes(b"garbage" * 1000)
    extracted.profile(warehouse={"path": str(path)})
    fails(extracted, 4, "garbage.duckdb", "check path")

    extracted.profile(warehouse={"path": "nowhere/dw.duckdb"})
    not_loaded(extracted, 4, "nowhere/dw.duckdb", "check path")


def test_a_target_whose_column_does_not_fit_is_told(extracted: Refusals) -> None:
    extracted.stack.warehouse("DROP TABLE orders")
    extracted.stack.warehouse(
        "CREATE TABLE orders (id BIGINT, amount SMALLINT, note VARCHAR(200), update_at TIMESTAMP)"
    )
    extracted.operator.type("wmtui accept -t T --reason 'the target was made again'")

    not_loaded(extracted, 1, "column amount does not fit", "ALTER TABLE")


def test_a_target_that_does_not_fit_is_told_before_anything_is_read(refusals: Refusals) -> None:
    stack = refusals.stack
    refusals.monkeypatch.setattr(refusals, "_warehouse_rows", lambda: {"rows": stack.warehouse("SELECT * FROM orders")})
    stack.warehouse("DROP TABLE orders")
    stack.warehouse("CREATE TABLE orders (id BIGINT, amount SMALLINT, note INTEGER NOT NULL, update_at TIMESTAMP)")
    both = ("column amount does not fit", "column note does not fit", "ALTER TABLE")

    for options in ("", " --backup-only"):
        refusals.refused(f"wmtui sync -t T{options}", 1, *both, failed="mysql_status")
    refusals.refused("wmtui sync -t T --dry-run", 1, *both)
    refusals.doctor_finds(1, "column note does not fit")


def test_a_target_whose_cursor_has_another_name_is_not_given_a_second_one(extracted: Refusals) -> None:
    extracted.stack.warehouse("ALTER TABLE orders RENAME COLUMN update_at TO changed_at")
    extracted.monkeypatch.setattr(
        extracted, "_warehouse_rows", lambda: {"rows": extracted.stack.warehouse("SELECT * FROM orders ORDER BY 1")}
    )

    not_loaded(extracted, 1, "has no column update_at", "renamed", "`rename` in tables.yaml")


def test_what_was_extracted_is_kept_while_the_warehouse_is_away(refusals: Refusals) -> None:
    stack = refusals.stack
    profile = stack.document["profiles"]["test"]
    good = dict(profile["warehouse"])
    refusals.profile(warehouse={"port": free_port()} if "port" in good else {"path": "nowhere/dw.duckdb"})

    (result,) = refusals.operator.json("wmtui sync -t T", code=4)["tables"]
    assert (result["rows_extracted"], result["rows_loaded"]) == (1, 0)
    refusals.profile(warehouse=good)
    refusals.operator.type("wmtui sync -t T")

    assert stack.warehouse_rows() == stack.source_rows()

"""Source databases that cannot be reached, refuse the login, or hold what cannot be carried."""

from collections.abc import Iterator

import pytest

from tests.bad_input.refusals import WRONG_PASSWORD, Refusals, embedded, servers
from tests.servers import free_port

SYNCS = ("wmtui sync -t T", "wmtui sync -t T --backup-only")
NO_SOURCE_NEEDED = (
    "wmtui watermark get -t T",
    "wmtui watermark list",
    "wmtui files -t T",
    "wmtui sync -t T --redshift-only",
)


def fails(refusals: Refusals, code: int, *words: str, doctor: int | None = None) -> None:
    """Every way to read T fails, and is noted; what needs no source goes on."""
    refusals.refused("wmtui sync -t T --dry-run", code, *words)
    refusals.refused(SYNCS, code, *words, failed="mysql_status")
    refusals.doctor_finds(doctor or (4 if code == 4 else 1), words[0])
    refusals.operator.type("wmtui watermark get -t T")
    assert "failed" in refusals.operator.out
    assert words[0] in refusals.operator.out
    for command in NO_SOURCE_NEEDED:
        refusals.operator.type(command)


@servers
def test_a_server_that_is_down_is_told_with_its_address(refusals: Refusals) -> None:
    port = free_port()
    refusals.profile(source={"port": port})

    fails(refusals, 4, f"cannot reach MySQL at 127.0.0.1:{port}", "check that it runs")


@servers
def test_an_unknown_host_is_told(refusals: Refusals) -> None:
    refusals.profile(source={"host": "db.invalid"})

    fails(refusals, 4, "cannot reach MySQL at db.invalid", "host, port and firewall")


@servers
def test_a_wrong_password_is_told(refusals: Refusals) -> None:
    refusals.profile(source={"password": "${MYSQL_PASSWORD}"})
    refusals.monkeypatch.setenv("MYSQL_PASSWORD", WRONG_PASSWORD)

    fails(refusals, 4, "refuses the login", "check user and password")


@servers
def test_an_unknown_database_names_those_there_are(refusals: Refusals) -> None:
    stack = refusals.stack
    stack.document["tables"] = {f"{stack.schema}x.orders": {}}
    refusals.profile()

    command = f"wmtui sync -t {stack.schema}x.orders"
    refusals.operator.type(command, code=3)
    assert f"no schema {stack.schema}x" in refusals.operator.err
    assert f"did you mean {stack.schema}" in refusals.operator.err


@pytest.fixture
def stranger(request: pytest.FixtureRequest) -> Iterator[str]:
    """An account of the source server without any privilege."""
    with request.getfixturevalue("source_server").new_account() as name:
        yield name


@servers
def test_an_account_that_sees_nothing_is_told_to_be_granted_select(refusals: Refusals, stranger: str) -> None:
    refusals.profile(source={"user": stranger})

    fails(refusals, 3, "the source has no schema", "GRANT SELECT")


@servers
def test_an_account_that_may_not_select_is_told(refusals: Refusals, stranger: str) -> None:
    stack = refusals.stack
    stack.source(f"GRANT INSERT ON {stack.schema}.orders TO '{stranger}'@'%'")
    refusals.profile(source={"user": stranger})

    fails(refusals, 4, f"denies user {stranger} a privilege", "SELECT", doctor=1)


def test_a_missing_source_table_names_the_nearest(refusals: Refusals) -> None:
    stack = refusals.stack
    stack.source(f"ALTER TABLE {stack.schema}.orders RENAME TO orders_2")

    fails(refusals, 3, "the source has no table", "did you mean orders_2")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"cursor": "updated_at"}, ["has no column updated_at", "did you mean update_at"]),
        ({"cursor": "amount"}, ["cursor amount", "a cursor is a date with time"]),
        ({"primary_key": ["ident"]}, ["has no column ident", "did you mean"]),
        ({"primary_key": ["note"]}, ["[note] is not a primary key", "use primary_key: [id]"]),
    ],
    ids=str,
)
def test_settings_that_do_not_fit_the_table_are_told(
    refusals: Refusals, settings: dict[str, object], words: list[str]
) -> None:
    refusals.stack.reload(orders=settings)

    fails(refusals, 3, *words)


def test_a_table_without_primary_key_is_told_how_to_go_on(refusals: Refusals) -> None:
    stack = refusals.stack
    stack.source(f"DROP TABLE {stack.schema}.orders")
    stack.create(key="")
    stack.insert((3, "3.50", "three", stack.ago(minutes=5)))

    fails(refusals, 3, "[id] is not a primary key", "primary_key: []")


@pytest.mark.parametrize(
    "command",
    ["watermark set -t T 2001-01-01", "watermark reset -t T", "sync -t T --redshift-only --reprocess"],
)
def test_moving_back_without_primary_key_needs_force(refusals: Refusals, command: str) -> None:
    refusals.stack.reload(orders={"primary_key": []})

    refusals.refused(f"wmtui {command}", 2, "has no primary key", "add --force")


@servers
@pytest.mark.parametrize("column", ["GEOMETRY", "POINT"])
def test_a_type_that_cannot_be_carried_exactly_is_refused_with_its_column(refusals: Refusals, column: str) -> None:
    refusals.stack.source(f"ALTER TABLE {refusals.stack.schema}.orders ADD odd {column}")

    fails(refusals, 1, "odd", column.lower(), "exclude: [odd]")


@servers
def test_a_number_of_too_many_digits_is_refused_where_the_rule_says_so(refusals: Refusals) -> None:
    refusals.stack.source(f"ALTER TABLE {refusals.stack.schema}.orders ADD odd DECIMAL(65,2)")
    refusals.stack.reload(orders={"wide_decimals": "error"})

    fails(refusals, 1, "odd", "decimal(65,2)", "wide_decimals: text")


def test_an_excluded_column_that_does_not_exist_is_refused_with_the_nearest(refusals: Refusals) -> None:
    refusals.stack.reload(orders={"exclude": ["notes"]})

    fails(refusals, 3, "has no column notes", "exclude", "did you mean note?")


@embedded
def test_a_type_of_the_embedded_source_that_cannot_be_carried_is_refused(refusals: Refusals) -> None:
    refusals.stack.source("ALTER TABLE shop.orders ADD odd INTERVAL")

    fails(refusals, 1, "odd", "INTERVAL")


@servers
def test_a_zero_date_is_refused_with_its_column(refusals: Refusals) -> None:
    stack = refusals.stack
    stack.source(f"ALTER TABLE {stack.schema}.orders ADD born DATE")
    stack.source(f"UPDATE IGNORE {stack.schema}.orders SET born = '0000-00-00' WHERE id = 3")
    refusals.monkeypatch.setattr(refusals.stack, "source_rows", lambda _: None)

    refusals.refused(SYNCS, 1, "born", "0000-00-00", failed="mysql_status")


@embedded
def test_an_embedded_source_that_is_no_database_is_told(refusals: Refusals) -> None:
    path = refusals.stack.path.parent / "garbage.duckdb"
    refusals.profile(source={"path": "nowhere.duckdb"})
    fails(refusals, 4, "nowhere.duckdb", "check the path")
    path.write_bytes(b"garbage" * 1000)
    refusals.profile(source={"path": str(path)})
    fails(refusals, 4, "garbage.duckdb", "check the path")

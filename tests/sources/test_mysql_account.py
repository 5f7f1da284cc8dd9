"""What an account may see of a real MySQL and a real MariaDB, and what `doctor` says is missing."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from tests.servers import Database
from tests.servers.mariadb import MariaDB
from tests.servers.mysql import MySQL
from tests.sources.conftest import ZONE, Apart, mysql_config, table_config
from wmtui.errors import ConfigError, SourceError
from wmtui.model import Check, Level, TableName
from wmtui.sources.mysql.account import grant
from wmtui.sources.mysql.server_kind import kind_of
from wmtui.sources.mysql.session import Session
from wmtui.sources.mysql.source import MySQLSource
from wmtui.sources.span_query import MYSQL


@pytest.fixture(scope="module", params=[MySQL, MariaDB], ids=["mysql", "mariadb"])
def server(request: pytest.FixtureRequest) -> Iterator[MySQL | MariaDB]:
    with request.param() as server:
        yield server


@pytest.fixture
def shop(server: MySQL | MariaDB) -> Iterator[Database]:
    """A database with a table of a secret, and an account without any privilege: `etl` in a name of its own."""
    with server.new_database() as database:
        database.execute(
            "CREATE TABLE t (id INT PRIMARY KEY, u DATETIME NOT NULL, v INT, secret INT)",
            "INSERT INTO t VALUES (1, '2025-01-01', 10, 99)",
            f"CREATE USER {etl(database)} IDENTIFIED BY '{server.password}'",
        )
        log_in_once(database)
        yield database
        database.execute(f"DROP USER {etl(database)}")


def etl(database: Database) -> str:
    return f"etl_{database.name[-8:]}"


def log_in_once(database: Database) -> None:
    """Let MySQL remember the account, so that the tests may go without TLS."""
    if isinstance(database.server, MySQL):
        with Session(replace(mysql_config(database, etl(database)), tls="require")):
            pass


def source(database: Database, user: str | None = None) -> Apart:
    return Apart(MySQLSource(mysql_config(database, user or etl(database)), ZONE))


def describe(database: Database, table: str = "t", **settings: Any) -> list[str]:
    found = source(database).describe(TableName(database.name, table), table_config("u", ["id"], **settings))
    return list(found.schema.names)


def refusal(database: Database, table: str = "t", **settings: Any) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        describe(database, table, **settings)
    assert caught.value.why
    assert caught.value.next_step
    return caught.value


def findings(checks: Sequence[Check]) -> dict[str, Check]:
    return {check.subject.rpartition(": ")[2]: check for check in checks}


# Columns that the account may not read


def test_an_account_with_select_on_some_columns_is_refused(shop: Database) -> None:
    shop.execute(f"GRANT SELECT (id, u, v) ON t TO {etl(shop)}")
    error = refusal(shop)
    assert error.what == f"the user may not read every column of {shop.name}.t"
    assert "id, u, v" in error.why
    assert "secret" not in str(error)
    assert f"GRANT SELECT ON `{shop.name}`.`t` TO '{etl(shop)}'@'%'" in error.next_step
    assert "`exclude`" in error.next_step
    (check,) = source(shop).check_table(TableName(shop.name, "t"), table_config("u", ["id"]))
    assert (check.level, check.finding) == (Level.ERROR, str(error))


def test_the_grant_that_is_named_is_the_one_that_helps(shop: Database) -> None:
    shop.execute(f"GRANT SELECT (id, u, v) ON t TO {etl(shop)}")
    shop.execute(refusal(shop).next_step.partition(";")[0])
    assert describe(shop) == ["id", "u", "v", "secret"]


def test_excluding_a_hidden_column_says_that_the_narrower_table_is_wanted(shop: Database) -> None:
    shop.execute(f"GRANT SELECT (id, u, v) ON t TO {etl(shop)}")
    assert describe(shop, exclude=("secret",)) == ["id", "u", "v"]
    assert describe(shop, exclude=("secret", "v")) == ["id", "u"]
    assert "may not read" in refusal(shop, exclude=("v",)).what
    assert "may not read" in refusal(shop, exclude=("V",)).what
    assert "has no column V" in refusal(shop, exclude=("secret", "V")).what


def test_a_slip_of_the_pen_in_exclude_is_still_refused_where_every_column_shows(shop: Database) -> None:
    shop.execute(f"GRANT SELECT ON t TO {etl(shop)}")
    assert refusal(shop, exclude=("secrt",)).next_step == "did you mean secret?"
    assert describe(shop, exclude=("secret",)) == ["id", "u", "v"]


def test_columns_that_the_account_may_only_write_are_not_read(shop: Database) -> None:
    shop.execute(f"GRANT SELECT (id, u), INSERT ON t TO {etl(shop)}")
    assert "id, u;" in refusal(shop).why
    assert describe(shop, exclude=("secret",)) == ["id", "u"]
    shop.execute(f"REVOKE SELECT (id, u) ON t FROM {etl(shop)}")
    with pytest.raises(SourceError, match="denies user") as caught:
        describe(shop, exclude=("secret",))
    assert caught.value.next_step == f"GRANT SELECT ON `{shop.name}`.`t` TO '{etl(shop)}'@'%'"


def test_a_view_hides_columns_no_less(shop: Database) -> None:
    shop.execute("CREATE VIEW w AS SELECT * FROM t", f"GRANT SELECT (id, u) ON w TO {etl(shop)}")
    name = TableName(shop.name, "w")
    with pytest.raises(ConfigError, match="may not read every column"):
        source(shop).describe(name, table_config("u", []))
    assert source(shop).describe(name, table_config("u", [], exclude=("secret",))).schema.names == ["id", "u"]


def test_an_invisible_column_is_read_where_it_may_be(shop: Database) -> None:
    shop.execute(
        "CREATE TABLE i (id INT PRIMARY KEY, w INT INVISIBLE, u DATETIME NOT NULL)", f"GRANT SELECT ON i TO {etl(shop)}"
    )
    assert describe(shop, "i") == ["id", "w", "u"]


def test_privileges_of_an_active_role_count(shop: Database) -> None:
    role = f"r_{shop.name[-8:]}"
    shop.execute(f"CREATE ROLE {role}", f"GRANT SELECT (id, u, v) ON t TO {role}", f"GRANT {role} TO {etl(shop)}")
    assert "no schema" in refusal(shop).what
    check = findings(source(shop).check())["source roles"]
    shop.execute(*check.next_step.split("; "))
    assert "may not read every column" in refusal(shop).what
    shop.execute(f"GRANT SELECT ON t TO {role}")
    assert describe(shop) == ["id", "u", "v", "secret"]
    shop.execute(f"DROP ROLE {role}")


# Names


def test_a_table_that_is_hidden_is_told_with_the_grant_that_shows_it(shop: Database) -> None:
    error = refusal(shop)
    assert "no schema" in error.what
    statement = f"GRANT SELECT ON `{shop.name}`.* TO '{etl(shop)}'@'%'"
    assert statement in error.next_step
    shop.execute(statement)
    assert describe(shop) == ["id", "u", "v", "secret"]


def test_a_name_with_quotes_is_granted_to_as_it_is(shop: Database) -> None:
    user = f"o'{shop.name[-4:]}`\\"
    quoted = "'" + user.replace("\\", "\\\\").replace("'", "''") + "'@'%'"
    shop.execute(f"CREATE USER {quoted} IDENTIFIED BY '{shop.server.password}'")
    with Session(
        replace(mysql_config(shop, user), tls="require" if isinstance(shop.server, MySQL) else "disable")
    ) as s:
        statement = grant(s, "SELECT", MYSQL.table(TableName(shop.name, "t")))
    shop.execute(statement, f"DROP USER {quoted}")
    assert quoted in statement


# What doctor says


def test_doctor_names_the_kind_the_version_and_the_account(shop: Database) -> None:
    check = findings(source(shop).check())["source"]
    name = "MySQL 9." if isinstance(shop.server, MySQL) else "MariaDB 10."
    assert check.level is Level.OK
    assert check.finding.startswith(name)
    assert check.finding.endswith(f"at 127.0.0.1:{shop.server.port} as '{etl(shop)}'@'%'")


def test_each_missing_privilege_is_told_as_the_statement_that_grants_it(shop: Database) -> None:
    shop.execute(f"GRANT SELECT ON t TO {etl(shop)}")
    found = findings(source(shop).check())
    for subject in ("source replication", "source transactions"):
        assert found[subject].level is Level.WARNING
        shop.execute(found[subject].next_step)
    found = findings(source(shop).check())
    assert [found[name].level for name in ("source replication", "source transactions")] == [Level.OK, Level.OK]
    assert found["source replication"].finding == "visible: this server is no replica"


def test_a_role_that_is_not_active_is_told_with_the_statement_that_activates_it(shop: Database) -> None:
    outer, inner = (f"{name}_{shop.name[-8:]}" for name in ("outer", "inner"))
    shop.execute(
        f"CREATE ROLE {outer}",
        f"CREATE ROLE {inner}",
        f"GRANT SELECT ON t TO {inner}",
        f"GRANT {inner} TO {outer}",
        f"GRANT {outer} TO {etl(shop)}",
    )
    check = findings(source(shop).check())["source roles"]
    assert check.level is Level.WARNING
    assert outer in check.finding
    assert inner not in check.finding
    assert "SET DEFAULT ROLE" in check.next_step
    shop.execute(*check.next_step.split("; "))
    assert "source roles" not in findings(source(shop).check())
    assert describe(shop) == ["id", "u", "v", "secret"]
    shop.execute(f"GRANT {inner} TO {etl(shop)}")
    assert "source roles" not in findings(source(shop).check())
    shop.execute(f"DROP ROLE {outer}, {inner}")


def test_two_roles_that_are_not_active_become_so(shop: Database) -> None:
    roles = [f"{name}_{shop.name[-8:]}" for name in ("one", "two")]
    for role in roles:
        shop.execute(f"CREATE ROLE {role}", f"GRANT {role} TO {etl(shop)}")
    check = findings(source(shop).check())["source roles"]
    assert all(role in check.finding for role in roles)
    shop.execute(*check.next_step.split("; "))
    assert "source roles" not in findings(source(shop).check())
    shop.execute(f"DROP ROLE {', '.join(roles)}")


def test_without_tls_doctor_says_that_a_sha2_login_comes_and_goes(shop: Database) -> None:
    check = findings(source(shop).check())["source TLS"]
    assert check.level is Level.WARNING
    assert ("remembers" in check.finding) == isinstance(shop.server, MySQL)
    assert "tls: verify" in check.next_step


def test_with_require_doctor_says_that_nobody_proved_who_answers(shop: Database) -> None:
    if isinstance(shop.server, MySQL):
        checks = MySQLSource(replace(mysql_config(shop, etl(shop)), tls="require"), ZONE).check()
        assert "not proven" in findings(checks)["source TLS"].finding


@pytest.mark.parametrize(
    ("version", "comment", "aurora", "told"),
    [
        ("9.7.4-2", "(Debian)", None, "MySQL 9.7.4-2"),
        ("5.7.44-log", "MySQL Community Server (GPL)", None, "MySQL 5.7.44-log"),
        ("8.0.36", "Source distribution", None, "MySQL 8.0.36"),
        ("8.0.31-google", "(Google)", None, "MySQL 8.0.31-google"),
        ("8.0.32", "Source distribution", "3.05.2", "Aurora MySQL 3.05.2 (MySQL 8.0.32)"),
        ("8.0.35-27", "Percona Server (GPL), Release 27", None, "Percona Server 8.0.35-27"),
        ("10.11.19-MariaDB-0+deb12u1", "Debian 12", None, "MariaDB 10.11.19-MariaDB-0+deb12u1"),
        (
            "5.5.5-10.6.16-MariaDB-log",
            "managed by https://aws.amazon.com/rds/",
            None,
            "MariaDB 5.5.5-10.6.16-MariaDB-log",
        ),
    ],
)
def test_a_kind_that_is_known_is_named_without_doubt(version: str, comment: str, aurora: str | None, told: str) -> None:
    kind = kind_of(version, comment, aurora)
    assert (str(kind), kind.doubt) == (told, "")


@pytest.mark.parametrize(
    ("version", "comment", "doubt"),
    [
        ("5.6.51", "MySQL Community Server (GPL)", "older than 5.7"),
        ("10.5.23-MariaDB", "mariadb.org binary distribution", "older than 10.6"),
        ("8.0.11-TiDB-v7.5.0", "TiDB Server (Apache License 2.0)", "neither MySQL nor MariaDB"),
        ("8.0.30-Vitess", "Version: 19.0.0", "neither MySQL nor MariaDB"),
        ("8.1.0", "Acme SQL", "unknown kind"),
    ],
)
def test_a_kind_that_wmtui_was_not_written_for_is_doubted(version: str, comment: str, doubt: str) -> None:
    assert doubt in kind_of(version, comment).doubt


# Indexes and sizes


def index_check(database: Database, *statements: str) -> Check:
    database.execute(*statements)
    checks = source(database, database.server.user).check_table(
        TableName(database.name, "x"), table_config("u", ["id"])
    )
    return findings(checks)["index on u"]


def test_an_index_that_the_optimizer_may_not_use_is_not_present(shop: Database) -> None:
    hidden = "INVISIBLE" if isinstance(shop.server, MySQL) else "IGNORED"
    check = index_check(shop, f"CREATE TABLE x (id INT PRIMARY KEY, u DATETIME NOT NULL, INDEX `by u` (u) {hidden})")
    assert check.level is Level.WARNING
    assert check.finding.startswith(f"by u is {hidden}")
    shop.execute(check.next_step)
    assert index_check(shop).finding == "present"


@pytest.mark.parametrize("index", ["INDEX (u DESC)", "INDEX (u, v)", "UNIQUE (u, id)"])
def test_an_index_that_begins_with_the_cursor_is_present_whatever_follows(shop: Database, index: str) -> None:
    table = f"CREATE TABLE x (id INT PRIMARY KEY, u DATETIME NOT NULL, v INT, {index})"
    assert index_check(shop, table).finding == "present"


def test_an_index_of_hashes_finds_no_range(shop: Database) -> None:
    check = index_check(shop, "CREATE TABLE x (id INT PRIMARY KEY, u DATETIME NOT NULL, INDEX (u)) ENGINE = MEMORY")
    assert check.level is Level.WARNING
    assert "hashes" in check.finding


def test_an_index_on_an_expression_or_behind_another_column_is_no_index_on_the_cursor(shop: Database) -> None:
    expression = ", INDEX ((DATE(u)))" if isinstance(shop.server, MySQL) else ""
    check = index_check(
        shop, f"CREATE TABLE x (id INT PRIMARY KEY, u DATETIME NOT NULL, v INT, INDEX (v, u){expression})"
    )
    assert check.finding.startswith("missing")
    assert f"ON `{shop.name}`.`x` (`u`)" in check.next_step


def test_a_hidden_unique_index_still_is_a_key(shop: Database) -> None:
    hidden = "INVISIBLE" if isinstance(shop.server, MySQL) else "IGNORED"
    shop.execute(
        f"CREATE TABLE x (n INT PRIMARY KEY, id INT NOT NULL, u DATETIME NOT NULL, UNIQUE INDEX k (id) {hidden})"
    )
    described = source(shop, shop.server.user).describe(TableName(shop.name, "x"), table_config("u", ["id"]))
    assert described.primary_key == ("id",)


def test_the_size_is_as_of_now(shop: Database) -> None:
    """MySQL keeps sizes for a day unless told otherwise."""

    def size() -> str:
        checks = source(shop, shop.server.user).check_table(TableName(shop.name, "x"), table_config("u", ["id"]))
        return findings(checks)["size"].finding

    shop.execute("CREATE TABLE x (id INT PRIMARY KEY AUTO_INCREMENT, u DATETIME NOT NULL)")
    before = size()
    shop.execute("INSERT INTO x (u) VALUES ('2025-01-01'), ('2025-01-01')")
    for _ in range(12):
        shop.execute("INSERT INTO x (u) SELECT u FROM x")
    assert "about 0 rows" in before
    shop.query("ANALYZE TABLE x")
    assert "about 0 rows" not in size()

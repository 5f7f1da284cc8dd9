"""What `doctor` finds about a MySQL server and its tables."""

from wmtui.config import MySQLConfig
from wmtui.errors import SourceError
from wmtui.model import Check, Level
from wmtui.sources import findings
from wmtui.sources import mysql_catalog as catalog
from wmtui.sources.base import SourceTable
from wmtui.sources.mysql_account import account, activation, grant, inactive_roles, password_plugin
from wmtui.sources.mysql_clock import server_clock
from wmtui.sources.mysql_kind import Kind, replicates, server_kind
from wmtui.sources.mysql_session import HAS_C_EXTENSION, Session
from wmtui.sources.sql import MYSQL

_SHA2 = {"caching_sha2_password", "sha256_password"}


def check_server(config: MySQLConfig) -> list[Check]:
    """Driver, connection, kind of server, TLS and privileges; a failure ends the list."""
    checks = [_driver()]
    try:
        with Session(config) as session:
            kind = server_kind(session)
            checks.append(_server(session, kind, f"{config.host}:{config.port}"))
            checks.append(_tls(session, kind, config))
            checks.extend(_privileges(session, kind))
            checks.extend(_roles(session, kind))
    except SourceError as error:
        checks.append(findings.failed("source", error))
    return checks


def check_table(session: Session, table: SourceTable) -> list[Check]:
    """Key, cursor index, NULL cursors, whether updates touch the cursor, engine and size. Raises SourceError."""
    nulls = catalog.count_nulls(session, table.table, table.cursor) if table.nullable_cursor else 0
    status = catalog.status(session, table.table)
    return [
        findings.key_use(table),
        _cursor_index(session, table),
        findings.cursor_nulls(table, nulls),
        _touched(session, table),
        _engine(table, status.engine),
        findings.size(table, status.rows or 0, status.size),
    ]


def _driver() -> Check:
    if HAS_C_EXTENSION:
        return Check("source driver", Level.OK, "mysql-connector-python with its C extension")
    return Check(
        "source driver",
        Level.WARNING,
        "mysql-connector-python runs without its C extension: reading is about five times slower",
        "install the wheel of mysql-connector-python 9.x for this platform",
    )


def _server(session: Session, kind: Kind, where: str) -> Check:
    finding = f"{kind} at {where} as {account(session)}"
    if not kind.doubt:
        return Check("source", Level.OK, finding)
    next_step = "try one table first, and compare it with `wmtui verify`; see docs/mysql.md for what was tried"
    return Check("source", Level.WARNING, f"{finding}: {kind.doubt}", next_step)


def _tls(session: Session, kind: Kind, config: MySQLConfig) -> Check:
    if session.cipher:
        unproven = "" if config.tls == "verify" else "; who answers is not proven (tls: require)"
        return Check("source TLS", Level.OK, f"encrypted with {session.cipher}{unproven}")
    plugin = password_plugin(session)
    if plugin is None and not kind.is_mariadb and kind.release >= (8,):
        plugin = "caching_sha2_password"  # the default of accounts from 8.0 on
    if plugin not in _SHA2:
        return Check("source TLS", Level.WARNING, "not encrypted", "set tls: verify where the server offers TLS")
    return Check(
        "source TLS",
        Level.WARNING,
        f"not encrypted, and {plugin} lets the account in without TLS only while the server remembers an earlier login:"
        " after a restart or FLUSH PRIVILEGES it does not",
        "set tls: verify, and `ca`; or tls: require, which encrypts but does not prove who answers",
    )


def _privileges(session: Session, kind: Kind) -> list[Check]:
    replica = replicates(session)
    if replica is not None:
        what = "a replica: its delay is taken into account" if replica else "visible: this server is no replica"
        replication = Check("source replication", Level.OK, what)
    else:
        replication = Check(
            "source replication",
            Level.WARNING,
            "not visible: the delay of a replica would go unnoticed",
            grant(session, "REPLICA MONITOR" if kind.is_mariadb else "REPLICATION CLIENT", "*.*"),
        )
    if server_clock(session).sees_transactions:
        transactions = Check("source transactions", Level.OK, "visible: reading stops below the oldest open writer")
    else:
        transactions = Check(
            "source transactions",
            Level.WARNING,
            "not visible: only lookback guards against rows committed late",
            grant(session, "PROCESS", "*.*"),
        )
    return [replication, transactions]


def _roles(session: Session, kind: Kind) -> list[Check]:
    """A finding if the account has roles that do not count."""
    if not kind.is_mariadb and kind.release < (8, 0, 19):
        return []
    roles = inactive_roles(session)
    if not roles:
        return []
    return [
        Check(
            "source roles",
            Level.WARNING,
            f"granted but not active, so that their privileges do not count: {', '.join(roles)}",
            activation(session, roles, mariadb=kind.is_mariadb),
        )
    ]


def _cursor_index(session: Session, table: SourceTable) -> Check:
    """A descending index counts, an index on a prefix or an expression does not: no range of the column is in it."""
    subject = f"{table.table}: index on {table.cursor}"
    indexes = [index for index in catalog.indexes(session, table.table) if index.columns[0] == table.cursor]
    if any(index.serves(table.cursor) for index in indexes):
        return Check(subject, Level.OK, "present")
    name, cursor = MYSQL.table(table.table), MYSQL.name(table.cursor)
    hidden = next((index for index in indexes if index.hidden and index.ordered), None)
    if hidden is not None:
        visible = "VISIBLE" if hidden.hidden == "INVISIBLE" else "NOT IGNORED"
        return Check(
            subject,
            Level.WARNING,
            f"{hidden.name} is {hidden.hidden}, so the optimizer leaves it alone: every sync reads the whole table",
            f"ALTER TABLE {name} ALTER INDEX {MYSQL.name(hidden.name)} {visible}",
        )
    finding = "only of hashes, which finds no range" if indexes else "missing"
    return Check(
        subject, Level.WARNING, f"{finding}: every sync reads the whole table", f"CREATE INDEX … ON {name} ({cursor})"
    )


def _touched(session: Session, table: SourceTable) -> Check:
    subject = f"{table.table}: updates touch {table.cursor}"
    column = next(column for column in catalog.columns(session, table.table) if column.name == table.cursor)
    if "on update" in column.extra.lower():
        return Check(subject, Level.OK, column.extra)
    return Check(
        subject,
        Level.WARNING,
        "not by the column's definition: an update that leaves it alone is never seen",
        "make sure that the application sets it, or declare it ON UPDATE CURRENT_TIMESTAMP",
    )


def _engine(table: SourceTable, engine: str | None) -> Check:
    subject = f"{table.table}: engine"
    if engine == "InnoDB":
        return Check(subject, Level.OK, engine)
    return Check(
        subject,
        Level.WARNING,
        f"{engine or 'a view'}: its open writers cannot be seen, only lag and lookback guard against late rows",
        "use InnoDB, or a larger lookback",
    )

"""What `doctor` finds about a MySQL server and its tables."""

from wmtui.config import MySQLConfig
from wmtui.errors import SourceError
from wmtui.model import Check, Level
from wmtui.sources import findings
from wmtui.sources import mysql_catalog as catalog
from wmtui.sources.base import SourceTable
from wmtui.sources.mysql_clock import sees_replication, server_clock
from wmtui.sources.mysql_session import HAS_C_EXTENSION, Session

_VERSION = "SELECT VERSION() AS version, CURRENT_USER() AS account"


def check_server(config: MySQLConfig) -> list[Check]:
    """Driver, connection, TLS and privileges; a failure ends the list."""
    checks = [_driver()]
    try:
        with Session(config) as session:
            server = session.query(_VERSION)[0]
            where = f"{config.host}:{config.port}"
            checks.append(Check("source", Level.OK, f"{server['version']} at {where} as {server['account']}"))
            checks.append(_tls(session))
            checks.extend(_privileges(session))
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


def _tls(session: Session) -> Check:
    if session.cipher:
        return Check("source TLS", Level.OK, f"encrypted with {session.cipher}")
    return Check("source TLS", Level.WARNING, "not encrypted", "set tls: verify where the server offers TLS")


def _privileges(session: Session) -> list[Check]:
    if sees_replication(session):
        replication = Check("source replication", Level.OK, "visible: the delay of a replica is taken into account")
    else:
        replication = Check(
            "source replication",
            Level.WARNING,
            "not visible: the delay of a replica would go unnoticed",
            "GRANT REPLICATION CLIENT (MariaDB: REPLICA MONITOR) ON *.* to the user, if this is a replica",
        )
    if server_clock(session).sees_transactions:
        transactions = Check("source transactions", Level.OK, "visible: reading stops below the oldest open writer")
    else:
        transactions = Check(
            "source transactions",
            Level.WARNING,
            "not visible: only lookback guards against rows committed late",
            "GRANT PROCESS ON *.* to the user",
        )
    return [replication, transactions]


def _cursor_index(session: Session, table: SourceTable) -> Check:
    subject = f"{table.table}: index on {table.cursor}"
    if any(index.columns[0] == table.cursor for index in catalog.indexes(session, table.table)):
        return Check(subject, Level.OK, "present")
    name = f"CREATE INDEX … ON {table.table} ({table.cursor})"
    return Check(subject, Level.WARNING, "missing: every sync reads the whole table", name)


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

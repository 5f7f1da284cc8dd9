"""What `doctor` finds about a MySQL server and its tables."""

from datetime import datetime, timedelta

from wmtui.config import MySQLConfig
from wmtui.errors import SourceError
from wmtui.model import Check, Level
from wmtui.sources import findings
from wmtui.sources import mysql_catalog as catalog
from wmtui.sources.base import CursorCounts, SourceTable
from wmtui.sources.mysql_clock import NO_PROCESS, NO_REPLICATION, oldest_writer, read_clock, sees_replication
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


def check_table(session: Session, table: SourceTable, counts: CursorCounts | None, now: datetime) -> list[Check]:
    """Key, cursor and its index, whether updates touch it, engine and size. Raises SourceError.

    now: the source's clock, wall clock in the profile's zone.
    """
    status = catalog.status(session, table.table)
    return [
        findings.key_use(table),
        _cursor_index(session, table),
        findings.cursor_nulls(table, counts),
        findings.cursor_reach(table, counts, now),
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
    if sees_replication(session, session.server):
        replication = Check("source replication", Level.OK, "visible: the delay of a replica is taken into account")
    else:
        replication = Check(
            "source replication",
            Level.WARNING,
            "not visible: the delay of a replica would go unnoticed",
            "GRANT REPLICATION CLIENT (MariaDB: REPLICA MONITOR) ON *.* to the user, if this is a replica",
        )
    return [replication, _transactions(session)]


_LONG = timedelta(seconds=60)


def _transactions(session: Session) -> Check:
    """Whether open transactions show, and whether one of them holds reading back."""
    subject = "source transactions"
    reading = read_clock(session, session.server)
    writer = oldest_writer(session, reading, lookback=_LONG, idle=False)
    if reading.blind:
        return Check(
            subject,
            Level.WARNING,
            f"not all visible: {reading.blind}; the last 10 minutes are read again for rows committed late",
            _MEND.get(reading.blind, "read from the primary, or accept that rows committed later are missed"),
        )
    if writer is not None and reading.now - writer.started > _LONG:
        seconds = int((reading.now - writer.started).total_seconds())
        return Check(
            subject,
            Level.WARNING,
            f"{writer} has a transaction open for {seconds} s: nothing newer is read until it ends",
            f"see what it does; `KILL {writer.session}` ends it",
        )
    return Check(subject, Level.OK, "visible: reading stops below the oldest open writer")


_MEND = {
    NO_PROCESS: "GRANT PROCESS ON *.* to the user",
    NO_REPLICATION: "GRANT REPLICATION CLIENT (MariaDB: REPLICA MONITOR) ON *.* to the user",
}


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

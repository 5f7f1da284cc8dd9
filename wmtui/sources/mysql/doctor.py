"""What `doctor` finds about a MySQL server and its tables."""

from datetime import datetime, timedelta

from wmtui.config import MySQLConfig
from wmtui.errors import SourceError
from wmtui.model import Check, Level
from wmtui.sources import doctor_checks
from wmtui.sources.base import CursorCounts, SourceTable
from wmtui.sources.mysql import catalog
from wmtui.sources.mysql.account import account, activation, grant, inactive_roles, password_plugin
from wmtui.sources.mysql.clock import NO_PROCESS, NO_REPLICATION, oldest_writer, read_clock, replica_channels
from wmtui.sources.mysql.server_kind import Kind, kind_of
from wmtui.sources.mysql.session import Session
from wmtui.sources.span_query import MYSQL

_SHA2 = {"caching_sha2_password", "sha256_password"}


def check_server(config: MySQLConfig) -> list[Check]:
    """Driver, connection, kind of server, TLS and privileges; a failure ends the list."""
    checks: list[Check] = []
    try:
        with Session(config) as session:
            checks.append(_driver(session))
            kind = _kind(session)
            checks.append(_server(session, kind, f"{config.host}:{config.port}"))
            checks.append(_tls(session, kind, config))
            checks.extend(_privileges(session, kind))
            checks.extend(_roles(session, kind))
    except SourceError as error:
        checks.append(doctor_checks.error_finding("source", error))
    return checks


def check_table(session: Session, table: SourceTable, counts: CursorCounts | None, now: datetime) -> list[Check]:
    """Key, cursor and its index, whether updates touch it, engine and size. Raises SourceError.

    now: the source's clock, wall clock in the profile's zone.
    """
    status = catalog.status(session, table.table)
    return [
        doctor_checks.key_use(table),
        _cursor_index(session, table),
        doctor_checks.cursor_nulls(table, counts),
        doctor_checks.cursor_reach(table, counts, now),
        _touched(session, table),
        _engine(table, status.engine),
        doctor_checks.size(table, status.rows or 0, status.size),
    ]


def _driver(session: Session) -> Check:
    if not session.careful:
        return Check("source driver", Level.OK, "rows are taken from the socket of mysql-connector-python")
    return Check(
        "source driver",
        Level.WARNING,
        f"rows come through the driver's cursor, which takes several times as long: {session.careful}",
        "install mysql-connector-python 9.7; where the server asks for the password, set tls: verify or tls: require",
    )


def _server(session: Session, kind: Kind, where: str) -> Check:
    finding = f"{kind} at {where} as {account(session)}"
    if not kind.doubt:
        return Check("source", Level.OK, finding)
    next_step = "try one table first, and compare it with `wmtui verify`; see docs/mysql.md for what was tried"
    return Check("source", Level.WARNING, f"{finding}: {kind.doubt}", next_step)


def _kind(session: Session) -> Kind:
    """The kind of server, which only a variable of its own tells of Aurora."""
    server = session.server
    aurora = session.query("SHOW GLOBAL VARIABLES LIKE 'aurora_version'")
    return kind_of(server.kind.version, server.comment, str(aurora[0]["value"])) if aurora else server.kind


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
    channels = replica_channels(session, session.server)
    if channels is not None:
        what = "a replica: its delay is taken into account" if channels else "visible: this server is no replica"
        replication = Check("source replication", Level.OK, what)
    else:
        replication = Check(
            "source replication",
            Level.WARNING,
            "not visible: if this is a replica, its delay goes unnoticed; the last 10 minutes are read again",
            grant(session, "REPLICA MONITOR" if kind.is_mariadb else "REPLICATION CLIENT", "*.*"),
        )
    return [replication, _transactions(session)]


_LONG = timedelta(seconds=10)
"""How long a transaction may hold reading back before it is named."""


def _transactions(session: Session) -> Check:
    """Whether open transactions show, and whether one of them holds reading back."""
    subject = "source transactions"
    reading = read_clock(session, session.server)
    writer = oldest_writer(session, reading, lookback=timedelta(seconds=60), idle=False)
    if reading.blind not in ("", NO_REPLICATION):  # that one is a finding of its own
        return Check(
            subject,
            Level.WARNING,
            f"not all visible: {reading.blind}; the last 10 minutes are read again for rows committed late",
            _way_out(session, reading.blind),
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


def _way_out(session: Session, blind: str) -> str:
    """What makes open transactions visible."""
    if blind == NO_PROCESS:
        return grant(session, "PROCESS", "*.*")
    return "read from the primary, or accept that rows committed later than that are missed"


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
    indexes = [index for index in catalog.read(session, table.table).indexes if index.columns[0] == table.cursor]
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
    column = next(column for column in catalog.read(session, table.table).columns if column.name == table.cursor)
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

"""How far it is safe to read: the server's clock, the sessions that may still commit, and the delay of a replica.

All times here are UTC without zone. The clock is read first, then running statements, then open transactions: whatever
starts in between is stamped later, and a statement that gets its lock in between is seen as one or the other.
"""

import random
import re
import time
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from wmtui.errors import PrivilegeMissing, SourceError, UnknownStatement
from wmtui.sources.base import Writer
from wmtui.sources.mysql.server import Server
from wmtui.sources.mysql.session import Session

_NOW = "SELECT UTC_TIMESTAMP(6) AS now, SUBSTRING_INDEX(USER(), '@', 1) AS user"

# InnoDB shows trx_started in the zone of the server's operating system, whatever the session's zone. An hour that
# occurs twice there is taken as the earlier one: reading too little is made up for, reading too much is not.
_TRANSACTIONS = """
SELECT session, session = CONNECTION_ID() AS ours, writes,
       CASE WHEN CONVERT_TZ(started - INTERVAL 1 HOUR, '+00:00', 'SYSTEM') = trx_started
            THEN started - INTERVAL 1 HOUR ELSE started END AS started
FROM (SELECT trx_mysql_thread_id AS session, trx_started, trx_rows_modified > 0 OR trx_lock_structs > 0 AS writes,
             trx_started - INTERVAL TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(),
                                                  CONVERT_TZ(UTC_TIMESTAMP(), '+00:00', 'SYSTEM')) SECOND AS started
      FROM information_schema.innodb_trx
      WHERE trx_rows_modified > 0 OR trx_lock_structs > 0 OR trx_mysql_thread_id = CONNECTION_ID()
            OR (trx_is_read_only = 0 AND trx_autocommit_non_locking = 0)) AS transactions
"""
_CLUSTER = "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('wsrep_on', 'group_replication_group_name')"
_ROUTINES = """
SELECT DISTINCT routine_name AS name FROM information_schema.routines
WHERE routine_type = 'FUNCTION' AND routine_schema NOT IN ('sys', 'mysql')
"""
_TRIGGERS = "SELECT 1 FROM information_schema.triggers WHERE trigger_schema NOT IN ('sys', 'mysql') LIMIT 1"

_PRIVILEGES = """
SELECT privilege_type AS name FROM information_schema.user_privileges
WHERE grantee = CONCAT("'", SUBSTRING_INDEX(CURRENT_USER(), '@', 1), "'@'",
                       SUBSTRING_INDEX(CURRENT_USER(), '@', -1), "'")
"""
_SHOW_ROUTINES = {"EXECUTE", "SHOW_ROUTINE", "CREATE ROUTINE", "ALTER ROUTINE"}
_UPTIME = "SHOW GLOBAL STATUS LIKE 'Uptime'"
_RECOVERY = timedelta(seconds=60)
"""How long after its start a server may still be recovering transactions of before."""

_LOCK = "wmtui reads innodb_trx"
_LOCK_SECONDS = 60
_LOOKS = 30
_SHOWN = 100
"""Characters of a statement that SHOW PROCESSLIST shows at the most."""

_COMMENT_OR_SPACE = r"(?:\s|\(|/\*(?!!).*?\*/|/\*M?!\d*|(?:--\s|\#)[^\n]*\n)*"
_WRITE = re.compile(
    _COMMENT_OR_SPACE + r"(?:(?:INSERT|UPDATE|DELETE|REPLACE|LOAD|CALL|EXECUTE|BEGIN)\b|WITH\b.*\b(?:UPDATE|DELETE)\b)",
    re.IGNORECASE | re.DOTALL,
)
_ONLY_COMMENTS = re.compile(_COMMENT_OR_SPACE + r"(?:/\*(?!!)|--\s|\#|\Z)", re.DOTALL)
_CALLS = re.compile(_COMMENT_OR_SPACE + r"(?:SELECT|SET|DO|WITH)\b", re.IGNORECASE | re.DOTALL)
_SELECT = re.compile(_COMMENT_OR_SPACE + r"(?:SELECT|WITH)\b", re.IGNORECASE | re.DOTALL)
_QUALIFIED_CALL = re.compile(r"[\w$`]\.`?[\w$]+`?\s*\(")
_OURS = re.compile(r"SELECT /\* wmtui \*/")

OTHER_SERVERS = "a cluster's other servers do not show their transactions"
REPLICA = "a replica does not show the transactions that are open on its primary"
READ_ONLY = "a read-only server does not show the transactions of the one that writes"
RECOVERED = "a prepared transaction outlived a restart of the server, and does not show when it began"
NO_PROCESS = "the account lacks the PROCESS privilege"
NO_REPLICATION = "the account may not see whether this is a replica"


class Statement(Struct, frozen=True):
    """A statement at work that writes nothing itself, but may call a function that does. text: as far as it shows."""

    writer: Writer
    text: str


class Reading(Struct, frozen=True):
    """What a server showed at a moment.

    now: its clock, less `delay`, by which a replica is behind. writers: who has written or is about to. idle: open
    transactions that have not written so far. calls: statements that may write through a function or a trigger.
    blind: why not all of these show; "" where they do.
    """

    now: datetime
    delay: timedelta
    writers: tuple[Writer, ...]
    idle: tuple[Writer, ...]
    calls: tuple[Statement, ...]
    blind: str


def read_clock(session: Session, server: Server) -> Reading:
    """Read clock, statements and transactions. Raises SourceError, also while a replica stands still.

    InnoDB renews this list only when it was not read for 0.1 s: of our connections one reads it at a time.
    """
    with suppress(SourceError):  # Some clusters have no such locks, and then only patience is left.
        session.query(f"SELECT GET_LOCK('{_LOCK}', {_LOCK_SECONDS})")
    try:
        return _read(session, server)
    finally:
        with suppress(SourceError):
            session.query(f"SELECT RELEASE_LOCK('{_LOCK}')")


def _read(session: Session, server: Server) -> Reading:
    row = session.query(_NOW)[0]
    now: datetime = row["now"]
    delay, blind = replica_delay(session, server)
    statements = session.query("SHOW PROCESSLIST")
    writers, calls = _at_work(statements, now, own_user=row["user"])
    idle: list[Writer] = []
    try:
        sessions = {statement["id"]: statement for statement in statements}
        for transaction in _transactions(session):
            statement = sessions.get(transaction["session"], {})
            writer = Writer(transaction["started"], int(transaction["session"] or 0), *_who(statement))
            (writers if transaction["writes"] else idle).append(writer)
    except PrivilegeMissing:
        return Reading(now=now - delay, delay=delay, writers=(), idle=(), calls=(), blind=NO_PROCESS)
    blind = blind or _unseen(session, server) or _recovered(session, now, writers)
    return Reading(
        now=now - delay, delay=delay, writers=tuple(writers), idle=tuple(idle), calls=tuple(calls), blind=blind
    )


def _at_work(
    statements: Iterable[dict[str, Any]], now: datetime, *, own_user: str
) -> tuple[list[Writer], list[Statement]]:
    """Statements that write, and those that may by what they call.

    NOW() is fixed when a statement starts, before it waits for its first lock and so before InnoDB knows of it. The
    list shows how long it has been at work in whole seconds, rounded down.
    """
    writers, calls = [], []
    for row in statements:
        text = row["info"]
        event = row["command"] == "Connect" and row["user"] != "system user"
        if text is None or not (event or row["command"] in ("Query", "Execute")):
            continue
        started = now - timedelta(seconds=max(0, int(row["time"] or 0)) + 1)
        writer = Writer(started, int(row["id"]), *_who(row))
        if is_write(text):
            writers.append(writer)
        elif _CALLS.match(text) and not (_OURS.match(text) and row["user"] == own_user):
            calls.append(Statement(writer, text))
    return writers, calls


def _who(row: dict[str, Any]) -> tuple[str, str]:
    """User and host of a session, the host without its port."""
    return str(row.get("user") or ""), str(row.get("host") or "").rpartition(":")[0] or str(row.get("host") or "")


def _transactions(session: Session) -> list[dict[str, Any]]:
    """The open transactions of others. The list is fresh if it shows the one that we have just opened to see that."""
    session.query("START TRANSACTION WITH CONSISTENT SNAPSHOT")
    try:
        for look in range(_LOOKS):
            transactions = session.query(_TRANSACTIONS)
            if any(row["ours"] for row in transactions):
                return [row for row in transactions if not row["ours"]]
            time.sleep(random.uniform(0.11, 0.2 * 1.08**look))
    finally:
        session.query("ROLLBACK")
    raise SourceError(
        "the source does not show its open transactions",
        f"its list of transactions stayed out of date over {_LOOKS} looks",
        "see which other program reads information_schema.innodb_trx without pause",
    )


def _unseen(session: Session, server: Server) -> str:
    """Why transactions of other servers may be open that this one never shows."""
    if server.read_only:
        return READ_ONLY
    cluster = {row["variable_name"]: row["value"] for row in session.query(_CLUSTER)}
    if cluster.get("wsrep_on") == "ON" or cluster.get("group_replication_group_name"):
        return OTHER_SERVERS
    return ""


def _recovered(session: Session, now: datetime, writers: Iterable[Writer]) -> str:
    """Whether a transaction without a session was there before the server: InnoDB shows the restart as its start."""
    started = [writer.started for writer in writers if not writer.session]
    if not started:
        return ""
    restart = now - timedelta(seconds=int(session.query(_UPTIME)[0]["value"]))
    return RECOVERED if min(started) <= restart + _RECOVERY else ""


def oldest_writer(session: Session, reading: Reading, *, lookback: timedelta, idle: bool) -> Writer | None:
    """The session that reading has to wait for.

    lookback: a statement that may write by what it calls counts once it is at work for longer; before that the overlap
    reads again what it stamps. idle: transactions that have not written yet count too. Raises SourceError.
    """
    writers = [*reading.writers, *(reading.idle if idle else ())]
    old = [call for call in reading.calls if reading.now + reading.delay - call.writer.started > lookback]
    if old:
        writers += [call.writer for call in _calling(session, old)]
    return min(writers, key=lambda writer: writer.started, default=None)


def _calling(session: Session, calls: list[Statement]) -> list[Statement]:
    """Those that may call a function that writes, or are at work inside of one, whose statements the list shows in
    place of the statement that called it.
    """
    functions = [str(row["name"]) for row in session.query(_ROUTINES)]
    if not functions and not session.query(_TRIGGERS) and _shows_programs(session):
        return []
    if any(len(call.text) >= _SHOWN for call in calls):
        texts = {row["id"]: row["info"] or "" for row in session.query("SHOW FULL PROCESSLIST")}
        calls = [replace(call, text=texts.get(call.writer.session, call.text)) for call in calls]
    return [call for call in calls if may_call(call.text, functions)]


def _shows_programs(session: Session) -> bool:
    """Whether functions and triggers would show to this account if there were any, so that none shown means none."""
    privileges = {str(row["name"]) for row in session.query(_PRIVILEGES)}
    return "TRIGGER" in privileges and not privileges.isdisjoint(_SHOW_ROUTINES)


def is_write(statement: str) -> bool:
    """Whether a running statement may stamp rows. A procedure call counts: it may write; so does a statement of which
    nothing but comments shows.
    """
    hidden = len(statement) >= _SHOWN and _ONLY_COMMENTS.match(statement) is not None
    return hidden or _WRITE.match(statement) is not None


def may_call(statement: str, functions: Iterable[str]) -> bool:
    """Whether a SELECT, SET or DO may write: it names a stored function, or stores what it reads, as the statements of
    functions and triggers do. A SELECT that only returns rows cannot stand in either. A name with its schema is always
    one of a stored function, shown to the account or not.
    """
    if not _SELECT.match(statement) or re.search(r"\bINTO\b", statement, re.IGNORECASE) or is_write(statement):
        return True
    if _QUALIFIED_CALL.search(statement):
        return True
    names = "|".join(map(re.escape, functions))
    return bool(names) and re.search(rf"\b(?:{names})`?\s*\(", statement, re.IGNORECASE) is not None


def replica_delay(session: Session, server: Server) -> tuple[timedelta, str]:
    """How far a replica is behind, and why transactions do not show there; zero and "" on a primary.

    One with a configured delay shows no row earlier than that. Raises SourceError when replication is configured
    and not running: what is still to come is unknown then.
    """
    channels = replica_channels(session, server)
    if channels is None:
        return timedelta(), NO_REPLICATION
    if not channels:
        return timedelta(), ""
    stopped = [channel for channel in channels if not _runs(channel)]
    if stopped:
        raise SourceError(
            "the source is a replica that has stopped or is not connected",
            "how far it is behind its primary is unknown, and rows still to come would be skipped "
            f"({'; '.join(map(_state, stopped))})",
            "see SHOW REPLICA STATUS and start replication; if this server is the primary now, remove the old settings "
            "(RESET REPLICA ALL)",
        )
    seconds = [int(each or 0) for channel in channels for each in (_seconds_behind(channel), channel.get("sql_delay"))]
    return timedelta(seconds=max(seconds)), REPLICA


def _runs(channel: dict[str, Any]) -> bool:
    """Whether a channel is connected and applies. While it is not connected MySQL can show 0 seconds behind."""
    return all(_thread(channel, each) == "Yes" for each in ("io", "sql")) and _seconds_behind(channel) is not None


def _seconds_behind(channel: dict[str, Any]) -> Any:
    return channel.get("seconds_behind_source", channel.get("seconds_behind_master"))


def _thread(channel: dict[str, Any], name: str) -> Any:
    return channel.get(f"replica_{name}_running", channel.get(f"slave_{name}_running"))


def _state(channel: dict[str, Any]) -> str:
    """What a channel's two threads do, with the numbers of their last errors: their texts can hold rows."""
    threads = []
    for name in ("io", "sql"):
        number = int(channel.get(f"last_{name}_errno") or 0)
        threads.append(f"{name.upper()} thread: {_thread(channel, name)}" + (f", error {number}" if number else ""))
    return ", ".join(threads)


def replica_channels(session: Session, server: Server) -> list[dict[str, Any]] | None:
    """What a replica says of each channel, nothing on a primary; None where the account may not see it.

    Raises SourceError.
    """
    try:
        return _replica_status(session, server)
    except PrivilegeMissing:
        return None


def _replica_status(session: Session, server: Server) -> list[dict[str, Any]]:
    """A row per channel; MariaDB shows only the one without a name unless asked for all."""
    if server.is_mariadb:
        return session.query("SHOW ALL SLAVES STATUS")
    try:
        return session.query("SHOW REPLICA STATUS")
    except UnknownStatement:  # before MySQL 8.0.22
        return session.query("SHOW SLAVE STATUS")

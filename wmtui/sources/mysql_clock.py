"""How far it is safe to read: the server's clock, its open writing transactions, and the delay of a replica.

All times here are UTC without zone.
"""

import random
import re
import time
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct

from wmtui.errors import SourceError
from wmtui.sources.mysql_session import PrivilegeMissing, Session, UnknownStatement

_NOW = "SELECT UTC_TIMESTAMP(6) AS now"

# InnoDB shows trx_started in the zone of the server's operating system, whatever the session's zone. An hour that
# occurs twice there is taken as the earlier one: reading too little is made up for, reading too much is not.
_WRITERS = """
SELECT trx_mysql_thread_id = CONNECTION_ID() AS ours,
       CASE WHEN CONVERT_TZ(started - INTERVAL 1 HOUR, '+00:00', 'SYSTEM') = trx_started
            THEN started - INTERVAL 1 HOUR ELSE started END AS started
FROM (SELECT trx_mysql_thread_id, trx_started,
             trx_started - INTERVAL TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(),
                                                  CONVERT_TZ(UTC_TIMESTAMP(), '+00:00', 'SYSTEM')) SECOND AS started
      FROM information_schema.innodb_trx
      WHERE trx_rows_modified > 0 OR trx_lock_structs > 0 OR trx_mysql_thread_id = CONNECTION_ID()) AS writers
"""
# NOW() is fixed when a statement starts, before it waits for its first lock and so before InnoDB knows of it.
# `time` is whole seconds, rounded down.
_STATEMENTS = """
SELECT UTC_TIMESTAMP() - INTERVAL time + 1 SECOND AS started, LEFT(info, 1000) AS statement
FROM information_schema.processlist
WHERE command IN ('Query', 'Execute') AND id <> CONNECTION_ID() AND info IS NOT NULL
"""
_LOOKS = 30
_COMMENT_OR_SPACE = r"(?:\s|\(|/\*(?!!).*?\*/|/\*M?!\d*|(?:--\s|\#)[^\n]*\n)*"
_WRITE = re.compile(
    _COMMENT_OR_SPACE + r"(?:INSERT|UPDATE|DELETE|REPLACE|LOAD|CALL|EXECUTE|WITH|BEGIN)\b", re.IGNORECASE | re.DOTALL
)


class ServerClock(Struct, frozen=True):
    """now: the last applied source time on a replica. oldest_writer: None if none is open or none may be seen."""

    now: datetime
    oldest_writer: datetime | None
    sees_transactions: bool


def server_clock(session: Session) -> ServerClock:
    """Read the clock before the writers: whatever starts in between is stamped later. Raises SourceError.

    Statements come before transactions: a statement that gets its lock in between is seen as one or the other.
    """
    now: datetime = session.query(_NOW)[0]["now"] - replica_delay(session)
    starts = [row["started"] for row in session.query(_STATEMENTS) if is_write(row["statement"])]
    try:
        starts += _open_writers(session)
    except PrivilegeMissing:
        return ServerClock(now, None, False)
    return ServerClock(now, min(starts, default=None), True)


def _open_writers(session: Session) -> list[datetime]:
    """When the open writing transactions began.

    InnoDB renews this view only when nobody has looked at it for 0.1 s. It is fresh if it shows the transaction that
    we have just opened for this purpose.
    """
    session.query("START TRANSACTION WITH CONSISTENT SNAPSHOT")
    try:
        for _ in range(_LOOKS):
            found = session.query(_WRITERS)
            if any(row["ours"] for row in found):
                return [row["started"] for row in found if not row["ours"]]
            time.sleep(random.uniform(0.11, 0.33))
    finally:
        session.query("ROLLBACK")
    raise SourceError(
        "the source does not show its open transactions",
        f"its list of transactions stayed out of date over {_LOOKS} looks",
        "see which other program reads information_schema.innodb_trx without pause",
    )


def is_write(statement: str) -> bool:
    """Whether a running statement may stamp rows. A CTE and a procedure call count: they may write."""
    return _WRITE.match(statement) is not None


def replica_delay(session: Session) -> timedelta:
    """How far a replica is behind; zero on a primary, and where the account may not see it.

    Raises SourceError when replication is configured and not running: nobody knows then what is still to come.
    """
    try:
        channels = _replica_status(session)
    except PrivilegeMissing:
        return timedelta()
    delays = [channel.get("seconds_behind_source", channel.get("seconds_behind_master")) for channel in channels]
    if None in delays:
        raise SourceError(
            "the source is a replica that has stopped",
            "how far it is behind its primary is unknown, and rows still to come would be skipped",
            "start replication; if this server is the primary now, remove the old settings (RESET REPLICA ALL)",
        )
    return timedelta(seconds=max((int(delay) for delay in delays if delay is not None), default=0))


def sees_replication(session: Session) -> bool:
    """Whether the account may see if the server is a replica. Raises SourceError."""
    try:
        _replica_status(session)
    except PrivilegeMissing:
        return False
    return True


def _replica_status(session: Session) -> list[dict[str, Any]]:
    try:
        return session.query("SHOW REPLICA STATUS")
    except UnknownStatement:  # before MySQL 8.0.22 and MariaDB 10.5
        return session.query("SHOW SLAVE STATUS")

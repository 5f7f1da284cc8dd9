"""One connection to MySQL or MariaDB: proven TLS, a read-only session in UTC, errors in plain words."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from mysql.connector.conversion import MySQLConverter
from mysql.connector.errors import Error as DriverError

from wmtui.config import MySQLConfig
from wmtui.errors import SourceError
from wmtui.model import KeyValue
from wmtui.sources.mysql.connections import Rows
from wmtui.sources.mysql.errors import plain_errors, plain_login_errors
from wmtui.sources.mysql.login import log_in
from wmtui.sources.mysql.server import Server, read_server
from wmtui.sources.mysql.tls import offers_none
from wmtui.sources.span_query import MYSQL

_SESSION = """
SET SESSION time_zone = '+00:00', sql_mode = '', sql_select_limit = 18446744073709551615, sql_big_selects = 1,
    sql_auto_is_null = 0, completion_type = 0, max_sort_length = 8192,
    sort_buffer_size = CAST(GREATEST(@@sort_buffer_size, 1048576) AS UNSIGNED),
    tmp_table_size = CAST(GREATEST(@@tmp_table_size, 16777216) AS UNSIGNED),
    wait_timeout = CAST(GREATEST(@@wait_timeout, 28800) AS UNSIGNED), lock_wait_timeout = 300,
    net_write_timeout = CAST(GREATEST(@@net_write_timeout, 600) AS UNSIGNED),
    net_read_timeout = CAST(GREATEST(@@net_read_timeout, 600) AS UNSIGNED)
    /*!50708 , max_execution_time = 0 */ /*!80000 , information_schema_stats_expiry = 0 */
    /*!80013 , use_secondary_engine = OFF */ /*!80030 , show_gipk_in_create_table_and_information_schema = ON */
    /*M!100101 , max_statement_time = 0 */ /*M!100304 , system_versioning_asof = DEFAULT */
    /*M!100300 , idle_transaction_timeout = 0, idle_readonly_transaction_timeout = 0 */
"""
"""What a session relies on, whatever the server's defaults are.

UTC for TIMESTAMP; no padding of CHAR; no limit that cuts a result or ends a statement; keys sorted by all their bytes;
patience while a part uploads or a table is altered; sizes and hidden keys shown as they are; rows as they are now, from
InnoDB. MariaDB ignores comments of MySQL's versions from 5.7 on, MySQL all that begin with an M.
"""

_CUT_VALUE = 1301
"""Number of the warning that a value was longer than max_allowed_packet; NULL stands in its place."""

_READ_ONLY = "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"

_MARKER = re.compile(MYSQL.marker.format(r"(\w+)").encode())


class Session:
    """A connection of its own; not to be shared between threads. Every method raises SourceError.

    cipher: of its encryption, "" without. server: the one that answers it. careful: why rows come through the driver's
    cursor, which takes several times as long, "" where they are taken from the socket. longest: seconds that a
    statement may take which goes through many rows. shows_numbers: the account may see InnoDB's numbers of tables, as
    far as is known.
    """

    cipher: str
    server: Server

    def __init__(self, config: MySQLConfig) -> None:
        self._config = config
        self.longest = config.max_statement.total_seconds()
        self.shows_numbers = True
        with plain_login_errors(config):
            self._connection, self.careful = log_in(config)
        try:
            self.query(_SESSION)
            self.query(_READ_ONLY)
            self.cipher = self._prove_tls()
            self.server = read_server(self)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def query(
        self, sql: str, values: Mapping[str, KeyValue] | None = None, seconds: float | None = None
    ) -> list[dict[str, Any]]:
        """All rows of a small result, column names in lower case. seconds: as in `stream`."""
        sql = self._limited(sql, seconds)
        with plain_errors(self._config):
            rows = self._connection.query(_bound(sql, values or {}))
        return [{name.lower(): value for name, value in row.items()} for row in rows]

    @contextmanager
    def stream(self, sql: str, values: Mapping[str, KeyValue], seconds: float | None = None) -> Iterator[Rows]:
        """The rows of a large result, as the server prints them.

        Leaving early ends the query on the server; draining the rest could take hours. seconds: after which the server
        ends a SELECT, and TimeLimitReached is raised.
        """
        sql = self._limited(sql, seconds)
        with plain_errors(self._config):
            try:
                with self._connection.stream(_bound(sql, values)) as rows:
                    yield rows
                self._refuse_cut_values()
            finally:
                if self._connection.unread:
                    self._abandon()

    def _limited(self, sql: str, seconds: float | None) -> str:
        """The SELECT with a time limit of its own, as each kind of server has it."""
        if seconds is None:
            return sql
        if self.server.is_mariadb:
            return f"SET STATEMENT max_statement_time = {seconds:.3f} FOR {sql}"
        return sql.replace("SELECT ", f"SELECT /*+ MAX_EXECUTION_TIME({max(1, round(seconds * 1000))}) */ ", 1)

    def _refuse_cut_values(self) -> None:
        """After all rows: the server only warns that it left out a long value of a view or a computed column."""
        if self._connection.unread or not self._connection.warnings:
            return
        for warning in self.query("SHOW WARNINGS"):
            if warning["code"] == _CUT_VALUE:
                raise SourceError(
                    f"MySQL at {self._config.host}:{self._config.port} did not send a computed value",
                    warning["message"],
                    "raise max_allowed_packet on the server (at most 1 GiB), or exclude the column",
                )

    def close(self) -> None:
        """Close the connection; a server that is gone already is no error."""
        with suppress(DriverError):
            self._connection.close()

    def _abandon(self) -> None:
        """End the running query from outside, then this connection: draining the rest could take hours.

        The query is ended by its number, which means another session on another server: where a second connection
        reaches one, only the socket is shut.
        """
        with suppress(SourceError), Session(self._config) as other:
            if other.server.identity == self.server.identity:
                other.query(f"KILL {self._connection.number}")
        self._connection.shut_down()

    def _prove_tls(self) -> str:
        """The cipher in use. The driver talks plain text to a server without TLS whatever its arguments are."""
        cipher = str(self.query("SHOW SESSION STATUS LIKE 'Ssl_cipher'")[0]["value"])
        if self._config.tls != "disable" and not cipher:
            raise offers_none(self._config)
        return cipher


def _bound(sql: str, values: Mapping[str, KeyValue]) -> bytes:
    """The statement with its values as literals. The driver's own markers would be looked for in names too."""
    return _MARKER.sub(lambda marker: _literal(values[marker[1].decode()]), sql.encode())


def _literal(value: KeyValue) -> bytes:
    """A value as a session without `sql_mode` reads it."""
    converter = MySQLConverter("utf8")
    return bytes(converter.quote(converter.escape(converter.to_mysql(value))))

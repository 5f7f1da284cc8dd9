"""One connection to MySQL or MariaDB: proven TLS, a read-only session in UTC, errors in plain words."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import mysql.connector
from mysql.connector.errors import Error as DriverError

from wmtui.config import MySQLConfig
from wmtui.errors import SourceError
from wmtui.model import KeyValue
from wmtui.sources.mysql.errors import plain_errors, plain_login_errors
from wmtui.sources.mysql.server import Server, read_server
from wmtui.sources.mysql.socket import opening
from wmtui.sources.mysql.tls import CONNECT_TIMEOUT, offers_none, tls_arguments
from wmtui.sources.span_query import MYSQL

READ_TIMEOUT = 600
"""Seconds without a byte from the server, a sort before the first row included, after which it counts as dead."""

HAS_C_EXTENSION: bool = mysql.connector.HAVE_CEXT
"""Whether the driver's C extension is loaded; without it reading is about five times slower."""

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

__all__ = ["HAS_C_EXTENSION", "READ_TIMEOUT", "Session", "plain_errors"]


class Session:
    """A connection of its own; not to be shared between threads. Every method raises SourceError.

    cipher: of its encryption, "" without. server: the one that answers it. longest: seconds that a statement may take
    which goes through many rows.
    """

    cipher: str
    server: Server

    def __init__(self, config: MySQLConfig) -> None:
        self._config = config
        self.longest = config.max_statement.total_seconds()
        with plain_login_errors(config), opening(config.port) as self._socket:
            self._connection: Any = mysql.connector.connect(
                host=config.host,
                port=config.port,
                user=config.user,
                password=config.password.reveal(),
                charset="utf8mb4",
                collation="utf8mb4_general_ci",  # both MySQL and MariaDB have it
                autocommit=True,
                connection_timeout=CONNECT_TIMEOUT,
                read_timeout=READ_TIMEOUT,
                write_timeout=READ_TIMEOUT,
                use_pure=not HAS_C_EXTENSION,
                **tls_arguments(config),
            )
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
        with plain_errors(self._config), self._connection.cursor(dictionary=True) as cursor:
            cursor.execute(self._bound(sql, values or {}))
            rows = cursor.fetchall() if cursor.with_rows else []
        return [{name.lower(): value for name, value in row.items()} for row in rows]

    @contextmanager
    def stream(self, sql: str, values: Mapping[str, KeyValue], seconds: float | None = None) -> Iterator[Any]:
        """A cursor of raw, unbuffered rows: tuples of bytes and None.

        Leaving early ends the query on the server; draining the rest could take hours. seconds: after which the server
        ends a SELECT, and TimeLimitReached is raised.
        """
        sql = self._limited(sql, seconds)
        with plain_errors(self._config):
            cursor = self._connection.cursor(raw=True, buffered=False)
            try:
                cursor.execute(self._bound(sql, values))
                yield cursor
                self._refuse_cut_values()
            finally:
                if self._connection.unread_result:
                    self._abandon()

    def _limited(self, sql: str, seconds: float | None) -> str:
        """The SELECT with a time limit of its own, as each kind of server has it."""
        if seconds is None:
            return sql
        if self.server.is_mariadb:
            return f"SET STATEMENT max_statement_time = {seconds:.3f} FOR {sql}"
        return sql.replace("SELECT ", f"SELECT /*+ MAX_EXECUTION_TIME({max(1, round(seconds * 1000))}) */ ", 1)

    def _bound(self, sql: str, values: Mapping[str, KeyValue]) -> bytes:
        """The statement with its values as literals. The driver's own markers would be looked for in names too."""
        literals = self._connection.prepare_for_mysql(dict(values)) if values else {}
        return _MARKER.sub(lambda marker: literals[marker[1]], sql.encode())

    def _refuse_cut_values(self) -> None:
        """After all rows: the server only warns that it left out a long value of a view or a computed column."""
        if self._connection.unread_result or not self._connection.warning_count:
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
        self._socket.release()
        try:
            self._connection.close()
        except DriverError:
            return

    def _abandon(self) -> None:
        """End the running query from outside, then this connection: draining the rest could take hours.

        The query is ended by its number, which means another session on another server: where a second connection
        reaches one, only the socket is shut.
        """
        with suppress(SourceError), Session(self._config) as other:
            if other.server.identity == self.server.identity:
                other.query(f"KILL {int(self._connection.connection_id)}")
        self._socket.shut_down()

    def _prove_tls(self) -> str:
        """The cipher in use. The driver talks plain text to a server without TLS whatever its arguments are."""
        cipher = str(self.query("SHOW SESSION STATUS LIKE 'Ssl_cipher'")[0]["value"])
        if self._config.tls != "disable" and not cipher:
            raise offers_none(self._config)
        return cipher

"""One connection to MySQL or MariaDB: proven TLS, a read-only session in UTC, errors in plain words."""

import re
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import mysql.connector
from mysql.connector.errors import Error as DriverError

from wmtui.config import MySQLConfig
from wmtui.errors import SourceError
from wmtui.model import KeyValue
from wmtui.sources.mysql_server import Server, read_server
from wmtui.sources.mysql_socket import ClaimedSocket
from wmtui.sources.sql import MYSQL

CONNECT_TIMEOUT = 10
"""Seconds to wait for a connection."""

READ_TIMEOUT = 600
"""Seconds without a byte from the server, a sort before the first row included, after which it counts as dead."""

HAS_C_EXTENSION: bool = mysql.connector.HAVE_CEXT
"""Whether the driver's C extension is loaded; without it reading is about five times slower."""

_SESSION = """
SET SESSION time_zone = '+00:00', sql_mode = '', sql_select_limit = 18446744073709551615, sql_big_selects = 1,
    sql_auto_is_null = 0, completion_type = 0, max_sort_length = 8192,
    sort_buffer_size = CAST(GREATEST(@@sort_buffer_size, 1048576) AS UNSIGNED),
    wait_timeout = CAST(GREATEST(@@wait_timeout, 28800) AS UNSIGNED),
    net_write_timeout = CAST(GREATEST(@@net_write_timeout, 600) AS UNSIGNED),
    net_read_timeout = CAST(GREATEST(@@net_read_timeout, 600) AS UNSIGNED)
    /*!50708 , max_execution_time = 0 */ /*!80000 , information_schema_stats_expiry = 0 */
    /*!80013 , use_secondary_engine = OFF */ /*!80030 , show_gipk_in_create_table_and_information_schema = ON */
    /*M!100101 , max_statement_time = 0 */ /*M!100304 , system_versioning_asof = DEFAULT */
    /*M!100300 , idle_transaction_timeout = 0, idle_readonly_transaction_timeout = 0 */
"""
"""What a session relies on, whatever the server's defaults are.

UTC for TIMESTAMP; no padding of CHAR; no limit that cuts a result or ends a statement; keys sorted by all their bytes;
patience while a part uploads; sizes and hidden keys shown as they are; rows as they are now, from InnoDB. MariaDB
ignores comments of MySQL's versions from 5.7 on, MySQL all that begin with an M.
"""

_READ_ONLY = "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"

_MARKER = re.compile(MYSQL.marker.format(r"(\w+)").encode())

_NO_PRIVILEGE = {1044, 1142, 1143, 1227, 1370}
_NO_ANSWER = {2002, 2003, 2005, 2006, 2013, 2055}
_ADVICE: dict[int, tuple[str, str]] = {
    1045: ("refuses the login", "check user and password in tables.yaml"),
    1698: ("refuses the login", "check user and password in tables.yaml"),
    1049: ("has no such database", "check the schema's name"),
    1129: ("blocks this host", "have an administrator run FLUSH HOSTS"),
    1130: ("does not let this host in", "have an administrator allow this host for the user"),
    1040: ("has no connection left", "try again later, or use fewer --workers"),
    1203: ("has no connection left for this user", "try again later, or use fewer --workers"),
    2026: ("offers no TLS that can be trusted", "check that it offers TLS, `ca`, and the name in its certificate"),
}


class PrivilegeMissing(SourceError):
    """The account lacks a privilege."""


class UnknownStatement(SourceError):
    """The server does not know a statement: it is too old or too new for it."""


@contextmanager
def plain_errors(config: MySQLConfig) -> Iterator[None]:
    """Turn the driver's errors into SourceError."""
    try:
        yield
    except DriverError as error:
        raise _source_error(config, error) from error


def _source_error(config: MySQLConfig, error: DriverError) -> SourceError:
    server = f"MySQL at {config.host}:{config.port}"
    why = error.msg or str(error)
    if error.errno in _NO_PRIVILEGE:
        return PrivilegeMissing(
            f"{server} denies user {config.user} a privilege", why, "have an administrator GRANT it"
        )
    if error.errno == 1064:
        return UnknownStatement(f"{server} does not know a statement", why, "report the server's version and this text")
    if error.errno in _ADVICE:
        what, next_step = _ADVICE[error.errno]
        return SourceError(f"{server} {what}", why, next_step)
    if error.errno in _NO_ANSWER:
        return SourceError(f"cannot reach {server}", why, "check that it runs, and host, port and firewall")
    return SourceError(f"{server} refuses a statement", why, "see the server's message; `wmtui doctor` checks the rest")


class Session:
    """A connection of its own; not to be shared between threads. Every method raises SourceError.

    cipher: of its encryption, "" without. server: the one that answers it.
    """

    cipher: str
    server: Server

    def __init__(self, config: MySQLConfig) -> None:
        self._config = config
        with plain_errors(config):
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
                **_tls_arguments(config),
            )
        self._socket = ClaimedSocket(config.port)
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

    def query(self, sql: str, values: Mapping[str, KeyValue] | None = None) -> list[dict[str, Any]]:
        """All rows of a small result, column names in lower case."""
        with plain_errors(self._config), self._connection.cursor(dictionary=True) as cursor:
            cursor.execute(self._bound(sql, values or {}))
            rows = cursor.fetchall() if cursor.with_rows else []
        return [{name.lower(): value for name, value in row.items()} for row in rows]

    @contextmanager
    def stream(self, sql: str, values: Mapping[str, KeyValue]) -> Iterator[Any]:
        """A cursor of raw, unbuffered rows: tuples of bytes and None.

        Leaving early ends the query on the server; draining the rest could take hours.
        """
        with plain_errors(self._config):
            cursor = self._connection.cursor(raw=True, buffered=False)
            try:
                cursor.execute(self._bound(sql, values))
                yield cursor
            finally:
                if self._connection.unread_result:
                    self._abandon()

    def _bound(self, sql: str, values: Mapping[str, KeyValue]) -> bytes:
        """The statement with its values as literals. The driver's own markers would be looked for in names too."""
        literals = self._connection.prepare_for_mysql(dict(values)) if values else {}
        return _MARKER.sub(lambda marker: literals[marker[1]], sql.encode())

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
        """The cipher in use. The driver talks plain text to a server without TLS whatever it was told."""
        cipher = str(self.query("SHOW SESSION STATUS LIKE 'Ssl_cipher'")[0]["value"])
        if self._config.tls != "disable" and not cipher:
            raise SourceError(
                f"the connection to MySQL at {self._config.host}:{self._config.port} is not encrypted",
                f"the server offers no TLS, and tables.yaml says tls: {self._config.tls}",
                "enable TLS on the server, or set tls: disable for a network that nobody else can read",
            )
        return cipher


def _tls_arguments(config: MySQLConfig) -> dict[str, Any]:
    if config.tls == "disable":
        return {"ssl_disabled": True}
    if config.tls == "require":
        return {"ssl_disabled": False}
    ca = config.ca or ssl.get_default_verify_paths().cafile
    if ca is None:
        raise SourceError(
            "cannot verify the server's certificate",
            "this machine has no bundle of trusted certificates",
            "name the file of your authority as `ca` in tables.yaml",
        )
    return {"ssl_ca": ca, "ssl_verify_cert": True, "ssl_verify_identity": True}

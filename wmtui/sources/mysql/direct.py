"""The direct way to rows: the driver logs in, in pure Python, and rows are taken from its socket in large blocks.

It rests on insides of the driver: `doubt` says when they are not there, and `tests/sources/test_mysql_direct.py` fails.
"""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import mysql.connector
import pyarrow as pa
from mysql.connector.connection import MySQLConnection
from mysql.connector.errors import Error, InterfaceError, OperationalError, ReadTimeoutError
from mysql.connector.network import MySQLTCPSocket

from wmtui.config import MySQLConfig
from wmtui.sources.mysql import digits
from wmtui.sources.mysql.cells import Cells, split
from wmtui.sources.mysql.connections import Column, login
from wmtui.sources.mysql.packets import Block, RowBlocks
from wmtui.sources.mysql.tls import tls_context

_RELEASE = 9
_INSIDES = {
    MySQLConnection: ("cmd_query", "shutdown", "connection_id", "_get_connection", "_handle_server_status"),
    MySQLTCPSocket: ("send", "build_ssl_context", "switch_to_ssl", "set_connection_timeout"),
}
_LOST = 2013


def doubt() -> str:
    """Why this driver may not be as this module expects it, "" where it is."""
    version = mysql.connector.__version__
    missing = [name for owner, names in _INSIDES.items() for name in names if not hasattr(owner, name)]
    if missing or int(version.split(".")[0]) != _RELEASE:
        return f"mysql-connector-python {version} is not as wmtui knows it"
    return ""


class PasswordAsked(Error):
    """The server asks for the password itself on a connection without TLS."""


class DirectConnection:
    """See the `Connection` protocol. Raises what the driver raises."""

    def __init__(self, config: MySQLConfig) -> None:
        self._driver: Any = _Driver(config)
        self.warnings = 0

    @property
    def number(self) -> int:
        """See Connection.number."""
        return int(self._driver.connection_id)

    @property
    def unread(self) -> bool:
        """See Connection.unread."""
        return bool(self._driver.unread_result)

    def query(self, statement: bytes) -> list[dict[str, Any]]:
        """See Connection.query."""
        with self._driver.cursor(dictionary=True) as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.with_rows else []

    @contextmanager
    def stream(self, statement: bytes) -> Iterator["_Rows"]:
        """See Connection.stream."""
        result = self._driver.cmd_query(statement)
        blocks = RowBlocks(self._driver.receive)
        try:
            yield _Rows(blocks, len(result["columns"]))
        finally:
            if blocks.done:
                self.warnings = blocks.warnings
                self._driver._handle_server_status(blocks.status)
                self._driver.unread_result = False

    def shut_down(self) -> None:
        """See Connection.shut_down."""
        self._driver.shutdown()

    def close(self) -> None:
        """See Connection.close."""
        self._driver.close()


class _Rows:
    """See the `Rows` protocol."""

    def __init__(self, blocks: RowBlocks, columns: int) -> None:
        self._blocks = blocks
        self._columns = columns

    def pieces(self, most: int) -> Iterator[list[Column]]:
        """See Rows.pieces."""
        for block in self._blocks:
            for first in range(0, len(block.starts), most):
                rows = slice(first, first + most)
                piece = Block(block.data, block.starts[rows], block.ends[rows])
                yield [_Cells(cells) for cells in split(piece, self._columns)]


class _Cells:
    """See the `Column` protocol."""

    def __init__(self, cells: Cells) -> None:
        self._cells = cells

    def binary(self) -> pa.Array:
        """See Column.binary."""
        return self._cells.binary()

    def parsed(self, to: pa.DataType) -> pa.Array | None:
        """See Column.parsed."""
        if to == pa.string():
            return self._cells.text()
        return self._cells.binary() if to == pa.binary() else digits.parsed(self._cells, to)


class _Socket(MySQLTCPSocket):
    """The driver's socket with TLS as tables.yaml wants it, and the password kept back while there is none.

    By itself the driver trusts the system's authorities beside `ca`, and it sends the password as it is when
    caching_sha2_password asks for it, with TLS or without.
    """

    def __init__(self, config: MySQLConfig, context: ssl.SSLContext | None) -> None:
        super().__init__(host=config.host, port=config.port)
        self._secret = config.password.reveal().encode()
        self._context = context

    def receive(self, view: memoryview) -> int:
        """Fill a buffer; how far. Raises OSError."""
        assert self.sock is not None
        return self.sock.recv_into(view)

    def build_ssl_context(self, *_: Any, **__: Any) -> ssl.SSLContext | None:
        """Ours."""
        return self._context

    def send(self, payload: bytes, *arguments: Any, **options: Any) -> None:
        """Send a packet, but for the password over a socket without TLS."""
        if self._secret and bytes(payload).rstrip(b"\0") == self._secret and not isinstance(self.sock, ssl.SSLSocket):
            raise PasswordAsked("the server asks for the password itself, which is sent with TLS alone")
        super().send(payload, *arguments, **options)


class _Driver(MySQLConnection):
    """The driver's connection in pure Python, over a socket of ours."""

    def __init__(self, config: MySQLConfig) -> None:
        arguments = login(config)
        self._own_socket = _Socket(config, tls_context(config))
        super().__init__(**arguments)

    def _get_connection(self) -> _Socket:
        self._own_socket.set_connection_timeout(self._connection_timeout)
        return self._own_socket

    def receive(self, view: memoryview) -> int:
        """Fill a buffer from the socket, which waits as long as for the answer before; how far it was filled."""
        try:
            received: int = self._own_socket.receive(view)
        except TimeoutError as error:
            raise ReadTimeoutError(errno=_LOST) from error
        except OSError as error:
            self.unread_result = False
            raise OperationalError(errno=_LOST) from error
        if not received:
            self.unread_result = False
            raise InterfaceError(errno=_LOST)
        return received

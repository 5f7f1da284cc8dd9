"""What a session needs of a connection, and the way to rows that every driver has: its cursor."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

import mysql.connector
import pyarrow as pa

from wmtui.config import MySQLConfig
from wmtui.sources.mysql.socket import opening
from wmtui.sources.mysql.tls import CONNECT_TIMEOUT, tls_arguments

READ_TIMEOUT = 600
"""Seconds without a byte from the server, a sort before the first row included, after which it counts as dead."""

HAS_C_EXTENSION: bool = mysql.connector.HAVE_CEXT
"""Whether the driver's C extension is loaded, which knows every login."""

_FETCH_ROWS = 500
"""Rows turned into columns at a time: their cells stay in the processor's cache, twice as fast as 20,000."""

_FETCH_BYTES = 4 << 20
_PIECE_BYTES = 64 << 20
"""A piece ends early at this size, so that long texts and blobs stay bounded in memory."""


class Column(Protocol):
    """The values of some rows in one column, as the server printed them."""

    def binary(self) -> pa.Array:
        """The bytes of each."""
        ...

    def parsed(self, to: pa.DataType) -> pa.Array | None:
        """The values exactly, where there is a short way for this type and every value; else None."""
        ...


class Rows(Protocol):
    """The rows of one statement."""

    def pieces(self, most: int) -> Iterator[Sequence[Column]]:
        """All rows, at most so many at a time, each piece valid until the next one is asked for."""
        ...


class Connection(Protocol):
    """A connection of the driver; its methods raise the driver's errors.

    warnings: how many the server had after the last stream.
    """

    warnings: int

    @property
    def number(self) -> int:
        """By which the server knows it."""
        ...

    @property
    def unread(self) -> bool:
        """Whether rows of a stream are still to come."""
        ...

    def query(self, statement: bytes) -> list[dict[str, Any]]:
        """All rows of a small result."""
        ...

    def stream(self, statement: bytes) -> AbstractContextManager[Rows]:
        """The rows of a large one, to be read to their end before anything else."""
        ...

    def shut_down(self) -> None:
        """End the conversation at once, whatever is under way."""
        ...

    def close(self) -> None:
        """Say goodbye."""
        ...


def login(config: MySQLConfig) -> dict[str, Any]:
    """The driver's arguments that every login has."""
    return {
        "host": config.host,
        "port": config.port,
        "user": config.user,
        "password": config.password.reveal(),
        "charset": "utf8mb4",
        "collation": "utf8mb4_general_ci",  # both MySQL and MariaDB have it
        "autocommit": True,
        "connection_timeout": CONNECT_TIMEOUT,
        "read_timeout": READ_TIMEOUT,
        "write_timeout": READ_TIMEOUT,
        **tls_arguments(config),
    }


class CursorConnection:
    """The careful way: C code of the driver logs in, and rows come through its cursor. See `Connection`."""

    def __init__(self, config: MySQLConfig) -> None:
        with opening(config.port) as self._socket:
            self._driver: Any = mysql.connector.connect(use_pure=False, **login(config))
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
    def stream(self, statement: bytes) -> Iterator["_CursorRows"]:
        """See Connection.stream."""
        cursor = self._driver.cursor(raw=True, buffered=False)
        cursor.execute(statement)
        yield _CursorRows(cursor)
        self.warnings = 0 if self.unread else self._driver.warning_count

    def shut_down(self) -> None:
        """See Connection.shut_down."""
        self._socket.shut_down()

    def close(self) -> None:
        """See Connection.close."""
        self._socket.release()
        self._driver.close()


class _CursorRows:
    """Rows that the driver fetches as tuples of bytes and None. See the `Rows` protocol."""

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor

    def pieces(self, most: int) -> Iterator[list[Column]]:
        """See Rows.pieces."""
        while fetched := self._fetch(most):
            yield [_Fetched(pa.concat_arrays(parts)) for parts in zip(*fetched, strict=True)]

    def _fetch(self, most: int) -> list[list[pa.Array]]:
        """The next rows as binary columns, up to so many rows or bytes; nothing at the end."""
        parts: list[list[pa.Array]] = []
        rows = size = 0
        fetch = 1  # then as many again, while it becomes clear how long the rows are
        while rows < most and size < _PIECE_BYTES:
            fetched = self._cursor.fetchmany(min(fetch, most - rows))
            if not fetched:
                break
            parts.append([pa.array(column, pa.binary()) for column in zip(*fetched, strict=True)])
            rows += len(fetched)
            size += sum(column.nbytes for column in parts[-1])
            fetch = max(1, min(_FETCH_ROWS, rows, _FETCH_BYTES * rows // size))
        return parts


class _Fetched:
    """See the `Column` protocol."""

    def __init__(self, values: pa.Array) -> None:
        self._values = values

    def binary(self) -> pa.Array:
        """See Column.binary."""
        return self._values

    def parsed(self, to: pa.DataType) -> pa.Array | None:
        """See Column.parsed."""
        return self._values if to == pa.binary() else None

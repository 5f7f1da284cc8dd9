"""A DuckDB file, opened read-only for one operation."""

import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import duckdb
from msgspec import Struct
from msgspec.structs import replace

from wmtui.errors import SourceError
from wmtui.model import KeyValue
from wmtui.sources.span_query import DUCKDB, Dialect

PATIENCE = 5.0
"""Seconds to wait while another process has the file open for writing: DuckDB lets one process in."""

_RETRY_EVERY = 0.05


class Session(Struct, frozen=True):
    """An open file; its times with zone are shown in UTC.

    dialect: qualifies names by the catalogue, which is named after the file as a schema may be too.
    """

    connection: duckdb.DuckDBPyConnection
    dialect: Dialect

    def value(self, sql: str, values: Mapping[str, KeyValue] | None = None) -> Any:
        """The only value of a statement that yields one."""
        return self.connection.execute(sql, dict(values or {})).fetchall()[0][0]


@contextmanager
def open_session(path: str) -> Iterator[Session]:
    """Open the file, waiting a little for a writer to finish. Raises SourceError, also for what goes wrong inside."""
    try:
        with closing(_connect(path)) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            catalogue = connection.execute("SELECT current_database()").fetchall()[0][0]
            yield Session(connection, replace(DUCKDB, catalogue=catalogue))
    except duckdb.Error as error:
        if not Path(path).exists():
            next_step = "check the path in tables.yaml; to try wmtui without a source: wmtui --demo"
            raise SourceError(f"cannot read {path}", "there is no such file", next_step) from error
        raise SourceError(f"cannot read {path}", str(error), "check the path and the file") from error


def _connect(path: str) -> duckdb.DuckDBPyConnection:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return duckdb.connect(path, read_only=True)
        except duckdb.Error as error:
            if not _is_busy(error):
                raise
            if time.monotonic() >= deadline:
                why = "another process has it open, and DuckDB lets one in"
                raise SourceError(f"{path} is busy", why, "wait for the other process to end") from error
            time.sleep(_RETRY_EVERY)


def _is_busy(error: duckdb.Error) -> bool:
    """Open for writing in another process, or in another part of this one."""
    return "lock on file" in str(error) or isinstance(error, duckdb.ConnectionException)

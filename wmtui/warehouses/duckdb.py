"""DuckDB as warehouse: one file, opened per operation, because it lets one process in."""

import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from wmtui.config import DuckDBConfig
from wmtui.errors import TableError, WarehouseError, WmtuiError
from wmtui.model import Check, Clock, Level
from wmtui.warehouses import sql
from wmtui.warehouses.base import LedgerEntry, Limits, LoadRequest, LoadResult, OnStaged, OpenPart
from wmtui.warehouses.landing import Columns
from wmtui.warehouses.loading import count_rows, has_no_row, merge, read_fence, read_ledger
from wmtui.warehouses.reading import ReadColumn, columns_to_read
from wmtui.warehouses.session import Session
from wmtui.warehouses.staging import stage
from wmtui.warehouses.target import TargetColumn, TargetTable

_SCHEMA = "main"
_WAIT = timedelta(seconds=5)
_POLL_SECONDS = 0.05

_LEDGER_LOCKS: defaultdict[Path, threading.Lock] = defaultdict(threading.Lock)
"""One per file: connections of this process share the database, and DuckDB has no LOCK TABLE."""


class DuckDBWarehouse:
    """A Warehouse in a DuckDB file. wait: how long to try while another process has the file open."""

    limits = Limits(nul=True, ignores_case=True)
    reads_store = False
    statements = sql.Statements(_SCHEMA)

    def __init__(self, config: DuckDBConfig, clock: Clock, wait: timedelta = _WAIT) -> None:
        self._path = Path(config.path).absolute()
        self._clock = clock
        self._wait = wait
        self._ledger_lock = _LEDGER_LOCKS[self._path.resolve()]

    def describe(self, target: str) -> TargetTable | None:
        """What stands under this name. Raises WarehouseError when no load could make the file."""
        if not self._path.parent.is_dir():
            raise WarehouseError(
                f"the warehouse {self._path} failed", "there is no such folder", "create it, or correct the path"
            )
        if not self._path.exists():
            return None
        with self._session() as session:
            return session.describe(target)

    def ledger(self, table: str, target: str, epoch: int) -> list[LedgerEntry]:
        """Every file committed into this target in this epoch or later."""
        if not self._path.exists():
            return []
        with self._session() as session:
            return read_ledger(session, table, target, epoch)

    def load(self, request: LoadRequest, open_part: OpenPart, on_staged: OnStaged) -> LoadResult:
        """Stage beside other loads of this process, merge one at a time."""
        with self._session() as session:
            staged = stage(session, request, open_part, on_staged)
            with self._ledger_lock, session.transaction():
                for statement in session.statements.create_ledger():
                    session.execute(statement)
                return merge(session, request, staged)

    def read(self, target: str, columns: Mapping[str, str], batch_rows: int) -> Iterator[pa.RecordBatch]:
        """See Warehouse.read."""
        if not self._path.exists():
            return
        with self._session() as session:
            if known := session.columns(target):
                yield from session.read(target, columns_to_read(target, known, columns), batch_rows)

    def fence(self, table: str, target: str) -> int:
        """The highest token that has loaded into this target."""
        if not self._path.exists():
            return 0
        with self._session() as session:
            return read_fence(session, table, target)

    def is_empty(self, target: str) -> bool:
        """The target has no row, or there is no such table."""
        if not self._path.exists():
            return True
        with self._session() as session:
            return has_no_row(session, target)

    def row_count(self, target: str) -> int | None:
        """Rows in the target, None when there is no such table."""
        if not self._path.exists():
            return None
        with self._session() as session:
            return count_rows(session, target)

    def check(self) -> list[Check]:
        """Whether the file can be opened, or made."""
        if not self._path.exists():
            if self._path.parent.is_dir():
                return [Check("warehouse", Level.OK, f"{self._path} will be made by the first load")]
            return [
                Check("warehouse", Level.ERROR, f"{self._path.parent} is no folder", "create it, or correct the path")
            ]
        try:
            with self._session():
                return [Check("warehouse", Level.OK, f"DuckDB file {self._path}")]
        except WarehouseError as error:
            return [Check("warehouse", Level.ERROR, str(error), error.next_step)]

    @contextmanager
    def _session(self) -> Iterator["_DuckDBSession"]:
        try:
            with closing(self._open()) as connection:
                yield _DuckDBSession(connection, self._clock)
        except duckdb.Error as error:
            raise _translate(self._path, error) from error

    def _open(self) -> duckdb.DuckDBPyConnection:
        deadline = time.monotonic() + self._wait.total_seconds()
        while True:
            try:
                return duckdb.connect(self._path)
            except duckdb.Error as error:
                if not _is_busy(error) or time.monotonic() > deadline:
                    raise
                time.sleep(_POLL_SECONDS)


class _DuckDBSession(Session):
    data_errors = (duckdb.DataError,)

    def __init__(self, connection: duckdb.DuckDBPyConnection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock
        self.statements = sql.Statements(_SCHEMA, self.execute("SELECT current_database()")[0][0])

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.begin()
        try:
            yield
        except BaseException:
            self._connection.rollback()
            raise
        self._connection.commit()

    def transaction(self) -> AbstractContextManager[object]:
        return self._transaction()

    def execute(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        return self._connection.execute(statement, list(values)).fetchall()

    def execute_many(self, statement: str, rows: Sequence[Sequence[object]]) -> None:
        self._connection.executemany(statement, rows)

    def columns(self, table: str) -> Columns:
        return dict(
            self.execute(
                "SELECT column_name, data_type FROM duckdb_columns() WHERE database_name = current_database()"
                " AND lower(schema_name) = lower($1) AND lower(table_name) = lower($2) ORDER BY column_index",
                *self.statements.place(table),
            )
        )

    def describe(self, table: str) -> TargetTable | None:
        columns = self._catalog("duckdb_columns", table)
        if not columns:
            return None
        return TargetTable(
            columns=tuple(
                TargetColumn(
                    column["column_name"],
                    column["data_type"],
                    column["is_nullable"],
                    column["column_default"] is not None,
                    column.get("is_generated", False),  # From DuckDB 2 on.
                )
                for column in sorted(columns, key=lambda column: int(column["column_index"]))
            ),
            primary_key=tuple(
                name
                for found in self._catalog("duckdb_constraints", table)
                if found["constraint_type"] == "PRIMARY KEY"
                for name in found["constraint_column_names"]
            ),
            kind="table" if self._catalog("duckdb_tables", table) else "view",
        )

    def _catalog(self, function: str, table: str) -> list[dict[str, Any]]:
        """What one of DuckDB's functions says of a table, by column."""
        found = self._connection.execute(
            sql.fill(
                "SELECT * FROM {function}() WHERE database_name = current_database()"
                " AND lower(schema_name) = lower($1) AND lower(table_name) = lower($2)",
                function=function,
            ),
            list(self.statements.place(table)),
        )
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def copy(self, columns: Sequence[str], batches: Iterable[pa.RecordBatch]) -> int:
        names = sql.into_staging([*columns, sql.FILE, sql.ROW])
        rows = 0
        for batch in batches:
            self._connection.register("wmtui_batch", batch)
            rows += self._connection.execute(f"INSERT INTO {names} FROM wmtui_batch").fetchall()[0][0]
            self._connection.unregister("wmtui_batch")
        return rows

    def read(self, target: str, columns: Sequence[ReadColumn], batch_rows: int) -> Iterator[pa.RecordBatch]:
        """Every row; what Arrow has no exact type for as text."""
        names = [sql.quote(c.column) + ("::VARCHAR" if c.type is None else "") for c in columns]
        self._connection.execute("SET TimeZone = 'UTC'")
        for batch in self._connection.sql(self.statements.select(target, names)).to_arrow_reader(batch_rows):
            yield pa.record_batch(batch.columns, names=[c.name for c in columns])

    def now(self) -> datetime:
        return self._clock().astimezone(UTC).replace(tzinfo=None)


def _is_busy(error: duckdb.Error) -> bool:
    """Open in another process, or being closed by another thread of this one at this moment."""
    why = str(error)
    return (isinstance(error, duckdb.IOException) and "lock" in why) or "Unique file handle conflict" in why


def _translate(path: Path, error: duckdb.Error) -> WmtuiError:
    why = str(error).splitlines()[0]
    if isinstance(error, duckdb.IOException) and "lock" in why:
        return WarehouseError(f"another process has {path} open", why, "try again when it is done")
    if isinstance(error, duckdb.DataError | duckdb.IntegrityError | duckdb.ProgrammingError):
        return TableError("the target cannot take the rows", why, "nothing was loaded; fix the target")
    return WarehouseError(f"the warehouse {path} failed", why, "check path, permissions and free space")

"""DuckDB as warehouse: one file, opened per operation, because it lets one process in."""

import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from wmtui.config import DuckDBConfig
from wmtui.errors import LoadRefused, TargetUnreadable, WarehouseError, WmtuiError
from wmtui.model import Check, Clock, Level
from wmtui.warehouses.base import KnownLoads, Limits, LoadRequest, LoadResult, OnStaged, OpenPart, Place, TargetState
from wmtui.warehouses.ledger import ledger
from wmtui.warehouses.load import statements
from wmtui.warehouses.load.columns import Columns
from wmtui.warehouses.load.merge import count_rows, merge
from wmtui.warehouses.load.session import Session
from wmtui.warehouses.load.staging import stage
from wmtui.warehouses.load.statements import Staging
from wmtui.warehouses.quoting import fill, quote
from wmtui.warehouses.reading import ReadColumn, columns_to_read
from wmtui.warehouses.target import TargetColumn, TargetTable

_SCHEMA = "main"
_WAIT = timedelta(seconds=5)
_POLL_SECONDS = 0.05
_READING_MEMORY = "SET memory_limit = '64MB'"

_LEDGER_LOCKS: defaultdict[tuple[Path, str], threading.Lock] = defaultdict(threading.Lock)
"""By file and target: connections of this process share the database, and DuckDB has no LOCK TABLE. No other
process is in it meanwhile.
"""


class DuckDBWarehouse:
    """A Warehouse in a DuckDB file. wait: how long to try while another process has the file open."""

    limits = Limits(nul=True, ignores_case=True)
    reads_store = False
    statements = statements.Statements(_SCHEMA)

    def __init__(self, config: DuckDBConfig, clock: Clock, wait: timedelta = _WAIT) -> None:
        self._path = Path(config.path).absolute()
        self._clock = clock
        self._wait = wait

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

    def loads(self, place: Place) -> KnownLoads:
        """What was loaded into a target, and by whom."""
        if not self._path.exists():
            return KnownLoads()
        with self._session() as session:
            return ledger.read_loads(session, place)

    def accept(self, place: Place, *, token: int, run: str, moved_from: str | None = None) -> None:
        """Record the target as it is now as what this table's loads left."""
        with self._session(loads=True) as session:
            self._prepare_ledger(session)
            with self._lock(session, place.target), session.transaction():
                state = session.state(place.target)
                ledger.accept_target(session, place, state, token=token, run=run, moved_from=moved_from)

    def load(self, request: LoadRequest, open_part: OpenPart, on_staged: OnStaged) -> LoadResult:
        """Stage beside other loads of this process, merge one at a time into a target."""
        with self._session(loads=True) as session:
            self._prepare_ledger(session)
            staged = stage(session, request, open_part, on_staged)
            with self._lock(session, request.target), session.transaction():
                return merge(session, request, staged)

    def read(self, target: str, columns: Mapping[str, str], batch_rows: int) -> Iterator[pa.RecordBatch]:
        """See Warehouse.read."""
        if not self._path.exists():
            return
        with self._session() as session:
            if known := session.columns(target):
                yield from session.read(target, columns_to_read(target, known, columns), batch_rows)

    def clock(self) -> datetime:
        """This host's clock: the file has none of its own."""
        return self._clock()

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

    def _lock(self, session: "_DuckDBSession", target: str) -> threading.Lock:
        return _LEDGER_LOCKS[self._path.resolve(), session.statements.whole(target)]

    def _prepare_ledger(self, session: "_DuckDBSession") -> None:
        with _LEDGER_LOCKS[self._path.resolve(), ""]:
            if ledger.warehouse_id(session) is None:
                first = ledger.has_first_ledger(session)
                try:
                    with session.transaction():
                        ledger.make_ledger(session, first=first)
                except duckdb.CatalogException as error:
                    raise ledger.in_the_way(session.statements.schema, error) from error

    @contextmanager
    def _session(self, *, loads: bool = False) -> Iterator["_DuckDBSession"]:
        try:
            with closing(self._open()) as connection:
                yield _DuckDBSession(connection, self._clock)
        except duckdb.Error as error:
            raise _translate(self._path, error, loads=loads) from error

    def _open(self) -> duckdb.DuckDBPyConnection:
        deadline = time.monotonic() + self._wait.total_seconds()
        while True:
            try:
                return duckdb.connect(self._path)
            except duckdb.Error as error:
                if not _is_busy(error) or time.monotonic() > deadline:
                    raise
                time.sleep(_POLL_SECONDS)


class _Statements(statements.Statements):
    shards = 1
    """Rows of one table are written side by side; who merges into a target is kept apart in this process."""
    refusal_of_older = "CASE WHEN random() < 2 THEN CAST(error('{words}') AS varchar) END"
    """DuckDB would not come to compute what does not change."""

    def whole(self, target: str) -> str:
        """In lower case: DuckDB's names differ in more than case."""
        return super().whole(target).lower()


class _DuckDBSession(Session):
    data_errors = (duckdb.DataError,)
    missing_errors = exists_errors = (duckdb.CatalogException,)

    def __init__(self, connection: duckdb.DuckDBPyConnection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock
        self.statements = _Statements(_SCHEMA, self.execute("SELECT current_database()")[0][0])

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

    def change(self, statement: str, *values: object) -> int:
        return int(self.execute(statement, *values)[0][0])

    def execute_all(self, statements: Sequence[str]) -> None:
        self.execute(";".join(statements))

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
            fill(
                "SELECT * FROM {function}() WHERE database_name = current_database()"
                " AND lower(schema_name) = lower($1) AND lower(table_name) = lower($2)",
                function=function,
            ),
            list(self.statements.place(table)),
        )
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def state(self, target: str, *, count: bool = True) -> TargetState:
        found = self.execute(
            "SELECT table_oid FROM duckdb_tables() WHERE database_name = current_database()"
            " AND lower(schema_name) = lower($1) AND lower(table_name) = lower($2)",
            *self.statements.place(target),
        )
        if not found and not self.columns(target):
            return TargetState()
        oid = str(found[0][0]) if found else "view"
        if not count:
            return TargetState(oid)
        rows = int(self.execute(self.statements.count(target))[0][0])
        return TargetState(oid, rows, empty=not rows)

    def create_staging(self, name: str) -> Staging:
        self.execute(self.statements.create_staging(quote(name)))
        return Staging(name, quote(name), {})

    def newest(self, staging: Staging, primary_key: Sequence[str], cursor: str) -> tuple[Staging, int]:
        self.execute(statements.keep_newest(staging, primary_key, cursor))
        return staging, sum(rows for _, rows in self.execute(statements.count_staged(staging.table)))

    def lock_first_ledger(self) -> None:
        """Nothing: who makes the ledger is alone in the file."""

    def copy(self, staging: Staging, columns: Sequence[str], batches: Iterable[pa.RecordBatch]) -> int:
        names = statements.into_staging(staging, columns)
        rows = 0
        for batch in batches:
            numbered = batch.rename_columns([str(number) for number in range(batch.num_columns)])
            self._connection.register("wmtui_batch", numbered)
            rows += self._connection.execute(f"INSERT INTO {names} FROM wmtui_batch").fetchall()[0][0]
            self._connection.unregister("wmtui_batch")
        return rows

    def read(self, target: str, columns: Sequence[ReadColumn], batch_rows: int) -> Iterator[pa.RecordBatch]:
        """Every row; what Arrow has no exact type for as text. In little memory, unless rows are so long that DuckDB,
        which reads 2,048 at once, needs more.
        """
        names = [quote(c.column) + ("::VARCHAR" if c.type is None else "") for c in columns]
        statement, rows = self.statements.select(target, names), 0
        self._connection.execute("SET TimeZone = 'UTC'")
        for limit in (_READING_MEMORY, "RESET memory_limit"):
            self._connection.execute(limit)
            with suppress(duckdb.OutOfMemoryException) if limit == _READING_MEMORY else nullcontext():
                for batch in self._connection.sql(f"{statement} OFFSET {rows}").to_arrow_reader(batch_rows):
                    rows += batch.num_rows
                    yield pa.record_batch(batch.columns, names=[c.name for c in columns])
                return

    def now(self) -> datetime:
        return self._clock().astimezone(UTC).replace(tzinfo=None)


def _is_busy(error: duckdb.Error) -> bool:
    """Open in another process, or being closed by another thread of this one at this moment."""
    why = str(error)
    return (isinstance(error, duckdb.IOException) and "lock" in why) or "Unique file handle conflict" in why


def _translate(path: Path, error: duckdb.Error, *, loads: bool) -> WmtuiError:
    why = str(error).splitlines()[0]
    if isinstance(error, duckdb.IOException) and "lock" in why:
        return WarehouseError(f"another process has {path} open", why, "try again when it is done")
    misfits = duckdb.DataError | duckdb.IntegrityError | duckdb.ProgrammingError
    if isinstance(error, misfits) and not loads:
        return TargetUnreadable("the target cannot be read", why, "nothing was changed; look at the target")
    if isinstance(error, misfits):
        return LoadRefused("the target cannot take the rows", why, "nothing was loaded; fix the target")
    return WarehouseError(f"the warehouse {path} failed", why, "check path, permissions and free space")

"""One connection to a DuckDB file, and the statements that DuckDB has otherwise."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from itertools import chain
from typing import Any

import duckdb
import pyarrow as pa

from wmtui.model import Clock
from wmtui.warehouses.ledger_state import TargetState
from wmtui.warehouses.load.session import StreamSession
from wmtui.warehouses.load.statements import Staging, Statements, count_staged, into_staging, keep_newest
from wmtui.warehouses.quoting import Insert, columns_list, fill, quote
from wmtui.warehouses.read_columns import ReadColumn
from wmtui.warehouses.target import Columns, TargetColumn, TargetTable

SCHEMA = "main"
_READING_MEMORY = "SET memory_limit = '64MB'"
_HELD = "SELECT CAST(coalesce(sum(memory_usage_bytes), 0) AS BIGINT) FROM duckdb_memory() WHERE tag <> 'BASE_TABLE'"
"""Bytes that are not blocks of tables: indexes, and what is under way."""
_KEPT = 32 * 2**20


class DuckDBStatements(Statements):
    shards = 1
    """Rows of one table are written side by side; who merges into a target is kept apart in this process."""
    refusal_of_older = "CASE WHEN random() < 2 THEN CAST(error('{words}') AS varchar) END"
    """DuckDB would not come to compute what does not change."""

    def full_name(self, target: str) -> str:
        """In lower case: DuckDB's names differ in more than case."""
        return super().full_name(target).lower()


class DuckDBSession(StreamSession):
    data_errors = (duckdb.DataError,)
    missing_errors = exists_errors = (duckdb.CatalogException,)

    def __init__(self, connection: duckdb.DuckDBPyConnection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock
        self.statements = DuckDBStatements(SCHEMA, self.execute("SELECT current_database()")[0][0])

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self._connection.begin()
        try:
            yield
        except BaseException:
            self._connection.rollback()
            raise
        self._connection.commit()

    def execute(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        return self._connection.execute(statement, list(values)).fetchall()

    def change(self, statement: str, *values: object) -> int:
        return int(self.execute(statement, *values)[0][0])

    def execute_all(self, statements: Sequence[str]) -> None:
        self.execute(";".join(statements))

    def insert(self, insert: Insert, rows: Sequence[Sequence[object]]) -> None:
        self._connection.executemany(insert.statement(), rows)

    def columns(self, table: str) -> Columns:
        return dict(
            self.execute(
                "SELECT column_name, data_type FROM duckdb_columns() WHERE database_name = current_database()"
                " AND lower(schema_name) = lower($1) AND lower(table_name) = lower($2) ORDER BY column_index",
                *self.statements.schema_and_name(table),
            )
        )

    def describe(self, table: str) -> TargetTable | None:
        columns = self._catalog("duckdb_columns", table)
        if not columns:
            return None
        return TargetTable(
            columns=tuple(
                TargetColumn(
                    name=column["column_name"],
                    type=column["data_type"],
                    nullable=column["is_nullable"],
                    has_default=column["column_default"] is not None,
                    generated=column.get("is_generated", False),  # From DuckDB 2 on.
                )
                for column in sorted(columns, key=lambda column: int(column["column_index"]))
            ),
            primary_key=tuple(
                name
                for constraint in self._catalog("duckdb_constraints", table)
                if constraint["constraint_type"] == "PRIMARY KEY"
                for name in constraint["constraint_column_names"]
            ),
            kind="table" if self._catalog("duckdb_tables", table) else "view",
        )

    def _catalog(self, function: str, table: str) -> list[dict[str, Any]]:
        """What one of DuckDB's functions says of a table, by column."""
        cursor = self._connection.execute(
            fill(
                "SELECT * FROM {function}() WHERE database_name = current_database()"
                " AND lower(schema_name) = lower($1) AND lower(table_name) = lower($2)",
                function=function,
            ),
            list(self.statements.schema_and_name(table)),
        )
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def state(self, target: str, *, count: bool = True) -> TargetState:
        tables = self.execute(
            "SELECT table_oid FROM duckdb_tables() WHERE database_name = current_database()"
            " AND lower(schema_name) = lower($1) AND lower(table_name) = lower($2)",
            *self.statements.schema_and_name(target),
        )
        if not tables and not self.columns(target):
            return TargetState()
        oid = str(tables[0][0]) if tables else "view"
        if not count:
            return TargetState(oid)
        rows = int(self.execute(self.statements.count(target))[0][0])
        return TargetState(oid, rows, empty=not rows)

    def create_staging(self, name: str) -> Staging:
        self.execute(self.statements.create_staging(quote(name)))
        return Staging(name, quote(name), {})

    def newest(self, staging: Staging, primary_key: Sequence[str], cursor: str) -> tuple[Staging, int]:
        self.execute(keep_newest(staging, primary_key, cursor))
        return staging, sum(rows for _, rows in self.execute(count_staged(staging.table)))

    def lock_first_ledger(self) -> None:
        """Nothing: who makes the ledger is alone in the file."""

    def copy(self, staging: Staging, columns: Sequence[str], batches: Iterable[pa.RecordBatch]) -> int:
        return self._insert(into_staging(staging, columns), batches)

    def copy_into(self, target: str, columns: Sequence[str], batches: Iterable[pa.RecordBatch]) -> int:
        """Append batches to a target, and return how many rows arrived."""
        return self._insert(f"{self.statements.target(target)} ({columns_list(columns)})", batches)

    def _insert(self, into: str, batches: Iterable[pa.RecordBatch]) -> int:
        """All batches in one statement, by which DuckDB writes full row groups into the file as they come."""
        stream = _Stream(batches)
        if stream.reader is None:
            return 0
        self._connection.register("wmtui_batch", stream.reader)
        try:
            rows = self.change(f"INSERT INTO {into} FROM wmtui_batch")
        except duckdb.Error:
            if stream.failure is not None:
                raise stream.failure from None
            raise
        self._connection.unregister("wmtui_batch")
        return rows

    @contextmanager
    def bounded_memory(self) -> Iterator[None]:
        """One thread meanwhile, and each row group written when it is full: others would be held in memory."""
        with suppress(duckdb.CatalogException):  # Releases that do not have it write each of them anyway.
            self.execute("SET write_buffer_row_group_count = 1")
        self.execute("SET threads = 1")
        try:
            yield
        finally:
            self.execute("RESET threads")
            with suppress(duckdb.CatalogException):
                self.execute("RESET write_buffer_row_group_count")

    def release_memory(self) -> None:
        """Give back memory that is kept for later use: of blocks that are in the file, and of batches that are gone."""
        pa.default_memory_pool().release_unused()
        with closing(self._connection.cursor()) as other, suppress(duckdb.OutOfMemoryException):
            try:
                ((held,),) = other.execute(_HELD).fetchall()
                other.execute(f"SET memory_limit = '{held + _KEPT}B'")
            finally:
                other.execute("RESET memory_limit")

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


class _Stream:
    """Batches as DuckDB takes them. reader: None where there are none. failure: what their reading raised, of which
    DuckDB only has the words.
    """

    def __init__(self, batches: Iterable[pa.RecordBatch]) -> None:
        self._batches = iter(batches)
        self.failure: BaseException | None = None
        self.reader: pa.RecordBatchReader | None = None
        first = next(self._batches, None)
        if first is not None:
            numbered = _numbered(first)
            self.reader = pa.RecordBatchReader.from_batches(numbered.schema, chain([numbered], self._others()))

    def _others(self) -> Iterator[pa.RecordBatch]:
        try:
            yield from map(_numbered, self._batches)
        except BaseException as error:
            self.failure = error
            raise


def _numbered(batch: pa.RecordBatch) -> pa.RecordBatch:
    """With numbers for names, of which DuckDB would take two that differ in case alone for one."""
    return batch.rename_columns([str(number) for number in range(batch.num_columns)])

"""What a load needs of one connection to a warehouse."""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Protocol

import pyarrow as pa

from wmtui.warehouses.base import TargetState
from wmtui.warehouses.load.columns import Columns
from wmtui.warehouses.load.statements import Staging, Statements
from wmtui.warehouses.quoting import Insert
from wmtui.warehouses.target import TargetTable


class Session(Protocol):
    """One connection to a warehouse. Methods raise the driver's own errors; the adapter translates them.

    data_errors: those for a value that a column does not take. missing_errors: those for a table that is not there,
    exists_errors: for a column that is.
    """

    statements: Statements
    data_errors: tuple[type[Exception], ...]
    missing_errors: tuple[type[Exception], ...]
    exists_errors: tuple[type[Exception], ...]

    def transaction(self) -> AbstractContextManager[object]:
        """Commit at the end of the block, roll back when it raises."""
        ...

    def execute(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """The rows of one statement, none for one without a result."""
        ...

    def change(self, statement: str, *values: object) -> int:
        """How many rows one statement changed."""
        ...

    def execute_all(self, statements: Sequence[str]) -> None:
        """Statements without values, one after the other."""
        ...

    def insert(self, insert: Insert, rows: Sequence[Sequence[object]]) -> None:
        """Rows of values, in as few round trips as the driver can."""
        ...

    def columns(self, table: str) -> Columns:
        """The columns of a table of the schema, empty when there is no such table."""
        ...

    def describe(self, table: str) -> TargetTable | None:
        """What stands under a table's name, None where nothing does."""
        ...

    def state(self, target: str, *, count: bool = True) -> TargetState:
        """A target's identity and rows; of none where there is no such table. count: how many rows it has."""
        ...

    def create_staging(self, name: str) -> Staging:
        """A staging table without columns of files yet, in the transaction that is open."""
        ...

    def newest(self, staging: Staging, primary_key: Sequence[str], cursor: str) -> tuple[Staging, int]:
        """Staging with the newest row of every key alone, and how many these are."""
        ...

    def lock_first_ledger(self) -> None:
        """Keep loads of an older wmtui out until the transaction ends."""
        ...

    def now(self) -> datetime:
        """The warehouse's clock: UTC, without zone, as the ledger holds it."""
        ...


class StreamSession(Session, Protocol):
    """A connection through which this process sends the rows of files; Redshift reads them from the store itself."""

    def copy(self, staging: Staging, columns: Sequence[str], batches: Iterable[pa.RecordBatch]) -> int:
        """Append batches to these columns of staging, which it has for the target's; returns the rows that arrived."""
        ...

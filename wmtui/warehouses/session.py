"""What a load needs of one connection to a warehouse."""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Protocol

import pyarrow as pa

from wmtui.warehouses.landing import Columns
from wmtui.warehouses.sql import Statements
from wmtui.warehouses.target import TargetTable


class Session(Protocol):
    """One connection to a warehouse. Methods raise the driver's own errors; the adapter translates them.

    data_errors: those for a value that a column does not take.
    """

    statements: Statements
    data_errors: tuple[type[Exception], ...]

    def transaction(self) -> AbstractContextManager[object]:
        """Commit at the end of the block, roll back when it raises."""
        ...

    def execute(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """The rows of one statement, none for one without a result."""
        ...

    def execute_many(self, statement: str, rows: Sequence[Sequence[object]]) -> None:
        """One statement for several rows of values."""
        ...

    def columns(self, table: str) -> Columns:
        """The columns of a table of the schema, empty when there is no such table."""
        ...

    def describe(self, table: str) -> TargetTable | None:
        """What stands under a table's name, None where nothing does."""
        ...

    def copy(self, columns: Sequence[str], batches: Iterable[pa.RecordBatch]) -> int:
        """Append batches to these columns of staging; returns the rows that arrived."""
        ...

    def now(self) -> datetime:
        """The warehouse's clock: UTC, without zone, as the ledger holds it."""
        ...

"""What a load needs of one connection to a warehouse."""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

import pyarrow as pa

from wmtui.warehouses.ledger.session import LedgerSession
from wmtui.warehouses.load.statements import Staging, Statements
from wmtui.warehouses.target import TargetTable


class Session(LedgerSession, Protocol):
    """One connection to a warehouse.

    data_errors: those of the driver for a value that a column does not take. missing_errors: those for a table that is
    not there, exists_errors: for a column that is.
    """

    statements: Statements
    data_errors: tuple[type[Exception], ...]
    missing_errors: tuple[type[Exception], ...]
    exists_errors: tuple[type[Exception], ...]

    def transaction(self) -> AbstractContextManager[object]:
        """Commit at the end of the block, roll back when it raises."""
        ...

    def change(self, statement: str, *values: object) -> int:
        """How many rows one statement changed."""
        ...

    def describe(self, table: str) -> TargetTable | None:
        """What stands under a table's name, None where nothing does."""
        ...

    def create_staging(self, name: str) -> Staging:
        """A staging table without columns of files yet, in the transaction that is open."""
        ...

    def newest(self, staging: Staging, primary_key: Sequence[str], cursor: str) -> tuple[Staging, int]:
        """Staging with the newest row of every key alone, and how many these are."""
        ...


class StreamSession(Session, Protocol):
    """A connection through which this process sends the rows of files; Redshift reads them from the store itself."""

    def copy(self, staging: Staging, columns: Sequence[str], batches: Iterable[pa.RecordBatch]) -> int:
        """Append batches to these columns of staging, which it has for the target's; returns the rows that arrived."""
        ...

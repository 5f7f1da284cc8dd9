"""What ledger and fence need of one connection to a warehouse."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

from wmtui.warehouses.ledger.statements import LedgerStatements
from wmtui.warehouses.ledger_state import TargetState
from wmtui.warehouses.quoting import Insert
from wmtui.warehouses.target import Columns


class LedgerSession(Protocol):
    """One connection to a warehouse. Methods raise the driver's own errors; the adapter translates them."""

    statements: LedgerStatements

    def execute(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """The rows of one statement, none for one without a result."""
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

    def state(self, target: str, *, count: bool = True) -> TargetState:
        """A target's identity and rows; of none where there is no such table. count: how many rows it has."""
        ...

    def lock_first_ledger(self) -> None:
        """Keep loads of an older wmtui out until the transaction ends."""
        ...

    def now(self) -> datetime:
        """The warehouse's clock: UTC, without zone, as the ledger holds it."""
        ...

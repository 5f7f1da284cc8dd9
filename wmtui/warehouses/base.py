"""What the pipeline needs of a warehouse."""

import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from typing import TYPE_CHECKING, Protocol, Self

from wmtui.model import Check
from wmtui.warehouses.ledger_state import Feed, KnownLoads
from wmtui.warehouses.load_request import LoadFile, LoadRequest, LoadResult, OnStaged, OpenPart, Pause
from wmtui.warehouses.target import TargetLimits, TargetTable

if TYPE_CHECKING:  # Slow to import, and not needed before a load.
    import pyarrow as pa

    from wmtui.warehouses.load.statements import Statements


class Manifests(Protocol):
    """Where manifests are put for the time of a COPY: the part of a store that is needed."""

    def uri(self, key: str) -> str:
        """The address that Redshift reads."""
        ...

    def put(self, key: str, data: bytes) -> str:
        """Write an object."""
        ...

    def delete(self, key: str) -> None:
        """Remove it."""
        ...


class Warehouse(Protocol):
    """limits: what values and names must not exceed. reads_store: it reads the files of a load itself, and needs of an
    opened one its footer alone. stages_ahead: it takes files before a load is decided on. most_files: of one load, so
    that no transaction grows without end; None: any number. statements: its SQL, for a person to run.

    Raises WarehouseError when the warehouse refuses or does not answer, TableError when this load cannot be done,
    Conflict when a higher fence token has been seen. Safe to share between threads.
    """

    limits: TargetLimits
    reads_store: bool
    stages_ahead: bool
    most_files: int | None
    statements: "Statements"

    @property
    def address(self) -> str:
        """Where it is, as the settings say: at another address there may be another warehouse."""
        ...

    def on_one_connection(self) -> AbstractContextManager[Self]:
        """The same warehouse, whose operations share a connection until the block ends: opened by the first of them,
        and again after one that failed or when the server has ended it.
        """
        ...

    def describe(self, target: str) -> TargetTable | None:
        """What stands under this name, None where nothing does."""
        ...

    def loads(self, feed: Feed) -> KnownLoads:
        """What was loaded into a target, and by whom; nothing before the first load. Changes nothing."""
        ...

    def accept(self, feed: Feed, *, token: int, run: str, moved_from: str | None = None) -> None:
        """Record the target as it is now as what this table's loads left, so that they go on from here.

        moved_from: another table, whose loads into this target end. Raises Conflict as `load` does.
        """
        ...

    def stage_ahead(self, request: LoadRequest, number: int, file: LoadFile, rows: "pa.Table") -> None:
        """On one connection (`on_one_connection`), stage a file of our own before it is decided what is loaded.

        A load of the same id on that connection then need not open the file, if it is among those that it loads; else
        its rows are dropped with all the others when the block ends. Nothing else changes. Only where `stages_ahead`.
        request: of the load, without files. number: places the file among others; later ones have greater numbers.
        rows: those that the file was just written from.
        """
        ...

    def load(
        self, request: LoadRequest, open_part: OpenPart, on_staged: OnStaged, pause: Pause = time.sleep
    ) -> LoadResult:
        """Stage the files, then merge and write the ledger in one transaction that begins with the target's lock.

        Creates the target and the ledger on first use, and adds to the target the columns that a run's own files have
        beside its. Raises TableError when staged rows differ from those promised or when columns do not fit the
        target; then nothing has changed. pause: used before a merge that conflicted is tried again.
        """
        ...

    def read(self, target: str, columns: Mapping[str, str], batch_rows: int) -> Iterator["pa.RecordBatch"]:
        """Stream the target's rows in any order, one snapshot, bounded in memory; nothing when there is no such table.

        columns: by the name that batches are to have, the one in the target. Values come in the Arrow type of what the
        target declares, or as text where it has none or a value does not fit it. Raises TableError when the target
        lacks a column.
        """
        ...

    def clock(self) -> datetime:
        """The warehouse's clock, aware UTC."""
        ...

    def check(self) -> list[Check]:
        """Findings for `doctor` about connection and privileges; a dead server is a finding."""
        ...

"""What the pipeline needs of a warehouse."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from wmtui.model import As, Check
from wmtui.warehouses.target import TargetTable

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from wmtui.warehouses.load.statements import Statements


class LoadFile(Struct, frozen=True):
    """A file to load: key below the store's root, address and ETag as the ledger holds them.

    rows: those its run promises; None for a foreign file, which promises those of its footer. footer: digest of the
    Parquet footer, where it is known. loses_ties: its rows were read before the target's last load, and lose to a row
    of the target with an equal cursor. replaces: rows of the target give way to its rows whatever their cursor, because
    the table was reset since they were loaded.
    """

    key: str
    uri: str
    etag: str
    size: int
    rows: int | None
    footer: str | None = None
    loses_ties: bool = False
    replaces: bool = False


class Naming(Struct, frozen=True):
    """What the target calls the columns of the source. exclude: those it is not to have.

    as_types: those it keeps in another form, by their names in the source. zone: that of local times.
    """

    rename: Mapping[str, str] = {}
    exclude: tuple[str, ...] = ()
    as_types: Mapping[str, As] = {}
    zone: str = "UTC"

    def of(self, column: str) -> str | None:
        """A source column's name in the target; None for one that is excluded."""
        return None if column in self.exclude else self.rename.get(column, column)


class Layout(Struct, frozen=True):
    """How Redshift stores a target that a load creates; names of source columns."""

    diststyle: str | None = None
    distkey: str | None = None
    sortkey: tuple[str, ...] = ()


class Place(Struct, frozen=True):
    """Whose loads, and where to: a store's id, one of its tables, the target written as a TargetName."""

    store: str
    table: str
    target: str


class LoadRequest(Struct, frozen=True):
    """One load of one table.

    load_id: unique; staging and ledger rows carry it. run: of the lease held, token: its fence. epoch: counts resets.
    cursor, primary_key: names of source columns; no primary key: append.
    files: oldest first; of two rows with equal key and cursor the one in the later file wins.
    reprocess: load files although the ledger has them.
    target_rows: how many the target had when this load was decided on; None: not counted.
    claim: what the ledger has of no store for this table and target is this store's.
    after: the newest load that the ledger had when this load was decided on; None: it had none.
    """

    load_id: str
    place: Place
    epoch: int
    token: int
    run: str
    cursor: str
    primary_key: tuple[str, ...]
    files: tuple[LoadFile, ...]
    reprocess: bool = False
    target_rows: int | None = None
    claim: bool = False
    naming: Naming = Naming()
    layout: Layout = Layout()
    after: str | None = None

    @property
    def table(self) -> str:
        """The source table."""
        return self.place.table

    @property
    def target(self) -> str:
        """The target, written as a TargetName."""
        return self.place.target

    @property
    def merge_columns(self) -> tuple[str, ...]:
        """Primary key and cursor by their names in the target."""
        return tuple(self.naming.of(column) or column for column in (*self.primary_key, self.cursor))


class LoadResult(Struct, frozen=True):
    """What a load did: files committed now, those another load had already committed, and rows staged of the former.

    added: columns that the target did not have before.
    """

    loaded: tuple[LoadFile, ...]
    already_loaded: tuple[LoadFile, ...]
    rows: int
    added: tuple[str, ...] = ()


class LedgerEntry(Struct, frozen=True):
    """One committed file: which load brought it, and when (aware UTC, by the warehouse's clock).

    store: whose it is; "" for a row from before stores had ids, which has no key either. key: below the store's root.
    size, footer: of its content; None where the ledger has none.
    """

    store: str
    key: str
    uri: str
    etag: str
    rows: int
    load_id: str
    epoch: int
    loaded_at: datetime
    size: int | None = None
    footer: str | None = None


class Fence(Struct, frozen=True):
    """What the last load of a store's table into a target left.

    token, run: of its lease. target_id: the target's identity in the catalogue; target_rows: how many it had then,
    None: not counted. columns: of the target, those that loads of this table ever carried. moved_to: the table that
    the target was handed over to; None: it was not.
    """

    store: str
    table: str
    token: int
    run: str
    target_id: str | None = None
    target_rows: int | None = None
    columns: tuple[str, ...] = ()
    moved_to: str | None = None


class TargetState(Struct, frozen=True):
    """A target as it is. id: its identity in the catalogue; None: there is no such table. rows: None: not counted,
    because counting would take long.
    """

    id: str | None = None
    rows: int | None = None
    empty: bool = True

    @property
    def exists(self) -> bool:
        """There is such a table."""
        return self.id is not None


class KnownLoads(Struct, frozen=True):
    """What a warehouse knows of a place.

    warehouse: its id; None before the first load. entries: files of this store's table and of nobody's store, of all
    epochs, oldest first. fences: of everybody who has loaded into the target. target: as it is now.
    """

    warehouse: str | None = None
    entries: tuple[LedgerEntry, ...] = ()
    fences: tuple[Fence, ...] = ()
    target: TargetState = TargetState()


OpenPart = Callable[[LoadFile], "pq.ParquetFile"]
"""Opens a file's content, or its footer for a warehouse that reads the store.

Raises TableError when the object's ETag is not the file's.
"""

OnStaged = Callable[[LoadFile, int], None]
"""Called after each staged file with its row count; may raise Interrupted to stop between files."""


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


class Limits(Struct, frozen=True):
    """What a column may hold at most, and how it may be called. text_bytes: of UTF-8, binary_bytes, name_bytes; None:
    no limit. nul: text with a NUL. system_names: of columns that every table has. ignores_case: names that differ in
    case alone are one.
    """

    text_bytes: int | None = None
    binary_bytes: int | None = None
    nul: bool = False
    name_bytes: int | None = None
    system_names: frozenset[str] = frozenset()
    ignores_case: bool = False


class Warehouse(Protocol):
    """limits: what values and names must not exceed. reads_store: it reads the files of a load itself, and needs of an
    opened one its footer alone. statements: its SQL, for a person to run.

    Raises WarehouseError when the warehouse refuses or does not answer, TableError when this load cannot be done,
    Conflict when a higher fence token has been seen. Safe to share between threads.
    """

    limits: Limits
    reads_store: bool
    statements: "Statements"

    def describe(self, target: str) -> TargetTable | None:
        """What stands under this name, None where nothing does."""
        ...

    def loads(self, place: Place) -> KnownLoads:
        """What was loaded into a target, and by whom; nothing before the first load. Changes nothing."""
        ...

    def accept(self, place: Place, *, token: int, run: str, moved_from: str | None = None) -> None:
        """Record the target as it is now as what this table's loads left, so that they go on from here.

        moved_from: another table, whose loads into this target end. Raises Conflict as `load` does.
        """
        ...

    def load(self, request: LoadRequest, open_part: OpenPart, on_staged: OnStaged) -> LoadResult:
        """Stage the files, then merge and write the ledger in one transaction that begins with the target's lock.

        Creates the target and the ledger on first use, and adds to the target the columns that a run's own files have
        beside its. Raises TableError when staged rows differ from those promised or when columns do not fit the
        target; then nothing has changed.
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

"""One load of one table: the request to a warehouse, and the result."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from msgspec import Struct

from wmtui.model import As
from wmtui.warehouses.ledger_state import Feed

if TYPE_CHECKING:
    import pyarrow.parquet as pq


class LoadFile(Struct, frozen=True):
    """A file to load: key below the store's root, address and ETag as the ledger holds them.

    rows: those its run promises; None for a foreign file, which promises those of its footer. footer: digest of the
    Parquet footer, where it is known. loses_ties: its rows were read before the target's last load, and lose to a row
    of the target with an equal cursor. replaces: rows of the target give way to its rows whatever their cursor, because
    the table was reset since they were loaded. run: of which it is a part; None for a foreign file.
    """

    key: str
    uri: str
    etag: str
    size: int
    rows: int | None
    footer: str | None = None
    loses_ties: bool = False
    replaces: bool = False
    run: str | None = None


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


class TargetLayout(Struct, frozen=True):
    """How Redshift stores a target that a load creates; names of source columns."""

    diststyle: str | None = None
    distkey: str | None = None
    sortkey: tuple[str, ...] = ()


class LoadRequest(Struct, frozen=True):
    """One load of one table.

    load_id: unique; staging and ledger rows carry it. run: of the lease held, token: its fence. epoch: counts resets.
    cursor, primary_key: names of source columns; no primary key: append.
    files: oldest first; of two rows with equal key and cursor the one in the later file wins.
    reprocess: load files although the ledger has them.
    target_rows: how many the target had when this load was decided on; None: not counted.
    claim: what the ledger has of no store for this table and target is this store's.
    after: the newest load that the ledger had when this load was decided on; None: it had none.
    one_run: files are parts of one run, which has a key twice only if its row was changed while it was read.
    """

    load_id: str
    feed: Feed
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
    layout: TargetLayout = TargetLayout()
    after: str | None = None
    one_run: bool = False

    @property
    def table(self) -> str:
        """The source table."""
        return self.feed.table

    @property
    def target(self) -> str:
        """The target, written as a TargetName."""
        return self.feed.target

    @property
    def merge_columns(self) -> tuple[str, ...]:
        """Primary key and cursor by their names in the target."""
        return tuple(self.naming.of(column) or column for column in (*self.primary_key, self.cursor))

    @property
    def each_key_once(self) -> bool:
        """Most likely no two rows of the files have one key, or none is needed."""
        return self.one_run or not self.primary_key


class LoadResult(Struct, frozen=True):
    """What a load did: files committed now, those another load had already committed, and rows staged of the former.

    added: columns that the target did not have before.
    """

    loaded: tuple[LoadFile, ...]
    already_loaded: tuple[LoadFile, ...]
    rows: int
    added: tuple[str, ...] = ()


OpenPart = Callable[[LoadFile], "pq.ParquetFile"]
"""Opens a file's content, or its footer for a warehouse that reads the store.

Raises TableError when the object's ETag is not the file's.
"""

Pause = Callable[[float], None]
"""Waits so many seconds; may raise Interrupted to stop meanwhile."""

OnStaged = Callable[[LoadFile, int], None]
"""Called after each staged file with its row count; may raise Interrupted to stop between files."""

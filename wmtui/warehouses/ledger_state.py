"""What a warehouse knows of the loads into a target: its ledger, its fences, and the target itself."""

from datetime import datetime

from msgspec import Struct


class Feed(Struct, frozen=True):
    """The loads of one table into one target, by which rows of ledger and fence are kept.

    store: its id. table: of the source. target: written as a TargetName.
    """

    store: str
    table: str
    target: str


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
    """What a warehouse knows of a feed.

    warehouse: its id; None before the first load. entries: files of this store's table and of no store, of all
    epochs, oldest first. fences: of every store and table that has loaded into the target. target: as it is now.
    """

    warehouse: str | None = None
    entries: tuple[LedgerEntry, ...] = ()
    fences: tuple[Fence, ...] = ()
    target: TargetState = TargetState()

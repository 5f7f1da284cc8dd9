"""What every stage of a sync works with."""

from datetime import timedelta
from zoneinfo import ZoneInfo

from msgspec import Struct

from wmtui.config import TableConfig
from wmtui.events import Emit, Message, Phase, Progress, Severity, Stop
from wmtui.files.selection import FileFilter, Loading
from wmtui.model import Clock, Strategy, TableName
from wmtui.objects import ObjectStore
from wmtui.runs.load_records import Destination
from wmtui.runs.run_document import Run
from wmtui.sources import Source
from wmtui.warehouses import Feed, Warehouse
from wmtui.watermarks.lease import Batch, Heartbeat, Lease
from wmtui.watermarks.model import Watermark
from wmtui.watermarks.store import Author, StoredWatermark, WatermarkStore


class Backend(Struct, frozen=True):
    """One profile's adapters and stores, shared by all tables of a sync. is_default: it is the default profile, whose
    load status is the watermark's own.
    """

    objects: ObjectStore
    watermarks: WatermarkStore
    files: FileFilter
    source: Source
    warehouse: Warehouse
    zone: ZoneInfo
    clock: Clock
    author: Author
    profile: str
    is_default: bool


class SyncOptions(Struct, frozen=True):
    """What a sync is to do with a table.

    limit: rows per table. workers: tables or key ranges at once. keys: only these files. keep_manual: a table whose
    watermark is manual is only loaded, as an unattended run does. wait: how long for a table that another run holds.
    batch: whose earlier try is taken over from at once. all_days: list the folders of all days, as for an operator who
    only loads.
    """

    extract: bool = True
    load: bool = True
    strategy: Strategy = Strategy.SEQUENTIAL
    workers: int = 4
    limit: int | None = None
    reprocess: bool = False
    keys: tuple[str, ...] = ()
    keep_manual: bool = False
    wait: timedelta = timedelta(0)
    batch: Batch | None = None
    all_days: bool = False


class Scope(Struct, frozen=True):
    """One table and what is to be done with it; enough to plan and to choose files, not to change anything.

    heartbeat: the lock document as it was read first.
    """

    table: TableName
    config: TableConfig
    backend: Backend
    options: SyncOptions
    heartbeat: Heartbeat
    emit: Emit

    @property
    def feed(self) -> Feed:
        """Whose rows are loaded, from where to where: what ledger rows are found by."""
        identity = self.backend.watermarks.known_identity()
        return Feed(identity.id if identity else "", str(self.table), self.config.target)

    def loading(self, warehouse: str | None) -> Loading:
        """Where and how the table is loaded. warehouse: its id, None where nothing was loaded yet."""
        config = self.config
        destination = Destination(warehouse, config.target)
        return Loading(destination, keyless=not config.primary_key, list_all_every=config.list_all_every)

    def tell(self, text: str, severity: Severity = Severity.INFO) -> None:
        """Put a line into the log."""
        self.emit(Message(str(self.table), severity, text))


def leaves_manual(scope: Scope, mark: Watermark) -> bool:
    """Whether this sync leaves the table's watermark to the operator who placed it; if so it says so."""
    if not (scope.options.keep_manual and mark.is_manual):
        return False
    does = "only loading" if scope.options.load else "nothing to do"
    scope.tell(f"its watermark is manual: {does}, it stays manual (manual_in_run: sync changes that)")
    return True


class Account(Struct):
    """What a table's sync has committed so far; counted as soon as it is durable, whatever fails after that.

    committed: the last run among it.
    """

    rows_extracted: int = 0
    rows_loaded: int = 0
    files_written: int = 0
    files_loaded: int = 0
    committed: Run | None = None

    def __str__(self) -> str:
        extracted = f"{self.rows_extracted:,} rows extracted" if self.files_written else ""
        loaded = f"{self.rows_loaded:,} rows loaded" if self.files_loaded else ""
        return " and ".join(filter(None, (extracted, loaded)))


class Job(Scope, frozen=True):
    """The sync of one table under its lease.

    asked, compared: the warehouse was to be asked for the table's loads before the lease, and it answered. found: the
    watermark as it was read before the lease, of a table that looks as its last sync left it; None: it may not be so.
    """

    lease: Lease
    stop: Stop
    account: Account
    asked: bool = True
    compared: bool = True
    found: StoredWatermark | None = None

    def progress(self, phase: Phase, rows: int = 0, parts: int = 0, files: int = 0) -> None:
        """Report how far the table has come, to this process by an event, and to other hosts by the heartbeat."""
        self.lease.set_phase(phase.value, rows)
        self.emit(Progress(str(self.table), phase, rows, parts, files))

    def check(self) -> None:
        """Raises Interrupted when asked to stop, LeaseHeld when the lease was lost."""
        self.stop.check()
        self.lease.check()

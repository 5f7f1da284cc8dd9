"""One profile, opened: its adapters, connected on first use, and what is derived from its settings."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar
from zoneinfo import ZoneInfo

from msgspec import Struct

from wmtui.config import Settings, TableConfig
from wmtui.errors import ReadOnly, UnknownName, Unreachable, UsageError, WmtuiError, as_wmtui_error
from wmtui.model import Clock, TableName, utc_now
from wmtui.objects import ObjectStore, open_store
from wmtui.objects.clock import StoreClock
from wmtui.texts import did_you_mean
from wmtui.watermarks import lease
from wmtui.watermarks.bounds import LONGEST_TEXT
from wmtui.watermarks.lease import Heartbeat
from wmtui.watermarks.model import SideStatus, Watermark
from wmtui.watermarks.store import Author, WatermarkStore

if TYPE_CHECKING:
    from wmtui.files.selection import FileFilter, Loading
    from wmtui.sources import Source
    from wmtui.warehouses import Warehouse

READERS = 32
"""Documents read at once; a GET waits far longer for the network than it computes."""

_T = TypeVar("_T")
_R = TypeVar("_R")


class LoadNote(Struct, frozen=True):
    """What is noted of the last load of a table into one profile's warehouse. rows: how many it loaded."""

    profile: str
    status: str
    rows: int


class Workspace:
    """A profile's store, source and warehouse. read_only: every change is refused. clock: what now is, aware UTC."""

    def __init__(
        self, settings: Settings, *, clock: Clock = utc_now, author: Author | None = None, read_only: bool = False
    ) -> None:
        self.settings = settings
        on_s3 = settings.store.root.startswith("s3://")
        self.clock: Clock = StoreClock() if on_s3 and clock is utc_now else clock
        self.author = author or Author.current()
        self.read_only = read_only
        self._opening = threading.RLock()

    @property
    def zone(self) -> ZoneInfo:
        """The profile's time zone."""
        return self.settings.zone

    @cached_property
    def objects(self) -> ObjectStore:
        """The object store."""
        with self._opening:
            return open_store(self.settings.store, self.clock)

    @cached_property
    def watermarks(self) -> WatermarkStore:
        """The watermark documents."""
        return WatermarkStore(self.objects, self.clock, self.author, self.zone)

    @cached_property
    def source(self) -> "Source":
        """The source database; connects on first use."""
        from wmtui.sources import open_source

        with self._opening:
            return open_source(self.settings.profile.source, self.zone, self.clock)

    @cached_property
    def warehouse(self) -> "Warehouse":
        """The warehouse; connects on first use."""
        from wmtui.warehouses import open_warehouse

        with self._opening:
            return open_warehouse(self.settings.profile.warehouse, self.clock, self.objects)

    def new_filter(self) -> "FileFilter":
        """A file filter with a listing of its own: what it has listed once it does not list again."""
        from wmtui.files.listing import Lister
        from wmtui.files.selection import FileFilter

        return FileFilter(self.objects, Lister(self.objects, self.settings.tables), self.zone)

    def loading(self, table: TableName) -> "Loading":
        """Where a table is loaded, as far as the store knows: the warehouse that this profile last loaded into."""
        from wmtui.files.selection import Loading
        from wmtui.runs.load_records import Destination

        config = self.config(table)
        return Loading(
            Destination(self.warehouse_id, config.target, self.settings.is_default),
            keyless=not config.primary_key,
            list_all_every=config.list_all_every,
        )

    @property
    def warehouse_id(self) -> str | None:
        """The id of the warehouse that this profile last loaded into; None: it never did. Raises Unreadable."""
        identity = self.watermarks.known_identity()
        return identity.warehouses.get(self.settings.profile_name) if identity else None

    def load_status(self, mark: Watermark) -> str:
        """Of loads into this profile's warehouse."""
        return self.loads(mark)[0].status

    def loads(self, mark: Watermark) -> list[LoadNote]:
        """What is noted of loads into the warehouse of this profile, then into those of others that share the store."""
        own = None if self.settings.is_default else self.warehouse_id
        noted = mark.loads_into(own)
        rows = mark.fields["redshift_rows_loaded"] if self.settings.is_default else noted.get("rows", 0)
        status = mark.load_status(own, default=self.settings.is_default)
        others = [
            LoadNote(str(found.get("profile")), str(found.get("status", SideStatus.PENDING)), int(found.get("rows", 0)))
            for found in mark.fields["warehouses"].values()
            if found.get("profile") not in (None, self.settings.profile_name)
        ]
        return [LoadNote(self.settings.profile_name, status, rows), *sorted(others, key=lambda note: note.profile)]

    def heartbeat(self, table: TableName) -> Heartbeat:
        """The lock document of a table."""
        return lease.read(self.objects, table)

    def hear_clock(self) -> None:
        """Let the store tell the time once, for what people type relative to now. It need not answer."""
        if isinstance(self.clock, StoreClock) and self.clock.off is None:
            with suppress(WmtuiError):
                self.watermarks.known_identity()

    def table(self, text: str) -> TableName:
        """The configured table of this name; raises UsageError that names the nearest."""
        known = {str(table): table for table in self.settings.tables}
        if text in known:
            return known[text]
        hint = did_you_mean(text, known, "see `wmtui watermark list` for the names", most=3, cutoff=0.4)
        raise UnknownName(f"unknown table {text!r}", f"it is not in {self.settings.path}", hint)

    def config(self, table: TableName) -> TableConfig:
        """A table's settings."""
        return self.settings.tables[table]

    @property
    def may_write(self) -> bool:
        """Changes need no further word: neither read-only nor protected."""
        return not (self.read_only or self.settings.profile.protected)

    def require_write(self, reason: str | None) -> None:
        """Raises ConfirmationNeeded when changes are refused: by --read-only, or in a protected profile; and UsageError
        for a reason that documents have no room for.
        """
        if len(reason or "") > LONGEST_TEXT:
            raise UsageError(
                "the reason is too long", f"it has {len(reason or ''):,} characters", f"say it in {LONGEST_TEXT:,}"
            )
        if self.read_only:
            raise ReadOnly("read-only", "this command changes something", "leave --read-only out")
        name = self.settings.profile_name
        if self.settings.profile.protected and not (self.settings.named and (reason or "").strip()):
            raise ReadOnly(
                f"profile {name} is protected",
                "it is changed only when named, and with a reason",
                f"add --profile {name} --reason '…'",
            )

    def each_or_error(self, work: Callable[[_T], _R], items: Iterable[_T]) -> "Sequence[_R | WmtuiError]":
        """As `each`, and where the work fails in any way its error; the others go on.

        Raises Unreachable when not a single item can be reached, without trying them all.
        """
        reached, failed = threading.Event(), deque[Unreachable]()

        def attempt(item: _T) -> _R | WmtuiError:
            if len(failed) >= READERS and not reached.is_set():
                return failed[0]
            try:
                found = work(item)
            except Unreachable as error:
                failed.append(error)
                return error
            except Exception as error:  # noqa: BLE001 - it is this item's result
                reached.set()
                return as_wmtui_error(error)
            reached.set()
            return found

        results = self.each(attempt, items)
        if failed and not reached.is_set():
            raise failed[0]
        return results

    def each(self, work: Callable[[_T], _R], items: Iterable[_T]) -> Sequence[_R]:
        """Do the same work for many items at once; results in their order."""
        items = list(items)
        if len(items) <= 1:
            return [work(item) for item in items]
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(min(READERS, len(items)), thread_name_prefix="read") as pool:
            return list(pool.map(work, items))

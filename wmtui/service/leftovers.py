"""Finding what crashed processes left, and removing exactly that."""

from collections.abc import Collection, Iterable

from msgspec import Struct

from wmtui.errors import WmtuiError, as_wmtui_error
from wmtui.files.leftovers import Leftover, forgotten_objects, leftover_parts, unfinished_writes
from wmtui.model import TableName
from wmtui.pipeline.load.ledger_findings import key_of
from wmtui.runs.load_records import LoadRecords
from wmtui.runs.run_document import new_run_id
from wmtui.service.workspace import Workspace
from wmtui.warehouses import Feed
from wmtui.watermarks import lease


class TableLeftovers(Struct, frozen=True):
    """The leftovers of one table, or why they cannot be told. table None: those of the store itself."""

    table: TableName | None
    leftovers: tuple[Leftover, ...] = ()
    error: WmtuiError | None = None


class Leftovers:
    """Parts that no load will ever take, of tables; probes and temporary files, of the store."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def find(self, tables: Iterable[TableName]) -> list[TableLeftovers]:
        """The leftovers of each table; without tables, of every one and of the store. Nothing is written."""
        asked = list(tables)
        found = [self._explained(table) for table in asked or self._workspace.settings.tables]
        return found if asked else [*found, self._explained(None)]

    def of_table(self, table: TableName) -> list[Leftover]:
        """The parts of a table that no load will ever take: neither a load record nor the warehouse's ledger has them,
        in whatever epoch. Raises Unreadable, WarehouseError, StoreError.
        """
        w = self._workspace
        mark, heartbeat = w.watermarks.read(table).watermark, w.heartbeat(table)
        identity = w.watermarks.known_identity()
        feed = Feed(identity.id if identity else "", str(table), w.config(table).target)
        loaded = {key_of(entry, table) for entry in w.warehouse.loads(feed).entries}
        loaded |= {file.key for record in LoadRecords(w.objects, table).since(None) for file in record.files}
        return leftover_parts(w.objects, mark, loaded, heartbeat.now or w.clock())

    def remove(self, found: TableLeftovers, *, reason: str | None = None) -> TableLeftovers:
        """Remove what `find` found and what is still a leftover now; returns what was removed, and what kept the rest.

        Parts go under the table's lease, after asking ledger and run documents again. Raises ConfirmationNeeded where
        changes are refused.
        """
        self._workspace.require_write(reason)
        removed: list[Leftover] = []
        try:
            if found.table is not None and found.leftovers:
                self._remove_parts(found.table, found.leftovers, removed)
            elif found.table is None:
                self._remove_of_store(found.leftovers, removed)
        except Exception as error:  # noqa: BLE001 - what was removed is told
            return TableLeftovers(found.table, tuple(removed), as_wmtui_error(error))
        return TableLeftovers(found.table, tuple(removed))

    def _explained(self, table: TableName | None) -> TableLeftovers:
        try:
            return TableLeftovers(table, tuple(self._of_store() if table is None else self.of_table(table)))
        except Exception as error:  # noqa: BLE001 - the others are looked through
            return TableLeftovers(table, error=as_wmtui_error(error))

    def _of_store(self) -> list[Leftover]:
        objects = self._workspace.objects
        return [*forgotten_objects(objects), *unfinished_writes(objects)]

    def _remove_parts(self, table: TableName, confirmed: Collection[Leftover], removed: list[Leftover]) -> None:
        w = self._workspace
        w.watermarks.require_conditions()
        fence = w.watermarks.read(table).watermark.fence
        held, _ = lease.acquire(w.objects, w.clock, w.author, table, new_run_id(w.clock()), fence=fence)
        held.set_phase("cleaning")
        try:
            for leftover in self.of_table(table):
                if leftover in confirmed:
                    held.check()
                    w.objects.delete(leftover.key)
                    removed.append(leftover)
        finally:
            held.release()

    def _remove_of_store(self, confirmed: Collection[Leftover], removed: list[Leftover]) -> None:
        objects = self._workspace.objects
        for leftovers, remove in (
            (forgotten_objects(objects), objects.delete),
            (unfinished_writes(objects), objects.discard),
        ):
            for leftover in leftovers:
                if leftover in confirmed:
                    remove(leftover.key)
                    removed.append(leftover)

"""All tables at a glance, told one by one as they are read."""

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from wmtui.errors import Unreachable, told
from wmtui.files.selection import Selection
from wmtui.model import TableName
from wmtui.service.health import Health, TableStatus
from wmtui.service.workspace import READERS, Workspace
from wmtui.watermarks.lease import Heartbeat
from wmtui.watermarks.model import Watermark


class Look(Struct, frozen=True):
    """One table as it was read. mark, heartbeat None: they cannot be read, and `status.error` says why.

    waiting: files the next load takes; None: not counted yet. held_back: files it leaves although nobody gave them up;
    None: not counted yet. listed_at: when the files of all days were last listed, aware UTC; None: not known.
    """

    status: TableStatus
    mark: Watermark | None = None
    heartbeat: Heartbeat | None = None
    waiting: int | None = None
    held_back: int | None = None
    listed_at: datetime | None = None

    @property
    def table(self) -> TableName:
        """The table."""
        return self.status.table

    @property
    def lacks_files(self) -> bool:
        """Files are held back, and nobody is at it: the watermark is automated, or nothing at all would be loaded."""
        return bool(self.held_back) and (not self.waiting or self.mark is None or not self.mark.is_manual)

    @property
    def serial(self) -> int | None:
        """The watermark's serial; None when it cannot be read."""
        return None if self.mark is None else self.mark.serial


def _counted(look: Look, selection: Selection) -> Look:
    """The same with its files."""
    waiting, held_back = selection.summary.selected, selection.held_back
    return replace(look, waiting=waiting, held_back=held_back, listed_at=selection.whole_at)


class Overview:
    """Reads many tables without waiting for the last one."""

    def __init__(self, workspace: Workspace, health: Health) -> None:
        self._workspace = workspace
        self._health = health

    def look(self, table: TableName) -> Look:
        """One table, its waiting files not counted. Raises StoreError."""
        workspace = self._workspace
        try:
            heartbeat = workspace.heartbeat(table)
            mark = workspace.watermarks.read(table).watermark
            return Look(self._health.judge(mark, heartbeat), mark, heartbeat)
        except Unreachable:
            raise
        except Exception as error:  # noqa: BLE001 - the other tables are shown
            return Look(self._health.unreadable(table, told(error)))

    def look_at(
        self, tables: Iterable[TableName], tell: Callable[[Look], None], stop: threading.Event, *, waiting: bool
    ) -> None:
        """Read tables and tell of each, in any order; then, if asked, count their waiting files and tell again.

        Ends early once `stop` is set. Raises StoreError when the store refuses or does not answer.
        """
        found: list[Look] = []

        def read(table: TableName) -> None:
            if not stop.is_set():
                found.append(self.look(table))
                tell(found[-1])

        files = self._workspace.new_filter()

        def count(look: Look) -> None:
            if look.mark is None or look.heartbeat is None or stop.is_set():
                return
            try:
                system = self._workspace.watermarks.system() if look.mark.position is None else None
                loading = self._workspace.loading(look.table)
                selection = files.select(look.mark, loading, look.heartbeat, system)
            except Unreachable:
                raise
            except Exception as error:  # noqa: BLE001 - the other tables are counted
                tell(Look(self._health.unreadable(look.table, told(error))))
            else:
                tell(_counted(look, selection))

        self._each(read, tables, stop)
        if waiting:
            self._each(count, list(found), stop)

    def _each(self, work: "Callable[..., None]", items: Iterable[object], stop: threading.Event) -> None:
        """Do it for every item at once; the first failure ends the rest."""
        with ThreadPoolExecutor(READERS, thread_name_prefix="look") as pool:
            futures = [pool.submit(work, item) for item in items]
            try:
                for future in futures:
                    future.result()
            except Unreachable:
                stop.set()
                raise

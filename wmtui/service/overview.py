"""All tables at a glance, told one by one as they are read."""

import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from wmtui.errors import StoreDenied, Unreachable, WmtuiError, as_wmtui_error
from wmtui.files.selection import FileFilter, Selection
from wmtui.model import TableName
from wmtui.service.document_versions import Versions
from wmtui.service.freshness import UNCOUNTED, FileCounts
from wmtui.service.status import Statuses, TableStatus
from wmtui.service.table_documents import TableDocuments, consequence
from wmtui.service.workspace import READERS, Workspace
from wmtui.watermarks.lease import Heartbeat
from wmtui.watermarks.model import Watermark

_AT_ONCE = 200
"""Tables told together of which nothing was read: a few milliseconds of work."""


class Look(Struct, frozen=True):
    """One table as it was read. mark, heartbeat None: they cannot be read, and `status.error` says why.

    waiting: files the next load takes; None: neither these nor those that are held back were counted yet. listed_at:
    when the files of all days were last listed, aware UTC; None: not known.
    """

    status: TableStatus
    mark: Watermark | None = None
    heartbeat: Heartbeat | None = None
    waiting: int | None = None
    listed_at: datetime | None = None

    @property
    def table(self) -> TableName:
        """The table."""
        return self.status.table

    @property
    def serial(self) -> int | None:
        """The watermark's serial; None when it cannot be read."""
        return None if self.mark is None else self.mark.serial


Tell = Callable[..., None]
"""Takes any number of looks, each as an argument; may wait, and is called by several threads."""


class Overview:
    """Reads many tables without waiting for the last one."""

    def __init__(self, workspace: Workspace, statuses: Statuses) -> None:
        self._workspace = workspace
        self._statuses = statuses

    def look(self, table: TableName) -> Look:
        """One table, its waiting files not counted. Raises StoreError."""
        workspace = self._workspace
        try:
            return self.of(TableDocuments.read(workspace, table))
        except Unreachable:
            raise
        except Exception as error:  # noqa: BLE001 - the other tables are shown
            return Look(self._statuses.unreadable(table, as_wmtui_error(error)))

    def of(self, documents: TableDocuments) -> Look:
        """A table as its documents have it, its waiting files not counted."""
        return Look(self._statuses.of(documents.mark, documents.heartbeat), documents.mark, documents.heartbeat)

    def looks(self, tables: Iterable[TableName], max_age: timedelta | None = None) -> list[Look]:
        """Tables with their files counted, in order. max_age: of their data; None: each table's own `freshness.error`.

        Raises Unreachable when not a single one can be reached.
        """
        asked, files = list(tables), self._workspace.new_filter()
        results = self._workspace.each_or_error(lambda table: self._count(self.look(table), files, max_age), asked)
        return [
            Look(self._statuses.unreadable(table, look_or_error))
            if isinstance(look_or_error, WmtuiError)
            else look_or_error
            for table, look_or_error in zip(asked, results, strict=True)
        ]

    def _count(self, look: Look, files: FileFilter, max_age: timedelta | None = None) -> Look:
        """A look with its files counted, which may be a problem of their own."""
        if look.mark is None or look.heartbeat is None:
            return look
        try:
            return self.counted(look, self._select(files, look.mark, look.heartbeat), max_age)
        except Unreachable:
            raise
        except Exception as error:  # noqa: BLE001 - the other tables are counted
            return Look(self._statuses.unreadable(look.table, as_wmtui_error(error)))

    def _select(self, files: FileFilter, mark: Watermark, heartbeat: Heartbeat) -> Selection:
        return consequence(self._workspace, TableDocuments(mark, heartbeat), files, all_days=False).selection

    def counted(self, look: Look, selection: Selection, max_age: timedelta | None = None) -> Look:
        """A look that counts these files, which are its table's."""
        if look.mark is None or look.heartbeat is None:
            return look
        files = FileCounts(selection.summary.selected, selection.held_back)
        status = self._statuses.complete(
            look.mark, self._statuses.of(look.mark, look.heartbeat, files=files, max_age=max_age)
        )
        return replace(look, status=status, waiting=files.waiting, listed_at=selection.whole_at)

    def versions(self) -> Versions | None:
        """Of all documents, for `look_again`; None where they may not be listed. Raises StoreError."""
        try:
            return Versions.read(self._workspace.objects)
        except StoreDenied:  # Where nothing may be read, reading says so.
            return None

    def look_again(
        self,
        looks: Mapping[TableName, Look],
        before: Versions | None,
        tell: Tell,
        stop: threading.Event,
        *,
        most_counted: int,
    ) -> Versions | None:
        """Tell of tables that were looked at, reading only those that failed or whose documents changed; the others by
        what is known and the time that has passed since. Files that no run of wmtui wrote show once a document changes.

        before: of the documents that `looks` show. most_counted: when more tables changed, their files are not counted.
        Returns the versions of the documents that it told of; None as `versions`. Raises StoreError when the store does
        not answer.
        """
        now = self.versions()
        changed = list(looks) if now is None or before is None else _changed(looks, before, now)
        same = list(looks.keys() - set(changed))
        for start in range(0, len(same), _AT_ONCE):
            if stop.is_set():
                return before
            tell(*(self._older(looks[table]) for table in same[start : start + _AT_ONCE]))
        self.look_at(changed, tell, stop, waiting=len(changed) <= most_counted)
        return now

    def _older(self, look: Look) -> Look:
        """A table whose documents are those that were read, as time has passed since."""
        mark, heartbeat = look.mark, look.heartbeat
        if mark is None or heartbeat is None:
            return look
        if heartbeat.now is not None:
            now = max(self._workspace.clock(), heartbeat.now)
            heartbeat = replace(heartbeat, now=now, age=heartbeat.age + (now - heartbeat.now))
        files = UNCOUNTED if look.waiting is None else FileCounts(look.waiting, look.status.held_back)
        return replace(look, status=self._statuses.of(mark, heartbeat, files=files), heartbeat=heartbeat)

    def look_at(self, tables: Iterable[TableName], tell: Tell, stop: threading.Event, *, waiting: bool) -> None:
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
            if not stop.is_set():
                tell(self._count(look, files))

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


def _changed(looks: Mapping[TableName, Look], before: Versions, now: Versions) -> list[TableName]:
    """The tables to read again. One that could not be read may be readable now, with all its documents the same."""
    by_documents, is_same_system = set(now.changed_since(before, looks)), now.is_same_system_watermark(before)

    def is_due(look: Look) -> bool:
        if look.table in by_documents or look.mark is None or look.status.failure is not None:
            return True
        return look.mark.position is None and not is_same_system

    return [table for table, look in looks.items() if is_due(look)]

"""What the store has of one table, read once, and what the next sync does because of it."""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from wmtui.files.selection import Choice, FileFilter, Selection
from wmtui.model import TableName
from wmtui.service.workspace import Workspace
from wmtui.watermarks.lease import Heartbeat
from wmtui.watermarks.model import Watermark
from wmtui.watermarks.zones import is_foreign


class TableDocuments(Struct, frozen=True):
    """A table's watermark and lock document, of one moment."""

    mark: Watermark
    heartbeat: Heartbeat

    @classmethod
    def read(cls, workspace: Workspace, table: TableName) -> "TableDocuments":
        """What the store has now. Raises Unreadable and StoreError."""
        heartbeat = workspace.heartbeat(table)
        return cls(workspace.watermarks.read(table).watermark, heartbeat)


class StartKind(StrEnum):
    """What decides where the next extraction begins; FOREIGN_ZONE: nothing is extracted."""

    POSITION = "position"
    SYSTEM = "system"
    BEGINNING = "beginning"
    FOREIGN_ZONE = "foreign_zone"


class Start(Struct, frozen=True):
    """Where the next extraction begins. at: wall clock in the profile's zone; None: there is no such point.

    cursor: the column that is compared with it. inclusive: rows of that very point are read too.
    """

    kind: StartKind
    cursor: str
    at: datetime | None = None
    inclusive: bool = False


class Consequence(Struct, frozen=True):
    """A watermark, and what the next sync does because of it: which files it loads, and where it begins to extract."""

    mark: Watermark
    selection: Selection
    start: Start


def consequence(
    workspace: Workspace, documents: TableDocuments, files: FileFilter, *, all_days: bool = True
) -> Consequence:
    """What follows from a table's documents. all_days: list the folders of all days. Raises StoreError, Unreadable."""
    mark = documents.mark
    system = workspace.watermarks.system_for(mark)
    loading = workspace.loading(mark.table)
    selection = files.select(mark, loading, documents.heartbeat, system, choice=Choice(all_days=all_days))
    return Consequence(mark, selection, _start(workspace, mark, system))


def _start(workspace: Workspace, mark: Watermark, system: datetime | None) -> Start:
    config = workspace.config(mark.table)
    if is_foreign(mark, workspace.zone):
        return Start(StartKind.FOREIGN_ZONE, config.cursor)
    if mark.data_timestamp is not None:
        inclusive = mark.key is None and bool(config.primary_key)
        return Start(StartKind.POSITION, config.cursor, mark.data_timestamp, inclusive)
    if system is not None:
        return Start(StartKind.SYSTEM, config.cursor, system)
    return Start(StartKind.BEGINNING, config.cursor)

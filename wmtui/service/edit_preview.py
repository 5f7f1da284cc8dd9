"""What moving a watermark by hand would bring, before it is done."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from wmtui.model import TableName
from wmtui.service.effects import Effect, effect
from wmtui.service.history import Entry, entry_of
from wmtui.service.table_documents import Consequence, TableDocuments, consequence
from wmtui.service.watermarks import Watermarks
from wmtui.service.workspace import Workspace
from wmtui.watermarks import changes
from wmtui.watermarks.journal_entries import difference
from wmtui.watermarks.model import Watermark
from wmtui.watermarks.timestamps import to_instant
from wmtui.watermarks.zones import wall_of


class OtherEdit(Struct, frozen=True):
    """How a watermark was changed by another since a preview of it began.

    change: its last change; None: none was noted. diff: every field that is another one, each from → to.
    """

    change: Entry | None
    diff: Mapping[str, tuple[Any, Any]]


class EditPreview:
    """A table's documents as they were read, and what other points would bring.

    Files are listed once, so that trying many points asks the store once. Nothing is written.
    """

    def __init__(self, workspace: Workspace, watermarks: Watermarks, documents: TableDocuments) -> None:
        self._workspace = workspace
        self._watermarks = watermarks
        self._files = workspace.new_filter()
        self._documents = documents

    @property
    def table(self) -> TableName:
        """The table."""
        return self._documents.mark.table

    @property
    def mark(self) -> Watermark:
        """The watermark that the edit is based on."""
        return self._documents.mark

    @property
    def point(self) -> datetime | None:
        """Its data timestamp, wall clock in the profile's zone; None: there is none."""
        return wall_of(self.mark, self._workspace.zone)

    def current(self) -> Consequence:
        """The watermark as it is, and what the next sync does."""
        return self._with(self.mark)

    def placed_at(self, text: str, *, force: bool = False) -> Consequence:
        """What `set` would leave, and what the next sync would do then. Raises UsageError for a bad point."""
        wall = self._watermarks.point(text, force=force)
        instant = to_instant(wall, self._workspace.zone)
        return self._with(self.mark.patched(changes.set_point(self.mark, wall, instant, self._workspace.clock())))

    def effect(self, after: Consequence) -> Effect:
        """What that changes for the next sync."""
        return effect(self.current(), after, self._workspace.zone)

    def other_edit(self) -> OtherEdit:
        """What another made of the watermark meanwhile. Raises Unreadable."""
        now = self._watermarks.get(self.table)
        change = None if now.change is None else entry_of(now.change)
        return OtherEdit(change, difference(self.mark.content, now.content))

    def _with(self, mark: Watermark) -> Consequence:
        return consequence(self._workspace, TableDocuments(mark, self._documents.heartbeat), self._files)

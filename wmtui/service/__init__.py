"""The only way from command line and screen to the backend: operations on one profile, and the data they return.

Both import from here alone what is below; a contract holds that. What the data say in words is in `wmtui.words`.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from wmtui.config import Settings
from wmtui.errors import WmtuiError
from wmtui.files.selection import Selection
from wmtui.files.verdicts import Basis, Verdict, VerdictReason, Will
from wmtui.model import Clock, TableName, utc_now
from wmtui.service.edit_preview import EditPreview, OtherEdit
from wmtui.service.effects import Effect
from wmtui.service.files import FileDecision, Files
from wmtui.service.freshness import State, TableSeverity
from wmtui.service.health import Health
from wmtui.service.history import Entry, History, WayBack
from wmtui.service.leftovers import Leftovers, TableLeftovers
from wmtui.service.locks import Locks
from wmtui.service.overview import Look, Overview
from wmtui.service.ownership import Ownership, StoreInfo
from wmtui.service.pins import Pins
from wmtui.service.progress import TableProgress
from wmtui.service.status import Statuses, TableStatus
from wmtui.service.syncs import Preview, Request, Syncs
from wmtui.service.table_documents import Consequence, Start, StartKind, TableDocuments
from wmtui.service.verification import verify
from wmtui.service.watermarks import Watermarks
from wmtui.service.workspace import LoadNote, Workspace
from wmtui.verify import DIFFERENCES, Example, LeftOut, Problem, Result, Verification
from wmtui.watermarks.documents import text_of
from wmtui.watermarks.lease import Heartbeat
from wmtui.watermarks.model import Watermark
from wmtui.watermarks.store import Author

if TYPE_CHECKING:
    from wmtui.events import Emit, Stop


class Service:
    """One profile and everything that can be done with it.

    clock: what now is, aware UTC. author: who changes things, for the journal; None: this process's user and host.
    read_only: every change raises ConfirmationNeeded. Connects on first use; safe to share between threads.
    """

    def __init__(
        self, settings: Settings, *, clock: Clock = utc_now, author: Author | None = None, read_only: bool = False
    ) -> None:
        self.workspace = Workspace(settings, clock=clock, author=author, read_only=read_only)
        self.watermarks = Watermarks(self.workspace)
        self.history = History(self.workspace, self.watermarks)
        self.pins = Pins(self.workspace, self.watermarks)
        self.locks = Locks(self.workspace)
        self.files = Files(self.workspace)
        self.ownership = Ownership(self.workspace)
        self.syncs = Syncs(self.workspace)
        self.leftovers = Leftovers(self.workspace)
        self.overview = Overview(self.workspace, Statuses(self.workspace, self.watermarks))
        self.health = Health(self.workspace, self.watermarks, self.leftovers, self.overview)

    def table(self, text: str) -> TableName:
        """The configured table of this name; raises UsageError that names the nearest."""
        return self.workspace.table(text)

    def verify(
        self,
        tables: Iterable[TableName],
        *,
        since: str | None,
        examples: int,
        reason: str | None = None,
        emit: "Emit",
        stop: "Stop",
    ) -> "list[tuple[TableName, Verification | WmtuiError]]":
        """Compare warehouse and source; see `verification.verify`. since: a point as people type it."""
        low = None if since is None else self.watermarks.point(since)
        return verify(self.workspace, tables, since=low, examples=examples, reason=reason, emit=emit, stop=stop)

    def documents(self, table: TableName) -> TableDocuments:
        """A table's watermark and lock document, read once. Raises Unreadable, StoreError."""
        return TableDocuments.read(self.workspace, table)

    def preview_edit(self, documents: TableDocuments) -> EditPreview:
        """What other points than a table's present one would bring."""
        return EditPreview(self.workspace, self.watermarks, documents)


__all__ = [
    "DIFFERENCES",
    "Author",
    "Basis",
    "Consequence",
    "EditPreview",
    "Effect",
    "Entry",
    "Example",
    "FileDecision",
    "Heartbeat",
    "LeftOut",
    "LoadNote",
    "Look",
    "OtherEdit",
    "Preview",
    "Problem",
    "Request",
    "Result",
    "Selection",
    "Service",
    "Start",
    "StartKind",
    "State",
    "StoreInfo",
    "TableDocuments",
    "TableLeftovers",
    "TableProgress",
    "TableSeverity",
    "TableStatus",
    "Verdict",
    "VerdictReason",
    "Verification",
    "Watermark",
    "WayBack",
    "Will",
    "Workspace",
    "text_of",
]

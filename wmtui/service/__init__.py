"""The only way from command line and screen to the backend: operations on one profile, and the data they return.

Both import from here alone what is below; a contract holds that. What the data say in words is in `wmtui.words`.
Modules are imported on first use: a command that shows one document should not wait for the others.
"""

from collections.abc import Iterable
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING

from wmtui.config import Settings
from wmtui.model import Clock, TableName, utc_now

if TYPE_CHECKING:
    from wmtui.errors import WmtuiError
    from wmtui.events import Emit, Stop
    from wmtui.files.selection import Selection
    from wmtui.files.verdicts import Basis, Verdict, VerdictReason, Will
    from wmtui.service.document_versions import Versions
    from wmtui.service.edit_preview import EditPreview, OtherEdit
    from wmtui.service.effects import Effect
    from wmtui.service.files import FileDecision, Files
    from wmtui.service.freshness import State, TableSeverity
    from wmtui.service.health import Health
    from wmtui.service.history import Entry, History, WayBack
    from wmtui.service.leftovers import Leftovers, TableLeftovers
    from wmtui.service.locks import Locks
    from wmtui.service.overview import Look, Overview, Tell
    from wmtui.service.ownership import Ownership, StoreInfo
    from wmtui.service.pins import Pins
    from wmtui.service.progress import TableProgress
    from wmtui.service.status import TableStatus
    from wmtui.service.syncs import Preview, Request, Syncs
    from wmtui.service.table_documents import Consequence, Start, StartKind, TableDocuments
    from wmtui.service.watermarks import Watermarks
    from wmtui.service.workspace import LoadNote, Workspace
    from wmtui.verify import DIFFERENCES, Example, LeftOut, Problem, Result, Verification
    from wmtui.watermarks.documents import text_of
    from wmtui.watermarks.lease import Heartbeat
    from wmtui.watermarks.model import Watermark
    from wmtui.watermarks.store import Author

_PLACES = {
    "wmtui.files.selection": ("Selection",),
    "wmtui.files.verdicts": ("Basis", "Verdict", "VerdictReason", "Will"),
    "wmtui.service.document_versions": ("Versions",),
    "wmtui.service.edit_preview": ("EditPreview", "OtherEdit"),
    "wmtui.service.effects": ("Effect",),
    "wmtui.service.files": ("FileDecision",),
    "wmtui.service.freshness": ("State", "TableSeverity"),
    "wmtui.service.history": ("Entry", "WayBack"),
    "wmtui.service.leftovers": ("TableLeftovers",),
    "wmtui.service.overview": ("Look", "Tell"),
    "wmtui.service.ownership": ("StoreInfo",),
    "wmtui.service.progress": ("TableProgress",),
    "wmtui.service.status": ("TableStatus",),
    "wmtui.service.syncs": ("Preview", "Request"),
    "wmtui.service.table_documents": ("Consequence", "Start", "StartKind", "TableDocuments"),
    "wmtui.service.workspace": ("LoadNote", "Workspace"),
    "wmtui.verify": ("DIFFERENCES", "Example", "LeftOut", "Problem", "Result", "Verification"),
    "wmtui.watermarks.documents": ("text_of",),
    "wmtui.watermarks.lease": ("Heartbeat",),
    "wmtui.watermarks.model": ("Watermark",),
    "wmtui.watermarks.store": ("Author",),
}
"""Where the names are that are imported on first use."""


class Service:
    """One profile and everything that can be done with it.

    clock: what now is, aware UTC. author: who changes things, for the journal; None: this process's user and host.
    read_only: every change raises ConfirmationNeeded. Connects on first use; safe to share between threads.
    """

    def __init__(
        self, settings: Settings, *, clock: Clock = utc_now, author: "Author | None" = None, read_only: bool = False
    ) -> None:
        from wmtui.service.workspace import Workspace

        self.workspace = Workspace(settings, clock=clock, author=author, read_only=read_only)

    @cached_property
    def watermarks(self) -> "Watermarks":
        """Looking at watermarks and moving them."""
        from wmtui.service.watermarks import Watermarks

        return Watermarks(self.workspace)

    @cached_property
    def history(self) -> "History":
        """Who changed a watermark, and the way back."""
        from wmtui.service.history import History

        return History(self.workspace, self.watermarks)

    @cached_property
    def pins(self) -> "Pins":
        """Holding tables."""
        from wmtui.service.pins import Pins

        return Pins(self.workspace, self.watermarks)

    @cached_property
    def locks(self) -> "Locks":
        """Leases, and breaking one."""
        from wmtui.service.locks import Locks

        return Locks(self.workspace)

    @cached_property
    def files(self) -> "Files":
        """Verdicts and decisions."""
        from wmtui.service.files import Files

        return Files(self.workspace)

    @cached_property
    def ownership(self) -> "Ownership":
        """Whose store and target these are."""
        from wmtui.service.ownership import Ownership

        return Ownership(self.workspace)

    @cached_property
    def syncs(self) -> "Syncs":
        """Running syncs, and previews of them."""
        from wmtui.service.syncs import Syncs

        return Syncs(self.workspace)

    @cached_property
    def leftovers(self) -> "Leftovers":
        """What crashed processes left."""
        from wmtui.service.leftovers import Leftovers

        return Leftovers(self.workspace)

    @cached_property
    def overview(self) -> "Overview":
        """All tables at a glance."""
        from wmtui.service.overview import Overview
        from wmtui.service.status import Statuses

        return Overview(self.workspace, Statuses(self.workspace, self.watermarks))

    @cached_property
    def health(self) -> "Health":
        """Findings about tables and installation."""
        from wmtui.service.health import Health

        return Health(self.workspace, self.watermarks, self.leftovers, self.overview)

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
        from wmtui.service.verification import verify

        low = None if since is None else self.watermarks.point(since)
        return verify(self.workspace, tables, since=low, examples=examples, reason=reason, emit=emit, stop=stop)

    def documents(self, table: TableName) -> "TableDocuments":
        """A table's watermark and lock document, read once. Raises Unreadable, StoreError."""
        from wmtui.service.table_documents import TableDocuments

        return TableDocuments.read(self.workspace, table)

    def preview_edit(self, documents: "TableDocuments") -> "EditPreview":
        """What other points than a table's present one would bring."""
        from wmtui.service.edit_preview import EditPreview

        return EditPreview(self.workspace, self.watermarks, documents)


if not TYPE_CHECKING:
    _PLACE_OF = {name: module for module, names in _PLACES.items() for name in names}

    def __getattr__(name: str) -> object:
        """A name of `__all__`, from its module."""
        if name not in _PLACE_OF:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = globals()[name] = getattr(import_module(_PLACE_OF[name]), name)
        return found


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
    "Tell",
    "Verdict",
    "VerdictReason",
    "Verification",
    "Versions",
    "Watermark",
    "WayBack",
    "Will",
    "Workspace",
    "text_of",
]

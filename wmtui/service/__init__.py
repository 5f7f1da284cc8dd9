"""The only door to the backend for the command line and the screen."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from wmtui.config import Settings
from wmtui.errors import WmtuiError
from wmtui.files.selection import Selection
from wmtui.model import Clock, TableName, utc_now
from wmtui.service.drafts import Draft
from wmtui.service.files import Files
from wmtui.service.freshness import State, TableSeverity
from wmtui.service.health import Health
from wmtui.service.history import Entry, History, WayBack
from wmtui.service.leftovers import Found, Leftovers
from wmtui.service.locks import Locks
from wmtui.service.overview import Look, Overview
from wmtui.service.ownership import Ownership
from wmtui.service.pins import Pins
from wmtui.service.status import Statuses, TableStatus
from wmtui.service.syncs import Preview, Request, Syncs
from wmtui.service.verifications import verify
from wmtui.service.watermarks import Changed, Watermarks
from wmtui.service.workspace import Workspace
from wmtui.watermarks.store import Author

if TYPE_CHECKING:
    from wmtui.events import Emit, Stop
    from wmtui.verify import Verification


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
        self.overview = Overview(self.workspace, self.watermarks, Statuses(self.workspace, self.watermarks))
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
        """Compare warehouse and source; see `verifications.verify`. since: a point as people type it."""
        low = None if since is None else self.watermarks.point(since)
        return verify(self.workspace, tables, since=low, examples=examples, reason=reason, emit=emit, stop=stop)

    def draft(self, table: TableName) -> Draft:
        """A change of a table's watermark that somebody is still thinking about. Raises Unreadable."""
        return Draft(self.workspace, self.watermarks, table)


__all__ = [
    "Author",
    "Changed",
    "Draft",
    "Entry",
    "Found",
    "Look",
    "Preview",
    "Request",
    "Selection",
    "Service",
    "State",
    "TableSeverity",
    "TableStatus",
    "WayBack",
]

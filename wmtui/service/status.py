"""How every table is, from what the store has of it."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from wmtui.errors import Failure, StoreIncomplete, Unreadable, WatermarkGone, WmtuiError
from wmtui.model import TableName
from wmtui.runs.run_document import refuse_incomplete_copy
from wmtui.service.freshness import UNCOUNTED, Facts, FileCounts, Judgement, LoadState, State, TableSeverity, judge
from wmtui.service.watermarks import Watermarks
from wmtui.service.workspace import Workspace
from wmtui.watermarks.last_verification import LastVerified, last_verified
from wmtui.watermarks.lease import Heartbeat
from wmtui.watermarks.lock_document import LockDocument
from wmtui.watermarks.model import Watermark
from wmtui.watermarks.timestamps import parse_instant


class TableStatus(Struct, frozen=True):
    """How one table is. phase, rows, owner: of a live run, else None.

    held_by: whose open transaction held reading back at the last run, in words. held_back: files held back
    (docs/glossary.md). last_run: as the lock document has it. verified: None: never. unreadable: why the
    table cannot be told. failure: the same, or why the store is incomplete, as data.
    """

    table: TableName
    judgement: Judgement
    mysql_status: str = "unknown"
    redshift_status: str = "unknown"
    lag: timedelta | None = None
    last_success: datetime | None = None
    last_run: Mapping[str, Any] | None = None
    phase: str | None = None
    rows: int = 0
    owner: str | None = None
    error: str | None = None
    held_by: str | None = None
    held_back: int = 0
    verified: LastVerified | None = None
    unreadable: WmtuiError | None = None
    failure: Failure | None = None

    @property
    def state(self) -> State:
        """How the table is."""
        return self.judgement.state

    @property
    def severity(self) -> TableSeverity:
        """How bad that is."""
        return self.judgement.severity

    @property
    def problem(self) -> State | None:
        """The state of a table that an operator should look at; None: nothing is to be done."""
        return None if self.severity is TableSeverity.OK else self.state

    @property
    def rank(self) -> int:
        """The table's place among all by what needs an operator first: errors by their state, then warnings."""
        if self.severity is TableSeverity.ERROR:
            return self.state.rank
        return len(State) + (self.severity is TableSeverity.OK)

    @property
    def healthy(self) -> bool:
        """It neither failed nor is older than asked for; a warning may be due."""
        return self.severity is not TableSeverity.ERROR


class Statuses:
    """Judges tables."""

    def __init__(self, workspace: Workspace, watermarks: Watermarks) -> None:
        self._workspace = workspace
        self._watermarks = watermarks

    def complete(self, mark: Watermark, status: TableStatus) -> TableStatus:
        """A status, made that of an incomplete copy where the run that the watermark stands on is not in the store."""
        try:
            refuse_incomplete_copy(self._workspace.objects, mark)
        except StoreIncomplete as error:
            state, text = State.INCOMPLETE_COPY, error.in_one_line
            judgement = replace(status.judgement, state=state, severity=state.severity, error=text)
            return replace(status, judgement=judgement, error=text, failure=error.failure)
        return status

    def unreadable(self, table: TableName, error: WmtuiError) -> TableStatus:
        """The status of a table that cannot be told."""
        state = State.UNREADABLE if isinstance(error, Unreadable) else State.UNKNOWN
        if isinstance(error, WatermarkGone):
            state = State.GONE
        text = error.in_one_line
        return TableStatus(table, Judgement.of_error(state, text), error=text, unreadable=error, failure=error.failure)

    def of(
        self, mark: Watermark, heartbeat: Heartbeat, *, files: FileCounts = UNCOUNTED, max_age: timedelta | None = None
    ) -> TableStatus:
        """The status that watermark and lock document give a table.

        max_age: of its data; None: the table's own `freshness.error`.
        """
        table, loads = mark.table, self._loads(mark)
        now = heartbeat.now or self._workspace.clock()
        facts = Facts(mark, heartbeat, loads, self._workspace.zone, now, files)
        last_run = heartbeat.document.last_run
        live = heartbeat.document if heartbeat.held else LockDocument()
        return TableStatus(
            table=table,
            judgement=judge(facts, self._workspace.config(table).freshness, max_age),
            mysql_status=mark.fields["mysql_status"],
            redshift_status=loads.status,
            lag=self._watermarks.lag(mark, heartbeat),
            last_success=heartbeat.last_success,
            last_run=None if last_run is None else last_run.as_json(),
            phase=live.phase,
            rows=live.rows,
            owner=f"{live.owner}@{live.host}" if heartbeat.held else None,
            error=mark.fields["last_error"],
            held_by=heartbeat.held_by,
            held_back=files.held_back,
            verified=last_verified(heartbeat, self._workspace.warehouse_id),
        )

    def _loads(self, mark: Watermark) -> LoadState:
        """What is noted of loads into this profile's warehouse."""
        workspace = self._workspace
        noted = mark.loads_into(workspace.warehouse_id)
        at = noted.get("loaded_at")
        if at is None and workspace.settings.is_default:
            at = mark.fields["last_redshift_load_time"]
        to = noted.get("loaded_to")
        return LoadState(workspace.load_status(mark), to and parse_instant(to), at and parse_instant(at))

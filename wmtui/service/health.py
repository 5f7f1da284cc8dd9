"""Is every table as fresh as it should be, and is everything in place for the next run?"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from wmtui.errors import ConditionsIgnored, Failure, Unreachable, Unreadable, WatermarkGone, WmtuiError
from wmtui.files.runs import RunState, RunStore, incomplete_copy
from wmtui.model import Check, Level, TableName
from wmtui.service.leftovers import Leftovers
from wmtui.service.targets import check_target
from wmtui.service.watermarks import Watermarks
from wmtui.service.workspace import Workspace
from wmtui.watermarks.lease import Heartbeat
from wmtui.watermarks.model import Watermark
from wmtui.watermarks.zones import is_foreign


class TableStatus(Struct, frozen=True):
    """How one table is. problem: "" for a healthy one. phase, rows, owner: of a live run, else None. error: what the
    last run ended with; failure: why the table cannot be told.

    held_by: whose open transaction held reading back at the last run, in words.
    """

    table: TableName
    problem: str
    mysql_status: str = "unknown"
    redshift_status: str = "unknown"
    lag: timedelta | None = None
    last_success: datetime | None = None
    age: timedelta | None = None
    phase: str | None = None
    rows: int = 0
    owner: str | None = None
    error: str | None = None
    failure: Failure | None = None
    held_by: str | None = None

    @property
    def healthy(self) -> bool:
        """It neither failed nor is older than asked for."""
        return not self.problem


class Health:
    """Status of tables and findings about the installation."""

    def __init__(self, workspace: Workspace, watermarks: Watermarks, leftovers: Leftovers) -> None:
        self._workspace = workspace
        self._leftovers = leftovers
        self._watermarks = watermarks

    def status(self, tables: Iterable[TableName], max_age: timedelta | None) -> list[TableStatus]:
        """Every table's status. max_age: of the last success; None: each table's own `freshness.error`."""
        asked = list(tables)
        found = zip(
            asked, self._workspace.each_or_error(lambda table: self._status(table, max_age), asked), strict=True
        )
        return [self.unreadable(table, got) if isinstance(got, WmtuiError) else got for table, got in found]

    def doctor(self, tables: Iterable[TableName], *, probe: bool = True) -> list[Check]:
        """Findings about store, source, warehouse and the tables named.

        probe: prove conditional writes by writing a small object and removing it; never where changes are refused.
        """
        w = self._workspace
        findings = [*w.objects.check()]
        if probe and w.may_write and all(f.level is not Level.ERROR for f in findings):
            findings.append(self._conditions())
        findings += [*w.source.check(), *w.warehouse.check()]
        for table in tables:
            config = w.config(table)
            unreadable = self._document(table)
            findings += unreadable
            try:
                findings += w.source.check_table(table, config)
            except WmtuiError as error:
                findings.append(Check(str(table), Level.ERROR, str(error), error.next_step))
            findings += [] if unreadable else [*check_target(w, table), *self._left_behind(table)]
        return findings

    def _left_behind(self, table: TableName) -> list[Check]:
        """What crashed runs left. A store or warehouse that does not answer is a finding of its own."""
        (found,) = self._leftovers.find([table])
        subject = f"{table}: leftovers"
        if isinstance(found.error, Unreachable):
            return []
        if found.error is not None:
            return [Check(subject, Level.ERROR, str(found.error), found.error.next_step)]
        if not found.leftovers:
            return [Check(subject, Level.OK, "no run left any behind")]
        size = sum(leftover.size for leftover in found.leftovers)
        finding = f"{len(found.leftovers)} parts that no load will ever take, {size:,} bytes"
        return [Check(subject, Level.WARNING, finding, f"remove them with `wmtui clean -t {table}`")]

    def _conditions(self) -> Check:
        subject = "conditional writes"
        try:
            self._workspace.watermarks.require_conditions()
        except (ConditionsIgnored, Unreachable) as error:
            return Check(subject, Level.ERROR, str(error), error.next_step)
        return Check(subject, Level.OK, "If-None-Match and If-Match are honoured")

    def _document(self, table: TableName) -> list[Check]:
        try:
            self._watermarks.get(table)
            self._workspace.heartbeat(table)
        except WmtuiError as error:
            return [Check(str(table), Level.ERROR, str(error), error.next_step)]
        return []

    def _status(self, table: TableName, max_age: timedelta | None) -> TableStatus:
        heartbeat = self._workspace.heartbeat(table)
        mark = self._watermarks.get(table)
        return self._complete(mark, self.judge(mark, heartbeat, max_age))

    def _complete(self, mark: Watermark, status: TableStatus) -> TableStatus:
        """The same, unless the run that the watermark stands on is not in the store."""
        if mark.extracted_run is None:
            return status
        found = RunStore(self._workspace.objects, mark.table).read(mark.extracted_run)
        if found is not None and found[0].state is RunState.COMMITTED:
            return status
        error = incomplete_copy(mark.table, mark.extracted_run)
        return replace(status, problem="incomplete copy", error=error.in_one_line, failure=error.failure)

    def unreadable(self, table: TableName, error: WmtuiError) -> TableStatus:
        """The status of a table that cannot be told."""
        problem = "unreadable" if isinstance(error, Unreadable) else error.code.replace("-", " ")
        if isinstance(error, WatermarkGone):
            problem = "gone"
        return TableStatus(table, problem=problem, error=error.in_one_line, failure=error.failure)

    def judge(self, mark: Watermark, heartbeat: Heartbeat, max_age: timedelta | None = None) -> TableStatus:
        """The status that watermark and lock document give a table. max_age: as for `status`."""
        table = mark.table
        now, last_success = self._workspace.clock(), heartbeat.last_success
        limit = max_age if max_age is not None else self._workspace.config(table).freshness.error
        live = heartbeat.fields if heartbeat.held else {}
        return TableStatus(
            table=table,
            problem=self._problem(mark, heartbeat, now - limit),
            mysql_status=mark.fields["mysql_status"],
            redshift_status=self._workspace.load_status(mark),
            lag=self._watermarks.lag(mark, heartbeat),
            last_success=last_success,
            age=now - last_success if last_success else None,
            phase=live.get("phase"),
            rows=live.get("rows", 0),
            owner=f"{live['owner']}@{live['host']}" if live else None,
            error=mark.fields["last_error"],
            held_by=heartbeat.held_by,
        )

    def _problem(self, mark: Watermark, heartbeat: Heartbeat, oldest: datetime) -> str:
        """What is wrong with a table, "" for nothing. oldest: when its last success may have been at the earliest."""
        zone = self._workspace.zone
        statuses = (mark.fields["mysql_status"], self._workspace.load_status(mark))
        if "failed" in statuses:
            return "failed"
        if is_foreign(mark, zone):
            return "other time zone"
        if "in_progress" in statuses and not heartbeat.held:
            return "interrupted"
        if heartbeat.last_success is None:
            return "never synced"
        return "stale" if heartbeat.last_success < oldest else ""

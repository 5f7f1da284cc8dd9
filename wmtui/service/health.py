"""Is every table as fresh as it should be, and is everything in place for the next run?"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from wmtui.errors import ConditionsIgnored, Unreachable, Unreadable, WmtuiError
from wmtui.model import Check, Level, TableName
from wmtui.service.watermarks import Watermarks
from wmtui.service.workspace import Workspace
from wmtui.watermarks.model import Watermark


@dataclass(frozen=True)
class TableStatus:
    """How one table is. healthy: it neither failed nor is older than asked for. phase: of a live run, else None."""

    table: TableName
    healthy: bool
    problem: str
    mysql_status: str
    redshift_status: str
    lag: timedelta | None
    last_success: datetime | None
    age: timedelta | None
    phase: str | None
    rows: int
    owner: str | None
    error: str | None


class Health:
    """Status of tables and findings about the installation."""

    def __init__(self, workspace: Workspace, watermarks: Watermarks) -> None:
        self._workspace = workspace
        self._watermarks = watermarks

    def status(self, tables: Iterable[TableName], max_age: timedelta | None) -> list[TableStatus]:
        """Every table's status. max_age: of the last success; None: each table's own `freshness.error`."""
        return list(self._workspace.each(lambda table: self._status(table, max_age), tables))

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
            findings += self._document(table)
            try:
                findings += w.source.check_table(table, config.cursor, config.primary_key)
            except WmtuiError as error:
                findings.append(Check(str(table), Level.ERROR, str(error), error.next_step))
        return findings

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
        mark, error = Watermark.new(table), None
        try:
            heartbeat = self._workspace.heartbeat(table)
            mark = self._watermarks.get(table)
        except Unreadable as unreadable:
            why = unreadable.in_one_line
            return TableStatus(table, False, "unreadable", "unknown", "unknown", None, None, None, None, 0, None, why)
        last_success = heartbeat.last_success
        age = self._workspace.clock() - last_success if last_success else None
        failed = "failed" in (mark.fields["mysql_status"], mark.fields["redshift_status"])
        limit = max_age if max_age is not None else self._workspace.config(table).freshness.error
        stale = age is None or age > limit
        error = mark.fields["last_error"]
        return TableStatus(
            table=table,
            healthy=not failed and not stale,
            problem="failed" if failed else "never synced" if age is None else "stale" if stale else "",
            mysql_status=mark.fields["mysql_status"],
            redshift_status=mark.fields["redshift_status"],
            lag=self._watermarks.lag(mark, heartbeat),
            last_success=last_success,
            age=age,
            phase=heartbeat.fields["phase"] if heartbeat.held else None,
            rows=heartbeat.fields["rows"] if heartbeat.held else 0,
            owner=f"{heartbeat.fields['owner']}@{heartbeat.fields['host']}" if heartbeat.held else None,
            error=error,
        )

"""Is every table as fresh as it should be, and is everything in place for the next run?"""

from collections.abc import Iterable
from datetime import timedelta

from wmtui.errors import ConditionsIgnored, Unreachable, WmtuiError
from wmtui.model import Check, Level, TableName
from wmtui.service.leftovers import Leftovers
from wmtui.service.overview import Overview
from wmtui.service.status import TableStatus
from wmtui.service.targets import check_target
from wmtui.service.watermarks import Watermarks
from wmtui.service.workspace import Workspace


class Health:
    """Status of tables and findings about the installation."""

    def __init__(self, workspace: Workspace, watermarks: Watermarks, leftovers: Leftovers, overview: Overview) -> None:
        self._workspace = workspace
        self._leftovers = leftovers
        self._watermarks = watermarks
        self._overview = overview

    def status(self, tables: Iterable[TableName], max_age: timedelta | None) -> list[TableStatus]:
        """Every table's status. max_age: of its data; None: each table's own `freshness.error`."""
        return [look.status for look in self._overview.looks(tables, max_age)]

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

"""Is every table as fresh as it should be, and is everything in place for the next run?"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from msgspec.structs import replace

from wmtui import layout
from wmtui.config import RedshiftConfig
from wmtui.errors import ConditionsIgnored, ConfirmationNeeded, ObjectMissing, StoreError, Unreachable, WmtuiError
from wmtui.model import Check, Level, TableName, utc_now
from wmtui.objects.clock import StoreClock
from wmtui.objects.permissions import Rights, try_rights
from wmtui.service import clocks, unknown_documents
from wmtui.service.leftovers import Leftovers
from wmtui.service.overview import Overview
from wmtui.service.status import TableStatus
from wmtui.service.targets import check_target
from wmtui.service.unknown_documents import UnknownDocument
from wmtui.service.watermarks import Watermarks
from wmtui.service.workspace import Workspace
from wmtui.watermarks.timestamps import to_instant

_FOLDERS = (
    layout.DOCUMENTS,
    layout.WATERMARKS,
    layout.JOURNALS,
    layout.LOCKS,
    layout.RUNS,
    layout.LOADS,
    layout.DECISIONS,
)
"""Where runs and edits write, beside the folders of data."""


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

    def doctor(self, tables: Iterable[TableName], *, reason: str | None = None) -> list[Check]:
        """Findings about store, source, warehouse and the tables named.

        Rights and conditional writes are proven by writing small objects and removing them, where changes are allowed.
        reason: for changing something, which a protected profile wants.
        """
        w, tables = self._workspace, tuple(tables)
        findings = [*w.objects.check()]
        reached = all(f.level is not Level.ERROR for f in findings)
        if reached:
            findings += [*self._rights(tables, reason), *self._unknown_documents()]
        findings += [*w.source.check(), *w.warehouse.check(), self._clocks()]
        for table in tables:
            findings += [replace(finding, table=table) for finding in self._about(table)]
        return findings

    def _about(self, table: TableName) -> list[Check]:
        """Findings about one table's documents, source and target, and what crashed runs left of it."""
        w, unreadable = self._workspace, self._document(table)
        findings = [*unreadable]
        try:
            findings += w.source.check_table(table, w.config(table))
        except WmtuiError as error:
            findings.append(Check(str(table), Level.ERROR, str(error), error.next_step))
        return findings if unreadable else [*findings, *check_target(w, table), *self._left_behind(table)]

    def _rights(self, tables: Sequence[TableName], reason: str | None) -> list[Check]:
        """What this account may do in the store."""
        w = self._workspace
        try:
            w.require_write(reason)
        except ConfirmationNeeded as error:
            finding = f"not tried: {error.what}, and trying them writes small objects"
            return [Check("store rights", Level.WARNING, finding, error.next_step)]
        folders = [
            *_FOLDERS,
            *([layout.MANIFESTS] if isinstance(w.settings.profile.warehouse, RedshiftConfig) else []),
        ]
        folders += [layout.data_folder(table) for table in tables or [*w.settings.tables][:1]]
        found = w.each(lambda folder: try_rights(w.objects, folder), folders)
        return [*check_rights(found), self._conditions()]

    def unknown_documents(self) -> list[UnknownDocument]:
        """Documents among the watermarks that nothing here reads, by their names alone. Raises StoreError."""
        w = self._workspace
        keys = (info.key for info in w.objects.list(layout.WATERMARKS))
        return list(unknown_documents.in_tables(keys, w.settings.tables))

    def _unknown_documents(self) -> list[Check]:
        """Documents that nothing here reads."""
        try:
            found = unknown_documents.find(self._workspace.objects, self._workspace.settings.tables)
        except StoreError as error:
            return [Check("documents", Level.ERROR, str(error), error.next_step)]
        return [Check(f"document {s.key}", Level.WARNING, s.finding, s.next_step) for s in found]

    def _clocks(self) -> Check:
        """Those that answer, compared; one that does not is a finding of its own, elsewhere."""
        w = self._workspace

        def source() -> datetime:
            with w.source.connect() as connection:
                reading = connection.clock()
            return to_instant(reading.now + reading.delay, w.zone)

        # The workspace's own clock goes by the store's, as soon as that was heard.
        host = utc_now if isinstance(w.clock, StoreClock) else w.clock
        readings, second = {}, timedelta(seconds=1)
        with suppress(WmtuiError, ObjectMissing):
            readings["the store"] = clocks.read(host, lambda: w.objects.get(layout.STORE).now, grain=second)
        with suppress(WmtuiError):
            readings["the source"] = clocks.read(host, source)
        with suppress(WmtuiError):
            readings["the warehouse"] = clocks.read(host, w.warehouse.clock)
        return clocks.compare(readings)

    def _left_behind(self, table: TableName) -> list[Check]:
        """What crashed runs left. A store or warehouse that does not answer is a finding of its own."""
        (found,) = self._leftovers.find([table])
        subject = f"{table}: leftovers"
        if isinstance(found.error, Unreachable):
            return []
        if found.error is not None:
            return [Check(subject, Level.ERROR, str(found.error), found.error.next_step)]
        if not found.leftovers:
            return [Check(subject, Level.OK, "no run left any")]
        size = sum(leftover.size for leftover in found.leftovers)
        finding = f"{len(found.leftovers)} parts that no load will ever take, {size:,} bytes"
        return [Check(subject, Level.WARNING, finding, f"remove them with `wmtui clean -t {table}`")]

    def _conditions(self) -> Check:
        subject = "conditional writes"
        try:
            self._workspace.watermarks.prove_conditions()
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


def check_rights(found: Sequence[Rights]) -> Iterator[Check]:
    """A finding for each prefix where something is refused, and one for all others."""
    whole = [rights.prefix for rights in found if not rights.refused]
    if whole:
        yield Check("store rights", Level.OK, f"may write, read, list and delete below {', '.join(whole)}")
    for rights in found:
        kept_out = [action for action, _ in rights.refused]
        if not kept_out:
            continue
        _, error = rights.refused[0]
        level = Level.WARNING if kept_out == ["delete"] else Level.ERROR
        needed = "" if level is Level.ERROR else "; runs do without, `clean` does not"
        left = f"; {rights.left} stays, and is written over the next time" if rights.left else ""
        finding = f"may not {' or '.join(kept_out)}: {error}{needed}{left}"
        yield Check(f"store rights: {rights.prefix}", level, finding, error.next_step)

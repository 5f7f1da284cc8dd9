"""Starting a sync: of what kind, and what it would do."""

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from msgspec import Struct
from textual import on
from textual.app import ComposeResult
from textual.widgets import Input

from wmtui.events import Event
from wmtui.model import Strategy, TableName
from wmtui.service import Preview, Request, Service
from wmtui.texts import count
from wmtui.tui.cli_equivalent import CliEquivalent
from wmtui.tui.dialogs.base import Dialog, Reason, several
from wmtui.tui.widgets.cells import Line
from wmtui.tui.widgets.line_list import LineList
from wmtui.tui.widgets.paragraphs import Paragraphs
from wmtui.tui.widgets.plan_table import Column, PlanTable, Row
from wmtui.words import files as words
from wmtui.words import values

COLUMNS = (Column("table"), Column("rows", -10), Column("files", -6), Column("left behind", 28))


class Kind(Struct, frozen=True):
    """A kind of sync. options: of the equal command."""

    title: str
    options: tuple[str, ...]
    request: Request


KINDS = (
    Kind("Full: extract, then load", (), Request()),
    Kind("Redshift only: load files that are in the store", ("--redshift-only",), Request(redshift_only=True)),
    Kind("Backup only: extract into the store", ("--backup-only",), Request(backup_only=True)),
    Kind("Full, in key ranges side by side", ("-s", "intra-table"), Request(strategy=Strategy.INTRA_TABLE)),
)


class SyncDialog(Dialog[Request]):
    """Which sync. manual: tables whose watermark somebody placed; a full sync makes them automated. hidden: tables out
    of sight.
    """

    DEFAULT_CSS = "SyncDialog #kinds { height: 4; margin-bottom: 1; }"

    def __init__(
        self,
        service: Service,
        tables: Sequence[TableName],
        manual: Sequence[TableName],
        equal: CliEquivalent,
        *,
        hidden: int = 0,
    ) -> None:
        name = str(tables[0]) if len(tables) == 1 else several(tables, hidden)
        super().__init__(f"Sync {name}", yes="Start")
        self._service = service
        self._tables = tables
        self._manual = manual
        self._equal = equal

    def body(self) -> ComposeResult:
        """The kinds, a warning, the plan."""
        yield LineList(lambda kind, _: [(kind.title, "")], id="kinds")
        yield Paragraphs(id="warning")
        yield Paragraphs(id="plan")
        if len(self._tables) > 1:
            yield PlanTable(COLUMNS)
            yield Input(placeholder=f"type {self._typed} to confirm", id="typed")
        yield Reason(self._service.workspace.settings.profile.protected)

    def begin(self) -> None:
        """A manual watermark is usually meant to load what is there: that is offered first, unless others would then
        not be extracted.
        """
        super().begin()
        kinds = self.query_one("#kinds", LineList)
        kinds.show(KINDS, 1 if len(self._manual) == len(self._tables) else 0)
        kinds.focus()
        self._changed()

    @property
    def _kind(self) -> Kind:
        kind = self.query_one("#kinds", LineList).current
        assert isinstance(kind, Kind)
        return kind

    @property
    def _typed(self) -> str:
        return self._service.workspace.settings.profile_name

    @property
    def _reason(self) -> str:
        return self.query_one("#reason", Input).value.strip()

    @on(LineList.Opened, "#kinds")
    def _opened(self) -> None:
        self._yes_pressed()

    @on(LineList.Moved, "#kinds")
    def _changed(self) -> None:
        kind = self._kind
        full = not kind.request.redshift_only
        warning = ""
        if self._manual and full:
            whose = str(self._manual[0]) if len(self._manual) == 1 else f"{len(self._manual)} tables"
            warning = (
                f"! the watermark of {whose} is manual: this reads the source from there and makes it automated. "
                "Redshift only keeps it."
            )
        self.query_one("#warning", Paragraphs).show([[(warning, "warn")]] if warning else [])
        self._check()
        plan = self.query_one("#plan", Paragraphs)
        for table in self.query(PlanTable):
            table.show([], [])
        plan.show([[("asking what it would do…", "dim")]])
        request = self._request()
        self.ask(lambda: self._service.syncs.preview(request, emit=_unheard), self._show_plan)

    @on(Input.Changed)
    def _check(self) -> None:
        required = self._service.workspace.settings.profile.protected
        typed = all(box.value.strip() == self._typed for box in self.query("#typed").results(Input))
        self.ready(typed and (bool(self._reason) or not required))
        several = ("-s", "inter-table") if len(self._tables) > 1 and "-s" not in self._kind.options else ()
        self.equal(self._equal.command("sync", *self._kind.options, *several, tables=self._tables, reason=self._reason))

    def failed(self, _: object) -> None:
        """The plan is a courtesy: a sync may be started without it."""
        self.query_one("#plan", Paragraphs).show([[("what it would do is not known", "dim")]])

    def _show_plan(self, previews: list[Preview]) -> None:
        plan = self.query_one("#plan", Paragraphs)
        if len(previews) == 1:
            plan.show(plan_lines(previews[0], self._service.workspace.zone))
        else:
            plan.show([])
            self.query_one(PlanTable).show(totals(previews), rows(previews))

    def _request(self) -> Request:
        kind = self._kind.request
        return Request(
            tables=tuple(self._tables),
            redshift_only=kind.redshift_only,
            backup_only=kind.backup_only,
            strategy=kind.strategy,
            reason=self._reason or None,
        )

    def act(self) -> None:
        """Start it."""
        self.dismiss(self._request())


def plan_lines(preview: Preview, zone: ZoneInfo) -> list[Line]:
    """What a sync would do, in lines."""
    if preview.error is not None:
        return [[(preview.error.in_one_line, "bad")]]
    lines: list[Line] = []
    if preview.plan is not None:
        plan = preview.plan
        low = "the beginning" if plan.low is None else values.point(plan.low, zone)
        lines.append([(f"reads from {low}, {plan.origin}", "")])
        lines.append([(f"  to {values.point(plan.high, zone)}, about {count(preview.estimate or 0, 'row')}", "")])
    if preview.selection is not None:
        summary = preview.selection.summary
        lines.append([(f"loads {count(summary.selected, 'file')} of {summary.found:,} in the store", "")])
        if summary.held_back:
            lines.append([(f"leaves behind {words.held_back(preview.selection)}", "warn")])
            lines.append([(summary.hint, "warn")])
    return lines


def totals(previews: Sequence[Preview]) -> list[Line]:
    """What syncs of several tables come to, what goes wrong or is left first."""
    lines: list[Line] = []
    if failed := sum(preview.error is not None for preview in previews):
        lines.append([(f"✗ {count(failed, 'table')} cannot be synced", "bad")])
    selections = [preview.selection for preview in previews if preview.selection is not None]
    if leaving := [selection for selection in selections if selection.held_back]:
        files = count(sum(selection.held_back for selection in leaving), "file")
        lines.append([(f"! {count(len(leaving), 'table')} leave behind {files}", "warn")])
    if reading := [preview.estimate or 0 for preview in previews if preview.plan is not None]:
        tables = count(len(reading), "table")
        lines.append([(f"reads about {count(sum(reading), 'row')} of {tables}", "")])
    if selections:
        files = count(sum(selection.summary.selected for selection in selections), "file")
        lines.append([(f"loads {files} that are in the store", "")])
    return lines


def rows(previews: Sequence[Preview]) -> list[Row]:
    """A line per table, what goes wrong or is left first."""
    return [_row(preview) for preview in sorted(previews, key=_loudness)]


def _loudness(preview: Preview) -> int:
    leaves = preview.selection is not None and preview.selection.held_back
    return 0 if preview.error is not None else 1 if leaves else 2


def _row(preview: Preview) -> Row:
    if preview.error is not None:
        return Row((str(preview.table), "", "", preview.error.in_one_line), "bad")
    reads = values.ABSENT if preview.plan is None else f"{preview.estimate or 0:,}"
    selection = preview.selection
    loads = values.ABSENT if selection is None else f"{selection.summary.selected:,}"
    left = words.held_back(selection) if selection is not None else ""
    return Row((str(preview.table), reads, loads, left or values.ABSENT), "warn" if left else "")


def _unheard(_: Event) -> None:
    """A preview's messages are in its result."""

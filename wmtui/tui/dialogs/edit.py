"""Placing watermarks by hand: the point, what it means, and what the next sync would do because of it, as one types."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

from msgspec import Struct
from textual import on
from textual.app import ComposeResult
from textual.timer import Timer
from textual.widgets import Button, Input

from wmtui.errors import Conflict, WmtuiError
from wmtui.model import TableName
from wmtui.service import Consequence, EditPreview, Effect, Service, Watermark
from wmtui.texts import count
from wmtui.tui.cli_equivalent import CliEquivalent
from wmtui.tui.dialogs.base import Dialog, Reason, Toggle, several
from wmtui.tui.widgets.cells import Line
from wmtui.tui.widgets.line_list import LineList
from wmtui.tui.widgets.paragraphs import Paragraphs
from wmtui.tui.widgets.plan_table import Column, PlanTable, Row
from wmtui.words import effects, values, watermarks

COLUMNS = (Column("table"), Column("from", 19), Column("files", -6), Column("rows", -10), Column("lost", 16))
SETTLE_SECONDS = 0.15
"""A point is judged when no key was typed for so long."""


class Edited(Struct, frozen=True):
    """What was saved. refused: tables that were not changed, and why. changed: the others."""

    changed: Sequence[Consequence]
    refused: Sequence[tuple[TableName, WmtuiError]]


class ConflictFound(Struct, frozen=True):
    """The watermark was changed by another writer after it was shown here."""

    preview: EditPreview
    point: str


class EditDialog(Dialog[Edited | ConflictFound]):
    """The watermark of one table or of several. point: what the input begins with. hidden: tables out of sight."""

    DEFAULT_CSS = """
    EditDialog {
        #presets { height: 5; margin-top: 1; }
        #effects { height: auto; max-height: 12; margin: 1 0; }
    }
    """

    def __init__(
        self, service: Service, tables: Sequence[TableName], cli: CliEquivalent, point: str = "", *, hidden: int = 0
    ) -> None:
        name = str(tables[0]) if len(tables) == 1 else several(tables, hidden)
        super().__init__(f"Edit the watermark of {name}", yes="Save")
        self._service = service
        self._tables = tables
        self._cli = cli
        self._point = point
        self._previews: list[EditPreview] = []
        self._timer: Timer | None = None
        self._good = False
        self._saving = False
        self._asked = ""
        """The point that the newest question is about."""
        self._awaited = ""
        """The point for which Enter was pressed before it was known what it does."""

    def body(self) -> ComposeResult:
        """Point, meaning, presets, effects; for several tables what must be typed."""
        yield Input(self._point, placeholder="2025-08-09 19:47:29, -12m31s, 3h ago, or a preset", id="point")
        yield Paragraphs(id="meaning")
        if len(self._tables) > 1:
            yield PlanTable(COLUMNS)
        else:
            yield Paragraphs(id="effects")
        yield LineList(_preset_line, id="presets")
        if len(self._tables) > 1:
            yield Input(placeholder=f"type {self._typed} to confirm", id="typed")
        yield Reason(self._service.workspace.settings.profile.protected)
        yield Toggle("force: accept a point in the future, and doubled rows", id="force")

    def begin(self) -> None:
        """Read what is there now, and what the presets mean."""
        super().begin()
        self.say("reading…", "dim")
        self.ask(lambda: [self._preview(table) for table in self._tables], self._take)

    @property
    def _typed(self) -> str:
        return self._service.workspace.settings.profile_name

    @property
    def point(self) -> str:
        """The point as typed."""
        return self.query_one("#point", Input).value.strip()

    @property
    def reason(self) -> str:
        """The reason as typed, for the journal."""
        return self.query_one("#reason", Input).value.strip()

    @property
    def force(self) -> bool:
        """Whether the box is ticked."""
        return self.query_one("#force", Toggle).on

    def _preview(self, table: TableName) -> EditPreview:
        return self._service.preview_edit(self._service.documents(table))

    def _take(self, previews: list[EditPreview]) -> None:
        self._previews = previews
        self.say("")
        self.ask(self._points, self._show_presets)

    def _points(self) -> list[tuple[str, str, str]]:
        """Names and points that can be chosen: what would let files in, where it is, and the presets."""
        summaries = [preview.current().selection.summary for preview in self._previews]
        openings = [summary.enter_at for summary in summaries if summary.enter_at is not None]
        points = [("lets files in", values.wall(min(openings)), "good")] if openings else []
        if len(self._previews) == 1 and (at := self._previews[0].point) is not None:
            points.append(("as it is now", values.wall(at), ""))
        return [*points, *((name, values.wall(at), "dim") for name, at in self._service.watermarks.presets())]

    def _show_presets(self, points: list[tuple[str, str, str]]) -> None:
        self.query_one("#presets", LineList).show(points)
        self._judge()

    @on(LineList.Opened, "#presets")
    def _chosen(self, message: LineList.Opened) -> None:
        point = self.query_one("#point", Input)
        chosen = message.list.current
        assert chosen is not None
        point.value = chosen[1]
        point.focus()

    @on(Input.Changed, "#point")
    @on(Toggle.Changed)
    def _typed_something(self) -> None:
        self._good = False
        if self.point != self._awaited:
            self._awaited = ""
        self._check()
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(SETTLE_SECONDS, self._judge)

    @on(Input.Changed, "#reason")
    @on(Input.Changed, "#typed")
    def _check(self) -> None:
        required = self._service.workspace.settings.profile.protected
        typed = all(box.value.strip() == self._typed for box in self.query("#typed").results(Input))
        self.ready(self._good and typed and (bool(self.reason) or not required))
        words = ("watermark", "set", "--timestamp", self.point or "…")
        command = self._cli.command(*words, tables=self._tables, single=True, reason=self.reason, force=self.force)
        self.show_command(command)

    def _judge(self) -> None:
        """Ask what the point would do."""
        point, force, previews = self.point, self.force, self._previews
        self._asked = point
        if self._saving:  # A question asked now would make the answer to that one late.
            return
        if not previews or not point:
            self.query_one("#meaning", Paragraphs).show([])
            self._show_plan([])
            return
        self.ask(
            lambda: [_move(preview, point, force) for preview in previews],
            lambda effects: self._show_effects(point, effects),
        )

    def _show_effects(self, point: str, moves: "list[Move]") -> None:
        self._good = point == self.point
        self.say("")
        self.query_one("#meaning", Paragraphs).show([_meaning(moves, self._service.workspace.zone)])
        self._show_plan(moves)
        self._check()
        if self._awaited == self.point and not self.query_one("#yes", Button).disabled:
            self.act()

    def wait(self) -> None:
        """Save the point of one table as soon as it is known to be good; several tables are to be looked at first."""
        if len(self._tables) == 1 and not self._good:
            self._awaited = self.point

    def failed(self, error: WmtuiError) -> None:
        """Show why the point cannot be read, or the store does not answer."""
        self._good = self._saving = False
        if self._asked == self.point:
            self._awaited = ""
        self._show_plan([])
        super().failed(error)

    def _show_plan(self, moves: "list[Move]") -> None:
        """Show what would happen: to one table in lines, to several in a table of totals, losses and rows."""
        if len(self._tables) > 1:
            self.query_one(PlanTable).show(_totals(moves), _rows(moves))
        else:
            self.query_one("#effects", Paragraphs).show(_lines(moves[0]) if moves else [])

    def act(self) -> None:
        """Save, each table by compare-and-swap."""
        self.ready(False)
        self._saving = True
        self.say("saving…", "dim")
        point, force, reason = self.point, self.force, self.reason or None
        save = partial(_save, self._service, self._previews, point, force=force, reason=reason)
        self.ask(save, self._saved)

    def _saved(self, outcomes: "list[Consequence | WmtuiError]") -> None:
        if len(outcomes) == 1:
            (outcome,) = outcomes
            if type(outcome) is Conflict:
                self.dismiss(ConflictFound(self._previews[0], self.point))
                return
            if isinstance(outcome, WmtuiError):
                self._saving = False
                self.say(outcome.in_one_line, "bad")
                return
        changed = [outcome for outcome in outcomes if isinstance(outcome, Consequence)]
        pairs = zip(self._tables, outcomes, strict=True)
        self.dismiss(Edited(changed, [(table, o) for table, o in pairs if isinstance(o, WmtuiError)]))


def _preset_line(preset: tuple[str, str, str], _: int) -> Line:
    name, point, kind = preset
    return [(f"{name:16}", kind), (point, "")]


def _save(
    service: Service, previews: Sequence[EditPreview], text: str, *, force: bool, reason: str | None
) -> list[Consequence | WmtuiError]:
    """Place every table at the same point: `3h ago` is read once. Raises UsageError."""
    point = values.wall(service.watermarks.point(text, force=force))
    outcomes: list[Consequence | WmtuiError] = []
    for preview in previews:
        try:
            outcomes.append(service.watermarks.set(preview.table, point, force=force, reason=reason, seen=preview.mark))
        except WmtuiError as error:
            outcomes.append(error)
    return outcomes


class Move(Struct, frozen=True):
    """What a point would do to one table."""

    before: Watermark
    wall: datetime | None
    effect: Effect


def _move(preview: EditPreview, point: str, force: bool) -> Move:
    after = preview.placed_at(point, force=force)
    return Move(preview.mark, after.mark.data_timestamp, preview.effect(after))


def _meaning(moves: Sequence[Move], zone: ZoneInfo) -> Line:
    """From where to where; several tables are at many points."""
    whence = watermarks.point(moves[0].before, zone) if len(moves) == 1 else f"{len(moves)} tables"
    return [(f"{whence} → ", "dim"), (values.point(moves[0].wall, zone), "strong")]


def _lines(move: Move) -> list[Line]:
    """The effect on one table, losses first."""
    lines: list[Line] = [[(str(line), line.tone)] for line in effects.lines(move.effect)]
    if not move.before.is_manual:
        lines.append([("it becomes manual: runs of cron only load it, until a full sync", "dim")])
    return lines


def _totals(moves: Sequence[Move]) -> list[Line]:
    """What it comes to, losses first."""
    if not moves:
        return []
    effects = [move.effect for move in moves]
    lines: list[Line] = []
    losing = [effect for effect in effects if effect.loses]
    if losing:
        files, furthest = sum(effect.leaving for effect in losing), max(effect.moved for effect in losing)
        lost = [f"{count(files, 'file')} waiting now not loaded any more"] if files else []
        lost += [f"rows of up to {values.span(furthest)} never read"] if furthest > timedelta(0) else []
        loses = "loses" if len(losing) == 1 else "lose"
        lines.append([(f"✗ {count(len(losing), 'table')} {loses}: {', '.join(lost)}", "bad")])
    entering, size = sum(effect.entering for effect in effects), sum(effect.size for effect in effects)
    rows = sum(effect.rows for effect in effects)
    least = "at least " if sum(effect.rows_known for effect in effects) < entering else ""
    about = f", {values.size(size)}, {least}{count(rows, 'row')}" if entering else ""
    lines.append([(f"+{count(entering, 'file')}{about}", "good" if entering else "")])
    if again := sum(effect.reads_again for effect in effects):
        lines.append([(f"{count(again, 'table')} read rows again", "")])
    if automated := sum(not move.before.is_manual for move in moves):
        lines.append([(f"{count(automated, 'table')} become manual, until a full sync", "dim")])
    return lines


def _rows(moves: Sequence[Move]) -> list[Row]:
    """A line per table, those that lose first."""
    return [_row(move) for move in sorted(moves, key=lambda move: not move.effect.loses)]


def _row(move: Move) -> Row:
    effect, at = move.effect, move.before.data_timestamp
    files = f"+{effect.entering:,}" if effect.entering else values.ABSENT
    rows = f"{effect.rows:,}" if effect.rows_known else values.ABSENT
    lost = [f"{count(effect.leaving, 'file')}"] if effect.leaving else []
    lost += [values.span(effect.moved)] if effect.moved > timedelta(0) else []
    whence = values.ABSENT if at is None else f"{at:%Y-%m-%d %H:%M:%S}"
    cells = (str(move.before.table), whence, files, rows, ", ".join(lost) or values.ABSENT)
    return Row(cells, "bad" if effect.loses else "")

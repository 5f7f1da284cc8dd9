"""Placing watermarks by hand: the point, what it means, and what the next sync would do because of it, as one types."""

from collections.abc import Sequence
from functools import partial

from msgspec import Struct
from textual import on
from textual.app import ComposeResult
from textual.timer import Timer
from textual.widgets import Button, Input

from wmtui.errors import Conflict, WmtuiError
from wmtui.model import TableName
from wmtui.service import Changed, Draft, Service, describe, wording
from wmtui.tui.cells import Line
from wmtui.tui.crew import Failure, words
from wmtui.tui.dialogs.base import Dialog, Reason, Tick
from wmtui.tui.equal import Equal
from wmtui.tui.lines import LineList
from wmtui.tui.paragraphs import Paragraphs
from wmtui.watermarks.timestamps import format_wall, preset_names
from wmtui.watermarks.zones import wall_of

SETTLE_SECONDS = 0.15
"""A point is judged once nobody typed for so long."""


class Edited(Struct, frozen=True):
    """What was saved. refused: tables that were not changed, and why. changed: the others."""

    changed: Sequence[Changed]
    refused: Sequence[tuple[TableName, Failure]]


class ConflictFound(Struct, frozen=True):
    """The watermark was changed by somebody else while this one thought about it."""

    draft: Draft
    point: str


class Edit(Dialog[Edited | ConflictFound]):
    """The watermark of one table or of several. point: what the input begins with."""

    DEFAULT_CSS = """
    Edit {
        #presets { height: 5; margin-top: 1; }
        #effects { height: auto; max-height: 12; margin: 1 0; }
    }
    """

    def __init__(self, service: Service, tables: Sequence[TableName], equal: Equal, point: str = "") -> None:
        name = str(tables[0]) if len(tables) == 1 else f"{len(tables)} tables"
        super().__init__(f"Edit the watermark of {name}", yes="Save")
        self._service = service
        self._tables = tables
        self._equal = equal
        self._point = point
        self._drafts: list[Draft] = []
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
        yield Paragraphs(id="effects")
        yield LineList(_preset_line, id="presets")
        if len(self._tables) > 1:
            yield Input(placeholder=f"type {self._typed} to confirm", id="typed")
        yield Reason(self._service.workspace.settings.profile.protected)
        yield Tick("force: accept a point in the future, and doubled rows", id="force")

    def begin(self) -> None:
        """Read what is there now, and what the presets mean."""
        super().begin()
        self.say("reading…", "dim")
        self.ask(lambda: [self._service.draft(table) for table in self._tables], self._take)

    @property
    def _typed(self) -> str:
        return self._service.workspace.settings.profile_name

    @property
    def point(self) -> str:
        """The point as typed."""
        return self.query_one("#point", Input).value.strip()

    @property
    def reason(self) -> str:
        """Why."""
        return self.query_one("#reason", Input).value.strip()

    @property
    def force(self) -> bool:
        """Somebody ticked it."""
        return self.query_one("#force", Tick).on

    def _take(self, drafts: list[Draft]) -> None:
        self._drafts = drafts
        self.say("")
        self.ask(self._points, self._show_presets)

    def _points(self) -> list[tuple[str, str, str]]:
        """Names and points that can be chosen: what would let files in, where it is, and the presets."""
        summaries = [draft.now().selection.summary for draft in self._drafts]
        openings = [summary.enter_at for summary in summaries if summary.enter_at is not None]
        found = [("lets files in", format_wall(min(openings)), "good")] if openings else []
        zone = self._service.workspace.zone
        if len(self._drafts) == 1 and (at := wall_of(self._drafts[0].seen, zone)) is not None:
            found.append(("as it is now", format_wall(at), ""))
        for name in preset_names(self._service.workspace.settings.presets):
            found.append((name, format_wall(self._service.watermarks.point(name, force=True)), "dim"))
        return found

    def _show_presets(self, found: list[tuple[str, str, str]]) -> None:
        self.query_one("#presets", LineList).show(found)
        self._judge()

    @on(LineList.Opened, "#presets")
    def _chosen(self, message: LineList.Opened) -> None:
        point = self.query_one("#point", Input)
        chosen = message.list.current
        assert chosen is not None
        point.value = chosen[1]
        point.focus()

    @on(Input.Changed, "#point")
    @on(Tick.Changed)
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
        words_ = ("watermark", "set", "--timestamp", self.point or "…")
        equal = self._equal.command(*words_, tables=self._tables, single=True, reason=self.reason, force=self.force)
        self.equal(equal)

    def _judge(self) -> None:
        """Ask what the point would do."""
        point, force, drafts = self.point, self.force, self._drafts
        self._asked = point
        if self._saving:  # A question asked now would make the answer to that one late.
            return
        if not drafts or not point:
            self.query_one("#meaning", Paragraphs).show([])
            self.query_one("#effects", Paragraphs).show([])
            return
        self.ask(
            lambda: [_effect(self._service, draft, point, force) for draft in drafts],
            lambda effects: self._show_effects(point, effects),
        )

    def _show_effects(self, point: str, effects: "list[tuple[Line, list[Line]]]") -> None:
        self._good = point == self.point
        self.say("")
        self.query_one("#meaning", Paragraphs).show([effects[0][0]])
        if len(effects) == 1:
            lines = effects[0][1]
        else:
            lines = [
                [(f"{draft.table}  ", "strong"), *_joined(found)]
                for draft, (_, found) in zip(self._drafts, effects, strict=True)
            ]
        self.query_one("#effects", Paragraphs).show(lines)
        self._check()
        if self._awaited == self.point and not self.query_one("#yes", Button).disabled:
            self.act()

    def wait(self) -> None:
        """The point of one table is saved as soon as it is known to be good; several are looked at first."""
        if len(self._tables) == 1 and not self._good:
            self._awaited = self.point

    def failed(self, failure: Failure) -> None:
        """A point that cannot be read, or a store that does not answer."""
        self._good = self._saving = False
        if self._asked == self.point:
            self._awaited = ""
        self.query_one("#effects", Paragraphs).show([])
        super().failed(failure)

    def act(self) -> None:
        """Save, each table by compare-and-swap."""
        self.ready(False)
        self._saving = True
        self.say("saving…", "dim")
        point, force, reason = self.point, self.force, self.reason or None
        save = partial(_save, self._service, self._drafts, point, force=force, reason=reason)
        self.ask(save, self._saved)

    def _saved(self, outcomes: "list[Changed | WmtuiError]") -> None:
        if len(outcomes) == 1:
            (outcome,) = outcomes
            if type(outcome) is Conflict:
                self.dismiss(ConflictFound(self._drafts[0], self.point))
                return
            if isinstance(outcome, WmtuiError):
                self._saving = False
                self.say(words(outcome), "bad")
                return
        changed = [outcome for outcome in outcomes if isinstance(outcome, Changed)]
        pairs = zip(self._tables, outcomes, strict=True)
        self.dismiss(Edited(changed, [(table, o) for table, o in pairs if isinstance(o, WmtuiError)]))


def _preset_line(preset: tuple[str, str, str], _: int) -> Line:
    name, point, kind = preset
    return [(f"{name:16}", kind), (point, "")]


def _save(
    service: Service, drafts: Sequence[Draft], text: str, *, force: bool, reason: str | None
) -> list[Changed | WmtuiError]:
    """Place every table at the same point: `3h ago` is read once. Raises UsageError."""
    point = format_wall(service.watermarks.point(text, force=force))
    outcomes: list[Changed | WmtuiError] = []
    for draft in drafts:
        try:
            outcomes.append(service.watermarks.set(draft.table, point, force=force, reason=reason, seen=draft.seen))
        except WmtuiError as error:
            outcomes.append(error)
    return outcomes


def _effect(service: Service, draft: Draft, point: str, force: bool) -> tuple[Line, list[Line]]:
    """What the point means, and what it would do to one table."""
    now, then = draft.now(), draft.set(point, force=force)
    zone = service.workspace.zone
    meaning: Line = [
        (f"{describe.point(draft.seen, zone)} → ", "dim"),
        (wording.point(then.mark.data_timestamp, zone), "strong"),
    ]
    effect = describe.effect(draft.seen, now.selection, then.mark, then.selection, zone)
    lines: list[Line] = [[(line, "")] for line in effect]
    lines[0] = [(lines[0][0][0], "good" if lines[0][0][0].startswith("+") else "warn")]
    if not draft.seen.is_manual:
        lines.append([("it becomes manual: runs of cron only load it, until a full sync", "dim")])
    return meaning, lines


def _joined(lines: Sequence[Line]) -> Line:
    line: Line = []
    for found in lines:
        line += [*found, ("; ", "dim")]
    return line[:-1]

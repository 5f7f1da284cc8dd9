"""What the keys do to watermarks. Each change is one call of `service`, made off the screen's thread."""

from functools import partial

from wmtui.errors import UsageError, WmtuiError
from wmtui.events import Severity
from wmtui.model import TableName
from wmtui.service import Consequence, Entry, WayBack
from wmtui.texts import count
from wmtui.tui.commands.permission import Asking
from wmtui.tui.dialogs.base import ConfirmDialog, texts
from wmtui.tui.dialogs.conflict import ConflictDialog
from wmtui.tui.dialogs.edit import ConflictFound, EditDialog, Edited
from wmtui.tui.dialogs.pin import PinDialog
from wmtui.tui.dialogs.system_watermark import SystemDialog
from wmtui.tui.panes.detail import Change
from wmtui.tui.state.walkthrough import Step
from wmtui.tui.widgets.cells import Line
from wmtui.watermarks.model import Watermark
from wmtui.watermarks.pins import pin_at
from wmtui.words import watermarks
from wmtui.words.changes import differences


class Edits(Asking):
    """Changes of watermarks by hand."""

    def edit(self, point: str = "") -> None:
        """Place the watermarks of the marked tables, else of the current one."""
        tables = self._targets()
        if tables:
            app = self._app
            dialog = EditDialog(app.service, tables, app.equal, point, hidden=self._hidden())
            self._allowed(lambda: app.push_screen(dialog, self._edited))

    def _edited(self, outcome: Edited | ConflictFound | None) -> None:
        if outcome is None:
            return
        if isinstance(outcome, ConflictFound):
            self._app.push_screen(ConflictDialog(outcome.preview, outcome.point), self._edit_theirs)
            return
        self._app.table_state.marked.clear()
        for changed in outcome.changed:
            self._changed("set", changed)
        for table, failure in outcome.refused:
            self._failed(failure, table)
        self._app.walkthrough(Step.EDITED)

    def _edit_theirs(self, point: str | None) -> None:
        if point is not None:
            self.edit(point)
        self._read_again(self._targets())

    def reset(self) -> None:
        """Make the marked tables new again, else the current one."""
        tables = self._targets()
        if tables:
            self._allowed(lambda: self._reset(tables))

    def _reset(self, tables: list[TableName]) -> None:
        app, service, settings = self._app, self._app.service, self._app.service.workspace.settings
        name = str(tables[0]) if len(tables) == 1 else f"{len(tables)} tables"
        effect: list[Line] = texts(
            "the next sync begins at the beginning, or at the system watermark, in a new epoch",
            "files loaded before may be loaded again; data in the store and the warehouse stays",
        )
        doubled = [table for table in tables if not settings.tables[table].primary_key]
        if doubled:
            whose = f"{count(len(doubled), 'table')} without primary key: "
            effect += texts(f"! {whose}reading again appends the same rows once more", kind="warn")

        def command(reason: str) -> str:
            words_ = ("watermark", "reset", "--yes")
            return app.equal.command(*words_, tables=tables, single=True, reason=reason, force=bool(doubled))

        def do(reason: str | None) -> None:
            if reason is not None:
                app.background.do(lambda: [read(table, reason) for table in tables], self._all_reset, self._failed)

        def read(table: TableName, reason: str) -> tuple[TableName, Consequence | WmtuiError]:
            try:
                seen = service.watermarks.standing(table)
                return table, service.watermarks.reset(table, force=bool(doubled), reason=reason or None, seen=seen)
            except WmtuiError as error:
                return table, error

        typed = settings.profile_name if len(tables) > 1 else ""
        required = settings.profile.protected
        app.push_screen(
            ConfirmDialog(f"Reset {name}", effect, command, yes="Reset", typed=typed, reason_required=required), do
        )

    def _all_reset(self, outcomes: "list[tuple[TableName, Consequence | WmtuiError]]") -> None:
        self._app.table_state.marked.clear()
        for table, outcome in outcomes:
            if isinstance(outcome, Consequence):
                self._changed("reset", outcome)
            else:
                self._failed(outcome, table)

    def undo(self) -> None:
        """Take the last change of the current table back."""
        table = self._one("undo")
        if table is not None:
            self._allowed(lambda: self._undo(table))

    def _undo(self, table: TableName) -> None:
        history = self._app.service.history

        def ask(way: WayBack | None) -> None:
            if way is not None and way.gone:
                self._ask_undo(table, way, f"Bring the watermark of {table} back as change {way.seen.serial} left it")
            elif way is None or way.edit is None:
                self._failed(UsageError(f"nothing to undo for {table}", "nobody has moved it by hand yet"), table)
            else:
                self._ask_undo(table, way, f"Undo “{way.edit.action}” of {table}")

        self._app.background.do(lambda: history.last_edit(table), ask, lambda failure: self._failed(failure, table))

    def restore(self) -> None:
        """Go back to how the history's entry under the cursor left the watermark."""
        pane = self._app.detail_pane
        table = pane.table
        chosen = pane.lines.current if pane.entries is not None else None
        if table is None or not isinstance(chosen, Change) or not isinstance(chosen.entry, Entry):
            self._app.say("open the history with h, and go to the change to go back to", Severity.WARNING)
            return
        serial = chosen.entry.serial
        if serial is None:
            self._app.say("this change was made outside: u takes it back", Severity.WARNING)
        else:
            self._allowed(lambda: self._restore(table, serial))

    def _restore(self, table: TableName, serial: int) -> None:
        history = self._app.service.history

        def ask(way: WayBack) -> None:
            self._ask_undo(table, way, f"Restore {table} as change {serial} left it")

        self._app.background.do(
            lambda: history.way_back(table, serial), ask, lambda failure: self._failed(failure, table)
        )

    def _ask_undo(self, table: TableName, way: WayBack, title: str) -> None:
        app, service = self._app, self._app.service
        if not way.diff:
            app.say(f"nothing would change for {table}: its watermark is as it was then", Severity.WARNING)
            return
        options = () if way.to is None else ("--to", str(way.to))
        effect: list[Line] = [[(f"  {name}  ", "dim"), (change, "")] for name, change in differences(way.diff)]
        note = texts("what was extracted and loaded meanwhile stays", kind="dim")
        if way.doubles:
            note += texts("! no primary key: reading again appends the same rows once more", kind="warn")

        def do(reason: str | None) -> None:
            if reason is None:
                return
            undo = partial(service.history.undo, table, way.to, force=way.doubles, reason=reason or None, seen=way.seen)
            app.background.do(undo, done, lambda failure: self._failed(failure, table))

        def done(changed: Consequence) -> None:
            self._changed("undo", changed)
            app.walkthrough(Step.UNDONE)

        required = service.workspace.settings.profile.protected
        command = lambda reason: app.equal.command(  # noqa: E731
            "watermark", "undo", *options, tables=[table], reason=reason, force=way.doubles
        )
        app.push_screen(ConfirmDialog(title, [*effect, *note], command, yes="Undo", reason_required=required), do)

    def pin(self) -> None:
        """Pin the current table's watermark, or unpin it."""
        table = self._one("pinning")
        look = self._app.table_state.looks.get(table) if table else None
        if table is not None and look is not None and look.mark is not None:
            mark = look.mark
            self._allowed(lambda: self._pin(table, mark))

    def _pin(self, table: TableName, mark: Watermark) -> None:
        app, service = self._app, self._app.service
        failed = lambda failure: self._failed(failure, table)  # noqa: E731

        def pinned(answer: tuple[str, str] | None) -> None:
            if answer is not None:
                reason, until = answer
                work = lambda: service.pins.pin(table, reason=reason, until=until or None)  # noqa: E731
                app.background.do(work, lambda mark: self._told("pinned", mark), failed)

        def unpinned(reason: str | None) -> None:
            if reason is not None:
                work = lambda: service.pins.unpin(table, reason=reason or None)  # noqa: E731
                app.background.do(work, lambda mark: self._told("unpinned", mark), failed)

        if pin_at(mark, service.workspace.clock()) is None:
            app.push_screen(PinDialog(table, app.equal), pinned)
            return
        effect = texts(f"held by {watermarks.pin(mark)}", "runs extract it again, and anybody may move it")
        command = lambda reason: app.equal.command(  # noqa: E731
            "watermark", "unpin", tables=[table], reason=reason
        )
        required = service.workspace.settings.profile.protected
        ask = ConfirmDialog(f"Unpin the watermark of {table}", effect, command, yes="Unpin", reason_required=required)
        app.push_screen(ask, unpinned)

    def system(self) -> None:
        """Move the system watermark."""
        app = self._app

        def done(moved: str | None) -> None:
            if moved is not None:
                app.say(f"moved the system watermark to {moved}")
                app.action_refresh()

        self._allowed(lambda: app.push_screen(SystemDialog(app.service, app.equal), done))

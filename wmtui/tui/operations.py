"""What the keys do that ask or change something. Each change is one call of `service`, made off the screen's thread."""

import textwrap
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from wmtui.errors import ExitCode, UsageError, WmtuiError
from wmtui.files.verdicts import Loads, Verdict, explain
from wmtui.model import TableName
from wmtui.pipeline.events import Severity, Status, TableResult
from wmtui.service import Changed, Entry, Request, Service, WayBack, describe, wording
from wmtui.service.history import diff_lines
from wmtui.tui import picture, themes
from wmtui.tui.actions import ACTIONS, Action, format_key
from wmtui.tui.board import found
from wmtui.tui.cells import Line
from wmtui.tui.crew import Failure, words
from wmtui.tui.detail import Change, Field
from wmtui.tui.dialogs.base import Ask, texts
from wmtui.tui.dialogs.conflict import ConflictDialog
from wmtui.tui.dialogs.edit import ConflictFound, Edit, Edited
from wmtui.tui.dialogs.pick import LOOK_WIDTH, Look, Pick
from wmtui.tui.dialogs.pin import PinDialog
from wmtui.tui.dialogs.sync import SyncDialog
from wmtui.tui.dialogs.system import SystemDialog
from wmtui.tui.guide import Step
from wmtui.tui.preferences import remember_theme
from wmtui.watermarks.lease import Heartbeat
from wmtui.watermarks.model import Watermark
from wmtui.watermarks.pins import pin_at

if TYPE_CHECKING:
    from wmtui.tui.app import WmtuiApp


class Operations:
    """Asks, does, and tells how it went. outcomes: how the syncs ended that were started together."""

    def __init__(self, app: "WmtuiApp") -> None:
        self._app = app
        self.outcomes: list[TableResult] = []

    # Changing watermarks

    def edit(self, point: str = "") -> None:
        """Place the watermarks of the marked tables, else of the current one."""
        tables = self._targets()
        if tables:
            app = self._app
            self._allowed(lambda: app.push_screen(Edit(app.service, tables, app.equal, point), self._edited))

    def _edited(self, outcome: Edited | ConflictFound | None) -> None:
        if outcome is None:
            return
        if isinstance(outcome, ConflictFound):
            self._app.push_screen(ConflictDialog(outcome.draft, outcome.point), self._edit_theirs)
            return
        self._app.board.marked.clear()
        for changed in outcome.changed:
            self._changed("set", changed)
        for table, failure in outcome.refused:
            self._failed(failure, table)
        self._app.guide(Step.EDITED)

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
            whose = f"{wording.count(len(doubled), 'table')} without primary key: "
            effect += texts(f"! {whose}reading again appends the same rows once more", kind="warn")

        def command(reason: str) -> str:
            words_ = ("watermark", "reset", "--yes")
            return app.equal.command(*words_, tables=tables, single=True, reason=reason, force=bool(doubled))

        def do(reason: str | None) -> None:
            if reason is not None:
                app.crew.do(lambda: [read(table, reason) for table in tables], self._all_reset, self._failed)

        def read(table: TableName, reason: str) -> tuple[TableName, Changed | WmtuiError]:
            try:
                seen = service.watermarks.get(table)
                return table, service.watermarks.reset(table, force=bool(doubled), reason=reason or None, seen=seen)
            except WmtuiError as error:
                return table, error

        typed = settings.profile_name if len(tables) > 1 else ""
        required = settings.profile.protected
        app.push_screen(Ask(f"Reset {name}", effect, command, yes="Reset", typed=typed, reason_required=required), do)

    def _all_reset(self, outcomes: "list[tuple[TableName, Changed | WmtuiError]]") -> None:
        self._app.board.marked.clear()
        for table, outcome in outcomes:
            if isinstance(outcome, Changed):
                self._changed("reset", outcome)
            else:
                self._failed(outcome, table)

    def undo(self) -> None:
        """Take the last change of the current table back."""
        table = self._app.current
        if table is not None:
            self._allowed(lambda: self._undo(table))

    def _undo(self, table: TableName) -> None:
        history = self._app.service.history

        def ask(way: WayBack | None) -> None:
            if way is None or way.edit is None:
                self._failed(UsageError(f"nothing to undo for {table}", "nobody has moved it by hand yet"), table)
            else:
                self._ask_undo(table, way, f"Undo “{way.edit.action}” of {table}")

        self._app.crew.do(lambda: history.last_edit(table), ask, lambda failure: self._failed(failure, table))

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

        self._app.crew.do(lambda: history.way_back(table, serial), ask, lambda failure: self._failed(failure, table))

    def _ask_undo(self, table: TableName, way: WayBack, title: str) -> None:
        app, service = self._app, self._app.service
        if not way.diff:
            app.say(f"nothing would change for {table}: its watermark is as it was then", Severity.WARNING)
            return
        options = () if way.to is None else ("--to", str(way.to))
        effect: list[Line] = [[(f"  {name}  ", "dim"), (change, "")] for name, change in diff_lines(way.diff)]
        note = texts("what was extracted and loaded meanwhile stays", kind="dim")
        if way.doubles:
            note += texts("! no primary key: reading again appends the same rows once more", kind="warn")

        def do(reason: str | None) -> None:
            if reason is None:
                return
            undo = partial(service.history.undo, table, way.to, force=way.doubles, reason=reason or None, seen=way.seen)
            app.crew.do(undo, done, lambda failure: self._failed(failure, table))

        def done(changed: Changed) -> None:
            self._changed("undo", changed)
            app.guide(Step.UNDONE)

        required = service.workspace.settings.profile.protected
        command = lambda reason: app.equal.command(  # noqa: E731
            "watermark", "undo", *options, tables=[table], reason=reason, force=way.doubles
        )
        app.push_screen(Ask(title, [*effect, *note], command, yes="Undo", reason_required=required), do)

    def pin(self) -> None:
        """Pin the current table's watermark, or unpin it."""
        table = self._app.current
        look = self._app.board.looks.get(table) if table else None
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
                app.crew.do(work, lambda mark: self._told("pinned", mark), failed)

        def unpinned(reason: str | None) -> None:
            if reason is not None:
                work = lambda: service.pins.unpin(table, reason=reason or None)  # noqa: E731
                app.crew.do(work, lambda mark: self._told("unpinned", mark), failed)

        if pin_at(mark, service.workspace.clock()) is None:
            app.push_screen(PinDialog(table, app.equal), pinned)
            return
        effect = texts(f"held by {describe.pin(mark)}", "runs extract it again, and anybody may move it")
        command = lambda reason: app.equal.command(  # noqa: E731
            "watermark", "unpin", tables=[table], reason=reason
        )
        required = service.workspace.settings.profile.protected
        ask = Ask(f"Unpin the watermark of {table}", effect, command, yes="Unpin", reason_required=required)
        app.push_screen(ask, unpinned)

    def system(self) -> None:
        """Move the system watermark."""
        app = self._app

        def done(moved: str | None) -> None:
            if moved is not None:
                app.say(f"moved the system watermark to {moved}")
                app.action_refresh()

        self._allowed(lambda: app.push_screen(SystemDialog(app.service, app.equal), done))

    # Syncs

    def sync(self) -> None:
        """Sync the marked tables, else the current one."""
        app, tables = self._app, self._targets()
        if not tables:
            return
        looks = [app.board.looks.get(table) for table in tables]
        manual = [look.table for look in looks if look is not None and look.mark is not None and look.mark.is_manual]

        def start(request: Request | None) -> None:
            if request is None:
                return
            started = app.runs.start(app.service, request)
            for table in set(tables) - set(started):
                app.say("is being synced already", Severity.WARNING, table)
            app.board.marked.clear()
            app.board.queued = app.runs.waiting
            app.arrange()
            app.show_status()

        self._allowed(lambda: app.push_screen(SyncDialog(app.service, tables, manual, app.equal), start))

    def syncs_done(self) -> None:
        """Every sync that was started has ended: say it once, failures grouped by their cause."""
        outcomes, self.outcomes = self.outcomes, []
        causes: dict[str, list[str]] = {}
        for result in outcomes:
            if result.status is Status.FAILED:
                causes.setdefault((result.error or "").replace(result.table, "…"), []).append(result.table)
        for cause, names in causes.items():
            whose = names[0] if len(names) == 1 else f"{len(names)} tables, first {names[0]}"
            self._app.notify(f"{whose}: {cause}", severity="error", timeout=15)
        good = [result for result in outcomes if result.status is Status.SUCCESS]
        if good:
            rows = sum(result.rows_loaded for result in good)
            extracted = sum(result.rows_extracted for result in good)
            about = f"{wording.count(extracted, 'row')} extracted, {rows:,} loaded"
            self._app.notify(f"✓ {wording.count(len(good), 'table')} synced, {about}")
            if rows:
                self._app.guide(Step.SYNCED)

    def cancel(self) -> None:
        """Stop the syncs of the marked tables, else of the current one, between parts."""
        for table in self._targets():
            if not self._app.runs.cancel(table):
                self._app.say("no sync of this screen works on it; U breaks a dead run's lock", Severity.WARNING, table)

    def unlock(self) -> None:
        """Break the lock of the current table."""
        table = self._app.current
        if table is not None:
            self._allowed(lambda: self._unlock(table))

    def _unlock(self, table: TableName) -> None:
        app, service = self._app, self._app.service
        failed = lambda failure: self._failed(failure, table)  # noqa: E731

        def ask(lock: Heartbeat) -> None:
            lease = lock.lease_id
            if lease is None:
                app.say("nobody holds it", Severity.INFO, table)
                return
            effect = texts(
                str(lock.refusal()),
                "its run, if it is alive, notices within seconds and writes nothing more; the next sync resumes it",
            )

            def do(reason: str | None) -> None:
                if reason is not None:
                    work = lambda: service.locks.unlock(lock, reason=reason or None)  # noqa: E731
                    app.crew.do(work, lambda _: self._told_unlocked(table), failed)

            command = lambda reason: app.equal.command("unlock", lease, "--yes", reason=reason)  # noqa: E731
            required = service.workspace.settings.profile.protected
            typed = lease[-4:]
            title = f"Break the lock of {table}"
            app.push_screen(Ask(title, effect, command, yes="Unlock", typed=typed, reason_required=required), do)

        app.crew.do(lambda: service.workspace.heartbeat(table), ask, failed)

    def _told_unlocked(self, table: TableName) -> None:
        self._app.say("broke the lock", table=table)
        self._read_again([table])

    # Looking and going

    def jump(self) -> None:
        """Go to a table by name."""
        app = self._app
        choices = [(str(table), "") for table in app.board.tables]

        def go(name: str | None) -> None:
            table = found(app.board.tables, name or "")
            if table is not None:
                if table not in app.board.visible():
                    app.board.pattern = ""
                app.arrange(table)
                app.tables_list.focus()
                app.reader.detail()

        app.push_screen(Pick("Jump to a table", choices, current=str(app.current or "")), go)

    def problems(self) -> None:
        """What is wrong, each cause once with its tables."""
        lines: list[Line] = []
        for cause, tables in self._app.board.causes():
            kind = "warn" if cause in ("stale", "never synced") else "bad"
            first, *rest = textwrap.wrap(f"{wording.count(len(tables), 'table')}: {cause}", LOOK_WIDTH) or [""]
            number, _, said = first.partition(": ")
            lines += [[(f"{number}: ", "strong"), (said, kind)], *([(line, kind)] for line in rest)]
            lines += [[(f"  {table}", "")] for table in tables]
        self._app.push_screen(Look("Problems by cause", lines or texts("✓ nothing is wrong", kind="good")))

    def help(self) -> None:
        """Every key, those of the focused pane first."""
        pane, areas = self._app.focused_pane
        here = [action for action in ACTIONS if action.area in areas]
        lines: list[Line] = [
            [(f"in {pane}", "dim")],
            *map(self._help_line, here),
            [("j k g G ↑ ↓ PgUp PgDn Enter", "strong"), ("  move and open, in every list; or the mouse", "")],
            [],
            [("everywhere", "dim")],
            *(self._help_line(action) for action in ACTIONS if action not in here),
            [],
        ]
        lines += texts("statuses: ✓ good  · pending  ▸ running  ! look here  ✗ failed")
        lines += texts("columns: status in MySQL and Redshift, lag and its share of the limit, files")
        self._app.push_screen(Look("Keys", lines))

    def _help_line(self, action: Action) -> Line:
        keys = ", ".join(format_key(key) for key in self._app.keys[action.id].split(","))
        return [(f"{keys:18}", "strong"), (action.title, "")]

    def whole(self, item: object) -> None:
        """Everything about a line, which a pane may be too narrow for."""
        detail = self._app.detail_pane.detail
        title, text = _whole(item, detail.selection.loaded if detail else {})
        lines = [piece for line in text.split("\n") for piece in textwrap.wrap(line, LOOK_WIDTH) or [""]]
        self._app.push_screen(Look(title, texts(*lines)))

    def copy(self) -> None:
        """Copy what the cursor is on."""
        focused = self._app.focused
        current = getattr(focused, "current", None)
        text = _copied(current) if current is not None else None
        if text:
            self._app.copy_to_clipboard(text)
            self._app.notify(f"copied {text[:80]}")

    def save_log(self) -> None:
        """Save what the log shows."""
        path = Path(f"wmtui-{self._stamp()}.log")
        try:
            path.write_text(self._app.log_pane.text(), encoding="utf-8")
        except OSError as error:
            self._failed(UsageError(f"cannot write {path}", error.strerror or "", "start wmtui where you may write"))
        else:
            self._app.notify(f"saved {path.resolve()}")

    def picture(self) -> None:
        """Save what is shown as SVG and PNG, in the folder wmtui was started in."""
        app = self._app
        svg = app.export_screenshot(title=app.picture_title())
        paths = [Path(f"wmtui-{self._stamp()}{suffix}") for suffix in picture.SUFFIXES]

        def save() -> None:
            for path in paths:
                picture.save(svg, path)

        app.crew.do(
            save,
            lambda _: app.notify(f"saved {paths[0].resolve()} and .png"),
            self._failed,
        )

    def theme(self) -> None:
        """Choose a theme; the one under the cursor is shown at once."""
        app, before = self._app, self._app.theme
        available = themes.find()
        for problem in available.problems:
            app.say(problem, Severity.WARNING)

        def show(name: str) -> None:
            if name not in app.available_themes:
                app.register_theme(themes.read(available.files[name]))
            app.theme = name

        def chosen(name: str | None) -> None:
            show(name or before)
            if name is not None:
                try:
                    remember_theme(name)
                except WmtuiError as error:
                    self._failed(error)

        choices = [
            (name, "your own" if path.parent != themes.SHIPPED else "") for name, path in available.files.items()
        ]
        app.push_screen(Pick("Theme", choices, current=before, seen=show), chosen)

    def profile(self) -> None:
        """Switch the profile, or read the present one anew: environment and credentials too."""
        app = self._app
        current = app.service.workspace.settings.profile_name
        if app.start.reopen is None or not app.start.profiles:
            app.say("the demo has one profile", Severity.WARNING)
            return
        if app.runs.busy:
            app.say("wait for the syncs, or cancel them with x: they belong to this profile", Severity.WARNING)
            return

        def chosen(name: str | None) -> None:
            if name is not None:
                self._reopen(name, unlocked=False)

        choices = [(name, "current: read anew" if name == current else "") for name in app.start.profiles]
        app.push_screen(Pick("Profile", choices, current=current), chosen)

    def _reopen(self, name: str, *, unlocked: bool, then: Callable[[], object] | None = None) -> None:
        app = self._app
        assert app.start.reopen is not None
        reopen = app.start.reopen

        def take(service: Service) -> None:
            app.take_service(service, unlocked=unlocked)
            if not unlocked:
                app.say(f"opened profile {name}")
            if then is not None:
                then()

        app.crew.do(lambda: reopen(name), take, self._failed)

    def quit(self) -> None:
        """Leave; while something runs, ask how."""
        app = self._app
        if not app.runs.busy:
            app.leave()
            return
        choices = [
            ("stay", "go on working"),
            ("finish", "leave once every sync has ended"),
            ("abort", "stop them between parts, then leave; the next sync resumes"),
        ]

        def chosen(what: str | None) -> None:
            if what in ("finish", "abort"):
                if what == "abort":
                    app.runs.cancel_all()
                left = len(app.runs.running)
                app.say(f"leaving once {wording.count(left, 'sync')} {'has' if left == 1 else 'have'} ended")
                app.set_interval(0.1, lambda: None if app.runs.busy else app.leave(ExitCode.DONE))

        running = len(app.runs.running) + len(app.runs.waiting)
        app.push_screen(Pick(f"{wording.count(running, 'sync')} under way", choices), chosen)

    # What all of them need

    def _targets(self) -> list[TableName]:
        return self._app.board.targets(self._app.current)

    def _allowed(self, go_on: Callable[[], object]) -> None:
        """Go on where changes are allowed; in a protected profile once its name was typed."""
        app = self._app
        settings = app.service.workspace.settings
        if not app.locked:
            go_on()
            return
        name = settings.profile_name

        def typed(answer: str | None) -> None:
            if answer is not None:
                self._reopen(name, unlocked=True, then=go_on)

        effect = texts(f"{name} is protected: from here on, changes are made to {settings.store.root}", kind="warn")
        command = lambda _: ""  # noqa: E731
        app.push_screen(Ask(f"Change {name}?", effect, command, yes="Unlock", typed=name), typed)

    def _changed(self, action: str, changed: Changed) -> None:
        summary = changed.selection.summary
        self._app.say(f"{action}: {summary}" + (f"; {summary.hint}" if summary.hint else ""), table=changed.mark.table)
        self._read_again([changed.mark.table])

    def _told(self, what: str, mark: Watermark) -> None:
        self._app.say(what, table=mark.table)
        self._read_again([mark.table])

    def _failed(self, failure: Failure, table: TableName | None = None) -> None:
        self._app.say(words(failure), Severity.ERROR, table)
        if table is not None:
            self._read_again([table])

    def _read_again(self, tables: Sequence[TableName]) -> None:
        app = self._app
        app.reader.tables(tables)
        if app.current in tables:
            app.detail_pane.entries = None
            app.reader.detail()

    def _stamp(self) -> str:
        workspace = self._app.service.workspace
        return f"{workspace.settings.profile_name}-{workspace.clock():%Y%m%dT%H%M%SZ}"


def _whole(item: object, loaded: Loads) -> tuple[str, str]:
    """A title, and every word of it."""
    if isinstance(item, Verdict):
        file = item.file
        found = [f"{file.uri}", "", f"{'loaded next' if item.selected else 'left out'}: {explain(item, loaded)}"]
        found += [f"modified {wording.instant(file.last_modified)}, {wording.size(file.size)}, ETag {file.etag}"]
        return "File", "\n".join(found)
    if isinstance(item, Change) and isinstance(item.entry, Entry):
        entry = item.entry
        found = [f"{entry.action} by {entry.actor or 'somebody'}@{entry.host or '?'} at {entry.at or '?'}"]
        found += [f"because: {entry.reason}"] if entry.reason else []
        found += ["", *(f"{name}: {before} → {after}" for name, (before, after) in entry.diff.items())]
        return f"Change {entry.serial or 'made outside'}", "\n".join(found)
    return "Line", _copied(item) or ""


def _copied(item: object) -> str | None:
    """What of a line is worth copying."""
    if isinstance(item, Field):
        return item.value
    if isinstance(item, Verdict):
        return item.file.uri
    if isinstance(item, Change):
        return "".join(text for text, _ in item.line).strip()
    return str(item)

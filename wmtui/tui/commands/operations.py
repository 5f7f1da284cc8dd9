"""What the other keys do: looking, going, saving, the profile and the theme, leaving."""

import textwrap
from pathlib import Path

from wmtui.errors import ExitCode, UsageError, WmtuiError
from wmtui.events import Severity
from wmtui.files.selection import Selection
from wmtui.files.verdicts import Verdict
from wmtui.secrets import redact
from wmtui.service import Entry, TableSeverity
from wmtui.texts import count
from wmtui.tui import image_file, themes
from wmtui.tui.commands.permission import Asking
from wmtui.tui.dialogs.base import texts
from wmtui.tui.dialogs.pick import TEXT_WIDTH, PickDialog, TextDialog
from wmtui.tui.keys.actions import ACTIONS, Action, format_key
from wmtui.tui.panes.detail import Change, Field
from wmtui.tui.state.preferences import remember_theme
from wmtui.tui.state.table_list import found
from wmtui.tui.widgets.cells import Line
from wmtui.words import values


class Operations(Asking):
    """Looking, going, saving, leaving."""

    def jump(self) -> None:
        """Go to a table by name."""
        app = self._app
        choices = [(str(table), "") for table in app.table_state.tables]

        def go(name: str | None) -> None:
            table = found(app.table_state.tables, name or "")
            if table is not None:
                if table not in app.table_state.visible():
                    app.table_state.pattern = ""
                app.arrange(table)
                app.tables_list.focus()
                app.reader.detail()

        app.push_screen(PickDialog("Jump to a table", choices, current=str(app.current or "")), go)

    def problems(self) -> None:
        """What is wrong, each cause once with its tables."""
        lines: list[Line] = []
        app = self._app
        for cause, tables in app.table_state.causes():
            severities = {app.table_state.looks[table].status.severity for table in tables}
            kind = "bad" if TableSeverity.ERROR in severities else "warn"
            number = f"{count(len(tables), 'table')}: "
            first, *rest = textwrap.wrap(cause, TEXT_WIDTH, initial_indent=" " * len(number)) or [number]
            lines += [[(number, "strong"), (first[len(number) :], kind)], *([(line, kind)] for line in rest)]
            lines += [[(f"  {table}", "")] for table in tables]
        self._app.push_screen(TextDialog("Problems by cause", lines or texts("✓ nothing is wrong", kind="good")))

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
        self._app.push_screen(TextDialog("Keys", lines))

    def _help_line(self, action: Action) -> Line:
        keys = ", ".join(format_key(key) for key in self._app.keys[action.id].split(","))
        return [(f"{keys:18}", "strong"), (action.title, "")]

    def whole(self, item: object) -> None:
        """Everything about a line, which a pane may be too narrow for."""
        detail = self._app.detail_pane.detail
        title, text = _whole(item, detail.selection if detail else None)
        lines = [piece for line in text.split("\n") for piece in textwrap.wrap(line, TEXT_WIDTH) or [""]]
        self._app.push_screen(TextDialog(title, texts(*lines)))

    def copy(self) -> None:
        """Copy what the cursor is on."""
        focused = self._app.focused
        current = getattr(focused, "current", None)
        text = _copied(current) if current is not None else None
        if text:
            self._app.copy_to_clipboard(redact(text))
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
        paths = [Path(f"wmtui-{self._stamp()}{suffix}") for suffix in image_file.SUFFIXES]

        def save() -> None:
            for path in paths:
                image_file.save(svg, path)

        app.background.do(
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
        app.push_screen(PickDialog("Theme", choices, current=before, seen=show), chosen)

    def profile(self) -> None:
        """Switch the profile, or read the present one anew: environment and credentials too."""
        app = self._app
        current = app.service.workspace.settings.profile_name
        if app.start.reopen is None or not app.start.profiles:
            app.say("the demo has one profile", Severity.WARNING)
            return
        if app.sync_queue.busy:
            app.say("wait for the syncs, or cancel them with x: they belong to this profile", Severity.WARNING)
            return

        def chosen(name: str | None) -> None:
            if name is not None:
                self._reopen(name, unlocked=False)

        choices = [(name, "current: read anew" if name == current else "") for name in app.start.profiles]
        app.push_screen(PickDialog("Profile", choices, current=current), chosen)

    def quit(self) -> None:
        """Leave; while something runs, ask how."""
        app = self._app
        if not app.sync_queue.busy:
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
                    app.sync_queue.cancel_all()
                left = len(app.sync_queue.running)
                app.say(f"leaving once {count(left, 'sync')} {'has' if left == 1 else 'have'} ended")
                app.set_interval(0.1, lambda: None if app.sync_queue.busy else app.leave(ExitCode.DONE))

        running = len(app.sync_queue.running) + len(app.sync_queue.waiting)
        app.push_screen(PickDialog(f"{count(running, 'sync')} under way", choices), chosen)

    def _stamp(self) -> str:
        workspace = self._app.service.workspace
        return f"{workspace.settings.profile_name}-{workspace.clock():%Y%m%dT%H%M%SZ}"


def _whole(item: object, selection: Selection | None) -> tuple[str, str]:
    """A title, and every word of it."""
    if isinstance(item, Verdict) and selection is not None:
        file = item.file
        found = [f"{file.uri}", "", f"{item.outcome}: {selection.explain(item)}"]
        found += [f"modified {values.instant(file.last_modified)}, {values.size(file.size)}, ETag {file.etag}"]
        return "File", values.printable("\n".join(found))
    if isinstance(item, Change) and isinstance(item.entry, Entry):
        entry = item.entry
        found = [f"{entry.action} by {entry.actor or 'somebody'}@{entry.host or '?'} at {entry.at or '?'}"]
        found += [f"because: {entry.reason}"] if entry.reason else []
        found += ["", *(f"{name}: {before} → {after}" for name, (before, after) in entry.diff.items())]
        return f"Change {entry.serial or 'made outside'}", values.printable("\n".join(found))
    return "Line", values.printable(_copied(item) or "")


def _copied(item: object) -> str | None:
    """What of a line is worth copying."""
    if isinstance(item, Field):
        return item.value
    if isinstance(item, Verdict):
        return item.file.uri
    if isinstance(item, Change):
        return "".join(text for text, _ in item.line).strip()
    return str(item)

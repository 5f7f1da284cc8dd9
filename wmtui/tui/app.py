"""The application wires keys, panes, readers and themes together; what keys do is in `commands`."""

import asyncio
import gc
import time
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, TypeVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.command import CommandPalette
from textual.containers import Horizontal
from textual.events import Resize
from textual.screen import Screen
from textual.scrollbar import ScrollBar, ScrollBarRender
from textual.theme import Theme
from textual.widgets import Footer, Input

from wmtui.errors import ExitCode, WmtuiError
from wmtui.events import Severity
from wmtui.model import TableName
from wmtui.service import Service
from wmtui.tui import themes
from wmtui.tui.background import Background, WorkDone
from wmtui.tui.cli_equivalent import CliEquivalent
from wmtui.tui.commands.list_tables import apply_pattern, end_pattern
from wmtui.tui.commands.palette import ActionProvider, open_palette
from wmtui.tui.commands.show_detail import open_tab, show_line
from wmtui.tui.dialogs.base import Dialog
from wmtui.tui.keys.actions import ACTION_BY_ID, ACTIONS
from wmtui.tui.keys.key_queue import KeyQueueApp
from wmtui.tui.panes.detail import DetailPane, Tabs
from wmtui.tui.panes.log import LogPane
from wmtui.tui.panes.main_screen import MainScreen
from wmtui.tui.panes.prompt import Prompt
from wmtui.tui.panes.status_bar import StatusBarState, status_line
from wmtui.tui.panes.tables import TablesPane
from wmtui.tui.panes.walkthrough import WalkthroughLine
from wmtui.tui.refresh import SETTLE_SECONDS, TableReader
from wmtui.tui.screenshot import Screenshot
from wmtui.tui.shell import Command
from wmtui.tui.start import Start
from wmtui.tui.state.preferences import keymap
from wmtui.tui.state.sync_queue import SyncQueue
from wmtui.tui.state.table_list import SortOrder, TableListState
from wmtui.tui.sync_events import SyncEvents
from wmtui.tui.widgets.cells import StaticLines, plain
from wmtui.tui.widgets.line_list import LineList
from wmtui.tui.widgets.list_items import LogLine

COLLECT_SECONDS = 30.0
"""How often garbage is collected while nobody types; it stops everything for a moment."""
_BUSY_FACTOR = 20
"""So much longer it waits while keys are typed."""
FLUSH_SECONDS = 0.1
"""How often what threads report is taken, however much they report."""

_T = TypeVar("_T")


class _PlainScrollBar(ScrollBarRender):
    """Scrollbars whose ends are not drawn with fractions of a cell."""

    VERTICAL_BARS: ClassVar[list[str]] = [" "]
    HORIZONTAL_BARS: ClassVar[list[str]] = [" "]


class WmtuiApp(KeyQueueApp[int]):
    """The screen of one profile at a time, and the `Shell` of its commands. clock: monotonic seconds."""

    TITLE = "wmtui"
    CSS_PATH = "app.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [action.binding for action in ACTIONS]
    COMMANDS: ClassVar[set[Any]] = {ActionProvider}
    ENABLE_COMMAND_PALETTE = False
    """Textual would bind its own key; ours is an action like the others."""

    main: MainScreen
    actions = ACTIONS

    def __init__(self, start: Start, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self.start = start
        self.service = start.service
        self.clock = clock
        self.background = Background(self)
        self.sync_queue = SyncQueue()
        order = SortOrder.CONFIGURED if start.picture is None else SortOrder.URGENCY
        self.table_state = TableListState(self.service.workspace.settings, order=order)
        self.reader = TableReader(self, self.give_way, self.take_news)
        self.sync_events = SyncEvents(self)
        self.screenshot = None if start.picture is None else Screenshot(self, self.reader, start.picture)
        self.locked = self.service.workspace.settings.profile.protected
        self.keys = {action.id: action.keys for action in ACTIONS}
        self._running_loop: asyncio.AbstractEventLoop | None = None
        self._collected = self.clock()
        self.set_class(start.ascii_only, "ascii")
        ScrollBar.renderer = _PlainScrollBar if start.ascii_only else ScrollBarRender
        theme, self._theme_problems = themes.choose(start.theme)
        self.show_theme(theme)

    def get_default_screen(self) -> Screen[Any]:
        """The screen that holds the panes."""
        self.main = MainScreen(id="_default")
        return self.main

    def compose(self) -> ComposeResult:
        """Status, walkthrough, panes, prompt, footer."""
        yield StaticLines(id="status")
        yield WalkthroughLine(active=self.start.walkthrough)
        with Horizontal(id="top"):
            yield TablesPane(self.table_state, self.clock)
            yield DetailPane()
        yield LogPane()
        yield Prompt()
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        """Show what is known without asking anybody, then ask."""
        keys, problems = keymap(set(self.keys))
        self.keys.update(keys)
        self.set_keymap(keys)
        for problem in (*self._theme_problems, *problems, *self.service.workspace.settings.warnings):
            self.say(problem, Severity.WARNING)
        self._running_loop = asyncio.get_running_loop()
        self.arrange(self.start.table or next(iter(self.table_state.tables), None))
        self.main.tables_pane.lines.focus()
        self.set_interval(FLUSH_SECONDS, self.take_news)
        self.set_interval(1.0, self._tick)
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        """Ask, once the first frame is there: threads would take processor time from it."""
        self.reader.tables()
        self.reader.settle()

    # What commands ask for; see `Shell`

    @property
    def current(self) -> TableName | None:
        """The table under the cursor."""
        return self.main.tables_pane.current

    @property
    def cli(self) -> CliEquivalent:
        """Writes equivalent commands, of this profile."""
        options = self.start.options
        settings = self.service.workspace.settings
        profile = () if "--demo" in options else ("--profile", settings.profile_name)
        return CliEquivalent((*options, *(profile if settings.named or settings.profile.protected else ())))

    @property
    def theme_name(self) -> str:
        """The theme that is shown."""
        return self.theme

    def show_theme(self, theme: Theme) -> None:
        """Draw everything in a theme."""
        self.register_theme(theme)
        self.theme = theme.name

    async def open_dialog(self, dialog: Dialog[_T]) -> _T | None:
        """Show a dialog and wait for its answer; None where it was left with Escape."""
        dialog.background = self.background
        return await self.push_screen_wait(dialog)

    def run_command(self, command: Command) -> None:
        """Run a command; one that waits goes on beside the keys that follow."""
        waiting = command(self)
        if waiting is not None:
            self.run_worker(waiting)

    def open_palette(self) -> None:
        """Show the command palette."""
        self.push_screen(CommandPalette(id="--command-palette"))

    def say(self, text: str, severity: Severity = Severity.INFO, table: TableName | None = None) -> None:
        """A line in the log; warnings and errors as a toast too."""
        name = "" if table is None else str(table)
        self.main.log_pane.add([LogLine(self.service.workspace.clock(), severity, name, text)])
        if severity in (Severity.WARNING, Severity.ERROR) and not self.is_headless:
            self.notify(text, severity="warning" if severity is Severity.WARNING else "error")

    def notify(self, message: str, **options: Any) -> None:
        """A toast; nothing in it is markup, or a command to the terminal."""
        super().notify(plain(message, self.has_class("ascii")), markup=False, **options)

    def arrange(self, current: TableName | None = None) -> None:
        """Sort and filter the list again. current: the table for the cursor; None: it stays on its table."""
        self.main.tables_pane.show_tables(self.table_state, current)

    def show_status(self) -> None:
        """Draw the first line again."""
        reader, workspace = self.reader, self.service.workspace
        state = StatusBarState(
            seen=reader.age,
            offline=reader.offline,
            retry=reader.retry,
            reading=reader.busy,
            read_only=workspace.read_only,
            locked=self.locked,
        )
        stamp = "" if self.screenshot is None else f"{workspace.author.host}  {workspace.clock():%Y-%m-%d %H:%M:%S} UTC"
        width = max(20, self.size.width - 2)
        self.main.status_bar.show([status_line(workspace.settings, self.table_state, state, width, stamp)])

    def read_all(self) -> None:
        """Read every table, and the current one in detail."""
        self.reader.tables()
        self.reader.detail()

    def read_again(self, tables: Sequence[TableName]) -> None:
        """Read tables that were changed, and what the detail pane shows if it is one of them."""
        self.reader.tables(tables)
        if self.current in tables:
            self.main.detail_pane.entries = None
            self.reader.detail()

    def read_detail(self, after_seconds: float = 0.0) -> None:
        """Read the current table in detail, unless the cursor moves on before."""
        if after_seconds:
            self.reader.settle(after_seconds)
        else:
            self.reader.detail()

    def read_history(self) -> None:
        """Read the changes of the current table."""
        self.reader.history()

    def take_service(self, service: Service, *, unlocked: bool) -> None:
        """Show another profile, or the same one opened again: nothing that was read counts any more."""
        settings, before = service.workspace.settings, self.table_state
        self.service = service
        self.locked = settings.profile.protected and not unlocked
        self.table_state = TableListState(settings, order=before.order)
        if settings.profile_name == before.settings.profile_name:
            self.table_state.marked = before.marked & set(self.table_state.tables)
        self.reader.forget()
        self.main.detail_pane.begin(None)
        self.arrange()
        self.show_status()
        self._begin()

    def leave(self, code: int = ExitCode.DONE) -> None:
        """End the screen with an exit code; the terminal is restored."""
        self.reader.stop()
        self.exit(int(code))

    # What threads and clocks report

    def take_news(self) -> None:
        """Show what threads reported since the last time."""
        if not self.is_running:  # The screen is being taken down, its widgets first.
            return
        changed = self.reader.take() | self.sync_events.take()
        if changed:
            self.arrange()
            self.show_status()
        elif self.table_state.running:
            self.main.tables_pane.lines.redraw()
        self.sync_events.announce_end()
        if self.screenshot is not None:
            self.screenshot.take_when_complete()

    @on(WorkDone)
    def _resume(self, message: WorkDone) -> None:
        if self.is_running:
            message.resume()

    def _tick(self) -> None:
        """Once a second: ages grow, and what is old is read again."""
        if not self.is_running:
            return
        self.show_status()
        self._collect_garbage(self.clock())
        if self.screenshot is None:
            self.reader.grow_older()
            self.reader.renew()

    def _collect_garbage(self, now: float) -> None:
        if now - self._collected >= COLLECT_SECONDS * (1 if self.quiet else _BUSY_FACTOR):
            gc.collect()
            self._collected = now

    def terminated(self, number: int) -> None:
        """End the screen because of a signal; called by a thread of its own."""
        self.sync_queue.cancel_all()
        if self._running_loop is not None:
            self._running_loop.call_soon_threadsafe(self.leave, 128 + number)

    @property
    def failure(self) -> WmtuiError | None:
        """Why the picture of `--screenshot` could not be made."""
        return None if self.screenshot is None else self.screenshot.failure

    # Keys, clicks and sizes

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Changes are off, and greyed, where they are refused; the footer offers no palette over a dialog."""
        if action == "command":
            chosen = ACTION_BY_ID[str(parameters[0])]
            if chosen.changes and self.service.workspace.read_only:
                return None
            if chosen.command is open_palette and self.screen.is_modal:
                return False
        return super().check_action(action, parameters)

    def action_command(self, action_id: str) -> None:
        """Do what a key stands for."""
        self.run_command(ACTION_BY_ID[action_id].command)

    @on(LineList.Moved, "#table-list")
    def _read_when_settled(self) -> None:
        self.read_detail(after_seconds=SETTLE_SECONDS)

    @on(LineList.Opened, "#fields, #file-list, #changes, #log-lines")
    def _show_line(self, message: LineList.Opened) -> None:
        item = message.list.current
        self.run_command(lambda shell: show_line(shell, item))

    @on(Tabs.Chosen)
    def _open_tab(self, message: Tabs.Chosen) -> None:
        open_tab(self, message.tab)

    @on(Input.Changed, "#prompt")
    def _apply_pattern(self, message: Input.Changed) -> None:
        apply_pattern(self, message.value)

    @on(Input.Submitted, "#prompt")
    def _end_pattern(self) -> None:
        end_pattern(self)

    def on_resize(self, _: Resize) -> None:
        """More, or less, fits into the first line."""
        self.show_status()

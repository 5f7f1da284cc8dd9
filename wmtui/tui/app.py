"""The application: three panes, a status bar, a footer. It reads and changes everything through `service`."""

import asyncio
import gc
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

from msgspec import Struct
from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.events import Resize
from textual.reactive import Reactive
from textual.screen import Screen
from textual.scrollbar import ScrollBar, ScrollBarRender
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Footer, Input

from wmtui.errors import ConfigError, ExitCode, WmtuiError
from wmtui.events import Event, Message, Phase, Progress, Severity, TableResult
from wmtui.model import TableName
from wmtui.service import Service
from wmtui.service.progress import TableProgress
from wmtui.tui import themes
from wmtui.tui.background import Background, Failure, Ready
from wmtui.tui.cli_equivalent import CliEquivalent
from wmtui.tui.commands.edits import Edits
from wmtui.tui.commands.operations import Operations
from wmtui.tui.commands.palette import Commands
from wmtui.tui.commands.syncs import Syncs
from wmtui.tui.keys.actions import ACTIONS, CHANGES
from wmtui.tui.keys.key_queue import KeyQueueApp
from wmtui.tui.panes import detail
from wmtui.tui.panes.detail import DetailPane
from wmtui.tui.panes.log import LogPane, as_line
from wmtui.tui.panes.status_bar import StatusBarState, status_line
from wmtui.tui.refresh import TYPED_SECONDS, TableReader
from wmtui.tui.state.preferences import keymap, remembered_theme
from wmtui.tui.state.sync_queue import SyncQueue
from wmtui.tui.state.table_list import SortOrder, TableListState
from wmtui.tui.state.walkthrough import Step, Walkthrough
from wmtui.tui.widgets.cells import Line, StaticLines, plain, set_title
from wmtui.tui.widgets.line_list import LineList
from wmtui.tui.widgets.list_items import LogLine, table_header, table_line

COLLECT_SECONDS = 30.0
"""How often garbage is collected while nobody types."""
FLUSH_SECONDS = 0.1


class Start(Struct):
    """How the screen is opened.

    reopen: reads configuration, environment and credentials anew, for a profile by name. profiles: those there are.
    options: of equal commands. walkthrough: the table the demo begins with. picture: where to save one, then leave.
    """

    service: Service
    reopen: Callable[[str], Service] | None = None
    profiles: Sequence[str] = ()
    options: tuple[str, ...] = ()
    theme: str | None = None
    ascii_only: bool = False
    walkthrough: bool = False
    table: TableName | None = None
    picture: Path | None = None


class TableHeading(StaticLines):
    """The names of the columns, over the list of tables and as wide as its lines."""

    def __init__(self) -> None:
        super().__init__(id="header")

    def render_line(self, y: int) -> Strip:
        """The names."""
        self._lines = [table_header(self.app.query_one("#table-list", LineList).line_width)]
        return super().render_line(y)


class _PlainScrollBar(ScrollBarRender):
    """Scrollbars whose ends are not drawn with fractions of a cell."""

    VERTICAL_BARS: ClassVar[list[str]] = [" "]
    HORIZONTAL_BARS: ClassVar[list[str]] = [" "]


class Main(Screen[None]):
    """The screen behind all dialogs."""

    focused: Reactive[Widget | None] = Reactive(None, repaint=False)
    """Textual draws everything anew when the focus moves; the two panes concerned do that for themselves."""


class WmtuiApp(KeyQueueApp[int]):
    """The screen of one profile at a time. clock: monotonic seconds, for ages and rates."""

    TITLE = "wmtui"
    CSS_PATH = "app.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [action.binding for action in ACTIONS]
    COMMANDS: ClassVar[set[Any]] = {Commands}
    ENABLE_COMMAND_PALETTE = True

    def __init__(self, start: Start, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self.start = start
        self.service = start.service
        self.clock = clock
        self.background = Background(self)
        self.sync_queue = SyncQueue()
        self.table_state = TableListState(self.service.workspace.settings)
        self.edits = Edits(self)
        self.syncs = Syncs(self)
        self.operations = Operations(self)
        self.reader = TableReader(self)
        self.locked = self.service.workspace.settings.profile.protected
        self.keys = {action.id: action.keys for action in ACTIONS}
        """The keys of every action, the user's own included."""
        self._running_loop: asyncio.AbstractEventLoop | None = None
        self._collected = self.clock()
        self._log_prompt = False
        self._walkthrough = Walkthrough() if start.walkthrough else None
        self._pictured = False
        self._not_saved: WmtuiError | None = None
        if start.picture is not None:
            self.table_state.order = SortOrder.URGENCY
        self.set_class(start.ascii_only, "ascii")
        ScrollBar.renderer = _PlainScrollBar if start.ascii_only else ScrollBarRender
        self.theme_problems = self._choose_theme()

    def _choose_theme(self) -> list[str]:
        """The theme asked for, else the one remembered, else ours; the first must exist."""
        if self.start.theme is not None:
            self.register_theme(themes.read(themes.path_of(self.start.theme)))
            self.theme = self.start.theme
            return []
        problems = []
        for name in (remembered_theme() or themes.DEFAULT, themes.DEFAULT):
            try:
                self.register_theme(themes.read(themes.path_of(name)))
            except ConfigError as error:
                problems.append(error.in_one_line)
            else:
                self.theme = name
                return problems
        return problems

    def get_default_screen(self) -> Screen[Any]:
        """The panes."""
        return Main(id="_default")

    def compose(self) -> ComposeResult:
        """Status, walkthrough, panes, prompt, footer."""
        yield StaticLines(id="status")
        yield StaticLines(id="walkthrough")
        with Horizontal(id="top"):
            with Vertical(id="tables", classes="pane"):
                yield TableHeading()
                yield LineList(self._table_line, empty="no table matches: Esc shows all", id="table-list")
            yield DetailPane()
        yield LogPane()
        yield Input(id="prompt")
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        """Show what is known without asking anybody, then ask."""
        keys, problems = keymap({action.id for action in ACTIONS})
        self.keys.update(keys)
        self.set_keymap(keys)
        for problem in (*self.theme_problems, *problems, *self.service.workspace.settings.warnings):
            self.say(problem, Severity.WARNING)
        self._running_loop = asyncio.get_running_loop()
        self.arrange(self.start.table or self._first_table())
        self.tables_list.focus()
        self.set_interval(FLUSH_SECONDS, self.take_news)
        self.set_interval(1.0, self._tick)
        self._show_guide()
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        """Ask, once the first frame is there: threads would take processor time from it."""
        self.reader.tables()
        self._settle()

    # What is shown

    @property
    def tables_list(self) -> LineList:
        """The list of tables."""
        return self.screen_stack[0].query_one("#table-list", LineList)

    @property
    def detail_pane(self) -> DetailPane:
        """The pane of one table."""
        return self.screen_stack[0].query_one(DetailPane)

    @property
    def log_pane(self) -> LogPane:
        """The sync log."""
        return self.screen_stack[0].query_one(LogPane)

    @property
    def current(self) -> TableName | None:
        """The table under the cursor."""
        table = self.tables_list.current
        return table if isinstance(table, TableName) else None

    @property
    def equal(self) -> CliEquivalent:
        """Makes the equal commands of this profile."""
        options = self.start.options
        settings = self.service.workspace.settings
        named = () if "--demo" in options else ("--profile", settings.profile_name)
        return CliEquivalent((*options, *(named if settings.named or settings.profile.protected else ())))

    def say(self, text: str, severity: Severity = Severity.INFO, table: TableName | None = None) -> None:
        """A line in the log; warnings and errors as a toast too."""
        about = "" if table is None else str(table)
        self.log_pane.add([LogLine(self.service.workspace.clock(), severity, about, text)])
        if severity in (Severity.WARNING, Severity.ERROR) and not self.is_headless:
            self.notify(text, severity="warning" if severity is Severity.WARNING else "error")

    def notify(self, message: str, **options: Any) -> None:
        """A toast; nothing in it is markup, or a command to the terminal."""
        super().notify(plain(message, self.has_class("ascii")), markup=False, **options)

    def arrange(self, current: TableName | None = None) -> None:
        """SortOrder and filter the list anew; the cursor stays on its table where that is still shown."""
        current = current or self.current
        visible = self.table_state.visible()
        at = visible.index(current) if current in visible else min(self.tables_list.cursor, max(0, len(visible) - 1))
        self.tables_list.show(visible, at)
        self._titles(len(visible))

    def _titles(self, shown: int) -> None:
        table_state, pane = self.table_state, self.screen_stack[0].query_one("#tables")
        total = len(table_state.tables)
        count = f"{shown:,} of {total:,}" if shown != total else f"{total:,}"
        parts = [
            f"/{table_state.pattern}" if table_state.pattern else "",
            _marks(len(table_state.marked), len(table_state.marked - set(table_state.visible()))),
            "" if table_state.order is SortOrder.CONFIGURED else table_state.order.value,
            count,
        ]
        set_title(pane, "1 Tables", " · ".join(part for part in parts if part))

    def _table_line(self, table: TableName, width: int) -> Line:
        return table_line(self.table_state, table, self.clock(), width)

    def show_status(self) -> None:
        """Draw the first line anew."""
        reader = self.reader
        situation = StatusBarState(
            seen=reader.age,
            offline=reader.why,
            retry=reader.retry,
            reading=reader.busy,
            read_only=self.service.workspace.read_only,
            locked=self.locked,
        )
        plate = self.screen_stack[0].query_one("#status", StaticLines)
        stamp = ""
        if self.start.picture is not None:
            author = self.service.workspace.author
            stamp = f"{author.host}  {self.service.workspace.clock():%Y-%m-%d %H:%M:%S} UTC"
        width = max(20, self.size.width - 2)
        plate.show([status_line(self.service.workspace.settings, self.table_state, situation, width, stamp)])

    def _show_guide(self) -> None:
        plate = self.screen_stack[0].query_one("#walkthrough", StaticLines)
        plate.display = self._walkthrough is not None
        if self._walkthrough is not None:
            plate.show([[("demo ", "strong"), (self._walkthrough.text, "")]])

    def walkthrough(self, step: Step) -> None:
        """Something of the demo's round was done."""
        if self._walkthrough is not None:
            self._walkthrough.done(step)
            self._show_guide()

    def _first_table(self) -> TableName | None:
        """The demo begins where the reader is led: the first table, which loads nothing."""
        return self.table_state.tables[0] if self.table_state.tables else None

    def on_resize(self, _: Resize) -> None:
        """More, or less, fits into the line at the top."""
        self.show_status()

    # What threads tell

    def take_news(self) -> None:
        """Take in what threads told since the last time; at most ten times a second, whatever they tell."""
        if not self.is_running:  # The screen is being taken down, its widgets first.
            return
        changed = self.reader.take() | self._take_events()
        if changed:
            self.arrange()
            self.show_status()
        elif self.table_state.running:
            self.tables_list.redraw()
        if self.syncs.outcomes and not (self.sync_queue.busy or self.sync_queue.events):
            self.syncs.done()
        self._picture_when_complete()

    def _take_events(self) -> bool:
        events, lines = self.sync_queue.events, []
        if not events and not self.table_state.queued:
            return False
        names = {str(table): table for table in self.table_state.tables} if events else {}
        ended: list[TableName] = []
        while events:
            event = events.popleft()
            line = as_line(event, self.service.workspace.clock())
            if line is not None:
                lines.append(line)
            table = names.get(event.table)
            if table is not None:
                self._take_event(table, event)
                if isinstance(event, TableResult):
                    ended.append(table)
        self.table_state.queued = self.sync_queue.waiting
        self.log_pane.add(lines)
        if ended:
            self._syncs_ended(ended)
        return True

    def _take_event(self, table: TableName, event: Event) -> None:
        running = self.table_state.running
        if isinstance(event, TableResult):
            running.pop(table, None)
            self.syncs.outcomes.append(event)
        elif isinstance(event, Progress):
            now = self.clock()
            running.setdefault(table, TableProgress(event, now, now)).advance(event, now)
        elif isinstance(event, Message) and table in self.sync_queue.running:
            now = self.clock()
            running.setdefault(table, TableProgress(Progress(str(table), Phase.STARTING), now, now))

    def _syncs_ended(self, tables: list[TableName]) -> None:
        self.reader.tables(tables)
        if self.current in tables:
            self.reader.detail()

    def _tick(self) -> None:
        """Once a second: ages grow, and what is old is read anew."""
        if not self.is_running:
            return
        self.show_status()
        self._collect_garbage(self.clock())
        if self.start.picture is None:
            self.reader.grow_older()
            self.reader.renew()

    def _collect_garbage(self, now: float) -> None:
        """All of it stops everything for a moment; nobody notices while nobody types."""
        age = now - self._collected
        if age >= COLLECT_SECONDS * (1 if self.quiet else 20):
            gc.collect()
            self._collected = now

    @on(LineList.Moved, "#table-list")
    def _settle(self) -> None:
        self.reader.settle()

    @on(Ready)
    def _continue(self, message: Ready) -> None:
        if self.is_running:
            message.go_on()

    # Keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Changes are off, and greyed, where they are refused."""
        if action in CHANGES and self.service.workspace.read_only:
            return None
        if action == "command_palette" and self.screen.is_modal:
            return False
        return super().check_action(action, parameters)

    def action_pane(self, number: int) -> None:
        """Focus a pane."""
        targets = {1: self.tables_list, 2: self.detail_pane.lines, 3: self.log_pane.lines}
        targets[number].focus()

    @property
    def focused_pane(self) -> tuple[str, tuple[str, ...]]:
        """Its name, and the areas of the actions that belong there."""
        if self.focused is self.log_pane.lines:
            return "3 Sync log", ("Log", "Sync")
        if self.focused is self.detail_pane.lines:
            return "2 Watermark", ("Watermark", "Files", "History")
        return "1 Tables", ("Tables", "Sync", "Watermark")

    def action_tab(self, tab: str) -> None:
        """Open a tab of the detail pane."""
        self.detail_pane.open(tab)
        if tab == "history" and self.detail_pane.entries is None:
            self.reader.history()
        if tab == "files":
            self.walkthrough(Step.WHY_SEEN)

    def action_next_tab(self, by: int) -> None:
        """The tab beside the open one."""
        tabs = detail.TABS
        self.action_tab(tabs[(tabs.index(self.detail_pane.tab) + by) % len(tabs)])

    @on(detail.Tabs.Chosen)
    def _tab_clicked(self, message: detail.Tabs.Chosen) -> None:
        self.action_tab(message.tab)

    @on(LineList.Opened, "#table-list")
    def _table_opened(self) -> None:
        self.detail_pane.lines.focus()

    @on(LineList.Opened, "#fields, #file-list, #changes, #log-lines")
    def _line_opened(self, message: LineList.Opened) -> None:
        self.operations.whole(message.list.current)

    @on(LineList.Moved, "#log-lines")
    def _log_moved(self, message: LineList.Moved) -> None:
        pane = self.log_pane
        pane.follow(message.list.cursor >= len(message.list.items) - 1)

    def action_kept(self) -> None:
        """Other files."""
        self.action_tab("files")
        self.detail_pane.toggle_kept()

    def action_zoom(self) -> None:
        """The focused pane alone, or all of them again."""
        screen = self.screen
        zoomed = screen.query(".zoomed-pane")
        if zoomed:
            zoomed.remove_class("zoomed-pane")
            screen.remove_class("zoomed")
        elif self.focused is not None:
            for node in self.focused.ancestors_with_self:
                if getattr(node, "id", None) in ("tables", "detail", "log", "top"):
                    node.add_class("zoomed-pane")
            screen.add_class("zoomed")

    def action_order(self) -> None:
        """The next order."""
        orders = list(SortOrder)
        self.table_state.order = orders[(orders.index(self.table_state.order) + 1) % len(orders)]
        self.arrange()

    def action_mark(self) -> None:
        """Mark the table under the cursor, or unmark it; then the next one."""
        table = self.current
        if table is not None:
            self.table_state.marked ^= {table}
            self.arrange()
            self.tables_list.action_move(1)

    def action_mark_all(self) -> None:
        """Mark every table shown; if they are marked, none."""
        shown = set(self.table_state.visible())
        self.table_state.marked = set() if self.table_state.marked >= shown else self.table_state.marked | shown
        self.arrange()

    def action_refresh(self) -> None:
        """Read everything anew."""
        self.reader.tables()
        self.reader.detail()

    def action_filter(self) -> None:
        """Narrow the tables, or search the log if that has the focus."""
        self._log_prompt = self.focused is self.log_pane.lines
        prompt = self.screen.query_one("#prompt", Input)
        self._show_prompt(True)
        prompt.placeholder = "search the log" if self._log_prompt else "filter tables by name, mode or problem"
        prompt.value = self.log_pane.pattern if self._log_prompt else self.table_state.pattern
        prompt.focus()

    def _show_prompt(self, on: bool) -> None:
        """It takes the footer's line, so that nothing else moves."""
        self.screen.query_one("#prompt", Input).display = on
        self.screen.query_one(Footer).display = not on

    @on(Input.Changed, "#prompt")
    def _narrowed(self, message: Input.Changed) -> None:
        if self._log_prompt:
            self.log_pane.search(message.value)
        elif message.value != self.table_state.pattern:
            self.table_state.pattern = message.value
            self.arrange()
            self.reader.settle(TYPED_SECONDS)

    @on(Input.Submitted, "#prompt")
    def _narrowed_enough(self) -> None:
        self._show_prompt(False)
        (self.log_pane.lines if self._log_prompt else self.tables_list).focus()

    async def action_back(self) -> None:
        """Out of the prompt, the zoom, the detail; then of the filter, the marks, the walkthrough."""
        prompt = self.screen.query_one("#prompt", Input)
        if prompt.display:
            prompt.value = ""
            self._narrowed_enough()
        elif self.screen.has_class("zoomed"):
            self.action_zoom()
        elif self.focused is not self.tables_list:
            self.tables_list.focus()
        elif self.table_state.pattern:
            self.table_state.pattern = ""
            self.arrange()
        elif self.table_state.marked:
            self.table_state.marked = set()
            self.arrange()
        elif self._walkthrough is not None:
            self._walkthrough = None
            self._show_guide()

    def action_follow(self) -> None:
        """Follow the log, or stop following."""
        self.log_pane.follow(not self.log_pane.following)

    def action_level(self) -> None:
        """Hide less severe lines."""
        self.log_pane.louder()

    async def action_quit(self) -> None:
        """Leave; ask first while something runs."""
        self.operations.quit()

    def leave(self, code: int = ExitCode.DONE) -> None:
        """End the screen; the terminal is restored."""
        self.reader.stop()
        self.exit(int(code))

    def terminated(self, number: int) -> None:
        """A signal says that the screen is to end; called by a thread of its own."""
        self.sync_queue.cancel_all()
        if self._running_loop is not None:
            self._running_loop.call_soon_threadsafe(self._leave_by_signal, number)

    def _leave_by_signal(self, number: int) -> None:
        self.leave(128 + number)

    def action_sync(self) -> None:
        """Ask which sync, then start it."""
        self.syncs.sync()

    def action_edit(self) -> None:
        """Place watermarks by hand."""
        self.edits.edit()

    def action_undo(self) -> None:
        """Take the last change back."""
        self.edits.undo()

    def action_restore(self) -> None:
        """Go back to an entry of the history."""
        self.edits.restore()

    def action_reset(self) -> None:
        """Make tables new again."""
        self.edits.reset()

    def action_pin(self) -> None:
        """Pin the watermark, or unpin it."""
        self.edits.pin()

    def action_system(self) -> None:
        """Move the system watermark."""
        self.edits.system()

    def action_cancel(self) -> None:
        """Stop syncs between parts."""
        self.syncs.cancel()

    def action_unlock(self) -> None:
        """Break a dead run's lock."""
        self.syncs.unlock()

    def action_jump(self) -> None:
        """Go to a table by name."""
        self.operations.jump()

    def action_problems(self) -> None:
        """What is wrong, each cause once."""
        self.operations.problems()

    def action_copy(self) -> None:
        """Copy the line under the cursor."""
        self.operations.copy()

    def action_save_log(self) -> None:
        """Save the log."""
        self.operations.save_log()

    def action_profile(self) -> None:
        """Switch the profile."""
        self.operations.profile()

    def action_theme(self) -> None:
        """Choose a theme."""
        self.operations.theme()

    def action_picture(self) -> None:
        """Save a picture of the screen."""
        self.operations.picture()

    def action_help(self) -> None:
        """Show every key."""
        self.operations.help()

    # Profiles

    def take_service(self, service: Service, *, unlocked: bool) -> None:
        """Another profile, or the same one opened anew: nothing that was read counts any more."""
        self.service = service
        self.locked = service.workspace.settings.profile.protected and not unlocked
        marked, order = self.table_state.marked, self.table_state.order
        same = service.workspace.settings.profile_name == self.table_state.settings.profile_name
        self.table_state = TableListState(service.workspace.settings, order=order)
        if same:
            self.table_state.marked = marked & set(self.table_state.tables)
        self.reader.forget()
        self.detail_pane.begin(None)
        self.arrange(self.current)
        self.show_status()
        self.reader.tables()
        self._settle()

    # Pictures

    @property
    def failure(self) -> Failure | None:
        """Why a picture could not be made."""
        return self._not_saved or self.reader.failure

    def _picture_when_complete(self) -> None:
        """For `--screenshot`: save the picture once everything has been read, then leave."""
        if self.start.picture is None or self._pictured or self._is_reading:
            return
        if self.reader.age is None and self.failure is None:  # Nothing has been asked yet.
            return
        if self.failure is not None:
            self._pictured = True
            self.leave(ExitCode.UNREACHABLE)
        elif self.detail_pane.table != (wanted := self.start.table or next(iter(self.table_state.visible()), None)):
            self.arrange(wanted)
            self.reader.detail()
        else:
            self._pictured = True
            self.call_after_refresh(self._take_picture, self.start.picture)

    @property
    def _is_reading(self) -> bool:
        """Something is asked, or what was found is not shown yet; a cursor that settles asks soon."""
        return bool(self.background.busy) or self.reader.busy or not self.reader.still

    def _take_picture(self, path: Path) -> None:
        from wmtui.tui import image_file

        if self._is_reading:  # It began again meanwhile: what is shown may be half of two readings.
            self._pictured = False
            return
        try:
            image_file.save(self.export_screenshot(title=self.picture_title()), path)
        except WmtuiError as error:
            self._not_saved = error
        self.leave(ExitCode.DONE if self._not_saved is None else ExitCode.USAGE)

    def picture_title(self) -> str:
        """Profile, host and UTC time."""
        workspace = self.service.workspace
        at: datetime = workspace.clock()
        return f"wmtui · {workspace.settings.profile_name} · {workspace.author.host} · {at:%Y-%m-%d %H:%M:%S} UTC"


def _marks(marked: int, hidden: int) -> str:
    return (f"{marked} marked" + (f", {hidden} hidden" if hidden else "")) if marked else ""

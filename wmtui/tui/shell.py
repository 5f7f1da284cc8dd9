"""What commands may ask of the screen, and how an action names its command.

Commands, the palette and everything that reads in the background depend on `Shell`, never on the application, which
is one: so the application can import them all.
"""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from msgspec import Struct
from textual.binding import Binding
from textual.theme import Theme

from wmtui.events import Severity
from wmtui.model import TableName
from wmtui.service import Service
from wmtui.tui.background import Background
from wmtui.tui.cli_equivalent import CliEquivalent
from wmtui.tui.dialogs.base import Dialog
from wmtui.tui.panes.main_screen import MainScreen
from wmtui.tui.start import Start
from wmtui.tui.state.sync_queue import SyncQueue
from wmtui.tui.state.table_list import TableListState

_T = TypeVar("_T")


class Shell(Protocol):
    """The screen as a command sees it."""

    @property
    def start(self) -> Start:
        """How the screen was opened."""

    @property
    def service(self) -> Service:
        """The profile that is open."""

    @property
    def locked(self) -> bool:
        """The profile is protected, and nobody has typed its name yet: changes need that first."""

    @property
    def clock(self) -> Callable[[], float]:
        """Monotonic seconds, for ages and rates."""

    @property
    def background(self) -> Background:
        """Where work is done that waits for stores and databases."""

    @property
    def sync_queue(self) -> SyncQueue:
        """Syncs that were started here."""

    @property
    def table_state(self) -> TableListState:
        """What was read of each table, which are marked, their order and filter."""

    @property
    def main(self) -> MainScreen:
        """The panes."""

    @property
    def current(self) -> TableName | None:
        """The table under the cursor."""

    @property
    def actions(self) -> "Sequence[Action]":
        """Every action, in the order of the help."""

    @property
    def keys(self) -> Mapping[str, str]:
        """The keys of every action by its id, the user's own included."""

    @property
    def cli(self) -> CliEquivalent:
        """Writes the command that does the same as a dialog."""

    @property
    def theme_name(self) -> str:
        """The theme that is shown."""

    @property
    def available_themes(self) -> Mapping[str, Theme]:
        """Themes that were shown already, by name."""

    async def open_dialog(self, dialog: Dialog[_T]) -> _T | None:
        """Show a dialog and wait for its answer; None where it was left with Escape."""

    def run_command(self, command: "Command") -> None:
        """Run a command; one that waits goes on beside the keys that follow."""

    def open_palette(self) -> None:
        """Show the command palette."""

    def say(self, text: str, severity: Severity = Severity.INFO, table: TableName | None = None) -> None:
        """A line in the log; warnings and errors as a toast too."""

    def notify(self, message: str, **options: Any) -> None:
        """A toast."""

    def arrange(self, current: TableName | None = None) -> None:
        """Sort and filter the list again. current: the table for the cursor; None: it stays on its table."""

    def show_status(self) -> None:
        """Draw the first line again."""

    def read_all(self) -> None:
        """Read every table, and the current one in detail."""

    def read_again(self, tables: Sequence[TableName]) -> None:
        """Read tables that were changed, and what the detail pane shows if it is one of them."""

    def read_detail(self, after_seconds: float = 0.0) -> None:
        """Read the current table in detail, unless the cursor moves on before."""

    def read_history(self) -> None:
        """Read the changes of the current table."""

    def take_service(self, service: Service, *, unlocked: bool) -> None:
        """Show another profile, or the same one opened again. unlocked: changes are allowed though it is protected."""

    def show_theme(self, theme: Theme) -> None:
        """Draw everything in a theme."""

    def copy_to_clipboard(self, text: str) -> None:
        """Hand a text to the terminal's clipboard."""

    def export_screenshot(self, *, title: str | None = None) -> str:
        """What is shown, as SVG."""

    def leave(self, code: int = 0) -> None:
        """End the screen with an exit code; the terminal is restored."""


Command = Callable[[Shell], Coroutine[Any, Any, None] | None]
"""What a key does. A coroutine where it waits, for a dialog or for work in the background."""


class Action(Struct, frozen=True):
    """Something an operator can do. keys: comma-separated. title: as "area: verb".

    footer: its word there; "" for none. changes: it changes something, so it is off where that is refused.
    """

    command: Command
    keys: str
    title: str
    footer: str = ""
    changes: bool = False

    @property
    def id(self) -> str:
        """Its name in the user's keymap, and in bindings."""
        return self.title.split(" (")[0].lower().replace(": ", ".").replace(" ", "-")

    @property
    def area(self) -> str:
        """What it is about: the word before the colon."""
        return self.title.partition(":")[0]

    @property
    def binding(self) -> Binding:
        """Its keys for the screen."""
        description = self.footer or self.title
        return Binding(self.keys, f"command({self.id!r})", description, show=bool(self.footer), id=self.id)


_KEY_NAMES = {"slash": "/", "colon": ":", "question_mark": "?", "exclamation_mark": "!", "left_square_bracket": "[",
              "right_square_bracket": "]", "escape": "Esc", "space": "Space"}  # fmt: skip


def format_key(key: str) -> str:
    """A key as it is printed on a keyboard: `ctrl+s` is ^s."""
    key = key.strip()
    return _KEY_NAMES.get(key, key.replace("ctrl+", "^"))

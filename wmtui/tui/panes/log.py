"""What syncs say, as they say it; and what the screen itself has to tell."""

from collections import deque
from collections.abc import Iterable
from datetime import datetime

from msgspec.structs import replace
from textual.app import ComposeResult
from textual.containers import Vertical

from wmtui.events import Event, Message, Progress, Severity, Status, TableResult
from wmtui.texts import count
from wmtui.tui.widgets.cells import set_title
from wmtui.tui.widgets.line_list import LineList
from wmtui.tui.widgets.list_items import LogLine, log_line
from wmtui.words.progress import ending
from wmtui.words.values import in_one_line

KEPT = 20_000
"""Lines remembered; the oldest go first. `--log-file` of a run keeps everything."""
LEVELS = (Severity.INFO, Severity.WARNING, Severity.ERROR, Severity.DEBUG)
_LOUDNESS = {Severity.DEBUG: 0, Severity.INFO: 1, Severity.WARNING: 2, Severity.ERROR: 3}


class LogPane(Vertical):
    """Follows the newest line until somebody pauses it or goes up."""

    def __init__(self) -> None:
        super().__init__(id="log", classes="pane")
        self._all: deque[LogLine] = deque(maxlen=KEPT)
        self._shown: list[LogLine] = []
        self.level = Severity.INFO
        self.pattern = ""
        self.following = True
        self._missed = 0

    def compose(self) -> ComposeResult:
        """The lines."""
        yield LineList(log_line, empty="no sync has run here yet: press s on a table", id="log-lines")

    def on_mount(self) -> None:
        """Nothing was said yet."""
        self._title()

    @property
    def lines(self) -> LineList:
        """The list."""
        return self.query_one(LineList)

    def add(self, new: Iterable[LogLine]) -> None:
        """More lines at the end."""
        new = [replace(line, table=in_one_line(line.table), text=in_one_line(line.text)) for line in new]
        self._all.extend(new)
        wanted = [line for line in new if self._wanted(line)]
        if not wanted:
            return
        self._shown = [*self._shown, *wanted][-KEPT:]
        self._missed = 0 if self.following else self._missed + len(wanted)
        self._show()

    def follow(self, on: bool) -> None:
        """Stay at the newest line, or where one is."""
        self.following = on
        self._missed = 0 if on else self._missed
        self._show()

    def raise_level(self) -> None:
        """The next level: what is less severe is hidden."""
        self.level = LEVELS[(LEVELS.index(self.level) + 1) % len(LEVELS)]
        self._again()

    def search(self, pattern: str) -> None:
        """Only lines that hold every word."""
        self.pattern = pattern
        self._again()

    def text(self) -> str:
        """Every line that is shown, for a file."""
        return "".join(f"{line}\n" for line in self._shown)

    def _wanted(self, line: LogLine) -> bool:
        text = str(line).lower()
        loud = _LOUDNESS[line.severity] >= _LOUDNESS[self.level]
        return loud and all(word in text for word in self.pattern.lower().split())

    def _again(self) -> None:
        self._shown = [line for line in self._all if self._wanted(line)]
        self._show()

    def _show(self) -> None:
        self.lines.show(self._shown, len(self._shown) - 1 if self.following else None)
        self._title()

    def _title(self) -> None:
        missed = f", {count(self._missed, 'new line')}" if self._missed else ""
        state = "following" if self.following else f"paused{missed}"
        level = "" if self.level is Severity.INFO else f"from {self.level.value} · "
        search = f"/{self.pattern} · " if self.pattern else ""
        set_title(self, "3 Sync log", f"{search}{level}{state}")


def as_line(event: Event, at: datetime) -> LogLine | None:
    """An event as a line of the log; progress is none. Why a sync failed is a message of its own, before its end."""
    if isinstance(event, Progress):
        return None
    if isinstance(event, Message):
        return LogLine(at, event.severity, event.table, event.text)
    assert isinstance(event, TableResult)
    loud = {Status.FAILED: Severity.ERROR, Status.SUCCESS: Severity.INFO}.get(event.status, Severity.WARNING)
    return LogLine(at, loud, event.table, ending(event))

"""What the screen reads in the background: the tables by and by, and the one under the cursor in detail."""

import threading
from collections import deque
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

from textual.timer import Timer

from wmtui.errors import WmtuiError
from wmtui.events import Severity
from wmtui.model import TableName
from wmtui.service import Look, Tell, Versions
from wmtui.tui.panes import detail, table_detail
from wmtui.tui.panes.table_detail import Detail
from wmtui.tui.shell import Shell

REFRESH_SECONDS = 8.5
LIVE_SECONDS = 5.0
"""How often it is asked which tables changed, at ticks of a second: what is shown is 10 s old at most. Those that a run
works on are read more often.
"""
UNLISTED_SECONDS = 30.0
"""How often all tables are read where the store does not tell which changed."""
BACK_OFF_SECONDS = (5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 300.0)
"""Waits between tries while the store does not answer."""
SETTLE_SECONDS = 0.15
"""A table is read once the cursor has stayed on it for so long: holding a key must not flood the store."""
_MANY_TABLES = 200
"""When more tables than this changed at once, their waiting files are counted when an operator asks."""


class TableReader:
    """Reads for one screen.

    give_way: called by threads after each table that they read, to leave the processor to the screen; `hurry`: the
    first reading. updated: called when tables were read. busy: all tables are being read. offline: why the store does
    not answer, or "". failure: the last one, for a picture that cannot be made.
    """

    def __init__(self, shell: Shell, give_way: Callable[..., None], updated: Callable[[], None]) -> None:
        self._shell = shell
        self._give_way = give_way
        self._updated = updated
        self._number = 0
        """Of the newest request for all tables; late answers to older ones are dropped."""
        self._stop = threading.Event()
        self._looks: deque[tuple[int, Look]] = deque()
        """What threads read, with the number of its request, until `take`."""
        self._versions: Versions | None = None
        """Of the documents that were read last, of all tables."""
        self._done_at: float | None = None
        self._failures = 0
        self._due = self._live_due = 0.0
        self._detail_number = 0
        self._shown: object = None
        """Which version of its table the detail pane shows; None: it is being read."""
        self._shown_at = 0.0
        self._settling: Timer | None = None
        self.busy = False
        self.offline = ""
        self.failure: WmtuiError | None = None

    # Tables

    def tables(self, tables: Iterable[TableName] | None = None, *, waiting: bool = True) -> None:
        """Read tables in the background; None: all, the shown ones first. waiting: count their waiting files too."""
        state, overview = self._shell.table_state, self._shell.service.overview
        if tables is not None:
            chosen = list(dict.fromkeys(tables))
            self._start(
                lambda tell, stop: overview.look_at(chosen, tell, stop, waiting=waiting), lambda _: self._updated()
            )
            return
        self._begin()
        everything = list(dict.fromkeys([*state.visible(), *state.tables]))

        def read(tell: Tell, stop: threading.Event) -> Versions | None:
            versions = overview.versions()
            overview.look_at(everything, tell, stop, waiting=waiting)
            return versions

        self._start(read, self._all_read)

    def _changed(self) -> None:
        """Read those of all tables that changed since they were read."""
        looks, before = self._shell.table_state.looks, self._versions
        if before is None or len(looks) < len(self._shell.table_state.tables):
            self.tables(waiting=len(looks) <= _MANY_TABLES)
            return
        self._begin()
        overview, known = self._shell.service.overview, dict(looks)
        self._start(
            lambda tell, stop: overview.look_again(known, before, tell, stop, most_counted=_MANY_TABLES), self._all_read
        )

    def _start(
        self, read: Callable[[Tell, threading.Event], Versions | None], done: Callable[[Versions | None], None]
    ) -> None:
        """Read in the background."""
        number, stop, looks, first = self._number, self._stop, self._looks, self._done_at is None

        def take_looks(*read: Look) -> None:
            looks.extend((number, look) for look in read)
            self._give_way(hurry=first)

        def failed(error: WmtuiError) -> None:
            if number == self._number:
                self._not_read(error)

        def finished(versions: Versions | None) -> None:
            if number == self._number:
                done(versions)

        self._shell.background.start(lambda: read(take_looks, stop), finished, failed)

    def _begin(self) -> None:
        """Readings of all tables that are under way end in vain."""
        self._stop.set()
        self._stop = threading.Event()
        self._number += 1
        self.busy = True
        self._due = self._shell.clock() + REFRESH_SECONDS

    def _all_read(self, versions: Versions | None) -> None:
        self._versions = versions
        if self.offline:
            self._shell.say("the store answers again")
        self.busy, self._failures, self.offline = False, 0, ""
        self._done_at = self._shell.clock()
        if versions is None:
            self._due = self._done_at + UNLISTED_SECONDS
        self._updated()
        self._shell.show_status()

    def _not_read(self, error: WmtuiError) -> None:
        wait = BACK_OFF_SECONDS[min(self._failures, len(BACK_OFF_SECONDS) - 1)]
        self.busy, self._failures = False, self._failures + 1
        self._due = self._shell.clock() + wait
        if self.offline != error.in_one_line:
            self._shell.say(error.in_one_line, Severity.ERROR)
        self.offline = error.in_one_line
        self.failure = error
        self._shell.show_status()

    def take(self) -> bool:
        """Put what threads read since the last time into the table state; whether there was anything."""
        any_new = is_other = False
        in_pane = self._shell.main.detail_pane.table if self._looks else None
        while self._looks:
            number, look = self._looks.popleft()
            if number == self._number:
                self._shell.table_state.take(look)
                any_new = True
                is_other = is_other or (in_pane == look.table and self._shown not in (None, _version(look)))
        if is_other:  # The pane shows the same version of the table as the list.
            self.detail()
        return any_new

    def renew(self) -> None:
        """Read again what changed; called once a second."""
        now = self._shell.clock()
        if now >= self._due and not self.busy:
            self._changed()
        elif now >= self._live_due and not self.offline:
            self._live_due = now + LIVE_SECONDS
            live = [look.table for look in self._shell.table_state.runs_elsewhere()]
            if live:
                self.tables(live, waiting=False)

    def forget(self) -> None:
        """Drop all answers that are still to come: another profile was opened."""
        self.stop()
        self._number += 1
        self._stop = threading.Event()
        self._looks = deque()
        self._versions = None
        self._done_at, self._failures, self._due, self._live_due = None, 0, 0.0, 0.0
        self.busy, self.offline = False, ""

    def stop(self) -> None:
        """Let readings of all tables end early."""
        self._stop.set()

    @property
    def age(self) -> timedelta | None:
        """How long ago all tables were read, in whole seconds; None before the first time."""
        return None if self._done_at is None else timedelta(seconds=int(self._shell.clock() - self._done_at))

    @property
    def retry(self) -> int:
        """Seconds until the store is asked again."""
        return max(0, round(self._due - self._shell.clock()))

    @property
    def still(self) -> bool:
        """Nothing was read that is not shown, and no cursor waits to settle."""
        return not self._looks and self._settling is None

    # One table

    def settle(self, seconds: float = SETTLE_SECONDS) -> None:
        """Read the table under the cursor, unless the cursor moves on before."""
        if self._settling is not None:
            self._settling.stop()
        self._settling = self._shell.main.set_timer(seconds, self.detail)

    def detail(self) -> None:
        """Read the table under the cursor."""
        if self._settling is not None:
            self._settling.stop()
            self._settling = None
        table, pane, service = self._shell.current, self._shell.main.detail_pane, self._shell.service
        pane.begin(table)
        self._detail_number += 1
        if table is None:
            return
        self._shown = None
        read = lambda: table_detail.read(service, table)  # noqa: E731
        self._shell.background.start(read, self._if_current(self._take), self._if_current(self._fail))
        if pane.tab == "history":
            self.history()

    def _take(self, read: Detail) -> None:
        self._shown, self._shown_at = _version(read.look), self._shell.clock()
        self._shell.table_state.take(read.look)
        self._shell.main.detail_pane.take(read)
        self._shell.main.tables_pane.lines.redraw()

    def _fail(self, error: WmtuiError) -> None:
        self._shown = error
        self._shell.main.detail_pane.fail(error)

    def grow_older(self) -> None:
        """Let the ages in the detail pane grow as those in the list do."""
        pane = self._shell.main.detail_pane
        if pane.table is not None and pane.detail is not None:
            since = timedelta(seconds=int(self._shell.clock() - self._shown_at))
            pane.grow_older(since, self._shell.service.workspace.config(pane.table).freshness.error)

    def history(self) -> None:
        """Read the changes of the table under the cursor."""
        table, pane, service = self._shell.current, self._shell.main.detail_pane, self._shell.service
        if table is not None:
            entries = lambda: service.history.entries(table, detail.HISTORY_SHOWN)  # noqa: E731
            self._shell.background.start(entries, self._if_current(pane.take_history), pane.fail)

    def _if_current(self, go_on: Callable[[Any], None]) -> Callable[[Any], None]:
        """A callback that does nothing once another table is under the cursor."""
        number = self._detail_number
        return lambda result: go_on(result) if number == self._detail_number else None


def _version(look: Look) -> object:
    """What differs once the watermark or the lock document does."""
    mark, heartbeat = look.mark, look.heartbeat
    version = None if mark is None else (mark.serial, mark.write_id)
    return version, None if heartbeat is None else heartbeat.etag, look.status.error

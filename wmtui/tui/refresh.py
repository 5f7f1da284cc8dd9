"""What the screen reads in the background: the tables by and by, and the one under the cursor in detail."""

import threading
from collections import deque
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from textual.timer import Timer

from wmtui.events import Severity
from wmtui.model import TableName
from wmtui.service import Look
from wmtui.tui.background import Failure, words
from wmtui.tui.panes import detail
from wmtui.tui.panes.detail import Detail

if TYPE_CHECKING:
    from wmtui.tui.app import WmtuiApp

REFRESH_SECONDS = 30.0
LIVE_SECONDS = 5.0
"""How often tables are read anew; those that somebody works on more often."""
BACK_OFF_SECONDS = (5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 300.0)
"""Waits between tries while the store does not answer."""
SETTLE_SECONDS = 0.15
"""A table is read once the cursor has stayed on it for so long: holding a key must not flood the store."""
TYPED_SECONDS = 0.4
"""The same while somebody types a pattern, which moves the cursor with every key."""
_MANY_TABLES = 200
"""With more tables than this, waiting files are counted when somebody asks, not at every refresh."""


class TableReader:
    """Reads for one screen. busy: all tables are being read. why: the store does not answer, in words, or "".

    failure: the last one, for a picture that cannot be made.
    """

    def __init__(self, app: "WmtuiApp") -> None:
        self._app = app
        self._number = 0
        """Of the newest request for all tables; late answers to older ones are dropped."""
        self._stop = threading.Event()
        self._found: deque[tuple[int, Look]] = deque()
        self._done_at: float | None = None
        self._failures = 0
        self._due = self._live_due = 0.0
        self._detail_number = 0
        self._shown: object = None
        """Which version of its table the detail pane shows; None: it is being read."""
        self._shown_at = 0.0
        self._settling: Timer | None = None
        self.busy = False
        self.why = ""
        self.failure: Failure | None = None

    # Tables

    def tables(self, tables: Iterable[TableName] | None = None, *, waiting: bool = True) -> None:
        """Read tables in the background; None: all, the shown ones first."""
        app = self._app
        if tables is None:
            self._begin()
            chosen = dict.fromkeys([*app.table_state.visible(), *app.table_state.tables])
        else:
            chosen = dict.fromkeys(tables)
        done = self._all_read if tables is None else app.take_news
        number, stop, found, first = self._number, self._stop, self._found, self._done_at is None
        service = app.service

        def tell(look: Look) -> None:
            found.append((number, look))
            app.give_way(hurry=first)

        def failed(failure: Failure) -> None:
            if number == self._number:
                self._not_read(failure)

        def finished(_: None) -> None:
            if number == self._number:
                done()

        app.background.do(lambda: service.overview.look_at(chosen, tell, stop, waiting=waiting), finished, failed)

    def _begin(self) -> None:
        """Whoever reads all tables now does so in vain."""
        self._stop.set()
        self._stop = threading.Event()
        self._number += 1
        self.busy = True
        self._due = self._app.clock() + REFRESH_SECONDS

    def _all_read(self) -> None:
        if self.why:
            self._app.say("the store answers again")
        self.busy, self._failures, self.why = False, 0, ""
        self._done_at = self._app.clock()
        self._app.take_news()
        self._app.show_status()

    def _not_read(self, failure: Failure) -> None:
        wait = BACK_OFF_SECONDS[min(self._failures, len(BACK_OFF_SECONDS) - 1)]
        self.busy, self._failures = False, self._failures + 1
        self._due = self._app.clock() + wait
        if self.why != words(failure):
            self._app.say(words(failure), Severity.ERROR)
        self.why = words(failure)
        self.failure = failure
        self._app.show_status()

    def take(self) -> bool:
        """Hand on to the table_state what threads found since the last time; whether there was anything."""
        any_new = is_other = False
        while self._found:
            number, look = self._found.popleft()
            if number == self._number:
                self._app.table_state.take(look)
                any_new = True
                shown = self._app.detail_pane.table == look.table
                is_other = is_other or (shown and self._shown not in (None, _version(look)))
        if is_other:  # The pane shows the table as the list does, whoever changed it.
            self.detail()
        return any_new

    def renew(self) -> None:
        """What is old is read anew; once a second."""
        now, tables = self._app.clock(), self._app.table_state.tables
        if now >= self._due and not self.busy:
            self.tables(waiting=len(tables) <= _MANY_TABLES)
        elif now >= self._live_due and not self.why:
            self._live_due = now + LIVE_SECONDS
            live = [look.table for look in self._app.table_state.runs_elsewhere()]
            if live:
                self.tables(live, waiting=False)

    def forget(self) -> None:
        """Another service: nothing that was asked counts any more."""
        self.stop()
        self._number += 1
        self._stop = threading.Event()
        self._found = deque()
        self._done_at, self._failures, self._due, self._live_due = None, 0, 0.0, 0.0
        self.busy, self.why = False, ""

    def stop(self) -> None:
        """Leave the rest unread."""
        self._stop.set()

    @property
    def age(self) -> timedelta | None:
        """How old what is shown is, in whole seconds; None before everything was read once."""
        return None if self._done_at is None else timedelta(seconds=int(self._app.clock() - self._done_at))

    @property
    def retry(self) -> int:
        """Seconds until the store is asked again."""
        return max(0, round(self._due - self._app.clock()))

    @property
    def still(self) -> bool:
        """Nothing was found that the table_state does not have, and no cursor waits to settle."""
        return not self._found and self._settling is None

    # One table

    def settle(self, seconds: float = SETTLE_SECONDS) -> None:
        """Read the table under the cursor, unless the cursor moves on before."""
        if self._settling is not None:
            self._settling.stop()
        self._settling = self._app.set_timer(seconds, self.detail)

    def detail(self) -> None:
        """Read the table under the cursor."""
        if self._settling is not None:
            self._settling.stop()
            self._settling = None
        table, pane, service = self._app.current, self._app.detail_pane, self._app.service
        pane.begin(table)
        self._detail_number += 1
        if table is None:
            return
        self._shown = None
        read = lambda: detail.read(service, table)  # noqa: E731
        self._app.background.do(read, self._if_current(self._take), self._if_current(self._fail))
        if pane.tab == "history":
            self.history()

    def _take(self, found: Detail) -> None:
        self._shown, self._shown_at = _version(found.look), self._app.clock()
        self._app.table_state.take(found.look)
        self._app.detail_pane.take(found)
        self._app.tables_list.redraw()

    def _fail(self, failure: Failure) -> None:
        self._shown = failure
        self._app.detail_pane.fail(failure)

    def grow_older(self) -> None:
        """Ages in the detail pane tick as those in the list do."""
        pane = self._app.detail_pane
        if pane.table is not None and pane.detail is not None:
            since = timedelta(seconds=int(self._app.clock() - self._shown_at))
            pane.grow_older(since, self._app.service.workspace.config(pane.table).freshness.error)

    def history(self) -> None:
        """Read the changes of the table under the cursor."""
        table, pane, service = self._app.current, self._app.detail_pane, self._app.service
        if table is not None:
            entries = lambda: service.history.entries(table, detail.HISTORY_SHOWN)  # noqa: E731
            self._app.background.do(entries, self._if_current(pane.take_history), pane.fail)

    def _if_current(self, go_on: Callable[[Any], None]) -> Callable[[Any], None]:
        """The same, unless another table is under the cursor by then."""
        number = self._detail_number
        return lambda result: go_on(result) if number == self._detail_number else None


def _version(look: Look) -> object:
    """What differs once the watermark or the lock document does."""
    mark, heartbeat = look.mark, look.heartbeat
    place = None if mark is None else (mark.serial, mark.write_id)
    return place, None if heartbeat is None else heartbeat.etag, look.status.error

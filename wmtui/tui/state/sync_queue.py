"""Syncs that the screen started: each table by itself, so many at once, in the background."""

import threading
from collections import deque

from msgspec import Struct, field
from msgspec.structs import replace

from wmtui import errors
from wmtui.errors import WmtuiError
from wmtui.events import Event, Message, Severity, Status, Stop, TableResult
from wmtui.model import TableName
from wmtui.service import Request, Service

AT_ONCE = 4
"""Tables that are synced at the same time; more wait for their turn."""


class QueuedSync(Struct):
    """The sync of one table."""

    service: Service
    table: TableName
    request: Request
    stop: Stop = field(default_factory=Stop)


class SyncQueue:
    """Starts, counts and stops them. events: what they tell, for the screen to take when it likes."""

    def __init__(self) -> None:
        self.events: deque[Event] = deque()
        self._lock = threading.Lock()
        self._waiting: deque[QueuedSync] = deque()
        self._running: dict[TableName, QueuedSync] = {}

    @property
    def running(self) -> set[TableName]:
        """Tables being synced."""
        with self._lock:
            return set(self._running)

    @property
    def waiting(self) -> set[TableName]:
        """Tables that wait for their turn."""
        with self._lock:
            return {queued.table for queued in self._waiting}

    @property
    def busy(self) -> bool:
        """Something runs or waits."""
        with self._lock:
            return bool(self._running or self._waiting)

    def start(self, service: Service, request: Request) -> list[TableName]:
        """Sync the tables asked for; returns those that were not under way already."""
        with self._lock:
            known = {*self._running, *(queued.table for queued in self._waiting)}
            new = [table for table in request.tables if table not in known]
            self._waiting.extend(QueuedSync(service, table, replace(request, tables=(table,))) for table in new)
        self._fill()
        return new

    def cancel(self, table: TableName) -> bool:
        """Stop a table between two parts, or take it off the queue; False when it was neither running nor waiting."""
        with self._lock:
            for queued in self._waiting:
                if queued.table == table:
                    self._waiting.remove(queued)
                    self.events.append(Message(str(table), Severity.INFO, "taken off the queue"))
                    return True
            running = self._running.get(table)
            if running is None:
                return False
            running.stop.request()
        self.events.append(Message(str(table), Severity.INFO, "stopping between parts…"))
        return True

    def cancel_all(self) -> None:
        """Stop everything between parts."""
        for table in self.waiting | self.running:
            self.cancel(table)

    def _fill(self) -> None:
        with self._lock:
            while self._waiting and len(self._running) < AT_ONCE:
                queued = self._waiting.popleft()
                self._running[queued.table] = queued
                threading.Thread(target=self._work, args=(queued,), name=f"sync {queued.table}", daemon=True).start()

    def _work(self, queued: QueuedSync) -> None:
        told = False

        def emit(event: Event) -> None:
            nonlocal told
            told = told or isinstance(event, TableResult)
            self.events.append(event)

        error: WmtuiError | None = None
        try:
            for result in queued.service.syncs.sync(queued.request, emit=emit, stop=queued.stop):
                if not told:
                    emit(result)
        except Exception as failure:  # noqa: BLE001 - a thread's exception would vanish
            error = errors.as_wmtui_error(failure)
        finally:
            if error is not None:
                emit(Message(str(queued.table), Severity.ERROR, error.in_one_line))
                emit(TableResult(str(queued.table), Status.FAILED, error.exit_code, error=error.failure))
            with self._lock:  # Last: a table that no longer runs has told how it ended.
                del self._running[queued.table]
            self._fill()

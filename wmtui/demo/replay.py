"""The sandbox's past: real syncs and edits, at the times at which they happened there."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import duckdb

from wmtui.config import DuckDBConfig, Settings
from wmtui.demo.dataset import TABLES, State
from wmtui.demo.faulty_adapters import DroppedSource, RefusingWarehouse
from wmtui.errors import SourceError, StoreError, WarehouseError, WmtuiError
from wmtui.events import Event, Stop
from wmtui.model import Strategy, TableName
from wmtui.service import Author, Request, Service

MOMENT = datetime(2025, 8, 14, 15, 30, 45, tzinfo=UTC)
"""The sandbox's now when it is opened for the first time."""

_SCHEDULER = Author("airflow", "etl-worker-1")
_OPERATOR = Author("mei.lin", "ops-laptop")

_CONNECTION_LOST = SourceError(
    "lost the connection to db-replica-2:3306",
    "2013: Lost connection to MySQL server during query",
    "check the server, then sync again",
)
_ROLLED_BACK = WarehouseError(
    "the warehouse rolled the load back",
    "1023: Serializable isolation violation, another transaction changed the table meanwhile",
    "sync again",
)
_DISK_FULL = WarehouseError(
    "the warehouse refused the load", "1016: Disk Full, the cluster has no space left", "free some, then sync again"
)


def make_history(settings: Settings, progress: Callable[[str], None]) -> None:
    """Bring every table into its state. Raises StoreError when a sync ends as it should not."""
    with _held_open(settings):
        _happen(_Past(settings), progress)


def _happen(past: "_Past", progress: Callable[[str], None]) -> None:
    old = (State.FINE, State.PENDING, State.FAILED_EXTRACT, State.FAILED_LOAD, State.MANUAL)
    past.sync("2025-08-07 02:00:00", *old)
    progress("  7 August: first loads")
    for at in ("2025-08-09 19:47:30", "2025-08-09 19:52:10", "2025-08-09 19:58:40"):
        past.sync(at, State.HELD_BACK, backup_only=True)
    past.sync("2025-08-11 02:00:00", State.STALE)
    past.place_system("2025-08-11 09:00:00", "2025-08-01 00:00:00")
    past.sync("2025-08-13 02:00:00", State.FAILED_EXTRACT, State.FAILED_LOAD)
    for at in ("2025-08-13 02:10:00", "2025-08-14 02:10:00"):
        past.sync(at, State.MANUAL, backup_only=True)
    progress("  9 to 14 August: nightly runs")
    past.sync("2025-08-14 13:45:00", State.PENDING)
    past.place("2025-08-14 14:41:20", State.MANUAL, "2025-08-12 00:00:00", "finance asks for 12 August again")
    past.place("2025-08-14 14:52:05", State.HELD_BACK, "2025-08-09 20:00:01", "migration night is loaded by hand")
    past.sync("2025-08-14 15:05:00", State.PENDING, backup_only=True, strategy=Strategy.SEQUENTIAL)
    past.sync("2025-08-14 15:08:00", State.FAILED_EXTRACT, failure=_CONNECTION_LOST)
    past.sync("2025-08-14 15:12:00", State.FAILED_LOAD, schema="settlement", failure=_ROLLED_BACK)
    past.sync("2025-08-14 15:14:00", State.FAILED_LOAD, schema="logistics", failure=_DISK_FULL)
    past.sync("2025-08-14 15:18:00", State.FINE, schema="inventory", strategy=Strategy.INTRA_TABLE)
    past.sync("2025-08-14 15:20:00", State.FINE, schema="customer")
    past.sync("2025-08-14 15:22:00", State.FINE, schema="logistics")
    past.sync("2025-08-14 15:24:00", State.FINE, schema="settlement")
    past.sync("2025-08-14 15:27:00", State.FINE, schema="orders")
    progress("  14 August: edits, failures, and runs of the last hour")


@contextmanager
def _held_open(settings: Settings) -> Iterator[None]:
    """Keep the databases open meanwhile: opening and closing one costs more than what a small sync does in it."""
    source, warehouse = settings.profile.source, settings.profile.warehouse
    assert isinstance(source, DuckDBConfig)
    assert isinstance(warehouse, DuckDBConfig)
    with duckdb.connect(source.path, read_only=True), duckdb.connect(warehouse.path):
        yield


class _Past:
    """Does what operators and the scheduler do, at a time that stands still while they do it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._now = MOMENT

    def place_system(self, at: str, point: str) -> None:
        """Move the system watermark."""
        self._at(at, _OPERATOR).watermarks.set_system(point, confirmed=True)

    def place(self, at: str, state: State, point: str, reason: str) -> None:
        """Place the watermarks of tables by hand."""
        service = self._at(at, _OPERATOR)
        for table in _tables(state):
            service.watermarks.set(table, point, reason=reason)

    def sync(
        self, at: str, *states: State, schema: str | None = None, failure: WmtuiError | None = None, **options: Any
    ) -> None:
        """Sync tables. failure: of the server that the run meets."""
        service = self._at(at, _SCHEDULER)
        if failure is not None:
            self._break(service, failure)
        request = Request(
            _tables(*states, schema=schema), **{"strategy": Strategy.INTER_TABLE, "workers": 3, **options}
        )
        for result in service.syncs.sync(request, emit=_unheard, stop=Stop()):
            if (result.error is None) != (failure is None):
                raise StoreError(
                    f"cannot make the demo sandbox: {result.table}",
                    str(result.error or "a failure of its past did not happen"),
                    "check free space, then start the demo again",
                )

    def _at(self, at: str, author: Author) -> Service:
        self._now = datetime.fromisoformat(at).replace(tzinfo=UTC)
        return Service(self._settings, clock=lambda: self._now, author=author)

    def _break(self, service: Service, failure: WmtuiError) -> None:
        profile, workspace = self._settings.profile, service.workspace
        assert isinstance(profile.source, DuckDBConfig)
        assert isinstance(profile.warehouse, DuckDBConfig)
        if isinstance(failure, SourceError):
            workspace.source = DroppedSource(profile.source, workspace.zone, workspace.clock, failure)
        else:
            workspace.warehouse = RefusingWarehouse(profile.warehouse, workspace.clock, failure)


def _tables(*states: State, schema: str | None = None) -> tuple[TableName, ...]:
    return tuple(made.table for made in TABLES if made.state in states and schema in (None, made.table.schema))


def _unheard(_: Event) -> None:
    """The past is not shown while it is made."""

"""DuckDB as warehouse: one file, opened per operation, because it lets one process in."""

import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

import duckdb
import pyarrow as pa

from wmtui.config import DuckDBConfig
from wmtui.errors import LoadRefused, TargetUnreadable, WarehouseError, WmtuiError
from wmtui.model import Check, Clock, Level
from wmtui.warehouses.duckdb.building import NOT_BUILDABLE, build
from wmtui.warehouses.duckdb.session import SCHEMA, DuckDBSession
from wmtui.warehouses.ledger import ledger
from wmtui.warehouses.ledger_state import Feed, KnownLoads
from wmtui.warehouses.load.merge import merge, unstage_loaded
from wmtui.warehouses.load.staging import stage
from wmtui.warehouses.load.statements import Statements
from wmtui.warehouses.load_request import LoadFile, LoadRequest, LoadResult, OnStaged, OpenPart, Pause
from wmtui.warehouses.read_columns import columns_to_read
from wmtui.warehouses.target import TargetLimits, TargetTable

_WAIT = timedelta(seconds=5)
_POLL_SECONDS = 0.05

_LEDGER_LOCKS: defaultdict[tuple[Path, str], threading.Lock] = defaultdict(threading.Lock)
"""By file and target: connections of this process share the database, and DuckDB has no LOCK TABLE. No other
process is in it meanwhile.
"""


class DuckDBWarehouse:
    """A Warehouse in a DuckDB file. wait: how long to try while another process has the file open."""

    limits = TargetLimits(nul=True, ignores_case=True)
    reads_store = False
    stages_ahead = False
    most_files: int | None = None
    statements = Statements(SCHEMA)

    def __init__(self, config: DuckDBConfig, clock: Clock, wait: timedelta = _WAIT) -> None:
        self._path = Path(config.path).absolute()
        self._clock = clock
        self._wait = wait

    @property
    def address(self) -> str:
        """See Warehouse.address."""
        return str(self._path)

    @contextmanager
    def on_one_connection(self) -> Iterator[Self]:
        """Itself: connections of one process share the database."""
        yield self

    def describe(self, target: str) -> TargetTable | None:
        """What stands under this name. Raises WarehouseError when no load could make the file."""
        if not self._path.parent.is_dir():
            raise WarehouseError(
                f"the warehouse {self._path} failed", "there is no such folder", "create it, or correct the path"
            )
        if not self._path.exists():
            return None
        with self._session() as session:
            return session.describe(target)

    def loads(self, feed: Feed) -> KnownLoads:
        """What was loaded into a target, and by whom."""
        if not self._path.exists():
            return KnownLoads()
        with self._session() as session:
            return ledger.read_loads(session, feed)

    def accept(self, feed: Feed, *, token: int, run: str, moved_from: str | None = None) -> None:
        """Record the target as it is now as what this table's loads left."""
        with self._session(loads=True) as session:
            self._prepare_ledger(session)
            with self._lock(session, feed.target), session.transaction():
                state = session.state(feed.target)
                ledger.accept_target(session, feed, state, token=token, run=run, moved_from=moved_from)

    def load(
        self,
        request: LoadRequest,
        open_part: OpenPart,
        on_staged: OnStaged,
        pause: Pause = time.sleep,  # noqa: ARG002 - Merges of one process wait for each other, none conflicts.
    ) -> LoadResult:
        """Build a target that is not there. Else stage beside other loads of this process, and merge one at a time."""
        with self._session(loads=True) as session:
            self._prepare_ledger(session)
            if result := self._build(session, request, open_part, on_staged):
                return result
            staged = stage(session, request, open_part, on_staged)
            with self._lock(session, request.target), session.transaction():
                return merge(session, request, staged, unstage_loaded)

    def _build(
        self, session: DuckDBSession, request: LoadRequest, open_part: OpenPart, on_staged: OnStaged
    ) -> LoadResult | None:
        """Make the target of the files. None: they are to be staged, it is there, or another load is at it."""
        lock = self._lock(session, request.target)
        wanted = request.files and request.each_key_once and not session.columns(request.target)
        if not wanted or not lock.acquire(blocking=False):
            return None
        try:
            with suppress(*NOT_BUILDABLE), session.bounded_memory(), session.transaction():
                return build(session, request, open_part, on_staged)
        finally:
            lock.release()
        return None

    def stage_ahead(self, request: LoadRequest, number: int, file: LoadFile, rows: pa.Table) -> None:
        """See Warehouse.stage_ahead."""
        raise NotImplementedError

    def read(self, target: str, columns: Mapping[str, str], batch_rows: int) -> Iterator[pa.RecordBatch]:
        """See Warehouse.read."""
        if not self._path.exists():
            return
        with self._session() as session:
            if known := session.columns(target):
                yield from session.read(target, columns_to_read(target, known, columns), batch_rows)

    def clock(self) -> datetime:
        """This host's clock: the file has none of its own."""
        return self._clock()

    def check(self) -> list[Check]:
        """Whether the file can be opened, or made."""
        if not self._path.exists():
            if self._path.parent.is_dir():
                return [Check("warehouse", Level.OK, f"{self._path} will be made by the first load")]
            return [
                Check("warehouse", Level.ERROR, f"{self._path.parent} is no folder", "create it, or correct the path")
            ]
        try:
            with self._session():
                return [Check("warehouse", Level.OK, f"DuckDB file {self._path}")]
        except WarehouseError as error:
            return [Check("warehouse", Level.ERROR, str(error), error.next_step)]

    def _lock(self, session: DuckDBSession, target: str) -> threading.Lock:
        return _LEDGER_LOCKS[self._path.resolve(), session.statements.full_name(target)]

    def _prepare_ledger(self, session: DuckDBSession) -> None:
        with _LEDGER_LOCKS[self._path.resolve(), ""]:
            if ledger.warehouse_id(session) is None:
                first = ledger.has_first_ledger(session)
                try:
                    with session.transaction():
                        ledger.create_ledger(session, first=first)
                except duckdb.CatalogException as error:
                    raise ledger.ledger_unusable(session.statements.schema, error) from error

    @contextmanager
    def _session(self, *, loads: bool = False) -> Iterator[DuckDBSession]:
        try:
            with closing(self._open()) as connection:
                yield DuckDBSession(connection, self._clock)
        except duckdb.Error as error:
            raise _translate(self._path, error, loads=loads) from error

    def _open(self) -> duckdb.DuckDBPyConnection:
        deadline = time.monotonic() + self._wait.total_seconds()
        while True:
            try:
                return duckdb.connect(self._path)
            except duckdb.Error as error:
                if not _is_busy(error) or time.monotonic() > deadline:
                    raise
                time.sleep(_POLL_SECONDS)


def _is_busy(error: duckdb.Error) -> bool:
    """Open in another process, or being closed by another thread of this one at this moment."""
    why = str(error)
    return (isinstance(error, duckdb.IOException) and "lock" in why) or "Unique file handle conflict" in why


def _translate(path: Path, error: duckdb.Error, *, loads: bool) -> WmtuiError:
    why = str(error).splitlines()[0]
    if isinstance(error, duckdb.IOException) and "lock" in why:
        return WarehouseError(f"another process has {path} open", why, "try again when it is done")
    misfits = duckdb.DataError | duckdb.IntegrityError | duckdb.ProgrammingError
    if isinstance(error, misfits) and not loads:
        return TargetUnreadable("the target cannot be read", why, "nothing was changed; look at the target")
    if isinstance(error, misfits):
        return LoadRefused("the target cannot take the rows", why, "nothing was loaded; fix the target")
    return WarehouseError(f"the warehouse {path} failed", why, "check path, permissions and free space")

"""What is the same of the warehouses PostgreSQL and Redshift, whatever their connections do."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import Any, Generic, Self, TypeVar

import psycopg
import pyarrow as pa

from wmtui.config import PostgresConfig, RedshiftConfig, Secret
from wmtui.errors import WarehouseError
from wmtui.model import Check, Level
from wmtui.warehouses.ledger import ledger
from wmtui.warehouses.ledger_state import Feed, KnownLoads
from wmtui.warehouses.load.merge import LoadedFilePolicy, add_columns, merge, with_added
from wmtui.warehouses.load.staging import Staged
from wmtui.warehouses.load_request import LoadFile, LoadRequest, LoadResult
from wmtui.warehouses.pg_protocol.connection import address_of, connect
from wmtui.warehouses.pg_protocol.errors import connection_lost, translated
from wmtui.warehouses.pg_protocol.kept_session import KeptSession
from wmtui.warehouses.pg_protocol.merge_transaction import Retries, merge_with_retries
from wmtui.warehouses.pg_protocol.session import PgSession
from wmtui.warehouses.read_columns import columns_to_read
from wmtui.warehouses.target import TargetTable

Credentials = Callable[[], tuple[str, Secret]]
"""Gives user and password of a new connection. Raises WarehouseError when there are none."""

_Session = TypeVar("_Session", bound=PgSession)


class PgWarehouse(ABC, Generic[_Session]):
    """Everything of a Warehouse but `load`; every operation has a connection of its own, but for those of
    `on_one_connection`.
    """

    stages_ahead = False
    most_files: int | None = None
    _kept: KeptSession[_Session] | None = None

    def __init__(self, config: PostgresConfig | RedshiftConfig, credentials: Credentials) -> None:
        self._server = config
        self._credentials = credentials

    @abstractmethod
    def _session_on(self, connection: "psycopg.Connection[Any]") -> _Session:
        """The engine's session on an open connection."""

    @property
    def address(self) -> str:
        """See Warehouse.address."""
        return f"{address_of(self._server)}/{self._server.schema}"

    @contextmanager
    def on_one_connection(self) -> Iterator[Self]:
        """See Warehouse.on_one_connection."""
        twin = copy.copy(self)
        with closing(KeptSession(self._open)) as twin._kept:
            try:
                yield twin
            finally:
                twin._end()

    def _end(self) -> None:
        """Leave nothing of what operations on one connection have begun."""

    def describe(self, target: str) -> TargetTable | None:
        """See Warehouse.describe."""
        with self._session() as session:
            return session.describe(target)

    def stage_ahead(self, request: LoadRequest, number: int, file: LoadFile, rows: pa.Table) -> None:
        """See Warehouse.stage_ahead."""
        raise NotImplementedError

    def loads(self, feed: Feed) -> KnownLoads:
        """See Warehouse.loads."""
        with self._session() as session:
            return ledger.read_loads(session, feed)

    def accept(self, feed: Feed, *, token: int, run: str, moved_from: str | None = None) -> None:
        """See Warehouse.accept."""
        with self._session(loads=True) as session:
            session.prepare_ledger()
            with session.transaction():
                session.lock_ledger(feed.target)
                state = session.state(feed.target)
                ledger.accept_target(session, feed, state, token=token, run=run, moved_from=moved_from)

    def read(self, target: str, columns: Mapping[str, str], batch_rows: int) -> Iterator[pa.RecordBatch]:
        """See Warehouse.read."""
        with self._session() as session:
            if known := session.columns(target):
                yield from session.read(target, columns_to_read(target, known, columns), batch_rows)

    def clock(self) -> datetime:
        """The server's clock, aware UTC."""
        with self._session() as session:
            return session.now().replace(tzinfo=UTC)

    def check(self) -> list[Check]:
        """See Warehouse.check."""
        try:
            with self._session() as session:
                return session.check()
        except WarehouseError as error:
            return [Check("warehouse", Level.ERROR, str(error), error.next_step)]

    def _merge(
        self,
        session: _Session,
        request: LoadRequest,
        staged: Staged,
        if_loaded: LoadedFilePolicy,
        retries: Retries,
    ) -> LoadResult:
        """Add the columns that the target lacks, then transaction 2."""
        added = add_columns(session, request, staged)
        result = self._committed(session, request, lambda: merge(session, request, staged, if_loaded), retries)
        return with_added(result, added)

    def _committed(
        self, session: _Session, request: LoadRequest, merge: Callable[[], LoadResult], retries: Retries
    ) -> LoadResult:
        """Transaction 2. When the connection breaks on the way, the ledger says whether it was committed. merge: what
        is done in it.
        """
        try:
            return merge_with_retries(session, request, merge, retries)
        except psycopg.OperationalError as error:
            if not connection_lost(error):
                raise
            return self._outcome(request, error)

    def _outcome(self, request: LoadRequest, lost: psycopg.Error) -> LoadResult:
        """What the ledger says about a load whose connection broke; the lock waits until the old transaction ended."""
        with self._own_session(loads=True) as session, session.transaction():
            session.lock_ledger(request.target)
            rows = session.execute(session.statements.select_load(request.target), request.load_id)
        committed = {(key, etag): count for key, etag, count in rows}
        if not committed:
            raise lost
        loaded = tuple(file for file in request.files if (file.key, file.etag) in committed)
        already = tuple(file for file in request.files if file not in loaded)
        return LoadResult(loaded, already, sum(committed.values()))

    @contextmanager
    def _session(self, *, loads: bool = False) -> Iterator[_Session]:
        """A prepared session. loads: what is done writes into the target; it decides the words of errors."""
        if self._kept is None:
            with self._own_session(loads=loads) as session:
                yield session
        else:
            with translated(address_of(self._server), loads=loads), self._kept.taken() as session:
                yield session

    @contextmanager
    def _own_session(self, *, loads: bool) -> Iterator[_Session]:
        """A prepared session that nothing was done in before."""
        with translated(address_of(self._server), loads=loads), closing(self._open()) as session:
            yield session

    def _open(self) -> _Session:
        user, password = self._credentials()
        connection = connect(self._server, user, password)
        try:
            session = self._session_on(connection)
            session.prepare()
        except BaseException:
            connection.close()
            raise
        return session

"""PostgreSQL as warehouse: parts are streamed through the client by COPY."""

import time
from functools import partial
from typing import Any

import psycopg
import pyarrow as pa
from msgspec import Struct

from wmtui.config import PostgresConfig
from wmtui.errors import TargetChanged
from wmtui.warehouses.load.building import NotBuilt
from wmtui.warehouses.load.merge import unstage_loaded
from wmtui.warehouses.load.staging import StreamStager, stage
from wmtui.warehouses.load.statements import Statements
from wmtui.warehouses.load_request import LoadFile, LoadRequest, LoadResult, OnStaged, OpenPart, Pause
from wmtui.warehouses.pg_protocol.merge_transaction import Retries
from wmtui.warehouses.pg_protocol.session import SYSTEM_COLUMNS
from wmtui.warehouses.pg_protocol.warehouse import PgWarehouse
from wmtui.warehouses.postgres.building import (
    NOT_BUILDABLE,
    TargetBuilder,
    become_target,
    drop_leftovers,
    drop_quietly,
)
from wmtui.warehouses.postgres.session import PostgresSession
from wmtui.warehouses.target import TargetLimits


class _Begun(Struct, frozen=True):
    """What was staged ahead of a load, and the session that it lies in."""

    session: PostgresSession
    stager: StreamStager | TargetBuilder


class PostgresWarehouse(PgWarehouse[PostgresSession]):
    """A Warehouse in one schema of a PostgreSQL server."""

    limits = TargetLimits(name_bytes=63, system_names=SYSTEM_COLUMNS)
    reads_store = False
    stages_ahead = True
    _begun: _Begun | None = None

    def __init__(self, config: PostgresConfig) -> None:
        super().__init__(config, lambda: (config.user, config.password))
        self.statements = Statements(config.schema)
        self._config = config

    def stage_ahead(self, request: LoadRequest, number: int, file: LoadFile, rows: pa.Table) -> None:
        """See Warehouse.stage_ahead."""
        with self._session(loads=True) as session:
            begun = self._begun
            if begun is not None and begun.session is not session:
                raise TargetChanged("what was staged is gone", "its connection was lost")
            with session.transaction():
                if begun is None:
                    kind = StreamStager if session.columns(request.target) else TargetBuilder
                    begun = _Begun(session, kind(session, request))
                try:
                    begun.stager.add(number, file, rows)
                except NotBuilt as error:
                    raise TargetChanged(f"{file.key} has other columns than the parts before it") from error
            self._begun = begun

    def load(
        self, request: LoadRequest, open_part: OpenPart, on_staged: OnStaged, pause: Pause = time.sleep
    ) -> LoadResult:
        """See Warehouse.load."""
        with self._session(loads=True) as session:
            retries = Retries(session.is_conflict, self._config.conflict_timeout, pause)
            session.prepare_ledger()
            begun = self._take_begun(session)
            try:
                drop_leftovers(session, request, begun.table if begun else None)
                if result := self._build(session, request, begun, open_part, on_staged, retries=retries):
                    return result
                stager = begun if isinstance(begun, StreamStager) else None
                staged = stage(session, request, open_part, on_staged, stager)
            except BaseException:
                if begun is not None:
                    drop_quietly(session, begun.table)
                raise
            with session.dropping(staged.staging):
                session.analyze(staged.staging)
                return self._merge(session, request, staged, unstage_loaded, retries)

    def _build(
        self,
        session: PostgresSession,
        request: LoadRequest,
        begun: StreamStager | TargetBuilder | None,
        open_part: OpenPart,
        on_staged: OnStaged,
        *,
        retries: Retries,
    ) -> LoadResult | None:
        """Make the target of the files, if it is not there; None: they are to be staged."""
        builder = begun if isinstance(begun, TargetBuilder) else None
        if isinstance(begun, StreamStager) or session.columns(request.target) or not request.each_key_once:
            if builder is not None:
                builder.drop()
            return None
        builder = builder or TargetBuilder(session, request)
        try:
            builder.complete(request.files, open_part, on_staged)
            return self._committed(session, request, partial(become_target, session, request, builder), retries)
        except (NotBuilt, *NOT_BUILDABLE):
            builder.drop()
            return None
        except BaseException:
            drop_quietly(session, builder.table)
            raise

    def _take_begun(self, session: PostgresSession) -> StreamStager | TargetBuilder | None:
        """What was staged ahead of this load, if its connection was not lost since."""
        begun, self._begun = self._begun, None
        return begun.stager if begun is not None and begun.session is session else None

    def _end(self) -> None:
        """Drop what was staged for a load that did not come."""
        begun, self._begun = self._begun, None
        if begun is not None and not begun.session.closed:
            drop_quietly(begun.session, begun.stager.table)

    def _session_on(self, connection: "psycopg.Connection[Any]") -> PostgresSession:
        return PostgresSession(connection, self._config)

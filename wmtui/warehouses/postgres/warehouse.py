"""PostgreSQL as warehouse: parts are streamed through the client by COPY."""

import time
from typing import Any

import psycopg
from psycopg import errors as pg

from wmtui.config import PostgresConfig
from wmtui.warehouses.load.merge import unstage_loaded
from wmtui.warehouses.load.staging import stage
from wmtui.warehouses.load.statements import Statements
from wmtui.warehouses.load_request import LoadRequest, LoadResult, OnStaged, OpenPart, Pause
from wmtui.warehouses.pg_protocol.merge_transaction import Retries
from wmtui.warehouses.pg_protocol.session import SYSTEM_COLUMNS
from wmtui.warehouses.pg_protocol.warehouse import PgWarehouse
from wmtui.warehouses.postgres.session import PostgresSession
from wmtui.warehouses.target import TargetLimits


def _is_conflict(error: psycopg.Error) -> bool:
    """Whether the transaction failed because of another program's, and may be tried again."""
    return isinstance(error, pg.SerializationFailure | pg.DeadlockDetected)


class PostgresWarehouse(PgWarehouse[PostgresSession]):
    """A Warehouse in one schema of a PostgreSQL server."""

    limits = TargetLimits(name_bytes=63, system_names=SYSTEM_COLUMNS)
    reads_store = False

    def __init__(self, config: PostgresConfig) -> None:
        super().__init__(config, lambda: (config.user, config.password))
        self.statements = Statements(config.schema)
        self._config = config

    def load(
        self, request: LoadRequest, open_part: OpenPart, on_staged: OnStaged, pause: Pause = time.sleep
    ) -> LoadResult:
        """See Warehouse.load."""
        with self._session(loads=True) as session:
            session.prepare_ledger()
            staged = stage(session, request, open_part, on_staged)
            with session.dropping(staged.staging):
                session.analyze(staged.staging)
                return self._merge(
                    session,
                    request,
                    staged,
                    unstage_loaded,
                    Retries(_is_conflict, self._config.conflict_timeout, pause),
                )

    def _session_on(self, connection: "psycopg.Connection[Any]") -> PostgresSession:
        return PostgresSession(connection, self._config)

"""Amazon Redshift as warehouse: it reads the parts itself, from S3, by one COPY of a manifest per schema."""

import random
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg
from msgspec.structs import replace
from psycopg import errors as pg

from wmtui.column_types import REDSHIFT_BINARY_BYTES, REDSHIFT_TEXT_BYTES
from wmtui.config import RedshiftConfig, Secret
from wmtui.warehouses.base import Limits, LoadFile, LoadRequest, LoadResult, Manifests, OnStaged, OpenPart
from wmtui.warehouses.ledger.ledger import loaded_before, passed, raise_fence
from wmtui.warehouses.load.merge import add_columns, enter, finish, prove_staging, with_added
from wmtui.warehouses.load.staging import Staged
from wmtui.warehouses.postgres.errors import connection_lost
from wmtui.warehouses.postgres.warehouse import SYSTEM_NAMES, PostgresWarehouse
from wmtui.warehouses.redshift.login import IamPasswords
from wmtui.warehouses.redshift.session import RedshiftSession
from wmtui.warehouses.redshift.staging import Stager
from wmtui.warehouses.redshift.statements import RedshiftStatements

_MERGE_ATTEMPTS = 4
_CONFLICTS = ("1023", "Serializable isolation violation", "conflict with concurrent transaction")
"""Redshift reports a serialization failure as an internal error, XX000, with these words in message or detail."""


class _AlreadyLoaded(Exception):
    """No error: the load goes on with the other files."""

    def __init__(self, files: set[LoadFile]) -> None:
        self.files = files


class RedshiftWarehouse(PostgresWarehouse):
    """A Warehouse in one schema of a Redshift database; every operation has a connection of its own."""

    limits = Limits(
        REDSHIFT_TEXT_BYTES,
        REDSHIFT_BINARY_BYTES,
        name_bytes=127,
        system_names=SYSTEM_NAMES | {"oid"},
        ignores_case=True,
    )
    reads_store = True

    def __init__(self, config: RedshiftConfig, manifests: Manifests) -> None:
        super().__init__(config)
        self.statements = RedshiftStatements(config.schema)
        self._redshift = config
        self._manifests = manifests
        self._passwords = IamPasswords(config, config.iam_login) if config.iam_login else None

    def load(self, request: LoadRequest, open_part: OpenPart, on_staged: OnStaged) -> LoadResult:
        """Stage by COPY, merge and write the ledger; a file that another load brought meanwhile is left out."""
        with self._session(loads=True) as session:
            session.prepare_ledger()
            wanted = request
            while wanted.files:
                staged = Stager(session, wanted, self._manifests, self._redshift, on_staged).stage(open_part)
                added = add_columns(session, wanted, staged)
                try:
                    done = with_added(_merge(session, wanted, staged), added)
                except _AlreadyLoaded as found:
                    files = tuple(file for file in wanted.files if file not in found.files)
                    wanted = replace(wanted, files=files)
                except psycopg.OperationalError as error:
                    if not connection_lost(error):
                        raise
                    return self._outcome(request, error)
                else:
                    already = tuple(file for file in request.files if file not in done.loaded)
                    return replace(done, already_loaded=already)
            with session.transaction():
                session.lock_ledger(request.target)
                known = enter(session, request)
                raise_fence(session, request, known, passed(request, known))
            return LoadResult((), request.files, 0)

    def _login(self) -> tuple[str, Secret]:
        return super()._login() if self._passwords is None else self._passwords.get()

    def _open(self, connection: "psycopg.Connection[Any]") -> RedshiftSession:
        return RedshiftSession(connection, self._redshift)

    @contextmanager
    def _session(self, *, loads: bool = False) -> Iterator[RedshiftSession]:
        with super()._session(loads=loads) as session:
            assert isinstance(session, RedshiftSession)
            yield session


def _merge(session: RedshiftSession, request: LoadRequest, staged: Staged) -> LoadResult:
    """Transaction 2, again after a serialization failure."""
    for attempt in range(1, _MERGE_ATTEMPTS):
        try:
            return _merge_once(session, request, staged)
        except psycopg.Error as error:
            if not is_conflict(error):
                raise
            time.sleep(random.uniform(0, 0.3 * attempt))
    return _merge_once(session, request, staged)


def is_conflict(error: psycopg.Error) -> bool:
    """Whether the transaction failed only because of another one, and may be tried again."""
    if isinstance(error, pg.SerializationFailure | pg.DeadlockDetected):
        return True
    said = f"{error.diag.message_primary} {error.diag.message_detail}"
    return isinstance(error, psycopg.InternalError) and any(words in said for words in _CONFLICTS)


def _merge_once(session: RedshiftSession, request: LoadRequest, staged: Staged) -> LoadResult:
    with session.transaction():
        session.lock_ledger(request.target)
        prove_staging(session, request, staged)
        known = enter(session, request)
        if again := loaded_before(session, request):
            raise _AlreadyLoaded(again)
        fresh: Mapping[LoadFile, int] = dict(zip(request.files, staged.rows, strict=True))
        return finish(session, request, staged, known, fresh)

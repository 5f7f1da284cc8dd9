"""Amazon Redshift as warehouse: it reads the parts itself, from S3, by one COPY of a manifest per schema."""

import time
from typing import Any

import psycopg
from msgspec.structs import replace

from wmtui.column_types import REDSHIFT_BINARY_BYTES, REDSHIFT_TEXT_BYTES
from wmtui.config import RedshiftConfig
from wmtui.warehouses.base import Manifests
from wmtui.warehouses.load.merge import FilesLoaded, finish_without_files, refuse_loaded
from wmtui.warehouses.load.statements import Statements
from wmtui.warehouses.load_request import LoadRequest, LoadResult, OnStaged, OpenPart, Pause
from wmtui.warehouses.pg_protocol.merge_transaction import Retries
from wmtui.warehouses.pg_protocol.session import SYSTEM_COLUMNS
from wmtui.warehouses.pg_protocol.warehouse import PgWarehouse
from wmtui.warehouses.redshift.login import credentials
from wmtui.warehouses.redshift.session import RedshiftSession
from wmtui.warehouses.redshift.staging import Stager
from wmtui.warehouses.redshift.statements import RedshiftStatements
from wmtui.warehouses.target import TargetLimits


class RedshiftWarehouse(PgWarehouse[RedshiftSession]):
    """A Warehouse in one schema of a Redshift database. manifests: the store that holds the files to load."""

    limits = TargetLimits(
        text_bytes=REDSHIFT_TEXT_BYTES,
        binary_bytes=REDSHIFT_BINARY_BYTES,
        name_bytes=127,
        system_names=SYSTEM_COLUMNS | {"oid"},
        ignores_case=True,
    )
    reads_store = True
    most_files: int | None = 500

    def __init__(self, config: RedshiftConfig, manifests: Manifests) -> None:
        super().__init__(config, credentials(config))
        self.statements: Statements = RedshiftStatements(config.schema)
        self._config = config
        self._manifests = manifests

    def load(
        self, request: LoadRequest, open_part: OpenPart, on_staged: OnStaged, pause: Pause = time.sleep
    ) -> LoadResult:
        """See Warehouse.load. When the ledger shows at the merge that another load brought some of the files, the
        others are staged again without them: a COPY of many files does not keep apart whose rows are whose.
        """
        with self._session(loads=True) as session:
            retries = Retries(session.is_conflict, self._config.conflict_timeout, pause)
            session.prepare_ledger()
            pending = request
            while pending.files:
                staged = Stager(session, pending, self._manifests, self._config, on_staged).stage(open_part)
                try:
                    result = self._merge(session, pending, staged, refuse_loaded, retries)
                except FilesLoaded as refusal:
                    files = tuple(file for file in pending.files if file not in refusal.files)
                    pending = replace(pending, files=files)
                else:
                    already = tuple(file for file in request.files if file not in result.loaded)
                    return replace(result, already_loaded=already)
            with session.transaction():
                session.lock_ledger(request.target)
                finish_without_files(session, request)
            return LoadResult((), request.files, 0)

    def _session_on(self, connection: "psycopg.Connection[Any]") -> RedshiftSession:
        return RedshiftSession(connection, self._config)

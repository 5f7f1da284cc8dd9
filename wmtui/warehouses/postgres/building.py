"""A first load into a target that is not there: the files go into the very table that becomes it.

No staging, no window over the rows, no join: the primary key, made last, proves that no key came twice. Where one did,
or anything else is not as it was expected, the table is dropped and the files are staged.
"""

from collections.abc import Sequence
from contextlib import suppress

import psycopg
from psycopg import errors as pg

from wmtui.warehouses.ledger.ledger import check_fence, loaded_before
from wmtui.warehouses.load.building import NotBuilt, record_built, shape_of
from wmtui.warehouses.load.merge import begin
from wmtui.warehouses.load.part_reader import Part, rows_of, staging_batches
from wmtui.warehouses.load.staging import check_row_count
from wmtui.warehouses.load.statements import building_name, count_rows, drop_staging
from wmtui.warehouses.load_request import LoadFile, LoadRequest, LoadResult, OnStaged, OpenPart
from wmtui.warehouses.postgres.session import PostgresSession
from wmtui.warehouses.target import Columns

NOT_BUILDABLE = (pg.UniqueViolation, pg.DuplicateTable)
"""A key came twice; something has the target's name by now."""


class TargetBuilder:
    """The table that is to become the target of a load, and the files in it."""

    def __init__(self, session: PostgresSession, request: LoadRequest) -> None:
        self._session = session
        self.name = building_name(request.feed, request.load_id)
        self.table = session.statements.beside(request.target, self.name)
        self.columns: Columns = {}
        self.primary_key: tuple[str, ...] = ()
        self._request = request
        self._rows: dict[tuple[str, str], int] = {}

    def add(self, _number: int, file: LoadFile, part: Part) -> int:
        """Copy one file, in the transaction that is open, and return its rows. Raises TableError for a file that is not
        what it promised, NotBuilt for one whose columns are not those of the first.
        """
        request, session = self._request, self._session
        shape = shape_of(session, request, file, part)
        if not self._rows:
            self.columns, self.primary_key = shape.columns, shape.primary_key
            columns, key = shape.columns, shape.primary_key
            session.execute(session.statements.create_building(request.target, self.name, columns, key))
        elif shape.columns != self.columns:
            raise NotBuilt
        staged = staging_batches(file, 0, part, shape.mappings, shape.primary_key)
        batches = (batch.select(shape.names) for batch in staged)
        rows = session.copy_into(self.table, shape.names, list(shape.columns.values()), batches)
        check_row_count([file], rows, rows_of(part) if file.rows is None else file.rows)
        self._rows[file.key, file.etag] = rows
        return rows

    def complete(self, files: Sequence[LoadFile], open_part: OpenPart, on_staged: OnStaged) -> None:
        """Transaction 1: copy the files that are not there yet. Raises NotBuilt when others are there too."""
        if self._rows.keys() - {(file.key, file.etag) for file in files}:
            raise NotBuilt
        with self._session.transaction():
            for file in files:
                rows = self._rows.get((file.key, file.etag))
                on_staged(file, self.add(0, file, open_part(file)) if rows is None else rows)

    def rows(self, file: LoadFile) -> int:
        """How many rows a file brought."""
        return self._rows[file.key, file.etag]

    def drop(self) -> None:
        """Drop the table, if it is there."""
        self._session.execute(drop_staging(self.table))


def become_target(session: PostgresSession, request: LoadRequest, builder: TargetBuilder) -> LoadResult:
    """Transaction 2, to be called inside it, the target's ledger locked: the table gets the target's name and key.

    Raises Conflict as `merge` does, NotBuilt when files are loaded by now, the target is there, or the table does not
    hold what was copied.
    """
    statements, target = session.statements, request.target
    fresh = {file: builder.rows(file) for file in request.files}
    _verify(session, builder, sum(fresh.values()))
    known = begin(session, request)
    if loaded_before(session, request) or session.columns(target):
        raise NotBuilt
    session.execute(statements.rename_building(target, builder.name))
    if builder.primary_key:
        session.execute(statements.add_primary_key(target, builder.primary_key))
    return record_built(session, request, known, builder.columns, fresh)


def _verify(session: PostgresSession, builder: TargetBuilder, promised: int) -> None:
    """Raises NotBuilt unless the table, which bears this load's id, holds what was copied: another load of the table
    has dropped it, or another program changed it.
    """
    try:
        rows = session.execute(count_rows(builder.table))[0][0]
    except session.missing_errors:
        rows = 0
    if rows != promised:
        raise NotBuilt


def drop_leftovers(session: PostgresSession, request: LoadRequest, begun: str | None) -> None:
    """Drop, under the fence, what loads of this feed that were killed have left. One that only sleeps keeps its table
    for as long as it is writing into it. begun: what was staged ahead of this very load, quoted; it stays.
    """
    for table in session.leftovers(request.feed):
        if table == begun:
            continue
        with suppress(pg.LockNotAvailable), session.transaction():
            session.lock_ledger(request.target)
            check_fence(session, request.feed, request.token, request.run)
            session.execute("SET LOCAL lock_timeout = 1000")
            session.execute(drop_staging(table))


def drop_quietly(session: PostgresSession, table: str) -> None:
    """Drop a table if the connection still serves; else the next load does."""
    with suppress(psycopg.Error):
        session.execute(drop_staging(table))

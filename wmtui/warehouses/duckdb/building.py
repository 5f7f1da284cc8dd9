"""A first load into a target that is not there: the files go straight into it, in the transaction of the ledger.

No staging, no window over the rows, no join: the primary key refuses a key that comes twice, and then the files are
staged. No other connection sees the target before the commit, and a load that was killed leaves nothing.
"""

import duckdb

from wmtui.warehouses.duckdb.session import DuckDBSession
from wmtui.warehouses.ledger.ledger import loaded_before
from wmtui.warehouses.load.building import NotBuilt, Shape, record_built, shape_of
from wmtui.warehouses.load.merge import begin
from wmtui.warehouses.load.part_reader import Part, rows_of, staging_batches
from wmtui.warehouses.load.staging import check_row_count
from wmtui.warehouses.load_request import LoadFile, LoadRequest, LoadResult, OnStaged, OpenPart

NOT_BUILDABLE = (NotBuilt, duckdb.ConstraintException)
"""Files that do not make one table, or are loaded by now; a key that comes twice."""


def build(session: DuckDBSession, request: LoadRequest, open_part: OpenPart, on_staged: OnStaged) -> LoadResult:
    """To be called in the transaction, the target's ledger locked.

    Raises Conflict as `merge` does, TableError for a file that is not what it promised, and NOT_BUILDABLE.
    """
    known = begin(session, request)
    if loaded_before(session, request) or session.columns(request.target):
        raise NotBuilt
    shape: Shape | None = None
    rows: dict[LoadFile, int] = {}
    for file in request.files:
        part = open_part(file)
        found = shape_of(session, request, file, part)
        if shape is None:
            shape = _created(session, request, found)
        elif found.columns != shape.columns:
            raise NotBuilt
        rows[file] = _copy(session, request, file, part, found)
        session.release_memory()
        on_staged(file, rows[file])
    return record_built(session, request, known, shape.columns if shape else {}, rows)


def _created(session: DuckDBSession, request: LoadRequest, shape: Shape) -> Shape:
    """Make the target. Its key is there from the first row on: a key that comes twice ends the load early."""
    statements = session.statements
    session.execute(statements.create_target(request.target, shape.columns, shape.primary_key, request.layout))
    return shape


def _copy(session: DuckDBSession, request: LoadRequest, file: LoadFile, part: Part, shape: Shape) -> int:
    batches = staging_batches(file, 0, part, shape.mappings, shape.primary_key)
    rows = session.copy_into(request.target, shape.names, (batch.select(shape.names) for batch in batches))
    check_row_count([file], rows, rows_of(part) if file.rows is None else file.rows)
    return rows

"""Transaction 2 of a load, the same for every warehouse: fence, merge and ledger; and what they say afterwards."""

from collections.abc import Mapping
from datetime import UTC

from wmtui.errors import Conflict, TableError
from wmtui.warehouses.base import Layout, LedgerEntry, LoadFile, LoadRequest, LoadResult
from wmtui.warehouses.landing import Columns, match
from wmtui.warehouses.session import Session
from wmtui.warehouses.sql import FENCE, LEDGER, unstage
from wmtui.warehouses.staging import Staged
from wmtui.warehouses.types import arrow_type


def read_ledger(session: Session, table: str, target: str, epoch: int) -> list[LedgerEntry]:
    """Every file committed into this target in this epoch or later, oldest first; empty before the first load."""
    if not session.columns(LEDGER):
        return []
    rows = session.execute(session.statements.select_ledger(), table, target, epoch)
    return [LedgerEntry(uri, etag, count, load_id, at.replace(tzinfo=UTC)) for uri, etag, count, load_id, at in rows]


def read_fence(session: Session, table: str, target: str) -> int:
    """The highest token that has loaded into this target; 0 before the first load."""
    if not session.columns(FENCE):
        return 0
    return max(
        (int(token) for (token,) in session.execute(session.statements.select_fence(), table, target)), default=0
    )


def has_no_row(session: Session, target: str) -> bool:
    """The target has no row, or there is no such table."""
    return not session.columns(target) or not session.execute(session.statements.select_any(target))


def count_rows(session: Session, target: str) -> int | None:
    """Rows in the target, None when there is no such table."""
    if not session.columns(target):
        return None
    return int(session.execute(session.statements.count(target))[0][0])


def merge(session: Session, request: LoadRequest, staged: Staged) -> LoadResult:
    """Transaction 2, to be called inside it, the ledger locked: fence, merge, ledger rows.

    Files that are in the ledger by now are taken out of staging again. Raises Conflict when a higher token was seen.
    """
    pass_fence(session, request)
    known = set() if request.reprocess else ledger_keys(session, request)
    fresh = {file: staged.rows[i] for i, file in enumerate(request.files) if (file.uri, file.etag) not in known}
    for ordinal, file in enumerate(request.files):
        if file not in fresh:
            session.execute(unstage(), ordinal)
    added: tuple[str, ...] = ()
    if fresh:
        added = apply(session, request, staged)
        write_ledger(session, request, fresh)
    already = tuple(file for file in request.files if file not in fresh)
    return LoadResult(tuple(fresh), already, sum(fresh.values()), added)


def pass_fence(session: Session, request: LoadRequest) -> None:
    """Leave this load's token at the fence. Raises Conflict when a higher one has passed."""
    fence = (request.table, request.target)
    highest = session.execute(session.statements.select_fence(), *fence)
    if not highest:
        session.execute(session.statements.insert_fence(), *fence, request.token)
    elif highest[0][0] > request.token:
        raise Conflict(
            f"a newer run has taken over {request.table}",
            f"it loads with token {highest[0][0]}, this one with {request.token}",
            "nothing was loaded by this run; the newer one goes on",
        )
    elif highest[0][0] < request.token:
        session.execute(session.statements.update_fence(), *fence, request.token)


def ledger_keys(session: Session, request: LoadRequest) -> set[tuple[str, str]]:
    """URI and ETag of every file that is loaded."""
    rows = session.execute(session.statements.select_ledger(), request.table, request.target, request.epoch)
    return {(uri, etag) for uri, etag, *_ in rows}


def apply(session: Session, request: LoadRequest, staged: Staged) -> tuple[str, ...]:
    """Bring staging into the target, which is created if there is none; returns the columns it was given beside its
    own, NULL in the rows that were there.
    """
    statements, target = session.statements, request.target
    current = session.columns(target)
    added: tuple[str, ...] = ()
    if not current:
        layout = target_layout(request, staged)
        session.execute(statements.create_target(target, staged.columns, staged.primary_key, layout))
    else:
        added = tuple(column for column in staged.added if column not in current) if staged.target else ()
        for column in added:
            session.execute(statements.add_column(target, column, staged.columns[column]))
        current = {**current, **{column: staged.columns[column] for column in added}}
        if current != staged.target and not _holds(current, staged.columns):
            raise Conflict(
                f"the columns of {target} changed while files were staged",
                "another process altered or created the target",
                "nothing was loaded; run it again",
            )
    if not staged.primary_key:
        session.execute(statements.insert_all(target, list(staged.columns)))
        return added
    for statement in statements.merge_rows(target, staged.columns, staged.primary_key, staged.cursor):
        session.execute(statement)
    return added


def target_layout(request: LoadRequest, staged: Staged) -> Layout:
    """The layout by the names of the target's columns. Raises TableError for a column that it does not have."""
    layout = request.layout

    def place(column: str, setting: str) -> str:
        found = match(request.naming.of(column) or column, staged.columns)
        if found is None:
            raise TableError(
                f"{request.table} has no column {column}",
                f"tables.yaml names it as {setting}; there are {', '.join(staged.columns)}",
                f"correct {setting} in tables.yaml",
            )
        return found

    return Layout(
        layout.diststyle,
        layout.distkey and place(layout.distkey, "distkey"),
        tuple(place(column, "sortkey") for column in layout.sortkey),
    )


def _holds(current: Columns, staged: Columns) -> bool:
    """Whether a table has all staged columns in their types, whatever words it has for them."""
    return all(name in current and arrow_type(current[name]) == arrow_type(kind) for name, kind in staged.items())


def write_ledger(session: Session, request: LoadRequest, fresh: Mapping[LoadFile, int]) -> None:
    """A row for each file, with its rows."""
    place, now = (request.table, request.target), session.now()
    session.execute_many(
        session.statements.insert_ledger(),
        [
            (*place, file.uri, file.etag, rows, request.load_id, request.epoch, request.token, now)
            for file, rows in fresh.items()
        ],
    )

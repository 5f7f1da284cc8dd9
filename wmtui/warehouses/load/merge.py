"""Transaction 2 of a load, the same for every warehouse: proof of staging, fence, merge and ledger."""

from collections.abc import Callable, Mapping, Sequence, Set
from contextlib import suppress

from msgspec.structs import replace

from wmtui.errors import FileMisfit, RowsMissing, TargetChanged
from wmtui.warehouses.ledger.ledger import check_fence, claim, fence_after, loaded_before, write_fence, write_ledger
from wmtui.warehouses.ledger_state import Fence
from wmtui.warehouses.load.columns import match
from wmtui.warehouses.load.session import Session
from wmtui.warehouses.load.staging import Staged
from wmtui.warehouses.load.statements import OutdatedRows, Update, count_staged, drop_staging, unstage
from wmtui.warehouses.load.types import arrow_type
from wmtui.warehouses.load_request import LoadFile, LoadRequest, LoadResult, TargetLayout
from wmtui.warehouses.target import Columns

LoadedFilePolicy = Callable[[Session, LoadRequest, Staged, Set[LoadFile]], None]
"""What is done with files that another load has committed since this one was decided on: at least one."""


class FilesLoaded(Exception):
    """Other loads have committed files of this one meanwhile: it begins again without them."""

    def __init__(self, files: Set[LoadFile]) -> None:
        super().__init__(", ".join(sorted(file.key for file in files)))
        self.files = files


def unstage_loaded(session: Session, request: LoadRequest, staged: Staged, loaded: Set[LoadFile]) -> None:
    """The LoadedFilePolicy where staging tells the rows of every file: delete those of loaded files from it."""
    for file_number, file in zip(staged.file_numbers, request.files, strict=True):
        if file in loaded:
            session.execute(unstage(staged.staging.table), file_number)


def refuse_loaded(_session: Session, _request: LoadRequest, _staged: Staged, loaded: Set[LoadFile]) -> None:
    """The LoadedFilePolicy where staging does not tell the rows of every file. Raises FilesLoaded."""
    raise FilesLoaded(loaded)


def merge(session: Session, request: LoadRequest, staged: Staged, if_loaded: LoadedFilePolicy) -> LoadResult:
    """Transaction 2, to be called inside it, the target's ledger locked.

    Raises Conflict when a higher token was seen or staging is not this load's, and what `if_loaded` raises.
    """
    verify_staging(session, request, staged)
    known = begin(session, request)
    loaded = loaded_before(session, request)
    if loaded:
        if_loaded(session, request, staged, loaded)
    fresh = {file: staged.rows[i] for i, file in enumerate(request.files) if file not in loaded}
    return finish(session, request, staged, known, fresh)


def finish_without_files(session: Session, request: LoadRequest) -> None:
    """Transaction 2 of a load whose files are all loaded: the fence passed and raised, nothing merged."""
    known = begin(session, request)
    write_fence(session, request, known, fence_after(request, known))


def begin(session: Session, request: LoadRequest) -> Fence | None:
    """Check the fence, and that the warehouse was not put back meanwhile; returns what an earlier load of this feed
    left. Raises Conflict.
    """
    if request.claim:
        claim(session, request.feed)
    known = check_fence(session, request.feed, request.token, request.run)
    after = request.after
    if after is not None and not session.execute(session.statements.select_load(request.target), after):
        raise TargetChanged(
            f"the ledger of {request.target} does not know load {after} any more",
            "the warehouse was put back to an earlier moment while files were staged",
            "nothing was loaded; run it again: it loads what the warehouse lost too",
        )
    return known


def finish(
    session: Session, request: LoadRequest, staged: Staged, known: Fence | None, fresh: Mapping[LoadFile, int]
) -> LoadResult:
    """Merge what is fresh, write the ledger and raise the fence."""
    added: tuple[str, ...] = ()
    left = fence_after(request, known)
    if fresh:
        before = left.columns
        added, inserted = merge_staging(session, request, staged, before)
        write_ledger(session, request, fresh)
        left = replace(
            left,
            target_id=session.state(request.target, count=False).id,
            target_rows=None if request.target_rows is None else request.target_rows + inserted,
            columns=tuple(dict.fromkeys((*before, *staged.columns))),
        )
    write_fence(session, request, known, left)
    session.execute(drop_staging(staged.staging.table))
    already = tuple(file for file in request.files if file not in fresh)
    return LoadResult(tuple(fresh), already, sum(fresh.values()), added)


def add_columns(session: Session, request: LoadRequest, staged: Staged) -> tuple[str, ...]:
    """Give an existing target the columns it lacks, ahead of the transaction that holds the ledger: the statement waits
    for every reader of the target. Returns those that this load added.
    """
    if not staged.target or not staged.added:
        return ()
    current, added = session.columns(request.target), []
    for column in staged.added:
        if current and column not in current:
            with suppress(*session.exists_errors):  # Another load was quicker.
                statement = session.statements.add_column(request.target, column, staged.columns[column])
                session.execute(statement)
                added.append(column)
    return tuple(added)


def with_added(result: LoadResult, added: tuple[str, ...]) -> LoadResult:
    """The result of a load for which columns were added before."""
    return replace(result, added=(*added, *result.added))


def verify_staging(session: Session, request: LoadRequest, staged: Staged) -> None:
    """Raises Conflict unless staging, which bears this load's id, holds what was staged.

    A pooler may give this transaction another connection than the one that staged; that connection does not have it.
    """
    try:
        staged_rows = dict(session.execute(count_staged(staged.staging.table)))
    except session.missing_errors:
        staged_rows = {}
    promised: dict[int, int] = {}
    for file_number, rows in zip(staged.file_numbers, staged.rows, strict=True):
        promised[file_number] = promised.get(file_number, 0) + rows
    if staged_rows != {file_number: rows for file_number, rows in promised.items() if rows}:
        raise TargetChanged(
            f"staging of load {request.load_id} does not hold what was staged",
            f"it has {sum(staged_rows.values()):,} rows of {sum(promised.values()):,}",
            "nothing was loaded; if a pooler stands before the warehouse, give wmtui a session of its own",
        )


def merge_staging(
    session: Session, request: LoadRequest, staged: Staged, before: Sequence[str]
) -> tuple[tuple[str, ...], int]:
    """Bring staging into the target, which is created if there is none. before: columns that earlier loads carried.

    Returns the columns it was given beside its own, NULL in the rows that were there, and how many rows are new.
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
            raise TargetChanged(
                f"the columns of {target} changed while files were staged",
                "another process altered or created the target",
                "nothing was loaded; run it again",
            )
    empty = not current or not session.execute(statements.select_any(target))
    kept = [column for column in before if column in current]
    return added, merge_rows(session, request, staged, kept, empty=empty)


def merge_rows(session: Session, request: LoadRequest, staged: Staged, before: Sequence[str], *, empty: bool) -> int:
    """Bring staging into a target: of every key its newest row, and never an older row over a newer one.

    A row changes the columns that its own file carries; of one of our own parts also those that earlier loads carried,
    which become NULL: the source has them no more. What the target alone has is left as it is. Returns how many rows
    are new. Raises TableError when the target did not take what was staged.
    """
    statements, target = session.statements, request.target
    key, cursor = staged.primary_key, staged.cursor
    staging, left = session.newest(staged.staging, key, cursor) if key else (staged.staging, _count(session, staged))
    if not key or empty:
        inserted = session.change(statements.insert_all(target, staging))
        _require_all(target, left, inserted, 0)
        return inserted
    for file_numbers, ties in _not_replacing(request, staged):
        left -= session.change(
            statements.delete_outdated(target, staging, key, cursor, OutdatedRows(file_numbers, ties))
        )
    updated = 0
    for update in _updates(request, staged, before):
        updated += session.change(statements.update_rows(target, staging, key, update))
    inserted = session.change(statements.insert_absent(target, staging, key))
    if updated + inserted != left and session.execute(statements.count_absent(target, staging, key, cursor))[0][0]:
        _require_all(target, left, inserted, updated)
    return inserted


def _count(session: Session, staged: Staged) -> int:
    return sum(rows for _, rows in session.execute(count_staged(staged.staging.table)))


def _require_all(target: str, staged: int, inserted: int, updated: int) -> None:
    if staged == inserted + updated:
        return
    raise RowsMissing(
        f"{target} did not take every row: {staged:,} were staged, {inserted:,} inserted and {updated:,} updated",
        "a trigger, a rule or row-level security of the target keeps rows from being written",
        "nothing was loaded; `wmtui doctor -t` names what the target has of these",
    )


def _not_replacing(request: LoadRequest, staged: Staged) -> list[tuple[tuple[int, ...], bool]]:
    """Files whose rows may lose to rows of the target, by whether they lose ties."""
    groups: dict[bool, dict[int, None]] = {}
    for file_number, file in zip(staged.file_numbers, request.files, strict=True):
        if not file.replaces:
            groups.setdefault(file.loses_ties, {})[file_number] = None
    return [(tuple(file_numbers), ties) for ties, file_numbers in groups.items()]


def _updates(request: LoadRequest, staged: Staged, before: Sequence[str]) -> list[Update]:
    """What rows of each file change: files that carry the same columns together. No column of the key is ever set."""
    groups: dict[tuple[tuple[str, ...], tuple[str, ...]], dict[int, None]] = {}
    known = dict.fromkeys(before)
    for file, carried, file_number in zip(request.files, staged.carried, staged.file_numbers, strict=True):
        emptied = tuple(c for c in known if file.rows is not None and c not in (*carried, *staged.primary_key))
        changed = tuple(c for c in carried if c not in staged.primary_key)
        groups.setdefault((changed, emptied), {})[file_number] = None
        known |= dict.fromkeys(carried)
    return [Update(changed, emptied, tuple(file_numbers)) for (changed, emptied), file_numbers in groups.items()]


def target_layout(request: LoadRequest, staged: Staged) -> TargetLayout:
    """The layout by the names of the target's columns. Raises TableError for a column that it does not have."""
    layout = request.layout

    def target_column(column: str, setting: str) -> str:
        name = match(request.naming.of(column) or column, staged.columns)
        if name is None:
            raise FileMisfit(
                f"{request.table} has no column {column}",
                f"tables.yaml names it as {setting}; there are {', '.join(staged.columns)}",
                f"correct {setting} in tables.yaml",
            )
        return name

    return TargetLayout(
        layout.diststyle,
        layout.distkey and target_column(layout.distkey, "distkey"),
        tuple(target_column(column, "sortkey") for column in layout.sortkey),
    )


def _holds(current: Columns, staged: Columns) -> bool:
    """Whether a table has all staged columns in their types, whatever words it has for them."""
    return all(name in current and arrow_type(current[name]) == arrow_type(kind) for name, kind in staged.items())

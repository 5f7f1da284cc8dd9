"""The load itself, the same for every warehouse: stage in one transaction, merge and write the ledger in another."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import Struct

from wmtui.errors import Conflict, TableError
from wmtui.warehouses.base import Layout, LedgerEntry, LoadFile, LoadRequest, LoadResult, OnStaged, OpenPart
from wmtui.warehouses.landing import Columns, Landing, Target, common_schema, land, match, order_columns, renamed
from wmtui.warehouses.parts import staging_batches
from wmtui.warehouses.sql import FENCE, LEDGER, Statements, create_staging, extend_staging, unstage, widen_staging
from wmtui.warehouses.types import arrow_type, carried_schema


class Session(Protocol):
    """One connection to a warehouse. Methods raise the driver's own errors; the adapter translates them.

    data_errors: those for a value that a column does not take.
    """

    statements: Statements
    data_errors: tuple[type[Exception], ...]

    def transaction(self) -> AbstractContextManager[object]:
        """Commit at the end of the block, roll back when it raises."""
        ...

    def execute(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """The rows of one statement, none for one without a result."""
        ...

    def execute_many(self, statement: str, rows: Sequence[Sequence[object]]) -> None:
        """One statement for several rows of values."""
        ...

    def columns(self, table: str) -> Columns:
        """The columns of a table of the schema, empty when there is no such table."""
        ...

    def copy(self, columns: Sequence[str], batches: Iterable[pa.RecordBatch]) -> int:
        """Append batches to these columns of staging; returns the rows that arrived."""
        ...

    def now(self) -> datetime:
        """The warehouse's clock: UTC, without zone, as the ledger holds it."""
        ...


class Staged(Struct, frozen=True):
    """What lies in the session's staging table.

    target: the target's columns at that time, empty when it is to be created. columns: those of staging. added: those
    among them that the target is to get.
    primary_key, cursor: their names in the target. rows: of each file, in the order of the request.
    """

    target: Columns
    columns: Columns
    added: tuple[str, ...]
    primary_key: tuple[str, ...]
    cursor: str
    rows: tuple[int, ...]


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


def stage(session: Session, request: LoadRequest, open_part: OpenPart, on_staged: OnStaged) -> Staged:
    """Transaction 1: copy every file into a temporary table; nothing else changes.

    Raises TableError when a file does not fit the target or does not have the rows it promised.
    """
    with session.transaction():
        stager = _Stager(session, request)
        for ordinal, file in enumerate(request.files):
            on_staged(file, stager.add(ordinal, file, open_part(file)))
        return stager.staged


class _Stager:
    def __init__(self, session: Session, request: LoadRequest) -> None:
        self._session = session
        self._request = request
        self._target = Target(request.target, session.columns(request.target), session.statements)
        self._lacking = pa.schema([])
        self.staged = Staged(self._target.columns, {}, (), request.primary_key, request.cursor, ())
        session.execute(create_staging({}))

    def add(self, ordinal: int, file: LoadFile, part: pq.ParquetFile) -> int:
        """Stage one file and return its rows."""
        with named(file):
            schema = carried_schema(part.schema_arrow)
            target = self._extended(file, schema)
            landings = land(schema, target, self._request.naming)
            key, cursor = merge_columns(self._request, target.columns, landings)
        columns = self._extend({landing.column: target.columns[landing.column] for landing in landings})
        batches = staging_batches(file, ordinal, part, landings, key)
        with narrow_columns_named(self._session, target, schema, landings):
            rows = self._session.copy([landing.column for landing in landings], batches)
        keep_promise([file], rows, part.metadata.num_rows if file.rows is None else file.rows)
        counts = (*self.staged.rows, rows)
        self.staged = Staged(self._target.columns, columns, tuple(self._lacking.names), key, cursor, counts)
        return rows

    def _extended(self, file: LoadFile, schema: pa.Schema) -> Target:
        """The target with the columns that the files so far have beside its own."""
        lacking = self._target.lacking(renamed(schema, self._request.naming))
        refuse_additions(self._request, self._target, [file], lacking)
        self._lacking = common_schema([self._lacking, lacking])
        return self._target.with_columns(self._lacking)

    def _extend(self, columns: Columns) -> Columns:
        for column, kind in columns.items():
            if column not in self.staged.columns:
                self._session.execute(extend_staging(column, kind))
            elif self.staged.columns[column] != kind:
                self._session.execute(widen_staging(column, kind))
        return {**self.staged.columns, **columns}


def merge_columns(request: LoadRequest, known: Columns, landings: Sequence[Landing]) -> tuple[tuple[str, ...], str]:
    """Primary key and cursor by their names in the target; without a key the cursor decides nothing."""
    if not request.primary_key:
        return (), request.cursor
    *key, cursor = order_columns(request.merge_columns, known, landings)
    return tuple(key), cursor


def refuse_additions(request: LoadRequest, target: Target, files: Sequence[LoadFile], lacking: pa.Schema) -> None:
    """Raises TableError when an existing target must not be given the columns that files have beside its own: by a
    foreign file, which may not be this table's at all, when they decide which row is the newest, or when the target has
    them by the name that the source gives them.
    """
    if not target.columns or not lacking.names:
        return
    names = ", ".join(lacking.names)
    for source, column in request.naming.rename.items():
        if column in lacking.names and source in target.columns:
            raise TableError(
                f"target {request.target} has column {source}, which tables.yaml calls {column}",
                "its rows would have one value under the old name, and new rows theirs under the new one",
                f"run {target.statements.rename_column(request.target, source, column)}",
            )
    if order := set(lacking.names) & set(request.merge_columns if request.primary_key else ()):
        raise TableError(
            f"target {request.target} has no column {', '.join(sorted(order))}",
            "its primary key or cursor was renamed since it was made, and its rows could not be told apart",
            "rename the target's column too, or keep its name with `rename` in tables.yaml",
        )
    if foreign := [file.key for file in files if file.rows is None]:
        statements = target.statements
        adds = "; ".join(
            statements.add_column(request.target, field.name, statements.column_type(field)) for field in lacking
        )
        raise TableError(
            f"target {request.target} has no column {names}",
            f"only files of wmtui's own runs may add columns, and {foreign[0]} is none",
            f"remove a file that is not this table's, or run {adds}",
        )


@contextmanager
def narrow_columns_named(
    session: Session, target: Target, schema: pa.Schema, landings: Sequence[Landing]
) -> Iterator[None]:
    """Say of a value that the target does not take which statement would make room for it."""
    try:
        yield
    except session.data_errors as error:
        fields = {field.name: field for field in schema}
        found = (target.widening(landing.column, fields[landing.source]) for landing in landings)
        statements = [statement for statement in found if statement]
        if not statements:
            raise
        raise TableError(
            f"target {target.name} is narrower than its source",
            str(error).splitlines()[0],
            f"nothing was loaded; run {'; '.join(statements)}",
        ) from error


@contextmanager
def named(file: LoadFile) -> Iterator[None]:
    """Say which file it is that does not fit."""
    try:
        yield
    except TableError as error:
        raise type(error)(f"{file.key} does not fit: {error.what}", error.why, error.next_step) from error


def keep_promise(files: Sequence[LoadFile], rows: int, promised: int) -> None:
    """Raises TableError unless files brought the rows they promised together."""
    if rows != promised:
        names = files[0].key if len(files) == 1 else f"{files[0].key} and {len(files) - 1} more"
        raise TableError(
            f"{names} has {rows:,} rows, {promised:,} were promised",
            "a file is not what its run wrote",
            "nothing was loaded; compare it with its run document",
        )


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
    statements, target, names = session.statements, request.target, list(staged.columns)
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
        session.execute(statements.insert_all(target, names))
        return added
    for statement in statements.merge_rows(target, names, staged.primary_key, staged.cursor):
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

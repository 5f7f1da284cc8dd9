"""Transaction 1 of a load: every file into a temporary table, and what must fit before anything else changes."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import Struct
from msgspec.structs import replace

from wmtui.errors import LoadRefused, RowsMissing, TableError
from wmtui.warehouses.load.columns import (
    ColumnMapping,
    Target,
    common_schema,
    key_and_cursor,
    map_columns,
    match,
    renamed,
)
from wmtui.warehouses.load.conversions import target_field
from wmtui.warehouses.load.part_reader import staging_batches
from wmtui.warehouses.load.session import Session, StreamSession
from wmtui.warehouses.load.statements import Staging, extend_staging, staging_name, widen_staging
from wmtui.warehouses.load.types import carried_schema
from wmtui.warehouses.load_request import LoadFile, LoadRequest, Naming, OnStaged, OpenPart
from wmtui.warehouses.target import Columns


class Staged(Struct, frozen=True):
    """What lies in a load's staging table.

    target: the target's columns at that time, empty when it is to be created. added: columns of staging that the target
    is to get. primary_key, cursor: their names in the target. rows, carried: of each file, in the order of the request:
    how many rows it has, and which of the target's columns. file_numbers: the number of each file in staging; several
    that were copied at once share one.
    """

    staging: Staging
    target: Columns
    added: tuple[str, ...]
    primary_key: tuple[str, ...]
    cursor: str
    rows: tuple[int, ...] = ()
    carried: tuple[tuple[str, ...], ...] = ()
    file_numbers: tuple[int, ...] = ()

    @property
    def columns(self) -> Columns:
        """The target's columns that staging has, and their types."""
        return self.staging.columns


def stage(session: StreamSession, request: LoadRequest, open_part: OpenPart, on_staged: OnStaged) -> Staged:
    """Transaction 1: copy every file into a temporary table; nothing else changes.

    Raises TableError when a file does not fit the target or does not have the rows it promised.
    """
    with session.transaction():
        stager = _Stager(session, request)
        for ordinal, file in enumerate(request.files):
            on_staged(file, stager.add(ordinal, file, open_part(file)))
        return stager.staged


class _Stager:
    def __init__(self, session: StreamSession, request: LoadRequest) -> None:
        self._session = session
        self._request = request
        self._target = Target(request.target, session.columns(request.target), session.statements)
        self._lacking = pa.schema([])
        staging = session.create_staging(staging_name(request.feed, request.load_id))
        self.staged = Staged(
            staging=staging,
            target=self._target.columns,
            added=(),
            primary_key=request.primary_key,
            cursor=request.cursor,
        )

    def add(self, ordinal: int, file: LoadFile, part: pq.ParquetFile) -> int:
        """Stage one file and return its rows."""
        with file_named(file):
            naming = self._request.naming
            included = [field for field in part.schema_arrow if naming.of(field.name) is not None]
            schema = carried_schema(pa.schema(included))
            target = self._extended(file, schema)
            mappings = map_columns(schema, target, naming)
            key, cursor = merge_columns(self._request, target.columns, mappings)
        carried = tuple(mapping.column for mapping in mappings)
        staging = self._extend({column: target.columns[column] for column in carried})
        batches = staging_batches(file, ordinal, part, mappings, key)
        with widening_advised(self._session, target, schema, mappings, naming):
            rows = self._session.copy(staging, carried, batches)
        check_row_count([file], rows, part.metadata.num_rows if file.rows is None else file.rows)
        before = self.staged
        self.staged = Staged(
            staging=staging,
            target=self._target.columns,
            added=tuple(self._lacking.names),
            primary_key=key,
            cursor=cursor,
            rows=(*before.rows, rows),
            carried=(*before.carried, carried),
            file_numbers=(*before.file_numbers, ordinal),
        )
        return rows

    def _extended(self, file: LoadFile, schema: pa.Schema) -> Target:
        """The target with the columns that the files so far have beside its own."""
        lacking = self._target.lacking(renamed(schema, self._request.naming))
        refuse_additions(self._request, self._target, [file], lacking)
        self._lacking = common_schema([self._lacking, lacking])
        return self._target.with_columns(self._lacking)

    def _extend(self, columns: Columns) -> Staging:
        staging = self.staged.staging
        known = {**staging.columns, **columns}
        for number, (column, kind) in enumerate(known.items()):
            if column not in staging.columns:
                self._session.execute(extend_staging(staging.table, number, kind))
            elif staging.columns[column] != kind:
                self._session.execute(widen_staging(staging.table, number, kind))
        return replace(staging, columns=known)


def merge_columns(
    request: LoadRequest, known: Columns, mappings: Sequence[ColumnMapping]
) -> tuple[tuple[str, ...], str]:
    """Primary key and cursor by their names in the target; without a key the cursor decides nothing."""
    if not request.primary_key:
        return (), request.cursor
    *key, cursor = key_and_cursor(request.merge_columns, known, mappings)
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
        known = match(source, target.columns)
        if column in lacking.names and known is not None:
            raise LoadRefused(
                f"target {request.target} has column {known}, which tables.yaml calls {column}",
                "its rows would have one value under the old name, and new rows theirs under the new one",
                f"run {target.statements.rename_column(request.target, known, column)}",
            )
    if order := set(lacking.names) & set(request.merge_columns if request.primary_key else ()):
        raise LoadRefused(
            f"target {request.target} has no column {', '.join(sorted(order))}",
            "its primary key or cursor was renamed since it was made, and its rows could not be told apart",
            "rename the target's column too, or keep its name with `rename` in tables.yaml",
        )
    if foreign := [file.key for file in files if file.rows is None]:
        statements = target.statements
        adds = "; ".join(
            statements.add_column(request.target, field.name, statements.column_type(field)) for field in lacking
        )
        raise LoadRefused(
            f"target {request.target} has no column {names}",
            f"only files of wmtui's own runs may add columns, and {foreign[0]} is none",
            f"remove a file that is not this table's, or run {adds}",
        )


@contextmanager
def widening_advised(
    session: Session, target: Target, schema: pa.Schema, mappings: Sequence[ColumnMapping], naming: Naming
) -> Iterator[None]:
    """Say of a value that the target does not take which statement would make room for it."""
    try:
        yield
    except session.data_errors as error:
        fields = {field.name: target_field(field, naming) for field in schema if naming.of(field.name) is not None}
        known = (mapping for mapping in mappings if mapping.column in target.columns)
        widenings = (target.widening(mapping.column, fields[mapping.source]) for mapping in known)
        statements = [statement for statement in widenings if statement]
        if not statements:
            raise
        raise LoadRefused(
            f"target {target.name} is narrower than its source",
            str(error).splitlines()[0],
            f"nothing was loaded; run {'; '.join(statements)}",
        ) from error


@contextmanager
def file_named(file: LoadFile) -> Iterator[None]:
    """Say which file it is that does not fit."""
    try:
        yield
    except TableError as error:
        raise type(error)(f"{file.key} does not fit: {error.what}", error.why, error.next_step) from error


def check_row_count(files: Sequence[LoadFile], rows: int, promised: int) -> None:
    """Raises TableError unless files brought the rows they promised together."""
    if rows != promised:
        names = files[0].key if len(files) == 1 else f"{files[0].key} and {len(files) - 1} more"
        raise RowsMissing(
            f"{names} has {rows:,} rows, {promised:,} were promised",
            "a file is not what its run wrote",
            "nothing was loaded; compare it with its run document",
        )

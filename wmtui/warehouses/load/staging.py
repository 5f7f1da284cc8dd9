"""Transaction 1 of a load: every file into a temporary table, and what must fit before anything else changes."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise

import pyarrow as pa
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
from wmtui.warehouses.load.part_reader import Part, rows_of, schema_of, staging_batches
from wmtui.warehouses.load.session import Session, StreamSession
from wmtui.warehouses.load.statements import Staging, drop_staging, extend_staging, staging_name, widen_staging
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


def stage(
    session: StreamSession,
    request: LoadRequest,
    open_part: OpenPart,
    on_staged: OnStaged,
    begun: "StreamStager | None" = None,
) -> Staged:
    """Transaction 1: copy every file into a temporary table; nothing else changes. begun: has some of them already.

    Raises TableError when a file does not fit the target or does not have the rows it promised.
    """
    with session.transaction():
        if begun is not None and not begun.serves(request):
            session.execute(drop_staging(begun.table))
            begun = None
        stager = begun or StreamStager(session, request)
        for number, file in zip(stager.numbers(request.files), request.files, strict=True):
            rows = stager.rows(file)
            on_staged(file, stager.add(number, file, open_part(file)) if rows is None else rows)
        return stager.staged(request.files)


class _StagedFile(Struct, frozen=True):
    """number: by which staging knows its rows. carried: columns of the target that it has."""

    number: int
    rows: int
    carried: tuple[str, ...]


class StreamStager:
    """Copies files into a staging table, which it makes, in the transaction that is open."""

    def __init__(self, session: StreamSession, request: LoadRequest) -> None:
        self._session = session
        self._request = request
        self._target = Target(request.target, session.columns(request.target), session.statements)
        self._lacking = pa.schema([])
        self._key, self._cursor = request.primary_key, request.cursor
        self._files: dict[tuple[str, str], _StagedFile] = {}
        self.staging = session.create_staging(staging_name(request.feed, request.load_id))

    def serves(self, request: LoadRequest) -> bool:
        """What was staged is as a load would stage it now: the target is the same, no file of another load is there,
        and the files keep their order.
        """
        return (
            self._session.columns(request.target) == self._target.columns
            and self._files.keys() <= {(file.key, file.etag) for file in request.files}
            and all(earlier < later for earlier, later in pairwise(self.numbers(request.files)))
        )

    @property
    def table(self) -> str:
        """The staging table, quoted."""
        return self.staging.table

    def numbers(self, files: Sequence[LoadFile]) -> list[int]:
        """The number of each file: its own if it is staged, else the next after the file before it."""
        numbers: list[int] = []
        for file in files:
            staged = self._files.get((file.key, file.etag))
            numbers.append(staged.number if staged else numbers[-1] + 1 if numbers else 0)
        return numbers

    def rows(self, file: LoadFile) -> int | None:
        """How many rows a file has in staging; None: it is not there."""
        staged = self._files.get((file.key, file.etag))
        return None if staged is None else staged.rows

    def staged(self, files: Sequence[LoadFile]) -> Staged:
        """Staging as it is, with these files in it."""
        chosen = [self._files[file.key, file.etag] for file in files]
        return Staged(
            staging=self.staging,
            target=self._target.columns,
            added=tuple(self._lacking.names),
            primary_key=self._key,
            cursor=self._cursor,
            rows=tuple(file.rows for file in chosen),
            carried=tuple(file.carried for file in chosen),
            file_numbers=tuple(file.number for file in chosen),
        )

    def add(self, number: int, file: LoadFile, part: Part) -> int:
        """Stage one file and return its rows."""
        with file_named(file):
            naming = self._request.naming
            schema = included_schema(part, naming)
            target = self._extended(file, schema)
            mappings = map_columns(schema, target, naming)
            self._key, self._cursor = merge_columns(self._request, target.columns, mappings)
        carried = tuple(mapping.column for mapping in mappings)
        self.staging = self._extend({column: target.columns[column] for column in carried})
        batches = staging_batches(file, number, part, mappings, self._key)
        with widening_advised(self._session, target, schema, mappings, naming):
            rows = self._session.copy(self.staging, carried, batches)
        check_row_count([file], rows, rows_of(part) if file.rows is None else file.rows)
        self._files[file.key, file.etag] = _StagedFile(number, rows, carried)
        return rows

    def _extended(self, file: LoadFile, schema: pa.Schema) -> Target:
        """The target with the columns that the files so far have beside its own."""
        lacking = self._target.lacking(renamed(schema, self._request.naming))
        refuse_additions(self._request, self._target, [file], lacking)
        self._lacking = common_schema([self._lacking, lacking])
        return self._target.with_columns(self._lacking)

    def _extend(self, columns: Columns) -> Staging:
        staging = self.staging
        known = {**staging.columns, **columns}
        for number, (column, kind) in enumerate(known.items()):
            if column not in staging.columns:
                self._session.execute(extend_staging(staging.table, number, kind))
            elif staging.columns[column] != kind:
                self._session.execute(widen_staging(staging.table, number, kind))
        return replace(staging, columns=known)


def included_schema(part: Part, naming: Naming) -> pa.Schema:
    """A file's columns that the target is to have, in the types they travel in. Raises UnsupportedValue."""
    return carried_schema(pa.schema([field for field in schema_of(part) if naming.of(field.name) is not None]))


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

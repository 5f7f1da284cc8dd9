"""Transaction 1 on Redshift: it copies the files from the store itself, by a manifest for those of equal columns."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import groupby

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import Struct
from msgspec.structs import replace

from wmtui import layout
from wmtui.column_types import INSTANT, max_bytes
from wmtui.config import RedshiftConfig
from wmtui.errors import FileMisfit, LoadRefused, TableError, UnsupportedValue
from wmtui.model import As
from wmtui.warehouses.base import Manifests
from wmtui.warehouses.load.columns import ColumnMapping, Target, common_schema, map_columns, match, renamed
from wmtui.warehouses.load.staging import (
    Staged,
    check_row_count,
    file_named,
    merge_columns,
    refuse_additions,
    widening_advised,
)
from wmtui.warehouses.load.statements import Staging, drop_staging, staging_name
from wmtui.warehouses.load.types import arrow_type, carried_schema, declared_length
from wmtui.warehouses.load_request import LoadFile, LoadRequest, OnStaged, OpenPart
from wmtui.warehouses.quoting import quote
from wmtui.warehouses.redshift import copy_statements
from wmtui.warehouses.redshift.session import RedshiftSession
from wmtui.warehouses.redshift.statements import clear_staging, find_dispute, find_tie
from wmtui.warehouses.target import Columns


class _Part(Struct, frozen=True):
    """A file to be staged. ordinal: its number in the request. rows: those of its footer, which are those promised."""

    ordinal: int
    file: LoadFile
    schema: pa.Schema
    rows: int


class _Group(Struct, frozen=True):
    """Files of equal columns, where these go in the target, and the target's names of key and cursor."""

    parts: Sequence[_Part]
    schema: pa.Schema
    mappings: Sequence[ColumnMapping]
    primary_key: tuple[str, ...]
    cursor: str

    @property
    def file_number(self) -> int:
        """The number by which staging knows these files: of the last of them."""
        return self.parts[-1].ordinal


class Stager:
    """Transaction 1: the files by COPY, a manifest for those of equal columns."""

    def __init__(
        self,
        session: RedshiftSession,
        request: LoadRequest,
        manifests: Manifests,
        config: RedshiftConfig,
        on_staged: OnStaged,
    ) -> None:
        self._session = session
        self._request = request
        self._manifests = manifests
        self._config = config
        self._on_staged = on_staged
        self._target = Target(request.target, session.columns(request.target), session.statements)
        self._copies = 0

    def stage(self, open_part: OpenPart) -> Staged:
        """Raises TableError when a file does not fit the target or does not have the rows it promised.

        Within a run no order of files is needed: it has a key twice only with different cursors.
        """
        parts = [self._part(ordinal, file, open_part(file)) for ordinal, file in enumerate(self._request.files)]
        self._widen(parts)
        lacking = self._lacking(parts)
        target = self._target.with_columns(lacking)
        groups = [self._group(group, target) for group in _of_equal_columns(parts)]
        columns = {mapping.column: target.columns[mapping.column] for group in groups for mapping in group.mappings}
        try:
            with self._session.transaction():
                staging = self._create(columns, groups[-1].file_number)
                whole = len(groups) == 1 and _lands_as_kept(groups[0], columns)
                for group in groups:
                    (self._copy_whole if whole else self._stage_group)(staging, group)
                    for part in group.parts:
                        self._on_staged(part.file, part.rows)
                runs = _by_run(parts)
                if len(runs) > 1 and self._file_decides(staging, groups[-1]):
                    self._session.execute(clear_staging(staging))
                    groups = [self._group(same, target) for run in runs for same in _of_equal_columns(run)]
                    for group in groups:
                        self._stage_group(staging, group)
            self._analyze(staging, groups[-1])
        except _CopyFailed as failed:
            raise self._explained(failed) from failed.error
        last, of = groups[-1], {part.ordinal: group for group in groups for part in group.parts}
        return Staged(
            staging=staging,
            target=self._target.columns,
            added=tuple(lacking.names),
            primary_key=last.primary_key,
            cursor=last.cursor,
            rows=tuple(part.rows for part in parts),
            carried=tuple(tuple(mapping.column for mapping in of[part.ordinal].mappings) for part in parts),
            file_numbers=tuple(of[part.ordinal].file_number for part in parts),
        )

    def _create(self, columns: Columns, file_number: int) -> Staging:
        request = self._request
        name = staging_name(request.feed, request.load_id)
        self._session.execute(drop_staging(quote(name)))  # Of the same files, before one of them was left out.
        staging = Staging(name, quote(name), columns)
        distkey = self._session.distkey(request.target) if self._target.columns else self._distkey_of_new(columns)
        self._session.execute(copy_statements.create_staging(staging, file_number, distkey))
        return staging

    def _distkey_of_new(self, columns: Columns) -> str | None:
        """Of a target that is to be created."""
        setting, naming = self._request.layout.distkey, self._request.naming
        return setting and match(naming.of(setting) or setting, columns)

    def _analyze(self, staging: Staging, group: _Group) -> None:
        """Before it is joined. A load goes on without: nothing but its plan depends on it."""
        if self._target.columns and group.primary_key:
            with suppress(psycopg.ProgrammingError, psycopg.InternalError, psycopg.NotSupportedError):
                self._session.execute(copy_statements.analyze(staging, group.primary_key))

    def _explained(self, failed: "_CopyFailed") -> TableError:
        where, why = self._session.why_copy_failed(failed.columns)
        message = " ".join(filter(None, (failed.error.diag.message_primary, failed.error.diag.message_detail)))
        names = ", ".join(file.key for file in failed.files[:3]) + (", …" if len(failed.files) > 3 else "")
        return LoadRefused(
            f"Redshift could not load{where or f' {names}'}", why or " ".join(message.split()), "nothing was loaded"
        )

    def _part(self, ordinal: int, file: LoadFile, part: pq.ParquetFile) -> _Part:
        with file_named(file):
            schema: pa.Schema = part.schema_arrow
            carried = carried_schema(schema)
            for field in schema:
                _refuse_what_redshift_misreads(field)
            footer: int = part.metadata.num_rows
        if file.rows is not None:
            check_row_count([file], footer, file.rows)
        return _Part(ordinal, file, carried, footer)

    def _widen(self, parts: Sequence[_Part]) -> None:
        """Make text columns of the target as long as those of the files: Redshift does that in no transaction. What it
        does not change (binary, text in a key, with a default or in some encodings) is left until a value does not fit.
        """
        altered = False
        for field in common_schema([renamed(part.schema, self._request.naming) for part in parts]):
            column = match(field.name, self._target.columns)
            if column is None or max_bytes(field) is None or not pa.types.is_string(field.type):
                continue
            if statement := self._target.widening(column, field):
                with suppress(psycopg.Error):
                    self._session.execute(statement)
                    altered = True
        if altered:
            self._target = replace(self._target, columns=self._session.columns(self._request.target))

    def _lacking(self, parts: Sequence[_Part]) -> pa.Schema:
        """What the files have beside the target's columns, all of them where it is to be created."""
        lacking = {part.ordinal: self._target.lacking(renamed(part.schema, self._request.naming)) for part in parts}
        for part in parts:
            refuse_additions(self._request, self._target, [part.file], lacking[part.ordinal])
        return common_schema(lacking.values())

    def _group(self, parts: Sequence[_Part], target: Target) -> _Group:
        schema = common_schema([part.schema for part in parts])
        with file_named(parts[0].file):
            mappings = map_columns(schema, target, self._request.naming)
            return _Group(parts, schema, mappings, *merge_columns(self._request, target.columns, mappings))

    def _file_decides(self, staging: Staging, group: _Group) -> bool:
        """Whether two rows of one key and cursor differ: the later file is right, and a COPY of many tells no files."""
        order = (group.primary_key, group.cursor)
        return bool(
            group.primary_key
            and self._session.execute(find_tie(staging, *order))
            and self._session.execute(find_dispute(staging, *order))
        )

    def _copy_whole(self, staging: Staging, group: _Group) -> None:
        """All files at once into staging, which keeps every column as it lands."""
        self._copy(staging.table, group)

    def _stage_group(self, staging: Staging, group: _Group) -> None:
        session = self._session
        session.execute(copy_statements.create_landing(group.schema))
        self._copy(quote(copy_statements.LANDING), group)
        self._refuse_no_truth(group)
        with widening_advised(session, self._target, group.schema, group.mappings, self._request.naming):
            session.execute(copy_statements.stage_landed(staging, group.schema, group.mappings, group.file_number))
        session.execute(copy_statements.drop_landing())

    def _refuse_no_truth(self, group: _Group) -> None:
        """Raises UnsupportedValue for a number that is no truth value, where the target keeps it as one."""
        for mapping in group.mappings:
            if mapping.how is not As.BOOLEAN or not pa.types.is_integer(mapping.carried):
                continue
            number = group.schema.get_field_index(mapping.source)
            if rows := self._session.execute(copy_statements.find_no_truth(number)):
                raise UnsupportedValue(
                    f"column {mapping.source} of {group.parts[0].file.key} or a file loaded with it cannot be kept as "
                    f"{mapping.how}",
                    f"{rows[0][0]} is neither 0 nor 1",
                    "correct `as` in tables.yaml, or rewrite the file",
                )

    def _copy(self, table: str, group: _Group) -> None:
        """Files into an empty table: all of their rows, or an error."""
        session, schema, files = self._session, group.schema, [part.file for part in group.parts]
        self._copies += 1
        name = layout.manifest_key(self._request.load_id, self._copies)
        self._manifests.put(name, copy_statements.manifest(files))
        try:
            session.execute(copy_statements.copy(table, len(schema), self._manifests.uri(name), self._config))
        except (psycopg.InternalError, psycopg.DataError, psycopg.ProgrammingError, psycopg.NotSupportedError) as error:
            raise _CopyFailed(error, files, schema.names) from error
        finally:
            self._manifests.delete(name)
        sources = {mapping.column: mapping.source for mapping in group.mappings}
        key = [sources[column] for column in group.primary_key]
        numbers = [schema.get_field_index(column) for column in key]
        copied, *with_value = map(int, session.execute(copy_statements.count_copied(table, numbers))[0])
        check_row_count(files, copied, sum(part.rows for part in group.parts))
        for column, count in zip(key, with_value, strict=True):
            if count < copied:
                raise FileMisfit(
                    f"{files[0].key} or a file loaded with it has a row whose key column {column} is NULL",
                    "a row without a key cannot be merged",
                    "rewrite the file without it, or configure the table without primary_key",
                )


def _of_equal_columns(parts: Iterable[_Part]) -> list[list[_Part]]:
    """The parts by names and types of their columns, because COPY of Parquet goes by position, and by what the merge
    does with them.
    """
    groups: dict[tuple[object, ...], list[_Part]] = {}
    for part in parts:
        columns = tuple((field.name, field.type) for field in part.schema)
        groups.setdefault((columns, part.file.loses_ties, part.file.replaces, part.file.rows is None), []).append(part)
    return list(groups.values())


def _by_run(parts: Iterable[_Part]) -> list[list[_Part]]:
    """The parts of a run that follow each other, and each foreign file alone: between these the later decides."""
    return [list(same) for _, same in groupby(parts, key=lambda part: part.file.run or part.file.key)]


def _lands_as_kept(group: _Group, columns: Columns) -> bool:
    """Whether the target keeps every column of the files, in exactly the type in which COPY brings it. columns: of the
    target.
    """
    return [mapping.source for mapping in group.mappings] == group.schema.names and all(
        mapping.how is None and field.type != INSTANT and _is_same_type(field, columns[mapping.column])
        for mapping, field in zip(group.mappings, group.schema, strict=True)
    )


def _is_same_type(field: pa.Field, declared: str) -> bool:
    """Whether a column holds whatever COPY brings into one of a file's field, text of any length among it."""
    landing = copy_statements.landing_type(field)
    kind = arrow_type(landing)
    longest, room = declared_length(landing), declared_length(declared)
    return kind is not None and kind == arrow_type(declared) and (longest is None or (room or 0) >= longest)


def _refuse_what_redshift_misreads(field: pa.Field) -> None:
    """Raises UnsupportedValue. Source: Redshift has no numbers without sign, takes other units for microseconds, and
    says nothing of some types of Parquet.
    """
    kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    if any(is_of(kind) for is_of in (pa.types.is_null, pa.types.is_fixed_size_binary, pa.types.is_float16)):
        raise UnsupportedValue(
            f"column {field.name} has type {field.type}",
            "how Redshift reads that from Parquet files is documented nowhere",
            "rewrite the file, with binary or double, or without a column that is always NULL",
        )
    if pa.types.is_timestamp(kind) and kind.unit != "us":
        raise UnsupportedValue(
            f"column {field.name} has type {field.type}",
            "Redshift reads timestamps of Parquet files rightly in microseconds only",
            "rewrite the file, timestamps in microseconds",
        )
    if pa.types.is_unsigned_integer(kind):
        raise UnsupportedValue(
            f"column {field.name} has type {field.type}",
            "Redshift has no numbers without sign",
            "rewrite the file with the next larger type, or decimal(20,0)",
        )


class _CopyFailed(Exception):
    """To be explained once the transaction has ended: until then Redshift answers nothing."""

    def __init__(self, error: psycopg.Error, files: Sequence[LoadFile], columns: Sequence[str]) -> None:
        super().__init__(str(error))
        self.error = error
        self.files = files
        self.columns = columns

"""Amazon Redshift as warehouse: it reads the parts itself, from S3, by one COPY of a manifest per schema."""

import random
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import groupby, islice
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import Struct
from msgspec.structs import replace
from psycopg import errors as pg

from wmtui.config import RedshiftConfig, Secret
from wmtui.errors import TableError, UnsupportedValue
from wmtui.model import Check, Level
from wmtui.types import REDSHIFT_BINARY_BYTES, REDSHIFT_TEXT_BYTES, max_bytes
from wmtui.warehouses import copy_out, redshift_sql, sql
from wmtui.warehouses.base import (
    MANIFESTS,
    Limits,
    LoadFile,
    LoadRequest,
    LoadResult,
    Manifests,
    OnStaged,
    OpenPart,
)
from wmtui.warehouses.landing import Landing, Target, common_schema, land, match, renamed
from wmtui.warehouses.loading import (
    Staged,
    apply,
    keep_promise,
    ledger_keys,
    merge_columns,
    named,
    narrow_columns_named,
    pass_fence,
    refuse_additions,
    write_ledger,
)
from wmtui.warehouses.postgres import STATEMENT_TIMEOUT, PostgresSession, PostgresWarehouse, milliseconds
from wmtui.warehouses.postgres_errors import connection_lost
from wmtui.warehouses.reading import ReadColumn
from wmtui.warehouses.redshift_login import IamPasswords
from wmtui.warehouses.types import carried_schema

_MERGE_ATTEMPTS = 4
_LEDGER_ROWS = 100
_FETCHED = 10_000
_CURSOR = "wmtui_rows"
_CONFLICTS = ("1023", "Serializable isolation violation", "conflict with concurrent transaction")
"""Redshift reports a serialization failure as an internal error, XX000, with these words in message or detail."""


class _Part(Struct, frozen=True):
    """A file to be staged. ordinal: its place in the request. rows: those of its footer, which are those promised."""

    ordinal: int
    file: LoadFile
    schema: pa.Schema
    rows: int


class _Group(Struct, frozen=True):
    """Files of equal columns, where these land, and the target's names of key and cursor."""

    parts: Sequence[_Part]
    schema: pa.Schema
    landings: Sequence[Landing]
    primary_key: tuple[str, ...]
    cursor: str


class _AlreadyLoaded(Exception):
    """No error: the load goes on with the other files."""

    def __init__(self, keys: set[tuple[str, str]]) -> None:
        self.keys = keys


class RedshiftWarehouse(PostgresWarehouse):
    """A Warehouse in one schema of a Redshift database; every operation has a connection of its own."""

    limits = Limits(REDSHIFT_TEXT_BYTES, REDSHIFT_BINARY_BYTES)
    reads_store = True

    def __init__(self, config: RedshiftConfig, manifests: Manifests) -> None:
        super().__init__(config)
        self._redshift = config
        self._manifests = manifests
        self._passwords = IamPasswords(config, config.iam_login) if config.iam_login else None

    def load(self, request: LoadRequest, open_part: OpenPart, on_staged: OnStaged) -> LoadResult:
        """Stage by COPY, merge and write the ledger; a file that another load brought meanwhile is left out."""
        with self._session() as session:
            session.create_ledger()
            wanted = request
            while wanted.files:
                staged = _Stager(session, wanted, self._manifests, self._redshift, on_staged).stage(open_part)
                try:
                    done = _merge(session, wanted, staged)
                except _AlreadyLoaded as found:
                    files = tuple(file for file in wanted.files if (file.uri, file.etag) not in found.keys)
                    wanted = replace(wanted, files=files)
                except psycopg.OperationalError as error:
                    if not connection_lost(error):
                        raise
                    return self._outcome(request, error)
                else:
                    already = tuple(file for file in request.files if file not in done.loaded)
                    return replace(done, already_loaded=already)
            return LoadResult((), request.files, 0)

    def _login(self) -> tuple[str, Secret]:
        return super()._login() if self._passwords is None else self._passwords.get()

    def _open(self, connection: "psycopg.Connection[Any]") -> "RedshiftSession":
        return RedshiftSession(connection, self._redshift)

    @contextmanager
    def _session(self) -> "Iterator[RedshiftSession]":
        with super()._session() as session:
            assert isinstance(session, RedshiftSession)
            yield session


class RedshiftSession(PostgresSession):
    """One connection."""

    def __init__(self, connection: "psycopg.Connection[Any]", config: RedshiftConfig) -> None:
        super().__init__(connection, config)
        self.statements = redshift_sql.RedshiftStatements(config.schema)

    def prepare(self) -> None:
        """Nothing hangs for ever, and times are UTC."""
        for setting in (
            f"statement_timeout TO {milliseconds(STATEMENT_TIMEOUT)}",
            "timezone TO 'UTC'",
            "datestyle TO 'ISO'",
        ):
            self.execute(f"SET {setting}")

    def execute_many(self, statement: str, rows: Sequence[Sequence[object]]) -> None:
        """Some rows at a time; psycopg's own way is a pipeline, which Redshift does not speak."""
        waiting = iter(rows)
        while several := list(islice(waiting, _LEDGER_ROWS)):
            width = len(several[0])
            head, _, _ = statement.partition(" VALUES ")
            groups = (
                f"({', '.join(f'${number * width + column + 1}' for column in range(width))})"
                for number in range(len(several))
            )
            self.execute(f"{head} VALUES {', '.join(groups)}", *(value for row in several for value in row))

    def lock_ledger(self) -> None:
        """Keep other loads out until the transaction ends. LOCK takes no snapshot: what follows sees the ledger now."""
        self.execute(f"LOCK {self.statements.ledger}")

    def read(self, target: str, columns: Sequence[ReadColumn], batch_rows: int) -> Iterator[pa.RecordBatch]:
        """Every row, by a cursor: COPY to the client does not exist here."""
        names = [column.name for column in columns]
        rows = self.statements.select(target, [_expression(column) for column in columns])
        with self.transaction():
            self.execute(f"DECLARE {_CURSOR} CURSOR FOR {rows}")
            while found := self.execute(f"FETCH FORWARD {min(batch_rows, _FETCHED)} FROM {_CURSOR}"):
                values = list(zip(*found, strict=True))
                arrays = [_array(list(values[i]), column.type) for i, column in enumerate(columns)]
                yield pa.record_batch(arrays, names=names)

    def describe_connection(self) -> Check:
        """Version and encryption."""
        version = str(self.execute("SELECT version()")[0][0]).rpartition(" ")[2]
        if self.encrypted:
            return Check("warehouse", Level.OK, f"Redshift {version}, encrypted")
        step = "set tls: verify in tables.yaml unless the network is trusted"
        return Check("warehouse", Level.WARNING, f"Redshift {version}, not encrypted", step)

    def why_copy_failed(self) -> tuple[str, str]:
        """Which file and column, and why, as Redshift noted it; both "" if it noted nothing."""
        for statement in redshift_sql.LOAD_ERRORS:
            with suppress(psycopg.Error):
                for name, column, reason, value in self.execute(statement):
                    shown = f": {value!r}" if value else ""
                    return f" {name}, column {column}", f"{reason}{shown}"
        return "", ""


def _expression(column: ReadColumn) -> str:
    """Times as text: a database has some that Python has not, such as infinity."""
    read = copy_out.expression(column)
    return f"CAST({read} AS varchar)" if column.type is not None and pa.types.is_temporal(column.type) else read


def _array(values: list[Any], kind: pa.DataType | None) -> pa.Array:
    """Values in a column's type; as text if one does not fit it."""
    if kind is not None and pa.types.is_temporal(kind):
        return copy_out.typed(pa.array(values, pa.string()), kind)
    if kind is not None and pa.types.is_binary(kind):
        values = [bytes.fromhex(v) if isinstance(v, str) else v for v in values]
    try:
        return pa.array(values, kind or pa.string())
    except (pa.ArrowException, TypeError, ValueError):
        return pa.array([None if v is None else str(v) for v in values], pa.string())


class _Stager:
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
        """Raises TableError when a file does not fit the target or does not have the rows it promised."""
        parts = [self._part(ordinal, file, open_part(file)) for ordinal, file in enumerate(self._request.files)]
        self._widen(parts)
        lacking = self._lacking(parts)
        target = self._target.with_columns(lacking)
        # Only neighbours: of rows with equal keys and cursors the one in the later file wins.
        together = groupby(parts, key=lambda part: [(f.name, f.type) for f in part.schema])
        groups = [self._group(list(group), target) for _, group in together]
        columns = {landing.column: target.columns[landing.column] for group in groups for landing in group.landings}
        try:
            with self._session.transaction():
                self._session.execute(f"DROP TABLE IF EXISTS {sql.quote(sql.STAGING)}")
                self._session.execute(sql.create_staging(columns))
                for group in groups:
                    self._stage_group(group, target)
        except _CopyFailed as failed:
            raise self._explained(failed) from failed.error
        counts = tuple(part.rows for part in parts)
        last = groups[-1]
        return Staged(self._target.columns, columns, tuple(lacking.names), last.primary_key, last.cursor, counts)

    def _explained(self, failed: "_CopyFailed") -> TableError:
        place, why = self._session.why_copy_failed()
        said = " ".join(filter(None, (failed.error.diag.message_primary, failed.error.diag.message_detail)))
        names = ", ".join(file.key for file in failed.files[:3]) + (", …" if len(failed.files) > 3 else "")
        return TableError(
            f"Redshift could not load{place or f' {names}'}", why or " ".join(said.split()), "nothing was loaded"
        )

    def _part(self, ordinal: int, file: LoadFile, part: pq.ParquetFile) -> _Part:
        with named(file):
            schema: pa.Schema = part.schema_arrow
            carried = carried_schema(schema)
            for field in schema:
                _refuse_what_redshift_misreads(field)
            footer: int = part.metadata.num_rows
        if file.rows is not None:
            keep_promise([file], footer, file.rows)
        return _Part(ordinal, file, carried, footer)

    def _widen(self, parts: Sequence[_Part]) -> None:
        """Make text and binary columns of the target as long as those of the files: Redshift does that in no
        transaction. One that it does not change (in a key, or of some encodings) is left until a value does not fit.
        """
        for field in common_schema([renamed(part.schema, self._request.naming) for part in parts]):
            column = match(field.name, self._target.columns)
            if column is None or max_bytes(field) is None:
                continue
            if statement := self._target.widening(column, field):
                with suppress(psycopg.Error):
                    self._session.execute(statement)
        self._target = replace(self._target, columns=self._session.columns(self._request.target))

    def _lacking(self, parts: Sequence[_Part]) -> pa.Schema:
        """What the files have beside the target's columns, all of them where it is to be created."""
        lacking = {part.ordinal: self._target.lacking(renamed(part.schema, self._request.naming)) for part in parts}
        for part in parts:
            refuse_additions(self._request, self._target, [part.file], lacking[part.ordinal])
        return common_schema(lacking.values())

    def _group(self, parts: Sequence[_Part], target: Target) -> _Group:
        schema = common_schema([part.schema for part in parts])
        with named(parts[0].file):
            landings = land(schema, target, self._request.naming)
            return _Group(parts, schema, landings, *merge_columns(self._request, target.columns, landings))

    def _stage_group(self, group: _Group, target: Target) -> None:
        session, parts = self._session, group.parts
        places = {landing.source: landing.column for landing in group.landings}
        sources = {landing.column: landing.source for landing in group.landings}
        key = [sources[column] for column in group.primary_key]
        self._copy(parts, group.schema, key)
        with narrow_columns_named(session, target, group.schema, group.landings):
            if key and len(parts) > 1 and session.execute(redshift_sql.find_tie(key, sources[group.cursor])):
                for part in parts:
                    session.execute(redshift_sql.drop_landing())
                    self._copy([part], group.schema, ())
                    session.execute(redshift_sql.stage_landed(places, part.ordinal))
            else:
                session.execute(redshift_sql.stage_landed(places, parts[-1].ordinal))
        session.execute(redshift_sql.drop_landing())
        for part in parts:
            self._on_staged(part.file, part.rows)

    def _copy(self, group: Sequence[_Part], schema: pa.Schema, key: Sequence[str]) -> None:
        """Files into a new landing table: all of their rows, or an error."""
        session = self._session
        self._copies += 1
        name = f"{MANIFESTS}{self._request.load_id}-{self._copies}.json"
        session.execute(
            redshift_sql.create_landing({field.name: session.statements.column_type(field) for field in schema})
        )
        self._manifests.put(name, redshift_sql.manifest([part.file for part in group]))
        try:
            session.execute(redshift_sql.copy(schema.names, self._manifests.uri(name), self._config))
        except (psycopg.InternalError, psycopg.DataError, psycopg.ProgrammingError, psycopg.NotSupportedError) as error:
            raise _CopyFailed(error, [part.file for part in group]) from error
        finally:
            self._manifests.delete(name)
        landed = int(session.execute(redshift_sql.count_landed())[0][0])
        keep_promise([part.file for part in group], landed, sum(part.rows for part in group))
        for column in key:
            if session.execute(redshift_sql.find_null(column)):
                raise TableError(
                    f"{group[0].file.key} or a file loaded with it has a row whose key column {column} is NULL",
                    "a row without a key cannot be merged",
                    "rewrite the file without it, or configure the table without primary_key",
                )


def _refuse_what_redshift_misreads(field: pa.Field) -> None:
    """Raises UnsupportedValue. Source: Redshift has no numbers without sign, and takes other units for microseconds."""
    if pa.types.is_timestamp(field.type) and field.type.unit != "us":
        raise UnsupportedValue(
            f"column {field.name} has type {field.type}",
            "Redshift reads timestamps of Parquet files rightly in microseconds only",
            "rewrite the file, timestamps in microseconds",
        )
    if pa.types.is_unsigned_integer(field.type):
        raise UnsupportedValue(
            f"column {field.name} has type {field.type}",
            "Redshift has no numbers without sign",
            "rewrite the file with the next larger type, or decimal(20,0)",
        )


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
        session.lock_ledger()
        pass_fence(session, request)
        known = set() if request.reprocess else ledger_keys(session, request)
        if loaded := known & {(file.uri, file.etag) for file in request.files}:
            raise _AlreadyLoaded(loaded)
        fresh: Mapping[LoadFile, int] = dict(zip(request.files, staged.rows, strict=True))
        added = apply(session, request, staged)
        write_ledger(session, request, fresh)
        return LoadResult(request.files, (), sum(fresh.values()), added)


class _CopyFailed(Exception):
    """To be explained once the transaction has ended: until then Redshift answers nothing."""

    def __init__(self, error: psycopg.Error, files: Sequence[LoadFile]) -> None:
        super().__init__(str(error))
        self.error = error
        self.files = files

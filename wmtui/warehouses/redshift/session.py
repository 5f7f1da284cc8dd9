"""One connection to Redshift: PostgreSQL's protocol without much of what PostgreSQL does."""

import re
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, suppress
from datetime import datetime
from itertools import islice
from typing import Any

import psycopg
import pyarrow as pa

from wmtui.config import RedshiftConfig
from wmtui.model import Check, Level
from wmtui.warehouses.ledger.statements import LEDGER
from wmtui.warehouses.ledger_state import TargetState
from wmtui.warehouses.load.statements import Staging, count_staged, staged_name
from wmtui.warehouses.pg_protocol.session import PgSession, milliseconds
from wmtui.warehouses.pg_protocol.text_values import expression, typed
from wmtui.warehouses.quoting import Insert, quote
from wmtui.warehouses.read_columns import ReadColumn
from wmtui.warehouses.redshift.copy_statements import LOAD_ERRORS
from wmtui.warehouses.redshift.statements import RedshiftStatements, create_newest, find_twice
from wmtui.warehouses.target import TargetColumn, TargetTable

_CONFLICTS = ("1023", "Serializable isolation violation", "conflict with concurrent transaction")
"""Redshift reports a serialization failure as an internal error, XX000, with these words in message or detail."""
_INSERTED_ROWS = 100
_BATCH_ROWS = 1_000
"""A batch has no more rows: each may have texts of 65,535 bytes."""
_STREAMED = 100 if psycopg.capabilities.has_stream_chunked() else 1
"""Rows that the client library hands over at once; those before PostgreSQL 17 only know one."""
_FLOAT_DIGITS = 2
"""The most there are: 17 digits of a DOUBLE PRECISION, which tell it exactly, and 8 of a REAL, which do not."""
_RELATION = """
SELECT c.oid, c.relkind, pg_get_userbyid(c.relowner),
    (SELECT u.usesuper FROM pg_user u WHERE u.usename = current_user), pg_get_userbyid(c.relowner) = current_user
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2
"""
_COLUMNS = """
SELECT a.attname, format_type(a.atttypid, a.atttypmod), NOT a.attnotnull, a.atthasdef,
    pg_get_expr(d.adbin, d.adrelid), a.attnum
FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""
_DISTKEY = """
SELECT a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relname = $2 AND a.attisdistkey AND NOT a.attisdropped
"""
_KEY = "SELECT conkey FROM pg_constraint WHERE conrelid = $1 AND contype = 'p'"
_ROW_SECURITY = "SELECT 1 FROM svv_rls_relation WHERE relschema = $1 AND relname = $2 AND is_rls_on"
_MAY_ALTER = (
    "SELECT 1 FROM svv_relation_privileges WHERE namespace_name = $1 AND relation_name = $2"
    " AND privilege_type = 'ALTER' LIMIT 1"
)
_FOLDS_CASE = "SELECT 1 WHERE db_collation() = 'case_insensitive'"
_IDENTITY = '"identity"'
"""What the default of a column that counts up by itself begins with, of one that no load may write."""


class RedshiftSession(PgSession):
    """One connection."""

    product = "Redshift"

    def __init__(self, connection: "psycopg.Connection[Any]", config: RedshiftConfig) -> None:
        super().__init__(connection, config, RedshiftStatements(config.schema))

    def prepare(self) -> None:
        """See PgSession.prepare."""
        settings = (
            f"statement_timeout TO {milliseconds(self._config.statement_timeout)}",
            "timezone TO 'UTC'",
            "datestyle TO 'ISO'",
            f"extra_float_digits TO {_FLOAT_DIGITS}",
        )
        self.execute("; ".join(f"SET {setting}" for setting in settings))

    def distkey(self, target: str) -> str | None:
        """The column by which a target is distributed; None where none is."""
        found = self.execute(_DISTKEY, *self.statements.schema_and_name(target))
        return found[0][0] if found else None

    def execute_all(self, statements: Sequence[str]) -> None:
        for statement in statements:
            self.execute(statement)

    def insert(self, insert: Insert, rows: Sequence[Sequence[object]]) -> None:
        """Up to 100 rows in a statement; psycopg's executemany is a pipeline, which Redshift does not support."""
        remaining = iter(rows)
        while chunk := list(islice(remaining, _INSERTED_ROWS)):
            self.execute(insert.statement(len(chunk)), *(value for row in chunk for value in row))

    def describe(self, table: str) -> TargetTable | None:
        """By the catalogue of its PostgreSQL 8; there are no triggers, and foreign keys do nothing."""
        name = self.statements.schema_and_name(table)
        relations = self.execute(_RELATION, *name)
        if not relations:
            return None
        oid, kind, owner, is_superuser, is_owner = relations[0]
        rows = self.execute(_COLUMNS, oid)
        names = {number: column for column, *_, number in rows}
        key = [number for (text,) in self.execute(_KEY, oid) for number in re.findall(r"\d+", str(text))]
        return TargetTable(
            columns=tuple(
                TargetColumn(
                    name=column,
                    type=declared,
                    nullable=nullable,
                    has_default=has_default,
                    generated=_IDENTITY in (default or ""),
                )
                for column, declared, nullable, has_default, default, _ in rows
            ),
            primary_key=tuple(names[int(number)] for number in key),
            kind={"r": "table", "v": "view"}.get(str(kind), "relation of another kind"),
            row_security=not is_superuser and self._says(_ROW_SECURITY, *name),
            owned=is_superuser or is_owner or self._says(_MAY_ALTER, *name),
            owner=owner,
        )

    def _says(self, statement: str, *values: object) -> bool:
        """Whether a system view has such a row; it has none where this version, or this user, has no such view."""
        try:
            return bool(self.execute(statement, *values))
        except psycopg.ProgrammingError:
            return False

    def state(self, target: str, *, count: bool = True) -> TargetState:
        """Rows are counted always: here that takes no reading of them."""
        relations = self.execute(
            "SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE n.nspname = $1 AND c.relname = $2",
            *self.statements.schema_and_name(target),
        )
        if not relations:
            return TargetState()
        if not count:
            return TargetState(str(relations[0][0]))
        rows = int(self.execute(self.statements.count(target))[0][0])
        return TargetState(str(relations[0][0]), rows, empty=not rows)

    def newest(self, staging: Staging, primary_key: Sequence[str], cursor: str) -> tuple[Staging, int]:
        if self.execute(find_twice(staging, primary_key)):
            name = f"{staging.name}:newest"
            newest = Staging(name, quote(name), staging.columns)
            self.execute(create_newest(staging, newest, primary_key, cursor))
            staging = newest
        return staging, sum(rows for _, rows in self.execute(count_staged(staging.table)))

    def lock_ledger(self, target: str) -> None:
        """See PgSession.lock_ledger."""
        self.execute(f"LOCK {self.statements.ledger(target)}")

    def is_conflict(self, error: psycopg.Error) -> bool:
        """See PgSession.is_conflict."""
        message = f"{error.diag.message_primary} {error.diag.message_detail}"
        conflicts = isinstance(error, psycopg.InternalError) and any(words in message for words in _CONFLICTS)
        return conflicts or super().is_conflict(error)

    def lock_first_ledger(self) -> None:
        self.execute(f"LOCK {self.statements.own_table(LEDGER)}")

    def read(self, target: str, columns: Sequence[ReadColumn], batch_rows: int) -> Iterator[pa.RecordBatch]:
        """Every row, as the one statement sends them: COPY to the client does not exist here, and a cursor would keep
        the whole result on the leader node, which has little room for it.
        """
        names = [column.name for column in columns]
        statement = self.statements.select(target, [_expression(column) for column in columns]).encode()
        with self._connection.cursor() as cursor, closing(_rows(cursor, statement)) as rows:
            while chunk := list(islice(rows, min(batch_rows, _BATCH_ROWS))):
                values = list(zip(*chunk, strict=True))
                arrays = [_array(list(values[i]), column.type) for i, column in enumerate(columns)]
                yield pa.record_batch(arrays, names=names)

    def now(self) -> datetime:
        """UTC, as the session's time zone is. CURRENT_TIMESTAMP is deprecated there, a function of the leader alone."""
        now: datetime = self.execute("SELECT SYSDATE")[0][0]
        return now

    def version(self) -> str:
        """See PgSession.version."""
        return str(self.execute("SELECT version()")[0][0]).rpartition(" ")[2]

    def warnings(self) -> list[Check]:
        """A finding where the database compares text without regard to case, unless a column says otherwise."""
        if not self._says(_FOLDS_CASE):
            return []
        return [
            Check(
                "warehouse collation",
                Level.WARNING,
                "the database compares text without regard to case: keys that differ in case alone become one row",
                "make text columns of a key COLLATE CASE_SENSITIVE",
            )
        ]

    def why_copy_failed(self, columns: Sequence[str]) -> tuple[str, str]:
        """Which file and column, and why, as Redshift noted it; both "" if it noted nothing. columns: of the files."""
        names = {staged_name(number): column for number, column in enumerate(columns)}
        for statement in LOAD_ERRORS:
            with suppress(psycopg.Error):
                for name, column, reason, value in self.execute(statement):
                    shown = f": {value!r}" if value else ""
                    return f" {name}, column {names.get(column, column)}", f"{reason}{shown}"
        return "", ""


def _rows(cursor: "psycopg.Cursor[Any]", statement: bytes) -> Generator[tuple[Any, ...], None, None]:
    """Closing it ends the statement."""
    yield from cursor.stream(statement, size=_STREAMED)


def _expression(column: ReadColumn) -> str:
    """Times as text: a database has some that Python has not, such as infinity. REAL with the digits of a double,
    SUPER as its text."""
    read = expression(column)
    if column.type is not None and pa.types.is_temporal(column.type):
        return f"CAST({read} AS varchar)"
    if column.json:
        return f"JSON_SERIALIZE({read})"
    if column.type is not None and pa.types.is_float32(column.type):
        return f"CAST({read} AS float8)"
    return read


def _array(values: list[Any], kind: pa.DataType | None) -> pa.Array:
    """Values in a column's type; as text if one does not fit it."""
    if kind is not None and pa.types.is_temporal(kind):
        return typed(pa.array(values, pa.string()), kind)
    if kind is not None and pa.types.is_binary(kind):
        values = [bytes.fromhex(v) if isinstance(v, str) else v for v in values]
    try:
        return pa.array(values, kind or pa.string())
    except (pa.ArrowException, TypeError, ValueError):
        return pa.array([None if v is None else str(v) for v in values], pa.string())

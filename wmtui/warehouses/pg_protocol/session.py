"""One connection by PostgreSQL's protocol: what is the same on PostgreSQL and on Redshift."""

import random
import time
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import psycopg
import pyarrow as pa
from psycopg import errors as pg

from wmtui.config import PostgresConfig, RedshiftConfig
from wmtui.model import Check, Level
from wmtui.warehouses.ledger import ledger
from wmtui.warehouses.load.session import Session
from wmtui.warehouses.load.statements import Staging, Statements
from wmtui.warehouses.pg_protocol.deadline import deadline
from wmtui.warehouses.quoting import quote
from wmtui.warehouses.read_columns import ReadColumn
from wmtui.warehouses.target import Columns

_GRACE = timedelta(minutes=1)
"""How much longer than a statement may take this side waits for a server that does not keep to it."""
_CREATED_BY_ANOTHER = (
    pg.UniqueViolation,
    pg.DuplicateTable,
    pg.DuplicateObject,
    pg.UndefinedTable,
    pg.WrongObjectType,
)
_CREATE_ATTEMPTS = 20
SYSTEM_COLUMNS = frozenset({"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"})


class PgSession(Session):
    """One connection. Bound values are $1, $2, …, so that a percent sign in a name stays one."""

    data_errors = (psycopg.DataError,)
    missing_errors = (pg.UndefinedTable,)
    exists_errors = (pg.DuplicateColumn,)
    product: str
    """The server's name in findings."""

    def __init__(
        self, connection: "psycopg.Connection[Any]", config: PostgresConfig | RedshiftConfig, statements: Statements
    ) -> None:
        self._connection = connection
        self._config = config
        self.statements = statements

    @property
    def closed(self) -> bool:
        """The connection was ended."""
        return self._connection.closed

    @property
    def fileno(self) -> int:
        """Of the connection's socket."""
        return self._connection.fileno()

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    @abstractmethod
    def prepare(self) -> None:
        """Settings of a new connection: nothing waits for ever; times and floats can be read back exactly."""

    @abstractmethod
    def lock_ledger(self, target: str) -> None:
        """Keep other loads into this target out until the transaction ends; readers go on.

        LOCK takes no snapshot: what follows sees the ledger as it is now, also at REPEATABLE READ.
        """

    @abstractmethod
    def read(self, target: str, columns: Sequence[ReadColumn], batch_rows: int) -> Iterator[pa.RecordBatch]:
        """Every row of a target."""

    @abstractmethod
    def version(self) -> str:
        """The server's version."""

    @abstractmethod
    def warnings(self) -> list[Check]:
        """Findings about what is unusual on this connection or in this database."""

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with self._connection.transaction():
            yield

    @property
    def _patience(self) -> float:
        """Seconds after which a server that does not answer is given up."""
        return (self._config.statement_timeout + _GRACE).total_seconds()

    def execute(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        with deadline(self._connection, self._patience):
            cursor = self._connection.execute(statement.encode(), values or None)
        return cursor.fetchall() if cursor.description else []

    def change(self, statement: str, *values: object) -> int:
        with deadline(self._connection, self._patience):
            return self._connection.execute(statement.encode(), values or None).rowcount

    def columns(self, table: str) -> Columns:
        return dict(
            self.execute(
                "SELECT a.attname, format_type(a.atttypid, a.atttypmod)"
                " FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
                " JOIN pg_namespace n ON n.oid = c.relnamespace"
                " WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p', 'f', 'v')"
                " AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
                *self.statements.schema_and_name(table),
            )
        )

    def create_staging(self, name: str) -> Staging:
        """A temporary table, which ends with the connection."""
        self.execute(self.statements.create_staging(quote(name)))
        return Staging(name, quote(name), {})

    def prepare_ledger(self) -> None:
        """Create ledger, fence and the warehouse's id, unless they exist. Of two processes that create them at once
        one gets an error that the name is taken, and goes on with the tables of the other.
        """
        for attempts_left in reversed(range(_CREATE_ATTEMPTS)):
            if ledger.warehouse_id(self) is not None:
                return
            first = ledger.has_first_ledger(self)
            try:
                with self.transaction():
                    ledger.create_ledger(self, first=first)
            except psycopg.Error as error:
                if not isinstance(error, _CREATED_BY_ANOTHER) and not self.is_conflict(error):
                    raise
                if not attempts_left:
                    raise ledger.ledger_unusable(self.statements.schema, error) from error
                time.sleep(random.uniform(0, 0.2))

    def is_conflict(self, error: psycopg.Error) -> bool:
        """Whether the transaction failed only because of another one, and may be tried again."""
        return isinstance(error, pg.SerializationFailure | pg.DeadlockDetected)

    def check(self) -> list[Check]:
        """Findings of `doctor` about this connection."""
        return [self._check_encryption(), *self.warnings(), *self._check_privileges()]

    def _check_encryption(self) -> Check:
        server = f"{self.product} {self.version()}"
        if self._connection.pgconn.ssl_in_use:
            return Check("warehouse", Level.OK, f"{server}, encrypted")
        step = "set tls: verify in tables.yaml unless the network is trusted"
        return Check("warehouse", Level.WARNING, f"{server}, not encrypted", step)

    def _check_privileges(self) -> list[Check]:
        """Whether the account may create temporary tables, and tables in the schema."""
        schema, user = self.statements.schema, str(self.execute("SELECT current_user")[0][0])
        if not self.execute("SELECT 1 FROM pg_namespace WHERE nspname = $1", schema):
            step = f"run CREATE SCHEMA {quote(schema)}"
            return [Check("warehouse schema", Level.ERROR, f"there is no schema {schema}", step)]
        temporary, create = self.execute(
            "SELECT has_database_privilege(current_database(), 'TEMP'), has_schema_privilege($1, 'CREATE')", schema
        )[0]
        return [
            _privilege("temporary tables", temporary, f"GRANT TEMP ON DATABASE {quote(self._config.database)}", user),
            _privilege(f"tables in {schema}", create, f"GRANT USAGE, CREATE ON SCHEMA {quote(schema)}", user),
        ]


def _privilege(what: str, granted: bool, grant: str, user: str) -> Check:
    if granted:
        return Check("warehouse privileges", Level.OK, f"may create {what}")
    return Check("warehouse privileges", Level.ERROR, f"may not create {what}", f"run {grant} TO {quote(user)}")


def milliseconds(span: timedelta) -> str:
    """A span as servers take it in their settings."""
    return str(round(span / timedelta(milliseconds=1)))

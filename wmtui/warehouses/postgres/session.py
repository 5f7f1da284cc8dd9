"""One connection to PostgreSQL, or to a pooler before it."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any

import psycopg
import pyarrow as pa

from wmtui.config import PostgresConfig
from wmtui.model import Check, Level
from wmtui.warehouses.ledger.statements import LEDGER
from wmtui.warehouses.ledger_state import Feed, TargetState
from wmtui.warehouses.load.session import StreamSession
from wmtui.warehouses.load.statements import (
    BUILDING,
    STAGING_TYPES,
    Staging,
    Statements,
    count_staged,
    drop_staging,
    into_staging,
    keep_newest,
    staging_prefix,
)
from wmtui.warehouses.pg_protocol.session import PgSession, milliseconds
from wmtui.warehouses.pg_protocol.text_values import expression
from wmtui.warehouses.postgres import catalog, copy_out
from wmtui.warehouses.postgres.copy_in import encoded
from wmtui.warehouses.quoting import Insert, columns_list, quote
from wmtui.warehouses.read_columns import ReadColumn
from wmtui.warehouses.target import TargetTable


class PostgresSession(PgSession, StreamSession):
    """One connection. pooled: a pooler may give each transaction another connection to the server."""

    product = "PostgreSQL"
    pooled = False

    def __init__(self, connection: "psycopg.Connection[Any]", config: PostgresConfig) -> None:
        super().__init__(connection, config, Statements(config.schema))
        self._idle_timeout = config.idle_timeout
        self._settings = {
            "statement_timeout": milliseconds(config.statement_timeout),
            "lock_timeout": milliseconds(config.lock_timeout),
            "timezone": "UTC",
            "datestyle": "ISO",
            "jit": "off",
            "extra_float_digits": "3",
            "bytea_output": "hex",
            "quote_all_identifiers": "off",
        }

    def prepare(self) -> None:
        """Nothing waits for ever; times and floats are written so that they can be read back exactly.

        With a pooler in between that gives each transaction another connection, they are set in each.
        """
        settings = ", ".join(f"set_config('{name}', '{value}', false)" for name, value in self._settings.items())
        (answer,) = self.execute(
            f"SELECT CASE WHEN pg_backend_pid() = $1 THEN concat({settings}) END",
            self._connection.info.backend_pid,
        )[0]
        self.pooled = answer is None

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """SET takes no snapshot: what follows it may still be the lock."""
        with super().transaction():
            if self.pooled:
                self.execute("; ".join(f"SET LOCAL {name} TO '{value}'" for name, value in self._settings.items()))
            yield

    def execute_all(self, statements: Sequence[str]) -> None:
        self.execute(";".join(statements))

    def insert(self, insert: Insert, rows: Sequence[Sequence[object]]) -> None:
        with self._connection.cursor() as cursor:
            cursor.executemany(insert.statement().encode(), rows)

    def describe(self, table: str) -> TargetTable | None:
        return catalog.describe(self, table)

    def state(self, target: str, *, count: bool = True) -> TargetState:
        return catalog.state(self, target, count=count)

    def create_staging(self, name: str) -> Staging:
        """A temporary table; a lasting one where the next transaction may get another connection."""
        table = self.statements.own_table(name) if self.pooled else quote(name)
        self.execute(self.statements.create_staging(table, lasting=self.pooled))
        return Staging(name, table, {})

    @contextmanager
    def dropping(self, staging: Staging) -> Iterator[None]:
        """Where staging outlives the connection, drop it when the load fails."""
        try:
            yield
        except BaseException:
            if self.pooled:
                with suppress(psycopg.Error):
                    self.execute(drop_staging(staging.table))
            raise

    def leftovers(self, feed: Feed) -> list[str]:
        """Tables that loads of a feed have made for themselves and that outlive their connections, quoted: staging,
        and what was to become the target.
        """
        schema, _ = self.statements.schema_and_name(feed.target)
        rows = self.execute(
            "SELECT n.nspname, relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE relkind = 'r' AND (n.nspname = $1 AND starts_with(relname::text, $2)"
            " OR n.nspname = $3 AND starts_with(relname::text, $4)) ORDER BY 1, 2",
            *(self.statements.schema, staging_prefix(feed), schema, staging_prefix(feed, BUILDING)),
        )
        return [quote(*names) for names in rows]

    def newest(self, staging: Staging, primary_key: Sequence[str], cursor: str) -> tuple[Staging, int]:
        self.execute(keep_newest(staging, primary_key, cursor))
        return staging, sum(rows for _, rows in self.execute(count_staged(staging.table)))

    def copy(self, staging: Staging, columns: Sequence[str], batches: Iterable[pa.RecordBatch]) -> int:
        declared = [*(staging.columns[column] for column in columns), *STAGING_TYPES]
        return self._copy(into_staging(staging, columns), declared, batches)

    def copy_into(
        self, table: str, names: Sequence[str], declared: Sequence[str], batches: Iterable[pa.RecordBatch]
    ) -> int:
        """Append batches to these columns of a table; returns the rows that arrived. table: quoted. declared: the
        columns' types.
        """
        return self._copy(f"{table} ({columns_list(names)})", declared, batches)

    def _copy(self, destination: str, declared: Sequence[str], batches: Iterable[pa.RecordBatch]) -> int:
        with self._connection.cursor() as cursor:
            with cursor.copy(f"COPY {destination} FROM STDIN (FORMAT binary)".encode()) as copy:
                for block in encoded(batches, declared):
                    copy.write(block)
            return cursor.rowcount

    def read(self, target: str, columns: Sequence[ReadColumn], batch_rows: int) -> Iterator[pa.RecordBatch]:
        """Every row."""
        rows = self.statements.select(target, [expression(column) for column in columns])
        statement = f"COPY ({rows}) TO STDOUT (FORMAT csv)".encode()
        with self.transaction(), self._connection.cursor() as cursor, cursor.copy(statement) as copy:
            yield from copy_out.batches(copy, columns, batch_rows)

    def now(self) -> datetime:
        now: datetime = self.execute("SELECT CURRENT_TIMESTAMP AT TIME ZONE 'UTC'")[0][0]
        return now

    def analyze(self, staging: Staging) -> None:
        """Tell the planner how large staging is; nothing else ever does that for a temporary table."""
        self.execute(f"ANALYZE {staging.table}")

    def lock_ledger(self, target: str) -> None:
        """See PgSession.lock_ledger. SET takes no snapshot either."""
        self.execute(f"SET LOCAL idle_in_transaction_session_timeout = {milliseconds(self._idle_timeout)}")
        self.execute(f"LOCK TABLE {self.statements.ledger(target)} IN SHARE ROW EXCLUSIVE MODE")

    def lock_first_ledger(self) -> None:
        self.execute(f"LOCK TABLE {self.statements.own_table(LEDGER)} IN ACCESS EXCLUSIVE MODE")

    def version(self) -> str:
        """See PgSession.version."""
        return str(self.execute("SHOW server_version")[0][0])

    def warnings(self) -> list[Check]:
        """A finding where each transaction may get another connection."""
        if not self.pooled:
            return []
        return [
            Check(
                "warehouse pooler",
                Level.WARNING,
                "a transaction pooler is between: each transaction may have another connection, so staging is a table"
                f" in {self.statements.schema} instead of a temporary one",
                "connect past the pooler if you can; loads arrive whole either way",
            )
        ]

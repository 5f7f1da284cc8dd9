"""One connection to Redshift: PostgreSQL's protocol without much of what PostgreSQL does."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import islice
from typing import Any

import psycopg
import pyarrow as pa

from wmtui.config import RedshiftConfig
from wmtui.model import Check, Level
from wmtui.warehouses import copy_out, redshift_sql
from wmtui.warehouses.postgres import STATEMENT_TIMEOUT, PostgresSession, milliseconds
from wmtui.warehouses.reading import ReadColumn

_LEDGER_ROWS = 100
_FETCHED = 1_000
"""More is refused by a cluster of one node."""
_FLOAT_DIGITS = 2
"""The most there are: 17 digits of a DOUBLE PRECISION, which tell it exactly, and 8 of a REAL, which do not."""
_CURSOR = "wmtui_rows"


class RedshiftSession(PostgresSession):
    """One connection."""

    def __init__(self, connection: "psycopg.Connection[Any]", config: RedshiftConfig) -> None:
        super().__init__(connection, config)
        self.statements = redshift_sql.RedshiftStatements(config.schema)

    def prepare(self) -> None:
        """Nothing hangs for ever; times and floats are written so that they can be read back exactly."""
        for setting in (
            f"statement_timeout TO {milliseconds(STATEMENT_TIMEOUT)}",
            "timezone TO 'UTC'",
            "datestyle TO 'ISO'",
            f"extra_float_digits TO {_FLOAT_DIGITS}",
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

    def now(self) -> datetime:
        """UTC, as the session's time zone is. CURRENT_TIMESTAMP is deprecated there, a function of the leader alone."""
        now: datetime = self.execute("SELECT SYSDATE")[0][0]
        return now

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
    """Times as text: a database has some that Python has not, such as infinity. REAL with the digits of a double."""
    read = copy_out.expression(column)
    if column.type is not None and pa.types.is_temporal(column.type):
        return f"CAST({read} AS varchar)"
    if column.type is not None and pa.types.is_float32(column.type):
        return f"CAST({read} AS float8)"
    return read


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

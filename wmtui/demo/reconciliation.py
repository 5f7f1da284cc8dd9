"""Reconciles source and warehouse by SQL of its own, which shares nothing with the pipeline."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import duckdb
from msgspec import Struct

from wmtui.config import DuckDBConfig, Settings, TableConfig
from wmtui.model import TableName
from wmtui.warehouses.quoting import quote

_SOURCE, _WAREHOUSE = "source_side", "warehouse_side"


class Comparison(Struct, frozen=True):
    """The rows of one table on both sides.

    doubled: rows of the warehouse beyond the first of each key. strange: rows that the source does not have like that.
    missing: rows of the source that the warehouse does not have like that; excluded: those of them before `floor`, the
    wall-clock time at which an operator let the table begin.
    """

    table: TableName
    source: int
    warehouse: int
    doubled: int
    strange: int
    missing: int
    excluded: int
    floor: datetime | None

    @property
    def right(self) -> bool:
        """Nothing is doubled or strange, and nothing is missing unless an operator excluded it."""
        return not self.doubled and not self.strange and self.missing == self.excluded

    def __str__(self) -> str:
        sign = "=" if self.source == self.warehouse else "≠"
        text = f"source {self.source} {sign} warehouse {self.warehouse}, {self.doubled} doubled"
        if self.excluded:
            text += f", {self.excluded} left out by the manual watermark {self.floor:%Y-%m-%d %H:%M:%S}"
        if self.missing > self.excluded:
            text += f", {self.missing - self.excluded} missing"
        return text + (f", {self.strange} unlike the source" if self.strange else "")


@contextmanager
def both_sides(settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that reads source and warehouse."""
    with duckdb.connect() as connection:
        for side, config in ((_SOURCE, settings.profile.source), (_WAREHOUSE, settings.profile.warehouse)):
            assert isinstance(config, DuckDBConfig)
            path = config.path.replace("'", "''")
            connection.execute(f"ATTACH '{path}' AS {side} (READ_ONLY)")
        yield connection


def compare(
    connection: duckdb.DuckDBPyConnection, table: TableName, config: TableConfig, floor: datetime | None
) -> Comparison:
    """Count one table. floor: where an operator let it begin, wall clock; None: at its first row."""
    source = quote(_SOURCE, table.schema, table.name)
    warehouse = quote(_WAREHOUSE, "main", config.target)
    key = ", ".join(quote(name) for name in config.primary_key) or "*"
    missing = f"(FROM {source} EXCEPT ALL FROM {warehouse})"

    def count(rows: str, *values: object) -> int:
        return int(connection.execute(f"SELECT count(*) FROM {rows}", values).fetchall()[0][0])  # noqa: S608

    in_warehouse = count(warehouse)
    return Comparison(
        table=table,
        source=count(source),
        warehouse=in_warehouse,
        doubled=in_warehouse - count(f"(SELECT DISTINCT {key} FROM {warehouse})"),  # noqa: S608
        strange=count(f"(FROM {warehouse} EXCEPT ALL FROM {source})"),
        missing=count(missing),
        excluded=count(f"{missing} WHERE {quote(config.cursor)} < ?", floor) if floor else 0,
        floor=floor,
    )

"""The SQL both sources share: quoted names, bound values, and the rows of a span."""

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import pyarrow as pa
from msgspec import Struct, field

from wmtui.column_types import UNSIGNED_64
from wmtui.model import Key, KeyValue, Order, Position, Span, TableName
from wmtui.sources.base import SourceTable
from wmtui.sources.cursor import column_time
from wmtui.sources.keys import timestamp_text


class Dialect(Struct, frozen=True):
    """How a database writes a quoted name, a named parameter, and the type of a time without zone.

    catalogue: quoted ahead of every schema where a schema's name alone may be ambiguous.
    """

    quote: str
    marker: str
    timestamp: str
    catalogue: str | None = None

    def name(self, identifier: str) -> str:
        """A quoted identifier, the quote inside it doubled."""
        return f"{self.quote}{identifier.replace(self.quote, self.quote * 2)}{self.quote}"

    def names(self, identifiers: Sequence[str]) -> str:
        """Quoted identifiers, separated by commas."""
        return ", ".join(map(self.name, identifiers))

    def table(self, table: TableName) -> str:
        """A quoted, qualified table name."""
        names = (table.schema, table.name) if self.catalogue is None else (self.catalogue, table.schema, table.name)
        return ".".join(map(self.name, names))

    def select(
        self, what: str, table: TableName, where: str, order_by: str = "", *, index: str | None = None, limit: str = ""
    ) -> str:
        """`SELECT what FROM table WHERE …`; the texts are quoted names, numbers and markers, never values. Its comment
        says in a list of statements that it is one of ours. index: the only one that MySQL may use.
        """
        forced = f" FORCE INDEX ({self.name(index)})" if index else ""
        order = (f" ORDER BY {order_by}" if order_by else "") + (f" LIMIT {limit}" if limit else "")
        return f"SELECT /* wmtui */ {what} FROM {self.table(table)}{forced} WHERE {where}{order}"  # noqa: S608


MYSQL = Dialect(quote="`", marker="\0{}\0", timestamp="DATETIME(6)")
"""The one character that no name can contain marks values: a column may well be called `%(p0)s`."""
DUCKDB = Dialect(quote='"', marker="${}", timestamp="TIMESTAMP")


class Parameters(Struct):
    """The bound values of one statement, by name."""

    dialect: Dialect
    values: dict[str, KeyValue] = field(default_factory=dict)

    def bind(self, value: KeyValue, column: pa.DataType) -> str:
        """The expression that stands for a value compared with a column of this type."""
        name = f"p{len(self.values)}"
        self.values[name] = value
        marker = self.dialect.marker.format(name)
        if pa.types.is_decimal(column) and column != UNSIGNED_64:
            return f"CAST({marker} AS DECIMAL({column.precision}, {column.scale}))"
        if pa.types.is_binary(column):
            return f"UNHEX({marker})"
        if pa.types.is_date(column):
            return f"CAST({marker} AS DATE)"
        if pa.types.is_timestamp(column):
            return f"CAST({marker} AS {self.dialect.timestamp})"
        return marker


def equals(parameters: Parameters, table: SourceTable, key: Key) -> str:
    """The condition that picks the row of a primary key."""
    pairs = [
        f"{parameters.dialect.name(column)} = {parameters.bind(value, table.schema.field(column).type)}"
        for column, value in zip(table.primary_key, key, strict=True)
    ]
    return f"({' AND '.join(pairs)})"


def scan_query(
    dialect: Dialect, table: SourceTable, columns: Sequence[str], keys: Sequence[Key] | None
) -> tuple[str, dict[str, KeyValue]]:
    """The statement that reads these select expressions of every row, or of these keys' rows, and its values."""
    parameters = Parameters(dialect)
    where = "TRUE" if keys is None else " OR ".join(equals(parameters, table, key) for key in keys) or "FALSE"
    return dialect.select(", ".join(columns), table.table, where), parameters.values


class SpanQuery:
    """A query over the rows of one span; what it selects is the caller's.

    The cursor of the span is wall clock in `zone`. A key shorter than the primary key (a boundary made by `split`)
    is compared by its leading columns only. every_cursor: the cursor does not count, rows without one belong to the
    span too.
    """

    def __init__(
        self, dialect: Dialect, zone: ZoneInfo, table: SourceTable, span: Span, *, every_cursor: bool = False
    ) -> None:
        self._dialect = dialect
        self._zone = zone
        self._table = table
        self._span = span
        self._cursor = dialect.name(table.cursor)
        self._parameters = Parameters(dialect)
        cursor = [] if every_cursor else self._cursor_conditions()
        self._where = " AND ".join([*cursor, *self._key_conditions()]) or "TRUE"

    @property
    def parameters(self) -> dict[str, KeyValue]:
        """The bound values of `select`."""
        return self._parameters.values

    def select(self, what: str, order_by: str = "", *, index: str | None = None, limit: str = "") -> str:
        """`SELECT what` over the span's rows."""
        return self._dialect.select(what, self._table.table, self._where, order_by, index=index, limit=limit)

    def rows(self, columns: Sequence[str], *, index: str | None = None, limit: str = "") -> str:
        """The statement that reads these select expressions in the span's order."""
        order: dict[Order, tuple[str, ...]] = {
            Order.CURSOR: (self._table.cursor, *self._table.primary_key),
            Order.PRIMARY_KEY: self._table.primary_key,
            Order.NONE: (),
        }
        return self.select(", ".join(columns), self._dialect.names(order[self._span.order]), index=index, limit=limit)

    def _cursor_conditions(self) -> list[str]:
        after, upto = self._span.after, self._span.upto
        if after and after.key and self._in_column(after.cursor) == self._in_column(upto.cursor):
            return self._at(after.cursor, after.key, upto.key)
        return [self._upto(upto), *([self._after(after)] if after else [])]

    def _key_conditions(self) -> list[str]:
        span = self._span
        after = [self._beyond(span.key_after, ">", ">")] if span.key_after else []
        return [*after, *([self._beyond(span.key_upto, "<", "<=")] if span.key_upto else [])]

    def _at(self, cursor: datetime, after: Key, upto: Key | None) -> list[str]:
        """Keys of one cursor value, as an equality: then an index of the cursor finds the first of them at once."""
        keys = [self._beyond(after, ">", ">"), *([self._beyond(upto, "<", "<=")] if upto else [])]
        return [f"{self._cursor} = {self._bind_cursor(cursor)}", *keys]

    def _after(self, position: Position) -> str:
        at = self._bind_cursor(position.cursor)
        if not position.key:
            return f"{self._cursor} {'>=' if self._span.inclusive else '>'} {at}"
        beyond = self._beyond(position.key, ">", ">")
        return f"{self._cursor} >= {at} AND ({self._cursor} > {at} OR {beyond})"

    def _upto(self, position: Position) -> str:
        at = self._bind_cursor(position.cursor)
        if not position.key:
            return f"{self._cursor} <= {at}"
        beyond = self._beyond(position.key, "<", "<=")
        return f"{self._cursor} <= {at} AND ({self._cursor} < {at} OR {beyond})"

    def _in_column(self, wall: datetime) -> datetime:
        return column_time(wall, self._table.schema.field(self._table.cursor).type, self._zone)

    def _bind_cursor(self, wall: datetime) -> str:
        column = self._table.schema.field(self._table.cursor).type
        return self._parameters.bind(timestamp_text(self._in_column(wall)), column)

    def _beyond(self, key: Key, strictly: str, at_last: str) -> str:
        """Lexicographic comparison, expanded: MySQL uses no index for the row constructor."""
        alternatives: list[str] = []
        equal: list[str] = []
        for number, (column, value) in enumerate(zip(self._table.primary_key, key, strict=False), start=1):
            name = self._dialect.name(column)
            bound = self._parameters.bind(value, self._table.schema.field(column).type)
            operator = at_last if number == len(key) else strictly
            alternatives.append(" AND ".join([*equal, f"{name} {operator} {bound}"]))
            equal.append(f"{name} = {bound}")
        return "(" + " OR ".join(f"({alternative})" for alternative in alternatives) + ")"

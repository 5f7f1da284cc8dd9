"""What information_schema knows about tables, columns and indexes.

Names are compared exactly in Python: MySQL compares them without regard to case even where they are case-sensitive.
"""

import re
from itertools import groupby
from operator import itemgetter
from typing import Any

import msgspec
from msgspec import Struct

from wmtui.column_types import ColumnType
from wmtui.errors import ConfigError, PrivilegeMissing
from wmtui.model import TableName
from wmtui.sources.mysql.account import grant
from wmtui.sources.mysql.column_types import Column
from wmtui.sources.mysql.session import Session
from wmtui.sources.settings_check import missing_schema, missing_table, other_spelling
from wmtui.sources.span_query import MYSQL

_TABLES = "SELECT table_schema AS s, table_name AS n FROM information_schema.tables WHERE table_schema = \0schema\0"
_SCHEMAS = "SELECT schema_name AS n FROM information_schema.schemata"
_ENTRY = """
SELECT table_schema AS s, table_name AS n, 'column' AS kind,
       JSON_ARRAY(ordinal_position, column_name, data_type, column_type, is_nullable, numeric_precision, numeric_scale,
                  character_maximum_length, datetime_precision, extra, generation_expression, privileges) AS facts
FROM information_schema.columns WHERE table_schema = \0schema\0 AND table_name = \0table\0
UNION ALL
SELECT table_schema, table_name, 'index',
       JSON_ARRAY(index_name, seq_in_index, non_unique, column_name, sub_part, nullable, index_type
                  /*!80000 , is_visible */ /*M!100600 , ignored */)
FROM information_schema.statistics WHERE table_schema = \0schema\0 AND table_name = \0table\0
UNION ALL
SELECT table_schema, table_name, 'created', JSON_ARRAY(CAST(create_time AS CHAR))
FROM information_schema.tables WHERE table_schema = \0schema\0 AND table_name = \0table\0
"""
_NUMBERS = """
UNION ALL
SELECT \0schema\0, \0table\0, 'number', JSON_ARRAY(name, table_id)
FROM information_schema.{} WHERE SUBSTRING_INDEX(name, '#', 1) = \0name\0
"""
_COLLATIONS = """
SELECT table_schema AS s, table_name AS n, column_name AS name, collation_name AS collation
FROM information_schema.columns WHERE table_schema = \0schema\0 AND table_name = \0table\0
"""
_STATUS = """
SELECT table_schema AS s, table_name AS n, engine AS engine, table_rows AS table_rows,
       data_length + index_length AS size
FROM information_schema.tables WHERE table_schema = \0schema\0 AND table_name = \0table\0
"""

_PLAIN = re.compile(r"[a-zA-Z0-9_]+/[a-zA-Z0-9_]+")


class Index(Struct, frozen=True):
    """An index: its columns in order ("" for an expression or a prefix), and whether it is unique and NOT NULL.

    hidden: what keeps the optimizer from it, INVISIBLE (MySQL) or IGNORED (MariaDB), "" for a visible one. Hidden or
    not, a unique index keeps its columns unique. ordered: one of hashes finds single values only.
    """

    name: str
    columns: tuple[str, ...]
    unique_not_null: bool
    hidden: str = ""
    ordered: bool = True

    def serves(self, column: str) -> bool:
        """Whether the optimizer may read a range of a column by it; a descending one is read backwards."""
        return self.columns[0] == column and self.ordered and not self.hidden

    def orders(self, key: tuple[str, ...]) -> bool:
        """Whether the optimizer may read rows in the order of a key by it."""
        return bool(key) and self.columns == key and self.ordered and not self.hidden


class Status(Struct, frozen=True):
    """A table's engine, estimated rows, and bytes of data and indexes; None where the server does not say (a view)."""

    engine: str | None
    rows: int | None
    size: int | None


class Entry(Struct, frozen=True):
    """What the catalogue has of a table at one moment.

    columns: those that the account is shown, in order, invisible ones included. created: when the server made the table
    as it stands, UTC; None for a view, and where the server does not know. numbers: InnoDB's of each partition, by its
    name in lower case; of a table without partitions by ""; empty for a name that InnoDB writes otherwise, and where
    the account may not see it.
    """

    columns: list[Column]
    indexes: list[Index]
    created: str | None
    numbers: dict[str, int]

    @property
    def incarnation(self) -> str | None:
        """What a rebuild and a restore make again; TRUNCATE only gives the table another number."""
        number = self.numbers.get("")
        return self.created if self.created is None or number is None else f"{self.created} as number {number}"

    @property
    def partitions(self) -> dict[str, int]:
        """The numbers of partitions alone."""
        return {name: number for name, number in self.numbers.items() if name}


def read(session: Session, table: TableName) -> Entry:
    """All of it in one statement. Raises ConfigError for a missing schema or table."""
    facts = _facts(session, table)
    columns = [_column(fact) for fact in sorted(facts["column"], key=itemgetter(0))]
    if not columns:
        raise _missing(session, table)
    by_name = groupby(sorted(facts["index"], key=itemgetter(0, 1)), key=itemgetter(0))
    return Entry(
        columns=columns,
        indexes=[_index(name, list(parts), session.server.is_mariadb) for name, parts in by_name],
        created=facts["created"][0][0] if facts["created"] else None,
        numbers=_by_partition(f"{table.schema}/{table.name}", facts["number"]),
    )


def collations(session: Session, table: TableName) -> dict[str, str]:
    """The collation of every text column, by the column's name."""
    rows = _rows(session, _COLLATIONS, table)
    return {row["name"]: row["collation"] for row in rows if row["collation"] is not None}


def status(session: Session, table: TableName) -> Status:
    """Engine and size, as the server estimates them."""
    row = _rows(session, _STATUS, table)[0]
    return Status(row["engine"], row["table_rows"], row["size"])


def _missing(session: Session, table: TableName) -> ConfigError:
    """No such schema or table, or none that the account is shown, or one that the server spells otherwise."""
    schemas = [str(row["n"]) for row in session.query(_SCHEMAS)]
    tables = [TableName(row["s"], row["n"]) for row in session.query(_TABLES, {"schema": table.schema})]
    folded = [other for other in tables if str(other).casefold() == str(table).casefold()]
    if folded:
        return other_spelling(table, folded)
    if table.schema not in schemas:
        return missing_schema(table, schemas, grant(session, "SELECT", f"{MYSQL.name(table.schema)}.*"))
    names = [other.name for other in tables if other.schema == table.schema]
    return missing_table(table, names, grant(session, "SELECT", MYSQL.table(table)))


def _facts(session: Session, table: TableName) -> dict[str, list[Any]]:
    """What the catalogue says, by kind. An account that may not see InnoDB's numbers is asked for the rest alone, and
    its session remembers that.
    """
    values = {"schema": table.schema, "table": table.name, "name": f"{table.schema}/{table.name}"}
    sql = _ENTRY
    if session.shows_numbers and _PLAIN.fullmatch(values["name"]):
        server = session.server
        view = "innodb_sys_tables" if server.is_mariadb or server.kind.release < (8,) else "innodb_tables"
        sql += _NUMBERS.format(view)
    try:
        rows = session.query(sql, values)
    except PrivilegeMissing:
        if sql == _ENTRY:
            raise
        session.shows_numbers = False
        rows = session.query(_ENTRY, values)
    facts: dict[str, list[Any]] = {"column": [], "index": [], "created": [], "number": []}
    for row in rows:
        if (row["s"], row["n"]) == (table.schema, table.name):
            facts[row["kind"]].append(msgspec.json.decode(row["facts"]))
    return facts


def _column(fact: list[Any]) -> Column:
    _, name, data_type, declared, nullable, digits, scale, length, fraction_digits, extra, expression, rights = fact
    return Column(
        name=name,
        type=ColumnType(data_type.lower(), declared, digits, scale, length),
        nullable=nullable == "YES",
        fraction_digits=fraction_digits,
        extra=" ".join(filter(None, (extra, expression))),
        readable="select" in rights.lower(),
    )


def _index(name: str, parts: list[list[Any]], is_mariadb: bool) -> Index:
    columns, unique_not_null = [], True
    for _, _, non_unique, column, sub_part, nullable, *_ in parts:
        columns.append("" if sub_part else column or "")
        unique_not_null = unique_not_null and not (non_unique or nullable == "YES" or sub_part)
    kind, *visibility = parts[0][6:]
    hidden = ("IGNORED" if is_mariadb else "INVISIBLE") if visibility == ["YES" if is_mariadb else "NO"] else ""
    return Index(name, tuple(columns), unique_not_null, hidden, kind != "HASH")


def _by_partition(name: str, facts: list[list[Any]]) -> dict[str, int]:
    return {
        re.sub("#s?p#", "/", full_name[len(name) :], flags=re.IGNORECASE).removeprefix("/").lower(): int(number)
        for full_name, number in facts
        if full_name.startswith(name)
    }


def _rows(session: Session, sql: str, table: TableName) -> list[dict[str, Any]]:
    rows = session.query(sql, {"schema": table.schema, "table": table.name})
    return [row for row in rows if (row["s"], row["n"]) == (table.schema, table.name)]

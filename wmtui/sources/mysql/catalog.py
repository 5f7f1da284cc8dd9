"""What information_schema knows about tables, columns and indexes.

Names are compared exactly in Python: MySQL compares them without regard to case even where they are case-sensitive.
"""

import re
from itertools import groupby
from typing import Any

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
_COLUMNS = """
SELECT table_schema AS s, table_name AS n, column_name AS name, data_type AS data_type, column_type AS column_type,
       is_nullable AS nullable, numeric_precision AS digits, numeric_scale AS scale, character_maximum_length AS length,
       datetime_precision AS fraction_digits, extra AS extra, generation_expression AS expression,
       privileges AS privileges
FROM information_schema.columns WHERE table_schema = \0schema\0 AND table_name = \0table\0 ORDER BY ordinal_position
"""
_COLLATIONS = """
SELECT table_schema AS s, table_name AS n, column_name AS name, collation_name AS collation
FROM information_schema.columns WHERE table_schema = \0schema\0 AND table_name = \0table\0
"""
_INDEXES = """
SELECT table_schema AS s, table_name AS n, index_name AS name, non_unique AS non_unique, column_name AS column_name,
       sub_part AS sub_part, nullable AS nullable, index_type AS kind
       /*!80000 , is_visible AS is_visible */ /*M!100600 , ignored AS is_ignored */
FROM information_schema.statistics WHERE table_schema = \0schema\0 AND table_name = \0table\0
ORDER BY index_name, seq_in_index
"""
_CREATED = """
SELECT table_schema AS s, table_name AS n, create_time AS created
FROM information_schema.tables WHERE table_schema = \0schema\0 AND table_name = \0table\0
"""
_NUMBERS = """
SELECT name AS name, table_id AS number FROM information_schema.{} WHERE SUBSTRING_INDEX(name, '#', 1) = \0name\0
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


def columns(session: Session, table: TableName) -> list[Column]:
    """Every column that the account is shown, in order, invisible ones included.

    Raises ConfigError for a missing schema or table.
    """
    rows = [
        Column(
            name=row["name"],
            type=ColumnType(row["data_type"].lower(), row["column_type"], row["digits"], row["scale"], row["length"]),
            nullable=row["nullable"] == "YES",
            fraction_digits=row["fraction_digits"],
            extra=" ".join(filter(None, (row["extra"], row["expression"]))),
            readable="select" in row["privileges"].lower(),
        )
        for row in _rows(session, _COLUMNS, table)
    ]
    if not rows:
        raise _missing(session, table)
    return rows


def collations(session: Session, table: TableName) -> dict[str, str]:
    """The collation of every text column, by the column's name."""
    rows = _rows(session, _COLLATIONS, table)
    return {row["name"]: row["collation"] for row in rows if row["collation"] is not None}


def indexes(session: Session, table: TableName) -> list[Index]:
    """Every index of a table."""
    by_name = groupby(_rows(session, _INDEXES, table), key=lambda row: row["name"])
    return [_index(list(rows)) for _, rows in by_name]


def incarnation(session: Session, table: TableName, number: int | None) -> str | None:
    """When the server made the table as it stands, UTC, and InnoDB's number of it where the account may see that: a
    rebuild and a restore make it again, TRUNCATE only gives it another number. None for a view, and where the server
    does not know.
    """
    rows = _rows(session, _CREATED, table)
    if not rows or rows[0]["created"] is None:
        return None
    return str(rows[0]["created"]) if number is None else f"{rows[0]['created']} as number {number}"


def numbers(session: Session, table: TableName) -> dict[str, int]:
    """InnoDB's number of each partition, by its name in lower case; of a table without partitions by "".

    Empty for a name that InnoDB writes otherwise, and where the account may not see it.
    """
    name = f"{table.schema}/{table.name}"
    if not _PLAIN.fullmatch(name):
        return {}
    server = session.server
    view = "innodb_sys_tables" if server.is_mariadb or server.kind.release < (8,) else "innodb_tables"
    try:
        rows = session.query(_NUMBERS.format(view), {"name": name})
    except PrivilegeMissing:
        return {}
    by_full_name = {str(row["name"]): int(row["number"]) for row in rows}
    return {
        re.sub("#s?p#", "/", full_name[len(name) :], flags=re.IGNORECASE).removeprefix("/").lower(): number
        for full_name, number in by_full_name.items()
        if full_name.startswith(name)
    }


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


def _index(parts: list[dict[str, Any]]) -> Index:
    first = parts[0]
    return Index(
        first["name"],
        tuple("" if part["sub_part"] else part["column_name"] or "" for part in parts),
        not any(part["non_unique"] or part["nullable"] == "YES" or part["sub_part"] for part in parts),
        "INVISIBLE" if first.get("is_visible") == "NO" else "IGNORED" if first.get("is_ignored") == "YES" else "",
        first["kind"] != "HASH",
    )


def _rows(session: Session, sql: str, table: TableName) -> list[dict[str, Any]]:
    rows = session.query(sql, {"schema": table.schema, "table": table.name})
    return [row for row in rows if (row["s"], row["n"]) == (table.schema, table.name)]

"""The statements of a load, in the SQL that PostgreSQL, Redshift and DuckDB share; values are bound as $1, $2, …."""

import hashlib
from collections.abc import Mapping, Sequence

import pyarrow as pa
from msgspec import Struct

from wmtui.column_types import warehouse_type
from wmtui.warehouses.ledger.statements import LedgerStatements
from wmtui.warehouses.ledger_state import Feed
from wmtui.warehouses.load_request import TargetLayout
from wmtui.warehouses.quoting import columns_list, fill, quote

STAGING = "wmtui_staging"
BUILDING = "wmtui_building"

# Columns that staging has beside those of the files: which file, and which row of it. Those of the files are c0, c1, ….
FILE = "file"
ROW = "row"
STAGING_TYPES = ("integer", "bigint")
"""Declared types of these two."""
_RANK = "rank"


def staging_name(feed: Feed, load_id: str) -> str:
    """The staging table of one load."""
    return f"{staging_prefix(feed)}{load_id}"


def building_name(feed: Feed, load_id: str) -> str:
    """The table that is to become the target of one load."""
    return f"{staging_prefix(feed, BUILDING)}{load_id}"


def staging_prefix(feed: Feed, kind: str = STAGING) -> str:
    """How the names of a feed's staging tables begin, by which those of killed loads are found. kind: or the names of
    tables that are to become its target.
    """
    digest = hashlib.sha256("\0".join((feed.store, feed.table, feed.target)).encode()).hexdigest()
    return f"{kind}_{digest[:8]}_"


class Staging(Struct, frozen=True):
    """A staging table. name: its own. table: the whole name, quoted. columns: of the target, and the declared types
    they have there.
    """

    name: str
    table: str
    columns: Mapping[str, str]

    def references(self, columns: Sequence[str]) -> list[str]:
        """What it calls columns of the target, in a statement that names the target too."""
        order = {column: number for number, column in enumerate(self.columns)}
        return [quote(self.name, staged_name(order[column])) for column in columns]

    @property
    def file(self) -> str:
        """Which file a row is of, in a statement that names the target too."""
        return quote(self.name, FILE)


def staged_name(number: int) -> str:
    """The name of a column in staging and in the landing table, by number: no name of a source can collide with it."""
    return f"c{number}"


class OutdatedRows(Struct, frozen=True):
    """Files whose staged rows may lose to rows of the target, by the numbers that staging knows them by.

    ties: they lose where the cursors are equal.
    """

    files: tuple[int, ...]
    ties: bool = False


class Update(Struct, frozen=True):
    """What staged rows of some files change in rows of the target. carried: columns that take the staged value.
    emptied: columns that become NULL. files: by the numbers that staging knows them by.
    """

    carried: tuple[str, ...]
    emptied: tuple[str, ...]
    files: tuple[int, ...]


class Statements(LedgerStatements):
    """The statements for one schema of a warehouse."""

    def target(self, target: str) -> str:
        """A target table, quoted."""
        return quote(*self._database, *self.schema_and_name(target))

    def column_type(self, field: pa.Field) -> str:
        """The type of a new column for a carried field."""
        return warehouse_type(field).postgres

    def select(self, target: str, expressions: Sequence[str]) -> str:
        """These expressions over every row of a target."""
        return fill("SELECT {columns} FROM {target}", columns=", ".join(expressions), target=self.target(target))

    def select_any(self, target: str) -> str:
        """A row, if the target has any."""
        return fill("SELECT 1 FROM {target} LIMIT 1", target=self.target(target))

    def count(self, target: str) -> str:
        """Rows of a target."""
        return fill("SELECT count(*) FROM {target}", target=self.target(target))

    def create_target(
        self,
        target: str,
        columns: Mapping[str, str],
        primary_key: Sequence[str],
        layout: TargetLayout,  # noqa: ARG002 - Redshift alone stores tables by one.
    ) -> str:
        """A target with the columns' names and types. layout: names of the target's columns."""
        lines = [f"{quote(c)} {kind}{' NOT NULL' if c in primary_key else ''}" for c, kind in columns.items()]
        if primary_key:
            lines.append(f"PRIMARY KEY ({columns_list(primary_key)})")
        return f"CREATE TABLE {self.target(target)} ({', '.join(lines)})"

    def create_building(self, target: str, name: str, columns: Mapping[str, str], primary_key: Sequence[str]) -> str:
        """A table beside a target that is not there, of the shape that it is to have, but for the primary key."""
        lines = [f"{quote(c)} {kind}{' NOT NULL' if c in primary_key else ''}" for c, kind in columns.items()]
        return f"CREATE TABLE {self.beside(target, name)} ({', '.join(lines)})"

    def beside(self, target: str, name: str) -> str:
        """A table in the schema of a target, quoted."""
        return quote(*self._database, self.schema_and_name(target)[0], name)

    def rename_building(self, target: str, name: str) -> str:
        """Give a table beside a target the target's name."""
        return f"ALTER TABLE {self.beside(target, name)} RENAME TO {quote(self.schema_and_name(target)[1])}"

    def add_primary_key(self, target: str, primary_key: Sequence[str]) -> str:
        """Make columns the primary key, which fails where two rows have the same values."""
        return f"ALTER TABLE {self.target(target)} ADD PRIMARY KEY ({columns_list(primary_key)})"

    def add_column(self, target: str, column: str, kind: str) -> str:
        """One more column of a target, NULL in the rows that are there: Redshift takes one at a time."""
        return f"ALTER TABLE {self.target(target)} ADD COLUMN {quote(column)} {kind}"

    def rename_column(self, target: str, column: str, name: str) -> str:
        """What gives a target's column another name."""
        return f"ALTER TABLE {self.target(target)} RENAME COLUMN {quote(column)} TO {quote(name)}"

    def widen_column(self, target: str, column: str, kind: str) -> str:
        """What makes a target's column hold more, values as they are."""
        return f"ALTER TABLE {self.target(target)} ALTER COLUMN {quote(column)} TYPE {kind}"

    def allow_null(self, target: str, column: str) -> str | None:
        """What lets a target's column be empty; None where no statement does."""
        return f"ALTER TABLE {self.target(target)} ALTER COLUMN {quote(column)} DROP NOT NULL"

    def retype_column(self, target: str, column: str, kind: str) -> str:
        """What gives a target's column another type, values in it converted."""
        return self.widen_column(target, column, kind)

    def create_staging(self, table: str, *, lasting: bool = False) -> str:
        """An empty staging table; columns are added as files bring them. lasting: a table that other connections see,
        for a pooler that gives each transaction another one.
        """
        kind = "UNLOGGED" if lasting else "TEMPORARY"
        file, row = STAGING_TYPES
        return f"CREATE {kind} TABLE {table} ({quote(FILE)} {file} NOT NULL, {quote(ROW)} {row} NOT NULL)"

    def delete_outdated(
        self, target: str, staging: Staging, primary_key: Sequence[str], cursor: str, outdated: OutdatedRows
    ) -> str:
        """Drop staged rows that a row of the target beats: its cursor is newer, or theirs is NULL."""
        mine, theirs = staging.references([cursor])[0], self._column(target, cursor)
        beaten = f"{theirs} > {mine} OR ({mine} IS NULL AND {theirs} IS NOT NULL)"
        if outdated.ties:
            beaten += f" OR {theirs} = {mine} OR ({mine} IS NULL AND {theirs} IS NULL)"
        return fill(
            "DELETE FROM {staging} USING {target} WHERE {same} AND {file} IN ({files}) AND ({beaten})",
            staging=staging.table,
            target=self.target(target),
            same=self._same_key(target, staging, primary_key),
            file=staging.file,
            files=", ".join(map(str, outdated.files)),
            beaten=beaten,
        )

    def update_rows(self, target: str, staging: Staging, primary_key: Sequence[str], update: Update) -> str:
        """Bring staged rows over the target's rows of their keys."""
        places = zip(update.carried, staging.references(update.carried), strict=True)
        values = dict(places) | dict.fromkeys(update.emptied, "NULL")
        return fill(
            "UPDATE {target} SET {values} FROM {staging} WHERE {same} AND {file} IN ({files})",
            target=self.target(target),
            values=", ".join(f"{quote(column)} = {value}" for column, value in values.items()),
            staging=staging.table,
            same=self._same_key(target, staging, primary_key),
            file=staging.file,
            files=", ".join(map(str, update.files)),
        )

    def insert_absent(self, target: str, staging: Staging, primary_key: Sequence[str]) -> str:
        """Add the staged rows whose key the target does not have: by a join, as Redshift wants it."""
        return fill(
            "INSERT INTO {target} ({columns}) SELECT {values} FROM {staging} LEFT JOIN {target} ON {same}"
            " WHERE {first} IS NULL",
            target=self.target(target),
            columns=columns_list(list(staging.columns)),
            values=", ".join(staging.references(list(staging.columns))),
            staging=staging.table,
            same=self._same_key(target, staging, primary_key),
            first=self._column(target, primary_key[0]),
        )

    def insert_all(self, target: str, staging: Staging) -> str:
        """Append every staged row."""
        return fill(
            "INSERT INTO {target} ({columns}) SELECT {values} FROM {staging}",
            target=self.target(target),
            columns=columns_list(list(staging.columns)),
            values=", ".join(staging.references(list(staging.columns))),
            staging=staging.table,
        )

    def count_absent(self, target: str, staging: Staging, primary_key: Sequence[str], cursor: str) -> str:
        """Staged rows that the target does not have, as it should after a merge: by key and cursor."""
        mine, theirs = staging.references([cursor])[0], self._column(target, cursor)
        return fill(
            "SELECT count(*) FROM {staging} LEFT JOIN {target} ON {same}"
            " AND ({theirs} = {mine} OR ({mine} IS NULL AND {theirs} IS NULL)) WHERE {first} IS NULL",
            staging=staging.table,
            target=self.target(target),
            same=self._same_key(target, staging, primary_key),
            theirs=theirs,
            mine=mine,
            first=self._column(target, primary_key[0]),
        )

    def _column(self, target: str, column: str) -> str:
        """A column of the target in a statement that names staging too."""
        return quote(self.schema_and_name(target)[1], column)

    def _same_key(self, target: str, staging: Staging, primary_key: Sequence[str]) -> str:
        mine = staging.references(primary_key)
        return " AND ".join(f"{m} = {self._column(target, c)}" for m, c in zip(mine, primary_key, strict=True))


def extend_staging(table: str, number: int, kind: str) -> str:
    """One more column of staging: its number, its type."""
    return f"ALTER TABLE {table} ADD COLUMN {quote(staged_name(number))} {kind}"


def widen_staging(table: str, number: int, kind: str) -> str:
    """A column of staging for values that an earlier file did not have."""
    return f"ALTER TABLE {table} ALTER COLUMN {quote(staged_name(number))} TYPE {kind}"


def drop_staging(table: str) -> str:
    """Drop a staging table and its rows."""
    return f"DROP TABLE IF EXISTS {table}"


def count_staged(table: str) -> str:
    """Rows of every file in staging."""
    return fill("SELECT {file}, count(*) FROM {staging} GROUP BY {file}", file=quote(FILE), staging=table)


def count_rows(table: str) -> str:
    """Rows of a table that is to become the target."""
    return fill("SELECT count(*) FROM {table}", table=table)


def unstage(table: str) -> str:
    """Drop the rows of file $1 from staging."""
    return fill("DELETE FROM {staging} WHERE {file} = $1", staging=table, file=quote(FILE))


def keep_newest(staging: Staging, primary_key: Sequence[str], cursor: str) -> str:
    """Drop staged rows that another staged row of the same key beats: newest cursor, then last file, then last row."""
    return fill(
        "DELETE FROM {staging} WHERE ({file}, {row}) IN (SELECT {file}, {row} FROM (SELECT {file}, {row},"
        " row_number() OVER (PARTITION BY {key} ORDER BY {cursor} DESC NULLS LAST, {file} DESC, {row} DESC) AS {rank}"
        " FROM {staging}) AS ranked WHERE {rank} > 1)",
        staging=staging.table,
        file=quote(FILE),
        row=quote(ROW),
        key=", ".join(staging.references(primary_key)),
        cursor=staging.references([cursor])[0],
        rank=quote(_RANK),
    )


def into_staging(staging: Staging, columns: Sequence[str]) -> str:
    """Staging with a column list, as COPY and INSERT want it."""
    order = list(staging.columns)
    names = [staged_name(order.index(column)) for column in columns]
    return f"{staging.table} ({columns_list([*names, FILE, ROW])})"

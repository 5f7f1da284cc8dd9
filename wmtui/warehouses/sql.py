"""The statements of a load, in the SQL that PostgreSQL, Redshift and DuckDB share.

Names are quoted here and nowhere else; values are bound as $1, $2, ….
"""

from collections.abc import Mapping, Sequence

import pyarrow as pa

from wmtui.model import TargetName
from wmtui.types import warehouse_type
from wmtui.warehouses.base import Layout

LEDGER = "wmtui_ledger"
FENCE = "wmtui_fence"
STAGING = "wmtui_staging"

# Columns that staging has beside those of the files: which file, and which row of it. A colon keeps them apart from
# names that people give.
FILE = "wmtui:file"
ROW = "wmtui:row"
RANK = "wmtui:rank"


def quote(*names: str) -> str:
    """A name, or a path of names, as an SQL identifier."""
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)


def fill(template: str, **parts: str) -> str:
    """A statement from a template and parts that are quoted already."""
    return template.format(**parts)


def columns_list(names: Sequence[str]) -> str:
    """Names as a list in a statement."""
    return ", ".join(quote(name) for name in names)


class Statements:
    """The statements for one schema of a warehouse. database: quoted ahead of it where that has to be said."""

    def __init__(self, schema: str, database: str | None = None) -> None:
        self._database = (database,) if database else ()
        self.schema = schema
        self.ledger = quote(*self._database, schema, LEDGER)
        self.fence = quote(*self._database, schema, FENCE)

    def place(self, target: str) -> tuple[str, str]:
        """Schema and name of a table, the target written as a TargetName."""
        found = TargetName.parse(target)
        return found.schema or self.schema, found.name

    def target(self, target: str) -> str:
        """A target table, quoted."""
        return quote(*self._database, *self.place(target))

    def column_type(self, field: pa.Field) -> str:
        """The type of a new column for a carried field."""
        return warehouse_type(field).postgres

    def create_ledger(self) -> tuple[str, str]:
        """Ledger and fence; loaded_at is UTC. Lengths fit Redshift, which counts bytes, and the longest S3 key."""
        return (
            fill(
                "CREATE TABLE IF NOT EXISTS {ledger} (table_name varchar(1024) NOT NULL, target varchar(1024) NOT NULL,"
                " uri varchar(4096) NOT NULL, etag varchar(256) NOT NULL, {rows} bigint NOT NULL,"
                " load_id varchar(256) NOT NULL, epoch bigint NOT NULL, token bigint NOT NULL,"
                " loaded_at timestamp NOT NULL)",
                ledger=self.ledger,
                rows=quote("rows"),
            ),
            fill(
                "CREATE TABLE IF NOT EXISTS {fence} (table_name varchar(1024) NOT NULL,"
                " target varchar(1024) NOT NULL, token bigint NOT NULL)",
                fence=self.fence,
            ),
        )

    def select_ledger(self) -> str:
        """Files of table $1 in target $2 in epoch $3 and later ones."""
        return fill(
            "SELECT uri, etag, {rows}, load_id, loaded_at FROM {ledger}"
            " WHERE table_name = $1 AND target = $2 AND epoch >= $3 ORDER BY loaded_at",
            ledger=self.ledger,
            rows=quote("rows"),
        )

    def select_load(self) -> str:
        """Files that load $1 committed."""
        return fill("SELECT uri, etag, {rows} FROM {ledger} WHERE load_id = $1", ledger=self.ledger, rows=quote("rows"))

    def insert_ledger(self) -> str:
        """One file."""
        return fill(
            "INSERT INTO {ledger} (table_name, target, uri, etag, {rows}, load_id, epoch, token, loaded_at)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            ledger=self.ledger,
            rows=quote("rows"),
        )

    def select_fence(self) -> str:
        """The highest token of table $1 and target $2."""
        return fill("SELECT token FROM {fence} WHERE table_name = $1 AND target = $2", fence=self.fence)

    def insert_fence(self) -> str:
        """The first token."""
        return fill("INSERT INTO {fence} (table_name, target, token) VALUES ($1, $2, $3)", fence=self.fence)

    def update_fence(self) -> str:
        """A token of at least the highest."""
        return fill("UPDATE {fence} SET token = $3 WHERE table_name = $1 AND target = $2", fence=self.fence)

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
        layout: Layout,  # noqa: ARG002 - Redshift alone stores tables by one.
    ) -> str:
        """A target with the columns' names and types. layout: names of the target's columns."""
        lines = [f"{quote(c)} {kind}{' NOT NULL' if c in primary_key else ''}" for c, kind in columns.items()]
        if primary_key:
            lines.append(f"PRIMARY KEY ({columns_list(primary_key)})")
        return f"CREATE TABLE {self.target(target)} ({', '.join(lines)})"

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

    def merge_rows(self, target: str, columns: Mapping[str, str], primary_key: Sequence[str], cursor: str) -> list[str]:
        """Bring staging into a target: of every key its newest row, and never an older row over a newer one.

        columns: those of staging, and their types.
        """
        return [
            keep_newest(primary_key, cursor),
            self.delete_older(target, primary_key, cursor),
            self.insert_absent(target, list(columns), primary_key),
        ]

    def delete_older(self, target: str, primary_key: Sequence[str], cursor: str) -> str:
        """Drop target rows that a staged row of the same key replaces: its cursor is not older, or theirs is NULL."""
        return fill(
            "DELETE FROM {target} WHERE EXISTS (SELECT 1 FROM {staging} AS s WHERE {same_key}"
            " AND (s.{cursor} >= {target}.{cursor} OR {target}.{cursor} IS NULL))",
            target=self.target(target),
            staging=quote(STAGING),
            same_key=self._same_key(target, primary_key),
            cursor=quote(cursor),
        )

    def insert_absent(self, target: str, columns: Sequence[str], primary_key: Sequence[str]) -> str:
        """Add the staged rows whose key the target does not have."""
        return fill(
            "INSERT INTO {target} ({columns}) SELECT {columns} FROM {staging} AS s"
            " WHERE NOT EXISTS (SELECT 1 FROM {target} WHERE {same_key})",
            target=self.target(target),
            columns=columns_list(columns),
            staging=quote(STAGING),
            same_key=self._same_key(target, primary_key),
        )

    def insert_all(self, target: str, columns: Sequence[str]) -> str:
        """Append every staged row."""
        return fill(
            "INSERT INTO {target} ({columns}) SELECT {columns} FROM {staging}",
            target=self.target(target),
            columns=columns_list(columns),
            staging=quote(STAGING),
        )

    def _same_key(self, target: str, primary_key: Sequence[str]) -> str:
        return " AND ".join(f"s.{quote(c)} = {self.target(target)}.{quote(c)}" for c in primary_key)


def create_staging(columns: Mapping[str, str]) -> str:
    """The session's staging table, with these columns of the target; more are added as files bring them."""
    own = {FILE: "integer NOT NULL", ROW: "bigint NOT NULL"}
    lines = ", ".join(f"{quote(name)} {kind}" for name, kind in {**own, **columns}.items())
    return f"CREATE TEMPORARY TABLE {quote(STAGING)} ({lines})"


def extend_staging(column: str, kind: str) -> str:
    """One more column of staging."""
    return f"ALTER TABLE {quote(STAGING)} ADD COLUMN {quote(column)} {kind}"


def widen_staging(column: str, kind: str) -> str:
    """A column of staging for values that an earlier file did not have."""
    return f"ALTER TABLE {quote(STAGING)} ALTER COLUMN {quote(column)} TYPE {kind}"


def unstage() -> str:
    """Drop the rows of file $1 from staging."""
    return fill("DELETE FROM {staging} WHERE {file} = $1", staging=quote(STAGING), file=quote(FILE))


def keep_newest(primary_key: Sequence[str], cursor: str) -> str:
    """Drop staged rows that another staged row of the same key beats: newest cursor, then last file, then last row."""
    return fill(
        "DELETE FROM {staging} WHERE ({file}, {row}) IN (SELECT {file}, {row} FROM (SELECT {file}, {row},"
        " row_number() OVER (PARTITION BY {key} ORDER BY {cursor} DESC NULLS LAST, {file} DESC, {row} DESC) AS {rank}"
        " FROM {staging}) AS ranked WHERE {rank} > 1)",
        staging=quote(STAGING),
        file=quote(FILE),
        row=quote(ROW),
        key=columns_list(primary_key),
        cursor=quote(cursor),
        rank=quote(RANK),
    )


def into_staging(columns: Sequence[str]) -> str:
    """Staging with a column list, as COPY and INSERT want it."""
    return f"{quote(STAGING)} ({columns_list(columns)})"

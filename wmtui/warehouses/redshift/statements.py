"""What Redshift says otherwise than PostgreSQL and DuckDB; by its documentation, held by a stand-in in the tests."""

import string
from collections.abc import Mapping, Sequence

import pyarrow as pa

from wmtui.column_types import warehouse_type
from wmtui.warehouses.load.statements import FILE, Staging, Statements, staged_name
from wmtui.warehouses.load.types import arrow_type
from wmtui.warehouses.load_request import TargetLayout
from wmtui.warehouses.quoting import columns_list, fill, quote

_RANK = "rank"
_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


class RedshiftStatements(Statements):
    """What Redshift has otherwise: names in lower case, lengths, distribution, and blanks at the end of text."""

    def __init__(self, schema: str) -> None:
        super().__init__(folded(schema))

    def schema_and_name(self, target: str) -> tuple[str, str]:
        """Schema and name of a table as Redshift's catalog has them."""
        schema, name = super().schema_and_name(target)
        return folded(schema), folded(name)

    def column_type(self, field: pa.Field) -> str:
        """The type of a new column for a carried field; text and binary have a length, in bytes."""
        return warehouse_type(field).redshift

    def create_target(
        self, target: str, columns: Mapping[str, str], primary_key: Sequence[str], layout: TargetLayout
    ) -> str:
        """A target with the columns' names and types, distributed and sorted as the layout says."""
        parts = [super().create_target(target, columns, primary_key, layout)]
        if layout.distkey:
            parts.append(f"DISTKEY ({quote(layout.distkey)})")
        elif layout.diststyle:
            parts.append(f"DISTSTYLE {layout.diststyle.upper()}")
        if layout.sortkey:
            parts.append(f"SORTKEY ({columns_list(layout.sortkey)})")
        return " ".join(parts)

    def widen_column(self, target: str, column: str, kind: str) -> str:
        """What makes a target's column hold more: text becomes longer, number and binary need a new column."""
        if kind.startswith("varchar"):
            return super().widen_column(target, column, kind)
        return self.retype_column(target, column, kind)

    def allow_null(self, target: str, column: str) -> str | None:  # noqa: ARG002 - No statement does.
        """Redshift drops no NOT NULL."""
        return None

    def retype_column(self, target: str, column: str, kind: str) -> str:
        """What gives a target's column another type: a new column with its values, in its place."""
        table, old, new = self.target(target), quote(column), quote(f"{column}:wider")
        return fill(
            "ALTER TABLE {table} ADD COLUMN {new} {kind}; UPDATE {table} SET {new} = {old};"
            " ALTER TABLE {table} DROP COLUMN {old}; ALTER TABLE {table} RENAME COLUMN {new} TO {old}",
            table=table,
            old=old,
            new=new,
            kind=kind,
        )

    _small = " DISTSTYLE ALL"

    def _same_key(self, target: str, staging: Staging, primary_key: Sequence[str]) -> str:
        kinds = [staging.columns[column] for column in primary_key]
        mine = exact_terms(staging.references(primary_key), kinds)
        theirs = exact_terms([self._column(target, column) for column in primary_key], kinds)
        return " AND ".join(f"{m} = {t}" for m, t in zip(mine, theirs, strict=True))


def folded(name: str) -> str:
    """A name as Redshift keeps it, also when it is quoted: ASCII letters in lower case. Source: "Names and
    identifiers" of its documentation, and enable_case_sensitive_identifier, which is false by default.
    """
    return name.translate(_LOWER)


def find_tie(staging: Staging, primary_key: Sequence[str], cursor: str) -> str:
    """A key that was staged twice with the same cursor: then the later file decides."""
    return fill(
        "SELECT 1 FROM {staging} GROUP BY {order} HAVING count(*) > 1 LIMIT 1",
        staging=staging.table,
        order=", ".join(_staged_terms(staging, [*primary_key, cursor])),
    )


def find_dispute(staging: Staging, primary_key: Sequence[str], cursor: str) -> str:
    """A key that was staged twice with the same cursor and other values: then it matters which file decides."""
    return fill(
        "SELECT 1 FROM (SELECT {names} FROM {staging} GROUP BY {values}) AS {name}"
        " GROUP BY {order} HAVING count(*) > 1 LIMIT 1",
        staging=staging.table,
        name=quote(staging.name),
        names=", ".join(staging.references(list(staging.columns))),
        values=", ".join(_staged_terms(staging, list(staging.columns))),
        order=", ".join(_staged_terms(staging, [*primary_key, cursor])),
    )


def find_twice(staging: Staging, primary_key: Sequence[str]) -> str:
    """A key that was staged twice."""
    return fill(
        "SELECT 1 FROM {staging} GROUP BY {key} HAVING count(*) > 1 LIMIT 1",
        staging=staging.table,
        key=", ".join(_staged_terms(staging, primary_key)),
    )


def create_newest(staging: Staging, newest: Staging, primary_key: Sequence[str], cursor: str) -> str:
    """Copy the newest row of every key: newest cursor, then last file."""
    names = columns_list([FILE, *(staged_name(number) for number in range(len(staging.columns)))])
    return fill(
        "CREATE TEMPORARY TABLE {newest} AS SELECT {names} FROM (SELECT {names}, row_number() OVER (PARTITION BY {key}"
        " ORDER BY {cursor} DESC NULLS LAST, {file} DESC) AS {rank} FROM {staging}) AS {name} WHERE {rank} = 1",
        newest=newest.table,
        names=names,
        key=", ".join(_staged_terms(staging, primary_key)),
        cursor=staging.references([cursor])[0],
        file=quote(FILE),
        rank=quote(_RANK),
        staging=staging.table,
        name=quote(staging.name),
    )


def clear_staging(staging: Staging) -> str:
    """Make room for the same files, staged otherwise."""
    return fill("DELETE FROM {staging}", staging=staging.table)


def exact_terms(expressions: Sequence[str], kinds: Sequence[str]) -> list[str]:
    """What tells the values of these expressions apart: of text the length too, because Redshift compares it without
    the blanks at its end. kinds: declared types. Source: "Significance of trailing blanks" of its documentation.
    """
    terms = []
    for expression, kind in zip(expressions, kinds, strict=True):
        terms.append(expression)
        if arrow_type(kind) == pa.string():
            terms.append(f"octet_length({expression})")
    return terms


def _staged_terms(staging: Staging, columns: Sequence[str]) -> list[str]:
    return exact_terms(staging.references(columns), [staging.columns[column] for column in columns])

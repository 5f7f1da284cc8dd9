"""What Redshift says otherwise than PostgreSQL and DuckDB; by its documentation, held by a stand-in in the tests."""

import json
import string
from collections.abc import Mapping, Sequence

import pyarrow as pa

from wmtui.column_types import INSTANT, warehouse_type
from wmtui.config import RedshiftConfig
from wmtui.model import As
from wmtui.warehouses.base import Layout, LoadFile
from wmtui.warehouses.load.columns import Landing
from wmtui.warehouses.load.statements import FILE, Staging, Statements, into_staging, staged_name
from wmtui.warehouses.load.types import arrow_type
from wmtui.warehouses.quoting import columns_list, fill, quote

LANDING = "wmtui_landing"
"""Takes the files of one COPY, whose columns it has in their order: COPY of Parquet goes by position."""
_RANK = "rank"
_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


class RedshiftStatements(Statements):
    """What Redshift has otherwise: names in lower case, lengths, distribution, and blanks at the end of text."""

    def __init__(self, schema: str) -> None:
        super().__init__(folded(schema))

    def place(self, target: str) -> tuple[str, str]:
        """Schema and name of a table as Redshift's catalog has them."""
        schema, name = super().place(target)
        return folded(schema), folded(name)

    def column_type(self, field: pa.Field) -> str:
        """The type of a new column for a carried field; text and binary have a length, in bytes."""
        return warehouse_type(field).redshift

    def create_target(self, target: str, columns: Mapping[str, str], primary_key: Sequence[str], layout: Layout) -> str:
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
        mine = exact_terms(staging.places(primary_key), kinds)
        theirs = exact_terms([self._column(target, column) for column in primary_key], kinds)
        return " AND ".join(f"{m} = {t}" for m, t in zip(mine, theirs, strict=True))


def folded(name: str) -> str:
    """A name as Redshift keeps it, also when it is quoted: ASCII letters in lower case. Source: "Names and
    identifiers" of its documentation, and enable_case_sensitive_identifier, which is false by default.
    """
    return name.translate(_LOWER)


def create_landing(schema: pa.Schema) -> str:
    """The table that one COPY of files with this carried schema fills.

    Instants land as timestamps without zone, in UTC. Source: COPY reads Parquet by Redshift Spectrum, which has no
    other timestamps by its documentation.
    """
    kinds = ["timestamp" if field.type == INSTANT else warehouse_type(field).redshift for field in schema]
    columns = ", ".join(f"{quote(staged_name(number))} {kind}" for number, kind in enumerate(kinds))
    return f"CREATE TEMPORARY TABLE {quote(LANDING)} ({columns})"


def drop_landing() -> str:
    """Make room for the next COPY."""
    return f"DROP TABLE {quote(LANDING)}"


def count_landed() -> str:
    """Rows that the COPY brought."""
    return fill("SELECT count(*) FROM {landing}", landing=quote(LANDING))


def find_null(number: int) -> str:
    """A row that came without a value in the file's column of this number."""
    return fill(
        "SELECT 1 FROM {landing} WHERE {name} IS NULL LIMIT 1", landing=quote(LANDING), name=quote(staged_name(number))
    )


def find_no_truth(number: int) -> str:
    """A value of the file's column of this number that is neither 0 nor 1."""
    return fill(
        "SELECT {name} FROM {landing} WHERE {name} NOT IN (0, 1) LIMIT 1",
        landing=quote(LANDING),
        name=quote(staged_name(number)),
    )


def stage_landed(staging: Staging, schema: pa.Schema, landings: Sequence[Landing], ordinal: int) -> str:
    """Pass landed rows on to staging, as rows of the file of this number. schema: of the landing table."""
    return fill(
        "INSERT INTO {into} SELECT {values}, {ordinal}, 0 FROM {landing}",
        into=into_staging(staging, [landing.column for landing in landings]),
        values=", ".join(
            _kept(landing, quote(staged_name(schema.get_field_index(landing.source)))) for landing in landings
        ),
        ordinal=str(ordinal),
        landing=quote(LANDING),
    )


def _kept(landing: Landing, value: str) -> str:
    """A landed value in the form that the target keeps; instants have landed without zone, in UTC."""
    is_instant = landing.carried == INSTANT
    if landing.how is As.LOCAL_TIMESTAMP:
        return f"{value} AT TIME ZONE 'UTC' AT TIME ZONE {literal(landing.zone)}"
    if landing.how is As.BOOLEAN and not pa.types.is_boolean(landing.carried):
        return f"{value} = 1"
    if landing.how is As.JSON:
        return f"JSON_PARSE({value})"
    if landing.how is As.TEXT and not pa.types.is_string(landing.carried):
        return _text(landing.carried, value)
    return f"{value} AT TIME ZONE 'UTC'" if is_instant and landing.how is None else value


def _text(kind: pa.DataType, value: str) -> str:
    if pa.types.is_boolean(kind):
        return f"CASE WHEN {value} THEN '1' WHEN NOT {value} THEN '0' END"
    if pa.types.is_date(kind):
        return f"TO_CHAR({value}, 'YYYY-MM-DD')"
    if pa.types.is_timestamp(kind):
        zone = '"Z"' if kind == INSTANT else ""
        return f"TO_CHAR({value}, 'YYYY-MM-DD HH24:MI:SS.US{zone}')"
    return f"CAST({value} AS varchar)"


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
        names=", ".join(staging.places(list(staging.columns))),
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
        cursor=staging.places([cursor])[0],
        file=quote(FILE),
        rank=quote(_RANK),
        staging=staging.table,
        name=quote(staging.name),
    )


def clear_staging(staging: Staging) -> str:
    """Make room for the same files, staged otherwise."""
    return fill("DELETE FROM {staging}", staging=staging.table)


def exact_terms(places: Sequence[str], kinds: Sequence[str]) -> list[str]:
    """What tells values at these places apart: of text the length too, because Redshift compares it without the blanks
    at its end. kinds: declared types. Source: "Significance of trailing blanks" of its documentation.
    """
    terms = []
    for place, kind in zip(places, kinds, strict=True):
        terms.append(place)
        if arrow_type(kind) == pa.string():
            terms.append(f"octet_length({place})")
    return terms


def _staged_terms(staging: Staging, columns: Sequence[str]) -> list[str]:
    return exact_terms(staging.places(columns), [staging.columns[column] for column in columns])


def literal(text: str) -> str:
    """A text in a statement that takes no parameters, as COPY does not; Redshift reads a backslash as an escape."""
    escaped = text.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"


def copy(columns: int, manifest: str, config: RedshiftConfig) -> str:
    """Load every file of a manifest, of so many columns. It may hold a secret: it is shown to nobody."""
    if config.access_keys is None:
        access = f"IAM_ROLE {literal(config.iam_role) if config.iam_role != 'default' else 'default'}"
    else:
        keys = config.access_keys
        access = f"ACCESS_KEY_ID {literal(keys.id)} SECRET_ACCESS_KEY {literal(keys.secret.reveal())}"
    names = columns_list([staged_name(number) for number in range(columns)])
    return f"COPY {quote(LANDING)} ({names}) FROM {literal(manifest)} {access} FORMAT AS PARQUET MANIFEST"


def manifest(files: Sequence[LoadFile]) -> bytes:
    """The files of one COPY; each must be there, in exactly its length."""
    entries = [{"url": f.uri, "mandatory": True, "meta": {"content_length": f.size}} for f in files]
    return json.dumps({"entries": entries}).encode()


LOAD_ERRORS = (
    "SELECT trim(filename), trim(colname), trim(err_reason), trim(raw_field_value) FROM stl_load_errors"
    " WHERE session = pg_backend_pid() ORDER BY starttime DESC LIMIT 1",
    "SELECT trim(file_name), trim(column_name), trim(error_message), '' FROM sys_load_error_detail"
    " WHERE session_id = pg_backend_pid() ORDER BY start_time DESC LIMIT 1",
)
"""Why the last COPY of this session failed: on a cluster, and where there is no such table, on Serverless."""

"""COPY on Redshift: into a landing table with the columns of the files, and from there into staging."""

import json
from collections.abc import Sequence

import pyarrow as pa

from wmtui.column_types import INSTANT, warehouse_type
from wmtui.config import RedshiftConfig
from wmtui.model import As
from wmtui.warehouses.load.columns import ColumnMapping
from wmtui.warehouses.load.statements import FILE, ROW, STAGING_TYPES, Staging, into_staging, staged_name
from wmtui.warehouses.load_request import LoadFile
from wmtui.warehouses.quoting import columns_list, fill, quote

LANDING = "wmtui_landing"
"""Takes the files of one COPY, whose columns it has in their order: COPY of Parquet goes by position."""


def create_staging(staging: Staging, file_number: int, distkey: str | None) -> str:
    """A staging table whose rows are those of the file of this number, where nothing else is said, so that a COPY need
    not bring that. distkey: a column of the target by which its rows are distributed, so that those of one key meet.
    """
    columns = [f"{quote(staged_name(number))} {kind}" for number, kind in enumerate(staging.columns.values())]
    for name, kind, default in zip((FILE, ROW), STAGING_TYPES, (file_number, 0), strict=True):
        columns.append(f"{quote(name)} {kind} NOT NULL DEFAULT {default}")
    created = f"CREATE TEMPORARY TABLE {staging.table} ({', '.join(columns)})"
    if distkey is None or distkey not in staging.columns:
        return created
    return f"{created} DISTKEY ({quote(staged_name(list(staging.columns).index(distkey)))})"


def analyze(staging: Staging, columns: Sequence[str]) -> str:
    """Let the planner know how many rows there are, and of which keys. columns: of the target."""
    names = [staged_name(list(staging.columns).index(column)) for column in columns]
    return f"ANALYZE {staging.table} ({columns_list(names)})"


def create_landing(schema: pa.Schema) -> str:
    """The table that one COPY of files with this carried schema fills.

    Instants land as timestamps without zone, in UTC. Source: COPY reads Parquet by Redshift Spectrum, which has no
    other timestamps by its documentation.
    """
    kinds = [landing_type(field) for field in schema]
    columns = ", ".join(f"{quote(staged_name(number))} {kind}" for number, kind in enumerate(kinds))
    return f"CREATE TEMPORARY TABLE {quote(LANDING)} ({columns})"


def landing_type(field: pa.Field) -> str:
    """The type of column that COPY brings a carried field into."""
    return "timestamp" if field.type == INSTANT else warehouse_type(field).redshift


def drop_landing() -> str:
    """Make room for the next COPY."""
    return f"DROP TABLE {quote(LANDING)}"


def count_copied(table: str, numbers: Sequence[int]) -> str:
    """Rows that the COPY brought, and how many of them have a value in each of the columns of these numbers. table:
    quoted.
    """
    counts = ["count(*)", *(f"count({quote(staged_name(number))})" for number in numbers)]
    return fill("SELECT {counts} FROM {table}", counts=", ".join(counts), table=table)


def find_no_truth(number: int) -> str:
    """A value of the file's column of this number that is neither 0 nor 1."""
    return fill(
        "SELECT {name} FROM {landing} WHERE {name} NOT IN (0, 1) LIMIT 1",
        landing=quote(LANDING),
        name=quote(staged_name(number)),
    )


def stage_landed(staging: Staging, schema: pa.Schema, mappings: Sequence[ColumnMapping], ordinal: int) -> str:
    """Pass landed rows on to staging, as rows of the file of this number. schema: of the landing table."""
    return fill(
        "INSERT INTO {into} SELECT {values}, {ordinal}, 0 FROM {landing}",
        into=into_staging(staging, [mapping.column for mapping in mappings]),
        values=", ".join(
            _kept(mapping, quote(staged_name(schema.get_field_index(mapping.source)))) for mapping in mappings
        ),
        ordinal=str(ordinal),
        landing=quote(LANDING),
    )


def _kept(mapping: ColumnMapping, value: str) -> str:
    """A landed value in the form that the target keeps; instants have landed without zone, in UTC."""
    is_instant = mapping.carried == INSTANT
    if mapping.how is As.LOCAL_TIMESTAMP:
        return f"{value} AT TIME ZONE 'UTC' AT TIME ZONE {literal(mapping.zone)}"
    if mapping.how is As.BOOLEAN and not pa.types.is_boolean(mapping.carried):
        return f"{value} = 1"
    if mapping.how is As.JSON:
        return f"JSON_PARSE({value})"
    if mapping.how is As.TEXT and not pa.types.is_string(mapping.carried):
        return _text(mapping.carried, value)
    return f"{value} AT TIME ZONE 'UTC'" if is_instant and mapping.how is None else value


def _text(kind: pa.DataType, value: str) -> str:
    if pa.types.is_boolean(kind):
        return f"CASE WHEN {value} THEN '1' WHEN NOT {value} THEN '0' END"
    if pa.types.is_date(kind):
        return f"TO_CHAR({value}, 'YYYY-MM-DD')"
    if pa.types.is_timestamp(kind):
        zone = '"Z"' if kind == INSTANT else ""
        return f"TO_CHAR({value}, 'YYYY-MM-DD HH24:MI:SS.US{zone}')"
    return f"CAST({value} AS varchar)"


def literal(text: str) -> str:
    """A text in a statement that takes no parameters, as COPY does not; Redshift reads a backslash as an escape."""
    escaped = text.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"


def copy(table: str, columns: int, manifest: str, config: RedshiftConfig) -> str:
    """Load every file of a manifest into the first so many columns of a table. It may hold a secret: never show it.

    table: quoted. No statistics are gathered: those of a landing table are of no use, and of staging the key's alone.
    """
    if config.access_keys is None:
        access = f"IAM_ROLE {literal(config.iam_role) if config.iam_role != 'default' else 'default'}"
    else:
        keys = config.access_keys
        access = f"ACCESS_KEY_ID {literal(keys.id)} SECRET_ACCESS_KEY {literal(keys.secret.reveal())}"
    names = columns_list([staged_name(number) for number in range(columns)])
    return f"COPY {table} ({names}) FROM {literal(manifest)} {access} FORMAT AS PARQUET MANIFEST STATUPDATE OFF"


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

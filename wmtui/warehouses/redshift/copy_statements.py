"""COPY on Redshift: into a landing table with the columns of the files, and from there into staging."""

import json
from collections.abc import Sequence

import pyarrow as pa

from wmtui.column_types import INSTANT, warehouse_type
from wmtui.config import RedshiftConfig
from wmtui.model import As
from wmtui.warehouses.load.columns import ColumnMapping
from wmtui.warehouses.load.statements import Staging, into_staging, staged_name
from wmtui.warehouses.load_request import LoadFile
from wmtui.warehouses.quoting import columns_list, fill, quote

LANDING = "wmtui_landing"
"""Takes the files of one COPY, whose columns it has in their order: COPY of Parquet goes by position."""


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


def copy(columns: int, manifest: str, config: RedshiftConfig) -> str:
    """Load every file of a manifest, of so many columns. It may hold a secret: never show it."""
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

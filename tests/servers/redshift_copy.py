"""COPY of Parquet files from S3 as Redshift does it: what it refuses, and the rows for PostgreSQL's own COPY."""

import io
import json
import re
from collections.abc import Callable, Iterator, Mapping

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from tests.servers.redshift_rules import Refusal, path
from tests.servers.s3 import S3Server

ROW_BYTES = 4 * 2**20
"""Of a row at most."""
_ARN = r"arn:aws[\w-]*:iam::\d+:role/[\w+=.@/-]+"
_COPY = re.compile(
    r"^COPY (?P<table>(?:\"[^\"]+\"\.)?\"[^\"]+\") \((?P<columns>.+)\) FROM '(?P<manifest>s3://(?:[^']|'')+)'"
    rf" (?:IAM_ROLE (?:'{_ARN}(?:,{_ARN})*'|default)"
    r"|ACCESS_KEY_ID '[^']+' SECRET_ACCESS_KEY '[^']+'(?: SESSION_TOKEN '[^']+')?)"
    r" FORMAT AS PARQUET MANIFEST(?: (?:STATUPDATE|COMPUPDATE) (?:ON|OFF))*$"
)
_TYPES = {
    "smallint": (pa.int8(), pa.int16()),
    "integer": (pa.int32(),),
    "bigint": (pa.int64(),),
    "real": (pa.float32(),),
    "double precision": (pa.float64(),),
    "boolean": (pa.bool_(),),
    "date": (pa.date32(),),
    "timestamp without time zone": (pa.timestamp("us"), pa.timestamp("us", "UTC")),
}
"""What a column takes of a Parquet file; numbers without sign are none of Redshift's types, and Spectrum, which reads
the files, knows no instants: they arrive in UTC in a column without zone."""


def copied(
    statement: str, columns_of: Callable[[tuple[str, ...]], Mapping[str, str]], s3: S3Server
) -> tuple[str, list[bytes]]:
    """PostgreSQL's COPY and its data. columns_of: what a table declares. Raises Refusal."""
    found = _COPY.match(statement)
    if not found:
        raise Refusal("syntax error in COPY", code="42601")
    declared = columns_of(path(found["table"]))
    listed = list(path(found["columns"]))
    if [name for name in declared if name in listed] != listed:
        raise Refusal("the column list is not of columns of the table, in its order")
    declared = {name: declared[name] for name in listed}
    files = _entries(found["manifest"].replace("''", "'"), s3)
    data = [rows for entry in files for rows in _read(entry, declared, s3)]
    return f"COPY {found['table']} ({found['columns']}) FROM STDIN (FORMAT csv)", data


def _entries(manifest: str, s3: S3Server) -> list[tuple[str, bool, int]]:
    document = json.loads(_object(manifest, s3))
    if set(document) != {"entries"} or not document["entries"]:
        raise Refusal("The manifest has no entries", file=manifest)
    found = []
    for entry in document["entries"]:
        if "content_length" not in entry.get("meta", {}):
            raise Refusal("COPY of Parquet needs meta.content_length in the manifest", file=manifest)
        found.append((entry["url"], bool(entry.get("mandatory")), int(entry["meta"]["content_length"])))
    return found


def _object(uri: str, s3: S3Server) -> bytes:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    found = s3.contents(bucket).get(key)
    if found is None:
        raise Refusal("The specified S3 object does not exist", file=uri)
    return found


def _read(entry: tuple[str, bool, int], declared: Mapping[str, str], s3: S3Server) -> Iterator[bytes]:
    uri, mandatory, length = entry
    try:
        data = _object(uri, s3)
    except Refusal:
        if mandatory:
            raise
        return
    if len(data) != length:
        raise Refusal(f"The file has {len(data)} bytes, the manifest says {length}", file=uri)
    try:
        table = _as_written(pq.read_table(io.BytesIO(data)))
    except (pa.ArrowException, OSError) as error:
        raise Refusal(f"Invalid Parquet file: {error}", file=uri) from None
    if table.num_columns != len(declared):
        raise Refusal(f"Parquet has {table.num_columns} columns, the table {len(declared)}", file=uri)
    for (name, kind), field, column in zip(declared.items(), table.schema, table.columns, strict=True):
        _check(uri, name, kind, field.type, column)
    if table.nbytes > ROW_BYTES and max(_row_bytes(table)) > ROW_BYTES:
        raise Refusal(f"The length of the data row exceeds {ROW_BYTES} bytes", file=uri)
    arrays = [_printable(column.combine_chunks()) for column in table.columns]
    sink = io.BytesIO()
    named = pa.table([pa.array(a) if not isinstance(a, pa.Array) else a for a in arrays], names=list(declared))
    pyarrow.csv.write_csv(named, sink, pyarrow.csv.WriteOptions(include_header=False))
    yield sink.getvalue()


def _as_written(table: pa.Table) -> pa.Table:
    """The columns by the types of Parquet, whatever forms Arrow's note in the file gives them in memory."""
    for place, field in enumerate(table.schema):
        kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        if pa.types.is_string_view(kind) or pa.types.is_large_string(kind):
            kind = pa.string()
        elif pa.types.is_binary_view(kind) or pa.types.is_large_binary(kind):
            kind = pa.binary()
        elif pa.types.is_decimal(kind) and kind.precision <= 38:
            kind = pa.decimal128(kind.precision, kind.scale)
        if kind != field.type:
            table = table.set_column(place, field.name, table.column(place).cast(kind))
    return table


def _row_bytes(table: pa.Table) -> list[int]:
    """How long each row is, its text and binary alone."""
    sizes = [0] * table.num_rows
    for column in table.columns:
        if pa.types.is_string(column.type) or pa.types.is_binary(column.type):
            lengths = pc.binary_length(column).to_pylist()
            sizes = [size + (length or 0) for size, length in zip(sizes, lengths, strict=True)]
    return sizes


def _check(uri: str, name: str, kind: str, found: pa.DataType, column: pa.ChunkedArray) -> None:
    if pa.types.is_timestamp(found) and found.tz:
        found = pa.timestamp(found.unit, "UTC")  # All that a file holds is that it is an instant.
    kind = {"timestamp": "timestamp without time zone"}.get(kind, kind)
    if text := re.fullmatch(r"varchar\((\d+)\)|character varying\((\d+)\)", kind):
        fits, limit = pa.types.is_string(found), int(text[1] or text[2])
    elif binary := re.fullmatch(r"(?:varbyte|binary varying)\((\d+)\)", kind):
        fits, limit = pa.types.is_binary(found), int(binary[1])
    elif number := re.fullmatch(r"numeric\((\d+),(\d+)\)", kind):
        fits, limit = found == pa.decimal128(int(number[1]), int(number[2])), None
    else:
        fits, limit = found in _TYPES.get(kind, ()), None
    if not fits:
        raise Refusal(f"incompatible Parquet schema: {found} is no {kind}", file=uri, column=name)
    for value in column.to_pylist() if limit is not None else ():
        if value is not None and len(value.encode() if isinstance(value, str) else value) > limit:
            raise Refusal("String length exceeds DDL length", file=uri, column=name, value=str(value[:20]))


def _printable(array: pa.Array) -> pa.Array:
    if pa.types.is_timestamp(array.type):
        return array.cast(pa.timestamp("us"))  # An instant is in UTC, whatever zone the file names.
    if not (pa.types.is_binary(array.type) or pa.types.is_large_binary(array.type)):
        return array
    return pa.array([None if value is None else "\\x" + value.hex() for value in array.to_pylist()], pa.string())

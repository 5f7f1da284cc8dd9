"""A stand-in for Redshift: a proxy before PostgreSQL that is stricter than it, and executes COPY from S3.

It is a model made from the documentation, not the real thing: it proves that nothing is sent that Redshift refuses by
its documentation, and that COPY, LOCK and snapshots are used as it wants them. Every transaction is REPEATABLE READ, as
Redshift's default is snapshot isolation. `tests/live` asks a real cluster.
"""

import io
import json
import re
import socket
import string
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from tests.servers import LOOPBACK, Database
from tests.servers.s3 import S3Server

_SSL, _GSS = 80877103, 80877104
_VERSION = "PostgreSQL 8.0.2 on i686-pc-linux-gnu, compiled by GCC gcc (GCC) 3.4.2, Redshift 1.0.99999"
_REFUSED = (
    (r"\bON\s+CONFLICT\b", "ON CONFLICT"),
    (r"\bRETURNING\b", "RETURNING"),
    (r"^\s*(RELEASE\s+)?SAVEPOINT\b|\bROLLBACK\s+TO\b", "SAVEPOINT"),
    (r"^\s*CREATE\s+(UNIQUE\s+)?INDEX\b", "CREATE INDEX"),
    (r"\bFROM\s+STDIN\b|\bTO\s+STDOUT\b", "COPY FROM STDIN or TO STDOUT"),
    (r"^\s*(DEALLOCATE|DISCARD)\s+ALL\b", "DEALLOCATE ALL"),
    (r"\bDISTINCT\s+ON\b", "DISTINCT ON"),
    (r"\b(CURRENT_TIMESTAMP|NOW\s*\()", "deprecated functions"),
    (r"\bADD\s+COLUMN\b.*\bADD\s+COLUMN\b", "more than one new column in a statement"),
    (r"^\s*LOCK\b.*\bMODE\b", "a lock mode"),
    (r"\bset_config\s*\(\s*'(lock_timeout|jit|bytea_output)", "that setting"),
    (r"^\s*SET\s+(SESSION\s+|LOCAL\s+)?(lock_timeout|idle_in_transaction|jit|bytea_output)", "that setting"),
    (r"::\s*jsonb?\b|\bjsonb\b|\bbytea\b|\bserial\b|\buuid\b|\btext\[\]", "that type"),
    (r"\bWITH\s+RECURSIVE\b.*\bCYCLE\b|\bLATERAL\b|\bFILTER\s*\(", "that syntax"),
    (r"\bgenerate_subscripts\b|\bstring_agg\b|\barray_agg\b", "that function"),
)
_COPY = re.compile(
    r"^COPY \"(?P<table>[^\"]+)\" \((?P<columns>.+)\) FROM '(?P<manifest>s3://(?:[^']|'')+)'"
    r" (?:IAM_ROLE (?:'arn:aws[\w-]*:iam::\d+:role/[\w+=,.@/-]+'|default)"
    r"|ACCESS_KEY_ID '[^']+' SECRET_ACCESS_KEY '[^']+') FORMAT AS PARQUET MANIFEST$"
)
_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_TYPES = {
    "smallint": (pa.int8(), pa.int16()),
    "integer": (pa.int32(),),
    "bigint": (pa.int64(),),
    "real": (pa.float32(),),
    "double precision": (pa.float64(),),
    "boolean": (pa.bool_(),),
    "date": (pa.date32(),),
    "timestamp without time zone": (pa.timestamp("us"), pa.timestamp("us", "UTC")),
    "bytea": (pa.binary(),),
}
"""What a column takes of a Parquet file; numbers without sign are none of Redshift's types, and Spectrum, which reads
the files, knows no instants: they arrive in UTC in a column without zone."""


class _Refusal(Exception):
    def __init__(self, message: str, *, file: str = "", column: str = "", value: str = "") -> None:
        super().__init__(message)
        self.note = (file, column, message, value)


class RedshiftStandIn:
    """Before one database. statements: what clients sent, in order. serverless: without the STL tables."""

    def __init__(self, database: Database, s3: S3Server, *, serverless: bool = False) -> None:
        self.statements: list[str] = []
        self.serverless = serverless
        self.refuse_merges = 0
        """So many merges end by a serialization failure."""
        self.refuse_lengthening = False
        """Text has an encoding whose length cannot be changed."""
        self.silent_on = ""
        """Statements that begin with this word are never answered."""
        self.lose_commit = False
        """The next merge is committed, and its client never hears of it."""
        self._database = database
        self._s3 = s3
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port: int = self._listener.getsockname()[1]
        self.config = {**database.config, "type": "redshift", "port": self.port}

    @contextmanager
    def running(self) -> Iterator["RedshiftStandIn"]:
        """Accept connections until the end of the block."""
        acceptor = threading.Thread(target=self._accept, daemon=True)
        acceptor.start()
        try:
            yield self
        finally:
            self._listener.shutdown(socket.SHUT_RDWR)
            acceptor.join()
            self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError, EOFError):
            server = socket.create_connection((LOOPBACK, int(self._database.config["port"])))
            for end in (client, server):  # Messages are passed on one by one: none is to wait for the next.
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with server:
                _Connection(self, client, server, self._database, self._s3).run()


class _Connection:
    def __init__(
        self, stand_in: RedshiftStandIn, client: socket.socket, server: socket.socket, database: Database, s3: S3Server
    ) -> None:
        self._stand_in = stand_in
        self._client, self._server = client, server
        self._from_client, self._from_server = client.makefile("rb"), server.makefile("rb")
        self._database, self._s3 = database, s3
        self._types: dict[str, dict[str, str]] = {}
        self._merging = False
        self._status = b"I"
        self._notes: list[tuple[str, str, str, str]] = []

    def run(self) -> None:
        self._start()
        answers = threading.Thread(target=self._answers, daemon=True)
        answers.start()
        with suppress(OSError, EOFError):
            while True:
                kind = _exactly(self._from_client, 1)
                self._request(kind, _body(self._from_client))
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        answers.join()

    def _start(self) -> None:
        """Refuse encryption, then begin a session whose transactions are REPEATABLE READ."""
        while True:
            body = _body(self._from_client)
            if struct.unpack("!i", body[:4])[0] not in (_SSL, _GSS):
                break
            self._client.sendall(b"N")
        options = b"options\0-c default_transaction_isolation=repeatable\\ read -c standard_conforming_strings=on\0\0"
        body = body[:-1] + options
        self._server.sendall(struct.pack("!i", len(body) + 4) + body)

    def _request(self, kind: bytes, body: bytes) -> None:
        word = self._stand_in.silent_on.encode()
        if word and kind in b"QP" and body.lstrip(b"\0").startswith(word):
            return
        if kind == b"Q":
            body = self._translated(body[:-1].decode(), simple=True).encode() + b"\0"
            if body == b"COMMIT\0" and self._merging and self._stand_in.lose_commit:
                self._stand_in.lose_commit = False
                self._client.shutdown(socket.SHUT_RDWR)
        elif kind == b"P":
            name, statement, rest = body.split(b"\0", 2)
            body = name + b"\0" + self._translated(statement.decode(), simple=False).encode() + b"\0" + rest
        self._server.sendall(_message(kind, body))
        if kind == b"Q" and self._data:
            for chunk in self._data:
                self._server.sendall(_message(b"d", chunk))
            self._server.sendall(_message(b"c", b""))

    def _translated(self, statement: str, *, simple: bool) -> str:
        self._data: list[bytes] = []
        self._stand_in.statements.append(statement)
        statement = _folded(statement)
        self._merging = self._merging or statement.startswith("LOCK")
        try:
            if statement.lstrip().upper().startswith("COPY") and simple and " FROM 's3://" in statement:
                return self._copied(statement)
            return self._allowed(statement)
        except _Refusal as refusal:
            self._notes.append(refusal.note)
            text = str(refusal).replace("'", "''").replace("%", "%%")
            return f"DO $refusal$ BEGIN RAISE EXCEPTION '{text}' USING ERRCODE = 'XX000'; END $refusal$"

    def _allowed(self, statement: str) -> str:
        unquoted = re.sub(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"", "''", statement)
        for pattern, what in _REFUSED:
            text = statement if "set_config" in pattern else unquoted
            if re.search(pattern, text, re.IGNORECASE | re.DOTALL):
                raise _Refusal(f"Redshift does not support {what}")
        if statement.startswith("DELETE FROM") and self._stand_in.refuse_merges:
            self._stand_in.refuse_merges -= 1
            raise _Refusal("1023")
        if re.search(r"\bALTER COLUMN\b.*\bTYPE\b", unquoted):
            self._check_lengthening(statement)
        statement = re.sub(
            r"\)( DISTSTYLE (AUTO|EVEN|ALL)| DISTKEY \(\"[^\"]+\"\))?( SORTKEY \([^)]+\))?$", ")", statement
        )
        if statement == "SELECT SYSDATE":
            return "SELECT CURRENT_TIMESTAMP AT TIME ZONE 'UTC'"
        if statement == "SELECT version()":
            return f"SELECT '{_VERSION}'"
        if match := re.match(r'CREATE TEMPORARY TABLE "([^"]+)" \((.*)\)$', statement, re.DOTALL):
            self._types[match[1]] = dict(re.findall(r'"((?:[^"]|"")+)" ((?:[^,(]|\([^)]*\))+)', match[2]))
        for table in ("stl_load_errors", "sys_load_error_detail"):
            if table in statement:
                statement = self._errors(statement, table)
        return re.sub(r"\bvarbyte\(\d+\)", "bytea", statement)

    def _check_lengthening(self, statement: str) -> None:
        """Redshift changes nothing but the length of text and binary, and that in no transaction."""
        if not re.search(r" TYPE (varchar|varbyte)\(\d+\)$", statement) or self._stand_in.refuse_lengthening:
            raise _Refusal("target data type is not supported, or the encoding of the column is not")
        if self._status != b"I":
            raise _Refusal("ALTER TABLE ALTER COLUMN cannot run inside a transaction block")

    def _errors(self, statement: str, table: str) -> str:
        if table.startswith("stl") and self._stand_in.serverless:
            raise _Refusal("permission denied for relation stl_load_errors")
        names = {
            "stl_load_errors": "filename, colname, err_reason, raw_field_value, session, starttime",
            "sys_load_error_detail": "file_name, column_name, error_message, nothing, session_id, start_time",
        }[table]
        rows = [note for note in self._notes if note[0]] or [("", "", "", "")]
        values = ", ".join(
            f"({', '.join(_quoted(text) for text in row)}, {'pg_backend_pid()' if row[0] else '0'}, {number})"
            for number, row in enumerate(rows)
        )
        return statement.replace(f"FROM {table}", f"FROM (VALUES {values}) AS {table}({names})")

    # COPY

    def _copied(self, statement: str) -> str:
        """The files of a manifest, as data for PostgreSQL's own COPY."""
        found = _COPY.match(statement)
        if not found:
            raise _Refusal("syntax error in COPY")
        columns = re.findall(r'"((?:[^"]|"")+)"', found["columns"])
        declared = self._types.get(found["table"], {})
        if list(declared) != columns:
            raise _Refusal("the column list is not that of the table, in its order")
        for entry in self._entries(found["manifest"].replace("''", "'")):
            self._data += self._read(entry, declared)
        return f'COPY "{found["table"]}" ({found["columns"]}) FROM STDIN (FORMAT csv)'

    def _entries(self, manifest: str) -> "list[tuple[str, bool, int]]":
        document = json.loads(self._object(manifest))
        if set(document) != {"entries"} or not document["entries"]:
            raise _Refusal("The manifest has no entries", file=manifest)
        found = []
        for entry in document["entries"]:
            if "content_length" not in entry.get("meta", {}):
                raise _Refusal("COPY of Parquet needs meta.content_length in the manifest", file=manifest)
            found.append((entry["url"], bool(entry.get("mandatory")), int(entry["meta"]["content_length"])))
        return found

    def _object(self, uri: str) -> bytes:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        found = self._s3.contents(bucket).get(key)
        if found is None:
            raise _Refusal("The specified S3 object does not exist", file=uri)
        return found

    def _read(self, entry: tuple[str, bool, int], declared: dict[str, str]) -> list[bytes]:
        uri, mandatory, length = entry
        try:
            data = self._object(uri)
        except _Refusal:
            if mandatory:
                raise
            return []
        if len(data) != length:
            raise _Refusal(f"The file has {len(data)} bytes, the manifest says {length}", file=uri)
        try:
            table = pq.read_table(io.BytesIO(data))
        except (pa.ArrowException, OSError) as error:
            raise _Refusal(f"Invalid Parquet file: {error}", file=uri) from None
        if table.num_columns != len(declared):
            raise _Refusal(f"Parquet has {table.num_columns} columns, the table {len(declared)}", file=uri)
        for (name, kind), field, column in zip(declared.items(), table.schema, table.columns, strict=True):
            _check(uri, name, kind, field.type, column)
        arrays = [_printable(column.combine_chunks()) for column in table.columns]
        sink = io.BytesIO()
        named = pa.table([pa.array(a) if not isinstance(a, pa.Array) else a for a in arrays], names=list(declared))
        pyarrow.csv.write_csv(named, sink, pyarrow.csv.WriteOptions(include_header=False))
        return [sink.getvalue()]

    # Answers

    def _answers(self) -> None:
        with suppress(OSError, EOFError):
            while True:
                kind = _exactly(self._from_server, 1)
                body = _body(self._from_server)
                if kind == b"G":  # PostgreSQL asks for the data that it gets anyway.
                    continue
                if kind == b"Z":
                    self._status = body
                self._client.sendall(_message(kind, _REWRITTEN.get(kind, _same)(body)))
        with suppress(OSError):
            self._client.shutdown(socket.SHUT_RDWR)


def _folded(statement: str) -> str:
    """Quoted names in lower case, as all others are anyway. Only ASCII letters, as it is documented."""
    return re.sub(
        r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"",
        lambda found: found[0] if found[0].startswith("'") else found[0].translate(_LOWER),
        statement,
    )


def _check(uri: str, name: str, kind: str, found: pa.DataType, column: pa.ChunkedArray) -> None:
    found = {pa.large_string(): pa.string(), pa.large_binary(): pa.binary()}.get(found, found)
    if pa.types.is_timestamp(found) and found.tz:
        found = pa.timestamp(found.unit, "UTC")  # All that a file holds is that it is an instant.
    kind = re.sub(r"^varbyte\(\d+\)$", "bytea", kind.strip())
    kind = {"timestamp": "timestamp without time zone"}.get(kind, kind)
    if text := re.fullmatch(r"varchar\((\d+)\)|character varying\((\d+)\)", kind):
        if not pa.types.is_string(found):
            raise _Refusal(f"incompatible Parquet schema: {found} is no {kind}", file=uri, column=name)
        for value in column.to_pylist():
            if value is not None and len(value.encode()) > int(text[1] or text[2]):
                raise _Refusal("String length exceeds DDL length", file=uri, column=name, value=value[:20])
    elif number := re.fullmatch(r"numeric\((\d+),(\d+)\)", kind):
        if found != pa.decimal128(int(number[1]), int(number[2])):
            raise _Refusal(f"incompatible Parquet schema: {found} is no {kind}", file=uri, column=name)
    elif found not in _TYPES.get(kind, ()):
        raise _Refusal(f"incompatible Parquet schema: {found} is no {kind}", file=uri, column=name)


def _printable(array: pa.Array) -> pa.Array:
    if pa.types.is_timestamp(array.type):
        return array.cast(pa.timestamp("us"))  # An instant is in UTC, whatever zone the file names.
    if not (pa.types.is_binary(array.type) or pa.types.is_large_binary(array.type)):
        return array
    return pa.array([None if value is None else "\\x" + value.hex() for value in array.to_pylist()], pa.string())


def _same(body: bytes) -> bytes:
    return body


def _parameter(body: bytes) -> bytes:
    name, value, _ = body.split(b"\0")
    told = {b"server_version": b"8.0.2", b"client_encoding": b"UNICODE", b"server_encoding": b"UNICODE"}
    return name + b"\0" + told.get(name, value) + b"\0"


def _error(body: bytes) -> bytes:
    """A serialization failure as Redshift reports it."""
    fields = {part[:1]: part[1:] for part in body.split(b"\0") if part}
    if fields.get(b"C") == b"40001":
        fields |= {b"C": b"XX000", b"M": b"1023", b"D": b"Serializable isolation violation on table - 1, transactions"}
    return b"".join(code + value + b"\0" for code, value in fields.items()) + b"\0"


_REWRITTEN: dict[bytes, Callable[[bytes], bytes]] = {b"S": _parameter, b"E": _error}


def _exactly(stream: "io.BufferedReader", count: int) -> bytes:
    data = stream.read(count)
    if len(data) < count:
        raise EOFError
    return data


def _body(stream: "io.BufferedReader") -> bytes:
    return _exactly(stream, struct.unpack("!i", _exactly(stream, 4))[0] - 4)


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


def _quoted(text: str) -> str:
    doubled = text.replace("'", "''")
    return f"'{doubled}'"

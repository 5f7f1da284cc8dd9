"""A stand-in for Redshift: a proxy before PostgreSQL that is stricter than it, and executes COPY from S3.

It is a model made from the documentation, not the real thing: it proves that nothing is sent that Redshift refuses by
its documentation, and that COPY, LOCK and snapshots are used as it wants them. Every transaction is REPEATABLE READ, as
Redshift's default is snapshot isolation; a table that a transaction writes stays locked for other writers until its
end; at SERIALIZABLE it finds conflicts by whole tables. Primary keys of tables that are made through it are not
enforced. What one statement alone decides is in `redshift_rules`. `tests/live` asks a real cluster.

It knows less than Redshift of: SUPER, which is jsonb and takes literals as JSON, columns as text; transactions of a
single statement, which conflict with none.
"""

import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader
from typing import Any, Literal

import psycopg

from tests.servers import LOOPBACK, Database
from tests.servers import redshift_rules as rules
from tests.servers.redshift_conflicts import Conflicts
from tests.servers.redshift_copy import copied
from tests.servers.redshift_rules import SCHEMA, Refusal
from tests.servers.s3 import S3Server

_SSL, _GSS, _CANCEL = 80877103, 80877104, 80877102
_VERSION = "PostgreSQL 8.0.2 on i686-pc-linux-gnu, compiled by GCC gcc (GCC) 3.4.2, Redshift 1.0.99999"
_SINGLE = 700
_FLOATS = {_SINGLE: 6, 701: 15}
"""Types of floating-point numbers, and how many digits they are printed with at extra_float_digits 0."""
_SETTINGS = (
    ("default_transaction_isolation", "repeatable\\ read"),
    ("standard_conforming_strings", "on"),
    ("extra_float_digits", "0"),
)
_OWN_OBJECTS = f"""
CREATE SCHEMA {SCHEMA};
GRANT USAGE ON SCHEMA {SCHEMA} TO PUBLIC;
CREATE TABLE {SCHEMA}.names (alias text PRIMARY KEY, name text NOT NULL);
GRANT SELECT ON {SCHEMA}.names TO PUBLIC;
CREATE TABLE {SCHEMA}.distkeys (place text, relation text, name text);
GRANT SELECT ON {SCHEMA}.distkeys TO PUBLIC;
CREATE FUNCTION {SCHEMA}.told_name(kept name) RETURNS text LANGUAGE sql STABLE AS
  $$ SELECT coalesce((SELECT name FROM {SCHEMA}.names WHERE alias = kept), kept::text) $$;
CREATE FUNCTION {SCHEMA}.format_type(kind oid, modifier int) RETURNS text LANGUAGE sql STABLE AS
  $$ SELECT CASE WHEN typnamespace = '{SCHEMA}'::regnamespace THEN typname::text WHEN typname = 'jsonb' THEN 'super'
     ELSE pg_catalog.format_type(kind, modifier) END FROM pg_type WHERE oid = kind $$;
CREATE FUNCTION {SCHEMA}.db_collation() RETURNS text LANGUAGE sql STABLE AS
  $$ SELECT 'case_sensitive'::text $$;
CREATE FUNCTION {SCHEMA}.json_parse(value text) RETURNS jsonb LANGUAGE sql IMMUTABLE STRICT AS
  $$ SELECT value::json::jsonb $$;
CREATE FUNCTION {SCHEMA}.json_serialize(value jsonb) RETURNS varchar LANGUAGE sql IMMUTABLE STRICT AS
  $$ SELECT value::text::varchar $$;
CREATE FUNCTION {SCHEMA}.text_to_super(value text) RETURNS jsonb LANGUAGE sql IMMUTABLE STRICT AS
  $$ SELECT to_jsonb(value) $$;
CREATE FUNCTION {SCHEMA}.varchar_to_super(value varchar) RETURNS jsonb LANGUAGE sql IMMUTABLE STRICT AS
  $$ SELECT to_jsonb(value::text) $$;
CREATE CAST (text AS jsonb) WITH FUNCTION {SCHEMA}.text_to_super(text) AS ASSIGNMENT;
CREATE CAST (varchar AS jsonb) WITH FUNCTION {SCHEMA}.varchar_to_super(varchar) AS ASSIGNMENT;
"""
_IS_DISTKEY = (
    f"EXISTS (SELECT 1 FROM {SCHEMA}.distkeys AS d"
    " WHERE d.place = n.nspname AND d.relation = c.relname AND d.name = a.attname)"
)
_COLUMN = """
SELECT {schema}.format_type(a.atttypid, a.atttypmod), a.atthasdef,
  EXISTS (SELECT 1 FROM pg_constraint WHERE conrelid = a.attrelid AND contype IN ('p', 'u', 'f')
          AND a.attnum = ANY (conkey))
FROM pg_attribute AS a WHERE a.attrelid = to_regclass(%s) AND a.attname = %s AND NOT a.attisdropped
"""
_USED_TABLES = """
SELECT l.pid, l.relation::bigint, l.mode FROM pg_locks AS l JOIN pg_class AS c ON c.oid = l.relation
WHERE l.locktype = 'relation' AND l.granted AND l.pid = ANY (%s) AND l.mode IN ('AccessShareLock', 'RowExclusiveLock')
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND c.relpersistence = 'p' AND c.relkind IN ('r', 'p')
  AND c.relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace, '{schema}'::regnamespace)
"""


class RedshiftStandIn:
    """Before one database. statements: what clients sent, in order. serverless: without the STL tables."""

    def __init__(self, database: Database, s3: S3Server, *, serverless: bool = False) -> None:
        self.statements: list[str] = []
        self.serverless = serverless
        self.isolation: Literal["snapshot", "serializable"] = "snapshot"
        """Snapshot: two writers of one row conflict. Serializable: transactions conflict by the tables they use."""
        self.single_node = False
        """A cluster of one node fetches 1,000 rows at once, no more."""
        self.notes_errors = True
        """Whether the tables of load errors tell why a COPY failed, as they do of most."""
        self.refuse_merges = 0
        """So many merges end by a serialization failure."""
        self.refuse_creation = 0
        """So many times the ledger's tables are made by another transaction at the same moment."""
        self.refuse_lengthening = False
        """Text has an encoding whose length cannot be changed."""
        self.silent_on = ""
        """Statements that begin with this word are never answered."""
        self.lose_commit = False
        """The next merge is committed, and its client never hears of it."""
        self.conflicts = Conflicts()
        self.s3 = s3
        self.tables: dict[tuple[str, ...], rules.Created] = {}
        """The permanent ones that clients created, by schema and name."""
        self._database = database
        self._catalog: Any = None
        self._catalog_lock = threading.Lock()
        self._binary_types: set[str] = set()
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port: int = self._listener.getsockname()[1]
        self.config = {**database.config, "type": "redshift", "port": self.port}

    @property
    def copies(self) -> list[str]:
        """The COPY statements among them."""
        return [statement for statement in self.statements if statement.startswith("COPY")]

    @contextmanager
    def running(self) -> Iterator["RedshiftStandIn"]:
        """Accept connections until the end of the block."""
        if not self.ask("SELECT 1 FROM pg_namespace WHERE nspname = %s", SCHEMA):
            self._database.execute(_OWN_OBJECTS)
        acceptor = threading.Thread(target=self._accept, daemon=True)
        acceptor.start()
        try:
            yield self
        finally:
            self._listener.shutdown(socket.SHUT_RDWR)
            acceptor.join()
            self._listener.close()
            self._catalog.close()

    def ask(self, question: str, *values: Any) -> list[tuple[Any, ...]]:
        """What PostgreSQL's catalog says, asked beside the clients' transactions."""
        with self._catalog_lock:
            for again in (True, False):
                if self._catalog is None or self._catalog.closed:
                    self._catalog = self._database.connect()
                try:
                    cursor = self._catalog.execute(question, values or None)
                    return cursor.fetchall() if cursor.description else []
                except psycopg.OperationalError:  # The server was killed since.
                    if not (again and self._catalog.closed):
                        raise
        return []

    def make_types(self, statement: str) -> None:
        """The binary types that a statement names."""
        for length in rules.binary_lengths(statement) - self._binary_types:
            name = f"{SCHEMA}.{rules.quoted(rules.binary_type(length))}"
            with suppress(psycopg.errors.DuplicateObject):
                self.ask(f"CREATE DOMAIN {name} AS bytea CHECK (octet_length(VALUE) <= {length})")
            self._binary_types.add(length)

    def keep_names(self, aliases: dict[str, str]) -> None:
        """Names longer than PostgreSQL's, to be told again."""
        for alias, name in aliases.items():
            self.ask(f"INSERT INTO {SCHEMA}.names VALUES (%s, %s) ON CONFLICT DO NOTHING", alias, name)

    def keep_table(self, made: rules.Created) -> None:
        """A permanent table, with what PostgreSQL does not know of it."""
        place = rules.with_schema(made.table)
        self.tables[place] = made
        if made.distkey:
            self.ask(f"INSERT INTO {SCHEMA}.distkeys VALUES (%s, %s, %s)", *place[-2:], made.distkey)

    def column(self, table: str, name: str) -> rules.Column | None:
        """What is known of a column."""
        found = self.ask(_COLUMN.format(schema=SCHEMA), table, name)
        if not found:
            return None
        kind, default, key = found[0]
        made = self.tables.get(rules.with_schema(rules.path(table)))
        encoding = "bytedict" if self.refuse_lengthening else made.encodings.get(name, "") if made else ""
        return rules.Column(kind, encoding, key or (made is not None and name in made.keys), default)

    def look_at_uses(self) -> None:
        """Tell the conflicts which tables running transactions have read and written, by their locks."""
        uses = self.ask(_USED_TABLES.format(schema=SCHEMA), self.conflicts.running())
        for session, table, mode in uses:
            self.conflicts.use(session, **{"reads" if mode == "AccessShareLock" else "writes": [table]})

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError, EOFError, psycopg.OperationalError):
            server = socket.create_connection((LOOPBACK, int(self._database.config["port"])))
            for end in (client, server):  # Messages are passed on one by one: none is to wait for the next.
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with server:
                _Connection(self, client, server).run()


class _Connection:
    """One client, and the session of PostgreSQL that serves it."""

    def __init__(self, stand_in: RedshiftStandIn, client: socket.socket, server: socket.socket) -> None:
        self._stand_in = stand_in
        self._client, self._server = client, server
        self._from_client, self._from_server = client.makefile("rb"), server.makefile("rb")
        self._user = ""
        self._session = 0
        self._status = b"I"
        self._ready = threading.Condition()
        self._asking = self._ending = self._gone = False
        self._refused: bytes | None = None
        self._skipping = False
        self._has_locked = self._merging = False
        self._writing: set[str] = set()
        self._temporary: dict[tuple[str, ...], rules.Created] = {}
        self._digits = 0
        self._floats: dict[int, int] = {}
        self._data: list[bytes] = []
        self._notes: list[tuple[str, str, str, str]] = []

    def run(self) -> None:
        if not self._start():
            return
        answers = threading.Thread(target=self._answers, daemon=True)
        answers.start()
        try:
            while True:
                kind = _exactly(self._from_client, 1)
                self._request(kind, _body(self._from_client))
        finally:
            for end in (self._server, self._client):
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
            answers.join()
            self._stand_in.conflicts.end(self._session, committed=False)

    def _start(self) -> bool:
        """Refuse encryption, then begin a session with Redshift's settings. False: it was no session."""
        while True:
            body = _body(self._from_client)
            code = struct.unpack("!i", body[:4])[0]
            if code not in (_SSL, _GSS):
                break
            self._client.sendall(b"N")
        if code != _CANCEL:
            words = body[4:].split(b"\0")
            self._user = dict(zip(words[::2], words[1::2], strict=False))[b"user"].decode()
            settings = " ".join(f"-c {name}={value}" for name, value in _SETTINGS)
            body = body[:-1] + f"options\0{settings}\0\0".encode()
        self._server.sendall(struct.pack("!i", len(body) + 4) + body)
        return bool(code != _CANCEL)

    # Requests

    def _request(self, kind: bytes, body: bytes) -> None:
        word = self._stand_in.silent_on.encode()
        if word and kind in b"QP" and body.lstrip(b"\0").startswith(word):
            return
        if kind == b"Q":
            self._statement(kind, body[:-1].decode(), lambda text: text + b"\0")
        elif kind == b"P":
            name, statement, rest = body.split(b"\0", 2)
            self._statement(kind, statement.decode(), lambda text: name + b"\0" + text + b"\0" + rest)
        elif kind == b"S" or not self._skipping:
            self._skipping = False
            self._server.sendall(_message(kind, body))

    def _statement(self, kind: bytes, statement: str, wrapped: Callable[[bytes], bytes]) -> None:
        self._stand_in.statements.append(statement)
        self._data = []
        try:
            text = self._translated(statement, simple=kind == b"Q")
            self._take_part(statement)
        except Refusal as refusal:
            self._notes.append(refusal.note)
            if _ends(statement):  # A commit that is refused has ended its transaction.
                self._ask("ROLLBACK")
            self._refuse(kind, self._ask(refusal.statement()))
            return
        if error := self._lock_written(text):
            self._refuse(kind, error)
            return
        message = _message(kind, wrapped(text.encode()))
        if _ends(statement):
            self._end(message, committed=statement.strip().upper() != "ROLLBACK")
            return
        self._server.sendall(message)
        for chunk in self._data:
            self._server.sendall(_message(b"d", chunk))
        if self._data:
            self._server.sendall(_message(b"c", b""))

    def _translated(self, statement: str, *, simple: bool) -> str:
        aliases: dict[str, str] = {}
        statement = rules.with_stored_names(statement, aliases)
        self._stand_in.keep_names(aliases)
        if statement.lstrip().upper().startswith("COPY") and simple and " FROM 's3://" in statement:
            statement, self._data = copied(statement, self._declared, self._stand_in.s3)
            return statement
        return self._allowed(statement)

    def _declared(self, place: tuple[str, ...]) -> dict[str, str]:
        """The columns of a table that this client can name."""
        made = self._temporary.get(place) or self._stand_in.tables.get(rules.with_schema(place))
        return made.columns if made else {}

    def _allowed(self, statement: str) -> str:
        rules.check(statement, single_node=self._stand_in.single_node)
        self._check_merge(statement)
        self._check_table(statement)
        if statement == "SELECT SYSDATE":
            return "SELECT CURRENT_TIMESTAMP AT TIME ZONE 'UTC'"
        if statement == "SELECT version()":
            return f"SELECT '{_VERSION}'"
        for table in ("stl_load_errors", "sys_load_error_detail"):
            if table in statement:
                return self._errors(statement, table)
        if (digits := rules.float_digits(statement)) is not None:
            self._digits = max(digits, 0)
        made = rules.created(statement)
        if made:
            if made.temporary:
                self._temporary[made.table] = made
            else:
                self._stand_in.keep_table(made)
            statement = made.statement
        statement = statement.replace("a.attisdistkey", _IS_DISTKEY)
        statement = rules.with_told_names(rules.with_casts(rules.added(statement) or statement))
        self._stand_in.make_types(statement)
        return statement

    def _check_merge(self, statement: str) -> None:
        if self._stand_in.refuse_creation and rules.created(statement) and "wmtui_ledger" in statement:
            self._stand_in.refuse_creation -= 1
            raise Refusal("1023", detail="Serializable isolation violation on table - 1, transactions")
        if rules.locked(statement):
            self._has_locked = self._merging = True
        elif self._has_locked and rules.written(statement) and self._stand_in.refuse_merges:
            self._stand_in.refuse_merges -= 1
            raise Refusal("1023", detail="Serializable isolation violation on table - 1, transactions")

    def _check_table(self, statement: str) -> None:
        """What only the table's present state decides."""
        for table in rules.locked(statement):
            if self._stand_in.ask("SELECT 1 FROM pg_class WHERE oid = to_regclass(%s) AND relkind = 'v'", table):
                raise Refusal(f"{table} is not a table", code="42809")
        if table := rules.needs_owner(statement):
            question = "SELECT relname, pg_get_userbyid(relowner) FROM pg_class WHERE oid = to_regclass(%s)"
            for name, owner in self._stand_in.ask(question, table):
                if owner != self._user:
                    raise Refusal(f"must be owner of relation {name}", code="42501")
        if change := rules.altered(statement):
            place, name, kind = change
            if column := self._stand_in.column(place, name):
                rules.check_lengthening(column, kind, in_transaction=self._status != b"I")

    def _errors(self, statement: str, table: str) -> str:
        if table.startswith("stl") and self._stand_in.serverless:
            raise Refusal("permission denied for relation stl_load_errors", code="42501")
        names = {
            "stl_load_errors": "filename, colname, err_reason, raw_field_value, session, starttime",
            "sys_load_error_detail": "file_name, column_name, error_message, nothing, session_id, start_time",
        }[table]
        noted = [note for note in self._notes if note[0] and self._stand_in.notes_errors]
        values = ", ".join(
            f"({', '.join(map(rules.literal, row))}, {'pg_backend_pid()' if row[0] else '0'}, {number})"
            for number, row in enumerate(noted or [("", "", "", "")])
        )
        return statement.replace(f"FROM {table}", f"FROM (VALUES {values}) AS {table}({names})")

    # Transactions

    def _lock_written(self, statement: str) -> bytes | None:
        """Lock the table that a statement in a transaction is the first to write; what PostgreSQL says against it."""
        found = rules.written(statement)
        if not found or self._status != b"T" or found[0] in self._writing:
            return None
        error = self._ask(f"LOCK TABLE {found[0]} IN SHARE ROW EXCLUSIVE MODE")
        self._writing.add(found[0])
        return error

    def _take_part(self, statement: str) -> None:
        """Raises Refusal when this session's transaction conflicts with others by now."""
        conflicts = self._stand_in.conflicts
        if self._stand_in.isolation != "serializable" or self._status != b"T" or _word(statement) == "ROLLBACK":
            return
        self._stand_in.look_at_uses()
        if found := conflicts.find(self._session):
            table, numbers = found
            cycle = ", ".join(map(str, numbers))
            detail = f"Serializable isolation violation on table - {table}, transactions forming the cycle are: {cycle}"
            raise Refusal("1023", detail=f"{detail} (pid:{self._session})")
        if _word(statement) in ("LOCK", "SET", "SHOW") or _ends(statement):
            return
        conflicts.take_snapshot(self._session)
        if (writes := rules.written(statement)) and writes[1]:
            tables = self._stand_in.ask("SELECT to_regclass(%s)::oid::bigint", writes[0])
            conflicts.use(self._session, reads=[table for (table,) in tables if table is not None])

    def _end(self, message: bytes, *, committed: bool) -> None:
        """End the transaction, and mark it before anybody takes a snapshot that has it."""
        if self._merging and committed and self._stand_in.lose_commit:
            self._stand_in.lose_commit = False
            self._client.shutdown(socket.SHUT_RDWR)
        with self._stand_in.conflicts.lock:
            in_vain = self._status == b"E"
            with self._ready:
                self._status, self._ending = b"", True
                self._server.sendall(message)
                self._ready.wait_for(lambda: self._status or self._gone)
                self._ending = False
            self._stand_in.conflicts.end(self._session, committed=committed and not in_vain)

    def _ask(self, statement: str) -> bytes | None:
        """Run a statement of our own in the client's session; the error that it ends with."""
        with self._ready:
            self._asking, self._refused = True, None
            self._server.sendall(_message(b"Q", statement.encode() + b"\0"))
            self._ready.wait_for(lambda: not self._asking or self._gone)
            return self._refused

    def _refuse(self, kind: bytes, error: bytes | None) -> None:
        """Answer a statement, which is not passed on, with an error."""
        self._client.sendall(_message(b"E", error or b"SERROR\0CXX000\0Mlost\0\0"))
        if kind == b"Q":
            self._server.sendall(_message(b"S", b""))  # It says how the transaction stands.
        else:
            self._skipping = True

    # Answers

    def _answers(self) -> None:
        with suppress(OSError, EOFError):
            while True:
                kind = _exactly(self._from_server, 1)
                self._answer(kind, _body(self._from_server))
        with self._ready:
            self._gone = True
            self._ready.notify_all()
        with suppress(OSError):
            self._client.shutdown(socket.SHUT_RDWR)

    def _answer(self, kind: bytes, body: bytes) -> None:
        if kind == b"G":  # PostgreSQL asks for the data that it gets anyway.
            return
        if kind == b"K":
            self._session = struct.unpack("!i", body[:4])[0]
        elif kind == b"S":
            body = _parameter(body)
        elif kind == b"E":
            body = _error(body, self._stand_in.isolation)
        elif kind == b"T":
            self._floats = _float_columns(body) if self._digits else {}
        elif kind == b"D" and self._floats:
            body = _with_digits(body, self._floats, self._digits)
        asked = self._asking
        if asked and kind == b"E":
            self._refused = body
        if kind == b"Z":  # Before the client hears of it, and sends more.
            self._is_ready(body)
        if not asked:
            self._client.sendall(_message(kind, body))

    def _is_ready(self, status: bytes) -> None:
        if status != b"T" and not self._ending:  # A transaction that failed conflicts with none.
            self._stand_in.conflicts.end(self._session, committed=False)
        with self._ready:
            self._status, self._asking = status, False
            if status == b"I":
                self._writing.clear()
                self._has_locked = False
            self._ready.notify_all()


def _word(statement: str) -> str:
    return statement.lstrip().partition(" ")[0].rstrip(";").upper()


def _ends(statement: str) -> bool:
    return _word(statement) in ("COMMIT", "END", "ROLLBACK", "ABORT")


def _parameter(body: bytes) -> bytes:
    name, value, _ = body.split(b"\0")
    told = {b"server_version": b"8.0.2", b"client_encoding": b"UNICODE", b"server_encoding": b"UNICODE"}
    return name + b"\0" + told.get(name, value) + b"\0"


def _error(body: bytes, isolation: str) -> bytes:
    """An error as Redshift words it."""
    fields = {part[:1]: part[1:] for part in body.split(b"\0") if part}
    if fields.get(b"C") == b"40001" and isolation == "serializable":
        fields |= {b"C": b"XX000", b"M": b"1023", b"D": b"Serializable isolation violation on table - 1, transactions"}
    elif fields.get(b"C") == b"40001":
        fields |= {b"C": b"XX000", b"M": b"could not complete because of conflict with concurrent transaction"}
    elif fields.get(b"C") == b"23514" and (kind := re.search(rb"binary varying\(\d+\)", fields.get(b"M", b""))):
        fields |= {b"C": b"22001", b"M": b"value too long for type " + kind[0]}
    return b"".join(code + value + b"\0" for code, value in fields.items()) + b"\0"


def _float_columns(body: bytes) -> dict[int, int]:
    """Of a description of rows: which columns are floating-point numbers in text, and of which type."""
    found, place = {}, 2
    for number in range(struct.unpack("!h", body[:2])[0]):
        place = body.index(b"\0", place) + 1
        kind, is_binary = struct.unpack("!6xi2x4xh", body[place : place + 18])
        place += 18
        if kind in _FLOATS and not is_binary:
            found[number] = kind
    return found


def _with_digits(body: bytes, floats: dict[int, int], digits: int) -> bytes:
    """A row whose floating-point numbers have so many digits more."""
    values, place = [body[:2]], 2
    for number in range(struct.unpack("!h", body[:2])[0]):
        (length,) = struct.unpack("!i", body[place : place + 4])
        value = body[place + 4 : place + 4 + max(length, 0)]
        place += 4 + max(length, 0)
        if number in floats and length >= 0:
            value = rules.rounded(value, _FLOATS[floats[number]] + digits, single=floats[number] == _SINGLE)
        values.append(struct.pack("!i", len(value) if length >= 0 else -1) + value)
    return b"".join(values)


def _exactly(stream: BufferedReader, count: int) -> bytes:
    data = stream.read(count)
    if len(data) < count:
        raise EOFError
    return data


def _body(stream: BufferedReader) -> bytes:
    return _exactly(stream, struct.unpack("!i", _exactly(stream, 4))[0] - 4)


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body

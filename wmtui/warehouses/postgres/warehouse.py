"""PostgreSQL as warehouse: parts are streamed through the client by COPY."""

import random
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pyarrow as pa
from psycopg import errors as pg

from wmtui.config import PostgresConfig, RedshiftConfig, Secret
from wmtui.errors import WarehouseError
from wmtui.model import Check, Level
from wmtui.warehouses.base import KnownLoads, Limits, LoadRequest, LoadResult, OnStaged, OpenPart, Place, TargetState
from wmtui.warehouses.deadline import deadline
from wmtui.warehouses.ledger import ledger
from wmtui.warehouses.ledger import statements as ledger_statements
from wmtui.warehouses.load import statements
from wmtui.warehouses.load.columns import Columns
from wmtui.warehouses.load.merge import add_columns, count_rows, merge, with_added
from wmtui.warehouses.load.session import Session
from wmtui.warehouses.load.staging import Staged, stage
from wmtui.warehouses.load.statements import STAGING, Staging
from wmtui.warehouses.postgres import copy_out
from wmtui.warehouses.postgres.copy_in import to_csv
from wmtui.warehouses.postgres.errors import connection_lost, translated, unreachable
from wmtui.warehouses.quoting import quote
from wmtui.warehouses.reading import ReadColumn, columns_to_read
from wmtui.warehouses.target import TargetColumn, TargetTable

_SSL_MODES = {"verify": "verify-full", "require": "require", "disable": "disable"}
_CONNECT_SECONDS = 10
GRACE = timedelta(minutes=1)
"""How much longer than a statement may take this side waits for a server that does not keep to it."""
_IDLE_TIMEOUT = timedelta(seconds=60)
"""How long the ledger stays locked by a process that was paused; awake it never waits between two statements."""
_MERGE_ATTEMPTS = 3
_MADE_BY_ANOTHER = (
    pg.UniqueViolation,
    pg.DuplicateTable,
    pg.DuplicateObject,
    pg.UndefinedTable,
    pg.WrongObjectType,
    pg.SerializationFailure,
)
_MAKING_ATTEMPTS = 20
COUNTED_BYTES = 2**30
"""Of a target whose rows are counted before a load: counting more would take longer than most loads."""
SYSTEM_NAMES = frozenset({"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"})
_KINDS = {
    "r": "table",
    "p": "table",
    "f": "foreign table",
    "v": "view",
    "m": "materialized view",
    "i": "index",
    "I": "index",
    "S": "sequence",
    "c": "type",
}
_RELATION = """
SELECT c.oid, c.relkind::text, pg_get_userbyid(c.relowner)::text, pg_has_role(c.relowner, 'USAGE'),
    row_security_active(c.oid),
    ARRAY(SELECT t.tgname::text FROM pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal
        AND t.tgenabled <> 'D' AND t.tgtype & 1 = 1 ORDER BY 1),
    ARRAY(SELECT k.conrelid::regclass::text || '.' || k.conname FROM pg_constraint k
        WHERE k.confrelid = c.oid AND k.contype = 'f' AND k.confdeltype = 'c' ORDER BY 1),
    ARRAY(SELECT r.rulename::text FROM pg_rewrite r WHERE r.ev_class = c.oid AND r.ev_type <> '1' ORDER BY 1),
    ARRAY(SELECT a.attname::text FROM pg_constraint k CROSS JOIN unnest(k.conkey) WITH ORDINALITY AS u(number, place)
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = u.number
        WHERE k.conrelid = c.oid AND k.contype = 'p' ORDER BY u.place)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2
"""
_COLUMNS = """
SELECT a.attname, format_type(a.atttypid, a.atttypmod), NOT a.attnotnull, a.atthasdef OR a.attidentity <> '',
    a.attidentity = 'a' OR coalesce(to_jsonb(a) ->> 'attgenerated', '') <> '',
    CASE WHEN t.typname = 'citext' THEN 'citext' WHEN to_jsonb(o) ->> 'collisdeterministic' = 'false'
        THEN o.collname::text ELSE '' END
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_collation o ON o.oid = a.attcollation
WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""


class PostgresWarehouse:
    """A Warehouse in one schema of a PostgreSQL server; every operation has a connection of its own."""

    limits = Limits(name_bytes=63, system_names=SYSTEM_NAMES)
    reads_store = False

    def __init__(self, config: PostgresConfig | RedshiftConfig) -> None:
        self.statements = statements.Statements(config.schema)
        self._config = config
        self._address = f"{config.host}:{config.port}/{config.database}"

    def describe(self, target: str) -> TargetTable | None:
        """What stands under this name."""
        with self._session() as session:
            return session.describe(target)

    def loads(self, place: Place) -> KnownLoads:
        """What was loaded into a target, and by whom."""
        with self._session() as session:
            return ledger.read_loads(session, place)

    def accept(self, place: Place, *, token: int, run: str, moved_from: str | None = None) -> None:
        """Record the target as it is now as what this table's loads left."""
        with self._session(loads=True) as session:
            session.prepare_ledger()
            with session.transaction():
                session.lock_ledger(place.target)
                state = session.state(place.target)
                ledger.accept_target(session, place, state, token=token, run=run, moved_from=moved_from)

    def load(self, request: LoadRequest, open_part: OpenPart, on_staged: OnStaged) -> LoadResult:
        """Stage, merge and write the ledger; after a connection lost on the way the ledger says what happened."""
        with self._session(loads=True) as session:
            session.prepare_ledger()
            staged = stage(session, request, open_part, on_staged)
            with session.dropping(staged.staging):
                session.analyze(staged.staging)
                added = add_columns(session, request, staged)
                try:
                    return with_added(_merge(session, request, staged), added)
                except psycopg.OperationalError as error:
                    if not connection_lost(error):
                        raise
                    return self._outcome(request, error)

    def read(self, target: str, columns: Mapping[str, str], batch_rows: int) -> Iterator[pa.RecordBatch]:
        """See Warehouse.read."""
        with self._session() as session:
            if known := session.columns(target):
                yield from session.read(target, columns_to_read(target, known, columns), batch_rows)

    def clock(self) -> datetime:
        """The server's clock, aware UTC."""
        with self._session() as session:
            return session.now().replace(tzinfo=UTC)

    def row_count(self, target: str) -> int | None:
        """Rows in the target, None when there is no such table."""
        with self._session() as session:
            return count_rows(session, target)

    def check(self) -> list[Check]:
        """Findings about connection and privileges; a dead server is a finding."""
        try:
            with self._session() as session:
                return [session.describe_connection(), *session.peculiarities(), *session.check_privileges()]
        except WarehouseError as error:
            return [Check("warehouse", Level.ERROR, str(error), error.next_step)]

    def _outcome(self, request: LoadRequest, lost: psycopg.Error) -> LoadResult:
        """What the ledger says about a load whose connection broke; the lock waits until the old transaction ended."""
        with self._session(loads=True) as session, session.transaction():
            session.lock_ledger(request.target)
            rows = session.execute(session.statements.select_load(request.target), request.load_id)
        committed = {(key, etag): count for key, etag, count in rows}
        if not committed:
            raise lost
        loaded = tuple(file for file in request.files if (file.key, file.etag) in committed)
        already = tuple(file for file in request.files if file not in loaded)
        return LoadResult(loaded, already, sum(committed.values()))

    @contextmanager
    def _session(self, *, loads: bool = False) -> "Iterator[PostgresSession]":
        with translated(self._address, loads=loads), closing(self._connect()) as connection:
            session = self._open(connection)
            session.prepare()
            yield session

    def _open(self, connection: "psycopg.Connection[Any]") -> "PostgresSession":
        return PostgresSession(connection, self._config)

    def _login(self) -> tuple[str, Secret]:
        """User and password of a new connection."""
        assert self._config.password is not None
        return self._config.user, self._config.password

    def _connect(self) -> "psycopg.Connection[Any]":
        config = self._config
        user, password = self._login()
        try:
            connection = psycopg.connect(
                host=config.host,
                port=config.port,
                dbname=config.database,
                user=user,
                password=password.reveal(),
                sslmode=_SSL_MODES[config.tls],
                sslrootcert=config.ca or ("system" if config.tls == "verify" else None),
                gssencmode="disable",
                client_encoding="utf8",
                connect_timeout=_CONNECT_SECONDS,
                keepalives_idle=30,
                keepalives_interval=10,
                keepalives_count=3,
                tcp_user_timeout=60_000,
                application_name="wmtui",
                autocommit=True,
                prepare_threshold=None,
                cursor_factory=psycopg.RawCursor,
            )
        except psycopg.OperationalError as error:
            raise unreachable(self._address, error) from error
        if config.tls != "disable" and not connection.pgconn.ssl_in_use:
            connection.close()
            raise WarehouseError(
                f"the connection to the warehouse {self._address} is not encrypted",
                "the server answered without TLS",
                "turn TLS on at the server, or set tls: disable in tables.yaml",
            )
        return connection


def milliseconds(span: timedelta) -> str:
    """As servers take it."""
    return str(round(span / timedelta(milliseconds=1)))


def _merge(session: "PostgresSession", request: LoadRequest, staged: Staged) -> LoadResult:
    """Transaction 2, again after a serialization failure or a deadlock with another program."""
    for attempt in range(1, _MERGE_ATTEMPTS):
        try:
            return _merge_once(session, request, staged)
        except (pg.SerializationFailure, pg.DeadlockDetected):
            time.sleep(random.uniform(0, 0.2 * attempt))
    return _merge_once(session, request, staged)


def _merge_once(session: "PostgresSession", request: LoadRequest, staged: Staged) -> LoadResult:
    with session.transaction():
        session.lock_ledger(request.target)
        return merge(session, request, staged)


class PostgresSession(Session):
    """One connection. Bound values are $1, $2, …, so that a percent sign in a name stays one."""

    data_errors = (psycopg.DataError,)
    missing_errors = (pg.UndefinedTable,)
    exists_errors = (pg.DuplicateColumn,)
    pooled = False

    def __init__(
        self,
        connection: "psycopg.Connection[Any]",
        config: PostgresConfig | RedshiftConfig,
    ) -> None:
        self._connection = connection
        self._config = config
        self.statements = statements.Statements(config.schema)

    def prepare(self) -> None:
        """Nothing hangs for ever; times and floats are written so that they can be read back exactly.

        Behind a pooler that gives each transaction another connection, they are set in each.
        """
        settings = ", ".join(f"set_config('{name}', '{value}', false)" for name, value in self._settings.items())
        (answer,) = self.execute(
            f"SELECT CASE WHEN pg_backend_pid() = $1 THEN concat({settings}) END",
            self._connection.info.backend_pid,
        )[0]
        self.pooled = answer is None

    @property
    def _patience(self) -> float:
        return (self._config.statement_timeout + GRACE).total_seconds()

    @property
    def _settings(self) -> dict[str, str]:
        return {
            "statement_timeout": milliseconds(self._config.statement_timeout),
            "lock_timeout": milliseconds(getattr(self._config, "lock_timeout", timedelta(0))),
            "timezone": "UTC",
            "datestyle": "ISO",
            "jit": "off",
            "extra_float_digits": "3",
            "bytea_output": "hex",
            "quote_all_identifiers": "off",
        }

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """SET takes no snapshot: what follows it may still be the lock."""
        with self._connection.transaction():
            if self.pooled:
                self.execute("; ".join(f"SET LOCAL {name} TO '{value}'" for name, value in self._settings.items()))
            yield

    def execute(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        with deadline(self._connection, self._patience):
            cursor = self._connection.execute(statement.encode(), values or None)
        return cursor.fetchall() if cursor.description else []

    def change(self, statement: str, *values: object) -> int:
        with deadline(self._connection, self._patience):
            return self._connection.execute(statement.encode(), values or None).rowcount

    def execute_all(self, statements: Sequence[str]) -> None:
        self.execute(";".join(statements))

    def execute_many(self, statement: str, rows: Sequence[Sequence[object]]) -> None:
        with self._connection.cursor() as cursor:
            cursor.executemany(statement.encode(), rows)

    def columns(self, table: str) -> Columns:
        return dict(
            self.execute(
                "SELECT a.attname, format_type(a.atttypid, a.atttypmod)"
                " FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
                " JOIN pg_namespace n ON n.oid = c.relnamespace"
                " WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p', 'f', 'v')"
                " AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
                *self.statements.place(table),
            )
        )

    def describe(self, table: str) -> TargetTable | None:
        found = self.execute(_RELATION, *self.statements.place(table))
        if not found:
            return None
        oid, kind, owner, owned, row_security, triggers, cascades, rules, key = found[0]
        return TargetTable(
            columns=tuple(TargetColumn(*column) for column in self.execute(_COLUMNS, oid)),
            primary_key=tuple(key),
            kind=_KINDS.get(kind, "relation of another kind"),
            row_security=row_security,
            triggers=tuple(triggers),
            cascades=tuple(cascades),
            rules=tuple(rules),
            owned=owned,
            owner=owner,
        )

    def state(self, target: str, *, count: bool = True) -> TargetState:
        found = self.execute(
            "SELECT c.oid, c.relkind, pg_relation_size(c.oid) FROM pg_class c"
            " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2",
            *self.statements.place(target),
        )
        if not found:
            return TargetState()
        oid, kind, size = found[0]
        if not count:
            return TargetState(str(oid))
        if kind in ("r", b"r") and size <= COUNTED_BYTES:
            rows = int(self.execute(self.statements.count(target))[0][0])
            return TargetState(str(oid), rows, empty=not rows)
        return TargetState(str(oid), None, empty=not self.execute(self.statements.select_any(target)))

    def create_staging(self, name: str) -> Staging:
        """A temporary table; a lasting one where the next transaction may get another connection."""
        table = self.statements.own(name) if self.pooled else quote(name)
        self.execute(self.statements.create_staging(table, lasting=self.pooled))
        return Staging(name, table, {})

    @contextmanager
    def dropping(self, staging: Staging) -> Iterator[None]:
        """Where staging outlives the connection, drop it when the load fails, and what a killed load left before it."""
        if not self.pooled:
            yield
            return
        beginning = staging.name[: len(STAGING) + 10]
        for (name,) in self.execute(
            "SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1"
            " AND starts_with(relname::text, $2) AND relname <> $3",
            *(self.statements.schema, beginning, staging.name),
        ):
            self.execute(statements.drop_staging(self.statements.own(name)))
        try:
            yield
        except BaseException:
            with suppress(psycopg.Error):
                self.execute(statements.drop_staging(staging.table))
            raise

    def newest(self, staging: Staging, primary_key: Sequence[str], cursor: str) -> tuple[Staging, int]:
        self.execute(statements.keep_newest(staging, primary_key, cursor))
        return staging, sum(rows for _, rows in self.execute(statements.count_staged(staging.table)))

    def copy(self, staging: Staging, columns: Sequence[str], batches: Iterable[pa.RecordBatch]) -> int:
        with self._connection.cursor() as cursor:
            names = statements.into_staging(staging, columns)
            with cursor.copy(f"COPY {names} FROM STDIN (FORMAT csv)".encode()) as copy:
                for batch in batches:
                    copy.write(to_csv(batch))
            return cursor.rowcount

    def read(self, target: str, columns: Sequence[ReadColumn], batch_rows: int) -> Iterator[pa.RecordBatch]:
        """Every row."""
        rows = self.statements.select(target, [copy_out.expression(column) for column in columns])
        statement = f"COPY ({rows}) TO STDOUT (FORMAT csv)".encode()
        with self.transaction(), self._connection.cursor() as cursor, cursor.copy(statement) as copy:
            yield from copy_out.batches(copy, columns, batch_rows)

    def now(self) -> datetime:
        now: datetime = self.execute("SELECT CURRENT_TIMESTAMP AT TIME ZONE 'UTC'")[0][0]
        return now

    def prepare_ledger(self) -> None:
        """Ledger, fence and the warehouse's id, unless they are there. Of two processes that make them at once one is
        told that a name is taken, and the other's are as good.
        """
        for tries_left in reversed(range(_MAKING_ATTEMPTS)):
            if ledger.warehouse_id(self) is not None:
                return
            first = ledger.has_first_ledger(self)
            try:
                with self.transaction():
                    ledger.make_ledger(self, first=first)
            except _MADE_BY_ANOTHER as error:
                if not tries_left:
                    raise ledger.in_the_way(self.statements.schema, error) from error
                time.sleep(random.uniform(0, 0.2))

    def analyze(self, staging: Staging) -> None:
        """Tell the planner how large staging is; nothing else ever does that for a temporary table."""
        self.execute(f"ANALYZE {staging.table}")

    def lock_ledger(self, target: str) -> None:
        """Keep other loads into this target out until the transaction ends; readers go on.

        LOCK takes no snapshot, so what follows sees the ledger as it is now, also at REPEATABLE READ. SET takes none.
        """
        self.execute(f"SET LOCAL idle_in_transaction_session_timeout = {milliseconds(_IDLE_TIMEOUT)}")
        self.execute(f"LOCK TABLE {self.statements.ledger(target)} IN SHARE ROW EXCLUSIVE MODE")

    def lock_first_ledger(self) -> None:
        self.execute(f"LOCK TABLE {self.statements.own(ledger_statements.LEDGER)} IN ACCESS EXCLUSIVE MODE")

    @property
    def encrypted(self) -> bool:
        """Whether the connection is."""
        return bool(self._connection.pgconn.ssl_in_use)

    def describe_connection(self) -> Check:
        """Server version and encryption."""
        version = self.execute("SHOW server_version")[0][0]
        if self.encrypted:
            return Check("warehouse", Level.OK, f"PostgreSQL {version}, encrypted")
        step = "set tls: verify in tables.yaml unless the network is trusted"
        return Check("warehouse", Level.WARNING, f"PostgreSQL {version}, not encrypted", step)

    def peculiarities(self) -> list[Check]:
        """A finding where each transaction may get another connection."""
        if not self.pooled:
            return []
        return [
            Check(
                "warehouse pooler",
                Level.WARNING,
                "a transaction pooler is between: each transaction may have another connection, so staging is a table"
                f" in {self.statements.schema} instead of a temporary one",
                "connect past the pooler if you can; loads arrive whole either way",
            )
        ]

    def check_privileges(self) -> list[Check]:
        """Whether the account may create temporary tables, and tables in the schema."""
        schema, user = self.statements.schema, str(self.execute("SELECT current_user")[0][0])
        if not self.execute("SELECT 1 FROM pg_namespace WHERE nspname = $1", schema):
            step = f"run CREATE SCHEMA {quote(schema)}"
            return [Check("warehouse schema", Level.ERROR, f"there is no schema {schema}", step)]
        temporary, create = self.execute(
            "SELECT has_database_privilege(current_database(), 'TEMP'), has_schema_privilege($1, 'CREATE')", schema
        )[0]
        return [
            _privilege("temporary tables", temporary, f"GRANT TEMP ON DATABASE {quote(self._config.database)}", user),
            _privilege(f"tables in {schema}", create, f"GRANT USAGE, CREATE ON SCHEMA {quote(schema)}", user),
        ]


def _privilege(what: str, granted: bool, grant: str, user: str) -> Check:
    if granted:
        return Check("warehouse privileges", Level.OK, f"may create {what}")
    return Check("warehouse privileges", Level.ERROR, f"may not create {what}", f"run {grant} TO {quote(user)}")

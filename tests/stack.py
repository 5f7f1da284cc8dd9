"""A whole pipeline for tests: a source with a table, a store and a warehouse, behind one Service.

Two kinds: `servers` is MariaDB or MySQL → S3 over HTTP → PostgreSQL, `embedded` is DuckDB → folder → DuckDB, as in the
demo.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from tests.servers import Database
from tests.servers.s3 import S3Server
from wmtui import config
from wmtui.events import Event, Progress, Stop, TableResult
from wmtui.model import TableName, utc_now
from wmtui.service import Author, Request, Service
from wmtui.service.syncs import Preview

AUTHOR = Author("tester", "test-host")

Run = Callable[..., list[tuple[Any, ...]]]


class Stack:
    """One pipeline. Times in the source are wall clock UTC unless the profile says otherwise."""

    def __init__(
        self,
        tables_yaml: Path,
        document: Mapping[str, Any],
        *,
        source: Run,
        warehouse: Run,
        schema: str,
        clock: "Ticking",
        age_objects: Callable[[timedelta], None] = lambda _: None,
    ) -> None:
        self.path = tables_yaml
        self.document = dict(document)
        self.source = source
        self.warehouse = warehouse
        self.schema = schema
        self.clock = clock
        self._age_objects = age_objects
        self.events: list[Event] = []
        self.reload()

    def reload(self, **tables: Mapping[str, Any]) -> Service:
        """Read the configuration again, with settings for tables (by bare name) changed or added."""
        for name, settings in tables.items():
            self.document["tables"][f"{self.schema}.{name}"] = dict(settings)
        self.path.write_text(yaml.safe_dump(self.document, sort_keys=False))
        self.service = Service(config.load(self.path), clock=self.clock, author=AUTHOR)
        return self.service

    def turn_back(self, **span: float) -> None:
        """Begin in the past, by the clock of this host, so that `let_pass` ends at the present of the servers."""
        self.clock.advance(-timedelta(**span))

    def let_pass(self, **span: float) -> None:
        """Let time pass: every object in the store is so much older now."""
        self.clock.advance(timedelta(**span))
        self._age_objects(timedelta(**span))

    def patch_source(self, patch: pytest.MonkeyPatch, name: str, instead: Callable[..., Any]) -> None:
        """Replace an operation of the source's connections; `instead` gets the operation, then its arguments."""
        with self.service.workspace.source.connect() as connection:
            kind = type(connection)
        operation = getattr(kind, name)
        patch.setattr(kind, name, lambda self, *arguments: instead(partial(operation, self), *arguments))

    def ago(self, **span: float) -> datetime:
        """A wall-clock time in the past of this pipeline, UTC, whole seconds."""
        return (self.clock() - timedelta(**span)).replace(tzinfo=None, microsecond=0)

    def table(self, name: str = "orders") -> TableName:
        """A table's full name."""
        return TableName(self.schema, name)

    def sync(self, *names: str, stop_after: int | None = None, **options: Any) -> list[TableResult]:
        """Sync tables by bare name (default: orders). stop_after: ask to stop at so many parts or staged files."""
        request = Request(tables=tuple(self.table(n) for n in names or ("orders",)), **options)
        self.events.clear()
        stop = Stop()

        def emit(event: Event) -> None:
            self.events.append(event)
            if stop_after is not None and isinstance(event, Progress) and event.parts >= stop_after:
                stop.request()

        return self.service.syncs.sync(request, emit=emit, stop=stop)

    def sync_one(self, name: str = "orders", **options: Any) -> TableResult:
        """Sync one table and require that it did not fail."""
        (result,) = self.sync(name, **options)
        assert result.error is None, result.error
        return result

    def run(self, **options: Any) -> list[TableResult]:
        """What `wmtui --run` does."""
        self.events.clear()
        return self.service.syncs.sync(Request(**options), emit=self.events.append, stop=Stop())

    def preview(self, *names: str, **options: Any) -> list[Preview]:
        """What a sync would do."""
        request = Request(tables=tuple(self.table(n) for n in names or ("orders",)), **options)
        return self.service.syncs.preview(request, emit=self.events.append)

    def create(self, name: str = "orders", *, key: str = "PRIMARY KEY (id)") -> None:
        """A source table: id, amount, note, update_at."""
        columns = "id BIGINT NOT NULL, amount DECIMAL(10,2), note VARCHAR(200), update_at DATETIME"
        self.source(f"CREATE TABLE {self.schema}.{name} ({columns}{', ' + key if key else ''})")

    def insert(self, *rows: Sequence[Any], name: str = "orders") -> None:
        """Insert (id, amount, note, update_at) rows."""
        values = ", ".join(f"({', '.join(_literal(v) for v in row)})" for row in rows)
        self.source(f"INSERT INTO {self.schema}.{name} VALUES {values}")

    def source_rows(self, name: str = "orders") -> list[tuple[Any, ...]]:
        """The source's rows by id."""
        return self.source(f"SELECT id, amount, note, update_at FROM {self.schema}.{name} ORDER BY id, update_at")

    def warehouse_rows(self, target: str = "orders") -> list[tuple[Any, ...]]:
        """The target's rows by id."""
        return self.warehouse(f"SELECT id, amount, note, update_at FROM {target} ORDER BY id, update_at")

    def mark(self, name: str = "orders") -> Mapping[str, Any]:
        """The watermark document's fields."""
        return self.service.watermarks.get(self.table(name)).fields

    def keys(self, prefix: str = "incremental/") -> list[str]:
        """Keys in the store."""
        return [info.key for info in self.service.workspace.objects.list(prefix)]

    def log(self) -> str:
        """Every message of the last sync, a line each."""
        return "\n".join(e.text for e in self.events if hasattr(e, "text"))


def ago(**span: float) -> datetime:
    """A wall-clock time in the past, UTC, whole seconds."""
    return (datetime.now(UTC) - timedelta(**span)).replace(tzinfo=None, microsecond=0)


class Ticking:
    """A clock that tests move: real time plus an offset."""

    def __init__(self) -> None:
        self.offset = timedelta(0)
        self._standing: datetime | None = None

    def __call__(self) -> datetime:
        return (self._standing or utc_now()) + self.offset

    def stand_still(self, *, microsecond: int) -> None:
        """Stop at this fraction of the present second."""
        self._standing = utc_now().replace(microsecond=microsecond)

    def advance(self, span: timedelta) -> None:
        """Let time pass."""
        self.offset += span


def server_stack(folder: Path, source_db: Database, pg: Database, s3: S3Server, **profile: Any) -> Stack:
    """The source server → S3 over HTTP → PostgreSQL."""
    bucket = s3.new_bucket()
    store = {"store": f"s3://{bucket}/lake", "s3": {"endpoint_url": s3.endpoint_url}}
    made = {**store, "source": source_db.config, "warehouse": pg.config, **profile}

    def source(sql: str) -> list[tuple[Any, ...]]:
        return _run(source_db, sql)

    def warehouse(sql: str) -> list[tuple[Any, ...]]:
        return _run(pg, sql)

    def age_objects(span: timedelta) -> None:
        objects = stack.service.workspace.objects
        for info in list(objects.list("")):
            s3.set_last_modified(bucket, f"lake/{info.key}", info.last_modified - span)

    path, document = folder / "tables.yaml", _document(made, source_db.name)
    stack = Stack(
        path,
        document,
        source=source,
        warehouse=warehouse,
        schema=source_db.name,
        clock=Ticking(),
        age_objects=age_objects,
    )
    return stack


def embedded_stack(folder: Path, **profile: Any) -> Stack:
    """DuckDB → folder → DuckDB, all by one clock that tests move."""
    clock = Ticking()
    shop, dw = folder / "source.duckdb", folder / "warehouse.duckdb"
    (folder / "lake").mkdir()
    with duckdb.connect(shop) as connection:
        connection.execute("CREATE SCHEMA shop")
    files = {"source": {"type": "duckdb", "path": str(shop)}, "warehouse": {"type": "duckdb", "path": str(dw)}}
    made = {"store": str(folder / "lake"), **files, **profile}

    def run(path: Path) -> Run:
        def query(sql: str) -> list[tuple[Any, ...]]:
            with duckdb.connect(path) as connection:
                return connection.execute(sql).fetchall()

        return query

    path, document = folder / "tables.yaml", _document(made, "shop")
    return Stack(path, document, source=run(shop), warehouse=run(dw), schema="shop", clock=clock)


def _document(profile: Mapping[str, Any], schema: str) -> dict[str, Any]:
    return {"version": 1, "profiles": {"test": dict(profile)}, "tables": {f"{schema}.orders": {}}}


def _run(database: Database, sql: str) -> list[tuple[Any, ...]]:
    if sql.lstrip().upper().startswith(("SELECT", "SHOW")):
        return database.query(sql)
    database.execute(sql)
    return []


def _literal(value: Any) -> str:
    if value is None:
        return "NULL"
    return str(value) if isinstance(value, int | float) else "'" + str(value).replace("'", "''") + "'"


__all__ = ["AUTHOR", "Stack", "Ticking", "ago", "embedded_stack", "server_stack"]

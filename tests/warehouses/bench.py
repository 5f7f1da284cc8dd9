"""What warehouse tests share: files in memory, a warehouse to load them into, and a look at what arrived."""

import io
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from threading import Barrier
from types import ModuleType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from wmtui.warehouses import Feed, LedgerEntry, LoadFile, LoadRequest, LoadResult, Warehouse

TABLE = "shop.orders"
STORE = "5707e"
"""The id of the store."""
TARGET = "orders"
FEED = Feed(STORE, TABLE, TARGET)
SCHEMA = pa.schema([("id", pa.int64()), ("update_at", pa.timestamp("us")), ("note", pa.string())])


def at(minute: int) -> datetime:
    """A cursor value; later minutes are newer."""
    return datetime(2025, 8, 9, 20, minute)


def rows(*values: Sequence[Any], schema: pa.Schema = SCHEMA) -> pa.Table:
    """A table of (id, update_at, note) rows, or of another schema."""
    return pa.Table.from_pylist([dict(zip(schema.names, row, strict=True)) for row in values], schema)


@dataclass
class Bench:
    """One warehouse under test. `query` looks at it from outside, `connect` gives another one on the same data."""

    kind: str
    warehouse: Warehouse
    query: Callable[[str], list[tuple[Any, ...]]]
    execute: Callable[[str], None]
    connect: Callable[[], Warehouse]
    contents: dict[str, bytes] = field(default_factory=dict)
    root: str = "s3://lake"
    schemas: tuple[str, ...] = ("public", "main")
    _numbers: "count[int]" = field(default_factory=count)

    def file(self, table: pa.Table, promised: int | None = None) -> LoadFile:
        """Write a table as a Parquet part."""
        number = next(self._numbers)
        sink = io.BytesIO()
        pq.write_table(table, sink)
        self.contents[f"part-{number}"] = sink.getvalue()
        promise = table.num_rows if promised is None else promised
        key = f"part-{number}"
        return LoadFile(key, f"{self.root}/{key}", f"etag-{number}", len(sink.getvalue()), promise)

    @property
    def bucket(self) -> str:
        """Where the files are, of one that has a bucket of its own."""
        return self.root.removeprefix("s3://")

    def open_part(self, file: LoadFile) -> pq.ParquetFile:
        """A file's content."""
        return pq.ParquetFile(io.BytesIO(self.contents[file.key]))

    def request(self, *files: LoadFile, **changes: Any) -> LoadRequest:
        """A load of these files."""
        table, target = changes.pop("table", TABLE), changes.pop("target", TARGET)
        defaults: Mapping[str, Any] = {
            "load_id": f"load-{next(self._numbers)}",
            "feed": Feed(changes.pop("store", STORE), table, target),
            "run": f"run-{changes.get('token', 1)}",
            "epoch": 1,
            "token": 1,
            "cursor": "update_at",
            "primary_key": ("id",),
        }
        return LoadRequest(files=files, **{**defaults, **changes})

    def load(self, *files: LoadFile | pa.Table, **changes: Any) -> LoadResult:
        """Load files, or tables as one file each."""
        written = [file if isinstance(file, LoadFile) else self.file(file) for file in files]
        return self.warehouse.load(self.request(*written, **changes), self.open_part, lambda _file, _rows: None)

    def ledger(self, epoch: int = 1, table: str = TABLE, target: str = TARGET) -> list[LedgerEntry]:
        """The files that count as loaded in this epoch."""
        found = self.connect().loads(Feed(STORE, table, target))
        return [entry for entry in found.entries if entry.epoch >= epoch]

    def fence(self, table: str = TABLE, target: str = TARGET) -> int:
        """The highest token that has loaded."""
        found = self.warehouse.loads(Feed(STORE, table, target))
        return max((f.token for f in found.fences if (f.store, f.table) == (STORE, table)), default=0)

    def row_count(self, target: str = TARGET) -> int | None:
        """Rows in a target as the warehouse counts them, None when there is no such table."""
        state = self.warehouse.loads(Feed(STORE, TABLE, target)).target
        return state.rows if state.exists else None

    def target(self) -> list[tuple[Any, ...]]:
        """The target's rows by id."""
        return self.query(f"SELECT * FROM {TARGET} ORDER BY id")

    def tables(self) -> set[str]:
        """Names of all tables, temporary ones aside."""
        schemas = ", ".join(f"'{schema}'" for schema in self.schemas)
        found = self.query(f"SELECT table_name FROM information_schema.tables WHERE table_schema IN ({schemas})")
        return {name for (name,) in found}


def staged_loads(patch: pytest.MonkeyPatch, warehouse: ModuleType) -> list[LoadRequest]:
    """Every load that this module of a warehouse stages from now on."""
    requests: list[LoadRequest] = []
    stage = warehouse.stage

    def noted(session: Any, request: LoadRequest, *rest: Any) -> Any:
        requests.append(request)
        return stage(session, request, *rest)

    patch.setattr(warehouse, "stage", noted)
    return requests


def concurrent_loads(bench: Bench, *files: LoadFile, **changes: Any) -> list[LoadResult]:
    """Load the same files from several threads, all staged before the first merges."""
    workers = 4
    barrier = Barrier(workers)

    def load(number: int) -> LoadResult:
        waited = False

        def staged_together(file: LoadFile, _rows: int) -> None:
            nonlocal waited
            if file == files[-1] and not waited:  # Once: a first load that came second stages its files again.
                waited = True
                barrier.wait(30)

        request = bench.request(*files, load_id=f"thread-{number}", **changes)
        return bench.connect().load(request, bench.open_part, staged_together)

    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(load, range(workers)))

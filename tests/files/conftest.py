"""A store of each kind, and shorthands for the files, runs and loads in it."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from tests.clock import NOON, HandClock
from wmtui.config import S3Config
from wmtui.files.listing import Lister
from wmtui.files.selection import Choice, FileFilter, LedgerLoads, Loading, Selection
from wmtui.layout import lock_key, part_key
from wmtui.model import Order, Position, Span, Strategy, TableName
from wmtui.objects import ObjectInfo, ObjectStore
from wmtui.objects.directory import DirectoryStore
from wmtui.objects.s3 import S3Store
from wmtui.runs.load_records import Destination, LoadedFile, LoadRecord, LoadRecords
from wmtui.runs.run_document import Part, Range, Run, RunState, RunStore, new_run_id
from wmtui.watermarks import lease
from wmtui.watermarks.model import Watermark

TABLE = TableName("shop", "orders")
TARGET = "orders"
WAREHOUSE = "warehouse-1"
UTC_ZONE = ZoneInfo("UTC")
HOUR = timedelta(hours=1)


def new_run(started: datetime = NOON, table: TableName = TABLE, **fields: Any) -> Run:
    """A run document without parts."""
    high = started.replace(tzinfo=None)
    run = Run(
        table=str(table),
        run=new_run_id(started),
        token=1,
        epoch=1,
        started=started,
        strategy=Strategy.SEQUENTIAL,
        order=Order.CURSOR,
        low=None,
        high=high,
        ranges=(Range(Span(Order.CURSOR, None, Position(high))),),
        schema=(),
        cursor="update_at",
        primary_key=("id",),
        state=RunState.COMMITTED,
        final=Position(high, (7,)),
    )
    return replace(run, **fields)


class Lake:
    """One table's files, run documents and load records in a store whose clock tests move."""

    def __init__(self, objects: ObjectStore, clock: HandClock) -> None:
        self.objects = objects
        self.clock = clock

    def put(self, key: str) -> ObjectInfo:
        """A file of another tool, written now."""
        self.objects.put(key, key.encode())
        return self.objects.head(key)

    def foreign(self, name: str, table: TableName = TABLE) -> ObjectInfo:
        """A foreign file in today's folder."""
        return self.put(f"incremental/{table.key}/year={self.clock():%Y/month=%m/day=%d}/{name}.parquet")

    def run(self, parts: int = 1, **fields: Any) -> Run:
        """A run that wrote parts now and committed, unless `fields` say otherwise."""
        run = new_run(self.clock(), **fields)
        keys = [part_key(TABLE, run.started, run.run, run.token, number) for number in range(parts)]
        written = [(key, self.objects.put(key, key.encode(), if_absent=True)) for key in keys]
        listed = tuple(Part(key, etag, 10, 100, run.high, run.high) for key, etag in written)
        run = run.with_range(0, replace(run.ranges[0], parts=listed))
        RunStore(self.objects, TABLE).create(run)
        return run

    def load(
        self, *files: ObjectInfo | Part, target: str = TARGET, epoch: int = 1, warehouse: str | None = WAREHOUSE
    ) -> str:
        """Record files as loaded now; returns the load id."""
        loads = LoadRecords(self.objects, TABLE)
        load_id = f"load-{self.clock():%Y%m%d%H%M%S}-{len(list(loads.since(None)))}"
        loaded = tuple(LoadedFile(f.key, self.objects.uri(f.key), f.etag, 10) for f in files)
        loads.add(LoadRecord(load_id, target, epoch, 1, self.clock(), self.clock(), loaded, warehouse))
        return load_id

    def select(
        self,
        mark: Watermark,
        system: datetime | None = None,
        *,
        tables: Sequence[TableName] = (TABLE,),
        ledger: LedgerLoads | None = None,
        choice: Choice | None = None,
        keyless: bool = False,
        warehouse: str | None = WAREHOUSE,
    ) -> Selection:
        """What the file filter says, by the load records unless a ledger is given."""
        files = FileFilter(self.objects, Lister(self.objects, tables), UTC_ZONE)
        heartbeat = lease.read(self.objects, mark.table)
        loading = Loading(Destination(warehouse, TARGET), keyless=keyless)
        return files.select(mark, loading, heartbeat, system, ledger=ledger, choice=choice or Choice())

    def settle(self, run: str, load_id: str | None = None, warehouse: str = WAREHOUSE) -> None:
        """What a load leaves in the lock document: runs up to this one need no more looking at, nor all days."""
        mark = {"run": run, "epoch": 1, "load_floor": None, "target": TARGET, "decisions": 0, "load": load_id}
        at = f"{self.clock():%Y-%m-%dT%H:%M:%SZ}"
        listed = {"held_back": 0, "at": at, "judged_by": [1, None, False, TARGET, 0]}
        self.leave({"settled_in": {warehouse: mark}, "listed_in": {warehouse: listed}, "decisions": 0})

    def leave(self, fields: dict[str, Any]) -> None:
        """A lock document that nobody holds."""
        self.objects.put(lock_key(TABLE), json.dumps({"token": 1, **fields}).encode())


def manual(point: str, **fields: Any) -> Watermark:
    """A watermark placed by hand, wall clock UTC."""
    return Watermark.new(TABLE).patched({"last_mysql_data_timestamp": point, "backup_strategy": "manual_cli", **fields})


def automated(extracted: datetime = NOON, **fields: Any) -> Watermark:
    """A watermark that an extraction left at this time."""
    at = extracted.astimezone(UTC)
    patch = {
        "last_mysql_data_timestamp": f"{at:%Y-%m-%d %H:%M:%S}",
        "last_mysql_extraction_time": f"{at:%Y-%m-%dT%H:%M:%SZ}",
    }
    return Watermark.new(TABLE).patched({**patch, **fields})


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def folder(tmp_path: Path, clock: HandClock) -> DirectoryStore:
    return DirectoryStore(str(tmp_path), clock)


@pytest.fixture
def lake(folder: DirectoryStore, clock: HandClock) -> Lake:
    """A lake in a folder, whose LastModified goes by `clock`."""
    return Lake(folder, clock)


@pytest.fixture(params=["folder", "s3"])
def objects(request: pytest.FixtureRequest) -> Iterator[ObjectStore]:
    """An empty store of each kind; S3 sits behind HTTP and has its own clock."""
    if request.param == "folder":
        yield request.getfixturevalue("folder")
    else:
        server = request.getfixturevalue("s3")
        yield S3Store(f"s3://{server.new_bucket()}/lake", S3Config(endpoint_url=server.endpoint_url))

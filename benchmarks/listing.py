"""What old files cost: requests and seconds of syncs and overviews of a table with 10 new files among many old ones.

`python -m benchmarks listing`. A pipeline from DuckDB to DuckDB with a store in S3 over HTTP, whose server
makes old keys up (`tests.servers.old_files`). They are loaded: the ledger and the load records have them.
"""

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import yaml

from benchmarks.figures import Figure
from benchmarks.options import Options
from tests.servers.old_files import OldFiles
from tests.servers.s3 import ENVIRONMENT, S3Server
from wmtui import config
from wmtui.events import Stop
from wmtui.model import TableName, utc_now
from wmtui.service import Author, Request, Service

OLD = (1_000, 100_000, 1_000_000)
NEW = 10
TABLE = TableName("shop", "orders")
TARGET = "orders"


class Lake:
    """A pipeline of one table in a new bucket, to which old files can be added. warehouse: None: an embedded one."""

    def __init__(self, folder: Path, s3: S3Server, warehouse: dict[str, Any] | None = None) -> None:
        self._folder, self._s3, self._rows = folder, s3, 0
        source = {"type": "duckdb", "path": str(folder / "source.duckdb")}
        warehouse = warehouse or {"type": "duckdb", "path": str(folder / "warehouse.duckdb")}
        with duckdb.connect(source["path"]) as connection:
            connection.execute("CREATE SCHEMA shop")
            connection.execute("CREATE TABLE shop.orders (id BIGINT PRIMARY KEY, update_at TIMESTAMP)")
        store = {"store": f"s3://{s3.new_bucket()}", "s3": {"endpoint_url": s3.endpoint_url}}
        profile = {**store, "source": source, "warehouse": warehouse}
        path = folder / "tables.yaml"
        path.write_text(yaml.safe_dump({"version": 1, "profiles": {"p": profile}, "tables": {str(TABLE): {}}}))
        self._settings = config.load(path)
        self.extract()
        self.load()

    def service(self) -> Service:
        """As a new process has it: nothing is remembered."""
        return Service(self._settings, clock=utc_now, author=Author("bench", "bench"))

    def extract(self) -> None:
        """A new row, in a file of its own."""
        self._rows += 1
        at = (datetime.now(UTC) - timedelta(hours=1)).replace(tzinfo=None) + timedelta(seconds=self._rows)
        with duckdb.connect(self._folder / "source.duckdb") as connection:
            connection.execute("INSERT INTO shop.orders VALUES (?, ?)", [self._rows, at])
        self._sync(Request(tables=(TABLE,), backup_only=True))

    def load(self) -> None:
        """What the files rules select."""
        self._sync(Request(tables=(TABLE,)))

    def _sync(self, request: Request) -> None:
        (result,) = self.service().syncs.sync(request, emit=lambda _event: None, stop=Stop())
        if result.error is not None:
            raise result.error

    def add_old(self, count: int) -> OldFiles:
        """Files that were loaded years to days ago."""
        identity = self.service().workspace.watermarks.known_identity()
        assert identity is not None
        (warehouse,) = identity.warehouses.values()
        newest = datetime.now(UTC).replace(microsecond=0) - timedelta(days=3)
        old = OldFiles(TABLE, count, newest, target=TARGET, warehouse=warehouse)
        self._s3.faults.add(old.serve, method="GET", times=None)
        keys, etags, times, loads, runs = map(list, zip(*old, strict=True))
        held = pa.table({"key": keys, "etag": etags, "at": times, "load": loads, "run": runs})
        with duckdb.connect(self._folder / "warehouse.duckdb") as connection:
            connection.register("held", held)
            connection.execute(
                "INSERT INTO wmtui_ledger_00 (store, table_name, target, key, etag, size, footer, uri, rows, load_id,"
                " run, epoch, token, loaded_at) SELECT known.store, known.table_name, known.target, held.key,"
                " held.etag, 1000, NULL, '', 1, held.load, held.run, 1, 1, held.at::TIMESTAMP FROM held,"
                " (SELECT DISTINCT store, table_name, target FROM wmtui_ledger_00) AS known"
            )
        return old


def figures(options: Options) -> Iterator[Figure]:
    """Requests and seconds of each operation, by how many old files there are."""
    os.environ.update(ENVIRONMENT)
    for count in OLD[:2] if options.quick else OLD:
        with ExitStack() as stack:
            s3 = stack.enter_context(S3Server())
            lake = Lake(Path(stack.enter_context(tempfile.TemporaryDirectory())), s3)
            lake.add_old(count)
            for _ in range(NEW):
                lake.extract()
            for name, operation in operations(lake).items():
                before, began = len(s3.requests), time.perf_counter()
                operation()
                taken, asked = time.perf_counter() - began, s3.requests[before:]
                lists = sum(method == "GET" and not key for method, key in asked)
                yield Figure(
                    f"{name}, {count:,} old files: {lists} listings of", len(asked), f"requests, {taken:.2f} s"
                )


def operations(lake: Lake) -> dict[str, Callable[[], object]]:
    """What is measured, in this order."""
    return {
        "list of tables": lambda: lake.service().overview.looks([TABLE]),
        "preview of a sync": lambda: lake.service().syncs.preview(Request(tables=(TABLE,)), emit=lambda _event: None),
        f"sync of {NEW} new files": lake.load,
        "sync without news": lake.load,
        "status": lambda: lake.service().health.status([TABLE], None),
        "files, all days": lambda: lake.service().files.select(TABLE),
    }

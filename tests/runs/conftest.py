"""The stores and the lake of the tests of files, and documents to write there."""

from datetime import datetime, timedelta

from msgspec.structs import replace

from tests.clock import NOON
from tests.files.conftest import clock, folder, lake, new_run, objects
from wmtui.model import Order, Position, Span
from wmtui.runs.load_records import LoadedFile, LoadRecord
from wmtui.runs.run_document import Column, Part, Range, RunState

__all__ = ["clock", "folder", "lake", "objects"]

CURSOR = datetime(2025, 8, 9, 20, 0, 1, 250000)
FULL = replace(
    new_run(),
    low=CURSOR,
    order=Order.PRIMARY_KEY,
    ranges=(
        Range(
            Span(Order.PRIMARY_KEY, Position(CURSOR, (7, "x")), Position(CURSOR), True, (1,), (2**63,)),
            position=Position(CURSOR, (2**53 + 1, "你好")),
            newest=Position(CURSOR, (3, "y")),
            skipped=4,
            parts=(Part("k", "e", 10, 100, CURSOR, CURSOR),),
        ),
        Range(Span(Order.PRIMARY_KEY, None, Position(CURSOR)), done=True),
    ),
    schema=(Column("id", "bigint unsigned", "uint64"),),
    state=RunState.RUNNING,
    final=None,
    seen_from=CURSOR,
    seen=b"\x00\xff",
)
BROKEN = [b"", b"[]", b"null", b'{"table": "shop.orders"}', b'{"table": "\xff"}', b'{"x": ' + b"[" * 100_000]


def record(
    load_id: str,
    ended: datetime = NOON,
    *,
    target: str = "orders",
    epoch: int = 1,
    files: int = 1,
    warehouse: str | None = "w1",
    version: str = "",
) -> LoadRecord:
    loaded = tuple(LoadedFile(f"k{n}", f"s3://b/{load_id}/k{n}", f"e{n}{version}", 10) for n in range(files))
    return LoadRecord(load_id, target, epoch, 3, ended - timedelta(minutes=1), ended, loaded, warehouse)

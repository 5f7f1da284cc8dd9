"""What tests of the plan share: a table, a clock, a watermark and a run, each by the few things that matter to it."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pyarrow as pa

from wmtui.config import Duration, TableConfig
from wmtui.model import Order, Position, Strategy, TableName
from wmtui.pipeline.extract.plan import Plan, plan
from wmtui.runs.run_document import Range, Run
from wmtui.sources import SourceClock, SourceTable, Writer
from wmtui.watermarks.lease import Heartbeat, position_of
from wmtui.watermarks.lock_document import LockDocument
from wmtui.watermarks.model import Watermark
from wmtui.watermarks.timestamps import format_wall

TABLE = TableName("shop", "orders")
UTC_ZONE = ZoneInfo("UTC")
NEW_YORK = ZoneInfo("America/New_York")
DATETIME = pa.timestamp("us")
TIMESTAMP = pa.timestamp("us", "UTC")
NOON = datetime(2026, 7, 1, 12)
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
CONFIG = TableConfig()
AT_ONCE = TableConfig(lag=Duration(0))


def source_table(cursor: pa.DataType = DATETIME, *, key: tuple[str, ...] = ("id",), digits: int = 0) -> SourceTable:
    """A table of id and update_at."""
    schema = pa.schema([("id", pa.int64()), ("update_at", cursor)])
    return SourceTable(TABLE, schema, key, "update_at", digits, nullable_cursor=False)


def clock_at(now: datetime, oldest_writer: datetime | None = None, *, blind: str = "") -> SourceClock:
    """The source's clock at a wall time."""
    return SourceClock(now, Writer(oldest_writer, 1) if oldest_writer else None, blind)


def mark_at(position: Position | None, epoch: int = 1) -> Watermark:
    """A watermark at a position, as an extraction leaves it."""
    patch = {"epoch": epoch}
    if position is None:
        return Watermark.new(TABLE).patched(patch)
    key = list(position.key) if position.key else None
    return Watermark.new(TABLE).patched(
        {**patch, "last_mysql_data_timestamp": format_wall(position.cursor), "last_processed_key": key}
    )


def heartbeat(extracted_to: datetime | None = None, mark: Watermark | None = None) -> Heartbeat:
    """The lock document of a table that was read up to an instant after a watermark."""
    standing = None if mark is None else position_of(mark)
    return Heartbeat(TABLE, LockDocument(extracted_to=extracted_to, extracted_behind=standing))


def run_to(high: datetime, final: Position | None, *ranges: Range, order: Order = Order.CURSOR) -> Run:
    """A run that read up to `high` and left the watermark at `final`."""
    return Run(
        table=str(TABLE),
        run="0" * 18,
        token=1,
        epoch=1,
        started=datetime(2026, 7, 1, tzinfo=UTC),
        strategy=Strategy.SEQUENTIAL,
        order=order,
        low=None,
        high=high,
        ranges=ranges,
        schema=(),
        cursor="update_at",
        primary_key=("id",),
        final=final,
    )


def planned(
    mark: Watermark,
    clock: SourceClock,
    *,
    table: SourceTable | None = None,
    config: TableConfig = CONFIG,
    zone: ZoneInfo = UTC_ZONE,
    read_to: datetime | None = None,
    system: datetime | None = None,
    lookback_before: timedelta = timedelta(0),
) -> Plan:
    """The plan from a watermark at a moment."""
    described = table or source_table()
    return plan(
        mark,
        described,
        config,
        clock,
        zone,
        system=system,
        read_to=read_to,
        strategy=Strategy.SEQUENTIAL,
        lookback_before=lookback_before,
    )

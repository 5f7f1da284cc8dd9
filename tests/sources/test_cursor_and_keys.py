"""Cursors and keys on their way between batches, documents and SQL."""

from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from wmtui.model import TableName
from wmtui.sources import SourceTable
from wmtui.sources.cursor import column_time, wall_clock
from wmtui.sources.keys import key_of

BERLIN = ZoneInfo("Europe/Berlin")
NAIVE, UTC_TYPE = pa.timestamp("us"), pa.timestamp("us", tz="UTC")


def test_a_datetime_is_wall_clock_already() -> None:
    value = datetime(2025, 8, 9, 20, 0, 1, 5)
    assert wall_clock(pa.scalar(value, NAIVE), BERLIN) == value
    assert column_time(value, NAIVE, BERLIN) == value


def test_a_timestamp_is_shown_in_the_zone_and_bound_in_utc() -> None:
    instant = datetime(2025, 8, 9, 20, 0, 1, 5, UTC)
    wall = wall_clock(pa.scalar(instant, UTC_TYPE), BERLIN)
    assert wall == datetime(2025, 8, 9, 22, 0, 1, 5)
    assert column_time(wall, UTC_TYPE, BERLIN) == instant.replace(tzinfo=None)


def test_both_hours_of_a_clock_change_survive_in_memory() -> None:
    for hour in (0, 1):
        instant = datetime(2025, 10, 26, hour, 30, tzinfo=UTC)
        wall = wall_clock(pa.scalar(instant, UTC_TYPE), BERLIN)
        assert wall == datetime(2025, 10, 26, 2, 30)
        assert column_time(wall, UTC_TYPE, BERLIN) == instant.replace(tzinfo=None)


def test_a_doubled_hour_from_a_document_is_the_first_so_that_nothing_is_skipped() -> None:
    wall = datetime.fromisoformat("2025-10-26 02:30:00")
    assert column_time(wall, UTC_TYPE, BERLIN) == datetime(2025, 10, 26, 0, 30)


@pytest.mark.parametrize(
    ("value", "column", "key"),
    [
        (2**53 + 1, pa.int64(), 2**53 + 1),
        (Decimal(2**64 - 1), pa.decimal128(20, 0), 2**64 - 1),
        (Decimal("12.50"), pa.decimal128(12, 2), "12.50"),
        (Decimal("1E-10"), pa.decimal128(38, 10), "0.0000000001"),
        ("a\N{GRINNING FACE}", pa.string(), "a\N{GRINNING FACE}"),
        (b"\x00\xff", pa.binary(), "00ff"),
        (date(1, 2, 3), pa.date32(), "0001-02-03"),
        (datetime(1, 2, 3, 4, 5, 6, 7), NAIVE, "0001-02-03 04:05:06.000007"),
        (datetime(2025, 1, 1, 12, tzinfo=UTC), UTC_TYPE, "2025-01-01 12:00:00.000000"),
    ],
)
def test_a_key_is_a_number_or_text(value: object, column: pa.DataType, key: object) -> None:
    schema = pa.schema([pa.field("other", pa.int8()), pa.field("id", column)])
    batch = pa.record_batch([pa.array([1, 2], pa.int8()), pa.array([value, value], column)], schema=schema)
    table = SourceTable(TableName("shop", "t"), schema, ("id",), "u", 0, False)
    assert key_of(batch, -1, table) == (key,)

"""The cursor between its two forms: wall clock in the profile's zone outside, what the column holds inside."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    import pyarrow as pa


def from_utc(value: datetime, zone: ZoneInfo) -> datetime:
    """A time in UTC, aware or without zone, as naive wall clock in `zone`."""
    return value.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None)


def wall_clock(scalar: "pa.TimestampScalar", zone: ZoneInfo) -> datetime:
    """A cursor value of a batch as naive wall clock in `zone`; the value must not be NULL.

    A column without zone (DATETIME) holds wall clock already. One with zone (TIMESTAMP) is UTC; of an hour that occurs
    twice the second has `fold` set, which `column_time` respects while the value stays in memory.
    """
    value: datetime = scalar.as_py()
    return value if value.tzinfo is None else from_utc(value, zone)


def column_time(wall: datetime, column: "pa.TimestampType", zone: ZoneInfo) -> datetime:
    """The inverse of `wall_clock`: naive wall clock in `zone` as the column holds it, without zone.

    A time that occurs twice is the first one unless `fold` says otherwise, so that a lower bound read from a
    document never skips rows.
    """
    if column.tz is None:
        return wall
    try:
        return wall.replace(tzinfo=zone).astimezone(UTC).replace(tzinfo=None)
    except OverflowError:  # within hours of the years 1 and 9999 there are no rows to tell apart
        return wall

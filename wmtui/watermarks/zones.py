"""Zones travel with documents: wall clock says nothing without the zone that it was written in.

A document without one is in the profile's. One of another zone is read as what it says, and shown as the same instant
in the profile's; nothing is extracted or changed by it until an operator says its point again.
"""

from datetime import datetime
from zoneinfo import ZoneInfo

from wmtui.errors import OtherTimeZone
from wmtui.watermarks.model import Watermark
from wmtui.watermarks.timestamps import format_wall, to_instant, to_wall


def zone_of(name: str | None, own: ZoneInfo) -> ZoneInfo:
    """The zone that a document names. own: the profile's, of a document that names none."""
    return own if name is None or name == own.key else ZoneInfo(name)


def is_foreign(mark: Watermark, own: ZoneInfo) -> bool:
    """Whether a watermark has a point, or a run that is to place one, in another zone than the profile's."""
    placed = mark.data_timestamp is not None or mark.pending_extraction is not None
    return placed and mark.timezone not in (None, own.key)


def instant_of(mark: Watermark, own: ZoneInfo) -> datetime | None:
    """The data timestamp as an instant; None where there is none."""
    wall = mark.data_timestamp
    return None if wall is None else to_instant(wall, zone_of(mark.timezone, own))


def wall_of(mark: Watermark, own: ZoneInfo) -> datetime | None:
    """The data timestamp as wall clock in the profile's zone."""
    instant = instant_of(mark, own)
    return mark.data_timestamp if instant is None or not is_foreign(mark, own) else to_wall(instant, own)


def written_in(mark: Watermark, own: ZoneInfo) -> str:
    """In words, where that is another zone than the profile's; else ""."""
    return f"written in {mark.timezone}" if is_foreign(mark, own) else ""


def refuse_foreign(mark: Watermark, own: ZoneInfo) -> None:
    """Raises ConfigError for a watermark in another zone than the profile's: its point read as wall clock of this one
    would skip or double the rows of the hours between the two.
    """
    if not is_foreign(mark, own):
        return
    wall, here = mark.data_timestamp, wall_of(mark, own)
    why, command = "a run that has not ended reads by wall clock there", "reset -t {}"
    if wall is not None and here is not None:
        why = f"its point {format_wall(wall)} is wall clock there, {format_wall(here)} here"
        command = f"set -t {{}} --timestamp '{format_wall(here)}'"
    raise OtherTimeZone(
        f"the watermark of {mark.table} is in the time zone {mark.timezone}, and the profile's is {own.key}",
        why,
        f"set the profile's timezone to {mark.timezone}, or say where reading goes on in {own.key}: "
        f"`wmtui watermark {command.format(mark.table)}`",
    )

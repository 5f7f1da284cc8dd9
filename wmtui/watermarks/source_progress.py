"""How far the source was read."""

from datetime import datetime
from zoneinfo import ZoneInfo

from wmtui.watermarks.lease import Heartbeat
from wmtui.watermarks.model import Watermark
from wmtui.watermarks.zones import instant_of


def read_to(mark: Watermark, heartbeat: Heartbeat, zone: ZoneInfo) -> datetime | None:
    """Up to which instant the source was read; None: nothing was since the table was made or reset.

    A table without news was read up to where the last run looked. A watermark that an operator placed stands for what
    is before it, and for nothing later than the moment it was placed. zone: the profile's.
    """
    position = instant_of(mark, zone)
    if mark.is_manual and position is not None:
        return position if mark.placed is None else min(position, mark.placed)
    reached = heartbeat.extracted_to(mark)
    return max(filter(None, (position, reached)), default=None)

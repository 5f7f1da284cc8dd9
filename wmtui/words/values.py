"""Values as people read them; nothing here knows of terminals or streams."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from wmtui.events import Status
from wmtui.model import Level
from wmtui.secrets import redact
from wmtui.texts import format_duration
from wmtui.watermarks.model import SideStatus
from wmtui.watermarks.timestamps import format_instant, format_wall, to_instant
from wmtui.words.styled import Glyph, Styled

ABSENT = "-"
"""What stands for a value that there is none of."""

_GLYPHS: dict[str, Glyph] = {
    SideStatus.SUCCESS: Glyph.GOOD,
    SideStatus.FAILED: Glyph.BAD,
    SideStatus.PENDING: Glyph.QUIET,
    SideStatus.IN_PROGRESS: Glyph.BUSY,
    Status.NOTHING_SELECTED: Glyph.WARN,
    Status.INTERRUPTED: Glyph.WARN,
    Status.PINNED: Glyph.WARN,
    Status.HELD: Glyph.WARN,
    Level.OK: Glyph.GOOD,
    Level.WARNING: Glyph.WARN,
    Level.ERROR: Glyph.BAD,
}


def status(value: str) -> Styled:
    """A status as glyph and word; an unknown one is shown as it is."""
    return Styled.marked(_GLYPHS.get(value, Glyph.UNKNOWN), value)


def span(length: timedelta | None) -> str:
    """A length of time in its two largest units."""
    return ABSENT if length is None else format_duration(length)


def instant(at: datetime | None) -> str:
    """An instant in UTC, to the second."""
    return ABSENT if at is None else format_instant(at.replace(microsecond=0))


def exact_instant(at: datetime) -> str:
    """An instant in UTC, with its fraction of a second."""
    return format_instant(at)


def wall(at: datetime | None) -> str:
    """A wall clock time, as commands take it."""
    return ABSENT if at is None else format_wall(at)


def point(wall: datetime | None, zone: ZoneInfo) -> str:
    """A wall clock time of the profile's zone, and in UTC too where that differs."""
    if wall is None:
        return ABSENT
    in_utc = to_instant(wall, zone)
    if in_utc.replace(tzinfo=None) == wall:
        return f"{format_wall(wall)} UTC"
    return f"{format_wall(wall)} {zone.key} ({format_instant(in_utc)})"


def size(number: int) -> str:
    """A number of bytes in the largest decimal unit that gives at least 1: `1.2 GB`."""
    amount = float(number)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:,.0f} {unit}" if unit == "B" else f"{amount:,.1f} {unit}"
        amount /= 1000
    return f"{amount:,.1f} TB"


def in_one_line(text: str) -> str:
    """Text from outside, safe to show where a line end in it would begin a line of its own."""
    return printable(text).replace("\n", " ")


def printable(text: str) -> str:
    """Text from outside, safe to show: without known secrets, and with every character that could steer a terminal or
    turn the reading direction spelled out, but the end of a line.
    """
    text = redact(text)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)

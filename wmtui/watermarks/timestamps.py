"""Points in time as people type them, as documents hold them, and as rules compare them.

Three forms, converted here and nowhere else: an *instant* is an aware UTC datetime; a *wall* time is a naive datetime
in the profile's time zone (MySQL DATETIME, the data timestamp); text is what people and documents write.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from wmtui.errors import UsageError
from wmtui.texts import did_you_mean

FUTURE_TOLERANCE = timedelta(minutes=5)
"""A point later than this from now needs --force: one typing error would stop all loading."""
FIRST_YEAR, LAST_YEAR = 2, 9998
"""Of times in documents: every zone and every span that rules add to them fits into the calendar."""

_FIXED = {"aug4": "2025-08-04 00:00:00", "aug1": "2025-08-01 00:00:00"}
_RELATIVE = {
    "1day": timedelta(days=1),
    "3days": timedelta(days=3),
    "1week": timedelta(weeks=1),
    "2weeks": timedelta(weeks=2),
}
PRESETS = (*_FIXED, *_RELATIVE, "1month")
"""The presets every installation has; tables.yaml may add more."""

_UNITS = {"w": "weeks", "d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
_SPAN = r"(?:\d+[wdhms])+"
_FORMS = "write YYYY-MM-DD, YYYY-MM-DD HH:MM:SS, ISO 8601 with a zone, -12m31s, 3h ago, or a preset"
_ABSOLUTE = re.compile(r"\d{4}-\d{2}-\d{2}(?:[ T]\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?(Z|[+-]\d{2}:?\d{2})?)?", re.ASCII)


def to_wall(instant: datetime, zone: ZoneInfo) -> datetime:
    """An instant as naive wall clock in a zone; which of two equal hours it was is lost, as in a document.

    A column may hold the first or last day there is: at the ends of time its wall clock is that of UTC.
    """
    try:
        return instant.astimezone(zone).replace(tzinfo=None, fold=0)
    except OverflowError:
        return instant.astimezone(UTC).replace(tzinfo=None)


def to_instant(wall: datetime, zone: ZoneInfo) -> datetime:
    """Naive wall clock as an instant; of an hour that occurs twice, the first. At the ends of time as in UTC."""
    try:
        return wall.replace(tzinfo=zone).astimezone(UTC)
    except OverflowError:
        return wall.replace(tzinfo=UTC)


def format_wall(wall: datetime, digits: int | None = None) -> str:
    """`YYYY-MM-DD HH:MM:SS` with that many fraction digits; None: as many as the value needs."""
    text = wall.isoformat(" ", "seconds")
    fraction = f"{wall.microsecond:06d}"
    fraction = fraction.rstrip("0") if digits is None else fraction[:digits]
    return f"{text}.{fraction}" if fraction else text


def parse_wall(text: str) -> datetime:
    """The inverse of `format_wall`; raises ValueError for anything else, a zone included."""
    match = _ABSOLUTE.fullmatch(text)
    if not match or match[1]:
        raise ValueError(f"{text!r} is not YYYY-MM-DD HH:MM:SS")
    return bounded(datetime.fromisoformat(text))


def format_instant(instant: datetime) -> str:
    """ISO 8601 in UTC, e.g. `2025-08-14T15:30:45Z`."""
    return instant.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def parse_instant(text: str) -> datetime:
    """A time in a document: ISO 8601, or without zone and then UTC. Raises ValueError."""
    value = bounded(datetime.fromisoformat(text))
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def bounded(value: datetime) -> datetime:
    """The same time. Raises ValueError where zones, sessions and lookbacks cannot be counted from it."""
    if not FIRST_YEAR <= value.year <= LAST_YEAR:
        raise ValueError(f"{value.isoformat()} is outside the years {FIRST_YEAR} to {LAST_YEAR}")
    return value


def parse_point(
    text: str, *, now: datetime, zone: ZoneInfo, presets: Mapping[str, str], force: bool = False
) -> datetime:
    """A point as a person typed it, as wall clock in `zone`.

    now: instant that relative forms and the future check count from. presets: those of tables.yaml.
    Raises UsageError for what cannot be read, for a local time that a clock change skips, and, without `force`,
    for a point later than now + 5 minutes.
    """
    text = text.strip()
    wall = _named(text, now, zone, presets)
    if wall is None:
        wall = _relative(text, now, zone)
    if wall is None:
        wall = _absolute(text, zone, presets)
    if not force and to_instant(wall, zone) > now + FUTURE_TOLERANCE:
        raise UsageError(
            f"{format_wall(wall)} ({zone.key}) is in the future",
            f"it is {format_wall(to_wall(now, zone), 0)} now; nothing would be extracted or loaded until then",
            "check the date and the zone, or add --force",
        )
    return wall


def preset_names(presets: Mapping[str, str]) -> list[str]:
    """Every preset name, the built-in ones first."""
    return [*PRESETS, *(p for p in presets if p not in PRESETS)]


def _named(text: str, now: datetime, zone: ZoneInfo, presets: Mapping[str, str]) -> datetime | None:
    if text in presets:
        return _relative(presets[text], now, zone) or _absolute(presets[text], zone, {})
    if text in _FIXED:
        return parse_wall(_FIXED[text])
    if text in _RELATIVE:
        return to_wall(now - _RELATIVE[text], zone).replace(microsecond=0)
    if text == "1month":
        before = _month_before(to_wall(now, zone)).replace(microsecond=0)
        return to_wall(to_instant(before, zone), zone)
    return None


def _month_before(wall: datetime) -> datetime:
    """The same day a calendar month earlier, or that month's last day."""
    last_of_previous = wall.replace(day=1) - timedelta(days=1)
    return last_of_previous.replace(day=min(wall.day, last_of_previous.day))


def _relative(text: str, now: datetime, zone: ZoneInfo) -> datetime | None:
    match = re.fullmatch(rf"-\s*({_SPAN})|({_SPAN})\s+ago", text)
    if not match:
        return None
    parts = re.findall(r"(\d+)([wdhms])", match[1] or match[2])
    try:
        span = sum((timedelta(**{_UNITS[unit]: int(n)}) for n, unit in parts), timedelta())
        return bounded(to_wall(now - span, zone)).replace(microsecond=0)
    except (OverflowError, ValueError):
        raise UsageError(f"{text!r} is too long ago", "no table has rows from then", _FORMS) from None


def _absolute(text: str, zone: ZoneInfo, presets: Mapping[str, str]) -> datetime:
    match = _ABSOLUTE.fullmatch(text)
    if not match:
        raise _unknown(text, presets)
    try:
        value = datetime.fromisoformat(text)
        wall = value if value.tzinfo is None else to_wall(value, zone)
        bounded(wall)
        bounded(to_instant(wall, zone))
        if to_wall(to_instant(wall, zone), zone) != wall:
            raise UsageError(
                f"{format_wall(wall)} does not exist in {zone.key}",
                "the clocks are put forward over it",
                "write a time before or after the change, or one with a zone",
            )
    except (ValueError, OverflowError) as error:
        raise UsageError(f"{text!r} is not a time", str(error), _FORMS) from None
    return wall


def _unknown(text: str, presets: Mapping[str, str]) -> UsageError:
    if re.fullmatch(r"[A-Za-z0-9_]*[A-Za-z][A-Za-z0-9_]*", text) and not re.match(r"\d{4}", text):
        names = preset_names(presets)
        return UsageError(
            f"unknown preset {text!r}", f"presets are {', '.join(names)}", did_you_mean(text, names, _FORMS)
        )
    return UsageError(f"{text!r} is not a time", "no form of a timestamp fits it", _FORMS)

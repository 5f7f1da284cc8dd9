"""Do host, store, source and warehouse tell the same time? A pure rule."""

from collections.abc import Mapping
from datetime import timedelta

from msgspec import Struct

from wmtui.model import Check, Clock, Level
from wmtui.texts import format_duration

WARN, ERROR = timedelta(seconds=5), timedelta(seconds=60)
"""How far two clocks may be apart."""
_HOST = "this host"


class Reading(Struct, frozen=True):
    """A clock against this host's: ahead of it by so much, give or take `blur`."""

    ahead: timedelta
    blur: timedelta


def read(host: Clock, other: Clock, *, grain: timedelta = timedelta(0)) -> Reading:
    """Read a clock between two looks at this host's. grain: how much it leaves out, such as fractions of a second."""
    before = host()
    at = other()
    half = (host() - before) / 2
    return Reading(at + grain / 2 - (before + half), half + grain / 2)


def compare(readings: Mapping[str, Reading]) -> Check:
    """One finding about all clocks, this host's included: how far the two are apart that differ most.

    readings: by whose clock it is.
    """
    subject, known = "clocks", {_HOST: Reading(timedelta(0), timedelta(0)), **readings}
    first = min(known, key=lambda name: known[name].ahead)
    last = max(known, key=lambda name: known[name].ahead)
    sure = known[last].ahead - known[first].ahead - known[first].blur - known[last].blur
    names = ", ".join(known)
    if sure <= WARN:
        return Check(subject, Level.OK, f"within {int(WARN.total_seconds())} s of each other: {names}")
    apart = [f"{name} {_said(reading)}" for name, reading in readings.items()]
    finding = f"{first} and {last} are {format_duration(max(sure, timedelta(seconds=1)))} apart: {', '.join(apart)}"
    step = "set the clocks by NTP: runs are named and windows end by them"
    return Check(subject, Level.ERROR if sure > ERROR else Level.WARNING, finding, step)


def _said(reading: Reading) -> str:
    """Against this host's clock."""
    side = "ahead of" if reading.ahead > timedelta(0) else "behind"
    return f"is {format_duration(abs(reading.ahead))} {side} {_HOST}"

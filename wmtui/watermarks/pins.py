"""Pins: an operator's word that a watermark is not to be moved, until it is taken back or expires.

While a pin holds, extraction is refused, and so is every change by hand. Loading goes on: it moves no position.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from wmtui.errors import Pinned
from wmtui.watermarks.model import Watermark
from wmtui.watermarks.timestamps import parse_instant


def pin_at(mark: Watermark, now: datetime) -> Mapping[str, Any] | None:
    """The pin that holds now; None when there is none or it has expired."""
    pin: Mapping[str, Any] | None = mark.fields["pin"]
    if pin is None or (pin.get("until") and parse_instant(pin["until"]) <= now):
        return None
    return pin


def describe(pin: Mapping[str, Any]) -> str:
    """Why and until when, in words."""
    until = f"until {pin['until']}" if pin.get("until") else "until it is unpinned"
    return f"{pin.get('reason') or 'no reason given'}, {until}"


def refuse_pinned(mark: Watermark, now: datetime, *alternatives: str) -> None:
    """Raises Pinned while an operator holds the watermark. alternatives: what may be done without unpinning it."""
    pin = pin_at(mark, now)
    if pin is not None:
        ask = f"ask {pin.get('owner')}, then `wmtui watermark unpin -t {mark.table}`"
        raise Pinned(
            f"the watermark of {mark.table} is pinned, held by {pin.get('owner')}",
            describe(pin),
            ", or ".join((*alternatives, ask)),
        )

"""Watermarks in words."""

import json
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from wmtui.watermarks.model import Watermark
from wmtui.watermarks.pins import describe, pin_at
from wmtui.watermarks.zones import wall_of, written_in
from wmtui.words import values
from wmtui.words.values import in_one_line


def data_timestamp(mark: Watermark, zone: ZoneInfo) -> str:
    """The data timestamp, wall clock in the profile's zone."""
    return values.wall(wall_of(mark, zone))


def fields(mark: Watermark, now: datetime, zone: ZoneInfo) -> dict[str, str]:
    """The document's fields and its bookkeeping, each with its value as text. zone: the profile's."""
    names = {**mark.fields}
    metadata = names.pop("metadata")
    texts = {name: _value(value) for name, value in names.items()}
    texts["last_mysql_data_timestamp"] = point(mark, zone)
    texts["mode"] = mode(mark, now, zone)
    if mark.fields["pin"] is not None:
        texts["pin"] = pin(mark)
    texts["serial"] = f"{mark.serial}, {metadata.get('updated_at') or 'never changed by wmtui'}"
    return texts


def document(mark: Watermark, now: datetime, zone: ZoneInfo) -> list[str]:
    """A line for every field, the values below each other."""
    texts = fields(mark, now, zone)
    width = max(map(len, texts))
    return [in_one_line(f"{name:{width}}  {text}") for name, text in texts.items()]


def pin(mark: Watermark) -> str:
    """Who holds a pinned watermark, why and until when."""
    return f"{mark.fields['pin'].get('owner')}: {describe(mark.fields['pin'])}"


def mode(mark: Watermark, now: datetime, zone: ZoneInfo) -> str:
    """Who places the watermark, whether it is pinned, and its zone where that is not the profile's."""
    placed = "manual" if mark.is_manual else "automated"
    held = "pinned" if pin_at(mark, now) else ""
    return ", ".join(filter(None, (placed, held, written_in(mark, zone))))


def point(mark: Watermark, zone: ZoneInfo) -> str:
    """The data timestamp in the profile's zone, and whether it was written in another."""
    return ", ".join(filter(None, (values.point(wall_of(mark, zone), zone), written_in(mark, zone))))


def _value(value: Any) -> str:
    if value is None:
        return values.ABSENT
    return value if isinstance(value, str) else json.dumps(value)

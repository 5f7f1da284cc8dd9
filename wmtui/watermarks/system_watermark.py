"""The system watermark: one text timestamp, from which tables without a watermark of their own begin."""

from datetime import datetime

from wmtui.errors import Conflict, ObjectMissing, PreconditionFailed, Unreadable
from wmtui.layout import SYSTEM_WATERMARK
from wmtui.objects import ObjectStore
from wmtui.watermarks import documents
from wmtui.watermarks.timestamps import format_wall, parse_wall


def read(objects: ObjectStore) -> datetime | None:
    """Wall clock in the profile's zone; None when there is none. Raises Unreadable."""
    return _read(objects)[0]


def move(objects: ObjectStore, wall: datetime) -> None:
    """Write it over what is there. Raises Conflict when another process moves it at the same moment, Unreadable."""
    _, etag = _read(objects)
    try:
        documents.write(objects, SYSTEM_WATERMARK, format_wall(wall, 0).encode() + b"\n", etag)
    except PreconditionFailed:
        now = read(objects)
        if now != wall.replace(microsecond=0):
            raise Conflict(
                "the system watermark was moved by another process at the same moment",
                f"it is {format_wall(now or wall)} now",
                "look at it with `wmtui watermark get`, then decide again",
            ) from None


def _read(objects: ObjectStore) -> tuple[datetime | None, str | None]:
    try:
        stored = objects.get(SYSTEM_WATERMARK)
    except ObjectMissing:
        return None, None
    try:
        return parse_wall(stored.data.decode("utf-8-sig", "replace").strip()), stored.info.etag
    except ValueError as error:
        raise Unreadable(SYSTEM_WATERMARK, str(error)) from None

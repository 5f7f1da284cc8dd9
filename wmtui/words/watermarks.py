"""Watermarks and what follows from them, in the words that commands and screen share."""

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from msgspec import Struct

from wmtui.files.selection import Selection
from wmtui.files.verdicts import Reason
from wmtui.texts import count
from wmtui.watermarks.model import Watermark
from wmtui.watermarks.pins import describe, pin_at
from wmtui.watermarks.zones import is_foreign, wall_of, written_in
from wmtui.words import values
from wmtui.words.values import in_one_line

if TYPE_CHECKING:
    from wmtui.service import Service


def document(service: "Service", mark: Watermark) -> list[str]:
    """A line for every field, and one for the bookkeeping."""
    fields = {**mark.fields}
    metadata = fields.pop("metadata")
    shown = {name: _value(value) for name, value in fields.items()}
    shown["last_mysql_data_timestamp"] = point(mark, service.workspace.zone)
    shown["mode"] = mode(mark, service.workspace.clock(), service.workspace.zone)
    if mark.fields["pin"] is not None:
        shown["pin"] = pin(mark)
    shown["serial"] = f"{mark.serial}, {metadata.get('updated_at') or 'never changed by wmtui'}"
    width = max(len(name) for name in shown)
    return [in_one_line(f"{name:{width}}  {value}") for name, value in shown.items()]


def pin(mark: Watermark) -> str:
    """Who holds a pinned watermark, why and until when."""
    return f"{mark.fields['pin'].get('owner')}: {describe(mark.fields['pin'])}"


def mode(mark: Watermark, now: datetime, zone: ZoneInfo) -> str:
    """Who places the watermark, whether somebody holds it, and its zone where that is not the profile's."""
    placed = "manual" if mark.is_manual else "automated"
    held = "pinned" if pin_at(mark, now) else ""
    return ", ".join(filter(None, (placed, held, written_in(mark, zone))))


def point(mark: Watermark, zone: ZoneInfo) -> str:
    """The data timestamp in the profile's zone, and whether it was written in another."""
    return ", ".join(filter(None, (values.point(wall_of(mark, zone), zone), written_in(mark, zone))))


def consequence(service: "Service", mark: Watermark, selection: Selection) -> list[str]:
    """What the next sync does because of a change: which files it loads and where it begins to extract."""
    summary, zone = selection.summary, service.workspace.zone
    lines = [f"loading now would say: {summary}", *([summary.hint] if summary.hint else [])]
    config = service.workspace.config(mark.table)
    if is_foreign(mark, zone):
        return [*lines, f"nothing is extracted: it is {written_in(mark, zone)}, and the profile's zone is {zone.key}"]
    if mark.data_timestamp is not None:
        relation = ">=" if mark.key is None and config.primary_key else ">"
        where = f"at {config.cursor} {relation} {values.point(mark.data_timestamp, zone)}"
    elif (system := service.watermarks.system()) is not None:
        where = f"at the system watermark {values.point(system, zone)}"
    else:
        where = "at the beginning"
    return [*lines, f"extraction will begin {where}"]


class Effect(Struct, frozen=True):
    """What moving a watermark changes for the next sync. size: bytes of the entering files. rows: of those that say how
    many they have. leaving: files waiting now that would not be loaded any more. loaded: files that were loaded before.
    moved: how far; forward, those rows are not read any more, back, they are read again.
    """

    entering: int
    size: int
    rows: int
    rows_known: int
    leaving: int
    loaded: int
    moved: timedelta

    @property
    def loses(self) -> bool:
        """Files or rows would never come."""
        return bool(self.leaving) or self.moved > timedelta(0)

    @property
    def rows_in_words(self) -> str:
        """How many rows enter, as far as files say."""
        least = "at least " if self.rows_known < self.entering else ""
        return f"{least}{count(self.rows, 'row')}" if self.rows_known else ""

    @property
    def losses(self) -> list[str]:
        """What would never come, in words."""
        found = []
        if self.leaving:
            found.append(f"{count(self.leaving, 'file')} waiting now would not be loaded any more")
        if self.moved > timedelta(0):
            found.append(f"rows of {values.span(self.moved)} are passed over: they are not read any more")
        return found


def effect(before: Watermark, now: Selection, after: Watermark, then: Selection, zone: ZoneInfo) -> Effect:
    """What moving a watermark would change for the next sync: files that enter and leave, rows read again or never.

    before, now: the watermark as it is and its files; after, then: as it would be. zone: the profile's.
    """
    old, new = ({file.key: file for file in selection.selected} for selection in (now, then))
    entering = [file for key, file in new.items() if key not in old]
    rows = [file.part.rows for file in entering if file.part is not None and file.part.rows is not None]
    was, will_be = wall_of(before, zone), wall_of(after, zone)
    return Effect(
        entering=len(entering),
        size=sum(file.size for file in entering),
        rows=sum(rows),
        rows_known=len(rows),
        leaving=len(old.keys() - new.keys()),
        loaded=then.summary.reasons.get(Reason.LOADED, 0),
        moved=timedelta(0) if was is None or will_be is None else will_be - was,
    )


def effect_lines(found: Effect) -> list[str]:
    """The same in words, losses apart."""
    lines = ["no file enters"]
    if found.entering:
        about = f", {found.rows_in_words}" if found.rows_known else ""
        lines = [f"+{count(found.entering, 'file')}, {values.size(found.size)}{about}"]
    if found.loaded:
        lines.append(f"{found.loaded:,} already loaded {'is' if found.loaded == 1 else 'are'} skipped")
    if found.moved < timedelta(0):
        lines.append(f"rows of {values.span(-found.moved)} are read again")
    return lines


def _value(value: Any) -> str:
    if value is None:
        return values.ABSENT
    return value if isinstance(value, str) else json.dumps(value)

"""Watermarks and what follows from them, in the words that commands and screen share."""

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

from wmtui.files.selection import Selection
from wmtui.service import wording
from wmtui.service.wording import printable
from wmtui.watermarks.model import Watermark
from wmtui.watermarks.pins import describe, pin_at

if TYPE_CHECKING:
    from wmtui.service import Service


def document(service: "Service", mark: Watermark) -> str:
    """Every field below another, the bookkeeping in one line."""
    fields = {**mark.fields}
    metadata = fields.pop("metadata")
    shown = {name: _value(value) for name, value in fields.items()}
    shown["last_mysql_data_timestamp"] = wording.point(mark.data_timestamp, service.workspace.zone)
    shown["mode"] = mode(mark, service.workspace.clock())
    if mark.fields["pin"] is not None:
        shown["pin"] = f"{mark.fields['pin'].get('owner')}: {describe(mark.fields['pin'])}"
    shown["serial"] = f"{mark.serial}, {metadata.get('updated_at') or 'never changed by wmtui'}"
    width = max(len(name) for name in shown)
    return printable("\n".join(f"{name:{width}}  {value}" for name, value in shown.items()))


def mode(mark: Watermark, now: datetime) -> str:
    """Who places the watermark, and whether somebody holds it."""
    placed = "manual" if mark.is_manual else "automated"
    return f"{placed}, pinned" if pin_at(mark, now) else placed


def consequence(service: "Service", mark: Watermark, selection: Selection) -> list[str]:
    """What the next sync does because of a change: which files it loads and where it begins to extract."""
    summary, zone = selection.summary, service.workspace.zone
    lines = [f"loading now would say: {summary}", *([summary.hint] if summary.hint else [])]
    config = service.workspace.config(mark.table)
    if mark.data_timestamp is not None:
        relation = ">=" if mark.key is None and config.primary_key else ">"
        where = f"at {config.cursor} {relation} {wording.point(mark.data_timestamp, zone)}"
    elif (system := service.watermarks.system()) is not None:
        where = f"at the system watermark {wording.point(system, zone)}"
    else:
        where = "at the beginning"
    return [*lines, f"extraction will begin {where}"]


def _value(value: Any) -> str:
    if value is None:
        return wording.ABSENT
    return value if isinstance(value, str) else json.dumps(value)

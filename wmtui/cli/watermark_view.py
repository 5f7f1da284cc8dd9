"""Watermarks as people read them."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from wmtui.files.selection import Selection
from wmtui.files.verdicts import Reason
from wmtui.service import Row, Service, wording
from wmtui.service.wording import printable
from wmtui.watermarks.model import Watermark
from wmtui.watermarks.pins import describe, pin_at
from wmtui.watermarks.timestamps import format_instant, format_wall

LIST_COLUMNS = ("table", "mode", "mysql", "redshift", "data timestamp", "lag", "waiting", "last success")


def document(service: Service, mark: Watermark) -> str:
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


def loaded_files(selection: Selection) -> list[dict[str, str]]:
    """The files loaded in this epoch, oldest first; the shape of `processed_s3_files`."""
    files = []
    for verdict in selection.verdicts:
        if verdict.reason is Reason.LOADED:
            at, load = selection.loaded[verdict.file.uri, verdict.file.etag]
            files.append(
                {"key": verdict.file.key, "etag": verdict.file.etag, "loaded_at": format_instant(at), "load_id": load}
            )
    return files


def consequence(service: Service, mark: Watermark, selection: Selection) -> list[str]:
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


def list_row(row: Row, now: datetime) -> Sequence[str]:
    """A table's line in the list."""
    if row.error is not None or row.mark is None or row.heartbeat is None:
        return (str(row.table), "✗ unreadable", *[wording.ABSENT] * (len(LIST_COLUMNS) - 2))
    fields, last_success = row.mark.fields, row.heartbeat.last_success
    return (
        str(row.table),
        mode(row.mark, now),
        wording.status(fields["mysql_status"]),
        wording.status(fields["redshift_status"]),
        format_wall(row.mark.data_timestamp) if row.mark.data_timestamp else wording.ABSENT,
        wording.span(row.lag),
        wording.ABSENT if row.waiting is None else str(row.waiting),
        f"{wording.span(now - last_success)} ago" if last_success else "never synced",
    )


def _value(value: Any) -> str:
    if value is None:
        return wording.ABSENT
    return value if isinstance(value, str) else json.dumps(value)

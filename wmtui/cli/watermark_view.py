"""Watermarks as people read them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from wmtui.errors import ExitCode, WatermarkGone
from wmtui.files.selection import Selection
from wmtui.files.verdicts import Reason
from wmtui.service import Row, wording
from wmtui.service.describe import mode
from wmtui.watermarks.timestamps import format_instant, format_wall
from wmtui.watermarks.zones import wall_of

LIST_COLUMNS = ("table", "mode", "mysql", "redshift", "data timestamp", "lag", "waiting", "last success")


def loaded_files(selection: Selection) -> list[dict[str, str]]:
    """The files loaded in this epoch, oldest first; the shape of `processed_s3_files`."""
    files = []
    for verdict in selection.verdicts:
        if verdict.reason is Reason.LOADED:
            known = selection.loaded[verdict.file.key]
            files.append(
                {
                    "key": verdict.file.key,
                    "etag": known.etag,
                    "loaded_at": format_instant(known.at),
                    "load_id": known.load_id,
                }
            )
    return files


def list_entry(row: Row) -> dict[str, Any]:
    """A table's entry in the list as data. document: null where it cannot be read; `error` says why."""
    mark, heartbeat, failed = row.mark, row.heartbeat, row.error is not None
    last_success = None if failed or heartbeat is None else heartbeat.last_success
    return {
        "table": str(row.table),
        "code": int(ExitCode.DONE if row.error is None else row.error.exit_code),
        "error": None if row.error is None else row.error.failure,
        "mode": None if mark is None else "manual" if mark.is_manual else "automated",
        "load_status": None if failed else row.load_status,
        "lag_seconds": None if row.lag is None else row.lag.total_seconds(),
        "waiting": row.waiting,
        "held_back": row.held_back,
        "last_success": None if last_success is None else wording.instant(last_success),
        "listed_at": None if row.listed_at is None else wording.instant(row.listed_at),
        "document": None if mark is None else mark.fields,
    }


def _waiting(row: Row) -> str:
    """Files that the next load takes, and those it leaves although nobody gave them up."""
    waiting = wording.ABSENT if row.waiting is None else str(row.waiting)
    return f"{waiting}, {row.held_back:,} held back" if row.held_back else waiting


def list_row(row: Row, now: datetime, zone: ZoneInfo) -> Sequence[str]:
    """A table's line in the list. zone: the profile's."""
    if row.error is not None or row.mark is None or row.heartbeat is None:
        state = "✗ gone" if isinstance(row.error, WatermarkGone) else "✗ unreadable"
        return (str(row.table), state, *[wording.ABSENT] * (len(LIST_COLUMNS) - 2))
    fields, last_success, point = row.mark.fields, row.heartbeat.last_success, wall_of(row.mark, zone)
    return (
        str(row.table),
        mode(row.mark, now, zone),
        wording.status(fields["mysql_status"]),
        wording.status(row.load_status),
        format_wall(point) if point else wording.ABSENT,
        wording.span(row.lag),
        _waiting(row),
        f"{wording.span(now - last_success)} ago" if last_success else "never synced",
    )

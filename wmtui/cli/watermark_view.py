"""Watermarks as people read them."""

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from wmtui.files.selection import Selection
from wmtui.files.verdicts import Reason
from wmtui.service import Look, wording
from wmtui.service.describe import mode
from wmtui.service.verified import in_words
from wmtui.watermarks.timestamps import format_instant, format_wall
from wmtui.watermarks.zones import wall_of

LIST_COLUMNS = (
    "table", "state", "mode", "mysql", "redshift", "data timestamp", "lag", "waiting", "last success", "verified",
)  # fmt: skip


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


def _waiting(look: Look) -> str:
    """Files that the next load takes, and those it leaves although nobody gave them up."""
    waiting = wording.ABSENT if look.waiting is None else str(look.waiting)
    return f"{waiting}, {look.status.held_back:,} held back" if look.status.held_back else waiting


def list_row(look: Look, now: datetime, zone: ZoneInfo) -> Sequence[str]:
    """A table's line in the list. zone: the profile's."""
    status = look.status
    state = wording.state(status.state, status.severity)
    if look.mark is None:
        return (str(look.table), state, *[wording.ABSENT] * (len(LIST_COLUMNS) - 2))
    point, run_age = wall_of(look.mark, zone), status.judgement.run_age
    return (
        str(look.table),
        state,
        mode(look.mark, now, zone),
        wording.status(status.mysql_status),
        wording.status(status.redshift_status),
        format_wall(point) if point else wording.ABSENT,
        wording.span(status.lag),
        _waiting(look),
        "never synced" if run_age is None else f"{wording.span(run_age)} ago",
        in_words(status.verified),
    )

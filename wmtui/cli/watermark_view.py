"""Watermarks as people read them."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from wmtui.cli.table import Row
from wmtui.errors import ExitCode
from wmtui.service import Look, Selection, VerdictReason
from wmtui.words import states, values
from wmtui.words.last_verified import as_json, in_words
from wmtui.words.watermarks import data_timestamp, mode

LIST_COLUMNS = (
    "table", "state", "mode", "mysql", "redshift", "data timestamp", "lag", "waiting", "last success", "verified",
)  # fmt: skip


def loaded_files(selection: Selection) -> list[dict[str, str]]:
    """The files loaded in this epoch, oldest first; the shape of `processed_s3_files`."""
    files = []
    for verdict in selection.verdicts:
        if verdict.reason is VerdictReason.LOADED:
            known = selection.loaded[verdict.file.key]
            files.append(
                {
                    "key": verdict.file.key,
                    "etag": known.etag,
                    "loaded_at": values.exact_instant(known.at),
                    "load_id": known.load_id,
                }
            )
    return files


def list_entry(look: Look) -> dict[str, Any]:
    """A table's entry in the list as data. document: null where it cannot be read; `error` says why."""
    status, mark, error = look.status, look.mark, look.status.unreadable
    verified = status.verified
    return {
        "table": str(look.table),
        "code": int(ExitCode.DONE if error is None else error.exit_code),
        "error": None if error is None else error.failure,
        "state": states.name(status),
        "severity": status.severity.value,
        "mode": None if mark is None else "manual" if mark.is_manual else "automated",
        "load_status": None if mark is None else status.redshift_status,
        "data_age_seconds": None if status.judgement.age is None else status.judgement.age.total_seconds(),
        "lag_seconds": None if status.lag is None else status.lag.total_seconds(),
        "waiting": look.waiting,
        "held_back": None if look.waiting is None else status.held_back,
        "last_success": None if status.last_success is None else values.instant(status.last_success),
        "verified": None if verified is None else as_json(verified),
        "listed_at": None if look.listed_at is None else values.instant(look.listed_at),
        "document": None if mark is None else mark.fields,
    }


def _waiting(look: Look) -> str:
    """Files that the next load takes, and those it leaves although they were not given up."""
    waiting = values.ABSENT if look.waiting is None else str(look.waiting)
    return f"{waiting}, {look.status.held_back:,} held back" if look.status.held_back else waiting


def list_row(look: Look, now: datetime, zone: ZoneInfo) -> Row:
    """A table's line in the list. zone: the profile's."""
    status = look.status
    state = states.label(status)
    if look.mark is None:
        return (str(look.table), state, *[values.ABSENT] * (len(LIST_COLUMNS) - 2))
    run_age = status.judgement.run_age
    return (
        str(look.table),
        state,
        mode(look.mark, now, zone),
        values.status(status.mysql_status),
        values.status(status.redshift_status),
        data_timestamp(look.mark, zone),
        values.span(status.lag),
        _waiting(look),
        "never synced" if run_age is None else f"{values.span(run_age)} ago",
        in_words(status.verified),
    )

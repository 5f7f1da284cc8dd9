"""Whether anything can be loaded that was not there at the last look: if not, no sync need ask what was loaded.

A sync that ends with nothing left to load notes what it judged by, and a digest of the files it saw. While both are the
same, so is its judgement. Files of earlier days, and those in no day folder, are looked for as often as a table's
`list_all_every` says.
"""

from datetime import date, timedelta

from wmtui.files.decisions import Decisions
from wmtui.files.listing import digest_of
from wmtui.files.selection import Loading, Selection
from wmtui.files.verdicts import VerdictReason
from wmtui.watermarks.documents import Json
from wmtui.watermarks.lease import Heartbeat
from wmtui.watermarks.model import Watermark

_FOLDER_SLACK = timedelta(days=1)
"""Writers name day folders by their own clock."""

_LASTING = frozenset(
    {
        VerdictReason.LOADED,
        VerdictReason.SKIPPED,
        VerdictReason.WRITTEN_OFF,
        VerdictReason.STAGING,
        VerdictReason.OUTSIDE_SESSION,
        VerdictReason.BEFORE_FLOOR,
        VerdictReason.EARLIER_EPOCH,
        VerdictReason.LATER_EPOCH,
    }
)
"""Reasons that stay as they are while watermark and files do."""


def unchanged_note(mark: Watermark, table: Loading, address: str, selection: Selection, loaded: set[str]) -> Json:
    """What a sync leaves in the lock document after its look at the files; empty where one of them may be loaded later
    by this very watermark.

    mark: as the sync leaves it. address: of the warehouse. loaded: keys of files that were loaded just now.
    """
    session = selection.basis.session
    if session is None or mark.pending_extraction is not None or selection.held_back or selection.listing.ambiguous:
        return {}
    if any(v.reason not in _LASTING and v.file.key not in loaded for v in selection.verdicts):
        return {}
    since = (session[0] - _FOLDER_SLACK).date()
    files = digest_of(mark.table, selection.listing.candidates, since)
    return {**_judged_by(mark, table, address, selection.decisions), "since": since.isoformat(), "files": files}


def noted_files(
    mark: Watermark, table: Loading, address: str, heartbeat: Heartbeat, decided: Decisions
) -> tuple[date, str] | None:
    """The first day whose folders the last look saw, and the digest of their files; None where it was judged by
    something else, or nothing was noted.
    """
    note = heartbeat.document.unchanged_in.get(table.destination.warehouse or "", {})
    since, files = note.get("since"), note.get("files")
    if not isinstance(since, str) or not isinstance(files, str):
        return None
    if note != {**_judged_by(mark, table, address, decided), "since": since, "files": files}:
        return None
    try:
        return date.fromisoformat(since), files
    except ValueError:
        return None


def _judged_by(mark: Watermark, table: Loading, address: str, decided: Decisions) -> Json:
    return {
        "serial": mark.serial,
        "epoch": mark.epoch,
        "warehouse": address,
        "target": table.destination.target,
        "keyless": table.keyless,
        "decisions": decided.serial,
    }

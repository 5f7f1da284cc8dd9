"""Whether a table can have files to load that its last sync did not see; if not, nothing is asked of the warehouse."""

from datetime import date

from wmtui.files import decisions
from wmtui.files.selection import LaterRuns, Selection, whole_listing_is_due
from wmtui.files.unchanged import noted_files, unchanged_note
from wmtui.pipeline.context import Job, Scope
from wmtui.watermarks.model import Watermark


def looks_unchanged(scope: Scope, mark: Watermark) -> bool:
    """Whether nothing was left to load at the last look, as far as the lock document tells. Raises Unreadable."""
    return _last_look(scope, mark) is not None


def is_unchanged(scope: Scope, mark: Watermark) -> bool:
    """Whether nothing was left to load at the last look, and the files are still the same. Raises Unreadable."""
    look = _last_look(scope, mark)
    return look is not None and scope.backend.files.digest(scope.table, look[0]) == look[1]


def note_unchanged(job: Job, mark: Watermark, selection: Selection, loaded: set[str], warehouse: str | None) -> None:
    """Leave what this sync saw of the files for the next one. loaded: keys of those that it loaded."""
    noted = unchanged_note(mark, job.loading(warehouse), job.backend.warehouse.address, selection, loaded)
    job.lease.note(unchanged_in={**job.heartbeat.document.unchanged_in, warehouse or "": noted})


def runs_since_unchanged(job: Job) -> LaterRuns | None:
    """Of a table that looked unchanged, the runs after the last committed one: its own, if it had news. No other can be
    there: a run announces itself in the watermark before it has a document. None: only a listing tells.
    """
    last = job.heartbeat.document.committed_run
    if job.found is None or last is None:
        return None
    committed = job.account.committed
    return LaterRuns(last, (committed.run,) if committed else ())


def _last_look(scope: Scope, mark: Watermark) -> tuple[date, str] | None:
    options, backend = scope.options, scope.backend
    identity = backend.watermarks.known_identity()
    warehouse = identity.warehouses.get(backend.profile) if identity else None
    if warehouse is None or options.reprocess or options.keys or options.all_days:
        return None
    loading, decided = scope.loading(warehouse), decisions.standing(backend.objects, scope.table, scope.heartbeat)
    if whole_listing_is_due(mark, scope.heartbeat, loading, decided):
        return None
    return noted_files(mark, loading, backend.warehouse.address, scope.heartbeat, decided)

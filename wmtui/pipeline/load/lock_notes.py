"""What a load notes in the lock document, so that later ones need not look at everything again: up to which run nothing
is left to load, what a listing of all days showed, and up to which load all are recorded.
"""

from msgspec import Struct
from msgspec.structs import replace

from wmtui.files.selection import (
    Loading,
    Selection,
    listing_note,
    listing_notes,
    settled_mark,
    settled_marks,
    settled_run,
)
from wmtui.files.verdicts import VerdictReason
from wmtui.pipeline.context import Job
from wmtui.pipeline.load.table_ledger import TableLedger
from wmtui.runs.run_document import RunState, RunStore
from wmtui.watermarks.lease import Heartbeat
from wmtui.watermarks.model import Watermark

_KEPT = (
    VerdictReason.LOADED,
    VerdictReason.SKIPPED,
    VerdictReason.WRITTEN_OFF,
    VerdictReason.STAGING,
    VerdictReason.BEFORE_FLOOR,
    VerdictReason.EARLIER_EPOCH,
    VerdictReason.LATER_EPOCH,
    VerdictReason.UNLISTED,
)
"""Own parts that no later load by this watermark takes; one outside the session is taken by a later one."""


class LoadEnd(Struct, frozen=True):
    """How a load ended. keys: of the files it loaded. load_id: the newest load into the target."""

    keys: set[str]
    warehouse: str | None
    load_id: str | None


def note_settled(job: Job, mark: Watermark, selection: Selection, ledger: TableLedger, *, end: LoadEnd) -> None:
    """Note the newest run up to which nothing is left to load, so that later listings may begin after it."""
    open_runs = {
        v.file.part.run
        for v in selection.verdicts
        if v.file.part is not None
        and v.reason not in _KEPT
        and v.file.key not in end.keys
        and v.file.part.state is not RunState.ABANDONED
    }
    if job.options.keys:
        # Some files may not be held back any more: only a listing of all days tells which are.
        kept = {name: note for name, note in listing_notes(job.heartbeat).items() if name != (end.warehouse or "")}
        job.lease.note(listed_in=kept)
        return
    loading, decided = job.loading(end.warehouse), selection.decisions
    _note_listing(job, mark, selection, loading)
    if selection.basis.session is None:
        return
    known_as = job.loading(ledger.known.warehouse)
    before = settled_run(mark, job.heartbeat, known_as, decided, ledger.files(job, mark.epoch))
    newest = before
    unsettled = selection.unsettled
    for run in RunStore(job.backend.objects, job.table).since(before) if unsettled is None else unsettled:
        if run in open_runs or run == mark.pending_extraction:
            break
        newest = run
    marks = settled_marks(job.heartbeat)
    marks[end.warehouse or ""] = settled_mark(newest, mark, loading, decided, end.load_id)
    job.lease.note(settled_in=marks, decisions=decided.serial)


def _note_listing(job: Job, mark: Watermark, selection: Selection, loading: Loading) -> None:
    """Note what a listing of all days showed, so that other loads need not list them again."""
    at = selection.whole_at or job.backend.clock()
    if selection.since is None:
        noted = listing_note(mark, loading, selection.decisions, selection.summary.held_back, at)
        notes = {**listing_notes(job.heartbeat), loading.destination.warehouse or "": noted}
        job.lease.note(listed_in=notes, decisions=selection.decisions.serial)


def recorded_loads(heartbeat: Heartbeat) -> dict[str, str]:
    """By the id of a warehouse, the newest load up to which every load into it is recorded in the store."""
    return dict(heartbeat.document.recorded_in)


def note_recorded(job: Job, warehouse: str | None, load_id: str | None) -> None:
    """Note up to which load all of them are recorded, so that later runs need not look."""
    if warehouse is not None and load_id is not None:
        job.lease.note(recorded_in={**recorded_loads(job.heartbeat), warehouse: load_id})


def with_notes(job: Job, warehouse: str | None, load_id: str) -> Job:
    """The job, knowing of a load that it has just done as the next sync would."""
    known, name = job.heartbeat.document, warehouse or ""
    compared = {**known.compared_in, name: job.lease.token}
    document = replace(known, compared_in=compared, recorded_in={**known.recorded_in, name: load_id})
    return replace(job, heartbeat=replace(job.heartbeat, document=document), compared=True)


def note_compared(job: Job, warehouse: str | None, token: int) -> None:
    """Note up to which token this store knows the loads in a warehouse: a higher one in its ledger is a doubt."""
    job.lease.note(compared_in={**job.heartbeat.document.compared_in, warehouse or "": token})

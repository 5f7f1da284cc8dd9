"""The loading half of a sync: choose files by the watermark, load them with the ledger in one transaction, note it."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from functools import partial

from msgspec import Struct

from wmtui.errors import LoadRefused, NothingSelected
from wmtui.events import Phase, Severity
from wmtui.files.selection import (
    Choice,
    Loading,
    Selection,
    listing_note,
    listing_notes,
    settled_mark,
    settled_marks,
    settled_run,
)
from wmtui.files.summary import explain
from wmtui.files.verdicts import Candidate, Reason
from wmtui.layout import parse_part
from wmtui.pipeline.context import Job, Scope
from wmtui.pipeline.load.file_reader import open_footer, open_part
from wmtui.pipeline.load.missing_files import refuse_lost, refuse_replaced
from wmtui.pipeline.load.refused_rows import tell_added, with_cause
from wmtui.pipeline.load.table_ledger import (
    Ledger,
    read_ledger,
    recorded_loads,
    refuse_unknown_loads,
    repair_records,
    tell_or_refuse,
)
from wmtui.pipeline.target_check import layout, naming, remember_loaded
from wmtui.runs.load_records import LoadedFile, LoadRecord, LoadRecords, Loads
from wmtui.runs.run_document import RunState, RunStore
from wmtui.warehouses import LoadFile, LoadRequest, LoadResult
from wmtui.watermarks import changes
from wmtui.watermarks.changes import Action, Patch
from wmtui.watermarks.model import SideStatus, Watermark

_KEPT = (
    Reason.LOADED,
    Reason.SKIPPED,
    Reason.WRITTEN_OFF,
    Reason.STAGING,
    Reason.BEFORE_FLOOR,
    Reason.EARLIER_EPOCH,
    Reason.LATER_EPOCH,
    Reason.UNLISTED,
)
"""Own parts that no later load by this watermark takes; one outside the session is carried over."""


class Done(Struct, frozen=True):
    """What a load did. keys: of the files it loaded. load_id: the newest load into the target."""

    keys: set[str]
    warehouse: str | None
    load_id: str | None


class Loaded(Struct, frozen=True):
    """What a load left."""

    mark: Watermark
    selection: Selection
    files: int = 0
    rows: int = 0


def load_table(job: Job, mark: Watermark) -> Loaded:
    """Load every file the rules select by this watermark.

    Raises NothingSelected when only loading was asked for and files are held back, TableError when a listed part was
    replaced, and whatever the adapters raise.
    """
    job.progress(Phase.SELECTING)
    ledger = read_ledger(job, mark)
    _know_warehouse(job, ledger.known.warehouse)
    tell_or_refuse(job, [f for f in ledger.findings if f.refused or not f.harmful_read])  # These were told before.
    recorded = recorded_loads(job.heartbeat).get(ledger.known.warehouse or "")
    last = repair_records(job, mark, ledger, recorded=recorded)
    _note_recorded(job, ledger.known.warehouse, _newest_load(ledger))
    selection = select(job, mark, ledger)
    _report(job, selection)
    refuse_replaced(selection)
    refuse_lost(job, mark, selection, ledger)
    if not selection.selected:
        return _nothing(job, mark, selection, ledger, last)
    refuse_unknown_loads(job, ledger, mark, selection.selected)
    request = _request(job, mark, selection.selected, ledger)
    started = job.backend.clock()
    result = _execute(job, request, ledger)
    job.account.files_loaded, job.account.rows_loaded = len(result.loaded), result.rows
    warehouse = ledger.known.warehouse or job.backend.warehouse.loads(job.feed).warehouse
    _know_warehouse(job, warehouse)
    if result.loaded:
        LoadRecords(job.backend.objects, job.table).add(_record(job, request, result, started, warehouse))
        _note_recorded(job, warehouse, request.load_id)
        remember_loaded(job, bool(result.added))
    at, fence = job.backend.clock(), job.lease.token
    mark = _note_loaded(job, mark, warehouse, rows=result.rows, at=at, fence=fence)
    loaded = {f.key for f in (*result.loaded, *result.already_loaded)}
    newest = request.load_id if result.loaded else _newest_load(ledger)
    _note_settled(job, mark, selection, ledger, done=Done(loaded, warehouse, newest))
    return Loaded(mark, selection, len(result.loaded), result.rows)


def _know_warehouse(job: Job, warehouse: str | None) -> None:
    """Remember which warehouse this profile loads into, so that previews need not ask it."""
    if warehouse is not None:
        job.backend.watermarks.remember_warehouse(job.backend.profile, warehouse)


def _note_recorded(job: Job, warehouse: str | None, load_id: str | None) -> None:
    """Leave up to which load all of them are recorded, so that later runs need not look."""
    if warehouse is not None and load_id is not None:
        job.lease.note(recorded_in={**recorded_loads(job.heartbeat), warehouse: load_id})


def _newest_load(ledger: Ledger) -> str | None:
    return ledger.mine.entries[-1].load_id if ledger.mine.entries else None


def select(job: Scope, mark: Watermark, ledger: Ledger) -> Selection:
    """Judge the table's files by a watermark, with what the sync was asked for."""
    backend, options = job.backend, job.options
    return backend.files.select(
        mark,
        job.loading(ledger.known.warehouse),
        job.heartbeat,
        backend.watermarks.system_for(mark),
        ledger=ledger.files(job, mark.epoch),
        choice=Choice(reprocess=options.reprocess, keys=options.keys, all_days=options.all_days),
    )


def _report(job: Job, selection: Selection) -> None:
    """The lines an operator looks for in the log."""
    job.tell(selection.basis.describe(), Severity.DEBUG)
    job.tell(str(selection.summary))
    listing = selection.listing
    if not listing.candidates:
        job.tell(f"nothing found under {' and '.join(listing.prefixes)}")
    for names, why in ((listing.unparsed, "not Parquet files"), (listing.ambiguous, "fit two configured tables")):
        if names:
            shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
            job.tell(f"ignored, {why}: {shown}", Severity.WARNING)
    _report_held_back(job, selection)
    if selection.summary.hint:
        wanted = selection.summary.held_back or not job.options.extract
        job.tell(selection.summary.hint, Severity.INFO if wanted else Severity.DEBUG)


def _report_held_back(job: Job, selection: Selection) -> None:
    """Which files this load leaves behind although nobody gave them up."""
    left = [verdict for verdict in selection.verdicts if verdict.held_back]
    if left:
        shown = ", ".join(v.file.key for v in left[:3]) + (f" and {len(left) - 3} more" if len(left) > 3 else "")
        count = "1 file is" if len(left) == 1 else f"{len(left)} files are"
        reasons = ", ".join(dict.fromkeys(explain(v, selection.loaded) for v in left[:3]))
        job.tell(f"{count} held back: {shown}; {reasons}", Severity.WARNING)


def _nothing(job: Job, mark: Watermark, selection: Selection, ledger: Ledger, last: LoadRecord | None) -> Loaded:
    """Nothing to load: an error if only that was asked for and files are held back; else the table is up to date."""
    if selection.summary.only_held_back and not job.options.extract:
        raise NothingSelected(str(selection.summary), selection.summary.hint, "set the watermark, or leave it so")
    warehouse = ledger.known.warehouse
    _note_settled(job, mark, selection, ledger, done=Done(set(), warehouse, _newest_load(ledger)))
    status = mark.load_status(warehouse, default=job.backend.is_default)
    up_to_date = status == SideStatus.SUCCESS or (status == SideStatus.PENDING and not selection.summary.found)
    if selection.summary.only_held_back or up_to_date:
        return Loaded(mark, selection)
    rows = sum(file.rows for file in last.files) if last is not None else None
    at = last.ended if last is not None else None
    return Loaded(_note_loaded(job, mark, warehouse, rows=rows, at=at), selection)


def _note_loaded(
    job: Job, mark: Watermark, warehouse: str | None, *, rows: int | None, at: datetime | None, fence: int | None = None
) -> Watermark:
    """Note in the watermark what loads into a warehouse came to; the arguments are those of `changes.finish_load`."""
    backend = job.backend

    def patch(seen: Watermark) -> Patch:
        return changes.finish_load(
            seen, warehouse, profile=backend.profile, default=backend.is_default, rows=rows, at=at, fence=fence
        )

    return backend.watermarks.change(job.table, Action.LOADED, patch, based_on=mark)


def _request(job: Job, mark: Watermark, files: Sequence[Candidate], ledger: Ledger) -> LoadRequest:
    loads = ledger.files(job, mark.epoch).loads
    newest = max((name.run for key in loads if (name := parse_part(job.table, key)) is not None), default="")
    first = bool(ledger.mine.entries) and max(entry.epoch for entry in ledger.mine.entries) < mark.epoch
    return LoadRequest(
        load_id=uuid.uuid4().hex,
        feed=job.feed,
        epoch=mark.epoch,
        token=job.lease.token,
        run=job.lease.run,
        cursor=job.config.cursor,
        primary_key=job.config.primary_key,
        files=tuple(_to_load(file, newest, loads, mark.epoch if first else None) for file in files),
        reprocess=job.options.reprocess,
        target_rows=ledger.known.target.rows if ledger.known.target.exists else 0,
        claim=ledger.mine.claim,
        naming=naming(job),
        layout=layout(job),
        after=_newest_load(ledger),
    )


def _to_load(file: Candidate, newest: str, loads: Loads, reset_to: int | None) -> LoadFile:
    """newest: the latest run of which a part is loaded. reset_to: the epoch, if nothing was loaded in it yet since the
    table was reset.
    """
    part, known = file.part, loads.get(file.key)
    earlier = part.run < newest if part is not None else known is not None and known.etag == file.etag
    return LoadFile(
        key=file.key,
        uri=file.uri,
        etag=file.etag,
        size=file.size,
        rows=part.rows if part is not None else None,
        footer=part.footer if part is not None else None,
        loses_ties=earlier,
        replaces=part is not None and part.epoch == reset_to,
    )


def _execute(job: Job, request: LoadRequest, ledger: Ledger) -> LoadResult:
    """Load, reporting every staged file; a request to stop is heard between files."""
    total = len(request.files)
    files = rows = 0

    def on_staged(_: LoadFile, staged: int) -> None:
        nonlocal files, rows
        files, rows = files + 1, rows + staged
        job.progress(Phase.MERGING if files == total else Phase.STAGING, rows, files, total)
        job.check()

    job.progress(Phase.STAGING, files=total)
    job.check()
    warehouse, opened = job.backend.warehouse, open_footer if job.backend.warehouse.reads_store else open_part
    try:
        result = warehouse.load(request, partial(opened, job.backend.objects, job.table), on_staged)
    except LoadRefused as error:
        raise with_cause(job, error) from error
    tell_added(job, request.target, result.added, ledger.carried(job.feed))
    for file in result.already_loaded:
        job.tell(f"{file.key} was loaded by another load meanwhile", Severity.WARNING)
    return result


def _record(job: Job, request: LoadRequest, result: LoadResult, started: datetime, warehouse: str | None) -> LoadRecord:
    return LoadRecord(
        load_id=request.load_id,
        target=request.target,
        epoch=request.epoch,
        token=request.token,
        started=started,
        ended=job.backend.clock(),
        files=tuple(LoadedFile(f.key, f.uri, f.etag, f.rows or 0) for f in result.loaded),
        warehouse=warehouse,
    )


def _note_settled(job: Job, mark: Watermark, selection: Selection, ledger: Ledger, *, done: Done) -> None:
    """Leave the newest run up to which nothing is left to load, so that later listings may begin after it."""
    open_runs = {
        v.file.part.run
        for v in selection.verdicts
        if v.file.part is not None
        and v.reason not in _KEPT
        and v.file.key not in done.keys
        and v.file.part.state is not RunState.ABANDONED
    }
    if job.options.keys:
        # Some files may not be held back any more: only a listing of all days tells which are.
        kept = {name: note for name, note in listing_notes(job.heartbeat).items() if name != (done.warehouse or "")}
        job.lease.note(listed_in=kept)
        return
    loading, decided = job.loading(done.warehouse), selection.decisions
    _note_listing(job, mark, selection, loading)
    if selection.basis.session is None:
        return
    known_as = job.loading(ledger.known.warehouse)
    before = settled_run(mark, job.heartbeat, known_as, decided, ledger.files(job, mark.epoch))
    newest = before
    for run in RunStore(job.backend.objects, job.table).since(before):
        if run in open_runs or run == mark.pending_extraction:
            break
        newest = run
    marks = settled_marks(job.heartbeat)
    marks[done.warehouse or ""] = settled_mark(newest, mark, loading, decided, done.load_id)
    job.lease.note(settled_in=marks, decisions=decided.serial)


def _note_listing(job: Job, mark: Watermark, selection: Selection, loading: Loading) -> None:
    """Leave what a listing of all days showed, so that others need not list them again."""
    at = selection.whole_at or job.backend.clock()
    if selection.since is None:
        noted = listing_note(mark, loading, selection.decisions, selection.summary.held_back, at)
        notes = {**listing_notes(job.heartbeat), loading.destination.warehouse or "": noted}
        job.lease.note(listed_in=notes, decisions=selection.decisions.serial)

"""The loading half of a sync, in this order: read the ledger and record what it has and the store lacks, judge the
files, refuse what must not be loaded, load the files with the ledger in one transaction, add the load record, note the
load in the watermark, and note in the lock document what later loads need not look at.
"""

from datetime import datetime
from functools import partial
from uuid import uuid4

from wmtui.errors import LoadRefused, NothingSelected
from wmtui.events import Phase, Severity
from wmtui.files.selection import Choice, Selection
from wmtui.pipeline.context import Job, Scope
from wmtui.pipeline.load.file_reader import open_footer, open_part
from wmtui.pipeline.load.load_report import report_added_columns, report_selection
from wmtui.pipeline.load.load_request import bounded, build_request
from wmtui.pipeline.load.lock_notes import (
    LoadEnd,
    note_compared,
    note_recorded,
    note_settled,
    recorded_loads,
    with_notes,
)
from wmtui.pipeline.load.missing_files import refuse_lost, refuse_replaced
from wmtui.pipeline.load.refused_rows import explain_refusal
from wmtui.pipeline.load.table_ledger import (
    TableLedger,
    read_ledger,
    refuse_unknown_loads,
    repair_records,
    tell_or_refuse,
)
from wmtui.pipeline.load.unchanged_files import is_unchanged, note_unchanged, runs_since_unchanged
from wmtui.pipeline.target_check import remember_loaded
from wmtui.runs.load_records import LoadedFile, LoadRecord
from wmtui.warehouses import LoadFile, LoadRequest, LoadResult
from wmtui.watermarks import changes
from wmtui.watermarks.changes import Action, Patch
from wmtui.watermarks.model import SideStatus, Watermark


def load_table(job: Job, mark: Watermark, load_id: str) -> None:
    """Load every file the rules select by this watermark. load_id: new, or that of what was staged ahead.

    Raises NothingSelected when only loading was asked for and files are held back, TableError when a listed part was
    replaced, and whatever the adapters raise.
    """
    job.progress(Phase.SELECTING)
    if is_unchanged(job, mark):
        job.tell("no files to load: they are those of the last sync")
        return
    following: Job | None = job
    while following is not None:
        following, load_id = _load(following, mark, load_id), uuid4().hex


def _load(job: Job, mark: Watermark, load_id: str) -> Job | None:
    """One load, of as many files as the warehouse takes at once; the job that loads the others, None where none are."""
    ledger, last = _check_ledger(job, mark)
    selection = select(job, mark, ledger)
    report_selection(job, selection)
    refuse_replaced(selection)
    refuse_lost(job, mark, selection, ledger)
    if not selection.selected:
        _note_nothing(job, mark, selection, ledger, last)
        return None
    refuse_unknown_loads(job, ledger, mark, selection.selected)
    _settle_token(job, ledger)
    request = bounded(job, build_request(job, mark, selection.selected, ledger, load_id))
    left = len(selection.selected) - len(request.files)
    if left:
        job.tell(f"{len(request.files):,} of these first, {left:,} after them")
    started = job.backend.clock()
    result = _execute(job, request, ledger)
    job.account.files_loaded += len(result.loaded)
    job.account.rows_loaded += result.rows
    warehouse = ledger.known.warehouse or job.backend.warehouse.loads(job.feed).warehouse
    _know_warehouse(job, warehouse)
    note_compared(job, warehouse, job.lease.token)
    if result.loaded:
        ledger.records.add(_record(job, request, result, started, warehouse))
        note_recorded(job, warehouse, request.load_id)
        remember_loaded(job, bool(result.added))
    if left:
        return with_notes(job, warehouse, request.load_id)
    at, fence = job.backend.clock(), job.lease.token
    mark = _note_loaded(job, mark, warehouse, rows=job.account.rows_loaded, at=at, fence=fence)
    keys = {file.key for file in (*result.loaded, *result.already_loaded)}
    newest = request.load_id if result.loaded else ledger.newest_load
    note_settled(job, mark, selection, ledger, end=LoadEnd(keys, warehouse, newest))
    note_unchanged(job, mark, selection, keys, warehouse)
    return None


def _check_ledger(job: Job, mark: Watermark) -> tuple[TableLedger, LoadRecord | None]:
    """What the warehouse has of the table, and the last load of this epoch. Raises TableError for what does not fit and
    must not be loaded over; loads that the store does not know of are recorded.
    """
    ledger = read_ledger(job, mark)
    warehouse = ledger.known.warehouse
    _know_warehouse(job, warehouse)
    tell_or_refuse(job, [f for f in ledger.findings if f.refused or not f.harmful_read])  # Others were reported before.
    recorded = recorded_loads(job.heartbeat).get(warehouse or "")
    last = repair_records(job, mark, ledger, recorded=recorded)
    note_recorded(job, warehouse, ledger.newest_load)
    return ledger, last


def _settle_token(job: Job, ledger: TableLedger) -> None:
    """Before a load under a token that the lock document does not call known: the next run would take it for one of a
    store that was put back, if this process died before it noted the load. It is higher than the ledger's.
    """
    if not job.compared:
        token = max(job.lease.token, ledger.mine.token + 1)
        note_compared(job, ledger.known.warehouse, token)
        job.lease.raise_token(token)


def _know_warehouse(job: Job, warehouse: str | None) -> None:
    """Remember which warehouse this profile loads into, so that previews need not ask it."""
    if warehouse is not None:
        job.backend.watermarks.remember_warehouse(job.backend.profile, warehouse)


def select(scope: Scope, mark: Watermark, ledger: TableLedger) -> Selection:
    """Judge the table's files by a watermark, with what the sync was asked for."""
    backend, options = scope.backend, scope.options
    return backend.files.select(
        mark,
        scope.loading(ledger.known.warehouse),
        scope.heartbeat,
        backend.watermarks.system_for(mark),
        ledger=ledger.files(scope, mark.epoch),
        choice=Choice(reprocess=options.reprocess, keys=options.keys, all_days=options.all_days),
        committed=scope.account.committed if isinstance(scope, Job) else None,
        later_runs=runs_since_unchanged(scope) if isinstance(scope, Job) else None,
    )


def _note_nothing(
    job: Job, mark: Watermark, selection: Selection, ledger: TableLedger, last: LoadRecord | None
) -> None:
    """Nothing to load: an error if only that was asked for and files are held back; else the table is up to date."""
    if selection.summary.only_held_back and not job.options.extract:
        raise NothingSelected(str(selection.summary), selection.summary.hint, "set the watermark, or leave it so")
    warehouse = ledger.known.warehouse
    note_settled(job, mark, selection, ledger, end=LoadEnd(set(), warehouse, ledger.newest_load))
    status = mark.load_status(warehouse, default=job.backend.is_default)
    up_to_date = status == SideStatus.SUCCESS or (status == SideStatus.PENDING and not selection.summary.found)
    if not (selection.summary.only_held_back or up_to_date):
        rows = sum(file.rows for file in last.files) if last is not None else None
        mark = _note_loaded(job, mark, warehouse, rows=rows, at=last.ended if last is not None else None)
    note_unchanged(job, mark, selection, set(), warehouse)


def _execute(job: Job, request: LoadRequest, ledger: TableLedger) -> LoadResult:
    """Load, reporting every staged file; a request to stop is heard between files."""
    total = len(request.files)
    staged: dict[str, int] = {}

    def on_staged(file: LoadFile, rows: int) -> None:
        staged[file.key] = rows  # A first load may stage a file twice.
        files = len(staged)
        job.progress(Phase.MERGING if files == total else Phase.STAGING, sum(staged.values()), files, total)
        job.check()

    def pause(seconds: float) -> None:
        job.tell(
            f"the merge conflicted with another transaction: it is tried again in {seconds:.1f} s", Severity.WARNING
        )
        job.stop.wait(seconds)

    job.progress(Phase.STAGING, files=total)
    job.check()
    warehouse = job.backend.warehouse
    open_file = open_footer if warehouse.reads_store else open_part
    try:
        result = warehouse.load(request, partial(open_file, job.backend.objects, job.table), on_staged, pause)
    except LoadRefused as error:
        raise explain_refusal(job, error) from error
    report_added_columns(job, request.target, result.added, ledger.columns_of(job.feed))
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


def _note_loaded(
    job: Job, mark: Watermark, warehouse: str | None, *, rows: int | None, at: datetime | None, fence: int | None = None
) -> Watermark:
    """Note in the watermark what loads into a warehouse came to; the arguments are those of `changes.finish_load`."""
    backend = job.backend

    def patch(now: Watermark) -> Patch:
        return changes.finish_load(
            now, warehouse, profile=backend.profile, default=backend.is_default, rows=rows, at=at, fence=fence
        )

    return backend.watermarks.change(job.table, Action.LOADED, patch, based_on=mark, leased=True)

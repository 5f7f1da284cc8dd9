"""The sync of one table from lease to release: every failure becomes a result, and the watermark says so too."""

import time

from msgspec import Struct
from msgspec.structs import replace

from wmtui.config import TableConfig
from wmtui.errors import (
    Bug,
    Conflict,
    ExitCode,
    Interrupted,
    LeaseHeld,
    LeaseLost,
    NothingSelected,
    Pinned,
    StoreError,
    TableError,
    TargetMisfit,
    UsageError,
    WarehouseError,
    WmtuiError,
    as_wmtui_error,
)
from wmtui.events import Emit, Message, Severity, Status, Stop, TableResult
from wmtui.files.selection import earlier_runs
from wmtui.model import TableName
from wmtui.objects.clock import StoreClock
from wmtui.pipeline.context import Account, Backend, Job, Scope, SyncOptions, leaves_manual
from wmtui.pipeline.extract.extract_table import extract_table
from wmtui.pipeline.load.load_table import load_table
from wmtui.pipeline.load.staging_ahead import StagingAhead
from wmtui.pipeline.load.table_ledger import TableLedger, read_ledger, refuse_root, tell_or_refuse
from wmtui.pipeline.load.unchanged_files import looks_unchanged
from wmtui.runs.run_document import new_run_id, refuse_incomplete_copy
from wmtui.texts import format_duration
from wmtui.watermarks import changes, lease
from wmtui.watermarks.bounds import shortened
from wmtui.watermarks.changes import Action, Patch
from wmtui.watermarks.lease import Heartbeat, Lease
from wmtui.watermarks.lock_document import LastRun, SyncOutcome
from wmtui.watermarks.model import Watermark
from wmtui.watermarks.store import StoredWatermark

_LOOK_SECONDS = 1.0
"""Between two looks at a lease that is waited for."""


def sync_table(
    backend: Backend, table: TableName, config: TableConfig, options: SyncOptions, *, emit: Emit, stop: Stop
) -> TableResult:
    """Extract and load one table under its lease; a failure of any kind is a result, never an exception."""
    began = time.monotonic()
    account = Account()
    error: WmtuiError | None = None
    try:
        stop.check()
        with backend.warehouse.on_one_connection() as warehouse:
            connected = replace(backend, warehouse=warehouse)
            taken = _wait_and_acquire(connected, table, config, options, emit=emit, stop=stop)
            job = Job(
                table=table,
                config=config,
                backend=connected,
                options=options,
                heartbeat=taken.heartbeat,
                emit=emit,
                lease=taken.lease,
                stop=stop,
                account=account,
                asked=taken.asked,
                compared=taken.compared,
                found=taken.found,
            )
            _under_lease(job)
    except Exception as failure:  # noqa: BLE001 - the other tables go on
        error = as_wmtui_error(failure)
    result = _result(table, account, error, time.monotonic() - began)
    if error is not None and not isinstance(error, Interrupted | NothingSelected):
        done = f"{account} and committed; then it failed: " if str(account) else ""
        emit(Message(str(table), Severity.ERROR, f"{done}{result.error}"))
    if isinstance(error, Bug):
        emit(Message(str(table), Severity.DEBUG, error.trace))
    emit(result)
    return result


class _Taken(Struct, frozen=True):
    """A lease as it was taken.

    asked, compared: the warehouse was to be asked for the table's loads, and it answered. found: the watermark as read
    before, where the table looks unchanged and no other run had it since.
    """

    lease: Lease
    heartbeat: Heartbeat
    asked: bool
    compared: bool
    found: StoredWatermark | None


def _wait_and_acquire(
    backend: Backend, table: TableName, config: TableConfig, options: SyncOptions, *, emit: Emit, stop: Stop
) -> _Taken:
    """Take the table's lease, as soon as the process that holds it lets it go, if that is soon enough.

    Raises LeaseHeld when it is not."""
    until = time.monotonic() + options.wait.total_seconds()
    reported: str | None = None
    while True:
        try:
            return _acquire(backend, table, config, options, emit)
        except LeaseHeld as held:
            if time.monotonic() >= until:
                raise
            if reported != held.what:
                emit(Message(str(table), Severity.INFO, f"waiting up to {format_duration(options.wait)}: {held}"))
            reported = held.what
            _wait(backend, table, options, until, stop)


def _wait(backend: Backend, table: TableName, options: SyncOptions, until: float, stop: Stop) -> None:
    """Look every second whether the table may be taken, until it may or the time is over."""
    while (left := until - time.monotonic()) > 0:
        stop.wait(min(left, _LOOK_SECONDS))
        if lease.read(backend.objects, table).open_to(options.batch):
            return


def _acquire(backend: Backend, table: TableName, config: TableConfig, options: SyncOptions, emit: Emit) -> _Taken:
    backend.watermarks.identity()
    before = lease.read(backend.objects, table)  # First: a run that has the table after this changes it.
    if not before.open_to(options.batch):
        raise before.refusal()
    found, heartbeat = backend.watermarks.read(table), before
    mark = found.watermark
    scope = Scope(table=table, config=config, backend=backend, options=options, heartbeat=heartbeat, emit=emit)
    if isinstance(backend.clock, StoreClock) and (complaint := backend.clock.complaint()):
        scope.tell(complaint, Severity.WARNING)
    refuse_root(scope)
    asked = not looks_unchanged(scope, mark)
    ledger = _compare(scope, mark) if asked and options.load else None
    fence, compared = (mark.fence, None) if ledger is None else (max(mark.fence, ledger.mine.token), ledger.warehouse)
    run = new_run_id(backend.clock(), *earlier_runs(heartbeat))
    author, batch = backend.author, options.batch
    held, heartbeat = lease.acquire(
        backend.objects, backend.clock, author, table, run, fence=fence, batch=batch, found=before, compared=compared
    )
    # What the store knew before this run: the run itself raises the watermark's fence.
    known = replace(heartbeat.document, compared_in=heartbeat.compared_in(mark.fence))
    unchanged = found if not asked and heartbeat.etag == before.etag else None
    return _Taken(held, replace(heartbeat, document=known), asked, compared is not None, unchanged)


def _compare(scope: Scope, mark: Watermark) -> TableLedger | None:
    """What the warehouse has of the table; None where it did not answer, which stops loading, not extracting. A store
    that was lost or replaced counts on from its highest token, instead of being taken for a run that lags behind.

    Raises TableError, before anything is written, where reading would double rows because the store is not what the
    warehouse was loaded from.
    """
    try:
        ledger = read_ledger(scope, mark)
    except WarehouseError:
        return None
    tell_or_refuse(scope, [finding for finding in ledger.findings if finding.harmful_read])
    return ledger


def _under_lease(job: Job) -> None:
    """Sync, note a failure in the watermark, and release the lease with what happened."""
    outcome, error = SyncOutcome.FAILED, None
    try:
        _extract_and_load(job)
        outcome = SyncOutcome.SUCCESS
    except Exception as failure:
        outcome = _outcome(failure)
        error = shortened(as_wmtui_error(failure).in_one_line)
        raise
    finally:
        now = job.backend.clock()
        rows = job.account.rows_loaded if job.options.load else job.account.rows_extracted
        last_run = LastRun(now, outcome, rows, error)
        success = {"last_success": now} if outcome is SyncOutcome.SUCCESS else {}
        journalled = job.backend.watermarks.journal_note(job.table)
        job.lease.release(last_run=last_run, journalled=journalled, **success)


def _outcome(failure: Exception) -> SyncOutcome:
    """What the lock document calls it. Refused: the table is as it was, and the operator or another run is to act."""
    if isinstance(failure, Interrupted):
        return SyncOutcome.INTERRUPTED
    return SyncOutcome.REFUSED if isinstance(failure, UsageError | Conflict | NothingSelected) else SyncOutcome.FAILED


def _extract_and_load(job: Job) -> None:
    extracting = job.options.extract
    ahead = StagingAhead(job)
    try:
        # Read again: an edit may have landed before the lease was taken; now it is refused. Of a table that looks
        # unchanged the first write finds that out; files loaded before it are those of the moment before the edit.
        mark = job.backend.watermarks.current(job.table, job.heartbeat.document.journalled, job.found)
        standing = refuse_incomplete_copy(job.backend.objects, mark)
        if job.options.extract and leaves_manual(job, mark):
            job = replace(job, options=replace(job.options, extract=False))
        if job.options.extract:
            mark = extract_table(job, mark, standing, ahead.add)
        extracting = False
        if job.options.load:
            load_table(job, mark, ahead.finish())
    except TargetMisfit as failure:
        if job.options.load:
            _load_nevertheless(job, mark, ahead.finish())
        _note_failure(job, failure, extracting=extracting)
        raise
    except _QUIET:
        raise
    except Exception as failure:
        _note_failure(job, as_wmtui_error(failure), extracting=extracting)
        raise
    finally:
        ahead.close()


def _load_nevertheless(job: Job, mark: Watermark, load_id: str) -> None:
    """Load what earlier runs committed: it is not concerned by columns that changed since."""
    try:
        load_table(job, mark, load_id)
    except TableError as error:
        job.tell(f"what was extracted earlier could not be loaded either: {error.in_one_line}", Severity.WARNING)


_QUIET = (UsageError, Conflict, Interrupted, NothingSelected, StoreError)
"""Failures that are no state of the table: the operator's, another run's, or of the very store that would note them."""


def _note_failure(job: Job, failure: WmtuiError, *, extracting: bool) -> None:
    """Put the failure into the watermark, once: a run that fails every minute writes one change. One that was replaced
    writes none: the document is another run's by then.
    """

    text = shortened(failure.in_one_line)

    def patch(mark: Watermark) -> Patch:
        if extracting:
            return changes.fail_extraction(text)
        profile = job.backend.profile
        warehouse = job.backend.watermarks.identity().warehouses.get(profile)
        default = job.backend.is_default or warehouse is None
        return changes.fail_load(mark, warehouse, text, profile=profile, default=default)

    try:
        mark = job.backend.watermarks.read(job.table).watermark
        if any(mark.fields[name] != value for name, value in patch(mark).items()):
            job.lease.renew()
            job.backend.watermarks.change(job.table, Action.FAILED, patch, based_on=mark)
    except Exception as error:  # noqa: BLE001 - the failure itself is what is reported
        job.tell(f"could not note the failure: {as_wmtui_error(error)}", Severity.WARNING)


def _result(table: TableName, account: Account, error: WmtuiError | None, seconds: float) -> TableResult:
    return TableResult(
        table=str(table),
        status=_status(error),
        exit_code=error.exit_code if error else ExitCode.DONE,
        rows_extracted=account.rows_extracted,
        rows_loaded=account.rows_loaded,
        files_written=account.files_written,
        files_loaded=account.files_loaded,
        seconds=round(seconds, 3),
        error=error.failure if error else None,
    )


_STATUSES: tuple[tuple[type[WmtuiError], Status], ...] = (
    (Interrupted, Status.INTERRUPTED),
    (NothingSelected, Status.NOTHING_SELECTED),
    (Pinned, Status.PINNED),
    (LeaseLost, Status.FAILED),
    (LeaseHeld, Status.HELD),
    (WmtuiError, Status.FAILED),
)


def _status(error: WmtuiError | None) -> Status:
    return next((status for kind, status in _STATUSES if isinstance(error, kind)), Status.SUCCESS)

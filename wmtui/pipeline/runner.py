"""The sync of one table from lease to release: every failure becomes a result, and the watermark says so too."""

import time
from contextlib import closing

from msgspec import Struct
from msgspec.structs import replace

from wmtui.config import TableConfig
from wmtui.errors import (
    Conflict,
    ExitCode,
    Interrupted,
    NothingSelected,
    StoreError,
    TableError,
    TargetMisfit,
    UsageError,
    WarehouseError,
    WmtuiError,
)
from wmtui.files.runs import new_run_id
from wmtui.files.selection import earlier_runs
from wmtui.model import TableName
from wmtui.pipeline.context import Backend, Job, Options, leaves_manual
from wmtui.pipeline.events import Emit, Message, Severity, Status, Stop, TableResult
from wmtui.pipeline.extract import extract_table
from wmtui.pipeline.extraction import Extracted
from wmtui.pipeline.load import load_table
from wmtui.watermarks import lease
from wmtui.watermarks.model import Watermark
from wmtui.watermarks.timestamps import format_instant, to_instant


class _Account(Struct):
    """What a table's sync has done so far."""

    rows_extracted: int = 0
    rows_loaded: int = 0
    files_written: int = 0
    files_loaded: int = 0


def sync_table(
    backend: Backend, table: TableName, config: TableConfig, options: Options, *, emit: Emit, stop: Stop
) -> TableResult:
    """Extract and load one table under its lease; a failure is a result, never an exception."""
    began = time.monotonic()
    account = _Account()
    error: WmtuiError | None = None
    try:
        stop.check()
        mark = backend.watermarks.read(table).watermark
        backend.watermarks.require_conditions()
        fence = max(mark.fence, _warehouse_fence(backend, table, config) if options.load else 0)
        run = new_run_id(backend.clock(), *earlier_runs(lease.read(backend.objects, table)))
        held, found = lease.acquire(backend.objects, backend.clock, backend.author, table, run, fence=fence)
        _under_lease(Job(table, config, backend, options, found, emit, held, stop), account)
    except WmtuiError as failure:
        error = failure
    result = _result(table, account, error, time.monotonic() - began)
    if error is not None and not isinstance(error, Interrupted | NothingSelected):
        emit(Message(str(table), Severity.ERROR, result.error or ""))
    emit(result)
    return result


def _warehouse_fence(backend: Backend, table: TableName, config: TableConfig) -> int:
    """The highest token the warehouse has seen. A store that was lost or replaced counts on from there, instead of
    being taken for a run that lags behind; a warehouse that does not answer stops loading, not extracting.
    """
    try:
        return backend.warehouse.fence(str(table), config.target)
    except WarehouseError:
        return 0


def _under_lease(job: Job, account: _Account) -> None:
    """Sync, note a failure in the watermark, and release the lease with what happened."""
    outcome, error = "failed", None
    try:
        _extract_and_load(job, account)
        outcome = "success"
    except WmtuiError as failure:
        outcome = "interrupted" if isinstance(failure, Interrupted) else "failed"
        error = failure.in_one_line
        raise
    finally:
        now = format_instant(job.backend.clock())
        rows = account.rows_loaded if job.options.load else account.rows_extracted
        last_run = {"at": now, "outcome": outcome, "rows": rows, "error": error}
        success = {"last_success": now} if outcome == "success" else {}
        job.lease.release({"last_run": last_run, **success})


def _extract_and_load(job: Job, account: _Account) -> None:
    stage = "mysql_status"
    try:
        mark = job.backend.watermarks.current(job.table)
        if job.options.extract and leaves_manual(job, mark):
            job = replace(job, options=replace(job.options, extract=False))
        if job.options.extract:
            mark = _extract(job, mark, account)
        stage = "redshift_status"
        if job.options.load:
            _load(job, mark, account)
    except TargetMisfit as failure:
        if job.options.load:
            _load_nevertheless(job, mark, account)
        _note_failure(job, stage, failure)
        raise
    except _QUIET:
        raise
    except WmtuiError as failure:
        _note_failure(job, stage, failure)
        raise


def _load(job: Job, mark: Watermark, account: _Account) -> None:
    loaded = load_table(job, mark)
    account.files_loaded, account.rows_loaded = loaded.files, loaded.rows


def _load_nevertheless(job: Job, mark: Watermark, account: _Account) -> None:
    """Load what earlier runs committed: it is not concerned by columns that changed since."""
    try:
        _load(job, mark, account)
    except TableError as error:
        job.tell(f"what was extracted earlier could not be loaded either: {error.in_one_line}", Severity.WARNING)


def _extract(job: Job, mark: Watermark, account: _Account) -> Watermark:
    with closing(extract_table(job, mark)) as runs:
        for extracted in runs:
            mark = _extracted(job, extracted, account)
    return mark


def _extracted(job: Job, extracted: Extracted, account: _Account) -> Watermark:
    """Count and tell what a run extracted, and note how far it read; the watermark after it."""
    mark = extracted.mark
    if extracted.run is not None:
        account.rows_extracted += extracted.run.rows
        account.files_written += len(extracted.run.parts)
        job.tell(f"extracted {extracted.run.rows} rows in {len(extracted.run.parts)} parts")
    else:
        job.tell("no news in the source")
    if extracted.run is None and extracted.complete:
        mark = _recovered(job, mark)
    elif not extracted.complete and job.options.limit is not None:
        job.tell("stopped at the limit; more is waiting in the source")
    if extracted.complete:  # Else what an earlier run noted of this position holds: it may have come less far.
        zone = job.backend.zone
        job.lease.note(
            extracted_to=format_instant(to_instant(extracted.high, zone)),
            extracted_from=format_instant(to_instant(extracted.seen_from or extracted.high, zone)),
            extracted_behind=lease.place(mark),
        )
    return mark


def _recovered(job: Job, mark: Watermark) -> Watermark:
    """A run without news changes nothing, but the failure of an earlier one is over."""
    if mark.fields["mysql_status"] in ("success", "pending"):
        return mark
    status = "success" if mark.position else "pending"
    patch = {"mysql_status": status, "last_error": None}
    return job.backend.watermarks.change(job.table, "recovered", lambda _: patch, based_on=mark)


_QUIET = (UsageError, Conflict, Interrupted, NothingSelected, StoreError)
"""Failures that are no state of the table: the operator's, another run's, or of the very store that would note them."""


def _note_failure(job: Job, stage: str, failure: WmtuiError) -> None:
    """Put the failure into the watermark, once: a run that fails every minute writes one change."""
    patch = {stage: "failed", "last_error": failure.in_one_line}
    try:
        mark = job.backend.watermarks.read(job.table).watermark
        if any(mark.fields[name] != value for name, value in patch.items()):
            job.backend.watermarks.change(job.table, "failed", lambda _: patch)
    except WmtuiError as error:
        job.tell(f"could not note the failure: {error}", Severity.WARNING)


def _result(table: TableName, account: _Account, error: WmtuiError | None, seconds: float) -> TableResult:
    status = Status.SUCCESS
    if isinstance(error, Interrupted):
        status = Status.INTERRUPTED
    elif isinstance(error, NothingSelected):
        status = Status.NOTHING_SELECTED
    elif error is not None:
        status = Status.FAILED
    return TableResult(
        table=str(table),
        status=status,
        exit_code=error.exit_code if error else ExitCode.DONE,
        rows_extracted=account.rows_extracted,
        rows_loaded=account.rows_loaded,
        files_written=account.files_written,
        files_loaded=account.files_loaded,
        seconds=round(seconds, 3),
        error=error.in_one_line if error else None,
    )

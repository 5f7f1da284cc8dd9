"""The loading half of a sync: choose files by the watermark, load them with the ledger in one transaction, note it."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from functools import partial

import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import Struct

from wmtui.errors import NothingSelected, ObjectMissing, TableError
from wmtui.files.loads import LoadedFile, LoadRecord, LoadRecords
from wmtui.files.runs import RunState, RunStore
from wmtui.files.selection import Choice, Selection, settled_mark, settled_run
from wmtui.files.verdicts import Candidate, Loads, Reason, explain
from wmtui.model import TableName
from wmtui.objects import ObjectStore
from wmtui.pipeline.context import Job, Scope
from wmtui.pipeline.events import Phase, Severity
from wmtui.pipeline.ledger import as_loads, read_ledger, repair_record
from wmtui.pipeline.target import layout, naming, remember_loaded
from wmtui.warehouses import LoadFile, LoadRequest, LoadResult
from wmtui.watermarks.model import Json, Watermark
from wmtui.watermarks.timestamps import format_instant, format_wall

_KEPT = (Reason.LOADED, Reason.BEFORE_FLOOR, Reason.OUTSIDE_SESSION, Reason.UNLISTED)
"""Own parts that no later load by this watermark takes: a part of this epoch is never outside the session, but carried
over.
"""


_FOOTER_BYTES = 128 * 2**10
"""Enough for some hundred columns and row groups; a larger footer is read with the whole file."""
_MAGIC = b"PAR1"
_TRAILER_BYTES = 4 + len(_MAGIC)
"""The footer's length and the magic number, with which a Parquet file ends."""


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
    entries = read_ledger(job, mark)
    last = repair_record(job, mark, entries)
    selection = select(job, mark, ledger=as_loads(entries))
    _report(job, selection)
    refuse_replaced(selection)
    _refuse_missing(job, mark, selection)
    if not selection.selected:
        return _nothing(job, mark, selection, last)
    request = _request(job, mark, selection.selected)
    started = job.backend.clock()
    result = _execute(job, request)
    if result.loaded:
        LoadRecords(job.backend.objects, job.table).add(_record(job, request, result, started))
        remember_loaded(job, bool(result.added))
    mark = _noted(job, mark, result)
    loaded = {f.key for f in (*result.loaded, *result.already_loaded)}
    _note_settled(job, mark, selection, loaded)
    return Loaded(mark, selection, len(result.loaded), result.rows)


def select(job: Scope, mark: Watermark, *, ledger: Loads | None) -> Selection:
    """Judge the table's files by a watermark, with what the sync was asked for."""
    backend, options = job.backend, job.options
    return backend.files.select(
        mark,
        job.config.target,
        job.heartbeat,
        backend.watermarks.system() if mark.position is None else None,
        ledger=ledger,
        choice=Choice(reprocess=options.reprocess, keys=options.keys),
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
    if selection.summary.hint:
        wanted = selection.summary.held_back or not job.options.extract
        job.tell(selection.summary.hint, Severity.INFO if wanted else Severity.DEBUG)


def refuse_replaced(selection: Selection) -> None:
    """Raises TableError when a listed part is no longer what its run wrote."""
    for verdict in selection.verdicts:
        if verdict.reason is Reason.REPLACED:
            raise TableError(
                f"{verdict.file.key} was replaced",
                explain(verdict, selection.loaded),
                "restore the object's version that the run wrote, or remove it and reset the table",
            )


def _refuse_missing(job: Job, mark: Watermark, selection: Selection) -> None:
    """Raises TableError when a part that a committed run lists is neither in the store nor in the ledger.

    Its rows would be missing, and every later load would look right.
    """
    if selection.basis.session is None:
        return
    objects, store = job.backend.objects, RunStore(job.backend.objects, job.table)
    present = {file.key for file in selection.listing.candidates}
    for name in store.since(settled_run(mark, job.heartbeat, job.config.target)):
        found = store.read(name)
        if found is None or found[0].state is not RunState.COMMITTED or found[0].epoch != mark.epoch:
            continue
        for part in found[0].parts:
            if part.key not in present and (objects.uri(part.key), part.etag) not in selection.loaded:
                raise TableError(
                    f"{part.key} is gone",
                    f"run {name} committed it with {part.rows} rows, and it was never loaded",
                    f"restore it, or read its rows again: `wmtui watermark set -t {job.table} --timestamp …` at or "
                    f"before {format_wall(part.min_cursor)}",
                )


def _nothing(job: Job, mark: Watermark, selection: Selection, last: LoadRecord | None) -> Loaded:
    """Nothing to load: an error if only that was asked for and files are held back; else the table is up to date."""
    if selection.summary.held_back and not job.options.extract:
        raise NothingSelected(str(selection.summary), selection.summary.hint, "set the watermark, or leave it so")
    _note_settled(job, mark, selection, set())
    status = mark.fields["redshift_status"]
    up_to_date = status == "success" or (status == "pending" and not selection.summary.found)
    if selection.summary.held_back or up_to_date:
        return Loaded(mark, selection)
    patch: Json = {"redshift_status": "success", "last_error": None}
    if last is not None:
        rows = sum(file.rows for file in last.files)
        patch |= {"redshift_rows_loaded": rows, "last_redshift_load_time": _whole_seconds(last.ended)}
    return Loaded(job.backend.watermarks.change(job.table, "loaded", lambda _: patch), selection)


def _request(job: Job, mark: Watermark, files: Sequence[Candidate]) -> LoadRequest:
    return LoadRequest(
        load_id=uuid.uuid4().hex,
        table=str(job.table),
        target=job.config.target,
        epoch=mark.epoch,
        token=job.lease.token,
        cursor=job.config.cursor,
        primary_key=job.config.primary_key,
        files=tuple(LoadFile(f.key, f.uri, f.etag, f.size, f.part.rows if f.part else None) for f in files),
        reprocess=job.options.reprocess,
        naming=naming(job),
        layout=layout(job),
    )


def _execute(job: Job, request: LoadRequest) -> LoadResult:
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
    result = warehouse.load(request, partial(opened, job.backend.objects, job.table), on_staged)
    if result.added:
        job.tell(f"{request.target} has new columns, NULL in the rows it had: {', '.join(result.added)}")
    for file in result.already_loaded:
        job.tell(f"{file.key} was loaded by another load meanwhile", Severity.WARNING)
    return result


def _record(job: Job, request: LoadRequest, result: LoadResult, started: datetime) -> LoadRecord:
    return LoadRecord(
        load_id=request.load_id,
        target=request.target,
        epoch=request.epoch,
        token=request.token,
        started=started,
        ended=job.backend.clock(),
        files=tuple(LoadedFile(f.key, f.uri, f.etag, f.rows or 0) for f in result.loaded),
    )


def open_part(objects: ObjectStore, table: TableName, file: LoadFile) -> pq.ParquetFile:
    """A file's content, of exactly the version that was chosen; raises TableError for any other."""
    return _parquet(file, _version(objects, table, file, None))


def open_footer(objects: ObjectStore, table: TableName, file: LoadFile) -> pq.ParquetFile:
    """The same without its rows: schema and counts, read from the end of the file."""
    if file.size > _FOOTER_BYTES:
        data = _version(objects, table, file, _FOOTER_BYTES)
        footer = int.from_bytes(data[-_TRAILER_BYTES : -len(_MAGIC)], "little") + _TRAILER_BYTES
        if data.endswith(_MAGIC) and footer <= len(data):
            return _parquet(file, _MAGIC + data[-footer:])
    return open_part(objects, table, file)


def _version(objects: ObjectStore, table: TableName, file: LoadFile, last: int | None) -> bytes:
    try:
        found = objects.get(file.key, last=last)
    except ObjectMissing:
        raise TableError(f"{file.key} is gone", "it was listed a moment ago", "sync again") from None
    if found.info.etag != file.etag:
        raise TableError(f"{file.key} was replaced", f"a file of {table} changed after it was chosen", "sync again")
    return found.data


def _parquet(file: LoadFile, data: bytes) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(pa.BufferReader(data))
    except (pa.ArrowInvalid, OSError) as error:
        raise TableError(
            f"{file.key} is not a readable Parquet file", str(error), "replace or remove it, then sync again"
        ) from None


def _noted(job: Job, mark: Watermark, result: LoadResult) -> Watermark:
    """The watermark behind a load. A manual one stays manual: loading moves no position."""
    patch: Json = {
        "redshift_status": "success",
        "redshift_rows_loaded": result.rows,
        "last_redshift_load_time": _whole_seconds(job.backend.clock()),
        "fence": job.lease.token,
        "last_error": None,
    }
    return job.backend.watermarks.change(job.table, "loaded", lambda _: patch, based_on=mark)


def _whole_seconds(instant: datetime) -> str:
    return format_instant(instant.replace(microsecond=0))


def _note_settled(job: Job, mark: Watermark, selection: Selection, loaded: set[str]) -> None:
    """Leave the newest run up to which nothing is left to load, so that later listings may begin behind it."""
    open_runs = {
        v.file.part.run
        for v in selection.verdicts
        if v.file.part is not None
        and v.reason not in _KEPT
        and v.file.key not in loaded
        and v.file.part.state is not RunState.ABANDONED
    }
    if job.options.keys or selection.basis.session is None:
        return
    before = settled_run(mark, job.heartbeat, job.config.target)
    newest = before
    for run in RunStore(job.backend.objects, job.table).since(before):
        if run in open_runs or run == mark.pending_extraction:
            break
        newest = run
    job.lease.note(settled=settled_mark(newest, mark, job.config.target))

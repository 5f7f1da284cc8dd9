"""What the warehouse's ledger says is loaded, and the store's copy of it made good."""

from collections.abc import Sequence
from datetime import timedelta

from wmtui.files.loads import LoadedFile, LoadRecord, LoadRecords
from wmtui.files.verdicts import Loads
from wmtui.pipeline.context import Job, Scope
from wmtui.pipeline.events import Severity
from wmtui.warehouses import LedgerEntry
from wmtui.watermarks.model import Watermark


def read_ledger(job: Scope, mark: Watermark) -> list[LedgerEntry]:
    """What the warehouse says is loaded, oldest first; warns when the target is empty although it says so."""
    target = job.config.target
    entries = job.backend.warehouse.ledger(str(job.table), target, mark.epoch)
    if entries and not job.options.reprocess and job.backend.warehouse.is_empty(target):
        job.tell(
            f"target {target} is empty although {len(entries)} files were loaded into it; "
            "`--reprocess` loads them again",
            Severity.WARNING,
        )
    return entries


def as_loads(entries: Sequence[LedgerEntry]) -> Loads:
    """The ledger as the rules want it."""
    return {(e.uri, e.etag): (e.loaded_at, e.load_id) for e in entries}


def repair_record(job: Job, mark: Watermark, entries: Sequence[LedgerEntry]) -> LoadRecord | None:
    """The last load as the ledger has it, recorded now if a crash came between its commit and its load record.

    Every load looks at the one before it, so no older one can be missing.
    """
    if not entries:
        return None
    last = entries[-1]
    files = [e for e in entries if e.load_id == last.load_id]
    root = job.backend.objects.uri("")
    record = LoadRecord(
        load_id=last.load_id,
        target=job.config.target,
        epoch=mark.epoch,
        token=mark.fence,
        started=last.loaded_at,
        ended=last.loaded_at,
        files=tuple(LoadedFile(e.uri.removeprefix(root), e.uri, e.etag, e.rows) for e in files),
    )
    records = LoadRecords(job.backend.objects, job.table)
    # The warehouse dates the entry, the host dated the record: their days may differ by one.
    if all(known.load_id != last.load_id for known in records.since(last.loaded_at.date() - timedelta(days=1))):
        job.tell(f"load {last.load_id} was committed but not recorded; recording it now")
        records.add(record)
    return record

"""What a load asks of the warehouse: the files, each with its place among those that are loaded already."""

from collections.abc import Sequence

from msgspec.structs import replace

from wmtui.files.verdicts import Candidate
from wmtui.layout import parse_part
from wmtui.pipeline.context import Job
from wmtui.pipeline.load.table_ledger import TableLedger
from wmtui.pipeline.target_check import layout, naming
from wmtui.runs.load_records import Loads
from wmtui.warehouses import LoadFile, LoadRequest
from wmtui.watermarks.model import Watermark


def empty_request(job: Job, load_id: str) -> LoadRequest:
    """A load that is not decided on yet: of what a run under way writes."""
    return LoadRequest(
        load_id=load_id,
        feed=job.feed,
        epoch=0,
        token=job.lease.token,
        run=job.lease.run,
        cursor=job.config.cursor,
        primary_key=job.config.primary_key,
        files=(),
        naming=naming(job),
        layout=layout(job),
        one_run=True,
    )


def build_request(
    job: Job, mark: Watermark, files: Sequence[Candidate], ledger: TableLedger, load_id: str
) -> LoadRequest:
    """The load of these files into a table's target, by what its ledger has."""
    loads = ledger.files(job, mark.epoch).loads
    newest = max((name.run for key in loads if (name := parse_part(job.table, key)) is not None), default="")
    first = bool(ledger.mine.entries) and max(entry.epoch for entry in ledger.mine.entries) < mark.epoch
    return replace(
        empty_request(job, load_id),
        epoch=mark.epoch,
        files=tuple(_load_file(file, newest, loads, mark.epoch if first else None) for file in files),
        reprocess=job.options.reprocess,
        target_rows=ledger.known.target.rows if ledger.known.target.exists else 0,
        claim=ledger.mine.claim,
        after=ledger.newest_load,
        one_run=len({file.part.run if file.part else file.key for file in files}) == 1,
    )


def bounded(job: Job, request: LoadRequest) -> LoadRequest:
    """As many of the files as the warehouse takes in one transaction, the oldest; all of them where a second load would
    take the target's rows for newer ones, after a reset, or the files for loaded ones.
    """
    if request.reprocess or any(file.replaces for file in request.files):
        return request
    return replace(request, files=request.files[: job.backend.warehouse.most_files])


def _load_file(file: Candidate, newest: str, loads: Loads, reset_to: int | None) -> LoadFile:
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
        run=part.run if part is not None else None,
    )

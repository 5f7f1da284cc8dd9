"""What a comparison is based on: the watermark's position, what runs have read, and which of their files are loaded."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from wmtui.errors import SourceError
from wmtui.files.selection import Choice, Loading
from wmtui.pipeline.context import Scope
from wmtui.pipeline.extract.overlap import known_rows
from wmtui.pipeline.extract.plan import high_of
from wmtui.pipeline.extract.plan_extraction import clock_of, last_run, plan_extraction
from wmtui.pipeline.load.table_ledger import TableLedger, read_ledger
from wmtui.runs.load_records import Destination
from wmtui.runs.run_document import Run, RunState, RunStore
from wmtui.sources import SourceConnection, SourceTable
from wmtui.verify.expected_rows import Point, overlap_of, stretches
from wmtui.verify.unloaded_files import Unloaded, unloaded
from wmtui.watermarks.model import Watermark
from wmtui.watermarks.timestamps import format_wall, to_instant
from wmtui.watermarks.zones import refuse_foreign

_READERS = 16


class Inputs(Struct, frozen=True):
    """mark: the watermark, read before anything else. unloaded: files that are not loaded. began: where each committed
    run of this epoch began. warehouse: its id. refused: the next load is, because of what is in the target.
    """

    mark: Watermark
    table: SourceTable
    point: Point
    unloaded: tuple[Unloaded, ...]
    began: Mapping[str, datetime | None]
    warehouse: str | None
    refused: bool


def read_inputs(scope: Scope, source: SourceConnection, since: datetime | None) -> Inputs:
    """Everything but the rows.

    since: rows with a cursor from here on count as extracted, whatever the runs say; wall clock in the profile's zone.
    """
    backend, config = scope.backend, scope.config
    mark = backend.watermarks.read(scope.table).watermark
    refuse_foreign(mark, backend.zone)
    table = source.describe(scope.table, config)
    _refuse_late(scope, source, table, mark)
    runs = list(_committed(scope, mark.epoch))
    ledger = read_ledger(scope, mark)
    waiting = _unloaded(scope, mark, runs, ledger)
    plan, previous = plan_extraction(scope, source, mark, table, last_run(scope))
    now = clock_of(scope, source).now
    point = Point(mark.position, overlap_of(plan), known_rows(previous), stretches(runs, since), now)
    return Inputs(
        mark=mark,
        table=table,
        point=point,
        unloaded=waiting,
        began={run.run: run.low for run in runs},
        warehouse=ledger.known.warehouse,
        refused=any(finding.refused for finding in ledger.findings),
    )


def _unloaded(scope: Scope, mark: Watermark, runs: list[Run], ledger: TableLedger) -> tuple[Unloaded, ...]:
    """Files that are not loaded, by the ledger."""
    backend, config = scope.backend, scope.config
    selection = backend.files.select(
        mark,
        Loading(Destination(ledger.known.warehouse, config.target), keyless=not config.primary_key),
        scope.heartbeat,
        backend.watermarks.system_for(mark),
        ledger=ledger.files(scope, mark.epoch),
        choice=Choice(all_days=True),
    )
    return unloaded(backend.objects, runs, selection, mark.position)


def _refuse_late(scope: Scope, source: SourceConnection, table: SourceTable, mark: Watermark) -> None:
    """Raises SourceError on a replica that does not show yet what was read: its rows would count as extra."""
    clock, zone = clock_of(scope, source), scope.backend.zone
    high = high_of(clock, scope.config, table.cursor_digits, zone)
    if clock.delay and mark.position and to_instant(high, zone) < to_instant(mark.position.cursor, zone):
        raise SourceError(
            f"the source is a replica that is behind the watermark of {scope.table}",
            f"it shows rows up to {format_wall(high)}, and they were read up to {format_wall(mark.position.cursor)}",
            "compare again when it has caught up",
        )


def _committed(scope: Scope, epoch: int) -> Iterator[Run]:
    """The committed runs of an epoch, oldest first."""
    store = RunStore(scope.backend.objects, scope.table)
    with ThreadPoolExecutor(_READERS, thread_name_prefix="runs") as pool:
        for stored in pool.map(store.read, store.since("")):
            if stored is not None and stored.run.state is RunState.COMMITTED and stored.run.epoch == epoch:
                yield replace(stored.run, seen=b"")

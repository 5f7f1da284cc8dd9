"""What a comparison is based on: the watermark's position, what runs have read, and which of their files are loaded."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from msgspec import Struct

from wmtui.errors import SourceError
from wmtui.files.runs import Run, RunState, RunStore
from wmtui.pipeline.context import Scope
from wmtui.pipeline.extract import clock_of, last_run, plan_table
from wmtui.pipeline.extraction import known_rows
from wmtui.pipeline.ledger import read_ledger
from wmtui.pipeline.plan import high_of
from wmtui.pipeline.verify.expected import Point, Stretch, stretches
from wmtui.sources import SourceConnection, SourceTable
from wmtui.warehouses import LoadFile
from wmtui.watermarks.model import Watermark
from wmtui.watermarks.timestamps import format_wall, to_instant
from wmtui.watermarks.zones import refuse_foreign

_READERS = 16


class Inputs(Struct, frozen=True):
    """mark: the watermark, read before anything else. waiting: committed files of this epoch that are not loaded."""

    mark: Watermark
    table: SourceTable
    point: Point
    waiting: tuple[LoadFile, ...]


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
    loaded = read_ledger(scope, mark).files(scope, mark.epoch).loads
    plan, previous = plan_table(scope, source, mark, table, last_run(scope))
    read = (Stretch(since, True, None),) if since else stretches(runs)
    waiting = tuple(file for file in _files(scope, runs) if file.key not in loaded)
    return Inputs(mark, table, Point.of(mark.position, plan, known_rows(previous), read), waiting)


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
        for found in pool.map(store.read, store.since("")):
            if found is not None and found[0].state is RunState.COMMITTED and found[0].epoch == epoch:
                yield found[0]


def _files(scope: Scope, runs: list[Run]) -> Iterator[LoadFile]:
    for run in runs:
        for part in run.parts:
            yield LoadFile(part.key, scope.backend.objects.uri(part.key), part.etag, part.size, part.rows)

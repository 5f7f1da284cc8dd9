"""What a comparison is based on: the watermark's position, what runs have read, and which of their files are loaded."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from msgspec import Struct

from wmtui.files.runs import Run, RunState, RunStore
from wmtui.pipeline.context import Scope
from wmtui.pipeline.extract import last_run, plan_table
from wmtui.pipeline.extraction import known_rows
from wmtui.pipeline.verify.expected import Point, Stretch, stretches
from wmtui.sources import SourceConnection, SourceTable
from wmtui.warehouses import LoadFile
from wmtui.watermarks.model import Watermark

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
    table = source.describe(scope.table, config)
    runs = list(_committed(scope, mark.epoch))
    loaded = {(e.uri, e.etag) for e in backend.warehouse.ledger(str(scope.table), config.target, mark.epoch)}
    plan, previous = plan_table(scope, source, mark, table, last_run(scope))
    read = (Stretch(since, True, None),) if since else stretches(runs)
    waiting = tuple(file for file in _files(scope, runs) if (file.uri, file.etag) not in loaded)
    return Inputs(mark, table, Point.of(mark.position, plan, known_rows(previous), read), waiting)


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

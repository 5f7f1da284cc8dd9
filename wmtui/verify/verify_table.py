"""Compare a table's source with its warehouse, at the watermark's position, in bounded memory.

The order of reading keeps races out without a lock: first the position, then the warehouse, then the source. So every
row of the source is at least as new as what the warehouse was compared at, and what changed since is beyond the
position. What differs nevertheless is looked at a second time, and only what is still there is reported.
"""

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from functools import partial

import pyarrow as pa

from wmtui.errors import TableError, Unreadable
from wmtui.events import Phase, Progress, Severity, Stop
from wmtui.pipeline.background import Background
from wmtui.pipeline.context import Scope
from wmtui.pipeline.extract.limits import LimitCheck
from wmtui.pipeline.load.file_reader import open_part
from wmtui.pipeline.load.table_ledger import read_ledger
from wmtui.pipeline.target_check import naming
from wmtui.sources import SourceConnection
from wmtui.verify import row_encoding
from wmtui.verify.comparison_inputs import Inputs, read_inputs
from wmtui.verify.expected_rows import FIRST_GAP, Expectation, gaps
from wmtui.verify.gap_causes import explain, journal_entries
from wmtui.verify.problems import FIRST_FILES, Case, left_out, problems
from wmtui.verify.result import Example, Verification
from wmtui.verify.row_differences import OF_SOURCE, Comparison, Outcome, RowKind, open_comparison
from wmtui.verify.spool import told_in_words
from wmtui.verify.target_forms import Forms
from wmtui.verify.unloaded_files import Unloaded, still_unloaded
from wmtui.watermarks.documents import Json
from wmtui.watermarks.timestamps import format_wall

BATCH_ROWS = 10_000
SECOND_LOOK = 2_500
"""Keys of each finding that are looked at a second time; where there are more, races do not explain them."""
_KEYS_AT_ONCE = 500


def verify_table(scope: Scope, *, since: datetime | None, examples: int, stop: Stop) -> tuple[Verification, str | None]:
    """Compare one table; also the id of its warehouse. since: see `read_inputs`. examples: how many of each finding to
    list.

    Raises Interrupted when asked to stop, TableError when the target lacks a column or where there is no room to
    compare, and what the adapters raise.
    """
    with told_in_words(), scope.backend.source.connect() as source:
        return _verify(scope, source, since=since, examples=examples, stop=stop)


def _verify(
    scope: Scope, source: SourceConnection, *, since: datetime | None, examples: int, stop: Stop
) -> tuple[Verification, str | None]:
    inputs = read_inputs(scope, source, since)
    keyed = bool(inputs.table.primary_key)
    with open_comparison(keyed=keyed, most=SECOND_LOOK) as comparison:
        first = _Pass(scope, source, inputs, comparison, stop)
        outcome = first.read(None)
    listed: tuple[Example, ...] = ()
    if keys := sorted({key for keys in outcome.first.values() for key in keys}):
        with open_comparison(keyed=keyed, most=examples, only=keys) as comparison:
            again = _Pass(scope, source, inputs, comparison, stop).read(keys)
            outcome.counts = outcome.counts - outcome.of(keys) + again.counts
            listed = tuple(_examples(inputs, Forms(naming(scope)).schema(inputs.table.schema), comparison, again.first))
    _warn_of_motion(scope, inputs)
    return _verification(scope, inputs, first, outcome, listed), inputs.warehouse


def _verification(
    scope: Scope, inputs: Inputs, first: "_Pass", outcome: Outcome, examples: tuple[Example, ...]
) -> Verification:
    position, every_gap = inputs.point.position, gaps(inputs.point.read)
    skipped = [gap for part, gap in enumerate(every_gap, FIRST_GAP) if outcome.parts[part]]
    entries = _readable(scope, journal_entries(scope.backend.objects, inputs.mark))
    placed = explain(skipped, entries, position=position, epoch=inputs.mark.epoch, began=inputs.began)
    waiting = inputs.unloaded
    if waiting:
        loads = read_ledger(scope, inputs.mark).files(scope, inputs.mark.epoch).loads
        waiting = still_unloaded(waiting, loads.keys() | first.gone)
    case = Case(
        table=inputs.table,
        config=scope.config,
        zone=scope.backend.zone,
        gaps=every_gap,
        unloaded=waiting,
        placed=placed,
        outcome=outcome,
        future=first.rows[RowKind.FUTURE],
        refused=inputs.refused,
    )
    return Verification(
        table=str(scope.table),
        position=format_wall(position.cursor) if position else None,
        source_rows=sum(first.rows[kind] for kind in OF_SOURCE),
        warehouse_rows=first.rows[RowKind.WAREHOUSE],
        ahead=first.rows[RowKind.AHEAD],
        waiting=sum(rows for part, rows in outcome.parts.items() if part >= FIRST_FILES),
        counts=outcome.counts,
        examples=examples,
        problems=problems(case),
        left_out=left_out(case),
    )


def _readable(scope: Scope, entries: Iterator[Json]) -> Iterator[Json]:
    """The journal as far as it can be read: what lies before that is unknown."""
    try:
        yield from entries
    except Unreadable as error:
        scope.tell(f"{error}; who left out rows before that is not known", Severity.WARNING)


class _Pass:
    """One reading of both sides into a comparison. rows: how many of each kind were read. gone: files that are."""

    def __init__(
        self, scope: Scope, source: SourceConnection, inputs: Inputs, comparison: Comparison, stop: Stop
    ) -> None:
        self._scope = scope
        self._from = source
        self._inputs = inputs
        self._comparison = comparison
        self._stop = stop
        self._forms = Forms(naming(scope))
        self._schema = self._forms.schema(inputs.table.schema)
        self._keys = row_encoding.key_schema(self._schema, inputs.table.primary_key)
        self._limits = LimitCheck(inputs.table, scope.config, scope.backend.warehouse.limits)
        self.rows = dict.fromkeys(RowKind, 0)
        self.gone: set[str] = set()

    def read(self, only: list[bytes] | None) -> Outcome:
        """Read everything, of the source only these keys where there are some; then compare."""
        backend, table = self._scope.backend, self._inputs.table
        beyond = self._inputs.point.beyond if self._keys.names else None
        if beyond is not None:
            self._take(self._from.read(table, beyond, BATCH_ROWS, self._scope.tell), RowKind.BEYOND)
        config = self._scope.config
        columns = {name: naming(self._scope).of(name) or name for name in self._schema.names}
        self._take(backend.warehouse.read(config.target, columns, BATCH_ROWS), RowKind.WAREHOUSE)
        for number, kept_out in enumerate(self._inputs.unloaded, FIRST_FILES):
            self._take(self._files(kept_out), RowKind.WAITING, number)
        self._take(self._source(only), Expectation(table, backend.zone, self._inputs.point))
        return self._comparison.compare()

    def _source(self, only: list[bytes] | None) -> Iterator[pa.RecordBatch]:
        source, table = self._from, self._inputs.table
        if only is None or not self._keys.names:
            yield from source.scan(table, BATCH_ROWS, None, self._scope.tell)
            return
        keys = [key for row in only if (key := row_encoding.decode_key(row, self._keys)) is not None]
        for start in range(0, len(keys), _KEYS_AT_ONCE):
            yield from source.scan(table, BATCH_ROWS, keys[start : start + _KEYS_AT_ONCE])

    def _files(self, kept_out: Unloaded) -> Iterator[pa.RecordBatch]:
        """Rows of committed files that are not loaded."""
        for file in kept_out.own:
            try:
                part = open_part(self._scope.backend.objects, self._scope.table, file)
            except TableError as error:
                self.gone.add(file.key)
                self._scope.tell(f"{error}; its rows count as missing", Severity.WARNING)
                continue
            for batch in part.iter_batches(BATCH_ROWS):
                lacking = [field for field in self._inputs.table.schema if field.name not in batch.schema.names]
                nulls = [pa.nulls(batch.num_rows, field.type) for field in lacking]
                names = [*batch.schema.names, *(field.name for field in lacking)]
                yield pa.record_batch([*batch.columns, *nulls], names=names)

    def _take(self, batches: Iterator[pa.RecordBatch], kind: RowKind | Expectation, part: int | None = None) -> None:
        """Take rows in while the next ones are read."""
        background = Background(f"verify {self._scope.table}")
        try:
            with closing(_generator(batches)) as read:
                for batch in read:
                    self._stop.check()
                    background.submit(partial(self._add, batch, kind, part))
            background.wait()
        finally:
            background.close()

    def _add(self, batch: pa.RecordBatch, kind: RowKind | Expectation, part: int | None) -> None:
        rows = batch.num_rows
        if isinstance(kind, RowKind):
            kinds, cursor = pa.repeat(pa.scalar(int(kind), pa.uint8()), rows), pa.nulls(rows, pa.int64())
            parts = pa.nulls(rows, pa.uint16()) if part is None else pa.repeat(pa.scalar(part, pa.uint16()), rows)
        else:  # Texts that are cut on their way are compared as they were loaded.
            batch = self._limits.shortened(batch)
            kinds, parts = kind.kinds(batch), kind.parts(batch.column(self._inputs.table.cursor))
            cursor = batch.column(self._inputs.table.cursor).cast(pa.int64())
        batch = self._forms.kept(batch) if kind is RowKind.WAREHOUSE else self._forms.converted(batch)
        keys = row_encoding.encode(batch, self._keys) if self._keys.names else pa.nulls(rows, pa.binary())
        only_key = self._keys.names and kind in (RowKind.BEYOND, RowKind.WAITING)
        encoded = pa.nulls(rows, pa.binary()) if only_key else row_encoding.encode(batch, self._schema)
        names = ["kind", "part", "key", "cursor", "cells"]
        self._comparison.add(pa.record_batch([kinds, parts, keys, cursor, encoded], names=names))
        for counted in kinds.value_counts().to_pylist():
            self.rows[RowKind(counted["values"])] += counted["counts"]
        self._scope.emit(Progress(str(self._scope.table), Phase.COMPARING, sum(self.rows.values())))


def _generator(batches: Iterator[pa.RecordBatch]) -> Generator[pa.RecordBatch, None, None]:
    """Closing it closes what it reads from."""
    yield from batches


def _examples(
    inputs: Inputs, schema: pa.Schema, comparison: Comparison, first: Mapping[str, Sequence[bytes]]
) -> Iterator[Example]:
    rows = comparison.rows_of([key for keys in first.values() for key in keys])
    for finding, keys in first.items():
        for key in keys:
            yield _example(inputs, schema, finding, key, rows[key])


def _example(
    inputs: Inputs, schema: pa.Schema, finding: str, key: bytes, rows: tuple[list[bytes], list[bytes]]
) -> Example:
    source, warehouse = rows
    keys = row_encoding.key_schema(schema, inputs.table.primary_key)
    if not keys.names:
        here, there = (_named(schema, rows[0]) if rows else None for rows in (source, warehouse))
        return Example(finding, {}, here, there)
    values = row_encoding.decode_key(key, keys) or row_encoding.decode(key, keys)
    named = dict(zip(keys.names, values, strict=True))
    if finding != "differing":
        return Example(finding, named, None, None)
    here, there = _named(schema, source[0]), _named(schema, next(row for row in warehouse if row != source[0]))
    unlike = [name for name in schema.names if here[name] != there[name]]
    return Example(finding, named, {name: here[name] for name in unlike}, {name: there[name] for name in unlike})


def _named(schema: pa.Schema, row: bytes) -> dict[str, str | None]:
    return dict(zip(schema.names, row_encoding.decode(row, schema), strict=True))


def _warn_of_motion(scope: Scope, inputs: Inputs) -> None:
    """A run at work meanwhile does not make the result wrong, but it is about a position that has passed."""
    now = scope.backend.watermarks.read(scope.table).watermark
    if scope.heartbeat.held or now.serial != inputs.mark.serial:
        scope.tell("a run was at work meanwhile; compared at the position before it", Severity.WARNING)

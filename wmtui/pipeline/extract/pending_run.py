"""The run a watermark waits for: what it is, and whether it can go on. Looking changes nothing."""

from collections.abc import Sequence
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from wmtui.errors import ConfigError
from wmtui.model import Order
from wmtui.pipeline.context import Scope
from wmtui.pipeline.extract.continuity import same_rows
from wmtui.runs.run_document import Column, Run, RunState, RunStore
from wmtui.sources import SourceConnection, SourceTable
from wmtui.watermarks.model import Watermark


class PendingKind(StrEnum):
    """NONE: the watermark waits for nothing. LOST: its run has no document or was abandoned. COMMITTED: the watermark
    has not followed yet. RESUMABLE: it goes on after its durable parts. STALE: it cannot go on.
    """

    NONE = "none"
    LOST = "lost"
    COMMITTED = "committed"
    RESUMABLE = "resumable"
    STALE = "stale"


class Pending(Struct, frozen=True):
    """The run a watermark waits for, with its document's ETag."""

    kind: PendingKind
    run: Run | None = None
    etag: str = ""


def find_pending(scope: Scope, mark: Watermark, table: SourceTable, source: SourceConnection) -> Pending:
    """The run a watermark waits for; it cannot go on in another table than it has read so far.

    Raises Unreadable, and ConfigError when it reads by another cursor or key.
    """
    if mark.pending_extraction is None:
        return Pending(PendingKind.NONE)
    stored = RunStore(scope.backend.objects, scope.table).read(mark.pending_extraction)
    if stored is None:
        return Pending(PendingKind.LOST)
    run, etag = stored.run, stored.etag
    if run.state is RunState.ABANDONED:
        return Pending(PendingKind.LOST, run, etag)
    refuse_other_order(run, table)
    if run.state is RunState.COMMITTED:
        return Pending(PendingKind.COMMITTED, run, etag)
    stale = run.order is Order.NONE or run.epoch != mark.epoch or not same_columns(run.schema, columns_of(table))
    stale = stale or run.timezone not in (None, scope.backend.zone.key)
    stale = stale or not same_rows(source, table, run, scope.backend.zone)
    return Pending(PendingKind.STALE if stale else PendingKind.RESUMABLE, run, etag)


def refuse_other_order(run: Run, table: SourceTable) -> None:
    """Raises ConfigError when a run counted by another cursor or primary key than the settings name now: its position
    says nothing about theirs, and going on from it would skip rows.
    """
    before, now = (run.cursor, run.primary_key), (table.cursor, table.primary_key)
    if before != now:
        raise ConfigError(
            f"{table.table} was read by {_order(*before)} so far, and is to be read by {_order(*now)} now",
            "the watermark is a position in the old order; going on from it would skip rows",
            f"say where to begin in the new one: `wmtui watermark set -t {table.table} --timestamp …`, or "
            f"`wmtui watermark reset -t {table.table}`",
        )


def same_columns(before: Sequence[Column], now: Sequence[Column]) -> bool:
    """Whether a run read these very columns; what it did not note of them does not count."""
    return len(before) == len(now) and all(
        old == (new if old.extra is not None else replace(new, extra=None))
        for old, new in zip(before, now, strict=True)
    )


def columns_of(table: SourceTable) -> tuple[Column, ...]:
    """The table's columns as a run document holds them."""
    return tuple(
        Column(
            f.name,
            (f.metadata or {}).get(b"source_type", b"").decode(),
            str(f.type),
            (f.metadata or {}).get(b"extra", b"").decode(),
        )
        for f in table.schema
    )


def _order(cursor: str, primary_key: tuple[str, ...]) -> str:
    return f"{cursor} ({', '.join(primary_key) or 'no primary key'})"

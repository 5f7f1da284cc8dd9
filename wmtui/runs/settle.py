"""What becomes of a run that began and whose end the watermark has not seen."""

from datetime import datetime

from msgspec.structs import replace

from wmtui.errors import Unreadable
from wmtui.model import Order, Strategy
from wmtui.objects import ObjectStore
from wmtui.runs.run_document import Run, RunState, RunStore, is_run_id, run_started
from wmtui.watermarks import changes, lease, source_progress
from wmtui.watermarks.changes import Action, Patch
from wmtui.watermarks.model import Watermark
from wmtui.watermarks.store import WatermarkStore


def patch_extracted(
    mark: Watermark, run: Run, now: datetime, digits: int | None = None, read_to: datetime | None = None
) -> Patch:
    """The watermark after a committed run: at the last row it wrote. digits: fraction digits of the cursor column.

    read_to: up to where the source had been read before.
    """
    if run.final is None:
        raise Unreadable(f"run {run.run} of {run.table}", "it is committed without a position")
    return changes.finish_run(
        mark,
        run=run.run,
        position=run.final,
        digits=digits,
        timezone=run.timezone,
        at=now,
        strategy=run.strategy,
        rows=run.rows,
        files=len(run.parts),
        read_to=read_to,
    )


def settle_for_edit(objects: ObjectStore, watermarks: WatermarkStore, mark: Watermark, now: datetime) -> Watermark:
    """Before an operator moves a watermark: a committed run is taken over, a running one abandoned.

    Returns the watermark as it is then. Raises LeaseHeld while a live run holds the table: editing under a run would
    be undone by it, or undo it.
    """
    heartbeat = lease.read(objects, mark.table)
    if heartbeat.held:
        raise heartbeat.refusal()
    if mark.pending_extraction is None:
        return mark
    store = RunStore(objects, mark.table)
    stored = store.read(mark.pending_extraction)
    if stored is None:
        bury(store, mark, mark.pending_extraction)
    elif stored.run.state is RunState.COMMITTED:
        run, before = stored.run, source_progress.read_to(mark, heartbeat, watermarks.zone)

        def patch(seen: Watermark) -> Patch:
            return patch_extracted(seen, run, now, read_to=before)

        return watermarks.change(mark.table, Action.EXTRACTED, patch, based_on=mark, by_hand=True)
    elif stored.run.state is RunState.RUNNING:
        store.save(replace(stored.run, state=RunState.ABANDONED), stored.etag)
    return watermarks.change(mark.table, Action.RUN_ABANDONED, changes.abandon_run(), based_on=mark, by_hand=True)


def bury(store: RunStore, mark: Watermark, run: str) -> None:
    """Write the document of a run that began and has none, as abandoned: its process, if it lives, can never commit.

    Raises Conflict when it has one by now.
    """
    if not is_run_id(run):
        return
    started = run_started(run)
    store.create(
        Run(
            table=str(mark.table),
            run=run,
            token=mark.fence,
            epoch=mark.epoch,
            started=started,
            strategy=Strategy.SEQUENTIAL,
            order=Order.NONE,
            low=None,
            high=started.replace(tzinfo=None),
            ranges=(),
            schema=(),
            cursor="",
            primary_key=(),
            state=RunState.ABANDONED,
            timezone=mark.timezone,
        )
    )

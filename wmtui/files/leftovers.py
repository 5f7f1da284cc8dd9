"""What crashed runs left: parts that no load will ever take.

A file of another writer is none, nor a part that a run under way may still list, that the ledger or a load record
knows, or whose run is unknown and recent. Each is named by its exact key.
"""

from collections.abc import Container
from datetime import datetime, timedelta

from msgspec import Struct

from wmtui.errors import ObjectMissing
from wmtui.layout import MANIFESTS, PROBES, data_folder, parse_part
from wmtui.objects import ObjectInfo, ObjectStore
from wmtui.runs.run_document import Run, RunState, RunStore
from wmtui.watermarks.model import Watermark

AGE = timedelta(days=1)
"""What no document gives up must be so old, by the store's clock: by then no process is still at it."""


class Leftover(Struct, frozen=True):
    """An object that may be removed, and why. size: bytes."""

    key: str
    size: int
    why: str


def leftover_parts(objects: ObjectStore, mark: Watermark, loaded: Container[str], now: datetime) -> list[Leftover]:
    """The leftovers of a table, by key.

    loaded: keys of files that were ever loaded, by any load. now: the store's clock. Raises Unreadable for a corrupt
    run document, and StoreError.
    """
    store = RunStore(objects, mark.table)
    runs: dict[str, Run | None] = {}
    leftovers = []
    for info in objects.list(data_folder(mark.table)):
        name = parse_part(mark.table, info.key)
        if name is None or name.run == mark.pending_extraction or info.key in loaded:
            continue
        if name.run not in runs:
            stored = store.read(name.run)
            runs[name.run] = stored.run if stored else None
        if runs[name.run] is None and name.run == mark.extracted_run:
            continue  # Its document was lost: these may be the only copy of rows before the watermark.
        why = _why(info, name.run, runs[name.run], now)
        if why is not None and not _is_moved(objects, info, runs[name.run], loaded):
            leftovers.append(Leftover(info.key, info.size, why))
    return leftovers


def _is_moved(objects: ObjectStore, info: ObjectInfo, run: Run | None, loaded: Container[str]) -> bool:
    """Whether this may be the only copy of a part that its run committed, and that lies elsewhere than it was put."""
    name = info.key.rpartition("/")[2]
    for part in run.parts if run is not None and run.state is RunState.COMMITTED else ():
        if part.key.rpartition("/")[2] == name and part.key not in loaded:
            try:
                objects.head(part.key)
            except ObjectMissing:
                return True
    return False


def _why(info: ObjectInfo, name: str, run: Run | None, now: datetime) -> str | None:
    """Why a part is a leftover; None when it is none."""
    if run is not None and run.state is RunState.ABANDONED:
        return f"run {name} was abandoned"
    if now - info.last_modified < AGE:
        return None
    if run is None:
        return f"run {name} has no document"
    if run.state is RunState.COMMITTED and all(part.key != info.key for part in run.parts):
        return f"run {name} committed without it"
    return None


def forgotten_objects(objects: ObjectStore) -> list[Leftover]:
    """Probes of conditional writes, and manifests, whose process died before it removed them."""
    leftovers = []
    for prefix, what in ((PROBES, "a probe of conditional writes"), (MANIFESTS, "a manifest of a load that died")):
        for info in objects.list(prefix):
            # The store's clock, which only an answer tells.
            if objects.get(info.key).now - info.last_modified >= AGE:
                leftovers.append(Leftover(info.key, info.size, what))
    return leftovers


def unfinished_writes(objects: ObjectStore) -> list[Leftover]:
    """Temporary files of a folder store whose process died before it moved them into place."""
    return [Leftover(info.key, info.size, "a write that never ended") for info in objects.unfinished(AGE)]

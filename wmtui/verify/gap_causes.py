"""Why no run read some rows: an operator placed the watermark after them, or it is not known."""

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import islice

from msgspec import Struct

from wmtui.model import Position
from wmtui.objects import ObjectStore
from wmtui.verify.expected_rows import Gap
from wmtui.watermarks.changes import Action
from wmtui.watermarks.documents import Json
from wmtui.watermarks.journal import Journal
from wmtui.watermarks.journal_entries import previous_of, taken_back
from wmtui.watermarks.model import Watermark
from wmtui.watermarks.timestamps import parse_wall

_PLACED = frozenset({Action.SET, Action.IMPORT, Action.UNDO})
"""What the journal calls the changes that place a watermark at a point."""
_AT_ONCE = 16


class Placed(Struct, frozen=True):
    """Who placed a watermark where. by: `SYSTEM` for a table that began at the system watermark. serial, at: of the
    change.
    """

    by: str
    serial: int
    at: str
    action: str


SYSTEM = "the system watermark"


def explain(
    gaps: Iterable[Gap],
    entries: Iterable[Json],
    *,
    position: Position | None,
    epoch: int,
    began: Mapping[str, datetime | None],
) -> Mapping[Gap, Placed]:
    """Who left out each gap: the last operator who placed the watermark exactly where reading then went on.

    entries: the journal, newest first; only as much of it is read as is needed. position: of the watermark, where the
    gap that nothing follows ends. began: where each run began whose document is there.
    """
    open_gaps = {gap: end for gap in gaps if (end := _end(gap, position)) is not None}
    causes: dict[Gap, Placed] = {}
    for entry in entries:
        for gap, end in list(open_gaps.items()):
            if placed := _placed(entry, end, epoch, began if gap.after is None else {}):
                causes[gap] = placed
                del open_gaps[gap]
        if not open_gaps:
            break
    return causes


def journal_entries(objects: ObjectStore, mark: Watermark) -> Iterator[Json]:
    """The changes of a watermark, newest first, with the one that rides in its document; each with the whole content
    `before` and `after` it. Raises Unreadable.
    """
    journal = Journal(objects, mark.table, mark.change)
    content, left_by = mark.content, mark.serial if mark.unchanged_outside else None
    for entry in _newest_first(journal, mark):
        if left_by != entry["serial"]:
            content, _ = journal.left_by(entry["serial"])
        before = taken_back(content, entry)
        yield {**entry, "before": before, "after": content}
        content, left_by = before, previous_of(entry)


def _newest_first(journal: Journal, mark: Watermark) -> Iterator[Json]:
    if mark.change is not None:
        yield mark.change
    serials = (serial for serial in reversed(journal.serials()) if mark.change is None or serial != mark.serial)
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="journal") as pool:
        while several := list(islice(serials, _AT_ONCE)):
            yield from (entry for entry in pool.map(journal.get, several) if entry is not None)


def _end(gap: Gap, position: Position | None) -> datetime | None:
    if gap.before is not None:
        return gap.before.low
    return position.cursor if position else None


def _placed(entry: Json, end: datetime, epoch: int, began: Mapping[str, datetime | None]) -> Placed | None:
    """What a change says about a gap that ends there; None where it has nothing to do with it.

    A point that a run left, and that an operator only went back to, was read up to by that run.
    """
    before, after = entry["before"], entry["after"]
    if after.get("epoch", 1) != epoch:
        return None
    run, action = after.get("extracted_run"), str(entry.get("action"))
    by, at = f"{entry.get('actor')}@{entry.get('host')}", str(entry.get("at"))
    if action in _PLACED and run is None and _point(after) == end:
        return Placed(by, int(entry["serial"]), at, action)
    if action == Action.EXTRACTED and _point(before) is None and began.get(str(run)) == end:
        return Placed(SYSTEM, int(entry["serial"]), at, action)
    return None


def _point(content: Json) -> datetime | None:
    text = content.get("last_mysql_data_timestamp")
    return parse_wall(text) if text else None

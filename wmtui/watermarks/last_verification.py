"""When a table was last compared with its source, and how that ended: noted in the lock document, by warehouse."""

from datetime import datetime
from typing import Any

from msgspec import Struct

from wmtui.errors import Conflict
from wmtui.model import TableName
from wmtui.objects import ObjectStore
from wmtui.watermarks import documents, lease
from wmtui.watermarks.lease import Heartbeat
from wmtui.watermarks.timestamps import format_instant, parse_instant

_ATTEMPTS = 10


class LastVerified(Struct, frozen=True):
    """The end of a comparison. at: aware UTC. result: `right`, `left_out` or `not_right`. rows: of the warehouse, that
    were compared. by, host: who asked for it, and where. position: of the watermark, in words; None: it had none.
    reasons: what was not right or left out, each as `verify --json` names it.
    """

    at: datetime
    result: str
    rows: int
    by: str
    host: str
    position: str | None = None
    reasons: tuple[str, ...] = ()


def last_verified(heartbeat: Heartbeat, warehouse: str | None) -> LastVerified | None:
    """What was noted of the last comparison with the warehouse of this id; None: nothing that can be read."""
    entry = heartbeat.document.last_verified.get(warehouse or "")
    if entry is None:
        return None
    try:
        position = entry.get("position")
        return LastVerified(
            at=parse_instant(entry["at"]),
            result=str(entry["result"]),
            rows=int(entry["rows"]),
            by=str(entry["by"]),
            host=str(entry["host"]),
            position=None if position is None else str(position),
            reasons=tuple(map(str, entry.get("reasons", ()))),
        )
    except (KeyError, TypeError, ValueError):
        return None


def note(objects: ObjectStore, table: TableName, warehouse: str | None, verified: LastVerified) -> None:
    """Note a comparison, also while a run holds the table, whose lease it leaves as it is.

    A lease that has expired ends by it: writing it again would make it look alive. Raises Unreadable, StoreError, and
    Conflict when others keep being quicker.
    """
    entry = {**_encoded(verified), "at": format_instant(verified.at)}
    for attempt in range(_ATTEMPTS):
        heartbeat = lease.read(objects, table)
        entries = {**heartbeat.document.last_verified, warehouse or "": entry}
        if lease.write_beside(objects, heartbeat, last_verified=entries):
            return
        documents.pause(attempt)
    raise Conflict(f"could not note how {table} was verified", "others keep writing its lock document", "try again")


def _encoded(verified: LastVerified) -> dict[str, Any]:
    return {name: getattr(verified, name) for name in verified.__struct_fields__ if name != "at"}

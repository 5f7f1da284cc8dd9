"""What operators decided about single files: never to load one, or to give one up that was held back.

One document per table. The lock document has its serial, so that a table without decisions costs no request.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

import msgspec
from msgspec import Struct

from wmtui.errors import Conflict, ObjectMissing, PreconditionFailed, Unreadable
from wmtui.files.verdicts import DecidedFiles, Decision, Will
from wmtui.layout import decisions_key
from wmtui.model import Instant, TableName
from wmtui.objects import ObjectStore
from wmtui.watermarks import documents
from wmtui.watermarks.lease import Heartbeat

_ATTEMPTS = 20


class _Entry(Struct, frozen=True):
    etag: str
    will: Will
    by: str
    at: Instant
    reason: str


class _Document(Struct, frozen=True):
    table: str
    serial: int = 0
    files: dict[str, _Entry] = {}
    version: Literal[1] = 1


_DECODER = msgspec.json.Decoder(_Document)
"""Made at once: msgspec crashes the process when two threads are the first to decode one type."""


class Decisions(Struct, frozen=True):
    """Every decision about a table's files. serial: grows with each change, 0 without any."""

    serial: int = 0
    files: DecidedFiles = MappingProxyType({})


NONE = Decisions()


def read(objects: ObjectStore, table: TableName) -> Decisions:
    """What the store has; raises Unreadable."""
    return _read(objects, table)[0]


def standing(objects: ObjectStore, table: TableName, heartbeat: Heartbeat) -> Decisions:
    """Every decision, asking the store only where the lock document does not say that there is none.

    Raises Unreadable.
    """
    return NONE if heartbeat.decisions == 0 else read(objects, table)


def change(
    objects: ObjectStore, table: TableName, new: Mapping[str, Decision], withdrawn: frozenset[str] = frozenset()
) -> Decisions:
    """Add decisions, take others back by key. Raises Conflict where others keep being quicker, Unreadable."""
    for attempt in range(_ATTEMPTS):
        current, etag = _read(objects, table)
        files = {**{name: known for name, known in current.files.items() if name not in withdrawn}, **new}
        changed = Decisions(current.serial + 1, files)
        entries = {name: _Entry(d.etag, d.will, d.by, d.at, d.reason) for name, d in files.items()}
        data = msgspec.json.format(msgspec.json.encode(_Document(str(table), changed.serial, entries)))
        try:
            documents.write(objects, decisions_key(table), data, etag)
        except PreconditionFailed:
            documents.pause(attempt)
        else:
            return changed
    raise Conflict(
        f"could not note decisions about files of {table}", f"others keep changing {decisions_key(table)}", "try again"
    )


def _read(objects: ObjectStore, table: TableName) -> tuple[Decisions, str | None]:
    try:
        stored = objects.get(decisions_key(table))
    except ObjectMissing:
        return NONE, None
    try:
        document = _DECODER.decode(documents.text_of(stored.data))
    except (ValueError, RecursionError) as error:
        raise Unreadable(decisions_key(table), f"not a document of decisions: {error}") from None
    if document.table != str(table):
        raise Unreadable(decisions_key(table), f"it is of {document.table}")
    files = {name: Decision(e.etag, e.will, e.by, e.at, e.reason) for name, e in document.files.items()}
    return Decisions(document.serial, files), stored.info.etag

"""Load records: the store's copy of what the warehouse ledger holds, so that previews need no warehouse.

One document per table and day; files a load committed are appended by compare-and-swap. Never pruned while the file
exists.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from typing import Literal

import msgspec
from msgspec import Struct

from wmtui import layout
from wmtui.errors import Conflict, ObjectMissing, PreconditionFailed, Unreadable
from wmtui.model import Instant, TableName
from wmtui.objects import ObjectStore
from wmtui.watermarks import documents
from wmtui.watermarks.timestamps import bounded


class Load(Struct, frozen=True, gc=False):
    """How a file was last loaded: with which content, when (aware UTC), and by which load."""

    etag: str
    at: datetime
    load_id: str


Loads = Mapping[str, Load]
"""Key → how that file was last loaded into this target. A file of other content was loaded before, not this one."""

_ATTEMPTS = 20


class LoadedFile(Struct, frozen=True):
    """One file of a load, as the ledger has it."""

    key: str
    uri: str
    etag: str
    rows: int


class LoadRecord(Struct, frozen=True):
    """One load: which files it committed into which target, in which epoch. Times are aware UTC.

    warehouse: its id; None in records from before warehouses had ids.
    """

    load_id: str
    target: str
    epoch: int
    token: int
    started: Instant
    ended: Instant
    files: tuple[LoadedFile, ...]
    warehouse: str | None = None


class Destination(Struct, frozen=True):
    """Where a profile loads a table. warehouse: its id; None: nothing was loaded yet by a wmtui that gives one. target:
    as the settings write it. unnamed: loads from before warehouses had ids count too: the default profile's.
    """

    warehouse: str | None
    target: str
    unnamed: bool = True

    def has(self, record: LoadRecord) -> bool:
        """A load went there."""
        if record.target != self.target:
            return False
        return self.unnamed if record.warehouse is None else record.warehouse == self.warehouse


class _Day(Struct, frozen=True):
    table: str
    loads: tuple[LoadRecord, ...] = ()
    version: Literal[1] = 1


_DECODER = msgspec.json.Decoder(_Day)
"""Made at once: msgspec crashes the process when two threads are the first to decode one type."""


class LoadRecords:
    """The load records of one table. A day that was read is added to without reading it again."""

    def __init__(self, objects: ObjectStore, table: TableName) -> None:
        self._objects = objects
        self._table = table
        self._days: dict[str, tuple[_Day, str]] = {}

    def since(self, day: date | None) -> Iterator[LoadRecord]:
        """Every load of that day and later, oldest first; None: every load. Raises Unreadable."""
        after = layout.loads_since(self._table, day) if day else ""
        for info in self._objects.list(layout.loads_folder(self._table), after=after):
            if layout.is_loads_key(self._table, info.key):
                yield from self._read(info.key)[0].loads

    def add(self, record: LoadRecord) -> None:
        """Record a load under the day it ended; the same load id twice is one record. Raises Conflict, Unreadable."""
        key = layout.loads_key(self._table, record.ended)
        for attempt in range(_ATTEMPTS):
            known_day = self._days.pop(key, None)
            try:
                day, etag = known_day or self._read(key)
            except ObjectMissing:
                day, etag = _Day(str(self._table)), None
            if any(known.load_id == record.load_id for known in day.loads):
                return
            data = msgspec.json.encode(_Day(day.table, (*day.loads, record)))
            try:
                documents.write(self._objects, key, data, etag)
            except PreconditionFailed:
                documents.pause(attempt)
            else:
                return
        raise Conflict(f"could not record load {record.load_id}", f"{key} is being changed by others", "sync again")

    def _read(self, key: str) -> tuple[_Day, str]:
        stored = self._objects.get(key)
        try:
            day = _DECODER.decode(documents.text_of(stored.data))
            for record in day.loads:
                for time in (record.started, record.ended):
                    bounded(time)
        except (ValueError, RecursionError) as error:
            raise Unreadable(key, f"not a document of load records: {error}") from None
        if day.table != str(self._table):
            raise Unreadable(key, f"it is of {day.table}")
        self._days[key] = day, stored.info.etag
        return self._days[key]


def loaded_files(records: Iterable[LoadRecord], destination: Destination, epoch: int) -> dict[str, Load]:
    """Every file loaded there in this epoch or later, as it was loaded last.

    There are later ones only after an operator took a reset back, which unloads nothing.
    """
    return {
        file.key: Load(file.etag, record.ended, record.load_id)
        for record in records
        if destination.has(record) and record.epoch >= epoch
        for file in record.files
    }

"""The append-only history of one table's watermark.

Entry N rides inside document N (`metadata.change`) and is copied to its own key right after; the writer of N+1 first
makes sure that N is there. So a crash between the two loses nothing.
"""

from collections.abc import Iterator

from wmtui import layout
from wmtui.errors import ObjectMissing, PreconditionFailed, Unreadable
from wmtui.model import TableName
from wmtui.objects import ObjectStore
from wmtui.watermarks import documents, journal_entries
from wmtui.watermarks.documents import Json
from wmtui.watermarks.model import digest_of

_FARTHEST = 10**6
"""A key so many serials after the one before is no change of ours: another tool put it there."""
_TRIES = 20


class Journal:
    """The journal of one table: one object per change, never rewritten.

    riding: the entry in the table's document, which may not have been copied yet.
    """

    def __init__(self, objects: ObjectStore, table: TableName, riding: Json | None = None) -> None:
        self._objects = objects
        self._table = table
        self._riding = riding

    def key(self, serial: int) -> str:
        """Where the entry of a serial is."""
        return layout.journal_key(self._table, serial)

    def newest(self, since: int = 0) -> tuple[int, Json | None]:
        """The highest serial in use, looking after `since` only, and the newest entry there that can be read.

        Serials of objects that are no entries are in use too: no change is ever written there. Raises Unreadable when
        nearly everything there is unreadable.
        """
        return self._newest_of(list(self._serials(since)), since)

    def completed(self, serial: int, entry: Json | None, *, known: bool) -> tuple[int, Json | None]:
        """What `newest` says after the serial of a document, whose own entry is copied first unless it is there.

        entry: None where the document has none. known: if it is there, it is this very entry. Raises Unreadable when
        another change stands under the serial.
        """
        if entry is None:
            return self.newest(serial)
        serials = list(self._serials(serial - 1))
        if serial not in serials or not known:
            self.append(entry, there=serial in serials)
        return self._newest_of([later for later in serials if later > serial], serial)

    def _newest_of(self, serials: list[int], since: int) -> tuple[int, Json | None]:
        failure: Unreadable | None = None
        for serial in reversed(serials[-_TRIES:]):
            try:
                entry = self.get(serial)
            except Unreadable as error:
                failure = failure or error
                continue
            if entry is not None:
                return serials[-1], entry
        if failure is not None and len(serials) > _TRIES:
            raise failure
        return max(serials, default=since), None

    def append(self, entry: Json, *, there: bool = False) -> None:
        """Write an entry to its key unless it is there; raises Unreadable when another change stands under it.

        there: a listing showed the key, so that nothing is written.
        """
        key = self.key(int(entry["serial"]))
        try:
            if not there:
                documents.write(self._objects, key, documents.encode(entry), None)
                return
        except PreconditionFailed:
            pass
        if self._read(key).get("write_id") != entry.get("write_id"):
            raise Unreadable(key, "the journal holds another change under this serial")

    def get(self, serial: int) -> Json | None:
        """The entry of a serial, None when there is none; raises Unreadable."""
        try:
            entry = self._read(self.key(serial))
        except ObjectMissing:
            return self._riding if self._riding is not None and self._riding["serial"] == serial else None
        if problem := journal_entries.entry_problem(entry, serial):
            raise Unreadable(self.key(serial), problem)
        return entry

    def left_by(self, serial: int) -> tuple[Json, Json]:
        """The content that a change left, put together from the nearest entry that holds one and those since; and what
        else that entry has of the document's metadata.

        Raises Unreadable with the key of the first entry that is missing or corrupt.
        """
        changes: list[Json] = []
        needed = serial
        while not changes or not journal_entries.is_whole(changes[-1]):
            entry = self.get(needed) if needed else None
            if entry is None:
                raise Unreadable(
                    self.key(max(needed, 1)), f"it is missing, and without it it is unknown what change {serial} left"
                )
            changes.append(entry)
            needed = journal_entries.previous_of(entry)
        content: Json = {}
        for entry in reversed(changes):
            content = journal_entries.applied(content, entry)
        digest = digest_of(content)
        if changes[0].get("digest", digest) != digest:
            raise Unreadable(self.key(serial), "the changes up to this one do not add up to what it says it left")
        return content, changes[-1].get("metadata") or {}

    def serials(self) -> list[int]:
        """The serial of every entry, oldest first."""
        return list(self._serials(0))

    def __iter__(self) -> Iterator[Json]:
        """Every entry, oldest first; raises Unreadable."""
        for serial in self._serials(0):
            if entry := self.get(serial):
                yield entry

    def _serials(self, since: int) -> Iterator[int]:
        last = since
        for info in self._objects.list(layout.journal_folder(self._table), after=self.key(since)):
            serial = layout.journal_serial(self._table, info.key)
            if serial is None or serial - last > _FARTHEST:
                continue
            last = serial
            yield last

    def _read(self, key: str) -> Json:
        return documents.decode(key, self._objects.get(key).data)

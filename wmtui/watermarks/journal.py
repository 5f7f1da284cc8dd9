"""The append-only history of one table's watermark.

Entry N rides inside document N (`metadata.change`) and is copied to its own key right after; whoever writes N+1 first
makes sure that N is there. So a crash between the two loses nothing.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from wmtui.errors import ObjectMissing, PreconditionFailed, Unreadable
from wmtui.model import TableName
from wmtui.objects import ObjectStore
from wmtui.watermarks import documents
from wmtui.watermarks.documents import Json
from wmtui.watermarks.model import entry_problem

_NAME = re.compile(r"([0-9]{12})\.json")


class Journal:
    """The journal of one table: one object per change, never rewritten."""

    def __init__(self, objects: ObjectStore, table: TableName) -> None:
        self._objects = objects
        self._prefix = f"watermark/journal/{table.key}/"

    def key(self, serial: int) -> str:
        """Where the entry of a serial is."""
        return f"{self._prefix}{serial:012d}.json"

    def newest(self, since: int = 0) -> int:
        """The highest serial with an entry, looking behind `since` only; `since` itself when there is none."""
        return max(self._serials(since), default=since)

    def append(self, entry: Json) -> None:
        """Write an entry to its key unless it is there; raises Unreadable when another change stands under it."""
        key = self.key(int(entry["serial"]))
        try:
            documents.write(self._objects, key, documents.encode(entry), None)
        except PreconditionFailed:
            if self._read(key).get("write_id") != entry.get("write_id"):
                raise Unreadable(key, "the journal holds another change under this serial") from None

    def get(self, serial: int) -> Json | None:
        """The entry of a serial, None when there is none; raises Unreadable."""
        try:
            entry = self._read(self.key(serial))
        except ObjectMissing:
            return None
        if problem := entry_problem(entry, serial):
            raise Unreadable(self.key(serial), problem)
        return entry

    def serials(self) -> list[int]:
        """The serial of every entry, oldest first."""
        return list(self._serials(0))

    def __iter__(self) -> Iterator[Json]:
        """Every entry, oldest first; raises Unreadable."""
        for serial in self._serials(0):
            if entry := self.get(serial):
                yield entry

    def _serials(self, since: int) -> Iterator[int]:
        for info in self._objects.list(self._prefix, after=self.key(since)):
            if match := _NAME.fullmatch(info.key, len(self._prefix)):
                yield int(match[1])

    def _read(self, key: str) -> Json:
        return documents.decode(key, self._objects.get(key).data)


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """The fields that differ between two contents, each with its old and new value; None where it was not there.

    A time zone that is noted for the first time is none of them: it is the one that the document was in.
    """
    names = [*after, *(name for name in before if name not in after)]
    changed = {name: (before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)}
    if "timezone" in changed and changed["timezone"][0] is None:
        del changed["timezone"]
    return changed

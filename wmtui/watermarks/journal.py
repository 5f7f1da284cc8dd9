"""The append-only history of one table's watermark.

Entry N rides inside document N (`metadata.change`) and is copied to its own key right after; whoever writes N+1 first
makes sure that N is there. So a crash between the two loses nothing.
"""

import json
from collections.abc import Iterator
from typing import Any

from wmtui.errors import ObjectMissing, PreconditionFailed, Unreadable
from wmtui.model import TableName
from wmtui.objects import ObjectStore

Json = dict[str, Any]


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
        newest = since
        for info in self._objects.list(self._prefix, after=self.key(since) if since else ""):
            name = info.key.removeprefix(self._prefix).removesuffix(".json")
            if name.isdecimal():
                newest = max(newest, int(name))
        return newest

    def append(self, entry: Json) -> None:
        """Write an entry to its key unless it is there; raises Unreadable when another change stands under it."""
        key = self.key(int(entry["serial"]))
        try:
            self._objects.put(key, json.dumps(entry, indent=2, ensure_ascii=False).encode() + b"\n", if_absent=True)
        except PreconditionFailed:
            if self._read(key).get("write_id") != entry.get("write_id"):
                raise Unreadable(key, "the journal holds another change under this serial") from None

    def get(self, serial: int) -> Json | None:
        """The entry of a serial, None when there is none; raises Unreadable."""
        try:
            return self._read(self.key(serial))
        except ObjectMissing:
            return None

    def __iter__(self) -> Iterator[Json]:
        """Every entry, oldest first."""
        for info in self._objects.list(self._prefix):
            yield self._read(info.key)

    def _read(self, key: str) -> Json:
        data = self._objects.get(key).data
        try:
            entry = json.loads(data)
        except ValueError as error:
            raise Unreadable(key, f"not JSON: {error}") from None
        if not isinstance(entry, dict):
            raise Unreadable(key, f"a JSON object was expected, not {type(entry).__name__}")
        return entry

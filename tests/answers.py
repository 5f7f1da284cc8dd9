"""A store whose answers get lost: writes land, and the caller hears of a failure."""

from collections.abc import Iterable
from typing import Any

from wmtui.errors import ObjectMissing, PreconditionFailed
from wmtui.objects import ObjectStore


class Unreliable:
    """Any store, in which the next writes of some keys go wrong as the test says.

    landing: what is raised after a write that landed; refusing: instead of a write, where PreconditionFailed means that
    another writer has just written. One error for one write.
    """

    def __init__(self, objects: ObjectStore, part: str = "") -> None:
        self._objects = objects
        self._part = part
        self.landing: list[Exception] = []
        self.refusing: list[Exception] = []
        self.puts = 0

    def fail(self, landing: Iterable[Exception] = (), refusing: Iterable[Exception] = ()) -> None:
        """What becomes of the next writes."""
        self.landing, self.refusing, self.puts = list(landing), list(refusing), 0

    def put(self, key: str, data: bytes, **conditions: Any) -> str:
        """Write, and fail as the test says."""
        if self._part not in key:
            return self._objects.put(key, data, **conditions)
        self.puts += 1
        if self.refusing:
            error = self.refusing.pop(0)
            if isinstance(error, PreconditionFailed):
                self._overtake(key)
            raise error
        etag = self._objects.put(key, data, **conditions)
        if self.landing:
            raise self.landing.pop(0)
        return etag

    def _overtake(self, key: str) -> None:
        """Somebody else writes the document, with the same content."""
        try:
            data = self._objects.get(key).data
        except ObjectMissing:
            data = b"{}"
        self._objects.put(key, data + b"\n")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._objects, name)

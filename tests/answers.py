"""A store whose answers get lost: writes land, and the caller is told otherwise."""

from collections.abc import Iterable
from typing import Any

from wmtui.objects import ObjectStore


class Unreliable:
    """Any store, in which the next writes of some keys go wrong as the test says.

    landing: what is raised after a write that landed; refusing: instead of a write. One error for one write.
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
            raise self.refusing.pop(0)
        etag = self._objects.put(key, data, **conditions)
        if self.landing:
            raise self.landing.pop(0)
        return etag

    def __getattr__(self, name: str) -> Any:
        return getattr(self._objects, name)

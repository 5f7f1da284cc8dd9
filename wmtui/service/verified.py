"""When a table was last compared with its source, and with what result."""

from datetime import datetime

from msgspec import Struct

from wmtui.service import wording
from wmtui.watermarks.lease import Heartbeat
from wmtui.watermarks.timestamps import parse_instant

RIGHT = ("right", "left_out")
"""Results with which nothing is wrong; in the second, what somebody left out on purpose is missing."""


class Verified(Struct, frozen=True):
    """The last comparison. at: aware UTC. result: `right`, `left_out`, or another word for what is wrong."""

    at: datetime
    result: str

    @classmethod
    def of(cls, heartbeat: Heartbeat) -> "Verified | None":
        """As the lock document has it; None: never, or nobody can read what it has."""
        noted = heartbeat.fields.get("last_verified")
        try:
            return cls(parse_instant(noted["at"]), str(noted["result"])) if isinstance(noted, dict) else None
        except (KeyError, TypeError, ValueError):
            return None

    @property
    def right(self) -> bool:
        """Nothing was wrong."""
        return self.result in RIGHT


def in_words(verified: Verified | None) -> str:
    """The result, and when; `never verified`."""
    if verified is None:
        return f"{wording.ABSENT} never"
    glyph = "✓" if verified.right else "✗"
    return f"{glyph} {verified.result.replace('_', ' ')}, {wording.instant(verified.at)}"

"""When a table was last compared with its source, and with what result, in words."""

from typing import Any

from wmtui.watermarks.last_verification import LastVerified
from wmtui.words import values
from wmtui.words.styled import Glyph, Styled

_FINE = ("right", "left_out")
"""Results with which nothing is wrong; in the second, what an operator left out on purpose is missing."""


def in_words(verified: LastVerified | None) -> Styled:
    """The result and when it was found; `never`."""
    if verified is None:
        return Styled(f"{values.ABSENT} never")
    glyph = Glyph.GOOD if verified.result in _FINE else Glyph.BAD
    return Styled.marked(glyph, f"{verified.result.replace('_', ' ')}, {values.instant(verified.at)}")


def as_json(verified: LastVerified) -> dict[str, Any]:
    """When, the result, and what was not right or left out."""
    return {"at": values.instant(verified.at), "result": verified.result, "reasons": list(verified.reasons)}

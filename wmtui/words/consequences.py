"""What the next sync does because of a watermark, in words."""

from zoneinfo import ZoneInfo

from wmtui.service.table_documents import Consequence, StartKind
from wmtui.watermarks.zones import written_in
from wmtui.words import values


def lines(consequence: Consequence, zone: ZoneInfo) -> list[str]:
    """Which files are loaded, what would let others in, and where extraction begins. zone: the profile's."""
    summary = consequence.selection.summary
    hint = [summary.hint] if summary.hint else []
    return [f"loading now would say: {summary}", *hint, start(consequence, zone)]


def start(consequence: Consequence, zone: ZoneInfo) -> str:
    """Where the next extraction begins, or why none does. zone: the profile's."""
    begins = consequence.start
    if begins.kind is StartKind.FOREIGN_ZONE:
        written = written_in(consequence.mark, zone)
        return f"nothing is extracted: it is {written}, and the profile's zone is {zone.key}"
    where = "at the beginning"
    if begins.kind is StartKind.POSITION:
        where = f"at {begins.cursor} {'>=' if begins.inclusive else '>'} {values.point(begins.at, zone)}"
    elif begins.kind is StartKind.SYSTEM:
        where = f"at the system watermark {values.point(begins.at, zone)}"
    return f"extraction will begin {where}"

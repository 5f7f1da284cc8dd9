"""What moving a watermark changes for the next sync. Pure."""

from datetime import timedelta
from zoneinfo import ZoneInfo

from msgspec import Struct

from wmtui.files.verdicts import VerdictReason
from wmtui.service.table_documents import Consequence
from wmtui.watermarks.zones import wall_of


class Effect(Struct, frozen=True):
    """What moving a watermark changes for the next sync.

    entering: files it would load besides; size: their bytes; rows: of those that say how many they have, rows_known of
    them. leaving: files waiting now that it would not load any more. loaded: files that were loaded before, and are
    skipped. moved: how far; forward, those rows are not read any more, back, they are read again.
    """

    entering: int
    size: int
    rows: int
    rows_known: int
    leaving: int
    loaded: int
    moved: timedelta

    @property
    def loses(self) -> bool:
        """Files or rows would never come."""
        return bool(self.leaving) or self.moved > timedelta(0)

    @property
    def reads_again(self) -> bool:
        """Rows that were read before are read a second time."""
        return self.moved < timedelta(0)


def effect(before: Consequence, after: Consequence, zone: ZoneInfo) -> Effect:
    """The difference between two watermarks of a table: files that enter and leave, rows read again or never.

    zone: the profile's.
    """
    old, new = ({file.key: file for file in each.selection.selected} for each in (before, after))
    entering = [file for key, file in new.items() if key not in old]
    rows = [file.part.rows for file in entering if file.part is not None and file.part.rows is not None]
    was, will_be = wall_of(before.mark, zone), wall_of(after.mark, zone)
    return Effect(
        entering=len(entering),
        size=sum(file.size for file in entering),
        rows=sum(rows),
        rows_known=len(rows),
        leaving=len(old.keys() - new.keys()),
        loaded=after.selection.summary.reasons.get(VerdictReason.LOADED, 0),
        moved=timedelta(0) if was is None or will_be is None else will_be - was,
    )

"""What a table's verdicts come to, in counts and in words: summary, reasons, and the change that lets files in."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from zoneinfo import ZoneInfo

from msgspec import Struct

from wmtui.files.verdicts import (
    HELD_BACK,
    SELECTED,
    TIMED_OUT,
    Basis,
    DecidedFiles,
    Reprocess,
    Verdict,
    VerdictReason,
    judge,
)
from wmtui.runs.load_records import Loads
from wmtui.texts import format_duration
from wmtui.watermarks.timestamps import format_instant, format_wall, to_instant, to_wall


class Summary(Struct, frozen=True):
    """What became of a table's files, and for nothing selected what would let files in.

    enter_at: the point that lets in what is out for its time, wall clock in the profile's zone; None: there is none.
    """

    found: int
    selected: int
    reasons: Mapping[VerdictReason, int]
    hint: str
    enter_at: datetime | None = None

    def __str__(self) -> str:
        return f"Found {self.found} files, filtered to {self.selected} files for loading"

    @property
    def held_back(self) -> int:
        """How many files are out although they may have rows that come by no other way."""
        return sum(number for reason, number in self.reasons.items() if reason in HELD_BACK)

    @property
    def only_held_back(self) -> bool:
        """Nothing is selected although files are held back."""
        return not self.selected and self.held_back > 0


def summarise(
    verdicts: Sequence[Verdict],
    judged_by: Basis,
    loaded: Loads,
    zone: ZoneInfo,
    *,
    reprocess: Reprocess = Reprocess.NO,
    decided: DecidedFiles = MappingProxyType({}),
) -> Summary:
    """Count verdicts by reason; where nothing is selected or files are held back, name the change that lets them in."""
    reasons = Counter(v.reason for v in verdicts)
    selected = sum(reasons[r] for r in SELECTED)
    enter_at = None if selected else _opening_point(verdicts, zone)
    hints = [] if selected else [*_hints(reasons)]
    if selected and (n := sum(reasons[r] for r in HELD_BACK)):
        hints.append(
            f"{_files(n, 'is', 'are')} held back; `--redshift-only --reprocess --key …` loads one all the same"
        )
    if enter_at is not None:
        basis = Basis(judged_by.epoch, after=to_instant(enter_at, zone), keyless=judged_by.keyless)
        entering = sum(v.selected for v in judge((v.file for v in verdicts), basis, loaded, reprocess, decided))
        hints.insert(0, f"{_files(entering, 'enters', 'enter')} if you set {format_wall(enter_at)}")
    return Summary(len(verdicts), selected, dict(reasons), "; ".join(hints), enter_at)


def _opening_point(verdicts: Sequence[Verdict], zone: ZoneInfo) -> datetime | None:
    """The latest point, to the second, such that every file that is out for its time lies after it."""
    missed = [v.file.last_modified for v in verdicts if v.reason in TIMED_OUT]
    return to_wall(min(missed) - timedelta(seconds=1), zone) if missed else None


def _hints(reasons: Mapping[VerdictReason, int]) -> Iterator[str]:
    """What else keeps files out."""
    if n := reasons.get(VerdictReason.LOADED):
        yield f"{_files(n, 'was', 'were')} loaded before; `--reprocess` loads them again"
    if n := reasons.get(VerdictReason.UNCOMMITTED):
        yield f"{_files(n, 'is', 'are')} of a run that is not committed; the next full sync settles it"
    if n := reasons.get(VerdictReason.UNLISTED):
        yield f"{_files(n, 'is a leftover', 'are leftovers')} of an interrupted upload, in no run's list"
    if n := reasons.get(VerdictReason.CHANGED):
        yield f"{_files(n, 'was', 'were')} changed after loading; `--reprocess --key …` loads one all the same"
    if n := reasons.get(VerdictReason.EARLIER_EPOCH):
        yield (
            f"{_files(n, 'is', 'are')} of an earlier epoch, before the last reset; its rows are read again, and "
            "`set` to a point before it, then `sync --redshift-only`, loads what is there"
        )
    if n := reasons.get(VerdictReason.LATER_EPOCH):
        yield f"{_files(n, 'is', 'are')} of a later epoch, which `undo` took back; a second `undo` returns to it"
    if n := reasons.get(VerdictReason.REPLACED):
        yield f"{_files(n, 'was', 'were')} replaced after the run that wrote them; see `wmtui files`"
    if n := reasons.get(VerdictReason.ARCHIVED):
        yield f"{_files(n, 'is', 'are')} archived; restore them in S3, and the next load takes them"
    if n := reasons.get(VerdictReason.SKIPPED, 0) + reasons.get(VerdictReason.WRITTEN_OFF, 0):
        yield f"{_files(n, 'was', 'were')} skipped or written off; `wmtui files --unskip KEY` takes that back"
    if n := reasons.get(VerdictReason.STAGING):
        yield f"{_files(n, 'lies', 'lie')} in a writer's staging area, and are no data"


def _files(count: int, singular: str, plural: str) -> str:
    return f"{count} file {singular}" if count == 1 else f"{count} files {plural}"


def explain(verdict: Verdict, loaded: Loads, decided: DecidedFiles = MappingProxyType({})) -> str:
    """The reason in words, e.g. `outside the session window by 3 h 12 m`."""
    reason, file, distance = verdict.reason, verdict.file, verdict.distance
    by = format_duration(distance) if distance is not None else ""
    if reason is VerdictReason.LOADED:
        known = loaded[file.key]
        since = "" if known.etag == file.etag else "; its content is not what was loaded"
        return f"loaded at {format_instant(known.at)} by load {known.load_id}{since}"
    if reason is VerdictReason.UNCOMMITTED and file.part is not None:
        return f"its run {file.part.run} is {file.part.state.value if file.part.state else 'unknown'}"
    if reason is VerdictReason.UNLISTED and file.part is not None:
        return f"its run {file.part.run} does not list it"
    if reason in (VerdictReason.SKIPPED, VerdictReason.WRITTEN_OFF):
        known_as = decided[file.key]
        return f"{reason.replace('_', ' ')} by {known_as.by} at {format_instant(known_as.at)}: {known_as.reason}"
    boundary = format_instant(verdict.boundary) if verdict.boundary else ""
    return {
        VerdictReason.STAGING: "in a writer's staging area, no data yet",
        VerdictReason.ARCHIVED: "archived: restore it first",
        VerdictReason.REPROCESSED: "loaded before, and loaded again by --reprocess",
        VerdictReason.NAMED: "named by --key",
        VerdictReason.REPLACED: "its content is not what its run wrote",
        VerdictReason.CHANGED: "its content changed after it was loaded, and the table has no primary key",
        VerdictReason.AFTER_WATERMARK: f"{by} after the watermark",
        VerdictReason.BEFORE_WATERMARK: f"{by} too old: not after the watermark {boundary}",
        VerdictReason.IN_SESSION: "inside the session window",
        VerdictReason.CARRIED_OVER: "carried over: a committed part that was never loaded",
        VerdictReason.OUTSIDE_SESSION: f"outside the session window by {by}",
        VerdictReason.BEFORE_FLOOR: f"before the load floor {boundary}, never loaded",
        VerdictReason.EARLIER_EPOCH: "of an earlier epoch: the table was reset since",
        VerdictReason.LATER_EPOCH: "of a later epoch: that reset was taken back",
        VerdictReason.AFTER_SYSTEM: f"{by} after the system watermark",
        VerdictReason.BEFORE_SYSTEM: f"{by} too old: not after the system watermark {boundary}",
        VerdictReason.NO_WATERMARK: "no watermark excludes it",
    }[reason]

"""Which files are loaded next, and why: one pure rule for preview, run, explanation and screen.

The rules, the first that applies decides:
1. not a file of exactly this table: not a candidate (the listing's business); below a writer's staging area: no data
2. loaded into this target in this epoch or a later one, same key and ETag: out; with `reprocess` in again, unless a
   manual or system watermark excludes it. A part of our own counts as loaded by its key alone: it is never written
   again; what is loaded again is only what its run wrote, or what was loaded. A foreign file whose content changed
   since is another one; without a primary key it is held back, because its rows would double
3. skipped or written off by an operator, with this ETag: out. A part of a run that is not committed, or that its
   committed run does not list: out. In an archive: out although the rules below take it, until it is restored
4. manual, or automated without extraction time: in when LastModified > data timestamp
5. automated: a part of another epoch is out, for its rows are read again in this one; else not at or before the load
   floor, and within 10 h of the extraction time (both ends in), or a part of a committed run that was never loaded
6. without a data timestamp the system watermark acts as a manual one; without both, everything is in

What is out although its rows were neither loaded nor given up is held back: the table may not be called complete.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from types import MappingProxyType
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct

from wmtui.runs.load_records import Loads
from wmtui.runs.run_document import RunState
from wmtui.watermarks.model import Watermark
from wmtui.watermarks.timestamps import format_instant, to_instant, to_wall
from wmtui.watermarks.zones import instant_of, zone_of

SESSION = timedelta(hours=10)
"""Half the session window: files this far from an automated extraction belong to it."""


class _Record(msgspec.Struct, frozen=True, gc=False):
    """A value of which there may be millions: it holds no cycles, so the garbage collector need not walk it."""


class PartOf(_Record, frozen=True):
    """What its run document says of one of our own parts. state None: no document. etag None: not listed by it.

    max_cursor: of its newest row, wall clock in `timezone`; None: in the profile's. size: bytes. footer: digest of the
    Parquet footer.
    """

    run: str
    state: RunState | None
    epoch: int
    etag: str | None
    rows: int | None
    max_cursor: datetime | None = None
    timezone: str | None = None
    size: int | None = None
    footer: str | None = None


class FileKind(StrEnum):
    """Whether an object can be loaded at all.

    STAGING: a writer has not finished with it. ARCHIVED: it must be restored before anybody can read it.
    """

    DATA = "data"
    STAGING = "staging"
    ARCHIVED = "archived"


class Candidate(_Record, frozen=True):
    """A file of exactly this table. last_modified: aware UTC, whole seconds. part None: a foreign file."""

    key: str
    uri: str
    etag: str
    size: int
    last_modified: datetime
    part: PartOf | None
    kind: FileKind = FileKind.DATA


class Will(StrEnum):
    """What an operator decided about a file. SKIP: never load it. WRITE_OFF: it was held back, and is given up."""

    SKIP = "skip"
    WRITE_OFF = "write_off"


class Decision(_Record, frozen=True):
    """What an operator decided about one content of a file, and why. at: aware UTC."""

    etag: str
    will: Will
    by: str
    at: datetime
    reason: str


DecidedFiles = Mapping[str, Decision]
"""Key → what was decided about that file. One of another content was not decided about."""


class VerdictReason(StrEnum):
    """Why a file is in or out; the values are part of the JSON interface."""

    STAGING = "staging"
    LOADED = "loaded"
    SKIPPED = "skipped"
    WRITTEN_OFF = "written_off"
    ARCHIVED = "archived"
    REPROCESSED = "reprocessed"
    NAMED = "named"
    UNCOMMITTED = "uncommitted"
    UNLISTED = "unlisted"
    REPLACED = "replaced"
    CHANGED = "changed"
    AFTER_WATERMARK = "after_watermark"
    BEFORE_WATERMARK = "before_watermark"
    IN_SESSION = "in_session"
    CARRIED_OVER = "carried_over"
    OUTSIDE_SESSION = "outside_session"
    BEFORE_FLOOR = "before_floor"
    EARLIER_EPOCH = "earlier_epoch"
    LATER_EPOCH = "later_epoch"
    AFTER_SYSTEM = "after_system"
    BEFORE_SYSTEM = "before_system"
    NO_WATERMARK = "no_watermark"


RULES = {
    VerdictReason.STAGING: 1,
    VerdictReason.LOADED: 2,
    VerdictReason.SKIPPED: 3,
    VerdictReason.WRITTEN_OFF: 3,
    VerdictReason.ARCHIVED: 3,
    VerdictReason.REPROCESSED: 2,
    VerdictReason.NAMED: 2,
    VerdictReason.UNCOMMITTED: 3,
    VerdictReason.UNLISTED: 3,
    VerdictReason.REPLACED: 3,
    VerdictReason.CHANGED: 2,
    VerdictReason.AFTER_WATERMARK: 4,
    VerdictReason.BEFORE_WATERMARK: 4,
    VerdictReason.IN_SESSION: 5,
    VerdictReason.CARRIED_OVER: 5,
    VerdictReason.OUTSIDE_SESSION: 5,
    VerdictReason.BEFORE_FLOOR: 5,
    VerdictReason.EARLIER_EPOCH: 5,
    VerdictReason.LATER_EPOCH: 5,
    VerdictReason.AFTER_SYSTEM: 6,
    VerdictReason.BEFORE_SYSTEM: 6,
    VerdictReason.NO_WATERMARK: 6,
}
SELECTED = frozenset(
    {
        VerdictReason.REPROCESSED,
        VerdictReason.NAMED,
        VerdictReason.AFTER_WATERMARK,
        VerdictReason.IN_SESSION,
        VerdictReason.CARRIED_OVER,
        VerdictReason.AFTER_SYSTEM,
        VerdictReason.NO_WATERMARK,
    }
)
TIMED_OUT = frozenset(
    {
        VerdictReason.BEFORE_WATERMARK,
        VerdictReason.OUTSIDE_SESSION,
        VerdictReason.BEFORE_FLOOR,
        VerdictReason.BEFORE_SYSTEM,
    }
)
"""Out for its time alone: another watermark would let the file in."""
_GIVEN_UP = frozenset({VerdictReason.UNCOMMITTED, VerdictReason.UNLISTED})
"""Out whatever anybody decides: no run vouches for its rows."""
HELD_BACK = TIMED_OUT | {VerdictReason.ARCHIVED, VerdictReason.REPLACED, VerdictReason.CHANGED}
"""Out although it may have rows that come by no other way, and was not given up."""


class Outcome(StrEnum):
    """What a verdict comes to; the values are shown to readers.

    NEXT: loaded by the next load. LOADED: it was loaded. HELD_BACK: out although it may have rows that come by no other
    way. OUT: out for good.
    """

    NEXT = "next"
    LOADED = "loaded"
    HELD_BACK = "held back"
    OUT = "out"


class Verdict(_Record, frozen=True):
    """Load this file or not, the rule that decided, and how far it missed.

    boundary: the instant its LastModified was compared with, None where time did not decide.
    """

    file: Candidate
    reason: VerdictReason
    boundary: datetime | None = None

    @property
    def selected(self) -> bool:
        """The file is loaded next."""
        return self.reason in SELECTED

    @property
    def held_back(self) -> bool:
        """The file is out although it may have rows that come by no other way."""
        return self.reason in HELD_BACK

    @property
    def outcome(self) -> Outcome:
        """What it comes to."""
        if self.selected:
            return Outcome.NEXT
        if self.reason is VerdictReason.LOADED:
            return Outcome.LOADED
        return Outcome.HELD_BACK if self.held_back else Outcome.OUT

    @property
    def rule(self) -> int:
        """Number of the rule that decided, as in this module's description."""
        return RULES[self.reason]

    @property
    def distance(self) -> timedelta | None:
        """How far LastModified lies from the boundary, never negative."""
        return None if self.boundary is None else abs(self.file.last_modified - self.boundary)


_UTC = ZoneInfo("UTC")


class Basis(Struct, frozen=True):
    """What of a watermark the rules look at; instants are aware UTC.

    after: rules 4 and 6, only files after this. extraction_time: rule 5. system: `after` is the system watermark.
    zone: the profile's. keyless: the table has no primary key, so that a file loaded twice is doubled.
    """

    epoch: int
    after: datetime | None = None
    extraction_time: datetime | None = None
    load_floor: datetime | None = None
    system: bool = False
    zone: ZoneInfo = _UTC
    keyless: bool = False

    @classmethod
    def of(cls, mark: Watermark, system: datetime | None, zone: ZoneInfo, *, keyless: bool = False) -> "Basis":
        """The basis of a watermark. system: the system watermark, wall clock in `zone`."""
        if mark.data_timestamp is None:
            return cls(mark.epoch, after=system and to_instant(system, zone), system=True, keyless=keyless)
        if mark.is_manual or mark.extraction_time is None:
            return cls(mark.epoch, after=instant_of(mark, zone), keyless=keyless)
        at, floor = mark.extraction_time, mark.load_floor
        return cls(mark.epoch, extraction_time=at, load_floor=floor, zone=zone, keyless=keyless)

    @property
    def session(self) -> tuple[datetime, datetime] | None:
        """The session window, both ends in; None unless rule 5 decides."""
        at = self.extraction_time
        return None if at is None else (at - SESSION, at + SESSION)

    def describe(self) -> str:
        """The log line that says how files are chosen."""
        if self.session is not None:
            low, high = (format_instant(end) for end in self.session)
            return f"Using session-based incremental Redshift loading: files from {low} to {high}"
        if self.after is None:
            return "Using no watermark: every file is loaded"
        kind = "system" if self.system else "manual"
        return f"Using {kind} watermark-based incremental Redshift loading: files after {format_instant(self.after)}"


class Reprocess(StrEnum):
    """Whether files loaded before are loaded again."""

    NO = "no"
    LOADED = "loaded"
    NAMED = "named"


def judge(
    files: Iterable[Candidate],
    basis: Basis,
    loaded: Loads,
    reprocess: Reprocess = Reprocess.NO,
    decided: DecidedFiles = MappingProxyType({}),
) -> list[Verdict]:
    """One verdict per candidate, in the order given.

    reprocess: LOADED takes files loaded before again unless a manual or system watermark excludes them; NAMED takes
    them whatever their time, because the operator named each one.
    """
    by_time = _by_session(basis) if basis.session else _by_point(basis)
    again = reprocess is Reprocess.NAMED or (reprocess is Reprocess.LOADED and basis.after is None)
    settled = VerdictReason.REPROCESSED if again else VerdictReason.LOADED
    ask_ledger = again or reprocess is Reprocess.NO
    # Looked up once: there may be a million files.
    committed, data, named, any_decided = RunState.COMMITTED, FileKind.DATA, reprocess is Reprocess.NAMED, bool(decided)
    verdicts = []
    for file in files:
        part, known = file.part, loaded.get(file.key) if ask_ledger else None
        if known is not None and (known.etag == file.etag or (part is not None and (not again or _as_listed(file)))):
            verdict = Verdict(file, settled)
        elif known is not None and part is None and basis.keyless and not named:
            verdict = Verdict(file, VerdictReason.CHANGED)
        elif part is not None and part.state is not committed:
            verdict = Verdict(file, VerdictReason.UNCOMMITTED)
        elif part is not None and part.etag is None:
            verdict = Verdict(file, VerdictReason.UNLISTED)
        elif part is not None and part.etag != file.etag:
            verdict = Verdict(file, VerdictReason.REPLACED)
        else:
            verdict = by_time(file)
            if named and verdict.reason in TIMED_OUT:
                verdict = Verdict(file, VerdictReason.NAMED)
        if file.kind is not data or (any_decided and file.key in decided):
            verdict = _barred(verdict, decided.get(file.key))
        verdicts.append(verdict)
    return verdicts


def _barred(verdict: Verdict, decision: Decision | None) -> Verdict:
    """The verdict of a file that an operator decided about, or that is no plain data. What is loaded stays loaded."""
    file, reason = verdict.file, verdict.reason
    if reason is VerdictReason.LOADED:
        return verdict
    if file.kind is FileKind.STAGING:
        return Verdict(file, VerdictReason.STAGING)
    if decision is not None and decision.etag == file.etag and reason not in _GIVEN_UP:
        return Verdict(file, VerdictReason.SKIPPED if decision.will is Will.SKIP else VerdictReason.WRITTEN_OFF)
    if file.kind is FileKind.ARCHIVED and reason in SELECTED:
        return Verdict(file, VerdictReason.ARCHIVED)
    return verdict


def _as_listed(file: Candidate) -> bool:
    """A part that its committed run lists with this very content."""
    part = file.part
    return part is not None and part.state is RunState.COMMITTED and part.etag == file.etag


def _by_point(basis: Basis) -> Callable[[Candidate], Verdict]:
    """Rules 4 and 6."""
    after = basis.after
    if after is None:
        return lambda file: Verdict(file, VerdictReason.NO_WATERMARK)
    inside = VerdictReason.AFTER_SYSTEM if basis.system else VerdictReason.AFTER_WATERMARK
    outside = VerdictReason.BEFORE_SYSTEM if basis.system else VerdictReason.BEFORE_WATERMARK
    return lambda file: Verdict(file, inside if file.last_modified > after else outside, after)


def _by_session(basis: Basis) -> Callable[[Candidate], Verdict]:
    """Rule 5."""
    middle, floor, epoch = basis.extraction_time, basis.load_floor, basis.epoch
    assert middle is not None
    point_in = lru_cache(lambda zone: to_wall(floor or middle, zone_of(zone, basis.zone)))
    low, high = middle - SESSION, middle + SESSION
    # Looked up once: finding an enum's member takes as long as making a verdict.
    in_session, carried_over, outside = (
        VerdictReason.IN_SESSION,
        VerdictReason.CARRIED_OVER,
        VerdictReason.OUTSIDE_SESSION,
    )
    earlier, later = VerdictReason.EARLIER_EPOCH, VerdictReason.LATER_EPOCH

    def verdict(file: Candidate) -> Verdict:
        at = file.last_modified
        if file.part is not None and file.part.epoch != epoch:
            return Verdict(file, earlier if file.part.epoch < epoch else later)
        if floor is not None and at <= floor and not _holds_rows_from(file, point_in):
            return Verdict(file, VerdictReason.BEFORE_FLOOR, floor)
        nearest = low if at < middle else high
        if low <= at <= high:
            return Verdict(file, in_session, nearest)
        return Verdict(file, outside if file.part is None else carried_over, nearest)

    return verdict


def _holds_rows_from(file: Candidate, point_in: Callable[[str | None], datetime]) -> bool:
    """Whether a part has rows at or after the point of a `set`, by the source's own clock.

    The sync right after it must not lose its parts, whatever LastModified's whole seconds or another clock say.
    """
    part = file.part
    return part is not None and part.max_cursor is not None and part.max_cursor >= point_in(part.timezone)

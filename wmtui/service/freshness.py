"""How a table is, by one rule: what went wrong, else how old its data and its last run are. Pure."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from msgspec import Struct

from wmtui.config import Freshness
from wmtui.watermarks.changes import Action
from wmtui.watermarks.lease import Heartbeat
from wmtui.watermarks.lock_document import SyncOutcome
from wmtui.watermarks.model import SideStatus, Watermark
from wmtui.watermarks.pins import pin_at
from wmtui.watermarks.source_progress import read_to
from wmtui.watermarks.timestamps import parse_instant
from wmtui.watermarks.zones import instant_of, is_foreign

AHEAD = timedelta(minutes=5)
"""How far in the future a moment may lie that was noted by another clock."""

_PLACING = frozenset({Action.SET, Action.IMPORT, Action.UNDO, Action.EXTERNAL})
"""Changes of a watermark that may leave it manual."""


class TableSeverity(StrEnum):
    """How bad it is: nothing to do, to be looked at, or wrong (then `status` exits with 1)."""

    OK = "ok"
    WARN = "warn"
    ERROR = "error"


class State(StrEnum):
    """How a table is; the values are shown to readers, and part of the JSON interface.

    They stand in the order in which lists sort tables, the most urgent first (`rank`). Which one a table of several
    gets is decided in another order, by `_states`. UNKNOWN: an error, which is no fault of its documents, kept it from
    being read.
    """

    GONE = "gone"
    UNREADABLE = "unreadable"
    UNKNOWN = "unknown"
    INCOMPLETE_COPY = "incomplete copy"
    FAILED = "failed"
    CLOCK = "clock"
    OTHER_TIME_ZONE = "other time zone"
    INTERRUPTED = "interrupted"
    HELD_BACK = "held back"
    STALE = "stale"
    MANUAL = "manual"
    NOT_LOADED = "not loaded"
    RESET = "reset"
    NEVER_READ = "never read"
    NEVER_SYNCED = "never synced"
    LATE = "late"
    PINNED = "pinned"
    PENDING = "pending"
    OK = "ok"

    @property
    def severity(self) -> TableSeverity:
        """How bad it is by itself; a manual watermark is as bad as its data are old."""
        return _SEVERITIES.get(self, TableSeverity.ERROR)

    @property
    def needs_count(self) -> bool:
        """Only counting a table's files finds it."""
        return self in (State.HELD_BACK, State.INCOMPLETE_COPY)

    @property
    def rank(self) -> int:
        """Its place among all of them, 0 for the most urgent."""
        return _RANKS[self]


_SEVERITIES = {State.LATE: TableSeverity.WARN} | dict.fromkeys(
    (State.MANUAL, State.PINNED, State.PENDING, State.OK), TableSeverity.OK
)
_RANKS = {state: rank for rank, state in enumerate(State)}


class LoadState(Struct, frozen=True):
    """What is noted of loads into one warehouse. to: up to where everything that was read had been loaded before what
    waits now was read; at: the end of the last load. None: not noted.
    """

    status: str
    to: datetime | None = None
    at: datetime | None = None


class Manual(Struct, frozen=True):
    """Since when a watermark is where an operator placed it, and who that was; None: not noted."""

    since: datetime | None
    by: str | None


class Moment(StrEnum):
    """What may be noted as having happened later than now."""

    LAST_SUCCESS = "last_success"
    LAST_READING = "last_reading"
    DATA_TIMESTAMP = "data_timestamp"


class Ahead(Struct, frozen=True):
    """A moment that lies in the future, and by how much."""

    moment: Moment
    at: datetime
    by: timedelta


class Judgement(Struct, frozen=True):
    """How a table is, and what that rests on.

    data_at: up to where the source was read and loaded; age: of that. run_age: since the last sync that succeeded.
    None: never. manual: of a watermark that an operator placed. limit: the one that the age exceeds. error: what
    failed, or why the table cannot be read; "": nothing, or not noted. timezone: of a watermark that is not in
    the profile's. ahead: where a clock is wrong. held_back: files.
    """

    state: State
    severity: TableSeverity
    data_at: datetime | None = None
    age: timedelta | None = None
    run_age: timedelta | None = None
    manual: Manual | None = None
    limit: timedelta | None = None
    error: str = ""
    timezone: str | None = None
    ahead: Ahead | None = None
    held_back: int = 0

    @classmethod
    def of_error(cls, state: State, error: str) -> "Judgement":
        """The judgement of a table that an error says all about."""
        return cls(state, state.severity, error=error)


class FileCounts(Struct, frozen=True):
    """How many files the next load takes, and how many it leaves although they were not given up."""

    waiting: int = 0
    held_back: int = 0


UNCOUNTED = FileCounts()


class Facts(Struct, frozen=True):
    """What is known of a table. now: by the store's clock. zone: the profile's."""

    mark: Watermark
    heartbeat: Heartbeat
    loads: LoadState
    zone: ZoneInfo
    now: datetime
    files: FileCounts = UNCOUNTED


def judge(facts: Facts, limits: Freshness, max_age: timedelta | None = None) -> Judgement:
    """The state of a table. max_age: of its data, instead of the limit at which age is an error."""
    data_at, last_success = loaded_to(facts), facts.heartbeat.last_success
    age = None if data_at is None else max(facts.now - data_at, timedelta(0))
    by_age, limit = _by_age(age, limits.warn, limits.error if max_age is None else max_age)
    manual, ahead = manual_since(facts.mark), _ahead(facts)
    state = next(_states(facts, by_age, manual, ahead))
    return Judgement(
        state=state,
        severity=by_age.severity if state is State.MANUAL else state.severity,
        data_at=data_at,
        age=age,
        run_age=None if last_success is None else max(facts.now - last_success, timedelta(0)),
        manual=manual,
        limit=limit,
        error=_failure(facts) or "",
        timezone=facts.mark.timezone if is_foreign(facts.mark, facts.zone) else None,
        ahead=ahead,
        held_back=facts.files.held_back,
    )


def loaded_to(facts: Facts) -> datetime | None:
    """Up to which instant the source has been read and loaded; None: nothing was."""
    mark, loads = facts.mark, facts.loads
    reached = read_to(mark, facts.heartbeat, facts.zone)
    if loads.status == SideStatus.SUCCESS or mark.is_manual or mark.position is None or reached is None:
        return reached  # All of it was loaded, or there was no row to load.
    loaded = loads.to or loads.at
    return None if loaded is None else min(loaded, reached)


def manual_since(mark: Watermark) -> Manual | None:
    """Who placed a manual watermark, and when; None for one that runs have moved."""
    if not mark.is_manual:
        return None
    change = mark.change or {}
    if change.get("action") in _PLACING and change.get("at"):
        return Manual(parse_instant(str(change["at"])), _who(change))
    return Manual(mark.placed, mark.fields["placed_by"])


def _who(change: Mapping[str, object]) -> str | None:
    return f"{change['actor']}@{change.get('host')}" if change.get("actor") else None


def _states(facts: Facts, by_age: State, manual: Manual | None, ahead: Ahead | None) -> Iterator[State]:
    """Every state that holds, the one that counts first."""
    mark, heartbeat = facts.mark, facts.heartbeat
    if _failure(facts) is not None:
        yield State.FAILED
    if is_foreign(mark, facts.zone):
        yield State.OTHER_TIME_ZONE
    if SideStatus.IN_PROGRESS in (mark.extraction_status, facts.loads.status) and not heartbeat.held:
        yield State.INTERRUPTED
    if ahead is not None:
        yield State.CLOCK
    if _never_synced(mark, heartbeat):
        yield State.NEVER_SYNCED
    if read_to(mark, heartbeat, facts.zone) is None:
        yield State.RESET if mark.epoch > 1 else State.NEVER_READ
    if _lacks_files(facts):
        yield State.HELD_BACK
    if by_age is State.NOT_LOADED:
        yield by_age
    if manual is not None:
        yield State.MANUAL
    if by_age is not State.OK:
        yield by_age
    if pin_at(mark, facts.now):
        yield State.PINNED
    if facts.loads.status == SideStatus.PENDING:
        yield State.PENDING
    yield State.OK


def _failure(facts: Facts) -> str | None:
    """What the last run failed with, "" where that was not noted; None: it did not fail.

    A failure that only the lock document has counts too.
    """
    if SideStatus.FAILED in (facts.mark.extraction_status, facts.loads.status):
        return str(facts.mark.fields["last_error"] or "")
    last, changed = facts.heartbeat.document.last_run, facts.mark.fields["metadata"].get("updated_at")
    if last is None or last.outcome != SyncOutcome.FAILED:
        return None
    since = changed is not None and parse_instant(changed) > last.at
    return None if since else str(last.error or "")


def _ahead(facts: Facts) -> Ahead | None:
    """What was noted as having happened later than now: by a host or a source whose clock was ahead, unless it is the
    clock here that is behind. None: nothing was.
    """
    moments = [
        (Moment.LAST_SUCCESS, facts.heartbeat.last_success),
        (Moment.LAST_READING, facts.heartbeat.extracted_to(facts.mark)),
    ]
    if not facts.mark.is_manual:
        moments.append((Moment.DATA_TIMESTAMP, instant_of(facts.mark, facts.zone)))
    for moment, at in moments:
        if at is not None and at > facts.now + AHEAD:
            return Ahead(moment, at, at - facts.now)
    return None


def _lacks_files(facts: Facts) -> bool:
    """Files are held back, and no manual watermark is about to load others."""
    return facts.files.held_back > 0 and not (facts.mark.is_manual and facts.files.waiting)


def _never_synced(mark: Watermark, heartbeat: Heartbeat) -> bool:
    """No sync of this program or of another one has left anything."""
    traces = (mark.extraction_time, mark.extracted_run, mark.fields["last_redshift_load_time"])
    return heartbeat.last_success is None and not any(traces)


def _by_age(age: timedelta | None, warn: timedelta, error: timedelta) -> tuple[State, timedelta | None]:
    """The state that the age of the data alone gives a table, and the limit that the age exceeds."""
    if age is None:
        return State.NOT_LOADED, None
    if age > error:
        return State.STALE, error
    return (State.LATE, warn) if age > warn else (State.OK, None)

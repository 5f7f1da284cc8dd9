"""How a table is, by one rule: what went wrong, else how old its data and its last run are. Pure."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from msgspec import Struct

from wmtui.config import Freshness
from wmtui.texts import count
from wmtui.watermarks.lease import Heartbeat
from wmtui.watermarks.model import Watermark
from wmtui.watermarks.pins import pin_at
from wmtui.watermarks.reach import read_to
from wmtui.watermarks.timestamps import parse_instant
from wmtui.watermarks.zones import instant_of, is_foreign, written_in
from wmtui.words import values

AHEAD = timedelta(minutes=5)
"""How far in the future a moment may lie that was noted by another clock."""

_PLACING = ("set", "import", "undo", "external")
"""Changes of a watermark that may leave it manual."""


class Severity(StrEnum):
    """How bad it is: nothing to do, to be looked at, or wrong (then `status` exits with 1)."""

    OK = "ok"
    WARN = "warn"
    ERROR = "error"


class Loads(Struct, frozen=True):
    """What is noted of loads into one warehouse. to: up to where everything that was read had been loaded before what
    waits now was read; at: the end of the last load. None: nobody noted it.
    """

    status: str
    to: datetime | None = None
    at: datetime | None = None


class Manual(Struct, frozen=True):
    """Since when a watermark is where somebody placed it, and who did; None: nobody noted it."""

    since: datetime | None
    by: str | None


class Judgement(Struct, frozen=True):
    """state: one or two words. why: what they rest on, "" where the state says all.

    data_at: up to where the source was read and loaded; age: of that. run_age: since the last sync that succeeded.
    None: never. manual: of a watermark that somebody placed.
    """

    state: str
    severity: Severity
    why: str = ""
    data_at: datetime | None = None
    age: timedelta | None = None
    run_age: timedelta | None = None
    manual: Manual | None = None


class Files(Struct, frozen=True):
    """How many files the next load takes, and how many it leaves although nobody gave them up."""

    waiting: int = 0
    held_back: int = 0


UNCOUNTED = Files()


class Facts(Struct, frozen=True):
    """What is known of a table. now: by the store's clock. zone: the profile's."""

    mark: Watermark
    heartbeat: Heartbeat
    loads: Loads
    zone: ZoneInfo
    now: datetime
    files: Files = UNCOUNTED


def judge(facts: Facts, limits: Freshness, max_age: timedelta | None = None) -> Judgement:
    """The state of a table. max_age: of its data, instead of the limit at which age is an error."""
    data_at, last = loaded_to(facts), facts.heartbeat.last_success
    age = None if data_at is None else max(facts.now - data_at, timedelta(0))
    error = limits.error if max_age is None else max_age
    manual = manual_since(facts.mark)
    state, severity, why = next(_states(facts, age, manual, (limits.warn, error)))
    return Judgement(
        state, severity, why, data_at, age, None if last is None else max(facts.now - last, timedelta(0)), manual
    )


def loaded_to(facts: Facts) -> datetime | None:
    """Up to which instant the source has been read and loaded; None: nothing was."""
    mark, loads = facts.mark, facts.loads
    reached = read_to(mark, facts.heartbeat, facts.zone)
    if loads.status == "success" or mark.is_manual or mark.position is None or reached is None:
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


def _states(
    facts: Facts, age: timedelta | None, manual: Manual | None, limits: tuple[timedelta, timedelta]
) -> Iterator[tuple[str, Severity, str]]:
    """Every state that holds, the one that counts first."""
    mark, heartbeat, bad = facts.mark, facts.heartbeat, Severity.ERROR
    if failure := _failure(facts):
        yield "failed", bad, failure
    if is_foreign(mark, facts.zone):
        yield "other time zone", bad, f"the watermark is {written_in(mark, facts.zone)}"
    if "in_progress" in (mark.fields["mysql_status"], facts.loads.status) and not heartbeat.held:
        yield "interrupted", bad, "the run that was at work is gone; the next sync goes on after it"
    if ahead := _ahead(facts):
        yield "clock", bad, ahead
    if _never_synced(mark, heartbeat):
        yield "never synced", bad, ""
    if read_to(mark, heartbeat, facts.zone) is None:
        yield ("reset" if mark.epoch > 1 else "never read"), bad, "nothing was read since"
    if _lacks_files(facts):
        files = count(facts.files.held_back, "file")
        yield "held back", bad, f"no load takes {files}; see `wmtui files -t {mark.table}`"
    if age is None:
        yield "not loaded", bad, "what was read has never been loaded"
        return
    word, severity, why = _by_age(age, *limits)
    if manual is not None:
        yield "manual", severity, "; ".join(filter(None, (in_words(manual), why)))
    if severity is not Severity.OK:
        yield word, severity, why
    if pin_at(mark, facts.now):
        yield "pinned", severity, ""
    if facts.loads.status == "pending":
        yield "pending", severity, "what was read waits to be loaded"
    yield word, severity, ""


def _failure(facts: Facts) -> str:
    """Why the last run failed, "" if it did not. A failure that the watermark could not be told counts too."""
    error = str(facts.mark.fields["last_error"] or "no reason was noted")
    if "failed" in (facts.mark.fields["mysql_status"], facts.loads.status):
        return error
    last, changed = facts.heartbeat.fields["last_run"], facts.mark.fields["metadata"].get("updated_at")
    if not isinstance(last, dict) or last.get("outcome") != "failed":
        return ""
    since = changed is not None and parse_instant(changed) > parse_instant(last["at"])
    return "" if since else str(last.get("error") or "no reason was noted")


def _ahead(facts: Facts) -> str:
    """What was noted as having happened later than now: by a host or a source whose clock was ahead, unless it is the
    clock here that is behind. "" if nothing was.
    """
    noted = [("the last success", facts.heartbeat.last_success), ("the last reading", _extracted_to(facts))]
    if not facts.mark.is_manual:
        noted.append(("the data timestamp", instant_of(facts.mark, facts.zone)))
    for what, at in noted:
        if at is not None and at > facts.now + AHEAD:
            by = values.span(at - facts.now)
            return f"{what} is {values.instant(at)}, {by} from now: a clock is wrong; see `wmtui doctor`"
    return ""


def _extracted_to(facts: Facts) -> datetime | None:
    return facts.heartbeat.extracted_to(facts.mark)


def _lacks_files(facts: Facts) -> bool:
    """Files are held back, and nobody is at it: no manual watermark is about to load others."""
    return facts.files.held_back > 0 and not (facts.mark.is_manual and facts.files.waiting)


def _never_synced(mark: Watermark, heartbeat: Heartbeat) -> bool:
    """No sync of this program or of another one has left anything."""
    traces = (mark.extraction_time, mark.extracted_run, mark.fields["last_redshift_load_time"])
    return heartbeat.last_success is None and not any(traces)


def _by_age(age: timedelta, warn: timedelta, error: timedelta) -> tuple[str, Severity, str]:
    if age > error:
        return "stale", Severity.ERROR, f"its data is {values.span(age)} old, over {values.span(error)}"
    if age > warn:
        return "late", Severity.WARN, f"its data is {values.span(age)} old, over {values.span(warn)}"
    return "ok", Severity.OK, ""


def in_words(manual: Manual) -> str:
    """`manual since … by …`, as far as it was noted."""
    since = f" since {values.instant(manual.since)}" if manual.since else ""
    return f"manual{since}{f' by {manual.by}' if manual.by else ''}"

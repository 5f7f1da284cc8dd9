"""How a table is, and why: the words and glyphs of its state."""

from collections.abc import Callable, Mapping

from wmtui.model import TableName
from wmtui.service.freshness import Judgement, Manual, Moment, State, TableSeverity
from wmtui.service.status import TableStatus
from wmtui.texts import count
from wmtui.words import values
from wmtui.words.styled import Glyph, Styled

_GLYPHS = {TableSeverity.OK: Glyph.GOOD, TableSeverity.WARN: Glyph.WARN, TableSeverity.ERROR: Glyph.BAD}
_MOMENTS = {
    Moment.LAST_SUCCESS: "the last success",
    Moment.LAST_READING: "the last reading",
    Moment.DATA_TIMESTAMP: "the data timestamp",
}


def name(status: TableStatus) -> str:
    """The state in one or two words; of a table that an error kept from being read, the error's code."""
    if status.state is State.UNKNOWN and status.unreadable is not None:
        return status.unreadable.code.replace("-", " ")
    return status.state.value


def label(status: TableStatus, *, since: bool = False) -> Styled:
    """The state with its glyph. since: also from when on a manual watermark is."""
    manual, text = status.judgement.manual, name(status)
    if since and status.state is State.MANUAL and manual is not None and manual.since is not None:
        text += f" since {values.instant(manual.since)}"
    if status.severity is TableSeverity.OK and status.state is not State.OK:
        return Styled.marked(Glyph.QUIET, text)
    return Styled.marked(_GLYPHS[status.severity], text)


def why(table: TableName, judgement: Judgement) -> str:
    """What the state rests on; "" where it says all."""
    reason = _REASONS.get(judgement.state)
    return judgement.error if reason is None else reason(table, judgement)


def manual_since(manual: Manual) -> str:
    """`manual since … by …`, as far as it was noted."""
    since = f" since {values.instant(manual.since)}" if manual.since else ""
    return f"manual{since}{f' by {manual.by}' if manual.by else ''}"


def running(status: TableStatus) -> str:
    """What a live run does to the table, how many rows it has done, and whose it is."""
    return f"{status.phase}, {count(status.rows, 'row')}, {status.owner}"


def _ahead(_: TableName, judgement: Judgement) -> str:
    ahead = judgement.ahead
    if ahead is None:
        return ""
    moment = f"{_MOMENTS[ahead.moment]} is {values.instant(ahead.at)}, {values.span(ahead.by)} from now"
    return f"{moment}: a clock is wrong; see `wmtui doctor`"


def _held_back(table: TableName, judgement: Judgement) -> str:
    return f"no load takes {count(judgement.held_back, 'file')}; see `wmtui files -t {table}`"


def _manual(table: TableName, judgement: Judgement) -> str:
    placed = "" if judgement.manual is None else manual_since(judgement.manual)
    return "; ".join(filter(None, (placed, _too_old(table, judgement))))


def _too_old(_: TableName, judgement: Judgement) -> str:
    """The age of the data, where that exceeds a limit."""
    if judgement.limit is None:
        return ""
    return f"its data is {values.span(judgement.age)} old, over {values.span(judgement.limit)}"


def _always(text: str) -> Callable[[TableName, Judgement], str]:
    return lambda _, __: text


_REASONS: Mapping[State, Callable[[TableName, Judgement], str]] = {
    State.FAILED: lambda _, judgement: judgement.error or "no reason was noted",
    State.OTHER_TIME_ZONE: lambda _, judgement: f"the watermark is written in {judgement.timezone}",
    State.INTERRUPTED: _always("the run that was at work is gone; the next sync goes on after it"),
    State.CLOCK: _ahead,
    State.RESET: _always("nothing was read since"),
    State.NEVER_READ: _always("nothing was read since"),
    State.HELD_BACK: _held_back,
    State.NOT_LOADED: _always("what was read has never been loaded"),
    State.MANUAL: _manual,
    State.STALE: _too_old,
    State.LATE: _too_old,
    State.PENDING: _always("what was read waits to be loaded"),
}
"""What each state rests on; of the others an error says all, or nothing is to be said."""

"""How a table is, in words: a glyph for each severity, and what a state rests on."""

from datetime import UTC, datetime, timedelta

import pytest

from wmtui.errors import StoreDenied
from wmtui.model import TableName
from wmtui.service.freshness import Judgement, Manual, State, TableSeverity
from wmtui.service.status import TableStatus
from wmtui.words import states
from wmtui.words.styled import Glyph, Tone

TABLE = TableName("shop", "orders")


def status(state: State, severity: TableSeverity | None = None) -> TableStatus:
    return TableStatus(TABLE, Judgement(state, severity or state.severity))


@pytest.mark.parametrize(
    ("state", "glyph", "tone"),
    [
        (State.OK, Glyph.GOOD, Tone.GOOD),
        (State.PINNED, Glyph.QUIET, Tone.DIM),
        (State.LATE, Glyph.WARN, Tone.WARN),
        (State.STALE, Glyph.BAD, Tone.BAD),
    ],
)
def test_the_glyph_of_a_state_tells_how_bad_it_is(state: State, glyph: Glyph, tone: Tone) -> None:
    label = states.label(status(state))
    assert (str(label), label.tone) == (f"{glyph} {state}", tone)


def test_every_state_that_is_no_success_says_what_it_rests_on() -> None:
    said_by_name = {State.OK, State.PINNED, State.NEVER_SYNCED}
    told_by_data = {State.CLOCK, State.STALE, State.LATE, State.MANUAL}
    for state in set(State) - said_by_name - told_by_data:
        assert states.why(TABLE, Judgement(state, state.severity, error="it broke")), state


def test_a_manual_watermark_is_as_bad_as_its_data_are_old_and_says_since_when_it_is() -> None:
    manual = Manual(datetime(2025, 8, 14, 12, tzinfo=UTC), "mei@laptop")
    hour, day = timedelta(hours=1), timedelta(days=1)
    judged = Judgement(State.MANUAL, TableSeverity.ERROR, manual=manual, age=day, limit=hour)
    label = states.label(TableStatus(TABLE, judged), since=True)
    assert str(label) == "✗ manual since 2025-08-14T12:00:00Z"
    expected = "manual since 2025-08-14T12:00:00Z by mei@laptop; its data is 1 d old, over 1 h"
    assert states.why(TABLE, judged) == expected


def test_what_an_error_keeps_from_being_read_is_named_by_its_code() -> None:
    error = StoreDenied("the store denied a read")
    unknown = TableStatus(TABLE, Judgement.of_error(State.UNKNOWN, str(error)), unreadable=error)
    assert str(states.label(unknown)) == "✗ store denied"


def test_errors_come_first_by_their_state_then_warnings_then_the_rest() -> None:
    order = [
        status(State.GONE),
        status(State.STALE),
        status(State.MANUAL, TableSeverity.ERROR),
        status(State.NEVER_SYNCED),
        status(State.MANUAL, TableSeverity.WARN),
        status(State.OK),
    ]
    ranks = [table.rank for table in order]
    assert ranks == sorted(set(ranks))

"""Do host, store, source and warehouse tell the same time?"""

from datetime import UTC, datetime, timedelta

import pytest

from wmtui.model import Level
from wmtui.service.clocks import Reading, compare, read

SECOND = timedelta(seconds=1)
NOW = datetime(2025, 8, 14, 15, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("ahead", "level"), [(0, Level.OK), (5, Level.OK), (6, Level.WARNING), (-61, Level.ERROR), (3600, Level.ERROR)]
)
def test_clocks_may_be_five_seconds_apart_and_must_not_be_a_minute(ahead: int, level: Level) -> None:
    readings = {"the store": Reading(ahead * SECOND, timedelta(0)), "the source": Reading(timedelta(0), timedelta(0))}
    found = compare(readings)
    assert (found.subject, found.level) == ("clocks", level)
    assert ("the store" in found.finding and "apart" in found.finding) == (level is not Level.OK)


def test_any_two_are_compared_not_only_each_with_this_host() -> None:
    found = compare(
        {"the source": Reading(4 * SECOND, timedelta(0)), "the warehouse": Reading(-4 * SECOND, timedelta(0))}
    )
    assert found.level is Level.WARNING
    assert found.finding.startswith("the warehouse and the source are 8 s apart: the source is 4 s ahead of this host")


def test_a_slow_answer_is_no_difference() -> None:
    looks = iter([NOW, NOW + 20 * SECOND])
    slow = read(lambda: next(looks), lambda: NOW + 19 * SECOND)
    assert slow == Reading(9 * SECOND, 10 * SECOND)
    assert compare({"the source": slow}).level is Level.OK


def test_a_clock_of_whole_seconds_is_taken_in_their_middle() -> None:
    assert read(lambda: NOW, lambda: NOW, grain=SECOND) == Reading(SECOND / 2, SECOND / 2)


def test_who_does_not_answer_is_left_out() -> None:
    assert compare({}).finding == "within 5 s of each other: this host"

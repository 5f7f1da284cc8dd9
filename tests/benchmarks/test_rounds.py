"""The rules of a comparison: which rounds count, medians, ratios of the same round."""

import pytest

from benchmarks.rounds import NOISE, Role, Row, Sample, judge, missing, noisy

ROLES: dict[str, Role] = {"client": "limit", "wmtui": "ours", "dlt": "peer", "replace": "other"}
ROWS = dict.fromkeys(ROLES, 1000)


def sample(wall: float, others: float = 0.0, statement: float | None = None) -> Sample:
    return Sample(wall, wall / 2, wall / 4, 1_000_000, others, statement)


def one(client: float, wmtui: float, dlt: float, replace: float = 0.1, others: float = 0.0) -> dict[str, Sample]:
    return {"client": sample(client), "wmtui": sample(wmtui, others), "dlt": sample(dlt), "replace": sample(replace)}


def row(rows: list[Row], name: str) -> Row:
    (found,) = [row for row in rows if row.name == name]
    return found


def test_a_round_is_noisy_when_others_used_the_machine() -> None:
    assert noisy([one(1, 2, 4), one(1, 2, 4, others=NOISE + 0.01)], ROLES) == [False, True]


def test_a_round_is_noisy_when_its_limit_differs_from_that_of_the_others() -> None:
    assert noisy([one(1, 2, 4), one(1.05, 2, 4), one(1.3, 2, 4)], ROLES) == [False, False, True]


def test_without_a_limit_only_others_make_noise() -> None:
    roles: dict[str, Role] = {"wmtui": "ours"}
    assert noisy([{"wmtui": sample(1)}, {"wmtui": sample(9)}], roles) == [False, False]


@pytest.mark.parametrize(
    ("marks", "more"),
    [([], 3), ([False, False], 1), ([False] * 3, 0), ([True, False, False], 1), ([True] * 4, 2), ([True] * 6, 0)],
)
def test_noisy_rounds_are_repeated_but_not_for_ever(marks: list[bool], more: int) -> None:
    assert missing(marks, 3, repeats=3) == more


def test_ratios_are_medians_of_those_within_a_round() -> None:
    rows = judge([one(1.0, 2, 4), one(1.1, 2.2, 6.6), one(1.05, 1.05, 2.1)], ROLES, ROWS, 3)
    assert row(rows, "wmtui").of_limit == pytest.approx(0.5)
    assert row(rows, "wmtui").of_peer == pytest.approx(2)
    assert row(rows, "dlt").of_limit == pytest.approx(1.05 / 4, abs=0.1)


def test_a_program_that_does_less_is_no_peer() -> None:
    assert row(judge([one(1, 2, 4, replace=0.1)], ROLES, ROWS, 1), "wmtui").of_peer == 2


def test_the_limit_and_peers_are_compared_with_no_peer() -> None:
    rows = judge([one(1, 2, 4)], ROLES, ROWS, 1)
    assert row(rows, "client").of_limit is None
    assert row(rows, "client").of_peer is None
    assert row(rows, "dlt").of_peer is None


def test_noisy_rounds_do_not_count_where_enough_were_quiet() -> None:
    rows = judge([one(1, 2, 4), one(1, 8, 4, others=0.5)], ROLES, ROWS, 1)
    assert (row(rows, "wmtui").sample.wall, row(rows, "wmtui").rounds, row(rows, "wmtui").noisy) == (2, 1, 0)


def test_all_rounds_count_and_it_is_said_where_too_few_were_quiet() -> None:
    rows = judge([one(1, 2, 4), one(1, 8, 4, others=0.5)], ROLES, ROWS, 2)
    assert (row(rows, "wmtui").sample.wall, row(rows, "wmtui").rounds, row(rows, "wmtui").noisy) == (5, 2, 1)


def test_a_contestant_that_missed_a_round_has_no_row() -> None:
    lacking = {name: taken for name, taken in one(1, 2, 4).items() if name != "dlt"}
    assert [row.name for row in judge([one(1, 2, 4), lacking], ROLES, ROWS, 2)] == ["client", "wmtui", "replace"]


def test_what_was_never_seen_on_the_source_is_not_told_as_zero() -> None:
    rows = judge([{"wmtui": sample(1)}, {"wmtui": sample(1, statement=0.5)}], {"wmtui": "ours"}, ROWS, 2)
    assert rows[0].sample.statement == 0.5
    assert rows[0].sample.snapshot is None


def test_pace_counts_seconds_and_efficiency_the_clients_processor() -> None:
    (found,) = judge([{"wmtui": sample(2)}], {"wmtui": "ours"}, ROWS, 1)
    assert (found.pace, found.efficiency) == (500, 1000)

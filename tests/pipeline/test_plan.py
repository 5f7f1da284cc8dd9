"""The plan of an extraction: where its window ends, how far it looks back, which earlier run counts, what is left."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from msgspec.structs import replace

from tests.pipeline.plans import (
    AT_ONCE,
    CONFIG,
    DATETIME,
    HOUR,
    MINUTE,
    NEW_YORK,
    NOON,
    SECOND,
    TIMESTAMP,
    UTC_ZONE,
    clock_at,
    heartbeat,
    mark_at,
    planned,
    run_to,
    source_table,
)
from wmtui.config import Duration, TableConfig
from wmtui.errors import ConfigError
from wmtui.model import Order, Position, Span, Strategy
from wmtui.pipeline.extract.plan import (
    high_of,
    is_overlap,
    lookback_before,
    lookback_of,
    observes_daylight_saving,
    previous_run,
    read_up_to,
    resumed,
)
from wmtui.runs.run_document import Range, Run
from wmtui.watermarks.model import Watermark
from wmtui.watermarks.timestamps import to_instant

# Where a window ends.


def test_reading_stays_before_the_clock_by_the_lag() -> None:
    assert high_of(clock_at(NOON), CONFIG, 0, UTC_ZONE) == NOON - 5 * SECOND


@pytest.mark.parametrize(("digits", "unit"), [(0, 1_000_000), (3, 1_000), (6, 1)])
def test_without_lag_the_unit_of_the_cursor_that_is_under_way_is_left_out(digits: int, unit: int) -> None:
    now = NOON.replace(microsecond=123_456)
    high = high_of(clock_at(now), AT_ONCE, digits, UTC_ZONE)
    assert high.microsecond % unit == 0
    assert now - timedelta(microseconds=2 * unit) < high <= now - timedelta(microseconds=unit)


def test_reading_stays_below_the_oldest_writer_and_the_seconds_its_stamps_round_down() -> None:
    assert high_of(clock_at(NOON, NOON - HOUR), CONFIG, 0, UTC_ZONE) == NOON - HOUR - 2 * SECOND
    assert high_of(clock_at(NOON, NOON), CONFIG, 0, UTC_ZONE) == NOON - 5 * SECOND


def test_where_the_clocks_go_forward_the_lag_is_counted_in_instants() -> None:
    now = datetime(2026, 3, 8, 3, 0, 2)
    assert high_of(clock_at(now), CONFIG, 0, NEW_YORK) == datetime(2026, 3, 8, 1, 59, 57)
    writer = clock_at(now + MINUTE, oldest_writer=datetime(2026, 3, 8, 3, 0, 1))
    assert high_of(writer, CONFIG, 0, NEW_YORK) == datetime(2026, 3, 8, 1, 59, 59)


def test_where_the_clocks_go_back_the_lag_is_counted_in_instants() -> None:
    second_pass = datetime(2026, 11, 1, 1, 0, 2, fold=1)
    assert high_of(clock_at(second_pass), CONFIG, 0, NEW_YORK) == datetime(2026, 11, 1, 1, 59, 57)
    writer = clock_at(second_pass.replace(minute=10), oldest_writer=datetime(2026, 11, 1, 1, 59))
    assert high_of(writer, CONFIG, 0, NEW_YORK) == datetime(2026, 11, 1, 1, 58, 58)


# How far it looks back.


def test_the_overlap_is_longer_where_transactions_cannot_be_seen() -> None:
    assert lookback_of(clock_at(NOON), CONFIG, source_table(), UTC_ZONE) == MINUTE
    assert lookback_of(clock_at(NOON, blind="it is a replica"), CONFIG, source_table(), UTC_ZONE) == 10 * MINUTE


def test_the_settings_name_another_overlap() -> None:
    config = TableConfig(lookback=Duration(minutes=3))
    assert lookback_of(clock_at(NOON, blind="it is a replica"), config, source_table(), UTC_ZONE) == 3 * MINUTE


def test_without_primary_key_nothing_is_read_twice() -> None:
    table = source_table(key=())
    assert lookback_of(clock_at(NOON, blind="it is a replica"), CONFIG, table, UTC_ZONE) == timedelta(0)


@pytest.mark.parametrize(
    ("cursor", "lookback", "expected"),
    [(DATETIME, 60, HOUR), (DATETIME, 7200, 2 * HOUR), (TIMESTAMP, 60, MINUTE), (TIMESTAMP, 0, timedelta(0))],
)
def test_wall_clock_in_a_zone_with_daylight_saving_is_read_again_for_the_hour_that_repeats(
    cursor: pa.DataType, lookback: int, expected: timedelta
) -> None:
    config = TableConfig(lookback=Duration(seconds=lookback))
    assert lookback_of(clock_at(NOON), config, source_table(cursor), NEW_YORK) == expected


@pytest.mark.parametrize("zone", ["UTC", "Asia/Shanghai", "Asia/Kolkata"])
def test_a_zone_whose_clocks_never_change_keeps_its_overlap(zone: str) -> None:
    assert lookback_of(clock_at(NOON), CONFIG, source_table(), ZoneInfo(zone)) == MINUTE


@pytest.mark.parametrize("month", [1, 4, 7, 10])
@pytest.mark.parametrize("zone", ["America/New_York", "Europe/Berlin", "Australia/Lord_Howe"])
def test_daylight_saving_is_noticed_in_every_season_and_refused_without_primary_key(zone: str, month: int) -> None:
    now = datetime(2026, month, 15)
    assert lookback_of(clock_at(now), CONFIG, source_table(), ZoneInfo(zone)) == HOUR
    with pytest.raises(ConfigError, match=r"has no primary key, and .* has daylight saving"):
        lookback_of(clock_at(now), CONFIG, source_table(key=()), ZoneInfo(zone))


@pytest.mark.parametrize(
    ("zone", "around", "saving"),
    [
        ("America/Mexico_City", datetime(2023, 1, 15), True),  # It had daylight saving until 30 October 2022.
        ("America/Mexico_City", datetime(2023, 10, 31, 12), False),
        ("America/Mexico_City", datetime(2024, 1, 15), False),
        ("Europe/Berlin", datetime(1979, 1, 15), False),  # It has had it again since 6 April 1980.
        ("Europe/Berlin", datetime(1979, 8, 15), True),
    ],
)
def test_a_zone_has_daylight_saving_if_its_clocks_changed_or_change_within_a_year(
    zone: str, around: datetime, saving: bool
) -> None:
    assert observes_daylight_saving(ZoneInfo(zone), around) is saving


@pytest.mark.parametrize(
    ("now", "lookback", "expected"),
    [
        (datetime(2026, 3, 8, 3, 0, 35), HOUR, datetime(2026, 3, 8, 1, 0, 30)),
        (datetime(2026, 11, 1, 2, 30, 5), 2 * HOUR, datetime(2026, 11, 1, 0, 30)),
    ],
    ids=["forward", "back"],
)
def test_the_overlap_is_as_long_by_the_face_of_the_clock_as_by_the_instants_where_the_clocks_change(
    now: datetime, lookback: timedelta, expected: datetime
) -> None:
    config = TableConfig(lookback=Duration(seconds=lookback.total_seconds()))
    assert planned(mark_at(FINAL), clock_at(now), config=config, zone=NEW_YORK).seen_from == expected


# Which earlier run counts.

FINAL = Position(NOON - MINUTE, (7,))
DONE = Range(Span(Order.CURSOR, None, Position(NOON)), done=True)
OVERLAP = Span(Order.CURSOR, Position(NOON - HOUR), FINAL, inclusive=True)


def test_the_source_was_read_up_to_what_the_last_sync_noted_else_up_to_the_high_of_the_run_before() -> None:
    run, high = run_to(NOON, FINAL, DONE), to_instant(NOON, UTC_ZONE)
    for noted, expected in [(None, high), (high + HOUR, high + HOUR), (high - HOUR, high - HOUR)]:
        assert read_up_to(run, mark_at(FINAL), heartbeat(noted, mark_at(FINAL)), UTC_ZONE) == expected
    assert read_up_to(None, mark_at(FINAL), heartbeat(), UTC_ZONE) is None


@pytest.mark.parametrize("elsewhere", [None, mark_at(Position(NOON)), mark_at(FINAL, epoch=2)])
def test_what_was_read_from_another_position_says_nothing_about_this_one(elsewhere: Watermark | None) -> None:
    run, high = run_to(NOON, FINAL, DONE), to_instant(NOON, UTC_ZONE)
    assert read_up_to(run, mark_at(FINAL), heartbeat(high + HOUR, elsewhere), UTC_ZONE) == high


@pytest.mark.parametrize(
    ("run", "mark"),
    [
        (None, mark_at(FINAL)),
        (run_to(NOON, FINAL, DONE), mark_at(FINAL, epoch=2)),
        (run_to(NOON, FINAL, DONE), mark_at(Position(FINAL.cursor))),
        (run_to(NOON, FINAL, DONE), mark_at(Position(FINAL.cursor, (8,)))),
        (run_to(NOON, None, DONE), mark_at(None)),
        (run_to(NOON, FINAL, Range(OVERLAP), DONE), mark_at(FINAL)),
    ],
    ids=["none", "another epoch", "set by hand", "another position", "no position", "overlap not read to its end"],
)
def test_a_run_that_did_not_leave_the_watermark_where_it_is_does_not_count(run: Run | None, mark: Watermark) -> None:
    assert previous_run(run, mark) is None


def test_the_run_that_left_the_watermark_where_it_is_counts_once_its_overlap_was_read_to_its_end() -> None:
    run = run_to(NOON, FINAL, replace(Range(OVERLAP), done=True), Range(DONE.span))
    assert previous_run(run, mark_at(FINAL)) is run


@pytest.mark.parametrize(
    ("of_run", "of_mark", "counts"),
    [
        ("Europe/Berlin", "Europe/Berlin", True),
        ("Europe/Berlin", "UTC", False),
        (None, "UTC", True),
        ("UTC", None, True),
    ],
)
def test_a_run_in_the_clock_of_another_zone_does_not_count(
    of_run: str | None, of_mark: str | None, counts: bool
) -> None:
    run = replace(run_to(NOON, FINAL, DONE), timezone=of_run)
    mark = mark_at(FINAL).patched({"timezone": of_mark})
    assert (previous_run(run, mark) is run) == counts


def test_what_the_last_sync_noted_comes_before_the_high_of_the_run_before_even_where_there_is_no_run() -> None:
    noted = to_instant(NOON - HOUR, UTC_ZONE)
    assert read_up_to(None, mark_at(FINAL), heartbeat(noted, mark_at(FINAL)), UTC_ZONE) == noted
    in_new_york = read_up_to(run_to(NOON, FINAL, DONE), mark_at(FINAL), heartbeat(), NEW_YORK)
    assert in_new_york == to_instant(NOON, NEW_YORK)


def test_the_overlap_to_come_is_the_longer_of_what_the_last_sync_noted_and_what_the_run_before_had() -> None:
    read_to = to_instant(NOON, UTC_ZONE)
    short = run_to(NOON, FINAL, DONE)
    noted = heartbeat(read_to, mark_at(FINAL))
    minutes = replace(noted, document=replace(noted.document, extracted_from=read_to - 3 * MINUTE))
    for run, found, expected in [
        (None, heartbeat(), timedelta(0)),
        (None, minutes, 3 * MINUTE),
        (short, minutes, 3 * MINUTE),
        (short, heartbeat(), timedelta(0)),
        (replace(short, seen_from=NOON - MINUTE), minutes, 3 * MINUTE),
        (replace(short, seen_from=NOON - 5 * MINUTE), minutes, 5 * MINUTE),
        (replace(short, seen_from=NOON - 5 * MINUTE), heartbeat(), 5 * MINUTE),
    ]:
        assert lookback_before(run, mark_at(FINAL), found, UTC_ZONE) == expected


def test_where_the_clocks_change_the_overlap_of_the_run_before_is_counted_in_instants() -> None:
    forward = replace(run_to(datetime(2026, 3, 8, 3, 30), FINAL, DONE), seen_from=datetime(2026, 3, 8, 1, 30))
    assert lookback_before(forward, mark_at(FINAL), heartbeat(), NEW_YORK) == HOUR


# What is read.


def test_a_first_load_reads_from_the_beginning_in_the_order_of_the_key() -> None:
    made = planned(mark_at(None), clock_at(NOON, blind="it is a replica"))
    assert (made.order, made.high, made.seen_from) == (Order.PRIMARY_KEY, NOON - 5 * SECOND, NOON - 605 * SECOND)
    assert (made.strategy, made.blind, made.ahead, made.writer) == (Strategy.SEQUENTIAL, "it is a replica", None, None)
    assert made.spans == (Span(Order.PRIMARY_KEY, None, Position(NOON - 5 * SECOND)),)
    assert (made.low, made.commits_early, made.origin) == (None, False, "first load")


def test_a_first_load_without_primary_key_has_no_order_and_no_overlap_to_come() -> None:
    made = planned(mark_at(None), clock_at(NOON, NOON - MINUTE), table=source_table(key=()))
    assert made.spans == (Span(Order.NONE, None, Position(NOON - 62 * SECOND)),)
    assert (made.order, made.low, made.seen_from, made.empty) == (Order.NONE, None, None, False)
    assert made.writer == clock_at(NOON, NOON - MINUTE).writer


def test_a_table_without_watermark_begins_at_the_system_watermark() -> None:
    made = planned(mark_at(None), clock_at(NOON), system=NOON - HOUR)
    assert made.spans == (Span(Order.CURSOR, Position(NOON - HOUR), Position(NOON - 5 * SECOND), inclusive=True),)
    assert (made.origin, made.low) == ("beginning at the system watermark", NOON - HOUR)


def test_a_watermark_of_its_own_comes_before_the_system_watermark() -> None:
    made = planned(mark_at(Position(NOON - HOUR)), clock_at(NOON), system=NOON - 2 * HOUR)
    assert (made.origin, made.low) == ("after the watermark", NOON - HOUR)
    by_hand = mark_at(Position(NOON - HOUR)).patched({"backup_strategy": "manual_cli"})
    assert planned(by_hand, clock_at(NOON)).origin == "after the manual watermark"


def test_what_an_earlier_read_could_not_see_is_read_again_over_its_longer_overlap() -> None:
    start = Position(NOON - 30 * SECOND, (7,))
    for before, expected in [(10 * MINUTE, 10 * MINUTE), (SECOND, MINUTE)]:
        overlap, _ = planned(mark_at(start), clock_at(NOON), lookback_before=before).spans
        assert overlap.after == Position(start.cursor - expected)
    none = TableConfig(lookback=Duration(0))
    main = planned(mark_at(start), clock_at(NOON), config=none, lookback_before=10 * MINUTE).spans
    assert [is_overlap(span) for span in main] == [False]


def test_the_overlap_ends_at_the_high_where_reading_has_to_stop_before_what_was_read_up_to() -> None:
    start = Position(NOON - 30 * SECOND, (7,))
    held_back = clock_at(NOON, NOON - HOUR)
    overlap = planned(mark_at(start), held_back, read_to=to_instant(NOON, UTC_ZONE)).spans[0]
    assert overlap.after == Position(NOON - HOUR - 2 * SECOND - MINUTE)


def test_where_the_clocks_go_forward_the_window_and_its_overlap_are_counted_in_instants() -> None:
    now, start = datetime(2026, 3, 8, 3, 30, 5), Position(datetime(2026, 3, 8, 3, 10), (7,))
    made = planned(mark_at(start), clock_at(now), zone=NEW_YORK)
    assert (made.high, made.low) == (datetime(2026, 3, 8, 3, 30), datetime(2026, 3, 8, 1, 10))
    late = Position(datetime(2026, 3, 8, 3, 40), (7,))
    read_to = to_instant(datetime(2026, 3, 8, 3, 40), NEW_YORK)
    made = planned(mark_at(late), clock_at(now), zone=NEW_YORK, read_to=read_to)
    assert (made.low, made.ahead) == (datetime(2026, 3, 8, 1, 30), None)
    assert planned(mark_at(None), clock_at(datetime(2026, 3, 8, 3, 0, 2)), zone=NEW_YORK).high == datetime(
        2026, 3, 8, 1, 59, 57
    )


def test_without_lookback_what_was_read_is_not_read_again_although_reading_has_to_stop_before_it() -> None:
    start, none = Position(NOON, (7,)), TableConfig(lookback=Duration(0))
    read_to = to_instant(NOON - 10 * MINUTE, UTC_ZONE)
    made = planned(mark_at(start), clock_at(NOON, NOON - HOUR), config=none, read_to=read_to)
    assert made.spans == (Span(Order.CURSOR, Position(NOON - 10 * MINUTE), start, inclusive=True),)


def test_an_overlap_that_would_begin_at_the_watermark_is_none() -> None:
    start = Position(NOON - HOUR, (7,))
    read_to = to_instant(NOON - HOUR + MINUTE, UTC_ZONE)
    assert len(planned(mark_at(start), clock_at(NOON), read_to=read_to).spans) == 1
    assert len(planned(mark_at(start), clock_at(NOON), read_to=read_to - SECOND).spans) == 2


def test_without_primary_key_the_watermark_itself_is_left_out_and_nothing_overlaps() -> None:
    made = planned(mark_at(Position(NOON - HOUR)), clock_at(NOON), table=source_table(key=()))
    assert made.spans == (Span(Order.NONE, Position(NOON - HOUR), Position(NOON - 5 * SECOND)),)
    assert (made.commits_early, made.seen_from) == (False, None)


def test_a_position_with_key_is_read_after_and_its_overlap_before() -> None:
    start = Position(NOON - 30 * SECOND, (7,))
    made = planned(
        mark_at(start), clock_at(NOON, blind="it is a replica"), config=TableConfig(lookback=Duration(seconds=60))
    )
    assert (made.order, made.strategy, made.high) == (Order.CURSOR, Strategy.SEQUENTIAL, NOON - 5 * SECOND)
    assert (made.blind, made.ahead, made.writer) == ("it is a replica", None, None)
    overlap, main = made.spans
    assert overlap == Span(Order.CURSOR, Position(start.cursor - MINUTE), start, inclusive=True)
    assert main == Span(Order.CURSOR, start, Position(NOON - 5 * SECOND))
    assert (made.low, made.seen_from) == (start.cursor - MINUTE, NOON - 65 * SECOND)


def test_a_watermark_far_below_the_last_high_needs_no_overlap() -> None:
    start = Position(NOON - HOUR, (7,))
    made = planned(mark_at(start), clock_at(NOON), read_to=to_instant(NOON - MINUTE, UTC_ZONE))
    assert [is_overlap(span) for span in made.spans] == [False]


@pytest.mark.parametrize("lookback", [0, 60])
def test_after_a_clock_that_went_back_rows_are_read_from_the_lowest_point_on(lookback: int) -> None:
    """Also once it has passed the watermark again, and where the table has no overlap otherwise."""
    start, config = Position(NOON, (7,)), TableConfig(lookback=Duration(seconds=lookback))
    made = planned(mark_at(start), clock_at(NOON + HOUR), config=config, read_to=to_instant(NOON - HOUR, UTC_ZONE))
    overlap, main = made.spans
    since = NOON - HOUR - timedelta(seconds=lookback)
    assert overlap == Span(Order.CURSOR, Position(since), start, inclusive=True)
    assert main.after == start


@pytest.mark.parametrize(("open_for", "named"), [(9, False), (10, True), (11, True)])
def test_whose_transaction_holds_reading_back_for_long_is_named(open_for: int, named: bool) -> None:
    clock = clock_at(NOON, NOON - open_for * SECOND)
    for start in (None, Position(NOON - HOUR)):
        assert planned(mark_at(start), clock).writer == (clock.writer if named else None)


def test_a_transaction_that_does_not_hold_reading_back_is_not_named_however_long_it_is_open() -> None:
    lag = TableConfig(lag=Duration(minutes=1))
    for open_for, named in [(57, False), (58, False), (59, True)]:
        made = planned(mark_at(None), clock_at(NOON, NOON - open_for * SECOND), config=lag)
        assert (made.writer is not None) == named
    forward = clock_at(datetime(2026, 3, 8, 3, 0, 2), datetime(2026, 3, 8, 1, 59, 40))
    assert planned(mark_at(None), forward, config=lag, zone=NEW_YORK).writer is None


@pytest.mark.parametrize(
    ("distance", "ahead"),
    [(-10 * SECOND, None), (30 * SECOND, None), (2 * MINUTE, 2 * MINUTE), (24 * HOUR, 24 * HOUR)],
)
def test_a_watermark_ahead_of_the_high_reads_nothing_and_says_so_when_it_is_far(
    distance: timedelta, ahead: timedelta | None
) -> None:
    high = NOON - 5 * SECOND
    made = planned(mark_at(Position(high + distance)), clock_at(NOON))
    assert made.empty == (distance > timedelta(0))
    assert made.ahead == ahead
    assert made.low == high + distance


def test_a_watermark_at_the_high_is_read_up_to_there_and_one_a_lookback_ahead_is_not_called_so() -> None:
    high = NOON - 5 * SECOND
    assert not planned(mark_at(Position(high)), clock_at(NOON)).empty
    assert planned(mark_at(Position(high + MINUTE)), clock_at(NOON)).ahead is None
    assert planned(mark_at(Position(high + 61 * SECOND)), clock_at(NOON)).ahead == 61 * SECOND
    longer = TableConfig(lookback=Duration(minutes=5))
    assert planned(mark_at(Position(high + 5 * MINUTE)), clock_at(NOON), config=longer).ahead is None
    none = TableConfig(lookback=Duration(0))
    assert planned(mark_at(Position(high + MINUTE)), clock_at(NOON), config=none).ahead is None
    assert planned(mark_at(Position(high + 2 * HOUR)), clock_at(NOON), zone=NEW_YORK).ahead == 2 * HOUR


def test_the_repeated_hour_alone_is_not_called_ahead() -> None:
    now = datetime(2026, 11, 1, 1, 5, fold=1)
    start = Position(datetime(2026, 11, 1, 1, 59), (7,))
    assert planned(mark_at(start), clock_at(now), zone=NEW_YORK).ahead is None


# What is left of an interrupted run.


def test_what_is_left_is_after_each_range_s_position() -> None:
    high = Position(NOON)
    read = Span(Order.CURSOR, None, high)
    ranges = (
        Range(read, position=FINAL, done=True),
        Range(Span(Order.CURSOR, None, high, inclusive=True), position=FINAL),
        Range(Span(Order.PRIMARY_KEY, Position(NOON - HOUR), high, True, (1,), (9,)), position=FINAL),
        Range(read),
        Range(Span(Order.CURSOR, None, high, False, (1,), (9,)), position=FINAL),
    )
    assert resumed(run_to(NOON, None, *ranges)) == [
        (1, Span(Order.CURSOR, FINAL, high)),
        (2, Span(Order.PRIMARY_KEY, Position(NOON - HOUR), high, True, (7,), (9,))),
        (3, read),
        (4, Span(Order.CURSOR, FINAL, high, False, (1,), (9,))),
    ]


def test_only_what_commits_in_cursor_order_may_be_committed_before_the_end() -> None:
    assert planned(mark_at(Position(NOON - HOUR)), clock_at(NOON)).commits_early
    assert not planned(mark_at(None), clock_at(NOON)).commits_early


def test_only_the_overlap_ends_at_a_full_position() -> None:
    assert is_overlap(OVERLAP)
    assert not is_overlap(DONE.span)

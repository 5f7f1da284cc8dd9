"""Points in time: what people may type, what documents hold, and the zones in between.

Guards against timestamps that silently mean another time: local time written as UTC, a zone that is dropped, a typing
error that lands in the future and stops all loading.
"""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wmtui.errors import UsageError
from wmtui.watermarks.timestamps import (
    FUTURE_TOLERANCE,
    PRESETS,
    format_instant,
    format_wall,
    parse_instant,
    parse_point,
    parse_wall,
    preset_names,
    to_instant,
    to_wall,
)

NOW = datetime(2025, 8, 14, 12, 0, 0, tzinfo=UTC)
UTC_ZONE = ZoneInfo("UTC")
SHANGHAI = ZoneInfo("Asia/Shanghai")
BERLIN = ZoneInfo("Europe/Berlin")

ZONES = st.sampled_from(["UTC", "Asia/Shanghai", "Europe/Berlin", "America/New_York", "Asia/Kolkata"]).map(ZoneInfo)
WALLS = st.datetimes(datetime(1000, 1, 1), datetime(9000, 1, 1))
INSTANTS = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))


def point(text: str, zone: ZoneInfo = UTC_ZONE, *, now: datetime = NOW, force: bool = False, **presets: str) -> str:
    return format_wall(parse_point(text, now=now, zone=zone, presets=presets, force=force))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2025-08-09", "2025-08-09 00:00:00"),
        ("2025-08-09 20:00:01", "2025-08-09 20:00:01"),
        ("  2025-08-09 20:00:01\n", "2025-08-09 20:00:01"),
        ("2025-08-09T20:00:01", "2025-08-09 20:00:01"),
        ("2025-08-09 20:00:01.5", "2025-08-09 20:00:01.5"),
        ("2025-08-09 20:00:01.000001", "2025-08-09 20:00:01.000001"),
        ("2025-08-09T20:00:01Z", "2025-08-10 04:00:01"),
        ("2025-08-09T20:00:01+08:00", "2025-08-09 20:00:01"),
        ("2025-08-09 20:00:01+0800", "2025-08-09 20:00:01"),
        ("2025-08-09T20:00:01.25-05:30", "2025-08-10 09:30:01.25"),
    ],
)
def test_an_absolute_point_is_local_unless_it_names_a_zone(text: str, expected: str) -> None:
    assert point(text, SHANGHAI) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday evening",
        "2025-8-9",
        "09.08.2025",
        "2025/08/09",
        "20250809",
        "2025-08-09 20:00",
        "2025-08-09 20:00:01.1234567",
        "2025-08-09 20:00:01 UTC",
        "2025-08-09T20:00:01+08:00Z",
        "2025-08-09T20:00:01+8",
        "2025-08-09 20:00:01 Asia/Shanghai",
        "2025-08-09Z",
        "2025-08-09-08:00",
        "2025-08-09+08:00",
        "2025-13-01",
        "2025-02-29",
        "2025-08-09 24:00:00",
        "2025-08-09 12:60:00",
        "2025-08-09T12:00:00+25:00",
        "0000-01-01",
        "1754769601",
        "now",
        "--3h",
        "-3",
        "-3y",
        "-1h ago",
        "3h",
        "ago",
        "-99999999999999w",
        "-" + "9" * 5000 + "w",
        "-800000d",
    ],
)
def test_anything_else_is_refused_with_a_reason_and_the_forms_that_fit(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        point(text)

    assert refused.value.why
    assert refused.value.next_step


@pytest.mark.parametrize("text", ["2025-08-09-08:00", "2025-08-09+08:00"])
def test_a_zone_behind_a_date_is_refused_rather_than_read_as_a_time_of_day(text: str) -> None:
    with pytest.raises(UsageError, match="not a time"):
        point(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-12m31s", "2025-08-14 11:47:29"),
        ("- 3h", "2025-08-14 09:00:00"),
        ("3h ago", "2025-08-14 09:00:00"),
        ("1w2d3h4m5s ago", "2025-08-05 08:55:55"),
        ("-1h1h", "2025-08-14 10:00:00"),
        ("-0s", "2025-08-14 12:00:00"),
    ],
)
def test_a_relative_point_counts_back_from_now(text: str, expected: str) -> None:
    assert point(text) == expected


def test_a_relative_point_is_shown_in_the_profiles_zone_and_in_whole_seconds() -> None:
    assert point("-1h", SHANGHAI, now=NOW + timedelta(microseconds=7)) == "2025-08-14 19:00:00"


@pytest.mark.parametrize(
    ("preset", "expected"),
    [
        ("aug4", "2025-08-04 00:00:00"),
        ("aug1", "2025-08-01 00:00:00"),
        ("1day", "2025-08-13 12:00:00"),
        ("3days", "2025-08-11 12:00:00"),
        ("1week", "2025-08-07 12:00:00"),
        ("2weeks", "2025-07-31 12:00:00"),
        ("1month", "2025-07-14 12:00:00"),
    ],
)
def test_every_preset_of_every_installation_is_the_point_it_names(preset: str, expected: str) -> None:
    assert preset in PRESETS
    assert point(preset) == expected


def test_fixed_presets_are_local_time() -> None:
    assert point("aug4", SHANGHAI) == "2025-08-04 00:00:00"


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (datetime(2025, 3, 31, 6, tzinfo=UTC), "2025-02-28 06:00:00"),
        (datetime(2024, 3, 30, 6, tzinfo=UTC), "2024-02-29 06:00:00"),
        (datetime(2025, 1, 15, 6, tzinfo=UTC), "2024-12-15 06:00:00"),
        (datetime(2025, 12, 31, 6, tzinfo=UTC), "2025-11-30 06:00:00"),
    ],
)
def test_a_month_ago_is_the_same_day_of_the_month_before_or_its_last(now: datetime, expected: str) -> None:
    assert point("1month", now=now) == expected


def test_tables_yaml_adds_presets_of_every_form_and_may_override_one() -> None:
    presets = {"quarter": "2025-07-01 00:00:00", "shift": "-8h", "aug4": "2025-08-04 06:00:00"}

    assert point("quarter", **presets) == "2025-07-01 00:00:00"
    assert point("shift", **presets) == "2025-08-14 04:00:00"
    assert point("aug4", **presets) == "2025-08-04 06:00:00"
    assert preset_names(presets) == [*PRESETS, "quarter", "shift"]


def test_an_unknown_preset_lists_all_and_names_the_nearest() -> None:
    with pytest.raises(UsageError) as refused:
        point("1wek", quarter="2025-07-01")

    assert "1week" in refused.value.next_step
    assert "quarter" in refused.value.why
    assert "aug4" in refused.value.why


def test_a_point_up_to_five_minutes_ahead_passes_and_a_later_one_needs_force() -> None:
    latest = format_wall(to_wall(NOW + FUTURE_TOLERANCE, SHANGHAI))
    later = format_wall(to_wall(NOW + FUTURE_TOLERANCE + timedelta(seconds=1), SHANGHAI))

    assert point(latest, SHANGHAI) == latest
    with pytest.raises(UsageError, match="is in the future"):
        point(later, SHANGHAI)
    assert point(later, SHANGHAI, force=True) == later


def test_whether_a_point_is_in_the_future_is_judged_in_the_profiles_zone() -> None:
    assert point("2025-08-14 19:59:00", SHANGHAI) == "2025-08-14 19:59:00"
    with pytest.raises(UsageError, match="is in the future"):
        point("2025-08-14 19:59:00")


def test_a_time_that_the_clocks_skip_is_refused() -> None:
    with pytest.raises(UsageError, match="does not exist in Europe/Berlin"):
        point("2025-03-30 02:30:00", BERLIN)


def test_a_time_that_occurs_twice_is_the_first_of_the_two_however_it_was_typed() -> None:
    """A document holds no offset, so what is computed from the typed point must equal what is read back from it."""
    now = datetime(2025, 11, 1, tzinfo=UTC)
    for text in ("2024-10-27 02:30:00", "2024-10-27T00:30:00Z", "2024-10-27T01:30:00Z"):
        wall = parse_point(text, now=now, zone=BERLIN, presets={})
        assert format_wall(wall) == "2024-10-27 02:30:00"
        assert to_instant(wall, BERLIN) == datetime(2024, 10, 27, 0, 30, tzinfo=UTC)


@given(WALLS)
def test_wall_times_survive_being_written_and_read(wall: datetime) -> None:
    assert parse_wall(format_wall(wall)) == wall
    assert parse_wall(format_wall(wall, 6)) == wall


@given(WALLS, st.integers(0, 6))
def test_a_wall_time_is_cut_to_the_digits_asked_for(wall: datetime, digits: int) -> None:
    text = format_wall(wall, digits)

    assert len(text) == 19 + (digits and digits + 1)
    assert timedelta(0) <= wall - parse_wall(text) < timedelta(microseconds=10 ** (6 - digits))


@given(INSTANTS)
def test_instants_survive_being_written_and_read(instant: datetime) -> None:
    text = format_instant(instant)

    assert text.endswith("Z")
    assert parse_instant(text) == instant


@given(INSTANTS, ZONES)
def test_an_instant_and_its_wall_time_in_any_zone_say_the_same(instant: datetime, zone: ZoneInfo) -> None:
    wall = to_wall(instant, zone)

    assert wall.tzinfo is None
    assert to_wall(to_instant(wall, zone), zone) == wall
    assert to_instant(wall, zone) in (instant, instant - timedelta(hours=1))


@given(WALLS, ZONES)
def test_what_the_document_holds_is_accepted_as_input_and_means_the_same(wall: datetime, zone: ZoneInfo) -> None:
    existing = to_wall(to_instant(wall, zone), zone)

    assert parse_point(format_wall(existing), now=NOW, zone=zone, presets={}, force=True) == existing


def test_a_documents_time_without_zone_is_utc() -> None:
    assert parse_instant("2025-08-14 15:30:45") == datetime(2025, 8, 14, 15, 30, 45, tzinfo=UTC)
    assert parse_instant("2025-08-14T15:30:45+08:00") == datetime(2025, 8, 14, 7, 30, 45, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "soon", "0001-01-01T00:00:00+14:00", "2025-08-14T25:00:00Z"])
def test_a_documents_time_that_cannot_be_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_instant(text)


@pytest.mark.parametrize("text", ["2025-08-09T20:00:01Z", "2025-08-09 20:00:01+08:00", "2025-08-09-08:00", "x", ""])
def test_a_data_timestamp_carries_no_zone(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not YYYY-MM-DD HH:MM:SS"):
        parse_wall(text)


def test_a_month_before_an_hour_that_was_skipped_is_the_hour_after_it() -> None:
    assert point("1month", BERLIN, now=datetime(2025, 4, 30, 0, 30, tzinfo=UTC)) == "2025-03-30 03:30:00"

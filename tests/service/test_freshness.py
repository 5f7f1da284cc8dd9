"""How a table is, by the rule alone: its watermark, its lock document, its limits, and now."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from wmtui.config import Duration, Freshness
from wmtui.model import TableName
from wmtui.service.freshness import Facts, FileCounts, Judgement, LoadState, Manual, TableSeverity, judge
from wmtui.watermarks import changes
from wmtui.watermarks.lease import Heartbeat, position_of
from wmtui.watermarks.lock_document import LockDocument
from wmtui.watermarks.model import Watermark
from wmtui.watermarks.timestamps import format_instant, format_wall
from wmtui.words.states import manual_since, why

NOW = datetime(2025, 8, 14, 15, 30, 45, tzinfo=UTC)
HOUR, DAY, MINUTE = timedelta(hours=1), timedelta(days=1), timedelta(minutes=1)
TABLE = TableName("shop", "orders")
LIMITS = Freshness(warn=Duration(hours=2), error=Duration(hours=6))
UTC_ZONE = ZoneInfo("UTC")
LOADED = LoadState("success", at=NOW)


def mark(at: datetime | None = NOW - MINUTE, **fields: Any) -> Watermark:
    """The watermark of a table that runs extract and load."""
    automated = {
        "last_mysql_data_timestamp": at and format_wall(at.replace(tzinfo=None)),
        "last_mysql_extraction_time": at and format_instant(at),
        "mysql_status": "success",
        "redshift_status": "success",
    }
    return Watermark.new(TABLE).patched({**automated, **fields})


def heartbeat(
    of: Watermark, *, read_to: datetime | None = None, success: datetime | None = NOW, **fields: Any
) -> Heartbeat:
    """The lock document that the last run left."""
    left = {
        "last_success": success and format_instant(success),
        "extracted_to": read_to and format_instant(read_to),
        "extracted_behind": position_of(of),
    }
    return Heartbeat(TABLE, LockDocument.of({**left, **fields}), "etag", timedelta(), NOW)


def found(
    of: Watermark,
    lock: Heartbeat | None = None,
    loads: LoadState = LOADED,
    *,
    held_back: int = 0,
    waiting: int = 0,
    max_age: timedelta | None = None,
    now: datetime = NOW,
) -> Judgement:
    return judge(
        Facts(of, lock or heartbeat(of), loads, UTC_ZONE, now, FileCounts(waiting, held_back)), LIMITS, max_age
    )


def test_a_quiet_table_is_as_fresh_as_the_last_look_at_its_source() -> None:
    quiet = mark(NOW - 30 * DAY)
    judged = found(quiet, heartbeat(quiet, read_to=NOW - MINUTE))
    assert (judged.state, judged.severity, judged.age) == ("ok", TableSeverity.OK, MINUTE)
    assert judged.data_at == NOW - MINUTE


@pytest.mark.parametrize(
    ("age", "state", "severity"),
    [
        (MINUTE, "ok", TableSeverity.OK),
        (2 * HOUR, "ok", TableSeverity.OK),
        (2 * HOUR + MINUTE, "late", TableSeverity.WARN),
        (6 * HOUR, "late", TableSeverity.WARN),
        (6 * HOUR + MINUTE, "stale", TableSeverity.ERROR),
    ],
)
def test_age_over_the_first_limit_is_a_warning_and_over_the_second_an_error(
    age: timedelta, state: str, severity: TableSeverity
) -> None:
    judged = found(mark(NOW - age))
    assert (judged.state, judged.severity, judged.age) == (state, severity, age)
    assert bool(why(TABLE, judged)) == (state != "ok")


def test_data_of_two_days_ago_are_too_old_whenever_the_last_run_was() -> None:
    old = mark(NOW - 2 * DAY)
    judged = found(old, heartbeat(old, success=NOW), max_age=HOUR)
    assert (judged.state, judged.severity, judged.run_age) == ("stale", TableSeverity.ERROR, timedelta(0))
    assert why(TABLE, judged) == "its data is 2 d old, over 1 h"


def test_what_was_read_and_not_loaded_makes_the_data_old() -> None:
    fresh = mark(NOW - MINUTE, redshift_status="pending")
    lock = heartbeat(fresh, read_to=NOW - MINUTE)
    assert found(fresh, lock, LoadState("pending", to=NOW - DAY, at=NOW - HOUR)).age == DAY
    assert found(fresh, lock, LoadState("pending", at=NOW - 3 * HOUR)).state == "late"
    assert found(fresh, lock, LoadState("pending", to=NOW - HOUR)).state == "pending"
    never = found(fresh, lock, LoadState("pending"))
    assert (never.state, never.severity, never.data_at) == ("not loaded", TableSeverity.ERROR, None)


def test_data_are_never_fresher_than_the_source_was_read() -> None:
    old = mark(NOW - DAY, redshift_status="pending")
    assert found(old, loads=LoadState("pending", to=NOW, at=NOW)).data_at == NOW - DAY


def manual(position: datetime, *, placed: datetime, by: str | None = "mei@laptop") -> Watermark:
    before = mark()
    return before.patched(changes.set_point(before, position.replace(tzinfo=None), position, placed, by))


@pytest.mark.parametrize(
    ("age", "severity"), [(MINUTE, TableSeverity.OK), (3 * HOUR, TableSeverity.WARN), (2 * DAY, TableSeverity.ERROR)]
)
def test_manual_is_a_state_of_its_own_and_its_data_grow_old(age: timedelta, severity: TableSeverity) -> None:
    judged = found(manual(NOW - age, placed=NOW - MINUTE), loads=LoadState("pending"))
    assert (judged.state, judged.severity, judged.age) == ("manual", severity, age)
    assert judged.manual == Manual(NOW - MINUTE, "mei@laptop")
    assert why(TABLE, judged).startswith("manual since 2025-08-14T15:29:45Z by mei@laptop")


def test_a_manual_watermark_in_the_future_is_as_old_as_its_placing() -> None:
    judged = found(manual(NOW + 400 * DAY, placed=NOW - 3 * HOUR))
    assert (judged.state, judged.severity, judged.age) == ("manual", TableSeverity.WARN, 3 * HOUR)


def test_who_placed_it_is_the_last_change_unless_that_was_a_load() -> None:
    def changed(action: str) -> Watermark:
        change = {"serial": 3, "action": action, "at": "2025-08-14T12:00:00Z", "actor": "bo", "host": "x"}
        placed = manual(NOW - MINUTE, placed=NOW - HOUR)
        contents = {"before": {}, "after": {}}
        return placed.patched({"metadata": {"version": 1, "serial": 3, "change": {**change, **contents}}})

    noon = datetime(2025, 8, 14, 12, tzinfo=UTC)
    assert found(changed("undo")).manual == Manual(noon, "bo@x")
    assert found(changed("loaded")).manual == Manual(NOW - HOUR, "mei@laptop")
    assert manual_since(Manual(None, None)) == "manual"


@pytest.mark.parametrize("what", ["last_success", "extracted_to", "position"])
def test_a_moment_in_the_future_is_an_alarm_of_its_own(what: str) -> None:
    later, kept = NOW + 26330 * DAY, NOW - MINUTE
    of = mark(later if what == "position" else kept)
    lock = heartbeat(
        of,
        success=later if what == "last_success" else kept,
        read_to=later if what == "extracted_to" else None,
    )
    judged = found(of, lock)
    assert (judged.state, judged.severity) == ("clock", TableSeverity.ERROR)
    assert "26330 d from now: a clock is wrong" in why(TABLE, judged)


def test_seconds_between_two_clocks_are_no_alarm_and_no_negative_age() -> None:
    of = mark(NOW)
    judged = found(of, heartbeat(of, success=NOW + MINUTE, read_to=NOW + MINUTE))
    assert (judged.state, judged.age, judged.run_age) == ("ok", timedelta(0), timedelta(0))


def test_a_table_just_reset_is_not_ok() -> None:
    before = mark()
    reset = before.patched(changes.reset(before))
    judged = found(reset, heartbeat(before, read_to=NOW), LoadState("pending", at=NOW))
    assert (judged.state, judged.severity, judged.age) == ("reset", TableSeverity.ERROR, None)


def test_a_table_without_rows_is_fresh_once_it_was_read() -> None:
    empty = mark(None)
    lock = heartbeat(empty, read_to=NOW - MINUTE)
    assert (found(empty, lock, LoadState("pending")).state, found(empty, lock).age) == ("pending", MINUTE)
    assert found(empty, heartbeat(empty)).state == "never read"


def test_never_synced_means_that_nothing_has_left_a_trace() -> None:
    assert found(Watermark.new(TABLE), heartbeat(Watermark.new(TABLE), success=None)).state == "never synced"
    of_another_tool = mark(NOW - HOUR)
    assert found(of_another_tool, heartbeat(of_another_tool, success=None)).state == "ok"


def test_a_failure_that_only_the_lock_document_knows_counts_until_somebody_changes_the_watermark() -> None:
    left = {"at": format_instant(NOW - MINUTE), "outcome": "failed", "rows": 0, "error": "the store denied a write"}
    of = mark()
    judged = found(of, heartbeat(of, last_run=left))
    assert (judged.state, why(TABLE, judged)) == ("failed", "the store denied a write")
    refused = heartbeat(of, last_run={**left, "outcome": "refused"})
    assert found(of, refused).state == "ok"
    edited = of.patched({"metadata": {"version": 1, "serial": 2, "updated_at": format_instant(NOW)}})
    assert found(edited, heartbeat(edited, last_run=left)).state == "ok"


@pytest.mark.parametrize(
    ("fields", "status", "state"),
    [
        ({"mysql_status": "failed", "last_error": "2013"}, "success", "failed"),
        ({"last_error": "1023"}, "failed", "failed"),
        ({"mysql_status": "in_progress"}, "success", "interrupted"),
        ({"timezone": "Asia/Tokyo"}, "success", "other time zone"),
    ],
)
def test_what_went_wrong_comes_before_any_age(fields: dict[str, Any], status: str, state: str) -> None:
    judged = found(mark(NOW - 30 * DAY, **fields), loads=LoadState(status, at=NOW), held_back=3)
    assert (judged.state, judged.severity) == (state, TableSeverity.ERROR)


def test_files_held_back_are_a_problem_however_fresh_the_table_is() -> None:
    judged = found(mark(), held_back=3)
    assert (judged.state, judged.severity) == ("held back", TableSeverity.ERROR)
    assert why(TABLE, judged) == "no load takes 3 files; see `wmtui files -t shop.orders`"
    by_hand = manual(NOW - MINUTE, placed=NOW)
    assert found(by_hand, held_back=3).state == "held back"
    assert found(by_hand, held_back=3, waiting=1).state == "manual"


def test_a_pinned_table_that_is_fresh_says_so() -> None:
    pin = {"owner": "mei", "reason": "audit", "until": None, "at": format_instant(NOW)}
    assert found(mark(pin=pin)).state == "pinned"
    assert found(mark(NOW - DAY, pin=pin)).state == "stale"

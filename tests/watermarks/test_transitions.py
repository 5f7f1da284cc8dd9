"""Every transition of a watermark, by the whole patch that it writes.

Guards against fields that a change forgets or takes along: a position with the error, the run or the zone of another
one, a warehouse that counts as loaded without being so, and a lease's token or an epoch that goes back.
"""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from wmtui.model import Position, Strategy, TableName
from wmtui.watermarks import changes
from wmtui.watermarks.model import Watermark

TABLE = TableName("shop", "orders")
AT = datetime(2025, 8, 14, 12, 30, 15, 250000, tzinfo=UTC)
READ_TO = datetime(2025, 8, 13, 4, tzinfo=UTC)
LOADED_TO = "2025-08-13T04:00:00Z"
EARLIER = "2025-08-02T00:00:00Z"
W1 = {"status": "success", "rows": 5, "loaded_to": EARLIER, "accepted_at": "2025-08-01T00:00:00Z"}
W2 = {"status": "failed", "error": "boom", "loaded_to": EARLIER}
NEW: dict[str, Any] = {
    "last_mysql_data_timestamp": None,
    "last_mysql_extraction_time": None,
    "last_processed_key": None,
    "mysql_status": "pending",
    "redshift_status": "pending",
    "backup_strategy": "sequential",
    "mysql_rows_extracted": 0,
    "redshift_rows_loaded": 0,
    "s3_file_count": 0,
    "last_redshift_load_time": None,
    "last_error": None,
    "load_floor": None,
    "placed": None,
    "placed_by": None,
    "pending_extraction": None,
    "extracted_run": None,
}
"""What a new table's document says of its position and its sides."""


def marked(**fields: Any) -> Watermark:
    """A new table's watermark but for these fields."""
    return Watermark.new(TABLE).patched(fields)


def in_two_warehouses(**fields: Any) -> Watermark:
    """One that is loaded into w1 and failed to be loaded into w2; nothing is noted of w3."""
    return marked(warehouses={"w1": W1, "w2": W2, "w3": {}}, redshift_status="success", **fields)


# Runs.


def test_a_run_that_starts_is_pending_under_the_token_of_its_lease() -> None:
    assert changes.start_run("run-2", 7) == {"pending_extraction": "run-2", "fence": 7, "mysql_status": "in_progress"}


def test_a_run_given_up_is_no_longer_pending_and_nothing_else_changes() -> None:
    assert changes.abandon_run() == {"pending_extraction": None}


def finish_run(mark: Watermark, **given: Any) -> changes.Patch:
    run: dict[str, Any] = {
        "run": "run-2",
        "position": Position(datetime(2025, 8, 14, 11, 59, 30, 120000), (48213377, "x")),
        "digits": None,
        "timezone": "Asia/Tokyo",
        "at": AT,
        "strategy": Strategy.INTRA_TABLE,
        "rows": 30,
        "files": 3,
        "read_to": None,
    }
    return changes.finish_run(mark, **{**run, **given})


FINISHED: dict[str, Any] = {
    "redshift_status": "pending",
    "warehouses": {},
    "timezone": "Asia/Tokyo",
    "last_mysql_data_timestamp": "2025-08-14 11:59:30.12",
    "last_processed_key": [48213377, "x"],
    "last_mysql_extraction_time": "2025-08-14T12:30:15Z",
    "mysql_status": "success",
    "backup_strategy": "intra-table",
    "mysql_rows_extracted": 30,
    "s3_file_count": 3,
    "last_error": None,
    "pending_extraction": None,
    "extracted_run": "run-2",
}


def test_a_committed_run_moves_the_watermark_to_its_last_row_and_ends_the_failure_before() -> None:
    assert finish_run(marked()) == FINISHED
    assert finish_run(marked(last_error="boom", mysql_status="failed", pending_extraction="run-2")) == FINISHED


def test_a_run_whose_position_is_in_the_documents_zone_leaves_the_zone_alone() -> None:
    assert finish_run(marked(timezone="Europe/Berlin"), timezone=None) == {
        name: value for name, value in FINISHED.items() if name != "timezone"
    }


@pytest.mark.parametrize(
    ("digits", "text"),
    [(0, "2025-08-14 11:59:30"), (3, "2025-08-14 11:59:30.120"), (6, "2025-08-14 11:59:30.120000")],
)
def test_the_position_has_as_many_digits_as_the_cursors_column(digits: int, text: str) -> None:
    assert finish_run(marked(), digits=digits) == {**FINISHED, "last_mysql_data_timestamp": text}


@pytest.mark.parametrize("key", [None, ()])
def test_a_run_that_ends_at_a_time_alone_leaves_no_key(key: tuple[()] | None) -> None:
    position = Position(datetime(2025, 8, 14), key)
    assert finish_run(marked(last_processed_key=[7]), position=position) == {
        **FINISHED,
        "last_mysql_data_timestamp": "2025-08-14 00:00:00",
        "last_processed_key": None,
    }


def test_a_runs_files_wait_everywhere_and_a_warehouse_that_had_all_is_loaded_up_to_where_the_source_was_read() -> None:
    mark = in_two_warehouses()

    assert finish_run(mark, read_to=READ_TO) == {
        **FINISHED,
        "warehouses": {
            "w1": {**W1, "status": "pending", "loaded_to": LOADED_TO},
            "w2": {**W2, "status": "pending"},
            "w3": {"status": "pending"},
        },
    }
    assert finish_run(mark) == {
        **FINISHED,
        "warehouses": {
            "w1": {"status": "pending", "rows": 5, "accepted_at": "2025-08-01T00:00:00Z"},
            "w2": {**W2, "status": "pending"},
            "w3": {"status": "pending"},
        },
    }
    assert mark == in_two_warehouses()


def test_a_run_without_news_ends_the_failure_of_an_earlier_one_and_a_table_never_read_still_waits() -> None:
    placed = marked(last_mysql_data_timestamp="2025-08-10 00:00:00", mysql_status="failed", last_error="boom")

    assert changes.recover(placed) == {"mysql_status": "success", "last_error": None}
    assert changes.recover(marked(mysql_status="failed")) == {"mysql_status": "pending", "last_error": None}


def test_a_run_that_fails_leaves_its_error_and_no_other_word() -> None:
    assert changes.fail_extraction("boom") == {"mysql_status": "failed", "last_error": "boom"}


# Loads.


def test_a_load_that_fails_is_noted_for_its_warehouse_which_keeps_what_was_loaded_before() -> None:
    mark = in_two_warehouses()
    failed = {**W1, "status": "failed", "error": "full", "profile": "prod"}

    assert changes.fail_load(mark, "w1", "full", profile="prod", default=False) == {
        "warehouses": {"w1": failed, "w2": W2, "w3": {}}
    }
    assert changes.fail_load(mark, "w1", "full", profile="prod", default=True) == {
        "redshift_status": "failed",
        "last_error": "full",
        "warehouses": {"w1": failed, "w2": W2, "w3": {}},
    }
    assert changes.fail_load(mark, "w4", "full", profile="dev", default=False) == {
        "warehouses": {
            "w1": W1,
            "w2": W2,
            "w3": {},
            "w4": {"status": "failed", "error": "full", "profile": "dev"},
        }
    }
    assert mark == in_two_warehouses()


def test_a_load_that_fails_in_a_warehouse_without_id_is_noted_as_the_tables_own_or_not_at_all() -> None:
    mark = in_two_warehouses()

    assert changes.fail_load(mark, None, "full", profile="prod", default=True) == {
        "redshift_status": "failed",
        "last_error": "full",
    }
    assert changes.fail_load(mark, None, "full", profile="dev", default=False) == {}


def test_a_load_is_noted_for_its_warehouse_with_its_rows_and_time_and_ends_the_failure_there() -> None:
    loaded = changes.finish_load(in_two_warehouses(), "w2", profile="dev", default=False, rows=7, at=AT, fence=9)

    assert loaded == {
        "fence": 9,
        "warehouses": {
            "w1": W1,
            "w2": {
                "status": "success",
                "rows": 7,
                "loaded_at": "2025-08-14T12:30:15Z",
                "error": None,
                "profile": "dev",
                "loaded_to": EARLIER,
            },
            "w3": {},
        },
    }


def test_a_load_by_the_default_profile_is_noted_as_the_tables_own_too() -> None:
    noted = {"status": "success", "rows": 0, "loaded_at": "2025-08-14T12:30:15Z", "error": None, "profile": "prod"}
    own = {
        "redshift_status": "success",
        "redshift_rows_loaded": 0,
        "last_redshift_load_time": "2025-08-14T12:30:15Z",
        "last_error": None,
    }

    assert changes.finish_load(marked(), "w1", profile="prod", default=True, rows=0, at=AT, fence=0) == {
        **own,
        "fence": 0,
        "warehouses": {"w1": noted},
    }
    assert changes.finish_load(in_two_warehouses(), None, profile="prod", default=True, rows=0, at=AT) == own


def test_where_no_load_was_due_rows_time_and_token_stay_those_of_the_last_one() -> None:
    mark = in_two_warehouses()

    assert changes.finish_load(mark, "w2", profile="prod", default=True) == {
        "redshift_status": "success",
        "last_error": None,
        "warehouses": {
            "w1": W1,
            "w2": {"status": "success", "error": None, "profile": "prod", "loaded_to": EARLIER},
            "w3": {},
        },
    }
    assert changes.finish_load(mark, None, profile="dev", default=False) == {}
    assert changes.finish_load(mark, None, profile="dev", default=False, fence=9) == {"fence": 9}


def test_a_warehouse_is_accepted_with_the_doubts_there_were_and_its_status_and_point_stay() -> None:
    mark = in_two_warehouses(fence=5)

    assert changes.accept_warehouse(mark, "w2", doubts=iter(("emptied", "older")), at=READ_TO, fence=6) == {
        "fence": 6,
        "warehouses": {
            "w1": W1,
            "w2": {**W2, "accepted_at": LOADED_TO, "accepted": ["emptied", "older"]},
            "w3": {},
        },
    }


def test_accepting_a_warehouse_nothing_is_noted_of_does_not_lower_the_fence() -> None:
    assert changes.accept_warehouse(marked(fence=5), "w1", doubts=(), at=AT, fence=4) == {
        "fence": 5,
        "warehouses": {"w1": {"accepted_at": "2025-08-14T12:30:15.250000Z", "accepted": []}},
    }


# Operators' edits.


def test_a_point_counts_as_loaded_everywhere_before_it_and_leaves_nothing_of_the_run_before() -> None:
    mark = in_two_warehouses(
        timezone="Asia/Tokyo",
        last_processed_key=[7],
        last_error="boom",
        pending_extraction="run-2",
        extracted_run="run-1",
        mysql_status="failed",
    )
    expected = {
        "redshift_status": "pending",
        "warehouses": {
            "w1": {**W1, "status": "pending", "loaded_to": LOADED_TO},
            "w2": {**W2, "status": "pending", "loaded_to": LOADED_TO},
            "w3": {"status": "pending", "loaded_to": LOADED_TO},
        },
        "timezone": None,
        "last_mysql_data_timestamp": "2025-08-13 06:00:00.5",
        "load_floor": LOADED_TO,
        "placed": "2025-08-14T12:30:15.250000Z",
        "placed_by": "ana@host-1",
        "last_mysql_extraction_time": None,
        "last_processed_key": None,
        "last_error": None,
        "pending_extraction": None,
        "extracted_run": None,
        "backup_strategy": "manual_cli",
        "mysql_status": "success",
    }
    wall = datetime(2025, 8, 13, 6, 0, 0, 500000)

    assert changes.set_point(mark, wall, READ_TO, AT, "ana@host-1") == expected
    assert changes.set_point(mark, wall, READ_TO, AT) == {**expected, "placed_by": None}


def test_a_reset_makes_a_new_table_in_the_next_epoch_and_names_neither_pin_nor_fence() -> None:
    mark = in_two_warehouses(last_processed_key=[7], pin={"owner": "ana"}, fence=3, epoch=4, x_team="a")

    assert changes.reset(mark) == {
        **NEW,
        "warehouses": {
            "w1": {"status": "pending", "rows": 5, "accepted_at": "2025-08-01T00:00:00Z"},
            "w2": {"status": "pending", "error": "boom"},
            "w3": {"status": "pending"},
        },
        "timezone": None,
        "epoch": 5,
    }


def test_a_reset_uses_no_epoch_again_that_an_undo_took_back() -> None:
    assert changes.reset(marked(epoch=2, highest_epoch=6)) == {**NEW, "warehouses": {}, "timezone": None, "epoch": 7}


def undone(**fields: Any) -> dict[str, Any]:
    """The patch that brings back an earlier document with these fields, a new table's but for them."""
    content = {name: value for name, value in NEW.items() if name != "pending_extraction"}
    return {"table_name": "shop.orders", **content, "epoch": 1, "warehouses": {}, **fields}


def test_an_undo_brings_back_position_and_epoch_and_leaves_what_is_the_stores_own() -> None:
    own = {"fence": 3, "pin": {"owner": "ana"}, "highest_epoch": 4, "pending_extraction": "run-1"}
    earlier = marked(
        last_mysql_data_timestamp="2025-08-10 00:00:00",
        last_processed_key=[7],
        mysql_status="success",
        redshift_status="success",
        extracted_run="run-0",
        epoch=2,
        warehouses={"w0": {"status": "success"}},
        **own,
    )
    mark = in_two_warehouses(epoch=5, fence=9, extracted_run="run-2", pending_extraction="run-3", last_error="boom")

    assert changes.undo(mark, earlier) == undone(
        last_mysql_data_timestamp="2025-08-10 00:00:00",
        last_processed_key=[7],
        mysql_status="success",
        redshift_status="success",
        extracted_run="run-0",
        epoch=2,
        warehouses={
            "w1": {"status": "pending", "rows": 5, "accepted_at": "2025-08-01T00:00:00Z"},
            "w2": {"status": "pending", "error": "boom"},
            "w3": {"status": "pending"},
        },
    )


def test_a_field_that_only_the_current_document_has_becomes_null_by_an_undo_and_one_of_the_earlier_comes_back() -> None:
    undo = changes.undo(marked(x_team="a", x_both=2), marked(x_owner="b", x_both=1))
    assert undo == undone(x_team=None, x_owner="b", x_both=1)


@pytest.mark.parametrize(
    ("status", "shown"),
    [("in_progress", "pending"), ("failed", "failed"), ("success", "success"), ("paused by ops", "paused by ops")],
)
def test_an_undo_shows_a_run_that_was_under_way_as_pending_and_any_other_status_as_it_was(
    status: str, shown: str
) -> None:
    assert changes.undo(marked(), marked(mysql_status=status)) == undone(mysql_status=shown)
    assert changes.undo(marked(), marked(redshift_status=status)) == undone(redshift_status=shown)


def test_an_undo_brings_back_the_zone_of_the_point_and_keeps_the_current_one_where_none_was_noted() -> None:
    tokyo = marked(timezone="Asia/Tokyo")

    assert changes.undo(tokyo, marked(timezone="Europe/Berlin")) == undone(timezone="Europe/Berlin")
    assert changes.undo(tokyo, marked(timezone=None)) == undone()
    assert changes.undo(tokyo, marked()) == undone()
    assert changes.undo(marked(), marked()) == undone()


def test_an_import_takes_the_fields_given_but_none_that_is_the_stores_own() -> None:
    own = {"fence": 3, "pending_extraction": "run-1", "highest_epoch": 4, "pin": {"owner": "ana"}, "warehouses": {}}
    other = {"schema_version": 2, "table_name": "shop.orders", "processed_s3_files": ["a"], "metadata": {"serial": 5}}
    point = {"last_mysql_data_timestamp": "2025-08-10 00:00:00", "timezone": "Asia/Tokyo"}
    given = {**own, **other, **point, "epoch": 2, "last_error": None, "x_team": "a"}

    assert changes.import_fields(marked(**given), iter(given)) == {
        **point,
        "epoch": 2,
        "last_error": None,
        "x_team": "a",
    }


def test_an_import_takes_no_field_that_was_not_given_although_the_document_has_a_value() -> None:
    document = marked(last_mysql_data_timestamp="2025-08-10 00:00:00", x_team="a", x_owner="b")

    assert changes.import_fields(document, ["x_team", "x_missing"]) == {"x_team": "a"}
    assert changes.import_fields(document, []) == {}


def test_an_import_takes_no_zone_without_the_point_that_it_is_of() -> None:
    document = marked(last_mysql_data_timestamp="2025-08-10 00:00:00", timezone="Asia/Tokyo", x_team="a")

    assert changes.import_fields(document, ["timezone", "x_team"]) == {"x_team": "a"}
    assert changes.import_fields(document, ["last_mysql_data_timestamp"]) == {
        "last_mysql_data_timestamp": "2025-08-10 00:00:00"
    }


def test_a_pin_says_who_why_since_when_and_until_when_in_utc() -> None:
    shanghai = timezone(timedelta(hours=8))
    pinned = {"owner": "ana", "reason": "audit", "until": LOADED_TO, "at": "2025-08-14T12:30:15Z"}

    assert changes.pin("ana", "audit", AT.astimezone(shanghai), READ_TO.astimezone(shanghai)) == {"pin": pinned}
    assert changes.pin("ana", "audit", AT, None) == {"pin": {**pinned, "until": None}}


def test_unpinning_removes_the_pin() -> None:
    assert changes.unpin() == {"pin": None}


# Epochs.


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"epoch": 5}, {"epoch": 2}),
        ({"epoch": 2, "highest_epoch": 5}, {"epoch": 1}),
        ({"epoch": 1}, {"epoch": 2, "highest_epoch": 5}),
        ({"epoch": 5, "highest_epoch": 4}, {"epoch": 2, "highest_epoch": 3}),
        ({"highest_epoch": 5}, {"epoch": 2}),
    ],
)
def test_a_change_back_to_an_earlier_epoch_remembers_the_highest_there_was(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    kept = changes.keep_highest_epoch(before, {**after, "x_team": "a"})
    assert kept == {**after, "x_team": "a", "highest_epoch": 5}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"epoch": 0}),
        ({"epoch": 1}, {"epoch": 1}),
        ({"epoch": 1}, {"epoch": 2}),
        ({"epoch": 1, "highest_epoch": 2}, {"epoch": 3, "highest_epoch": 2}),
    ],
)
def test_a_change_that_goes_back_to_no_earlier_epoch_adds_nothing(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    assert changes.keep_highest_epoch(before, after) == after

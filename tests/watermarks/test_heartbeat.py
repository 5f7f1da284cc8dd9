"""What the lock document of a table says, read as values: who holds it, for how long, and how far the source was read.

Guards against a table that is taken from a live run, and against rows taken as read that were not.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from wmtui.errors import Unreadable
from wmtui.layout import lock_key
from wmtui.model import TableName
from wmtui.objects import ObjectStore
from wmtui.watermarks import documents, lease
from wmtui.watermarks.lease import Batch, Heartbeat, placement_of, position_of
from wmtui.watermarks.lock_document import LockDocument
from wmtui.watermarks.model import Watermark

TABLE = TableName("shop", "orders")
NOON = datetime(2025, 8, 14, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MARK = Watermark.new(TABLE).patched({"last_mysql_data_timestamp": "2025-08-14 10:00:00", "last_processed_key": [7]})
BY_HAND = MARK.patched({"backup_strategy": "manual_cli"})
LATER = MARK.patched({"last_processed_key": [8]})


def heartbeat(age: timedelta = timedelta(0), now: datetime | None = NOON, **fields: Any) -> Heartbeat:
    """The lock document of a table that a run of batch `nightly` took a minute ago, changed by `fields`."""
    held = {"token": 3, "owner": "ana", "host": "host-1", "pid": 5, "run": "run-1", "phase": "loading", "rows": 9}
    since = {"batch": "nightly", "held_since": "2025-08-14T11:59:00Z", "last_success": None, "extracted_to": None}
    return Heartbeat(TABLE, LockDocument.of({**held, **since, **fields}), "etag", age, now)


def test_a_table_is_held_while_its_owner_was_seen_less_than_a_minute_ago() -> None:
    assert heartbeat(timedelta(seconds=60) - SECOND).held
    assert not heartbeat(timedelta(seconds=60)).held
    assert heartbeat(SECOND - timedelta(seconds=60)).held  # The store's clock was set right.
    assert not heartbeat(-timedelta(seconds=60)).held
    assert not heartbeat(owner=None).held


def test_a_lease_is_named_by_its_run_live_or_dead_and_a_free_table_has_none() -> None:
    assert heartbeat(timedelta(days=1)).lease_id == "run-1"
    assert heartbeat(owner=None).lease_id is None


@pytest.mark.parametrize("batch", [None, 5, ["nightly"]])
def test_what_is_no_text_is_no_batch(batch: Any) -> None:
    assert heartbeat(batch=batch).batch is None
    assert heartbeat(batch="nightly").batch == "nightly"


def test_a_table_is_held_since_what_the_document_says_else_since_it_was_written() -> None:
    assert heartbeat().held_since == NOON - timedelta(minutes=1)
    assert heartbeat(5 * SECOND, held_since=None).held_since == NOON - 5 * SECOND
    assert heartbeat(owner=None).held_since is None
    assert heartbeat(now=None).held_since is None


@pytest.mark.parametrize(
    ("batch", "opens"),
    [
        (None, False),
        (Batch("nightly", None), False),
        (Batch("hourly", None), False),
        (Batch("hourly", NOON), False),
        (Batch("nightly", NOON - timedelta(minutes=1) + SECOND), True),
        (Batch("nightly", NOON - timedelta(minutes=1) + SECOND - timedelta(microseconds=1)), False),
        (Batch("nightly", NOON - timedelta(minutes=1)), False),
        (Batch("nightly", NOON - timedelta(minutes=2)), False),
    ],
)
def test_a_held_table_is_open_to_a_later_try_of_its_batch_alone_by_whole_seconds(
    batch: Batch | None, opens: bool
) -> None:
    assert heartbeat(held_since="2025-08-14T11:59:00.999999Z").open_to(batch) is opens
    assert heartbeat(owner=None).open_to(batch)


def test_within_the_second_in_which_a_table_was_taken_no_try_is_the_later_one() -> None:
    holder = heartbeat(held_since="2025-08-14T11:59:00Z")
    assert not holder.open_to(Batch("nightly", NOON - timedelta(minutes=1) + timedelta(milliseconds=900)))


def test_the_source_was_read_up_to_a_point_behind_this_position_and_no_other() -> None:
    found = heartbeat(extracted_to="2025-08-14T11:00:00Z", extracted_behind=position_of(MARK))
    assert found.extracted_to(MARK) == NOON - timedelta(hours=1)
    assert found.extracted_to(BY_HAND) == NOON - timedelta(hours=1)
    assert found.extracted_to(LATER) is None
    assert found.extracted_to(MARK.patched({"epoch": 2})) is None
    assert heartbeat(extracted_to="2025-08-14T11:00:00Z").extracted_to(MARK) is None


@pytest.mark.parametrize(
    ("extracted_from", "lookback"),
    [("2025-08-14T10:59:00Z", timedelta(minutes=1)), ("2025-08-14T11:00:01Z", timedelta(0)), (None, timedelta(0))],
)
def test_the_lookback_is_what_lay_between_the_two_points_that_the_last_sync_noted(
    extracted_from: str | None, lookback: timedelta
) -> None:
    noted = {
        "extracted_to": "2025-08-14T11:00:00Z",
        "extracted_behind": position_of(MARK),
        "extracted_from": extracted_from,
    }
    assert heartbeat(**noted).lookback(MARK) == lookback
    assert heartbeat(**noted).lookback(LATER) == timedelta(0)


def test_the_clock_went_back_as_long_as_the_watermark_stands_where_it_stood_then() -> None:
    assert heartbeat(clock_back=placement_of(MARK)).clock_went_back(MARK) is True
    assert heartbeat(clock_back=placement_of(MARK)).clock_went_back(BY_HAND) is False
    assert heartbeat(clock_back=placement_of(MARK)).clock_went_back(LATER) is False
    assert heartbeat(clock_back=None).clock_went_back(MARK) is False
    assert heartbeat().clock_went_back(MARK) is False
    assert placement_of(BY_HAND) == [1, "2025-08-14 10:00:00", [7], True]


def test_what_a_sync_noted_is_read_as_it_was_written() -> None:
    found = heartbeat(
        clock_read="2025-08-14T11:00:00Z",
        newest_key=42,
        held_by="an open transaction",
        last_success="2025-08-14T10:00:00Z",
    )
    assert found.clock_read == NOON - timedelta(hours=1)
    assert found.last_success == NOON - timedelta(hours=2)
    assert found.newest_key == 42
    assert found.held_by == "an open transaction"
    assert found.token == 3
    assert (heartbeat().clock_read, heartbeat().newest_key, heartbeat().held_by) == (None, None, None)


@pytest.mark.parametrize("value", ["42", True, 4.2, None])
def test_a_newest_key_that_is_no_number_is_none(value: Any) -> None:
    assert heartbeat(newest_key=value).newest_key is None
    assert heartbeat(decisions=value).decisions is None


def test_the_decisions_about_a_tables_files_have_a_number_which_may_be_unknown() -> None:
    assert [heartbeat(decisions=number).decisions for number in (0, 7)] == [0, 7]
    assert heartbeat().decisions is None


def test_what_held_reading_back_is_told_in_words_or_not_at_all() -> None:
    assert heartbeat(held_by=["a"]).held_by is None


def test_a_refusal_names_holder_run_phase_rows_and_age_and_the_batch_if_there_is_one() -> None:
    refused = heartbeat(timedelta(seconds=12.9)).refusal()
    assert refused.what == "shop.orders is held by ana on host-1 (pid 5)"
    assert refused.why == "run run-1 of batch nightly is in phase loading, 9 rows, seen 12 s ago"
    assert "`wmtui unlock run-1` breaks it" in refused.next_step
    assert heartbeat(batch=None).refusal().why == "run run-1 is in phase loading, 9 rows, seen 0 s ago"


@pytest.mark.parametrize(
    "wrong",
    [
        {"token": "1"},
        {"token": True},
        {"rows": 1.5},
        {"extracted_to": "soon"},
        {"extracted_to": 5},
        {"extracted_from": "soon"},
        {"last_success": "soon"},
        {"clock_read": "soon"},
        {"held_since": "soon"},
    ],
)
def test_a_lock_document_with_a_wrong_field_is_named_as_unreadable(folder: ObjectStore, wrong: dict[str, Any]) -> None:
    folder.put(lock_key(TABLE), documents.encode({"token": 1, **wrong}))

    with pytest.raises(Unreadable, match="not a lock document") as error:
        lease.read(folder, TABLE)

    assert error.value.key == lock_key(TABLE)
    if counted := {"token", "rows"} & wrong.keys():
        assert counted.pop() in error.value.why


def test_a_table_that_was_never_locked_has_a_heartbeat_that_says_nothing(folder: ObjectStore) -> None:
    found = lease.read(folder, TABLE)
    assert found.table == TABLE
    assert (found.held, found.lease_id, found.held_since, found.token, found.etag, found.now) == (
        *(False, None, None, 0),
        *(None, None),
    )
    assert (found.batch, found.last_success, found.clock_read, found.newest_key, found.held_by) == (None,) * 5
    assert found.open_to(None)

"""A source that is no longer what the watermark was read from: it is reported or refused, and nothing is lost."""

import time
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tests.servers import Database
from tests.servers.s3 import S3Server
from tests.stack import Stack, ago, server_stack
from wmtui.errors import ExitCode
from wmtui.events import TableResult
from wmtui.pipeline.extract import plan

HOUR = timedelta(hours=1)


@pytest.fixture
def stack(tmp_path: Path, source_db: Database, pg_db: Database, s3: S3Server) -> Stack:
    """Source server, S3 and PostgreSQL, and a table whose key the server counts up."""
    made = server_stack(tmp_path, source_db, pg_db, s3)
    create(made)
    return made


def create(stack: Stack) -> None:
    stack.source(
        f"CREATE TABLE {stack.schema}.orders (id BIGINT AUTO_INCREMENT PRIMARY KEY, amount DECIMAL(10,2),"
        " note VARCHAR(200), update_at DATETIME, KEY (update_at))"
    )


def create_again(stack: Stack) -> None:
    """A table of the same name, made more than a second after the one before: servers note whole seconds."""
    time.sleep(1.1)
    stack.source(f"DROP TABLE {stack.schema}.orders")
    create(stack)


def refused(stack: Stack, name: str = "orders") -> TableResult:
    (result,) = stack.sync(name)
    assert result.exit_code is ExitCode.TABLE_FAILED, result
    assert "wmtui watermark set -t" in str(result.error)
    return result


def equal(stack: Stack) -> bool:
    return stack.warehouse_rows() == stack.source_rows()


def turn_clock(stack: Stack, patch: pytest.MonkeyPatch, by: timedelta) -> None:
    """Let the source's clock be wrong by so much."""

    def wrong(clock: Any, *lookback: Any) -> Any:
        right = clock(*lookback)
        return replace(right, now=right.now + by)

    stack.patch_source(patch, "clock", wrong)


# A source that went back


def test_a_table_put_back_to_an_earlier_moment_is_refused_until_an_operator_says_where_to_go_on(stack: Stack) -> None:
    stack.insert((1, 1, "kept", ago(hours=3)), (2, 1, "lost", ago(hours=2)))
    stack.sync_one()
    create_again(stack)
    stack.insert((1, 1, "kept", ago(hours=3)))
    assert "went back" in str(refused(stack).error)
    assert stack.mark()["mysql_status"] == "failed"
    stack.insert((3, 1, "stamped below the watermark", ago(hours=2, minutes=30)))
    assert "went back" in str(refused(stack).error)
    stack.service.watermarks.set(stack.table(), str(ago(hours=2, minutes=45)))
    stack.sync_one()
    assert [row[0] for row in stack.warehouse_rows()] == [1, 2, 3]
    assert stack.sync_one().error is None


def test_a_last_row_with_an_earlier_cursor_means_a_source_that_went_back(stack: Stack) -> None:
    stack.insert((1, 1, None, ago(hours=3)), (2, 1, None, ago(hours=2)))
    stack.sync_one()
    stack.source(f"UPDATE {stack.schema}.orders SET update_at = '{ago(hours=4)}' WHERE id = 2")
    assert "has an earlier update_at now" in str(refused(stack).error)


def test_a_deleted_last_row_is_only_reported(stack: Stack) -> None:
    stack.insert((1, 1, None, ago(hours=3)), (2, 1, None, ago(hours=2)))
    stack.sync_one()
    stack.source(f"DELETE FROM {stack.schema}.orders WHERE id = 2")
    stack.sync_one()
    assert "it was deleted, or the source went back" in stack.log()
    stack.insert((3, 1, None, ago(hours=1)))
    assert stack.sync_one().rows_loaded == 1
    stack.sync_one()
    assert "went back" not in stack.log()


def test_a_table_rebuilt_with_its_rows_goes_on(stack: Stack) -> None:
    stack.insert((1, 1, None, ago(hours=3)), (2, 1, None, ago(hours=2)))
    stack.sync_one()
    create_again(stack)
    stack.insert((1, 1, None, stack.warehouse_rows()[0][3]), (2, 1, None, stack.warehouse_rows()[1][3]))
    stack.insert((3, 1, "new", ago(hours=1)))
    assert stack.sync_one().rows_loaded == 1
    assert "the last row that was read is still there" in stack.log()
    assert equal(stack)


@pytest.mark.usefixtures("small_parts")
def test_an_interrupted_run_does_not_go_on_in_a_table_that_was_made_again(stack: Stack) -> None:
    stack.insert(*((key, 1, "before", ago(hours=5, minutes=key)) for key in range(1, 101)))
    stack.sync(stop_after=4)
    create_again(stack)
    stack.insert(*((key, 2, "after", ago(hours=2, minutes=key)) for key in range(1, 61)))
    stack.sync_one()
    assert "it cannot be resumed" in stack.log()
    assert equal(stack)


# Stamps that went back


def test_a_new_row_stamped_hours_before_is_refused_by_its_key_and_read_again_from_there(stack: Stack) -> None:
    stack.insert((1, 1, None, ago(hours=3)), (2, 1, None, ago(minutes=5)))
    stack.sync_one()
    stack.sync_one()
    stack.insert((3, 1, "stamped in another zone", ago(hours=8)))
    result = refused(stack)
    assert "the row with key 3 is new" in str(result.error)
    point = str(result.error).split("--timestamp '")[1].split("'")[0]
    stack.service.watermarks.set(stack.table(), point)
    stack.sync_one()
    assert equal(stack)


@pytest.mark.parametrize("age", [timedelta(seconds=40), timedelta(minutes=50)])
def test_a_new_row_in_the_overlap_or_after_the_watermark_is_no_alarm(stack: Stack, age: timedelta) -> None:
    stack.insert((1, 1, None, ago(hours=1)))
    stack.sync_one()
    stack.sync_one()
    stack.insert((2, 1, "committed late", ago(seconds=age.total_seconds())))
    stack.sync_one()
    assert equal(stack)


# A clock that went back


@pytest.mark.parametrize("lookback", ["60s", "0s"])
def test_rows_stamped_while_the_clock_is_back_arrive_once_it_has_passed_again(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, lookback: str
) -> None:
    stack.reload(orders={"lookback": lookback})
    stack.insert((1, 1, None, ago(seconds=30)))
    stack.sync_one()
    with monkeypatch.context() as patch:
        turn_clock(stack, patch, -HOUR)
        stack.sync_one()
        assert "it went back" in stack.log()
    stack.source(f"INSERT INTO {stack.schema}.orders VALUES (NULL, 2, 'meanwhile', NOW() - INTERVAL 50 MINUTE)")
    stack.sync_one()
    assert equal(stack)
    stack.sync_one()
    assert "no news in the source" in stack.log()


def test_without_a_primary_key_a_clock_that_went_back_stops_the_table_until_set(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack.create("events", key="")
    stack.reload(events={"primary_key": []})
    stack.insert((1, 1, None, ago(seconds=30)), name="events")
    stack.sync_one("events")
    with monkeypatch.context() as patch:
        turn_clock(stack, patch, -HOUR)
        assert "clock went back" in str(refused(stack, "events").error)
    assert "clock went back" in str(refused(stack, "events").error)
    stack.insert((2, 1, "meanwhile", ago(minutes=50)), name="events")
    stack.service.watermarks.set(stack.table("events"), str(ago(minutes=55)), force=True)
    stack.sync_one("events")
    assert sorted(row[0] for row in stack.warehouse_rows("events")) == [1, 1, 2]


# Rows and sessions that are reported


def test_rows_in_the_future_are_told_and_refused_where_the_table_says_so(stack: Stack) -> None:
    stack.insert((1, 1, None, ago(hours=1)), (2, 1, "typed wrong", "9999-12-31 00:00:00"))
    assert stack.sync_one().rows_extracted == 1
    assert "1 row has a update_at in the future" in stack.log()
    stack.reload(orders={"future_cursor": "error"})
    (result,) = stack.sync()
    assert "future_cursor is `error`" in str(result.error)


def test_whose_transaction_holds_reading_back_is_named_until_it_ends(
    stack: Stack, source_db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "HELD_LONG", timedelta(seconds=1))
    stack.reload(orders={"lag": "0s"})
    stack.insert((1, 1, None, ago(hours=1)))
    with source_db.server.new_database() as elsewhere, closing(elsewhere.connect()) as writer:
        elsewhere.execute("CREATE TABLE t (id INT)")
        writer.autocommit = False
        writer.cursor().execute("INSERT INTO t VALUES (1)")
        time.sleep(1.5)
        stack.sync_one()
        (session,) = source_db.query("SELECT trx_mysql_thread_id FROM information_schema.innodb_trx LIMIT 1")[0]
        assert f"by session {session} (wmtui@127.0.0.1)" in stack.log()
        (status,) = stack.service.health.status([stack.table()], None)
        assert f"session {session}" in str(status.held_by)
        writer.rollback()
    time.sleep(0.4)
    stack.sync_one()
    (status,) = stack.service.health.status([stack.table()], None)
    assert status.held_by is None


def test_setting_the_watermark_where_it_is_gives_up_what_a_clock_that_went_back_stamped(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack.create("events", key="")
    stack.reload(events={"primary_key": []})
    stack.insert((1, 1, None, ago(seconds=30)), name="events")
    stack.sync_one("events")
    with monkeypatch.context() as patch:
        turn_clock(stack, patch, -HOUR)
        refused(stack, "events")
    stack.service.watermarks.set(stack.table("events"), stack.mark("events")["last_mysql_data_timestamp"], force=True)
    assert stack.sync_one("events").rows_extracted == 0

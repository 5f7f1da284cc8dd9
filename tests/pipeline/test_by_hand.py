"""Watermarks placed by hand: a run respects them, loads what it reads after them, and bad points are refused."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from tests.stack import Stack
from wmtui.errors import ConfirmationNeeded, UsageError
from wmtui.events import Event, Stop, TableResult
from wmtui.service import Request


@pytest.fixture
def events(embedded: Stack) -> Stack:
    """A synced table `events` without primary key, with one row."""
    embedded.create("events", key="")
    embedded.reload(events={"primary_key": []})
    embedded.insert((1, 1, None, embedded.ago(hours=1)), name="events")
    embedded.sync_one("events")
    return embedded


def exported(stack: Stack, name: str, point: str) -> dict[str, Any]:
    """The table's document with another point in it, as a file for `--from-file` has it."""
    return {**stack.mark(name), "last_mysql_data_timestamp": point}


def test_a_watermark_set_while_a_run_is_at_other_tables_stays_manual(embedded: Stack) -> None:
    embedded.create("second")
    embedded.reload(second={})
    for name in ("orders", "second"):
        embedded.insert((1, 1, None, embedded.ago(hours=1)), name=name)

    def set_second(event: Event) -> None:
        embedded.events.append(event)
        if isinstance(event, TableResult) and event.table == "shop.orders":
            embedded.service.watermarks.set(embedded.table("second"), "2020-01-01")

    results = embedded.service.syncs.sync(Request(), emit=set_second, stop=Stop())
    assert [(r.table, r.rows_extracted, r.error) for r in results] == [
        ("shop.orders", 1, None),
        ("shop.second", 0, None),
    ]
    assert embedded.mark("second")["backup_strategy"] == "manual_cli"
    assert embedded.mark("second")["last_mysql_data_timestamp"] == "2020-01-01 00:00:00"
    assert "its watermark is manual: only loading" in embedded.log()


def test_a_run_that_only_extracts_has_nothing_to_do_for_a_manual_table(embedded: Stack) -> None:
    embedded.insert((1, 1, None, embedded.ago(hours=1)))
    embedded.service.watermarks.set(embedded.table(), "2020-01-01")
    (result,) = embedded.run(backup_only=True)
    assert (result.rows_extracted, result.error, embedded.keys()) == (0, None, [])
    assert "its watermark is manual: nothing to do, it stays manual" in embedded.log()


@pytest.mark.parametrize("ahead", [0, 60, 3600])
def test_a_sync_right_after_set_loads_its_own_parts_also_when_the_source_s_clock_is_ahead(
    embedded: Stack, monkeypatch: pytest.MonkeyPatch, ahead: int
) -> None:
    def fast(clock: Any, *lookback: Any) -> Any:
        return replace(clock(*lookback), now=clock().now + timedelta(seconds=ahead))

    embedded.patch_source(monkeypatch, "clock", fast)
    embedded.insert(
        (1, 1, "before", embedded.ago(seconds=40 - ahead)), (2, 1, "after", embedded.ago(seconds=10 - ahead))
    )
    embedded.service.watermarks.set(embedded.table(), str(embedded.ago(seconds=30 - ahead)), force=True)
    result = embedded.sync_one()
    assert (result.rows_extracted, result.rows_loaded) == (1, 1)
    assert [row[0] for row in embedded.warehouse_rows()] == [2]


def test_a_document_that_points_into_the_future_is_refused_unless_forced(embedded: Stack) -> None:
    embedded.insert((1, 1, None, embedded.ago(hours=1)))
    embedded.sync_one()
    document = exported(embedded, "orders", "2099-01-01 00:00:00")
    before = embedded.mark()
    with pytest.raises(UsageError, match="in the future"):
        embedded.service.watermarks.import_document(embedded.table(), document)
    assert embedded.mark() == before
    embedded.service.watermarks.import_document(embedded.table(), document, force=True)
    assert embedded.mark()["last_mysql_data_timestamp"] == "2099-01-01 00:00:00"


def test_a_document_that_points_back_needs_force_where_rows_would_be_doubled(events: Stack) -> None:
    table = events.table("events")
    document = exported(events, "events", "2001-01-01 00:00:00")
    before = events.mark("events")
    with pytest.raises(ConfirmationNeeded, match="has no primary key"):
        events.service.watermarks.import_document(table, document)
    assert events.mark("events") == before
    events.service.watermarks.import_document(table, document, force=True)
    assert events.mark("events")["last_mysql_data_timestamp"] == "2001-01-01 00:00:00"


def test_a_document_that_points_back_is_taken_where_a_primary_key_prevents_doubles(embedded: Stack) -> None:
    embedded.insert((1, 1, None, embedded.ago(hours=1)))
    embedded.sync_one()
    embedded.service.watermarks.import_document(embedded.table(), exported(embedded, "orders", "2001-01-01 00:00:00"))
    embedded.sync_one()
    assert embedded.warehouse_rows() == embedded.source_rows()

"""Settings or columns that changed since the last run: never read on from a position that means nothing any more."""

from typing import Any

import pytest

from tests.pipeline.faults import crash_when_saving
from tests.stack import Stack
from wmtui.errors import ExitCode
from wmtui.runs.run_document import RunState, RunStore

pytestmark = pytest.mark.usefixtures("small_parts")

BY_CREATION = {"cursor": "created_at"}
BY_CODE = {"primary_key": ["code"]}


@pytest.fixture
def orders(embedded: Stack) -> Stack:
    """A hundred orders whose other key and other time run against id and update_at."""
    embedded.source("DROP TABLE shop.orders")
    embedded.source(
        "CREATE TABLE shop.orders (id BIGINT NOT NULL PRIMARY KEY, code BIGINT NOT NULL UNIQUE,"
        " update_at TIMESTAMP, created_at TIMESTAMP)"
    )
    embedded.source(
        "INSERT INTO shop.orders SELECT i, 1000 - i, TIMESTAMP '2025-01-01' + INTERVAL (i) SECOND,"
        " TIMESTAMP '2025-01-01' - INTERVAL (i) SECOND FROM range(1, 101) t(i)"
    )
    return embedded


def count(stack: Stack) -> Any:
    return stack.warehouse("SELECT count(*), count(DISTINCT id) FROM orders")


def assert_refused(stack: Stack, before: str, now: str) -> None:
    """Neither sync nor preview goes on, and both say why and what to do."""
    serial = stack.mark()["metadata"]["serial"]
    (result,) = stack.sync()
    assert result.exit_code is ExitCode.CONFIG
    assert f"was read by {before} so far, and is to be read by {now} now" in str(result.error)
    assert "wmtui watermark set -t shop.orders" in str(result.error)
    (preview,) = stack.preview()
    assert preview.error is not None
    assert preview.error.failure == result.error
    assert stack.mark()["metadata"]["serial"] == serial + 1  # the failure is noted, nothing else


@pytest.mark.parametrize(
    ("settings", "now"), [(BY_CREATION, "created_at (id)"), (BY_CODE, "update_at (code)")], ids=["cursor", "key"]
)
@pytest.mark.parametrize("edit", ["set", "reset"])
def test_another_cursor_or_key_is_refused_until_the_watermark_is_placed_again(
    orders: Stack, settings: dict[str, Any], now: str, edit: str
) -> None:
    orders.service.watermarks.set(orders.table(), "2020-01-01")
    orders.sync_one(limit=40)
    orders.reload(orders=settings)
    assert_refused(orders, "update_at (id)", now)
    if edit == "set":
        orders.service.watermarks.set(orders.table(), "2020-01-01")
    else:
        orders.service.watermarks.reset(orders.table())
    orders.sync_one()
    assert count(orders) == [(100, 100)]


@pytest.mark.parametrize(
    ("settings", "now"), [(BY_CREATION, "created_at (id)"), (BY_CODE, "update_at (code)")], ids=["cursor", "key"]
)
@pytest.mark.parametrize("watermark", ["new", "set"])
def test_a_run_that_was_killed_is_not_resumed_by_another_cursor_or_key(
    orders: Stack, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], now: str, watermark: str
) -> None:
    if watermark == "set":
        orders.service.watermarks.set(orders.table(), "2020-01-01")
    with monkeypatch.context() as patch:
        crash_when_saving(patch, 5)
        orders.sync()
    orders.reload(orders=settings)
    assert_refused(orders, "update_at (id)", now)
    orders.service.watermarks.set(orders.table(), "2020-01-01")
    orders.sync_one()
    assert count(orders) == [(100, 100)]


def test_a_run_over_other_columns_is_abandoned_and_begun_again(orders: Stack) -> None:
    orders.sync(stop_after=3)
    orders.source("ALTER TABLE shop.orders ADD COLUMN note VARCHAR DEFAULT 'new'")
    orders.sync_one()
    assert "it cannot be resumed" in orders.log()
    store = RunStore(orders.service.workspace.objects, orders.table())
    runs = [store.read(name) for name in store.since("")]
    assert [stored.run.state for stored in runs if stored] == [RunState.ABANDONED, RunState.COMMITTED]
    assert count(orders) == [(100, 100)]
    assert orders.warehouse("SELECT DISTINCT note FROM orders") == [("new",)]

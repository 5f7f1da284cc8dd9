"""A window that the source would sort before its first row is read in the order of the key."""

from pathlib import Path

import pytest

from tests.servers import Database
from tests.servers.s3 import S3Server
from tests.stack import Stack, ago, server_stack
from wmtui.model import Order
from wmtui.runs.run_document import Run, RunState, RunStore
from wmtui.sources.mysql import span_size

pytestmark = pytest.mark.usefixtures("small_parts")


@pytest.fixture(autouse=True)
def _few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(span_size, "_MANY", 1)


@pytest.fixture
def stack(tmp_path: Path, source_db: Database, pg_db: Database, s3: S3Server) -> Stack:
    """Source server, S3 and PostgreSQL; DuckDB sorts in this very process."""
    made = server_stack(tmp_path, source_db, pg_db, s3)
    made.create()
    return made


def runs(stack: Stack) -> list[Run]:
    store = RunStore(stack.service.workspace.objects, stack.table())
    return [stored.run for name in store.since("") if (stored := store.read(name))]


def behind_a_watermark(stack: Stack, rows: int = 60) -> None:
    """A loaded row, and later ones whose cursor falls while their key grows; no index begins with the cursor."""
    stack.insert((1000, 1, "first", ago(hours=9)))
    stack.sync_one()
    stack.insert(*((key, 1, "news", ago(hours=1, minutes=key)) for key in range(1, rows + 1)))


def test_it_commits_whole_and_leaves_the_watermark_at_the_greatest_cursor(stack: Stack) -> None:
    behind_a_watermark(stack)
    assert stack.sync_one().rows_extracted == 60
    assert runs(stack)[-1].order is Order.PRIMARY_KEY
    assert stack.mark()["last_processed_key"] == [1]
    assert stack.warehouse_rows() == stack.source_rows()
    assert stack.sync_one().rows_extracted == 0


def test_an_interrupted_one_goes_on_after_its_parts(stack: Stack) -> None:
    behind_a_watermark(stack)
    stack.sync(stop_after=3)
    assert runs(stack)[-1].state is RunState.RUNNING
    stack.insert((2000, 1, "meanwhile", ago(minutes=1)))
    stack.sync_one()
    assert "resuming run" in stack.log()
    assert stack.warehouse_rows() == stack.source_rows()


def test_a_limit_keeps_the_order_of_the_cursor(stack: Stack) -> None:
    behind_a_watermark(stack)
    assert stack.sync_one(limit=20).rows_extracted == 20
    assert runs(stack)[-1].order is Order.CURSOR
    stack.sync_one()
    assert stack.warehouse_rows() == stack.source_rows()

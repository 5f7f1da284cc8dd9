"""`clean` on a whole pipeline: what crashed runs left goes, everything that is or will be loaded stays."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from tests.stack import Stack
from wmtui.errors import LeaseHeld, WarehouseError
from wmtui.files import leftovers
from wmtui.pipeline.extract import part_writer, span_reader
from wmtui.runs.run_document import RunState, RunStore
from wmtui.service import TableLeftovers
from wmtui.warehouses import KnownLoads
from wmtui.watermarks import lease


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A part every ten rows."""
    monkeypatch.setattr(span_reader, "BATCH_ROWS", 10)
    monkeypatch.setattr(part_writer, "PART_BYTES", 1)


@pytest.fixture
def abandoned(stack: Stack) -> list[str]:
    """Parts of a first load that was interrupted and then given up by an edit; another sync has loaded everything."""
    stack.insert(*((i, 1, "seed", stack.ago(hours=5, minutes=-i)) for i in range(1, 101)))
    stack.sync(stop_after=3)
    left = stack.keys()
    assert len(left) >= 3
    stack.service.watermarks.set(stack.table(), "2020-01-01")
    stack.sync_one()
    return left


def find(stack: Stack) -> TableLeftovers:
    (found,) = stack.service.leftovers.find([stack.table()])
    return found


def keys(found: TableLeftovers) -> Sequence[str]:
    return [leftover.key for leftover in found.leftovers]


def test_parts_of_an_abandoned_run_are_found_and_removed_and_nothing_else(stack: Stack, abandoned: list[str]) -> None:
    before, rows = stack.keys(""), stack.warehouse_rows()
    found = find(stack)
    assert keys(found) == abandoned
    assert stack.keys("") == before

    removed = stack.service.leftovers.remove(found)

    assert keys(removed) == abandoned
    assert [key for key in before if key not in stack.keys("")] == abandoned
    assert not stack.service.workspace.heartbeat(stack.table()).held
    assert stack.sync_one().files_loaded == 0
    assert stack.warehouse_rows() == rows == stack.source_rows()


def test_parts_of_the_run_that_the_watermark_stands_on_are_kept_when_its_document_is_lost(
    embedded: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leftovers, "AGE", timedelta(0))
    embedded.insert((1, 1, "only here", embedded.ago(hours=1)))
    embedded.sync_one(backup_only=True)
    workspace = embedded.service.workspace
    workspace.objects.delete(RunStore(workspace.objects, embedded.table()).key(embedded.mark()["extracted_run"]))
    assert keys(find(embedded)) == []


@pytest.mark.usefixtures("abandoned")
def test_nothing_is_removed_under_a_live_run(stack: Stack) -> None:
    found, before = find(stack), stack.keys()
    workspace = stack.service.workspace
    held, _ = lease.acquire(workspace.objects, workspace.clock, workspace.author, stack.table(), "run-1")

    removed = stack.service.leftovers.remove(found)

    assert isinstance(removed.error, LeaseHeld)
    assert (keys(removed), stack.keys()) == ([], before)
    held.check()
    held.release()


def test_what_became_worth_keeping_since_it_was_listed_is_kept(stack: Stack, abandoned: list[str]) -> None:
    found = find(stack)
    store = RunStore(stack.service.workspace.objects, stack.table())
    stored = next(r for name in store.since("") if (r := store.read(name)) and r.run.state is RunState.ABANDONED)
    stack.service.workspace.watermarks.change(stack.table(), "note", lambda _: {"pending_extraction": stored.run.run})

    assert keys(stack.service.leftovers.remove(found)) == []
    assert set(abandoned) <= set(stack.keys())
    assert store.read(stored.run.run) == stored


@pytest.mark.parametrize("where", ["ledger", "load record"])
def test_what_was_ever_loaded_in_whatever_epoch_is_kept(
    stack: Stack, abandoned: list[str], monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    stack.service.watermarks.reset(stack.table())
    assert set(stack.keys()) - set(abandoned)
    store = RunStore(stack.service.workspace.objects, stack.table())
    for stored in [found for name in store.since("") if (found := store.read(name))]:
        run = stored.run
        if run.state is RunState.COMMITTED:
            document = stack.service.workspace.objects.get(store.key(run.run)).data
            stack.service.workspace.objects.put(
                store.key(run.run), document.replace(b'"committed"', b'"abandoned"'), if_match=stored.etag
            )
    if where == "ledger":
        for key in stack.keys("watermark/loads/"):
            stack.service.workspace.objects.delete(key)
    else:
        monkeypatch.setattr(stack.service.workspace.warehouse, "loads", lambda *_: KnownLoads())

    assert keys(find(stack)) == abandoned


@pytest.mark.usefixtures("abandoned")
def test_without_an_answer_from_the_ledger_nothing_is_removed(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    found, before = find(stack), stack.keys()

    def down(*_: object) -> None:
        raise WarehouseError("the warehouse is down")

    monkeypatch.setattr(stack.service.workspace.warehouse, "loads", down)

    assert isinstance(find(stack).error, WarehouseError)
    assert isinstance(stack.service.leftovers.remove(found).error, WarehouseError)
    assert stack.keys() == before


def test_doctor_shows_leftovers(stack: Stack, abandoned: list[str]) -> None:
    table = stack.table()

    checks = {check.subject: check for check in stack.service.health.doctor([table])}

    check = checks[f"{table}: leftovers"]
    assert f"{len(abandoned)} parts that no load will ever take" in check.finding
    assert f"wmtui clean -t {table}" in check.next_step

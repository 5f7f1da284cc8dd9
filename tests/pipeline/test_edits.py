"""An edit by hand that meets a run just as it begins: the run is settled or the edit refused, whichever writes first.

Guards against rows that are read twice because a watermark was moved over a run that was not settled.
"""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.stack import Stack
from wmtui.errors import LeaseHeld, SourceError, StoreError
from wmtui.pipeline.extract import run_writer
from wmtui.pipeline.load import load_table
from wmtui.runs import settle
from wmtui.runs.run_document import RunState, RunStore
from wmtui.watermarks import lease
from wmtui.watermarks.model import Watermark

pytestmark = pytest.mark.usefixtures("small_parts")

LONG_AGO = "2020-01-01"
HEIR = "0198a4f3c0001a2b3c"


@pytest.fixture
def keyless(stack: Stack) -> Stack:
    """A table without primary key: ten rows loaded, ten more in the source."""
    stack.reload(orders={"primary_key": []})
    seed(stack, 1)
    stack.sync_one()
    seed(stack, 11)
    return stack


def seed(stack: Stack, first: int) -> None:
    stack.insert(*((i, 1, "seed", stack.ago(hours=5, minutes=-i)) for i in range(first, first + 10)))


class Beginning:
    """A sync that stands still after the begin of its run, until `go`."""

    def __init__(self, stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
        self._stack = stack
        self._going = threading.Event()
        self.results: list[Any] = []
        self._thread = threading.Thread(target=lambda: self.results.extend(stack.sync()))

        def wait(commit: Callable[..., Any], *args: Any) -> Any:
            assert self._going.wait(60)
            return commit(*args)

        original = run_writer.RunWriter.commit
        monkeypatch.setattr(run_writer.RunWriter, "commit", lambda *args: wait(original, *args))

    def begin(self) -> None:
        """Start it, and wait until the watermark knows of its run."""
        self._thread.start()
        until = time.monotonic() + 60
        while self._stack.mark()["pending_extraction"] is None:
            assert time.monotonic() < until
            time.sleep(0.01)

    def go(self) -> None:
        """Let it end."""
        self._going.set()
        self._thread.join(60)


@pytest.fixture
def beginning(keyless: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[Beginning]:
    made = Beginning(keyless, monkeypatch)
    yield made
    made.go()


def after_the_first_look(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object]) -> list[Watermark]:
    """Let something happen between an edit's look for an unsettled run and its write; returns what was settled."""
    settled: list[Watermark] = []
    original = settle.settle_for_edit

    def settled_then(*args: Any) -> Watermark:
        settled.append(original(*args))
        if len(settled) == 1:
            happens()
        return settled[-1]

    monkeypatch.setattr(settle, "settle_for_edit", settled_then)
    return settled


def actions(stack: Stack) -> list[str]:
    return [getattr(entry, "action", "unreadable") for entry in stack.service.history.entries(stack.table())]


def states(stack: Stack) -> list[RunState]:
    store = RunStore(stack.service.workspace.objects, stack.table())
    return [stored.run.state for name in store.since("") if (stored := store.read(name))]


@pytest.mark.parametrize("words", ["set", "reset", "import"])
def test_an_edit_that_finds_a_run_begun_after_its_look_is_refused_and_the_run_goes_on(
    keyless: Stack, beginning: Beginning, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    table, service = keyless.table(), keyless.service.watermarks
    document = {"table_name": str(table), "last_mysql_data_timestamp": "2020-01-01 00:00:00"}
    edit: dict[str, Callable[[], object]] = {
        "set": lambda: service.set(table, LONG_AGO, force=True),
        "reset": lambda: service.reset(table, force=True),
        "import": lambda: service.import_document(table, document, force=True),
    }
    after_the_first_look(monkeypatch, beginning.begin)

    with pytest.raises(LeaseHeld):
        edit[words]()
    beginning.go()

    assert [result.error for result in beginning.results] == [None]
    assert keyless.warehouse_rows() == keyless.source_rows()
    assert keyless.sync_one().rows_extracted == 0
    assert keyless.warehouse_rows() == keyless.source_rows()


def test_an_edit_settles_a_run_that_began_and_died_after_its_look(
    keyless: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies() -> None:
        with monkeypatch.context() as patch:
            patch.setattr(run_writer.RunWriter, "commit", killed)
            keyless.sync()
        assert keyless.mark()["pending_extraction"] is not None

    settled = after_the_first_look(monkeypatch, dies)

    keyless.service.watermarks.set(keyless.table(), LONG_AGO, force=True)

    assert len(settled) > 1
    assert states(keyless)[-1] is RunState.ABANDONED
    assert (keyless.mark()["pending_extraction"], actions(keyless)[-2:]) == (None, ["run abandoned", "set"])


def test_an_edit_takes_over_a_run_that_was_committed_after_its_look_before_it_writes(
    keyless: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies_after_commit() -> None:
        with monkeypatch.context() as patch:
            patch.setattr(run_writer.RunWriter, "take_over", killed)
            keyless.sync()
        assert states(keyless)[-1] is RunState.COMMITTED

    after_the_first_look(monkeypatch, dies_after_commit)

    keyless.service.watermarks.set(keyless.table(), LONG_AGO, force=True)

    assert actions(keyless)[-2:] == ["extracted", "set"]
    assert (keyless.mark()["pending_extraction"], keyless.mark()["epoch"]) == (None, 1)


def test_an_edit_is_not_refused_because_another_one_was_quicker(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    table, watermarks = stack.table(), stack.service.workspace.watermarks
    after_the_first_look(monkeypatch, lambda: watermarks.change(table, "note", lambda _: {"custom": 1}))

    stack.service.watermarks.set(table, LONG_AGO)

    assert (stack.mark()["custom"], stack.mark()["last_mysql_data_timestamp"]) == (1, "2020-01-01 00:00:00")


def test_a_pin_that_finds_a_run_begun_after_its_look_is_refused_and_the_run_goes_on(
    keyless: Stack, beginning: Beginning, monkeypatch: pytest.MonkeyPatch
) -> None:
    watermarks = keyless.service.workspace.watermarks
    prove = watermarks.require_conditions
    begun: list[bool] = []

    def begins() -> None:
        prove()
        if not begun:
            begun.append(True)
            beginning.begin()

    monkeypatch.setattr(watermarks, "require_conditions", begins)

    with pytest.raises(LeaseHeld):
        keyless.service.pins.pin(keyless.table(), reason="stocktaking")
    beginning.go()

    assert [result.error for result in beginning.results] == [None]
    assert keyless.warehouse_rows() == keyless.source_rows()


def test_a_run_that_was_replaced_notes_its_failure_nowhere(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    seed(stack, 1)
    workspace = stack.service.workspace
    heirs: list[lease.Lease] = []

    def replaced(*_: object) -> None:
        lock = lease.read(workspace.objects, stack.table())
        lease.unlock(workspace.objects, workspace.clock, workspace.author, lock, None)
        heir, _ = lease.acquire(workspace.objects, workspace.clock, workspace.author, stack.table(), HEIR)
        heirs.append(heir)
        patch = {"pending_extraction": heir.run, "fence": heir.token, "mysql_status": "in_progress"}
        workspace.watermarks.change(stack.table(), "run started", lambda _: patch)
        raise SourceError("lost connection to the source")

    stack.patch_source(monkeypatch, "clock", replaced)

    (result,) = stack.sync()
    heirs[0].release()

    assert "lost connection" in str(result.error)
    assert (stack.mark()["mysql_status"], stack.mark()["pending_extraction"]) == ("in_progress", HEIR)
    assert "could not note the failure" in stack.log()


def test_a_load_without_news_does_not_write_over_what_changed_meanwhile(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed(stack, 1)
    stack.sync_one()
    watermarks = stack.service.workspace.watermarks
    watermarks.change(stack.table(), "test", lambda _: {"redshift_status": "failed"})
    report = load_table.report_selection

    def overtaken(*args: Any) -> None:
        report(*args)
        watermarks.change(stack.table(), "test", lambda _: {"pending_extraction": HEIR})

    monkeypatch.setattr(load_table, "report_selection", overtaken)

    (result,) = stack.sync(redshift_only=True)

    assert "changed meanwhile" in str(result.error)
    assert stack.mark()["redshift_status"] == "failed"


def test_a_run_given_up_before_it_had_a_document_never_commits(keyless: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace, table = keyless.service.workspace, keyless.table()
    create = RunStore.create

    def unlocked_and_edited(self: RunStore, run: Any) -> str:
        monkeypatch.setattr(RunStore, "create", create)
        lock = lease.read(workspace.objects, table)
        lease.unlock(workspace.objects, workspace.clock, workspace.author, lock, None)
        keyless.service.watermarks.set(table, LONG_AGO, force=True)
        return create(self, run)

    monkeypatch.setattr(RunStore, "create", unlocked_and_edited)

    (result,) = keyless.sync()

    assert "was changed by another process" in str(result.error)
    assert states(keyless)[-1] is RunState.ABANDONED


def killed(*_: object) -> None:
    raise StoreError("killed")

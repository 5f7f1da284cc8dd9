"""What keeps a dead run from what its heir writes: the fence, the token, and the row where reading goes on.

Guards against rows lost or mixed up where a run died half-way and its process, its lock or days come in between.
"""

from typing import Any

import pytest

from tests.pipeline.faults import crash_when_saving
from tests.stack import Stack
from wmtui.errors import StoreError
from wmtui.layout import lock_key, parse_part
from wmtui.pipeline.extract import run_writer
from wmtui.runs.run_document import Run, RunState, RunStore

pytestmark = pytest.mark.usefixtures("small_parts")


def seed(stack: Stack, first: int = 1, count: int = 40, **ago: float) -> None:
    """Rows of one moment: every part ends among rows that share their cursor."""
    at = stack.ago(**(ago or {"hours": 5}))
    stack.insert(*((i, 1, "seed", at) for i in range(first, first + count)))


def newest_run(stack: Stack) -> Run:
    store = RunStore(stack.service.workspace.objects, stack.table())
    *_, name = store.since("")
    stored = store.read(name)
    assert stored is not None
    return stored.run


def tokens(stack: Stack, run: Run) -> list[int]:
    """The token in the name of each part, in their order."""
    names = [parse_part(stack.table(), part.key) for part in run.parts]
    return [name.token for name in names if name is not None]


def die_after(stack: Stack, monkeypatch: pytest.MonkeyPatch, parts: int) -> Run:
    """A sync that dies when it has noted so many parts; one more is in the store."""
    with monkeypatch.context() as patch:
        crash_when_saving(patch, parts + 1)
        stack.sync()
    assert newest_run(stack).state is RunState.RUNNING
    return newest_run(stack)


def test_a_run_raises_the_fence_as_it_begins(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    seed(stack)
    died = die_after(stack, monkeypatch, 1)

    assert stack.mark()["fence"] == died.token == stack.service.workspace.heartbeat(stack.table()).token


def test_where_the_lock_was_lost_the_heir_still_has_a_higher_token_than_the_run_that_died(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed(stack)
    died = die_after(stack, monkeypatch, 1)
    stack.service.workspace.objects.delete(lock_key(stack.table()))
    stack.source(f"UPDATE {stack.schema}.orders SET note = 'much longer than it was' WHERE id > 10")

    stack.sync_one()

    assert newest_run(stack).token > died.token
    assert stack.warehouse_rows() == stack.source_rows()


def test_a_resumed_run_has_its_heirs_token_in_its_document_and_in_the_names_of_what_it_writes(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed(stack)
    died = die_after(stack, monkeypatch, 2)

    stack.sync_one()

    run = newest_run(stack)
    assert (run.run, run.token, stack.mark()["fence"]) == (died.run, died.token + 1, died.token + 1)
    assert tokens(stack, run) == [died.token] * 2 + [died.token + 1] * (len(run.parts) - 2)


def test_a_part_that_was_durable_and_not_noted_is_neither_loaded_nor_in_the_way(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed(stack)
    die_after(stack, monkeypatch, 1)
    stack.source(f"UPDATE {stack.schema}.orders SET note = 'much longer than it was' WHERE id > 10")

    assert stack.sync_one().rows_loaded == 40
    assert stack.warehouse_rows() == stack.source_rows()
    assert len(stack.keys()) == len(newest_run(stack).parts) + 1


@pytest.mark.parametrize("parts", [1, 2, 3])
def test_a_resume_goes_on_among_rows_that_share_their_cursor(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, parts: int
) -> None:
    seed(stack)
    seed(stack, first=41, count=5, hours=4)
    stack.service.watermarks.set(stack.table(), "2020-01-01")
    died = die_after(stack, monkeypatch, parts)
    assert died.order.value == "cursor"

    assert stack.sync_one().rows_extracted == 45
    assert newest_run(stack).run == died.run
    assert stack.warehouse_rows() == stack.source_rows()


def test_loads_while_a_run_without_parts_is_pending_do_not_hide_what_it_writes_later(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack.turn_back(days=6)
    seed(stack, count=10)
    stack.sync_one()
    seed(stack, first=11, count=10, hours=4)

    def killed(*_: Any) -> str:
        raise StoreError("killed before the first part")

    with monkeypatch.context() as patch:
        patch.setattr(run_writer, "put_part", killed)
        stack.sync()
    assert (newest_run(stack).state, newest_run(stack).parts) == (RunState.RUNNING, [])
    for _ in range(2):
        stack.let_pass(days=3)
        stack.sync(redshift_only=True)

    stack.sync_one()

    assert "resuming run" in stack.log()
    assert stack.warehouse_rows() == stack.source_rows()
    assert stack.sync_one().rows_loaded == 0

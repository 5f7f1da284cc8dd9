"""Load records: whatever the ledger has and the store lacks is recorded by the next sync, or verify, of any epoch."""

from pathlib import Path

import pytest

from tests.stack import Stack, embedded_stack
from tests.verify.test_verify_table import verify
from wmtui.errors import StoreError
from wmtui.files.verdicts import VerdictReason
from wmtui.runs.load_records import LoadRecords


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stack:
    """A table whose first load was committed, and not recorded, and that was reset and synced since."""
    stack = embedded_stack(tmp_path)
    stack.create()
    stack.insert((1, 1, "a", stack.ago(hours=2)))

    def die(*_: object) -> None:
        raise StoreError("killed", "before the record was written", "")

    with monkeypatch.context() as patch:
        patch.setattr(LoadRecords, "add", die)
        (result,) = stack.sync()
        assert result.error is not None
    assert len(stack.warehouse_rows()) == 1
    assert stack.keys("watermark/loads/") == []
    stack.service.watermarks.reset(stack.table())
    return stack


def verdicts(stack: Stack) -> list[VerdictReason]:
    return [verdict.reason for verdict in stack.service.files.select(stack.table()).verdicts]


def test_a_load_of_an_earlier_epoch_is_recorded_by_the_next_sync(stack: Stack) -> None:
    stack.service.watermarks.set(stack.table(), str(stack.ago(hours=1)))
    stack.insert((2, 1, "b", stack.ago(minutes=10)))
    stack.sync_one()
    assert "was committed but not recorded" in stack.log()

    stack.service.history.undo(stack.table(), to=first_epoch(stack))

    assert stack.mark()["epoch"] == 1
    assert set(verdicts(stack)) <= {VerdictReason.LOADED, VerdictReason.LATER_EPOCH}
    (preview,) = stack.preview(redshift_only=True)
    assert preview.selection is not None
    assert not preview.selection.selected


def first_epoch(stack: Stack) -> int:
    """The serial of the last change before the reset."""
    entries = stack.service.history.entries(stack.table())
    (reset,) = [entry.serial for entry in entries if getattr(entry, "action", "") == "reset"]
    assert reset is not None
    return reset - 1


def test_or_by_the_next_verify(stack: Stack) -> None:
    stack.service.history.undo(stack.table())
    assert stack.mark()["epoch"] == 1

    verify(stack)

    assert verdicts(stack) == [VerdictReason.LOADED]


def test_a_sync_asks_for_no_record_of_loads_that_are_known_to_be_recorded(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack.sync_one()
    asked: list[object] = []
    monkeypatch.setattr(LoadRecords, "since", lambda _, day: asked.append(day) or iter(()))

    stack.sync_one(redshift_only=True)

    assert asked == []

"""What a reset leaves in the store is loaded again only on request.

Guards against deleted rows that come back, and rows without a key that are doubled, by a sync soon after a reset.
"""

from collections.abc import Mapping

import pytest

from tests.stack import Stack
from wmtui.errors import ExitCode
from wmtui.files.verdicts import VerdictReason

LONG_AGO = "2020-01-01"


def seed(stack: Stack, first: int = 1, count: int = 10) -> None:
    stack.insert(*((i, 1, "seed", stack.ago(hours=5, minutes=-i)) for i in range(first, first + count)))


def reasons(stack: Stack) -> Mapping[VerdictReason, int]:
    return stack.service.files.select(stack.table()).summary.reasons


def test_a_sync_after_a_reset_brings_no_row_back_that_was_deleted_meanwhile(stack: Stack) -> None:
    seed(stack)
    stack.sync_one()
    stack.source(f"DELETE FROM {stack.schema}.orders WHERE id <= 3")
    stack.warehouse("DELETE FROM orders")
    stack.service.watermarks.reset(stack.table())

    result = stack.sync_one()

    assert (result.rows_extracted, result.rows_loaded) == (7, 7)
    assert stack.warehouse_rows() == stack.source_rows()
    assert reasons(stack) == {VerdictReason.EARLIER_EPOCH: 1, VerdictReason.LOADED: 1}


@pytest.mark.parametrize("waited", [0, 15])
def test_a_sync_after_a_reset_doubles_no_row_without_a_key(stack: Stack, waited: float) -> None:
    stack.turn_back(hours=30)
    stack.reload(orders={"primary_key": []})
    seed(stack)
    stack.sync_one(backup_only=True)
    stack.let_pass(hours=waited)
    stack.service.watermarks.reset(stack.table(), force=True)

    assert stack.sync_one().rows_loaded == 10
    assert stack.warehouse_rows() == stack.source_rows()


def test_a_load_alone_takes_what_is_there_of_an_earlier_epoch_where_a_point_was_set(stack: Stack) -> None:
    seed(stack)
    stack.sync_one()
    stack.warehouse("DELETE FROM orders")
    stack.service.watermarks.reset(stack.table())
    stack.service.watermarks.set(stack.table(), LONG_AGO)

    assert stack.sync_one(redshift_only=True).rows_loaded == 10
    assert stack.warehouse_rows() == stack.source_rows()


def test_parts_of_an_earlier_epoch_are_no_reason_to_fail_a_load_alone(stack: Stack) -> None:
    seed(stack)
    stack.sync_one()
    stack.service.watermarks.reset(stack.table())
    stack.sync_one()

    (result,) = stack.sync(redshift_only=True)

    assert (result.exit_code, result.files_loaded) == (ExitCode.DONE, 0)
    assert "1 file is of an earlier epoch" in stack.log()


def test_what_waited_in_an_epoch_that_was_taken_back_is_not_loaded_beside_what_is_read_again(stack: Stack) -> None:
    stack.reload(orders={"primary_key": []})
    seed(stack)
    stack.sync_one()
    serial = stack.mark()["metadata"]["serial"]
    stack.service.watermarks.reset(stack.table(), force=True)
    seed(stack, first=11)
    stack.sync_one(backup_only=True)
    stack.service.history.undo(stack.table(), serial, force=True)
    assert reasons(stack) == {VerdictReason.LOADED: 1, VerdictReason.LATER_EPOCH: 1}

    assert stack.sync_one().rows_loaded == 10
    assert stack.warehouse_rows() == stack.source_rows()


def test_an_undo_of_an_undo_takes_up_what_waited(stack: Stack) -> None:
    seed(stack)
    stack.sync_one()
    serial = stack.mark()["metadata"]["serial"]
    stack.service.watermarks.reset(stack.table())
    stack.sync_one(backup_only=True)
    stack.service.history.undo(stack.table(), serial)
    assert stack.sync_one(redshift_only=True).rows_loaded == 0
    stack.warehouse("DELETE FROM orders")
    stack.service.history.undo(stack.table())

    assert stack.sync_one(redshift_only=True).rows_loaded == 10
    assert stack.warehouse_rows() == stack.source_rows()

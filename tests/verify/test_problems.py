"""`verify`: right means right. What is held back, unknown or in the future is not; what was left out is named."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.stack import Stack, embedded_stack
from tests.verify.test_verify_table import keyless, left_out, problem, verify
from wmtui.model import Position
from wmtui.verify import ProblemReason, Result
from wmtui.verify.expected_rows import Gap, Stretch, gaps
from wmtui.verify.gap_causes import SYSTEM, explain


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    stack = embedded_stack(tmp_path)
    stack.create()
    return stack


def two_days(stack: Stack) -> None:
    """A run two days ago and one now, a row each."""
    stack.turn_back(days=2)
    stack.insert((1, 1, "old", stack.ago(days=5)))
    stack.sync_one()
    stack.let_pass(days=2)
    stack.insert((2, 1, "new", stack.ago(hours=1)))
    stack.sync_one()


def lose_run(stack: Stack, number: int) -> None:
    """Remove a run's document."""
    stack.service.workspace.objects.delete(stack.keys("watermark/runs/")[number])


@pytest.mark.parametrize("lost", [0, -1])
def test_absent_rows_of_a_run_whose_document_is_lost_are_unknown_and_can_be_read_again(stack: Stack, lost: int) -> None:
    two_days(stack)
    lose_run(stack, lost)
    assert verify(stack).result is Result.RIGHT
    gone = 1 if lost == 0 else 2
    stack.warehouse(f"DELETE FROM orders WHERE id = {gone}")

    found = problem(verify(stack))

    assert (found.reason, found.rows) == (ProblemReason.UNKNOWN, 1)
    assert "not left out on purpose" in found.what
    mend(stack, found.commands)
    assert verify(stack).result is Result.RIGHT


def mend(stack: Stack, commands: tuple[str, ...]) -> None:
    """Do what a verification says: `accept`, `watermark set`, then `sync`."""
    accept, move, sync = commands
    assert (accept, sync) == (
        f"wmtui accept -t {stack.table()} --reason …", f"wmtui sync -t {stack.table()}"
    )  # fmt: skip
    point = move.partition("--timestamp '")[2].removesuffix("'")
    stack.service.ownership.accept(stack.table(), reason="rows were deleted by mistake")
    stack.service.watermarks.set(stack.table(), point)
    stack.sync_one()


def test_missing_and_differing_rows_are_mended_by_the_commands_that_are_named(stack: Stack) -> None:
    stack.insert(*((i, 1, f"note {i}", stack.ago(hours=20 - i)) for i in range(1, 9)))
    stack.sync_one()
    stack.warehouse("DELETE FROM orders WHERE id IN (4, 6)")
    stack.warehouse("UPDATE orders SET note = 'damaged' WHERE id = 7")

    missing, differing = verify(stack).problems

    assert (missing.reason, missing.rows, differing.reason, differing.rows) == (
        ProblemReason.MISSING, 2, ProblemReason.DIFFERING, 1
    )  # fmt: skip
    assert f"--timestamp '{stack.source_rows()[3][3]}'" in missing.commands[1]
    mend(stack, missing.commands)
    assert verify(stack).result is Result.RIGHT


def test_without_a_primary_key_everything_has_to_be_read_again(stack: Stack) -> None:
    keyless(stack)
    stack.insert((1, 1, "a", stack.ago(hours=2)))
    stack.sync_one()
    stack.warehouse("DELETE FROM orders")

    found = problem(verify(stack))

    assert found.next_step.startswith("without a primary key only everything can be read again: empty orders, then")
    assert found.commands == (
        f"wmtui accept -t {stack.table()} --reason …",
        f"wmtui watermark reset -t {stack.table()} --force",
        f"wmtui sync -t {stack.table()}",
    )


def test_files_below_the_load_floor_are_held_back_and_no_success(stack: Stack) -> None:
    stack.turn_back(days=2)
    stack.insert((1, 1, "never loaded", stack.ago(days=5)))
    stack.sync_one(backup_only=True)
    stack.let_pass(days=2)
    stack.insert((2, 1, "new", stack.ago(hours=1)))
    stack.service.watermarks.set(stack.table(), str(stack.ago(hours=2)))
    stack.sync_one()
    assert [row[0] for row in stack.warehouse_rows()] == [2]

    found = problem(verify(stack))

    assert (found.reason, found.files, found.rows) == (ProblemReason.HELD_BACK, 1, 1)
    load, give_up = found.commands
    key = load.removeprefix(f"wmtui sync -t {stack.table()} --redshift-only --reprocess --key ")
    stack.service.files.write_off(stack.table(), reason="of no use")
    (left,) = left_out(verify(stack))
    assert (left.reason, left.by, left.files, left.rows) == (ProblemReason.WRITTEN_OFF, "tester@test-host", 1, 1)
    assert "given up (of no use)" in left.what
    stack.service.files.unskip(stack.table(), [key], reason="of use after all")
    stack.sync_one(redshift_only=True, reprocess=True, keys=(key,))
    assert verify(stack).result is Result.RIGHT
    assert give_up == f"wmtui files -t {stack.table()} --write-off --reason …"


def test_rows_with_a_cursor_in_the_future_are_no_success_and_those_after_the_position_are(stack: Stack) -> None:
    stack.insert((1, 1, "a", stack.ago(hours=2)))
    stack.sync_one()
    stack.insert((2, 1, "not due", stack.ago(seconds=-60)), (3, 1, "another zone", stack.ago(hours=-8)))

    result = verify(stack)

    found = problem(result)
    assert (found.reason, found.rows, result.ahead) == (ProblemReason.FUTURE_CURSOR, 1, 1)
    assert "the zone that the application writes in" in found.next_step


def test_rows_without_a_cursor_are_no_success_where_the_table_wants_none(stack: Stack) -> None:
    stack.insert((1, 1, "a", stack.ago(hours=2)))
    stack.sync_one()
    stack.insert((2, 1, "b", None))
    stack.reload(orders={"null_cursor": "error"})

    assert problem(verify(stack)).reason is ProblemReason.NULL_CURSOR


def test_a_row_whose_newest_version_was_skipped_is_left_out_and_does_not_differ(stack: Stack) -> None:
    stack.turn_back(days=2)
    stack.insert((1, 1, "first", stack.ago(days=5)))
    stack.sync_one()
    stack.let_pass(days=2)
    stack.source(f"UPDATE shop.orders SET note = 'skipped', update_at = '{stack.ago(days=1)}' WHERE id = 1")
    stack.insert((2, 1, "brought", stack.ago(hours=1)))
    stack.service.watermarks.set(stack.table(), str(stack.ago(hours=2)))
    stack.sync_one()

    (left,) = left_out(verify(stack))

    assert (left.reason, left.by, left.rows) == (ProblemReason.BEFORE_POINT, "tester@test-host", 1)


def test_rows_that_were_left_out_and_that_came_all_the_same_are_not_left_out(stack: Stack) -> None:
    stack.insert((1, 1, "by hand", stack.ago(days=5)), (2, 1, "new", stack.ago(hours=1)))
    stack.service.watermarks.set(stack.table(), str(stack.ago(hours=2)))
    stack.sync_one()
    stack.warehouse("INSERT INTO orders SELECT id + 0, 1, 'by hand', TIMESTAMP '2000-01-01' FROM range(1, 2) t(id)")
    stack.warehouse(f"UPDATE orders SET update_at = '{stack.source_rows()[0][3]}' WHERE id = 1")

    assert verify(stack).result is Result.RIGHT


def test_a_table_that_began_at_the_system_watermark_says_so(stack: Stack) -> None:
    stack.insert((1, 1, "older", stack.ago(days=5)), (2, 1, "new", stack.ago(hours=1)))
    stack.service.watermarks.set_system(str(stack.ago(days=2)), confirmed=True)
    stack.sync_one()

    (left,) = left_out(verify(stack))

    assert (left.by, left.rows, left.what) == (SYSTEM, 1, "1 row is before where the table began")


def test_a_file_that_is_loaded_while_it_compares_is_no_problem(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    stack.insert((1, 1, "a", stack.ago(hours=2)))
    stack.sync_one(backup_only=True)

    def load_first(scan: Any, *arguments: Any) -> Any:
        assert stack.sync_one(redshift_only=True).rows_loaded == 1
        return scan(*arguments)

    stack.patch_source(monkeypatch, "scan", load_first)
    assert verify(stack).result is Result.RIGHT


def test_rows_that_little_memory_does_not_hold_are_compared_all_the_same(stack: Stack) -> None:
    long = "repeat(md5(i::VARCHAR), 2048)"
    stack.source(
        f"INSERT INTO shop.orders SELECT i, 1, {long}, TIMESTAMP '2025-01-01' + INTERVAL 1 SECOND * i"
        " FROM range(2100) t(i)"
    )
    stack.sync_one()

    result = verify(stack)

    assert (result.result, result.compared) == (Result.RIGHT, 2_100)


def at(day: int) -> datetime:
    return datetime(2025, 8, day)


def entry(
    serial: int, action: str, point: int | None, run: str | None = None, was: int | None = None
) -> dict[str, Any]:
    """A change by ana that left the watermark at a day of August, on the last row of a run."""

    def content(day: int | None) -> dict[str, Any]:
        return {"epoch": 1, "last_mysql_data_timestamp": day and f"{at(day)}", "extracted_run": run}

    return {
        "serial": serial, "at": "2025-08-30T00:00:00Z", "actor": "ana", "host": "h", "action": action,
        "before": content(was), "after": content(point),
    }  # fmt: skip


FIRST, SECOND = Stretch(at(1), True, at(5)), Stretch(at(9), True, at(12))


@pytest.mark.parametrize(
    ("entries", "by"),
    [
        ([entry(4, "set", 9)], ("ana@h", 4)),
        ([entry(9, "set", 9), entry(4, "set", 9)], ("ana@h", 9)),
        ([entry(5, "undo", 9), entry(4, "set", 9)], ("ana@h", 5)),
        ([entry(5, "import", 9)], ("ana@h", 5)),
        ([entry(4, "set", 8)], None),
        ([entry(4, "external", 9)], None),
        ([entry(4, "extracted", 9, "lost")], None),
        ([entry(6, "undo", 9, "lost"), entry(5, "set", 11), entry(4, "extracted", 9, "lost")], None),
        ([], None),
    ],
)
def test_a_gap_is_left_out_by_who_placed_the_watermark_at_its_end_and_else_unknown(
    entries: list[dict[str, Any]], by: tuple[str, int] | None
) -> None:
    _, gap, _ = gaps([FIRST, SECOND])

    found = explain([gap], entries, position=Position(at(12)), epoch=1, began={}).get(gap)

    assert (found and (found.by, found.serial)) == by


@pytest.mark.parametrize(("run", "by"), [("first", SYSTEM), ("lost", None)])
def test_only_a_run_whose_document_is_there_shows_that_a_table_began_at_the_system_watermark(
    run: str, by: str | None
) -> None:
    gap = gaps([FIRST])[0]

    found = explain([gap], [entry(1, "extracted", 5, run)], position=Position(at(5)), epoch=1, began={"first": at(1)})

    assert (found[gap].by if gap in found else None) == by


def test_gaps_lie_between_stretches_and_at_both_ends() -> None:
    assert gaps([]) == (Gap(None, None),)
    assert gaps([Stretch(None, False, at(5)), Stretch(at(9), True, None)]) == (
        Gap(Stretch(None, False, at(5)), Stretch(at(9), True, None)),
    )

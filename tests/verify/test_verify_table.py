"""`verify`: each kind of difference is found and nothing else, on real servers and embedded."""

import random
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.stack import Stack, ago, embedded_stack
from wmtui.errors import Interrupted, TableError, TargetUnreadable
from wmtui.events import Message, Stop
from wmtui.model import Strategy
from wmtui.verify import Example, LeftOut, Problem, ProblemReason, Result, Verification

WRONG = ("missing", "extra", "doubled", "differing")


def verify(stack: Stack, name: str = "orders", **options: Any) -> Verification:
    """Compare one table and require that it could be."""
    ((_, result),) = attempt(stack, name, **options)
    assert isinstance(result, Verification), result
    return result


def attempt(stack: Stack, *names: str, since: str | None = None, examples: int = 10, stop: Stop | None = None) -> Any:
    """Compare tables; whatever comes out."""
    stack.events.clear()
    tables = [stack.table(name) for name in names]
    return stack.service.verify(tables, since=since, examples=examples, emit=stack.events.append, stop=stop or Stop())


def wrong(result: Verification) -> dict[str, int]:
    """The findings that are not 0."""
    return {name: number for name in WRONG if (number := getattr(result.counts, name))}


def left_out(result: Verification) -> tuple[LeftOut, ...]:
    """What an operator left out, when nothing is wrong otherwise."""
    assert result.result is Result.LEFT_OUT, result.problems
    return result.left_out


def problem(result: Verification) -> Problem:
    """The only reason why it is not right."""
    (found,) = result.problems
    return found


def filled(stack: Stack, rows: int = 20) -> None:
    """A synced table with rows an hour old and older."""
    stack.insert(*((i, f"{i}.25", f"note {i}", ago(hours=2, seconds=-i)) for i in range(1, rows + 1)))
    stack.sync_one()


def keyless(stack: Stack) -> None:
    """Make `orders` a table without primary key."""
    stack.source(f"DROP TABLE {stack.schema}.orders")
    stack.create(key="")
    stack.reload(orders={"primary_key": []})


def unconstrained(stack: Stack, target: str = "orders") -> None:
    """Let the target hold a key twice, as Redshift does."""
    stack.warehouse(f"CREATE TABLE plain AS SELECT * FROM {target}")
    stack.warehouse(f"DROP TABLE {target}")
    stack.warehouse(f"ALTER TABLE plain RENAME TO {target}")


def examples(result: Verification, finding: str) -> list[Example]:
    return [example for example in result.examples if example.finding == finding]


def test_a_table_that_was_just_synced_is_right(stack: Stack) -> None:
    filled(stack)
    result = verify(stack)
    assert result.result is Result.RIGHT
    assert (result.source_rows, result.warehouse_rows, result.compared) == (20, 20, 20)
    assert (result.ahead, result.waiting, result.examples) == (0, 0, ())
    assert (result.problems, result.left_out) == ((), ())
    assert not [event for event in stack.events if isinstance(event, Message)]


def test_a_row_lost_in_the_warehouse_is_missing(stack: Stack) -> None:
    filled(stack)
    stack.warehouse("DELETE FROM orders WHERE id IN (3, 20)")
    result = verify(stack)
    assert wrong(result) == {"missing": 2}
    assert [example.key for example in result.examples] == [{"id": 3}, {"id": 20}]


def test_a_row_the_source_does_not_have_is_extra(stack: Stack) -> None:
    filled(stack)
    stack.warehouse("INSERT INTO orders VALUES (77, 1, 'made up', '2020-01-01')")
    stack.source(f"DELETE FROM {stack.schema}.orders WHERE id = 4")
    result = verify(stack)
    assert wrong(result) == {"extra": 2}
    assert [example.key for example in result.examples] == [{"id": 4}, {"id": 77}]


def test_a_key_that_the_warehouse_has_more_than_once_is_doubled(stack: Stack) -> None:
    filled(stack)
    unconstrained(stack)
    stack.warehouse("INSERT INTO orders SELECT * FROM orders WHERE id = 7")
    result = verify(stack)
    assert wrong(result) == {"doubled": 1}
    assert (result.compared, [example.key for example in result.examples]) == (20, [{"id": 7}])


def test_a_doubled_key_whose_second_row_is_another_version_differs_too(stack: Stack) -> None:
    filled(stack)
    unconstrained(stack)
    stack.warehouse("INSERT INTO orders SELECT id, amount, 'older', update_at FROM orders WHERE id = 7")
    result = verify(stack)
    assert wrong(result) == {"doubled": 1, "differing": 1}
    assert examples(result, "differing")[0].warehouse == {"note": "older"}


def test_a_changed_value_is_shown_with_both_sides(stack: Stack) -> None:
    filled(stack)
    stack.warehouse("UPDATE orders SET amount = 9.99, note = NULL WHERE id = 5")
    result = verify(stack)
    assert wrong(result) == {"differing": 1}
    assert result.examples == (
        Example(
            "differing", {"id": 5}, {"amount": "5.25", "note": "note 5"}, {"amount": "9.99", "note": None}
        ),
    )  # fmt: skip


def test_a_change_that_did_not_touch_the_cursor_is_found(stack: Stack) -> None:
    filled(stack)
    stack.source(f"UPDATE {stack.schema}.orders SET note = 'unseen' WHERE id = 6")
    assert wrong(verify(stack)) == {"differing": 1}


def test_an_empty_text_is_not_null(stack: Stack) -> None:
    filled(stack)
    stack.warehouse("UPDATE orders SET note = '' WHERE id = 5")
    stack.source(f"UPDATE {stack.schema}.orders SET note = NULL WHERE id = 5")
    (example,) = verify(stack).examples
    assert (example.source, example.warehouse) == ({"note": None}, {"note": ""})


def test_what_changed_in_the_source_since_is_no_difference(stack: Stack) -> None:
    filled(stack)
    stack.insert((21, 1, "new", ago(minutes=1)))
    stack.source(f"UPDATE {stack.schema}.orders SET note = 'newer', update_at = '{ago(minutes=1)}' WHERE id = 2")
    result = verify(stack)
    assert result.result is Result.RIGHT
    assert (result.ahead, result.counts.moved_on) == (2, 1)


def test_a_late_row_that_the_next_sync_reads_again_is_not_missing_but_a_lost_one_is(stack: Stack) -> None:
    stack.insert(*((i, 1, None, ago(seconds=40)) for i in range(1, 6)))
    stack.sync_one()
    stack.insert((100, 9, "late", ago(seconds=50)))
    stack.warehouse("DELETE FROM orders WHERE id = 3")
    result = verify(stack)
    assert wrong(result) == {"missing": 1}
    assert (result.ahead, result.examples[0].key) == (1, {"id": 3})


def test_a_row_committed_too_late_for_any_overlap_is_missing(stack: Stack) -> None:
    filled(stack)
    stack.insert((100, 9, "too late", ago(hours=2, minutes=30)))
    assert [example.key for example in verify(stack).examples] == [{"id": 100}]


def test_rows_beyond_a_limit_that_share_its_cursor_are_not_due(stack: Stack) -> None:
    same = ago(hours=1)
    stack.insert(*((i, 1, None, same) for i in range(1, 26)))
    stack.service.watermarks.set(stack.table(), "2020-01-01")
    stack.sync_one(limit=10)
    assert verify(stack).result is Result.RIGHT
    stack.warehouse("DELETE FROM orders WHERE id = 10")
    assert [example.key for example in verify(stack).examples] == [{"id": 10}]


def test_rows_without_cursor_are_not_expected(stack: Stack) -> None:
    filled(stack)
    stack.insert((30, 1, "no cursor", None))
    (left,) = left_out(verify(stack))
    assert (left.reason, left.by, left.rows) == (ProblemReason.NULL_CURSOR, "`null_cursor: report`", 1)


def test_a_row_that_lost_its_cursor_differs_and_is_not_taken_for_deleted(stack: Stack) -> None:
    filled(stack)
    stack.source(f"UPDATE {stack.schema}.orders SET update_at = NULL WHERE id = 3")
    result = verify(stack)
    assert wrong(result) == {"differing": 1}
    assert list(result.examples[0].source or {}) == ["update_at"]


def test_rows_before_the_point_at_which_a_table_began_are_not_expected(stack: Stack) -> None:
    stack.insert(*((i, 1, None, ago(days=10 - i)) for i in range(1, 9)))
    stack.service.watermarks.set(stack.table(), str(ago(days=6, hours=1)))
    stack.sync_one()
    assert len(stack.warehouse_rows()) == 5
    (left,) = left_out(verify(stack))
    assert (left.reason, left.by, left.serial, left.rows) == (ProblemReason.BEFORE_POINT, "tester@test-host", 1, 3)
    assert wrong(verify(stack, since=str(ago(days=9, hours=1)))) == {"missing": 3}


def test_a_stretch_that_an_operator_skipped_is_not_expected(tmp_path: Path) -> None:
    stack = embedded_stack(tmp_path)
    stack.create()
    stack.turn_back(days=2)
    stack.insert((1, 1, "first", stack.ago(days=5)))
    stack.sync_one()
    stack.let_pass(days=2)
    stack.insert((2, 1, "skipped", stack.ago(days=1)), (3, 1, "brought", stack.ago(hours=1)))
    stack.service.watermarks.set(stack.table(), str(stack.ago(hours=2)))
    stack.sync_one()
    assert [row[0] for row in stack.warehouse_rows()] == [1, 3]
    (left,) = left_out(verify(stack))
    assert (left.reason, left.by, left.rows) == (ProblemReason.BEFORE_POINT, "tester@test-host", 1)
    assert "the point of `set`" in left.what


def test_parts_that_are_not_loaded_are_named_and_their_rows_are_not_missing(stack: Stack) -> None:
    filled(stack)
    stack.insert((21, 1, "new", ago(minutes=1)))
    stack.source(f"UPDATE {stack.schema}.orders SET note = 'newer', update_at = '{ago(minutes=1)}' WHERE id = 2")
    stack.sync_one(backup_only=True)
    stack.warehouse("DELETE FROM orders WHERE id = 4")
    result = verify(stack)
    assert wrong(result) == {"missing": 1}
    assert (result.waiting, result.counts.moved_on) == (2, 0)
    missing, not_loaded = result.problems
    assert (missing.reason, not_loaded.reason) == (ProblemReason.MISSING, ProblemReason.NOT_LOADED)
    assert (not_loaded.files, not_loaded.rows) == (1, 2)
    assert not_loaded.commands == (f"wmtui sync -t {stack.table()} --redshift-only",)


def test_a_waiting_part_that_is_gone_excuses_nothing(stack: Stack) -> None:
    filled(stack)
    stack.insert((21, 1, "new", ago(minutes=1)))
    stack.sync_one(backup_only=True)
    stack.service.workspace.objects.delete(stack.keys()[-1])
    result = verify(stack)
    assert wrong(result) == {"missing": 1}
    assert "is gone" in stack.log()


def test_a_table_that_was_never_synced_expects_nothing(stack: Stack) -> None:
    stack.insert((1, 1, None, ago(hours=1)))
    result = verify(stack)
    assert (result.result, result.ahead, result.warehouse_rows, result.position) == (Result.RIGHT, 1, 0, None)


def test_after_a_reset_nothing_is_expected_until_it_is_extracted_again(stack: Stack) -> None:
    filled(stack)
    stack.warehouse("DELETE FROM orders WHERE id < 5")
    stack.service.watermarks.reset(stack.table())
    assert verify(stack).result is Result.RIGHT
    stack.sync_one()
    assert verify(stack).result is Result.RIGHT


def test_a_target_that_is_gone_misses_every_row(stack: Stack) -> None:
    filled(stack)
    stack.warehouse("DROP TABLE orders")
    assert wrong(verify(stack)) == {"missing": 20}


def test_a_target_that_lacks_a_column_is_not_compared_and_the_other_table_is(stack: Stack) -> None:
    filled(stack)
    stack.reload(items={})
    stack.create("items")
    stack.warehouse("ALTER TABLE orders DROP COLUMN note")
    (_, orders), (_, items) = attempt(stack, "orders", "items")
    assert isinstance(orders, TableError)
    assert "has no column note" in str(orders)
    assert isinstance(items, Verification)


def test_a_target_that_cannot_be_read_is_told_as_such_and_not_as_a_load(stack: Stack) -> None:
    filled(stack)
    stack.warehouse("ALTER TABLE orders RENAME TO kept")
    stack.warehouse(
        "CREATE VIEW orders AS SELECT id, amount, CAST(CAST(note AS integer) AS varchar(200)) AS note, update_at"
        " FROM kept"
    )
    ((_, error),) = attempt(stack, "orders")
    assert isinstance(error, TargetUnreadable)
    assert "the target cannot be read" in str(error)
    assert "loaded" not in error.in_one_line


def test_counts_are_complete_however_few_examples_are_listed(stack: Stack) -> None:
    filled(stack, 300)
    stack.warehouse("DELETE FROM orders WHERE id <= 100")
    stack.warehouse("UPDATE orders SET note = 'damaged' WHERE id > 250")
    result = verify(stack, examples=2)
    assert wrong(result) == {"missing": 100, "differing": 50}
    assert [example.key["id"] for example in result.examples] == [1, 2, 251, 252]


def test_without_a_primary_key_equal_rows_are_counted(stack: Stack) -> None:
    keyless(stack)
    row = (1, "1.50", "same", ago(hours=1))
    stack.insert(row, row, (2, 2, "other", ago(hours=1)), (3, 3, "third", ago(hours=1)))
    stack.sync_one()
    assert verify(stack).result is Result.RIGHT
    stack.warehouse("INSERT INTO orders SELECT * FROM orders WHERE id = 2")
    stack.warehouse("DELETE FROM orders WHERE id = 3")
    stack.warehouse("INSERT INTO orders VALUES (9, 9, 'made up', '2020-01-01')")
    result = verify(stack)
    assert wrong(result) == {"missing": 1, "extra": 1, "doubled": 1}
    (extra,) = examples(result, "extra")
    assert (extra.key, extra.source, (extra.warehouse or {})["note"]) == ({}, None, "made up")


def test_without_a_primary_key_what_was_inserted_since_is_not_due(stack: Stack) -> None:
    keyless(stack)
    stack.insert((1, 1, "old", ago(hours=1)))
    stack.sync_one()
    stack.insert((2, 1, "new", ago(minutes=1)))
    assert (verify(stack).result, verify(stack).ahead) == (Result.RIGHT, 1)


@pytest.mark.parametrize("key", ["a, b", "b"])
def test_keys_of_text_and_of_several_columns_are_told_apart(stack: Stack, key: str) -> None:
    at = f"'{ago(hours=1)}'"
    stack.source(
        f"CREATE TABLE {stack.schema}.texts (a INT NOT NULL, b VARCHAR(50) NOT NULL, update_at DATETIME NOT NULL,"
        f" PRIMARY KEY ({key}))"
    )
    stack.reload(texts={"primary_key": key.split(", ")})
    values = ", ".join(f"({i}, '{text}', {at})" for i, text in enumerate(("", "|", "1|2:x", "N", "?1:x", "x y", "é")))
    stack.source(f"INSERT INTO {stack.schema}.texts VALUES {values}")
    stack.sync_one("texts")
    assert verify(stack, "texts").result is Result.RIGHT
    stack.warehouse("DELETE FROM texts WHERE b = '?1:x' OR b = ''")
    assert {example.key["b"] for example in verify(stack, "texts").examples} == {"", "?1:x"}


def test_a_value_that_the_source_cannot_hold_is_a_difference_and_no_error(stack: Stack) -> None:
    filled(stack)
    stack.warehouse("ALTER TABLE orders ALTER COLUMN amount TYPE NUMERIC(20, 5)")
    assert verify(stack).result is Result.RIGHT
    stack.warehouse("UPDATE orders SET amount = 1.00001 WHERE id = 1")
    stack.warehouse("UPDATE orders SET update_at = 'infinity' WHERE id = 2")
    result = verify(stack)
    assert wrong(result) == {"differing": 2}
    assert result.examples[0].warehouse == {"amount": "1.00001"}


def test_a_sync_meanwhile_makes_no_difference_and_is_said(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(stack)
    stack.insert((21, 1, "new", ago(minutes=1)))
    stack.source(f"UPDATE {stack.schema}.orders SET note = 'newer', update_at = '{ago(minutes=1)}' WHERE id = 2")

    def sync_first(scan: Any, *arguments: Any) -> Any:
        assert stack.sync_one().rows_loaded == 2
        return scan(*arguments)

    stack.patch_source(monkeypatch, "scan", sync_first)
    assert verify(stack).result is Result.RIGHT
    assert "a run was at work meanwhile" in stack.log()


def test_what_a_second_look_does_not_find_is_not_reported(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(stack)
    stack.warehouse("DELETE FROM orders WHERE id = 9")
    stack.warehouse("UPDATE orders SET note = 'wrong' WHERE id = 10")
    warehouse = stack.service.workspace.warehouse
    read, looks = warehouse.read, count()

    def mended_at_the_second_look(*arguments: Any) -> Any:
        if next(looks):
            stack.warehouse(f"INSERT INTO orders VALUES (9, 9.25, 'note 9', '{stack.source_rows()[8][3]}')")
        return read(*arguments)

    monkeypatch.setattr(warehouse, "read", mended_at_the_second_look)
    result = verify(stack)
    assert wrong(result) == {"differing": 1}
    assert [example.key for example in result.examples] == [{"id": 10}]


def test_a_request_to_stop_is_heard_between_batches(stack: Stack) -> None:
    filled(stack)
    stop = Stop()
    stop.request()
    with pytest.raises(Interrupted):
        attempt(stack, "orders", stop=stop)


@pytest.mark.parametrize("strategy", list(Strategy))
def test_every_strategy_leaves_a_table_that_is_right(stack: Stack, strategy: Strategy) -> None:
    filled(stack, 40)
    stack.insert(*((i, 1, None, ago(minutes=3)) for i in range(41, 61)))
    stack.sync_one(strategy=strategy, workers=2)
    assert verify(stack).result is Result.RIGHT


@pytest.mark.parametrize("seed", range(4))
def test_exactly_the_damage_that_was_done_is_reported(stack: Stack, seed: int) -> None:
    rng = random.Random(seed)
    filled(stack, 200)
    unconstrained(stack)
    ids = rng.sample(range(1, 201), 60)
    lost, deleted, doubled, changed, newer = (sorted(ids[i::5][: rng.randint(0, 12)]) for i in range(5))
    damage(stack, lost, deleted, doubled, changed)
    moved = f"UPDATE {{}}.orders SET note = 'newer', update_at = '{ago(minutes=2)}' WHERE id IN ({{}})"
    if newer:
        stack.source(moved.format(stack.schema, listed(newer)))
    result = verify(stack, examples=100)
    for finding, expected in zip(WRONG, (lost, deleted, doubled, changed), strict=True):
        assert [example.key["id"] for example in examples(result, finding)] == expected
        assert getattr(result.counts, finding) == len(expected)
    assert (result.counts.moved_on, result.ahead) == (len(newer), len(newer))


def damage(
    stack: Stack, lost: Sequence[int], deleted: Sequence[int], doubled: Sequence[int], changed: Sequence[int]
) -> None:
    """Do each kind of damage to these rows."""
    if lost:
        stack.warehouse(f"DELETE FROM orders WHERE id IN ({listed(lost)})")
    if deleted:
        stack.source(f"DELETE FROM {stack.schema}.orders WHERE id IN ({listed(deleted)})")
    if doubled:
        stack.warehouse(f"INSERT INTO orders SELECT * FROM orders WHERE id IN ({listed(doubled)})")
    if changed:
        stack.warehouse(f"UPDATE orders SET amount = amount + 1 WHERE id IN ({listed(changed)})")


def listed(ids: Sequence[int]) -> str:
    return ", ".join(map(str, ids))

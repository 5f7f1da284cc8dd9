"""The audit counts what a campaign says: rows lost, and rows doubled."""

from typing import Any

from tests.chaos.audit import audit
from tests.chaos.editors import broken
from tests.chaos.environment import Environment
from tests.chaos.score import Score


def test_lost_and_doubled_rows_are_counted(environment: Environment) -> None:
    table = environment.create()
    table.seed(10)
    assert table.sync() == 0
    assert (audit(table).lost, audit(table).doubled) == (0, 0)

    table.environment.pg.execute(
        f"DELETE FROM {table.name} WHERE id = 1",
        f"UPDATE {table.name} SET version = 0 WHERE id = 2",
        f"INSERT INTO {table.name} SELECT * FROM {table.name} WHERE id = 3",
    )
    audited = audit(table)
    assert (audited.rows, audited.lost, audited.doubled, len(audited.differences)) == (10, 2, 1, 3)

    score = Score(1, environment.servers)
    score.add(audited.differences, audited)
    assert f"{environment.servers}, seed 1: " in str(score)
    assert "10 rows, 2 lost, 1 doubled, 3 differences" in str(score)


def test_an_entry_that_does_not_fit_the_one_before_it_is_named_and_one_after_a_gap_is_not() -> None:
    def entry(serial: int, before: int, after: int) -> dict[str, Any]:
        changed = {"counter": {"before": before, "after": after}}
        return {"serial": serial, "previous": serial - 1, "action": "set", "changed": changed}

    first = {**entry(1, 0, 1), "after": {"counter": 1}}
    assert list(broken([first, entry(2, 1, 2), entry(3, 2, 3)])) == []
    (line,) = broken([first, entry(2, 1, 2), entry(3, 1, 3)])
    assert "journal entry 3 (set) does not begin where the one before ended" in line
    assert list(broken([first, entry(3, 2, 3), entry(4, 3, 4)])) == []
    whole = {**entry(4, 3, 4), "after": {"counter": 4}}
    (line,) = broken([first, entry(3, 2, 3), whole, entry(5, 9, 5)])
    assert "journal entry 5" in line

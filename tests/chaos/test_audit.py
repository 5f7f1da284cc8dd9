"""The audit counts what a campaign says: rows lost, and rows doubled."""

from tests.chaos.audit import audit
from tests.chaos.lab import Lab
from tests.chaos.score import Score


def test_lost_and_doubled_rows_are_counted(lab: Lab) -> None:
    table = lab.create()
    table.seed(10)
    assert table.sync() == 0
    assert (audit(table).lost, audit(table).doubled) == (0, 0)

    table.lab.pg.execute(
        f"DELETE FROM {table.name} WHERE id = 1",
        f"UPDATE {table.name} SET version = 0 WHERE id = 2",
        f"INSERT INTO {table.name} SELECT * FROM {table.name} WHERE id = 3",
    )
    found = audit(table)
    assert (found.rows, found.lost, found.doubled, len(found.differences)) == (10, 2, 1, 3)

    score = Score(1, lab.servers)
    score.compared(found.differences, found)
    assert f"{lab.servers}, seed 1: " in str(score)
    assert "10 rows, 2 lost, 1 doubled, 3 differences" in str(score)

"""The whole way into Redshift: MariaDB → S3 over HTTP → the stand-in, as an operator sees it."""

import random
import re
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.servers import Database
from tests.servers.redshift import RedshiftStandIn
from tests.servers.s3 import S3Server
from tests.stack import Stack, ago, server_stack
from wmtui.errors import WmtuiError
from wmtui.events import Stop
from wmtui.objects.base import StoredObject
from wmtui.pipeline.load import load_table
from wmtui.verify import Verification
from wmtui.warehouses.redshift.warehouse import RedshiftWarehouse


@pytest.fixture
def redshift(pg_db: Database, s3: S3Server) -> Iterator[RedshiftStandIn]:
    """The warehouse."""
    with RedshiftStandIn(pg_db, s3).running() as made:
        yield made


@pytest.fixture
def stack(tmp_path: Path, source_db: Database, pg_db: Database, s3: S3Server, redshift: RedshiftStandIn) -> Stack:
    """A pipeline into it."""
    role = "arn:aws:iam::123456789012:role/reads-lake"
    stack = server_stack(tmp_path, source_db, pg_db, s3, warehouse={**redshift.config, "iam_role": role})
    stack.create()
    return stack


def verified(stack: Stack) -> dict[str, int]:
    """What `verify` counts."""
    (found,) = stack.service.verify([stack.table()], since=None, examples=3, emit=lambda _: None, stop=Stop())
    assert not isinstance(found[1], WmtuiError), found
    return {name: getattr(found[1].counts, name) for name in ("missing", "extra", "doubled", "differing")}


def test_inserts_and_updates_arrive_exactly_once(stack: Stack) -> None:
    stack.insert(*((number, "9.50", f"note {number}'\\\\", ago(minutes=30)) for number in range(1, 2_001)))
    first = stack.sync_one()
    stack.source(f"UPDATE {stack.schema}.orders SET note = 'new', update_at = '{ago(minutes=1)}' WHERE id <= 10")
    second, third = stack.sync_one(), stack.sync_one()

    assert (first.rows_loaded, second.rows_loaded, third.rows_loaded) == (2_000, 10, 0)
    assert stack.warehouse_rows() == stack.source_rows()
    assert verified(stack) == {"missing": 0, "extra": 0, "doubled": 0, "differing": 0}
    assert not [key for key in stack.keys("watermark/") if "manifest" in key]


def test_verify_calls_every_double_and_float_right_and_needs_no_cursor(stack: Stack, redshift: RedshiftStandIn) -> None:
    redshift.single_node = True
    rng = random.Random(7)
    values = [rng.uniform(-1, 1) * 10.0 ** rng.randint(-300, 300) for _ in range(2_000)]
    singles = [rng.uniform(-1, 1) * 10.0 ** rng.randint(-30, 30) for _ in values]
    stack.source(
        f"CREATE TABLE {stack.schema}.numbers (id INT PRIMARY KEY, d DOUBLE, f FLOAT, update_at DATETIME NOT NULL)"
    )
    rows = ", ".join(
        f"({number}, {double!r}, {single!r}, '{ago(minutes=30)}')"
        for number, (double, single) in enumerate(zip(values, singles, strict=True))
    )
    stack.source(f"INSERT INTO {stack.schema}.numbers VALUES {rows}")
    stack.reload(numbers={})
    stack.sync_one("numbers")
    redshift.statements.clear()

    ((_, found),) = stack.service.verify(
        [stack.table("numbers")], since=None, examples=3, emit=lambda _: None, stop=Stop()
    )

    assert isinstance(found, Verification), found
    assert (found.result, found.compared) == ("right", 2_000)
    assert not [one for one in redshift.statements if "DECLARE" in one or "FETCH" in one]


def test_a_harmed_row_is_found_by_verify(stack: Stack) -> None:
    stack.insert((1, "9.50", "a", ago(minutes=30)), (2, "9.50", "b", ago(minutes=30)), (3, None, None, ago(minutes=30)))
    stack.sync_one()
    stack.warehouse("UPDATE orders SET amount = 1 WHERE id = 1")
    stack.warehouse("DELETE FROM orders WHERE id = 2")

    assert verified(stack) == {"missing": 1, "extra": 0, "doubled": 0, "differing": 1}


def test_of_large_files_only_the_footers_are_read_here(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wmtui.pipeline.load.file_reader.FOOTER_BYTES", 3_000)
    stack.insert(*((number, "9.50", uuid4().hex, ago(minutes=30)) for number in range(1, 2_001)))
    stack.sync_one(backup_only=True)
    (part,) = stack.service.workspace.objects.list("incremental/")
    read: list[int] = []
    get = stack.service.workspace.objects.get

    def counting(key: str, *, last: int | None = None) -> StoredObject:
        found = get(key, last=last)
        if key == part.key:
            read.append(len(found.data))
        return found

    monkeypatch.setattr(stack.service.workspace.objects, "get", counting)
    stack.sync_one(redshift_only=True)

    assert read == [3_000]
    assert part.size > 30_000
    assert stack.warehouse_rows() == stack.source_rows()


def test_a_load_whose_commit_was_lost_is_not_repeated(stack: Stack, redshift: RedshiftStandIn) -> None:
    stack.insert((1, "9.50", "a", ago(minutes=30)))
    redshift.lose_commit = True
    result = stack.sync_one()

    assert result.rows_loaded == 1
    assert stack.warehouse_rows() == stack.source_rows()
    assert stack.sync_one().rows_loaded == 0


def test_a_merge_that_conflicts_is_tried_again_and_the_log_says_so(stack: Stack, redshift: RedshiftStandIn) -> None:
    stack.insert((1, "9.50", "a", ago(minutes=30)))
    stack.sync_one()
    stack.insert((2, "9.50", "a", ago(minutes=1)))
    redshift.refuse_merges = 1
    stack.sync_one()

    assert "the merge conflicted with another transaction: it is tried again in" in stack.log()
    assert stack.warehouse_rows() == stack.source_rows()


@pytest.mark.parametrize("key", ["PRIMARY KEY (id)", ""])
@pytest.mark.parametrize("dies", [False, True])
def test_a_backlog_is_loaded_in_transactions_of_so_many_files_each_row_once(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, key: str, dies: bool
) -> None:
    monkeypatch.setattr(RedshiftWarehouse, "most_files", 2)
    stack.create("lines", key=key)
    stack.reload(lines={} if key else {"primary_key": []})
    for number in range(5):
        stack.insert((number, "9.50", "a", stack.ago(minutes=90)), name="lines")
        stack.sync_one("lines", backup_only=True)
        stack.let_pass(minutes=5)
    if dies:
        monkeypatch.setattr(load_table, "with_notes", lambda *_: 1 / 0)
        (result,) = stack.sync("lines", redshift_only=True)
        assert (result.files_loaded, result.error is not None) == (2, True)
        assert len(stack.warehouse_rows("lines")) == 2
        assert stack.mark("lines")["redshift_status"] == "failed"
        monkeypatch.undo()
        stack.let_pass(minutes=5)
    result = stack.sync_one("lines", redshift_only=True)

    assert (result.files_loaded, result.rows_loaded) == ((3, 3) if dies else (5, 5))
    assert stack.warehouse_rows("lines") == stack.source_rows("lines")
    assert len(set(stack.warehouse("SELECT load_id FROM wmtui_ledger"))) == (2 if dies else 3)
    assert stack.sync_one("lines").rows_loaded == 0


def test_what_is_sent_in_a_first_and_a_second_sync_is_what_the_documentation_says(
    stack: Stack, redshift: RedshiftStandIn
) -> None:
    stack.insert((1, "9.50", "a", ago(minutes=30)))
    stack.sync_one()
    stack.insert((2, "9.50", "a", ago(minutes=1)))
    stack.sync_one()

    documented = (Path(__file__).parents[2] / "docs" / "redshift.md").read_text()
    verbs = {" ".join(said.split()[:2]) for said in redshift.statements}
    verbs = {re.sub(r'_\d\d"', '_NN"', re.sub(r"(wmtui_staging_)\w+", r"\1…", verb)) for verb in verbs}
    assert not {verb for verb in verbs if verb not in documented}

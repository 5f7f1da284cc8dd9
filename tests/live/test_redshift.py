"""What the stand-in only claims: a real Redshift takes every statement, and keeps every value."""

import pytest

from tests.warehouses.bench import Bench, at, rows
from tests.warehouses.test_ledger import *  # noqa: F403
from tests.warehouses.test_merge import *  # noqa: F403
from tests.warehouses.test_redshift import lengths, sized
from tests.warehouses.test_values import *  # noqa: F403
from wmtui.errors import TableError
from wmtui.model import Level
from wmtui.warehouses import TargetLayout


def test_the_account_has_what_the_pipeline_needs(bench: Bench) -> None:
    assert [check for check in bench.warehouse.check() if check.level is Level.ERROR] == []


def test_a_failed_copy_says_file_and_column(bench: Bench) -> None:
    with pytest.raises(TableError, match="part-0") as failure:
        bench.load(sized(4, (1, at(1), "longer than four bytes")))
    assert "note" in str(failure.value)


def test_text_grows_with_its_source(bench: Bench) -> None:
    bench.load(sized(40, (1, at(1), "a")))
    bench.load(sized(80, (2, at(1), "é" * 40)))
    assert lengths(bench)["note"] == "character varying(80)"
    assert bench.target() == [(1, at(1), "a"), (2, at(1), "é" * 40)]


def test_a_new_column_is_added(bench: Bench) -> None:
    bench.load(rows((1, at(1), "a")).drop_columns(["note"]))
    assert bench.load(rows((2, at(1), "b"))).added == ("note",)
    assert bench.target() == [(1, at(1), None), (2, at(1), "b")]


@pytest.mark.parametrize(
    "layout", [TargetLayout("all"), TargetLayout("even"), TargetLayout(distkey="id", sortkey=("update_at",))]
)
def test_every_layout_is_taken(bench: Bench, layout: TargetLayout) -> None:
    bench.load(rows((1, at(1), "a")), layout=layout)
    assert bench.target() == [(1, at(1), "a")]

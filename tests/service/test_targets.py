"""What of a target explains that it refuses rows, and what may make one of two keys."""

import pytest

from wmtui.model import Level
from wmtui.pipeline.load.refused_rows import hidden_rows
from wmtui.service.targets import folded_keys, tells_apart
from wmtui.warehouses.target import TargetColumn, TargetTable

KEY = TargetTable((TargetColumn("sku", "varchar(20)", folds="folded"), TargetColumn("n", "int")), owner="ana")


@pytest.mark.parametrize(
    ("collation", "apart"),
    [
        ("", True),
        ("utf8mb4_bin", True),
        ("latin1_general_cs", True),
        ("utf8mb4_0900_as_cs", True),
        ("utf8mb4_0900_ai_ci", False),
        ("utf8mb4_general_ci", False),
    ],
)
def test_a_collation_that_ignores_case_says_so_by_its_name(collation: str, apart: bool) -> None:
    assert tells_apart(collation) is apart


def test_a_target_that_takes_two_keys_of_the_source_for_one_is_named() -> None:
    (found,) = folded_keys("shop.items: target", {"sku": "sku"}, KEY, {"sku": "utf8mb4_bin"})
    assert (found.level, found.subject) == (Level.WARNING, "shop.items: target")
    assert found.finding == "sku is compared by folded, sku of the source by utf8mb4_bin"
    assert not list(folded_keys("", {"sku": "sku"}, KEY, {"sku": "utf8mb4_0900_ai_ci"}))
    assert not list(folded_keys("", {"id": "n"}, KEY, {}))


def test_what_hides_rows_of_a_target_is_named_with_a_way_out() -> None:
    view = TargetTable(KEY.columns, kind="view")
    secured = TargetTable(KEY.columns, row_security=True, owner="ana", rules=("aside",), triggers=("each",))
    assert hidden_rows("orders", view) == [("orders is a view, which may leave rows out", "load into the table itself")]
    causes, ways = zip(*hidden_rows("orders", secured), strict=True)
    assert causes == (
        "row-level security hides rows of orders from this user",
        "orders has rules that may turn changes aside: aside",
        "orders has triggers that may turn changes aside: each",
    )
    assert "load as the owner, ana" in ways[0]
    assert not hidden_rows("orders", KEY)

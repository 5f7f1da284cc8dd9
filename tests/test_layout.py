"""Keys are built and parsed in one place, exactly.

Guards against `settlement_claim` loading the files of `settlement_claim_detail`, and `t_1` those of `t_10`.
"""

import ast
import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import wmtui
from tests.clock import NOON
from wmtui import layout
from wmtui.layout import FlatNames, PartName, data_folder, day_folder, parse_part, part_key
from wmtui.model import TableName

CLAIM = TableName("settlement", "settlement_claim")
DETAIL = TableName("settlement", "settlement_claim_detail")
RUN = "0198a4f3c0001a2b3c"
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)


KEY = re.compile(r"(watermark|incremental)/")
"""How a key below the root begins."""


def literals(source: str) -> Iterator[str]:
    """Every text that a module builds values of: docstrings and comments are none."""
    tree = ast.parse(source)
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node.value


def test_no_other_module_builds_a_key() -> None:
    package = Path(wmtui.__file__).parent
    builders = {
        str(path.relative_to(package))
        for path in package.rglob("*.py")
        if any(KEY.match(text) for text in literals(path.read_text()))
    }

    assert builders == {"layout.py"}


def test_documents_lie_where_the_protocol_says() -> None:
    assert layout.watermark_key(CLAIM) == "watermark/tables/settlement.settlement_claim.json"
    assert layout.lock_key(CLAIM) == "watermark/locks/settlement.settlement_claim.json"
    assert layout.decisions_key(CLAIM) == "watermark/decisions/settlement.settlement_claim.json"
    assert layout.journal_key(CLAIM, 42) == "watermark/journal/settlement.settlement_claim/000000000042.json"
    assert layout.run_key(CLAIM, RUN) == f"watermark/runs/settlement.settlement_claim/{RUN}.json"
    assert layout.loads_key(CLAIM, date(2025, 8, 9)) == "watermark/loads/settlement.settlement_claim/2025-08-09.json"
    assert layout.manifest_key("a1", 2) == "watermark/manifests/a1-2.json"
    assert layout.STORE == "watermark/store.json"
    assert layout.SYSTEM_WATERMARK == "watermark/last_run_timestamp.txt"


@given(st.builds(TableName, NAMES, NAMES), st.integers(0, 10**12 - 1), st.dates(date(1970, 1, 1)))
def test_keys_of_documents_are_read_back(table: TableName, serial: int, day: date) -> None:
    assert layout.journal_serial(table, layout.journal_key(table, serial)) == serial
    assert layout.run_of_document(table, layout.run_key(table, RUN)) == RUN
    assert layout.is_loads_key(table, layout.loads_key(table, day))
    assert layout.loads_folder(table) < layout.loads_since(table, day) < layout.loads_key(table, day)


@pytest.mark.parametrize(
    "name", ["1.json", "000000000001.json.tmp", "००००००००००0१.json", f"{RUN}x.json", "2025-8-9.json"]
)
def test_any_other_name_beside_documents_is_none_of_them(name: str) -> None:
    assert layout.journal_serial(CLAIM, f"{layout.journal_folder(CLAIM)}{name}") is None
    assert layout.run_of_document(CLAIM, f"{layout.run_folder(CLAIM)}{name}") is None
    assert not layout.is_loads_key(CLAIM, f"{layout.loads_folder(CLAIM)}{name}")


def test_a_part_is_named_after_table_start_run_token_and_number() -> None:
    started = datetime(2025, 8, 10, 1, 2, 3, tzinfo=timezone(timedelta(hours=8)))

    assert part_key(CLAIM, started, RUN, 12, 3) == (
        "incremental/settlement.settlement_claim/year=2025/month=08/day=09/"
        f"settlement.settlement_claim_20250809T170203Z_{RUN}_12_00003.parquet"
    )


@given(st.builds(TableName, NAMES, NAMES), st.integers(0, 10**9), st.integers(0, 10**6))
def test_a_parts_name_is_read_back(table: TableName, token: int, part: int) -> None:
    key = part_key(table, NOON, RUN, token, part)

    assert parse_part(table, key) == PartName(RUN, token, part)
    assert key.startswith(data_folder(table))


@pytest.mark.parametrize(
    "name",
    [
        f"settlement.settlement_claim_20250809T170203Z_{RUN}_12_00003.parquet.tmp",
        f"settlement.settlement_claim_20250809T170203Z_{RUN}_12_3.parquet",
        f"settlement.settlement_claim_20250809T170203_{RUN}_12_00003.parquet",
        f"settlement.settlement_claim_20250809T170203Z_{RUN.upper()}_12_00003.parquet",
        f"settlement.settlement_claim_20250809T170203Z_{RUN}x_12_00003.parquet",
        f"settlement.settlement_claim_20250809T170203Z_{RUN}_१२_00003.parquet",
        f"copy of settlement.settlement_claim_20250809T170203Z_{RUN}_12_00003.parquet",
        "settlement_settlement_claim_20250809_170203_batch_0.parquet",
        "anything.parquet",
    ],
)
def test_any_other_name_is_a_foreign_file(name: str) -> None:
    assert parse_part(CLAIM, f"{data_folder(CLAIM)}{name}") is None


@pytest.mark.parametrize(
    ("one", "other"), [(CLAIM, DETAIL), (TableName("s", "t_1"), TableName("s", "t_10")), (CLAIM, CLAIM)]
)
def test_a_part_belongs_to_exactly_its_table(one: TableName, other: TableName) -> None:
    for table, another in ((one, other), (other, one)):
        key = part_key(table, NOON, RUN, 1, 0)
        assert (parse_part(another, key) is not None) == (table == another)


def flat(table: str, folders: str = "year=2025/month=08/day=09/", tail: str = "batch_0001") -> str:
    return f"incremental/{folders}{table}_20250809_170203_{tail}.parquet"


def test_a_flat_file_belongs_to_the_table_whose_whole_name_it_begins_with() -> None:
    names = FlatNames([CLAIM, DETAIL, TableName("s", "t_1"), TableName("s", "t_10")])

    assert names.owners(flat("settlement_settlement_claim")) == [CLAIM]
    assert names.owners(flat("settlement_settlement_claim_detail")) == [DETAIL]
    assert names.owners(flat("s_t_1")) == [TableName("s", "t_1")]
    assert names.owners(flat("s_t_10")) == [TableName("s", "t_10")]
    assert names.owners(flat("settlement_settlement_claim_detail_x")) == []


@pytest.mark.parametrize(
    "key",
    [
        flat("settlement_settlement_claim", tail="chunk_0001"),
        flat("settlement_settlement_claim").replace("_20250809_", "_2025089_"),
        flat("settlement_settlement_claim").replace(".parquet", ".csv"),
        flat("settlement_settlement_claim", folders=""),
        flat("settlement_settlement_claim", folders="year=2025/old/"),
        flat("x/settlement_settlement_claim"),
        "other/" + flat("settlement_settlement_claim"),
    ],
)
def test_a_name_of_almost_the_flat_form_is_nobodys(key: str) -> None:
    assert FlatNames([CLAIM, DETAIL]).owners(key) == []


def test_a_flat_file_may_lie_in_folders_by_hour() -> None:
    key = flat("settlement_settlement_claim", folders="year=2025/month=08/day=09/hour=17/")

    assert FlatNames([CLAIM]).owners(key) == [CLAIM]


def test_a_flat_name_that_fits_two_tables_is_owned_by_both_and_so_by_none() -> None:
    one, other = TableName("a", "b_c"), TableName("a_b", "c")

    assert FlatNames([one, other]).owners(flat("a_b_c")) == [one, other]
    assert FlatNames([one]).owners(flat("a_b_c")) == [one]


@given(st.dates(date(1000, 1, 1)), st.dates(date(1000, 1, 1)))
def test_day_folders_sort_by_day(one: date, other: date) -> None:
    assert (day_folder(one) < day_folder(other)) == (one < other)

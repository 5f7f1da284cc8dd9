"""Table names in object keys: reversible, unique, and none the folder of another.

Guards against a table that adopts another's watermark or loads another's files because names were shortened, searched
as substrings or listed without the closing slash.
"""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wmtui.layout import data_folder, watermark_key
from wmtui.model import TableName

NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
TABLES = st.builds(TableName, NAMES, NAMES)


@given(TABLES)
@example(TableName("a.b", "c"))
@example(TableName("a%2Eb", "c"))
@example(TableName("ä你🚚", "a/b ..\n"))
def test_a_name_is_read_back_from_its_key_and_from_its_text(table: TableName) -> None:
    assert TableName.parse(table.key) == table
    assert TableName.parse(str(table)) == table


@given(TABLES, TABLES)
@example(TableName("a.b", "c"), TableName("a", "b.c"))
@example(TableName("a_b", "c"), TableName("a", "b_c"))
@example(TableName("a", "t_1"), TableName("a", "t_10"))
def test_two_tables_never_share_a_key_nor_lie_in_each_others_folder(one: TableName, other: TableName) -> None:
    if one != other:
        assert watermark_key(one) != watermark_key(other)
        assert not data_folder(one).startswith(data_folder(other))
        assert not data_folder(other).startswith(data_folder(one))


@given(TABLES)
def test_a_key_is_one_plain_path_element(table: TableName) -> None:
    assert table.key.isascii()
    assert "/" not in table.key
    assert table.key.count(".") == 1


@pytest.mark.parametrize("text", ["", "orders", ".orders", "shop.", "shop.orders.2024", "shop..orders", "shop.%FF"])
def test_a_text_without_exactly_two_names_is_no_table(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        TableName.parse(text)

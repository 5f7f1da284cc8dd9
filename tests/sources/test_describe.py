"""Tables that do not fit their settings are refused with the nearest that would."""

import pyarrow as pa
import pytest

from tests.sources.conftest import SourceCase, table_config
from wmtui.errors import ConfigError, UnsupportedValue
from wmtui.model import TableName


@pytest.fixture
def orders(case: SourceCase) -> SourceCase:
    """A source with one table: primary key id, unique (shop, number), unique but nullable code."""
    case.execute(
        "CREATE TABLE orders (id BIGINT PRIMARY KEY, shop INTEGER NOT NULL, number VARCHAR(20) NOT NULL,"
        " code INTEGER, rate DOUBLE NOT NULL, day DATE, updated_at {datetime} NOT NULL)",
        "CREATE UNIQUE INDEX by_number ON orders (shop, number)",
        "CREATE UNIQUE INDEX by_code ON orders (code)",
        "CREATE UNIQUE INDEX by_rate ON orders (rate)",
    )
    return case


def refusal(case: SourceCase, table: str, cursor: str, *primary_key: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        case.describe(table, cursor, primary_key)
    assert caught.value.why
    return caught.value


def test_a_table_is_described_with_pinned_types_and_their_source(orders: SourceCase) -> None:
    table = orders.describe("orders", "updated_at")
    assert table.primary_key == ("id",)
    assert (table.cursor, table.cursor_digits, table.nullable_cursor) == ("updated_at", 6, False)
    assert table.schema.field("id").type == pa.int64()
    assert table.schema.field("updated_at").type == pa.timestamp("us")
    assert all(field.metadata[b"source_type"] for field in table.schema)


def test_a_unique_index_without_nulls_is_a_key(orders: SourceCase) -> None:
    assert orders.describe("orders", "updated_at", ["shop", "number"]).primary_key == ("shop", "number")


def test_the_collation_of_each_text_is_known(case: SourceCase) -> None:
    is_duckdb = bool(case.path)
    folded, told = ("", "") if is_duckdb else ("COLLATE utf8mb4_general_ci", "COLLATE utf8mb4_bin")
    case.execute(
        f"CREATE TABLE orders (id BIGINT PRIMARY KEY, a VARCHAR(9) {folded}, b VARCHAR(9) {told}, u {{datetime}})"
    )
    found = case.source.collations(case.name("orders"))
    assert found == ({} if is_duckdb else {"a": "utf8mb4_general_ci", "b": "utf8mb4_bin"})


def test_a_table_may_go_without_a_key(orders: SourceCase) -> None:
    assert orders.describe("orders", "updated_at", []).primary_key == ()


def test_a_missing_schema_names_the_nearest(orders: SourceCase) -> None:
    with pytest.raises(ConfigError) as caught:
        orders.source.describe(TableName(orders.schema[:-1], "orders"), table_config("updated_at", ["id"]))
    assert orders.schema in caught.value.next_step


def test_a_missing_table_names_the_nearest(orders: SourceCase) -> None:
    error = refusal(orders, "order", "updated_at", "id")
    assert error.what.endswith(f"no table {orders.schema}.order")
    assert error.next_step == "did you mean orders?"


def test_a_table_of_another_case_is_not_the_table(orders: SourceCase) -> None:
    assert "no table" in refusal(orders, "Orders", "updated_at", "id").what


def test_a_missing_cursor_names_the_nearest(orders: SourceCase) -> None:
    error = refusal(orders, "orders", "update_at", "id")
    assert "update_at" in error.what
    assert error.next_step == "did you mean updated_at?"


def test_a_missing_key_column_names_the_nearest(orders: SourceCase) -> None:
    assert refusal(orders, "orders", "updated_at", "shop", "numbr").next_step == "did you mean number?"


def test_a_cursor_is_a_date_with_time(orders: SourceCase) -> None:
    error = refusal(orders, "orders", "day", "id")
    assert "day" in error.what
    assert "date" in error.what.lower()


@pytest.mark.parametrize("key", [("shop",), ("code",), ("number", "shop"), ("id", "shop")])
def test_a_key_is_a_unique_index_without_nulls_in_its_order(orders: SourceCase, key: tuple[str, ...]) -> None:
    error = refusal(orders, "orders", "updated_at", *key)
    assert "[id]" in error.next_step
    assert "[shop, number]" in error.next_step


def test_a_floating_point_key_is_refused(orders: SourceCase) -> None:
    assert "rate" in refusal(orders, "orders", "updated_at", "rate").what


def test_a_prefix_of_a_column_is_no_key(server_case: SourceCase) -> None:
    server_case.execute("CREATE TABLE t (name VARCHAR(20) NOT NULL, u DATETIME NOT NULL, UNIQUE (name(5)))")
    refusal(server_case, "t", "u", "name")


@pytest.mark.parametrize(("column_type", "digits"), [("DATETIME", 0), ("DATETIME(3)", 3), ("TIMESTAMP(6) NULL", 6)])
def test_the_fraction_digits_of_a_cursor_are_known(server_case: SourceCase, column_type: str, digits: int) -> None:
    server_case.execute(f"CREATE TABLE t (id INT PRIMARY KEY, u {column_type})")
    assert server_case.describe("t").cursor_digits == digits


@pytest.mark.parametrize("column_type", ["HUGEINT", "TIME", "UUID", "INTEGER[]", "TIMESTAMP_NS", "JSON"])
def test_an_embedded_type_that_has_no_exact_counterpart_is_refused(duckdb_case: SourceCase, column_type: str) -> None:
    duckdb_case.execute(f"CREATE TABLE t (id INT PRIMARY KEY, u TIMESTAMP, odd {column_type})")
    with pytest.raises(UnsupportedValue, match="column odd of shop"):
        duckdb_case.describe("t")

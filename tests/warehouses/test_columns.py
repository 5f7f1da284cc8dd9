"""How files' columns meet an existing target, and names that need quoting."""

from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from msgspec.structs import replace

from tests.warehouses.bench import SCHEMA, TARGET, Bench, at, concurrent_loads, rows
from wmtui.errors import TableError, UnsupportedValue, WmtuiError
from wmtui.model import TargetName
from wmtui.warehouses import Naming, TargetLayout

NARROW = pa.schema([("id", pa.int64()), ("update_at", pa.timestamp("us"))])


def typed(name: str, kind: pa.DataType, *values: Any) -> pa.Table:
    """A table of keyed rows with one more column."""
    schema = pa.schema([*NARROW, (name, kind)])
    return rows(*((number, at(1), value) for number, value in enumerate(values)), schema=schema)


def test_columns_are_matched_by_name_not_by_place(bench: Bench) -> None:
    bench.execute(f"CREATE TABLE {TARGET} (note text, id bigint PRIMARY KEY, extra integer, update_at timestamp)")
    bench.load(rows((1, at(1), "a")))
    assert bench.query(f"SELECT id, note, extra, update_at FROM {TARGET}") == [(1, "a", None, at(1))]


def test_a_name_that_differs_in_case_alone_is_the_same_column(bench: Bench) -> None:
    key, note = ("id", "note") if bench.kind == "redshift" else ("Id", "NOTE")  # There all are in lower case.
    bench.execute(f'CREATE TABLE {TARGET} ("{key}" bigint PRIMARY KEY, update_at timestamp, "{note}" text)')
    bench.load(rows((1, at(1), "a")))
    bench.load(rows((1, at(2), "b")), primary_key=("ID",), cursor="Update_At")
    assert bench.query(f'SELECT "{key}", "{note}" FROM {TARGET}') == [(1, "b")]


def test_a_column_that_a_file_lacks_becomes_null(bench: Bench) -> None:
    bench.load(rows((1, at(1), "a"), (2, at(1), "b")))
    bench.load(rows((1, at(2)), schema=NARROW), rows((2, at(2), "c")))
    assert bench.target() == [(1, at(2), None), (2, at(2), "c")]


def test_a_new_target_has_the_columns_of_all_files(bench: Bench) -> None:
    bench.load(rows((1, at(1)), schema=NARROW), rows((2, at(1), "b")))
    assert bench.target() == [(1, at(1), None), (2, at(1), "b")]


def test_files_that_give_one_column_two_types_do_not_make_a_target(bench: Bench) -> None:
    with pytest.raises(TableError, match="column note has type"):
        bench.load(rows((1, at(1), "a")), typed("note", pa.int64(), 1))
    assert TARGET not in bench.tables()


def test_a_new_column_is_added_to_the_target_and_older_rows_have_null(bench: Bench) -> None:
    bench.load(rows((1, at(1)), (2, at(1)), schema=NARROW))
    wide = pa.schema([*NARROW, ("note", pa.string()), ("amount", pa.decimal128(10, 2))])
    result = bench.load(rows((2, at(2), "b", Decimal("1.50")), schema=wide))
    assert result.added == ("note", "amount")
    assert bench.target() == [(1, at(1), None, None), (2, at(2), "b", Decimal("1.50"))]
    assert bench.load(rows((3, at(3), None, None), schema=wide)).added == ()


def test_a_load_that_fails_adds_no_column(bench: Bench) -> None:
    bench.load(rows((1, at(1)), schema=NARROW))
    with pytest.raises(TableError):
        bench.load(rows((2, at(2), "b")), bench.file(rows((3, at(2), "c")), promised=7))
    assert bench.target() == [(1, at(1))]


def test_loads_at_once_that_bring_the_same_new_column_all_succeed(bench: Bench) -> None:
    bench.load(rows((1, at(1)), schema=NARROW))
    results = concurrent_loads(bench, bench.file(rows((2, at(2), "b"))))
    assert sorted(result.rows for result in results) == [0, 0, 0, 1]
    assert bench.target() == [(1, at(1), None), (2, at(2), "b")]


def test_a_foreign_file_adds_no_column_and_is_refused_with_the_statement_that_does(bench: Bench) -> None:
    bench.load(rows((1, at(1)), schema=NARROW))
    foreign = replace(bench.file(rows((1, at(2), "a"))), rows=None)
    with pytest.raises(TableError, match="has no column note") as failure:
        bench.load(foreign)
    assert bench.target() == [(1, at(1))]
    bench.execute(failure.value.next_step.partition(", or run ")[2])
    bench.load(foreign)
    assert bench.target() == [(1, at(2), "a")]


def test_a_column_dropped_in_the_source_stays_and_is_null_in_new_rows(bench: Bench) -> None:
    bench.load(rows((1, at(1), "a"), (2, at(1), "b")))
    bench.load(rows((2, at(2)), (3, at(2)), schema=NARROW))
    assert bench.target() == [(1, at(1), "a"), (2, at(2), None), (3, at(2), None)]


def test_a_renamed_key_or_cursor_is_never_added_as_a_new_column(bench: Bench) -> None:
    bench.load(rows((1, at(1), "a")))
    for name, words in (("number", {"primary_key": ("number",)}), ("changed", {"cursor": "changed"})):
        schema = pa.schema(
            [
                (name if name == "number" else "id", pa.int64()),
                (name if name == "changed" else "update_at", pa.timestamp("us")),
                ("note", pa.string()),
            ]
        )
        with pytest.raises(TableError, match=f"has no column {name}") as failure:
            bench.load(rows((1, at(2), "b"), schema=schema), **words)
        assert "renamed" in str(failure.value)
    assert bench.target() == [(1, at(1), "a")]


@pytest.mark.parametrize(
    ("narrow", "wide", "values"),
    [
        (pa.int32(), pa.int64(), (7, 2**40)),
        (pa.decimal128(10, 2), pa.decimal128(12, 4), (Decimal("1.50"), Decimal("1.2345"))),
        (pa.date32(), pa.timestamp("us"), (at(1).date(), at(1))),
    ],
    ids=str,
)
def test_files_from_before_and_after_a_column_was_widened_make_one_target(
    bench: Bench, narrow: pa.DataType, wide: pa.DataType, values: tuple[Any, Any]
) -> None:
    bench.load(typed("n", narrow, values[0]), typed("n", wide, None, values[1]))
    (before,) = bench.query(f"SELECT n FROM {TARGET} WHERE id = 1")
    assert before == (values[1],)
    assert bench.row_count(TARGET) == 2


@pytest.mark.parametrize(
    ("narrow", "wide", "values"),
    [
        (pa.int32(), pa.int64(), (7, 2**40)),
        (pa.decimal128(10, 2), pa.decimal128(12, 4), (Decimal("1.50"), Decimal("1.2345"))),
    ],
    ids=str,
)
def test_a_column_that_became_too_narrow_is_refused_with_the_statements_that_widen_it(
    bench: Bench, narrow: pa.DataType, wide: pa.DataType, values: tuple[Any, Any]
) -> None:
    bench.load(typed("n", narrow, values[0]))
    with pytest.raises(TableError) as failure:
        bench.load(typed("n", wide, values[0], values[1]))
    assert bench.row_count(TARGET) == 1
    for statement in failure.value.next_step.partition("run ")[2].split("; "):
        bench.execute(statement)
    bench.load(typed("n", wide, values[0], values[1]))
    assert bench.query(f"SELECT n FROM {TARGET} WHERE id = 1") == [(values[1],)]


def test_columns_are_renamed_and_left_out_on_their_way(bench: Bench) -> None:
    naming = Naming(rename={"id": "number", "note": "Remark", "update_at": "changed"}, exclude=("secret",))
    schema = pa.schema([*SCHEMA, ("secret", pa.string())])
    bench.load(rows((1, at(1), "a", "x"), (2, at(1), "b", "y"), schema=schema), naming=naming)
    bench.load(rows((1, at(2), "c", "z"), schema=schema), naming=naming)
    remark = "remark" if bench.kind == "redshift" else "Remark"
    assert bench.query(f'SELECT number, changed, "{remark}" FROM {TARGET} ORDER BY number') == [
        (1, at(2), "c"),
        (2, at(1), "b"),
    ]
    assert len(bench.query(f"SELECT * FROM {TARGET}")[0]) == 3
    (batch,) = bench.warehouse.read(TARGET, {"id": "number", "note": "Remark"}, 10)
    assert sorted(batch.to_pylist(), key=lambda row: row["id"]) == [{"id": 1, "note": "c"}, {"id": 2, "note": "b"}]


def test_an_excluded_column_of_a_foreign_file_may_be_of_any_type(bench: Bench) -> None:
    odd = pa.schema([*NARROW, ("tags", pa.list_(pa.int64()))])
    words = {"naming": Naming(exclude=("tags",))}
    if bench.kind == "redshift":  # which has to make a column for each that COPY brings
        with pytest.raises(UnsupportedValue, match="tags"):
            bench.load(rows((1, at(1), [1]), schema=odd), **words)
        return
    bench.load(rows((1, at(1), [1]), schema=odd), **words)
    assert bench.target() == [(1, at(1))]


@pytest.mark.parametrize("source", ["note", "NOTE"])
def test_a_column_that_is_renamed_later_is_not_added_beside_the_old_one(bench: Bench, source: str) -> None:
    bench.load(rows((1, at(1), "a")))
    naming = Naming(rename={source: "remark"})
    schema = pa.schema([*NARROW, (source, pa.string())])
    with pytest.raises(TableError, match="has column note, which") as failure:
        bench.load(rows((2, at(1), "b"), schema=schema), naming=naming)
    bench.execute(failure.value.next_step.removeprefix("run "))
    bench.load(rows((2, at(1), "b"), schema=schema), naming=naming)
    assert bench.query(f"SELECT id, remark FROM {TARGET} ORDER BY id") == [(1, "a"), (2, "b")]


def test_two_columns_renamed_to_one_are_refused(bench: Bench) -> None:
    with pytest.raises(TableError, match="both the target's"):
        bench.load(rows((1, at(1), "a")), naming=Naming(rename={"note": "id"}))
    assert TARGET not in bench.tables()


def test_a_target_may_be_in_another_schema_than_the_ledger(bench: Bench) -> None:
    bench.execute("CREATE SCHEMA mart")
    bench.load(rows((1, at(1), "a")), target="mart.orders")
    bench.load(rows((1, at(2), "b")), target="mart.orders")
    bench.load(rows((9, at(1), "home")))
    assert bench.query("SELECT id, note FROM mart.orders") == [(1, "b")]
    assert bench.target() == [(9, at(1), "home")]
    assert bench.row_count("mart.orders") == 1
    assert len(bench.ledger(target="mart.orders")) == 2


def test_a_schema_that_does_not_exist_is_an_error_that_says_so(bench: Bench) -> None:
    with pytest.raises(WmtuiError, match="nowhere"):
        bench.load(rows((1, at(1), "a")), target="nowhere.orders")


@pytest.mark.parametrize("layout", [TargetLayout("even"), TargetLayout(distkey="note", sortkey=("update_at", "id"))])
def test_a_layout_is_redshift_s_alone(bench: Bench, layout: TargetLayout) -> None:
    bench.load(rows((1, at(1), "a")), layout=layout)
    assert bench.target() == [(1, at(1), "a")]


def test_a_layout_by_a_column_that_is_not_there_is_refused(bench: Bench) -> None:
    with pytest.raises(TableError, match="no column nope"):
        bench.load(rows((1, at(1), "a")), layout=TargetLayout(distkey="nope"))
    assert TARGET not in bench.tables()


@pytest.mark.parametrize("missing", ["id", "update_at"])
def test_a_file_without_key_or_cursor_is_refused(bench: Bench, missing: str) -> None:
    with pytest.raises(TableError, match=f"no column {missing}"):
        bench.load(rows((1, at(1), "a")).drop_columns([missing]))


def test_a_null_key_is_refused_by_name(bench: Bench) -> None:
    with pytest.raises(TableError, match="key column id is NULL"):
        bench.load(rows((1, at(1), "a"), (None, at(1), "b")))
    assert TARGET not in bench.tables()


def test_a_value_out_of_range_names_its_column_and_changes_nothing(bench: Bench) -> None:
    bench.execute(f"CREATE TABLE {TARGET} (id bigint, update_at timestamp, n smallint)")
    bench.load(typed("n", pa.int32(), 1))
    with pytest.raises(TableError) as failure:
        bench.load(typed("n", pa.int32(), 2, 99_999))
    assert "narrower than its source" in str(failure.value)
    assert 'COLUMN "n"' in failure.value.next_step
    assert bench.target() == [(0, at(1), 1)]


@pytest.mark.parametrize(
    ("declared", "kind", "value"),
    [
        ("numeric(10,2)", pa.decimal128(10, 3), Decimal("1.005")),
        ("real", pa.float64(), 0.1),
        ("double precision", pa.int64(), 2**53 + 1),
        ("date", pa.timestamp("us"), at(1)),
        ("timestamp", pa.timestamp("us", "UTC"), at(1)),
        ("timestamp with time zone", pa.timestamp("us"), at(1)),
        ("numeric(10,2)", pa.string(), "1.005"),
        ("text", pa.int64(), 1),
        ("integer", pa.bool_(), True),
    ],
)
def test_a_column_that_would_change_values_silently_is_refused(
    bench: Bench, declared: str, kind: pa.DataType, value: Any
) -> None:
    bench.execute(f"CREATE TABLE {TARGET} (id bigint, update_at timestamp, n {declared})")
    with pytest.raises(TableError, match="column n does not fit"):
        bench.load(typed("n", kind, value))


@pytest.mark.parametrize(
    ("declared", "kind", "value", "expected"),
    [
        ("bigint", pa.int32(), 7, 7),
        ("integer", pa.int64(), 7, 7),
        ("numeric(12,4)", pa.decimal128(10, 2), Decimal("1.05"), Decimal("1.0500")),
        ("numeric(12,2)", pa.int64(), 7, Decimal("7.00")),
        ("bigint", pa.decimal128(20, 0), Decimal(7), 7),
        ("double precision", pa.float32(), 0.5, 0.5),
        ("varchar(10)", pa.large_string(), "é😀", "é😀"),
        ("timestamp", pa.date32(), at(1).date(), at(1).replace(hour=0, minute=0)),
    ],
)
def test_a_wider_column_takes_values_as_they_are(
    bench: Bench, declared: str, kind: pa.DataType, value: Any, expected: Any
) -> None:
    bench.execute(f"CREATE TABLE {TARGET} (id bigint, update_at timestamp, n {declared})")
    bench.load(typed("n", kind, value))
    assert bench.query(f"SELECT n FROM {TARGET}") == [(expected,)]


@pytest.mark.parametrize("name", ["time64[us]", "duration[us]"])
def test_a_type_that_cannot_be_carried_is_refused_by_name(bench: Bench, name: str) -> None:
    with pytest.raises(UnsupportedValue) as failure:
        bench.load(typed("odd one", pa.type_for_alias(name), None))
    assert "odd one" in str(failure.value)
    assert name in str(failure.value)


def test_hostile_names_are_only_names(bench: Bench) -> None:
    key, note = 'k"; DROP TABLE x; --', "列 100% {note} %s $1 ?"
    name, table = 'a "b".c % {d} 表', "shop.o'rders"
    target = str(TargetName(name))
    schema = pa.schema([(key, pa.int64()), ("update at", pa.timestamp("us")), (note, pa.string())])
    words: dict[str, Any] = {"primary_key": (key,), "cursor": "update at", "target": target, "table": table}
    bench.load(rows((1, at(1), "a"), (2, at(1), "b"), schema=schema), **words)
    bench.load(rows((1, at(2), "c"), schema=schema), **words)
    quoted = '"' + name.replace('"', '""') + '"'
    assert sorted(bench.query(f"SELECT * FROM {quoted}")) == [(1, at(2), "c"), (2, at(1), "b")]
    assert bench.row_count(target) == 2
    assert len(bench.ledger(table=table, target=target)) == 2


def test_columns_named_like_our_own_are_no_problem(bench: Bench) -> None:
    schema = pa.schema(
        [("id", pa.int64()), ("update_at", pa.timestamp("us")), ("s", pa.string()), ("rank", pa.int64())]
    )
    bench.load(rows((1, at(1), "a", 1), schema=schema))
    bench.load(rows((1, at(2), "b", 2), schema=schema))
    assert bench.target() == [(1, at(2), "b", 2)]

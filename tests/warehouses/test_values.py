"""Every value arrives as it was, or not at all."""

import math
import struct
from datetime import date, datetime
from decimal import Context, Decimal
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pytest

from tests.warehouses.bench import TARGET, Bench, at
from wmtui.errors import LoadRefused, UnsupportedValue
from wmtui.model import As
from wmtui.warehouses import Naming

TEXTS = [
    "",
    "NULL",
    "null",
    r"\N",
    r"\.",
    "a\nb",
    "a\r\nb",
    "\n\\.\n",
    "\t",
    '"',
    '""',
    "',;|",
    " x ",
    "\\",
    "é😀𝔘",
    "0",
]
BLOBS = [b"", b"\0", bytes(range(256)), b"\\x00", b"NULL", b'"\n,']
DOUBLES = [0.0, -0.0, 0.1, 1 / 3, 5e-324, 1.7976931348623157e308, -2.2250738585072014e-308, math.inf, -math.inf]
SINGLES = [0.1, 1e-45, 3.4028234663852886e38, 16777217.0]

CASES: list[tuple[pa.DataType, str, list[Any]]] = [
    (pa.bool_(), "boolean", [True, False]),
    (pa.int8(), "smallint", [-128, 127]),
    (pa.int16(), "smallint", [-(2**15), 2**15 - 1]),
    (pa.int32(), "integer", [-(2**31), 2**31 - 1]),
    (pa.int64(), "bigint", [-(2**63), 2**63 - 1, 2**53 + 1]),
    (pa.uint8(), "smallint", [0, 255]),
    (pa.uint16(), "integer", [0, 2**16 - 1]),
    (pa.uint32(), "bigint", [0, 2**32 - 1]),
    (pa.uint64(), "numeric(20,0)", [Decimal(0), Decimal(2**64 - 1)]),
    (pa.decimal128(20, 0), "numeric(20,0)", [Decimal("12345678901234567890"), Decimal("-1")]),
    (pa.decimal128(38, 20), "numeric(38,20)", [Decimal("0.00000000000000000001"), Decimal("-123456789012345678.5")]),
    (pa.decimal128(38, 0), "numeric(38,0)", [Decimal("9" * 38), Decimal("-" + "9" * 38)]),
    (pa.float64(), "double precision", DOUBLES),
    (pa.string(), "text", TEXTS),
    (pa.large_string(), "text", TEXTS),
    (pa.binary(), "bytea", BLOBS),
    (pa.large_binary(), "bytea", BLOBS),
    (pa.date32(), "date", [date(1000, 1, 1), date(9999, 12, 31), date(2024, 2, 29)]),
    (pa.timestamp("us"), "timestamp without time zone", [datetime(1000, 1, 1, 0, 0, 0, 1), at(1)]),
    (pa.timestamp("s"), "timestamp without time zone", [at(1)]),
    (pa.timestamp("ms"), "timestamp without time zone", [at(1).replace(microsecond=123_000)]),
    (pa.timestamp("ns"), "timestamp without time zone", [at(1).replace(microsecond=123_456)]),
]
DUCKDB_NAMES = {
    "double precision": "double",
    "text": "varchar",
    "bytea": "blob",
    "timestamp without time zone": "timestamp",
}


def column(kind: pa.DataType, values: list[Any]) -> pa.Table:
    """A table of keyed rows, one per value and one NULL."""
    numbers = range(len(values) + 1)
    schema = pa.schema([("id", pa.int64()), ("update_at", pa.timestamp("us")), ("value", kind)])
    return pa.table([list(numbers), [at(1)] * len(numbers), pa.array([*values, None], kind)], schema=schema)


def bits(value: Any) -> Any:
    """A float as its bits, so that -0.0 is not 0.0; anything else as it is."""
    return struct.pack(">d", value) if isinstance(value, float) else value


@pytest.mark.parametrize(("kind", "declared", "values"), CASES, ids=[str(kind) for kind, _, _ in CASES])
def test_values_and_nulls_arrive_exactly(bench: Bench, kind: pa.DataType, declared: str, values: list[Any]) -> None:
    if bench.kind == "redshift" and misread_by_redshift(kind):
        with pytest.raises(UnsupportedValue, match="column value has type"):
            bench.load(column(kind, values))
        return
    bench.load(column(kind, values))
    found = [value for (value,) in bench.query(f"SELECT value FROM {TARGET} ORDER BY id")]
    assert [bits(value) for value in found] == [bits(value) for value in [*values, None]]
    (found_type,) = bench.query(declared_type(bench))[0]
    duckdb_name = DUCKDB_NAMES.get(declared, declared).replace("numeric", "decimal")
    redshift_name = "character varying(65535)" if declared == "text" else declared
    expected = {"postgres": declared, "duckdb": duckdb_name, "redshift": redshift_name}[bench.kind]
    # The stand-in keeps binary in PostgreSQL's type; a real Redshift has its own.
    assert found_type.lower() in (expected, *(['stand_in."binary varying(16777216)"'] if expected == "bytea" else []))


def misread_by_redshift(kind: pa.DataType) -> bool:
    """Numbers without sign, and timestamps in other units than microseconds."""
    return pa.types.is_unsigned_integer(kind) or (pa.types.is_timestamp(kind) and kind.unit != "us")


def declared_type(bench: Bench) -> str:
    """The query for the type of the column `value`."""
    if bench.kind != "duckdb":
        attribute = f"attrelid = '{TARGET}'::regclass AND attname = 'value'"
        return f"SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE {attribute}"
    return f"SELECT data_type FROM duckdb_columns() WHERE table_name = '{TARGET}' AND column_name = 'value'"


OTHER_FORMS = {
    "dictionary of texts": (pa.array(["a", "é", "a", None]).dictionary_encode(), ["a", "é", "a", None]),
    "dictionary of long texts": (
        pa.array(["a", None], pa.large_string()).dictionary_encode(), ["a", None],
    ),
    "dictionary of numbers": (pa.array([7, None]).dictionary_encode(), [7, None]),
    "views of texts": (pa.array(["", "a longer one than fits into a view", None], pa.string_view()),
        ["", "a longer one than fits into a view", None]),
    "views of binary": (pa.array([b"", b"\0\xff", None], pa.binary_view()), [b"", b"\0\xff", None]),
    "long binary": (pa.array([b"\0\xff", None], pa.large_binary()), [b"\0\xff", None]),
    "binary of one length": (pa.array([b"\0\0\xff", None], pa.binary(3)), [b"\0\0\xff", None]),
    "half a single": (pa.array([0.5, -65504.0, None], pa.float16()), [0.5, -65504.0, None]),
    "short decimals": (pa.array([Decimal("1.50"), None], pa.decimal32(5, 2)), [Decimal("1.50"), None]),
    "wide decimals": (pa.array([Decimal("1.50"), None], pa.decimal256(38, 2)), [Decimal("1.50"), None]),
}  # fmt: skip
REFUSED_BY_REDSHIFT = {"binary of one length", "half a single", "no value at all"}


@pytest.mark.parametrize("form", OTHER_FORMS)
def test_exact_representations_of_other_writers_are_taken(bench: Bench, form: str) -> None:
    values, expected = OTHER_FORMS[form]
    numbers = range(len(values))
    table = pa.table({"id": list(numbers), "update_at": pa.array([at(1)] * len(numbers), pa.timestamp("us"))})
    table = table.append_column("value", values)
    if bench.kind == "redshift" and form in REFUSED_BY_REDSHIFT:
        with pytest.raises(UnsupportedValue, match="column value has type"):
            bench.load(table)
        return
    bench.load(table)
    assert [value for (value,) in bench.query(f"SELECT value FROM {TARGET} ORDER BY id")] == expected


def test_a_column_without_any_value_takes_the_type_of_the_targets_and_makes_none(bench: Bench) -> None:
    bench.load(column(pa.int64(), [1, 2]))
    nothing = pa.table({"id": [0, 3], "update_at": pa.array([at(2)] * 2, pa.timestamp("us")), "value": pa.nulls(2)})
    if bench.kind == "redshift":
        with pytest.raises(UnsupportedValue, match="column value has type null"):
            bench.load(nothing)
        return
    bench.load(nothing.append_column("other", pa.nulls(2)))
    assert bench.query(f"SELECT id, value FROM {TARGET} ORDER BY id") == [(0, None), (1, 2), (2, None), (3, None)]
    assert not bench.query(declared_type(bench).replace("'value'", "'other'"))


@pytest.mark.parametrize("kind", [pa.list_(pa.int64()), pa.duration("us"), pa.time64("us"), pa.decimal256(60, 2)])
def test_what_no_column_holds_exactly_is_refused_with_its_name(bench: Bench, kind: pa.DataType) -> None:
    with pytest.raises(UnsupportedValue, match="column value has type"):
        bench.load(column(kind, []))
    assert TARGET not in bench.tables()


def test_singles_keep_every_bit(bench: Bench) -> None:
    bench.load(column(pa.float32(), SINGLES))
    exact = "CAST(value AS double precision)"  # Redshift prints eight digits of a single, which are too few.
    found = [value for (value,) in bench.query(f"SELECT {exact} FROM {TARGET} WHERE value IS NOT NULL ORDER BY id")]
    assert [struct.pack(">f", value) for value in found] == [struct.pack(">f", value) for value in SINGLES]


def test_not_a_number_stays_one(bench: Bench) -> None:
    bench.load(column(pa.float64(), [math.nan]))
    assert math.isnan(bench.query(f"SELECT value FROM {TARGET} WHERE id = 0")[0][0])


@pytest.mark.parametrize("zone", ["UTC", "Asia/Shanghai", "-03:30"])
def test_instants_are_the_same_whatever_zone_the_file_names(bench: Bench, zone: str) -> None:
    bench.load(column(pa.timestamp("us", zone), [datetime(2025, 8, 9, 20, 1, 2, 345678)]))
    microseconds = f"SELECT CAST(extract(epoch FROM value) * 1000000 AS bigint) FROM {TARGET} WHERE id = 0"
    written = pa.scalar(datetime(2025, 8, 9, 20, 1, 2, 345678), pa.timestamp("us", zone))
    assert bench.query(microseconds) == [(written.value,)]


def test_nanoseconds_that_microseconds_cannot_hold_are_refused(bench: Bench) -> None:
    table = column(pa.timestamp("ns"), [at(1)]).set_column(2, "value", pa.array([1, 2], pa.timestamp("ns")))
    with pytest.raises(UnsupportedValue, match="column value"):
        bench.load(table)
    assert TARGET not in bench.tables()


def _decimals(precision: int, scale: int) -> list[Decimal]:
    """Numbers at the edges of a decimal type and of the groups of digits and words that it may be cut into."""
    edges = {
        0,
        1,
        9_999,
        10_000,
        10_001,
        2**31,
        2**32,
        2**32 - 1,
        2**63,
        2**64 - 1,
        2**64,
        2**96 + 5,
        10**precision - 1,
    }
    edges |= {10**power for power in range(precision)}
    exact = Context(prec=100)
    return [
        Decimal(sign * edge).scaleb(-scale, exact) for edge in sorted(edges) if edge < 10**precision for sign in (1, -1)
    ]


@pytest.mark.parametrize(
    ("precision", "scale"),
    [(1, 0), (1, 1), (4, 4), (5, 1), (9, 2), (18, 0), (18, 2), (18, 18), (19, 3), (38, 0), (38, 5), (38, 19), (38, 37)],
)
def test_decimals_arrive_with_every_digit(pg_bench: Bench, precision: int, scale: int) -> None:
    values = _decimals(precision, scale)
    for _ in range(2):  # Into a new target, then into staging for one that is there.
        pg_bench.load(column(pa.decimal128(precision, scale), values), load_id=uuid4().hex)
        found = [value for (value,) in pg_bench.query(f"SELECT value::text FROM {TARGET} ORDER BY id")]
        assert found == [*(f"{v or abs(v):f}" for v in values), None]


def test_whole_numbers_arrive_in_a_column_for_decimals(pg_bench: Bench) -> None:
    pg_bench.execute(f"CREATE TABLE {TARGET} (id bigint PRIMARY KEY, update_at timestamp, value numeric)")
    values = [0, 1, -1, 9_999, 10_000, -(2**63), 2**63 - 1]
    pg_bench.load(column(pa.int64(), values))
    assert [value for (value,) in pg_bench.query(f"SELECT value FROM {TARGET} ORDER BY id")] == [*values, None]


@pytest.mark.parametrize(
    ("kind", "value", "declared"),
    [
        (pa.int64(), 2**31, "integer"),
        (pa.int32(), -(2**15) - 1, "smallint"),
        (pa.decimal128(20, 0), Decimal(2**63), "bigint"),
        (pa.decimal128(9, 2), Decimal("1000.00"), "numeric(5,2)"),
    ],
)
def test_a_number_that_the_column_does_not_hold_is_refused_with_the_statement_that_widens_it(
    pg_bench: Bench, kind: pa.DataType, value: Any, declared: str
) -> None:
    pg_bench.execute(f"CREATE TABLE {TARGET} (id bigint PRIMARY KEY, update_at timestamp, value {declared})")
    with pytest.raises(LoadRefused, match="is narrower than its source") as refused:
        pg_bench.load(column(kind, [value]))
    assert f'ALTER COLUMN "value" TYPE {"bigint" if declared == "integer" else ""}' in refused.value.next_step
    assert pg_bench.target() == []


def test_days_before_the_year_1_are_refused(pg_bench: Bench) -> None:
    for kind, first in ((pa.date32(), -719_162), (pa.timestamp("us"), -719_162 * 86_400_000_000)):
        pg_bench.load(column(kind, [first]), primary_key=(), target=f"t_{kind.bit_width}")
        with pytest.raises(LoadRefused, match="before the year 1"):
            pg_bench.load(column(kind, [first - 1]), primary_key=(), target=f"t_{kind.bit_width}")
    assert pg_bench.query("SELECT value::text FROM t_32 WHERE value IS NOT NULL") == [("0001-01-01",)]
    assert pg_bench.query("SELECT value::text FROM t_64 WHERE value IS NOT NULL") == [("0001-01-01 00:00:00",)]


@pytest.mark.parametrize("declared", ["json", "jsonb"])
def test_json_arrives_as_such(pg_bench: Bench, declared: str) -> None:
    pg_bench.execute(f"CREATE TABLE {TARGET} (id bigint PRIMARY KEY, update_at timestamp, value {declared})")
    pg_bench.load(column(pa.string(), ['{"a": [1, "é"]}', "null"]), naming=Naming(as_types={"value": As.JSON}))
    found = pg_bench.query(f"SELECT value::text FROM {TARGET} ORDER BY id")
    assert found == [('{"a": [1, "é"]}',), ("null",), (None,)]

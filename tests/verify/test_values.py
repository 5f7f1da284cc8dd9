"""`verify` compares values: the same ones in two databases are equal, whatever drivers and types carry them."""

import math
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.stack import Stack, ago
from wmtui.events import Stop
from wmtui.verify import Verification
from wmtui.verify.row_encoding import decode, decode_key, encode

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
DOUBLES = [0.0, 0.1, 1 / 3, 5e-324, 1.7976931348623157e308, -2.2250738585072014e-308]
HEX = [f"X'{text.encode().hex()}'" for text in TEXTS]

MYSQL = {
    "TINYINT": ["-128", "127"],
    "TINYINT UNSIGNED": ["255"],
    "SMALLINT UNSIGNED": ["65535"],
    "MEDIUMINT": ["-8388608"],
    "INT UNSIGNED": ["4294967295"],
    "BIGINT": ["-9223372036854775808", "9007199254740993"],
    "BIGINT UNSIGNED": ["18446744073709551615"],
    "DECIMAL(38,10)": ["9" * 28 + "." + "9" * 10, "-0.0000000001", "1.50", "0"],
    "DECIMAL(38,0)": ["9" * 38],
    "FLOAT": ["0.1", "3.4028234663852886e38", "1e-45"],
    "DOUBLE": [f"'{value!r}'" for value in (*DOUBLES, -0.0)],
    "CHAR(5)": ["'ab'", "''"],
    "VARCHAR(50)": [f"CONVERT({text} USING utf8mb4)" for text in HEX],
    "LONGTEXT": [f"CONVERT({text} USING utf8mb4)" for text in HEX],
    "VARBINARY(300)": [f"X'{blob.hex()}'" for blob in BLOBS],
    "DATE": ["'0001-01-01'", "'9999-12-31'", "'1969-12-31'"],
    "DATETIME(6)": ["'0001-01-01'", "'9999-12-31 23:59:59.999999'", "'2025-08-09 20:00:01.5'"],
    "DATETIME": ["'2025-08-09 20:00:01'"],
    "TIMESTAMP(6) NULL": ["'1970-01-01 00:00:01'", "'2038-01-19 03:14:07.999999'"],
}
EMBEDDED = {
    "BOOLEAN": ["true", "false"],
    "UTINYINT": ["255"],
    "UINTEGER": ["4294967295"],
    "BIGINT": ["-9223372036854775808", "9007199254740993"],
    "UBIGINT": ["18446744073709551615"],
    "DECIMAL(38,10)": ["9" * 28 + "." + "9" * 10, "-0.0000000001", "1.50"],
    "FLOAT": ["0.1", "3.4028234663852886e38"],
    "DOUBLE": [*(f"'{value!r}'" for value in (*DOUBLES, -0.0)), "'inf'", "'-inf'", "'nan'"],
    "VARCHAR": ["'" + text.replace("'", "''") + "'" for text in TEXTS],
    "BLOB": [f"unhex('{blob.hex()}')" for blob in BLOBS],
    "DATE": ["'0001-01-01'", "'9999-12-31'"],
    "TIMESTAMP": ["'0001-01-01'", "'9999-12-31 23:59:59.999999'"],
    "TIMESTAMP_MS": ["'2025-08-09 20:00:01.123'"],
    "TIMESTAMPTZ": ["'1970-01-01 00:00:01+00'", "'2025-08-09 20:00:01.5+08'"],
}


def verified(stack: Stack) -> Verification:
    """Compare the table `typed`."""
    ((_, result),) = stack.service.verify(
        [stack.table("typed")], since=None, examples=10, emit=stack.events.append, stop=Stop()
    )
    assert isinstance(result, Verification), result
    return result


def test_every_type_and_value_arrives_equal_and_a_null_instead_differs(stack: Stack) -> None:
    types = EMBEDDED if stack.schema == "shop" else MYSQL
    columns = ", ".join(f"c{i} {kind}" for i, kind in enumerate(types))
    stack.source(f"CREATE TABLE {stack.schema}.typed (id INT PRIMARY KEY, update_at DATETIME NOT NULL, {columns})")
    at = f"'{ago(hours=1)}'"
    most = max(map(len, types.values()))
    rows = [
        [str(row), at, *(literals[row] if row < len(literals) else "NULL" for literals in types.values())]
        for row in range(most + 1)
    ]
    values = ", ".join("(" + ", ".join(row) + ")" for row in rows)
    stack.source(f"INSERT INTO {stack.schema}.typed VALUES {values}")
    stack.reload(typed={})
    stack.sync_one("typed")
    assert verified(stack).result == "right"
    for place in range(len(types)):
        stack.warehouse(f"UPDATE typed SET c{place} = NULL WHERE id = 0")
    (example,) = verified(stack).examples
    assert list(example.source or {}) == [f"c{place}" for place in range(len(types))]


SCHEMA = pa.schema(
    [
        ("int", pa.int64()),
        ("decimal", pa.decimal128(12, 3)),
        ("double", pa.float64()),
        ("text", pa.string()),
        ("binary", pa.binary()),
        ("day", pa.date32()),
        ("time", pa.timestamp("us")),
        ("instant", pa.timestamp("us", "UTC")),
    ]
)
ROWS = st.tuples(
    st.none() | st.integers(-(2**63), 2**63 - 1),
    st.none() | st.decimals(-999_999_999, 999_999_999, places=3),
    st.none() | st.floats(allow_nan=False),
    st.none() | st.text("N|?:1a é", max_size=6),
    st.none() | st.binary(max_size=4),
    st.none() | st.dates(),
    st.none() | st.datetimes(),
    st.none() | st.datetimes(timezones=st.just(UTC)),
)


def batch(row: tuple[Any, ...]) -> pa.RecordBatch:
    return pa.record_batch([pa.array([v], f.type) for v, f in zip(row, SCHEMA, strict=True)], schema=SCHEMA)


def encoded(row: tuple[Any, ...]) -> bytes:
    data: bytes = encode(batch(row), SCHEMA)[0].as_py()
    return data


def exact(row: tuple[Any, ...]) -> list[Any]:
    """A row's values, told apart as bits."""
    return [value.hex() if isinstance(value, float) else value for value in row]


@given(ROWS, ROWS)
def test_rows_are_encoded_alike_exactly_when_they_are_equal(one: tuple[Any, ...], other: tuple[Any, ...]) -> None:
    assert (encoded(one) == encoded(other)) == (exact(one) == exact(other))


@given(ROWS)
def test_an_encoded_row_can_be_read_again(row: tuple[Any, ...]) -> None:
    number, decimal, double, text, binary, day, time, instant = decode(encoded(row), SCHEMA)
    assert [number and int(number), decimal and Decimal(decimal), text] == [row[0] if number else None, row[1], row[3]]
    assert (double and float(double)) == row[2]
    assert (binary if binary is None else bytes.fromhex(binary)) == row[4]
    assert (day and date.fromisoformat(day)) == row[5]
    assert (time and datetime.fromisoformat(time)) == row[6]
    assert (instant and datetime.fromisoformat(instant).replace(tzinfo=UTC)) == row[7]


EQUAL = [
    (pa.int64(), pa.array(["5", "5.0000"]), [5, 5]),
    (pa.int64(), pa.array([Decimal("5.00")]), [5]),
    (pa.decimal128(20, 0), pa.array([2**64 - 1], pa.uint64()), [Decimal(2**64 - 1)]),
    (pa.decimal128(10, 2), pa.array(["1.5", "-0.010"]), [Decimal("1.50"), Decimal("-0.01")]),
    (pa.float64(), pa.array(["-0", "NaN", "Infinity"]), [-0.0, math.nan, math.inf]),
    (pa.date32(), pa.array([datetime(2025, 1, 2)], pa.timestamp("us")), [date(2025, 1, 2)]),
    (pa.timestamp("us"), pa.array(["2025-01-02 03:04:05.6"]), [datetime(2025, 1, 2, 3, 4, 5, 600_000)]),
]
UNLIKE = [
    (pa.int64(), pa.array(["1.5", "x", "NaN"])),
    (pa.int8(), pa.array([300])),
    (pa.decimal128(10, 2), pa.array(["0.001", "1e30", "NaN"])),
    (pa.date32(), pa.array([datetime(2025, 1, 2, 3)], pa.timestamp("us"))),
    (pa.timestamp("us"), pa.array(["infinity", "10000-01-01 00:00:00", "0044-03-15 00:00:00 BC"])),
]


def one_column(kind: pa.DataType, values: pa.Array) -> list[bytes]:
    rows: list[bytes] = encode(pa.record_batch([values], names=["c"]), pa.schema([("c", kind)])).to_pylist()
    return rows


@pytest.mark.parametrize(("kind", "held", "values"), EQUAL, ids=lambda value: str(value)[:20])
def test_a_value_is_the_same_in_whatever_type_a_warehouse_holds_it(
    kind: pa.DataType, held: pa.Array, values: list[Any]
) -> None:
    assert one_column(kind, held) == one_column(kind, pa.array(values, kind))


@pytest.mark.parametrize(("kind", "held"), UNLIKE, ids=lambda value: str(value)[:20])
def test_a_value_that_the_sources_type_cannot_hold_is_marked_and_shown_as_it_is(
    kind: pa.DataType, held: pa.Array
) -> None:
    schema = pa.schema([("c", kind)])
    for row, value in zip(one_column(kind, held), held, strict=True):
        assert row.startswith(b"?")
        assert decode(row, schema) == [str(value)]
        assert decode_key(row, schema) is None

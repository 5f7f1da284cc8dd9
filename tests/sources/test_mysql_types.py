"""MySQL values, one type at a time: what goes in comes out, to the last bit, or is refused by name."""

import random
import struct
from datetime import UTC, date, datetime
from decimal import Decimal

import mysql.connector
import pyarrow as pa
import pytest
from msgspec.structs import replace

from tests.sources.conftest import EVERYTHING, OneColumn, SourceCase, read_rows
from tests.sql import series
from wmtui.column_types import max_bytes
from wmtui.errors import ConfigError, UnsupportedValue
from wmtui.sources.keys import key_of
from wmtui.sources.mysql import connections, direct, packets


@pytest.fixture(params=["socket", "cursor"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways to rows, of which the second is for drivers that the first does not know."""
    if request.param == "cursor":
        monkeypatch.setattr(direct, "doubt", lambda: "to be read through the cursor")


INTEGERS = [
    ("TINYINT", -(2**7), 2**7 - 1, pa.int16()),
    ("TINYINT(1)", -(2**7), 2**7 - 1, pa.int16()),
    ("TINYINT UNSIGNED", 0, 2**8 - 1, pa.int16()),
    ("SMALLINT", -(2**15), 2**15 - 1, pa.int16()),
    ("SMALLINT UNSIGNED", 0, 2**16 - 1, pa.int32()),
    ("MEDIUMINT", -(2**23), 2**23 - 1, pa.int32()),
    ("MEDIUMINT UNSIGNED", 0, 2**24 - 1, pa.int32()),
    ("INT", -(2**31), 2**31 - 1, pa.int32()),
    ("INT UNSIGNED", 0, 2**32 - 1, pa.int64()),
    ("INT(8) ZEROFILL", 0, 2**32 - 1, pa.int64()),
    ("BIGINT", -(2**63), 2**63 - 1, pa.int64()),
    ("BIGINT UNSIGNED", 0, 2**64 - 1, pa.decimal128(20, 0)),
    ("BIGINT ZEROFILL", 0, 2**64 - 1, pa.decimal128(20, 0)),
]


@pytest.mark.parametrize(("column_type", "lowest", "highest", "arrow"), INTEGERS)
def test_integers_keep_their_ends(
    one_column: OneColumn, column_type: str, lowest: int, highest: int, arrow: pa.DataType
) -> None:
    assert one_column(column_type, str(lowest), "NULL", "0", str(highest)) == [lowest, None, 0, highest]
    assert one_column.arrow_type == arrow


def test_integers_above_two_to_the_53_are_not_rounded_beside_a_null(one_column: OneColumn) -> None:
    assert one_column("BIGINT", str(2**53 + 1), "NULL") == [2**53 + 1, None]


def test_decimals_keep_every_digit(one_column: OneColumn) -> None:
    high = "9" * 28 + "." + "9" * 10
    assert one_column("DECIMAL(38,10)", high, f"-{high}", "0.0000000001", "NULL") == [
        Decimal(high),
        Decimal(f"-{high}"),
        Decimal("0.0000000001"),
        None,
    ]
    assert one_column("DECIMAL(12,2) UNSIGNED ZEROFILL", "12.5", "0") == [Decimal("12.50"), Decimal("0.00")]
    assert one_column("DECIMAL(38,0)", "9" * 38) == [Decimal("9" * 38)]


def test_doubles_keep_their_last_bit(one_column: OneColumn) -> None:
    rng = random.Random(1)
    doubles = [struct.unpack("d", rng.randbytes(8))[0] for _ in range(500)]
    finite = [value for value in doubles if abs(value) < 1e308]
    edges = [0.0, 5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, 0.1, 1 / 3, 2**53 + 2.0]
    read = one_column("DOUBLE", *(f"'{value!r}'" for value in finite + edges))
    assert [struct.pack("d", value) for value in read] == [struct.pack("d", value) for value in finite + edges]


def test_doubles_with_fixed_decimals_are_read_as_they_are_stored(one_column: OneColumn) -> None:
    # The server rounds the fraction above the floor, and shows -0.01 for what it keeps.
    assert one_column("DOUBLE(30,2)", "1234567.891", "-0.014") == [1234567.89, -1 + 0.99]
    assert one_column("DOUBLE ZEROFILL", "1.5") == [1.5]


@pytest.mark.parametrize("column_type", ["FLOAT", "FLOAT(40,20)"])
def test_floats_become_the_double_of_exactly_their_value(one_column: OneColumn, column_type: str) -> None:
    rng = random.Random(2)
    floats = [struct.unpack("f", struct.pack("f", rng.uniform(-1000, 1000)))[0] for _ in range(200)]
    assert one_column(column_type, *map(repr, floats)) == floats


def test_the_largest_and_smallest_floats_survive(one_column: OneColumn) -> None:
    edges = [3.4028234663852886e38, -3.4028234663852886e38, 1.1754943508222875e-38, 1.401298464324817e-45]
    assert one_column("FLOAT", *map(repr, edges)) == edges


TEXTS = [
    "",
    " ",
    "NULL",
    "null",
    "None",
    "\\N",
    "\N{GRINNING FACE}",
    "a\tb\nc\r\n\x00d",
    "é",
    "'\"`\\",
    "0000-00-00",
    "\x1a",
]
TEXT_TYPES = ["VARCHAR(50)", "TINYTEXT", "TEXT", "MEDIUMTEXT", "LONGTEXT"]


@pytest.mark.parametrize("column_type", TEXT_TYPES)
def test_text_is_text_whatever_it_looks_like(one_column: OneColumn, column_type: str) -> None:
    literals = [f"CONVERT(X'{text.encode().hex()}' USING utf8mb4)" for text in TEXTS]
    assert one_column(column_type, *literals, "NULL") == [*TEXTS, None]


@pytest.mark.parametrize("charset", ["latin1", "gbk", "utf8mb3", "ucs2", "utf16"])
def test_text_of_any_character_set_is_converted(one_column: OneColumn, charset: str) -> None:
    text = "ü" if charset == "latin1" else "中"
    assert one_column(f"VARCHAR(20) CHARACTER SET {charset}", f"'{text}'") == [text]


def test_fixed_text_has_no_padding(one_column: OneColumn) -> None:
    assert one_column("CHAR(5)", "'ab'", "''") == ["ab", ""]


@pytest.mark.parametrize("column_type", ["VARBINARY(300)", "TINYBLOB", "BLOB", "MEDIUMBLOB", "LONGBLOB"])
def test_bytes_are_bytes(one_column: OneColumn, column_type: str) -> None:
    every = bytes(range(255))
    assert one_column(column_type, f"X'{every.hex()}'", "''", "NULL", "'NULL'") == [every, b"", None, b"NULL"]


def test_fixed_bytes_keep_their_padding(one_column: OneColumn) -> None:
    assert one_column("BINARY(4)", "X'00FF'") == [b"\x00\xff\x00\x00"]


def test_dates_keep_their_ends(one_column: OneColumn) -> None:
    assert one_column("DATE", "'0001-01-01'", "'9999-12-31'", "'1969-12-31'", "NULL") == [
        date(1, 1, 1),
        date(9999, 12, 31),
        date(1969, 12, 31),
        None,
    ]


@pytest.mark.parametrize("digits", range(7))
def test_times_keep_every_digit(one_column: OneColumn, digits: int) -> None:
    fraction = "123456"[:digits]
    text = f"2025-08-09 20:00:01{'.' + fraction if digits else ''}"
    assert one_column(f"DATETIME({digits})", f"'{text}'", "NULL") == [datetime.fromisoformat(text), None]
    utc = datetime.fromisoformat(text).replace(tzinfo=UTC)
    assert one_column(f"TIMESTAMP({digits}) NULL", f"'{text}'", "NULL") == [utc, None]


def test_times_keep_their_ends(one_column: OneColumn) -> None:
    assert one_column("DATETIME(6)", "'0001-01-01'", "'9999-12-31 23:59:59.999999'") == [
        datetime.min,
        datetime.max,
    ]
    assert one_column("TIMESTAMP(6)", "'1970-01-01 00:00:01'", "'2038-01-19 03:14:07.999999'") == [
        datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC),
        datetime(2038, 1, 19, 3, 14, 7, 999999, tzinfo=UTC),
    ]


def test_generated_invisible_and_oddly_named_columns_are_read(server_case: SourceCase, source_kind: str) -> None:
    server_case.run(
        [
            'CREATE TABLE `a``b%s` (id INT PRIMARY KEY, `u;"` DATETIME NOT NULL, `%s ``x` INT INVISIBLE DEFAULT 7,'
            " twice INT AS (id * 2), thrice INT AS (id * 3) STORED, doc JSON)",
            "INSERT INTO `a``b%s` (id, `u;\"`, doc) VALUES (1, '2025-01-01', '{\"a\": 1}')",
        ]
    )
    table = server_case.describe("a`b%s", cursor='u;"')
    assert table.schema.names == ["id", 'u;"', "%s `x", "twice", "thrice", "doc"]
    assert read_rows(server_case.source, table) == [(1, datetime(2025, 1, 1), 7, 2, 3, '{"a": 1}')]
    thrice = table.schema.field("thrice").metadata
    assert thrice[b"source_type"] == {"mariadb": b"int(11)", "mysql": b"int"}[source_kind]
    assert thrice[b"extra"].startswith(b"STORED GENERATED")


def test_bits_are_numbers_and_a_single_one_is_a_boolean(one_column: OneColumn) -> None:
    assert one_column("BIT(1)", "0", "1", "NULL") == [False, True, None]
    assert one_column("BIT(8)", "0", "255", "b'00110001'") == [0, 255, 49]
    assert one_column("BIT(63)", str(2**63 - 1)) == [2**63 - 1]
    assert one_column("BIT(64)", "0", str(2**64 - 1)) == [0, 2**64 - 1]


def test_times_of_day_and_spans_of_time_keep_sign_and_fraction_as_text(one_column: OneColumn) -> None:
    edges = ["-838:59:59.000000", "838:59:59.000000", "00:00:00.000000", "-00:00:00.000001", "23:59:59.999999"]
    assert one_column("TIME(6)", *(f"'{edge}'" for edge in edges), "NULL") == [*edges, None]
    assert one_column("TIME", "'-838:59:59'", "'25:00:00'") == ["-838:59:59", "25:00:00"]


def test_years_are_numbers(one_column: OneColumn) -> None:
    assert one_column("YEAR", "1901", "2155", "'0000'", "NULL") == [1901, 2155, 0, None]


def test_words_of_an_enum_or_set_are_text(one_column: OneColumn) -> None:
    assert one_column("ENUM('b','a','É😀')", "'a'", "'É😀'", "''", "NULL") == ["a", "É😀", "", None]
    assert one_column("SET('b','a')", "'a,b'", "''", "NULL") == ["b,a", "", None]


ONLY_IN_MARIADB = [
    ("UUID", "123e4567-e89b-12d3-a456-426655440000"),
    ("INET6", "2001:db8::ff00:42:8329"),
    ("INET4", "10.0.0.255"),
]


@pytest.mark.parametrize(("column_type", "value"), ONLY_IN_MARIADB)
def test_what_has_a_text_of_its_own_is_that_text(
    one_column: OneColumn, source_kind: str, column_type: str, value: str
) -> None:
    if source_kind == "mysql":
        with pytest.raises(mysql.connector.ProgrammingError):
            one_column(column_type, "NULL")
        return
    assert one_column(column_type, f"'{value}'", "NULL") == [value, None]


def test_a_document_is_the_text_that_the_server_keeps(one_column: OneColumn, source_kind: str) -> None:
    kept = {
        "mariadb": r'{"bb": [1.0,null, "\u00e9 😀"],"a":1e2}',
        "mysql": '{"a": 100.0, "bb": [1.0, null, "é 😀"]}',
    }
    written = kept["mariadb"].replace("\\", "\\\\")
    assert one_column("JSON", f"'{written}'", "NULL") == [kept[source_kind], None]


def test_decimals_wider_than_any_warehouse_s_are_their_digits_as_text(one_column: OneColumn) -> None:
    widest = "9" * 35 + "." + "9" * 30
    assert one_column("DECIMAL(65,30)", widest, f"-{widest}", "0", "NULL") == [
        widest,
        f"-{widest}",
        "0." + "0" * 30,
        None,
    ]
    assert one_column("DECIMAL(39,0)", "-" + "9" * 39) == ["-" + "9" * 39]


def test_decimals_of_more_decimals_than_mysql_has_are_their_digits_as_text(
    one_column: OneColumn, source_kind: str
) -> None:
    if source_kind == "mysql":
        with pytest.raises(mysql.connector.ProgrammingError, match="Maximum is 30"):
            one_column("DECIMAL(38,38)", "NULL")
        return
    assert one_column("DECIMAL(38,38)", "0." + "9" * 38) == ["0." + "9" * 38]


def test_wide_decimals_are_refused_where_the_rule_says_so(server_case: SourceCase) -> None:
    server_case.execute("CREATE TABLE t (id INT PRIMARY KEY, u DATETIME NOT NULL, odd DECIMAL(39,0))")
    with pytest.raises(UnsupportedValue, match=r"column odd of .* has type decimal\(39,0\)") as caught:
        server_case.describe("t", wide_decimals="error")
    assert "wide_decimals: text" in caught.value.next_step


@pytest.mark.parametrize("column_type", ["ENUM('b','a')", "SET('b','a')", "TIME", "DECIMAL(65,0)", "DOUBLE"])
def test_a_key_that_is_not_sorted_as_it_is_compared_is_refused(server_case: SourceCase, column_type: str) -> None:
    server_case.execute(f"CREATE TABLE t (id {column_type} PRIMARY KEY, u DATETIME NOT NULL)")
    with pytest.raises(ConfigError, match="key column id of"):
        server_case.describe("t")


@pytest.mark.parametrize("column_type", ["BIT(1)", "BIT(64)", "YEAR", "BIGINT UNSIGNED", "DECIMAL(38,2)", "CHAR(3)"])
def test_a_key_of_any_other_type_is_read_from_any_of_its_rows(server_case: SourceCase, column_type: str) -> None:
    server_case.execute(
        f"CREATE TABLE t (id {column_type} PRIMARY KEY, u DATETIME NOT NULL)",
        "INSERT INTO t VALUES (0, '2025-01-01'), (1, '2025-01-01')",
    )
    table = server_case.describe("t")
    ((first, _), (second, _)) = read_rows(server_case.source, table)
    (batch,) = server_case.source.read(table, EVERYTHING, 10)
    behind = replace(EVERYTHING, key_after=key_of(batch, 0, table))
    assert first != second
    assert [row[0] for row in read_rows(server_case.source, table, behind)] == [second]


SPATIAL = ["POINT", "GEOMETRY", "LINESTRING", "POLYGON", "MULTIPOINT", "GEOMETRYCOLLECTION"]


@pytest.mark.parametrize("column_type", SPATIAL)
def test_a_spatial_type_is_refused_by_name_and_can_be_excluded(
    server_case: SourceCase, source_kind: str, column_type: str
) -> None:
    server_case.run([f"CREATE TABLE t (id INT PRIMARY KEY, u DATETIME NOT NULL, odd {column_type})"])
    with pytest.raises(UnsupportedValue) as caught:
        server_case.describe("t")
    assert "column odd of" in caught.value.what
    shown = {"GEOMETRYCOLLECTION": "GEOMCOLLECTION"} if source_kind == "mysql" else {}
    assert shown.get(column_type, column_type).lower() in caught.value.what.lower()
    assert "exclude: [odd]" in caught.value.next_step
    assert server_case.describe("t", exclude=("odd",)).schema.names == ["id", "u"]


@pytest.mark.parametrize(
    ("column_type", "most"),
    [
        ("VARCHAR(100)", 400),
        ("VARCHAR(100) CHARACTER SET latin1", 400),
        ("CHAR(3)", 12),
        ("ENUM('a','bcd')", 12),
        ("TINYTEXT", 1020),
        ("VARBINARY(20)", 20),
        ("TIME(6)", 17),
    ],
)
def test_the_most_bytes_of_a_value_are_known(server_case: SourceCase, column_type: str, most: int) -> None:
    server_case.run([f"CREATE TABLE t (id INT PRIMARY KEY, u DATETIME NOT NULL, v {column_type})"])
    assert max_bytes(server_case.describe("t").schema.field("v")) == most


IMPOSSIBLE = [
    ("DATE", "0000-00-00"),
    ("DATE", "2025-00-00"),
    ("DATE", "2025-01-00"),
    ("DATE", "0000-05-05"),
    ("DATETIME", "0000-00-00 00:00:00"),
    ("DATETIME(3)", "2025-00-10 01:02:03.000"),
    ("TIMESTAMP NULL", "0000-00-00 00:00:00"),
]


@pytest.mark.parametrize(("column_type", "value"), IMPOSSIBLE)
def test_a_date_no_calendar_has_is_refused_with_its_row(server_case: SourceCase, column_type: str, value: str) -> None:
    server_case.execute(
        f"CREATE TABLE t (a INT, b VARCHAR(9), u DATETIME NOT NULL, v {column_type}, PRIMARY KEY (a, b))",
        f"INSERT INTO t VALUES (1, 'x', '2025-01-01', '2025-01-01'), (2, 'y', '2025-01-01', '{value}')",
    )
    table = server_case.describe("t", primary_key=["a", "b"])
    with pytest.raises(UnsupportedValue) as caught:
        read_rows(server_case.source, table)
    assert caught.value.what == f"column v of {table.table} holds {value} in the row a = 2, b = y"
    assert caught.value.next_step


@pytest.mark.parametrize(("column_type", "value"), IMPOSSIBLE)
def test_a_date_no_calendar_has_becomes_null_where_the_rule_says_so(
    server_case: SourceCase, column_type: str, value: str
) -> None:
    server_case.execute(
        f"CREATE TABLE t (id INT PRIMARY KEY, u DATETIME NOT NULL, v {column_type} NOT NULL)",
        f"INSERT INTO t VALUES (1, '2025-01-01', '2025-02-03'), (2, '2025-01-01', '{value}')",
    )
    table = server_case.describe("t", zero_dates=None)
    first, second = (row[2] for row in read_rows(server_case.source, table))
    assert first is not None
    assert second is None
    assert table.schema.field("v").nullable


def test_a_thirtieth_of_february_beside_zeros_becomes_null_too(server_case: SourceCase) -> None:
    server_case.run(["CREATE TABLE t (id INT PRIMARY KEY, u DATETIME NOT NULL, v DATE)"])
    server_case.run(["SET sql_mode = 'ALLOW_INVALID_DATES'", "INSERT INTO t VALUES (1, '2025-01-01', '2025-02-30')"])
    server_case.execute("INSERT INTO t VALUES (2, '2025-01-01', '0000-00-00'), (3, '2025-01-01', '2025-02-28')")
    table = server_case.describe("t", zero_dates=None)
    assert [row[2] for row in read_rows(server_case.source, table)] == [None, None, date(2025, 2, 28)]


@pytest.mark.parametrize("column", ["u", "d"])
def test_in_cursor_and_key_a_date_no_calendar_has_is_refused_whatever_the_rule(
    server_case: SourceCase, column: str
) -> None:
    values = {"u": "('2025-01-01', '0000-00-00')", "d": "('0000-00-00', '2025-01-01')"}[column]
    server_case.execute("CREATE TABLE t (d DATE PRIMARY KEY, u DATETIME NOT NULL)", f"INSERT INTO t VALUES {values}")
    table = server_case.describe("t", primary_key=["d"], zero_dates=None)
    with pytest.raises(UnsupportedValue, match=f"column {column} of .* holds 0000-00-00"):
        read_rows(server_case.source, table)


def test_text_that_is_not_in_its_character_set_is_refused(server_case: SourceCase) -> None:
    server_case.execute("CREATE TABLE t (id INT PRIMARY KEY, u DATETIME NOT NULL, v VARBINARY(9))")
    server_case.execute("INSERT INTO t VALUES (1, '2025-01-01', X'FF')")
    table = server_case.describe("t")
    as_text = table.schema.set(2, table.schema.field(2).with_type(pa.string()))
    with pytest.raises(UnsupportedValue, match=r"holds \\xff in the row id = 1"):
        read_rows(server_case.source, type(table)(table.table, as_text, ("id",), "u", 0, False))


def test_large_values_end_a_batch_early(server_case: SourceCase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packets, "BLOCK", 64 << 10)
    monkeypatch.setattr(connections, "_PIECE_BYTES", 64 << 10)
    monkeypatch.setattr(connections, "_FETCH_BYTES", 4 << 10)
    server_case.execute(
        "CREATE TABLE t (id INT PRIMARY KEY, u DATETIME NOT NULL, v LONGBLOB)",
        f"INSERT INTO t SELECT seq, '2025-01-01', REPEAT('x', 3000) FROM {series(100)}",
    )
    batches = list(server_case.source.read(server_case.describe("t"), EVERYTHING, 1000))
    assert sum(batch.num_rows for batch in batches) == 100
    assert max(batch.nbytes for batch in batches) < 80 << 10

"""Every MySQL type on its way into every warehouse: what is read there is what was written here, edge by edge."""

import math
import struct
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.servers import Database
from tests.servers.redshift import RedshiftStandIn
from tests.servers.s3 import S3Server
from tests.stack import Stack, ago, server_stack
from wmtui.column_types import SOURCE_TYPES
from wmtui.events import Stop
from wmtui.verify import Verification

TEXTS = [
    "",
    " ",
    "NULL",
    "null",
    "None",
    r"\N",
    r"\.",
    "a\tb\nc\r\nd",
    "'\"`\\",
    "é中😀𝔘",
    "\n\\.\n",
    "0000-00-00",
    "',;|",
]
LONG = "é" * 32_767 + "x"
"""65,535 bytes: what Redshift holds at most."""
BLOBS = [b"", b"\0", bytes(range(256)), b"NULL", b"\\x00", b'"\n,']
DOUBLES = [0.0, 0.1, 1 / 3, 5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, -(2**53) - 2.0]
FLOATS = [struct.unpack("f", struct.pack("f", value))[0] for value in (0.1, 3.4028234663852886e38, 1e-45, -1 / 3)]
WIDE = "9" * 35 + "." + "9" * 30


def text(value: str) -> str:
    return f"CONVERT(X'{value.encode().hex()}' USING utf8mb4)"


def texts(*values: str) -> list[tuple[str, Any]]:
    return [(text(value), value) for value in values]


def numbers(*values: Any) -> list[tuple[str, Any]]:
    return [(str(value), value) for value in values]


def quoted(*values: Any) -> list[tuple[str, Any]]:
    return [(f"'{value}'", value) for value in values]


Edges = dict[str, list[tuple[str, Any]]]

EDGES: Edges = {
    "BOOL": numbers(0, 1, -128, 127),
    "TINYINT": numbers(-128, 127),
    "TINYINT UNSIGNED": numbers(0, 255),
    "SMALLINT": numbers(-(2**15), 2**15 - 1),
    "SMALLINT UNSIGNED": numbers(0, 2**16 - 1),
    "MEDIUMINT": numbers(-(2**23), 2**23 - 1),
    "MEDIUMINT UNSIGNED": numbers(0, 2**24 - 1),
    "INT": numbers(-(2**31), 2**31 - 1),
    "INT UNSIGNED": numbers(0, 2**32 - 1),
    "INT(8) ZEROFILL": numbers(0, 2**32 - 1),
    "BIGINT": numbers(-(2**63), 2**63 - 1, 2**53 + 1),
    "BIGINT UNSIGNED": numbers(Decimal(0), Decimal(2**64 - 1)),
    "DECIMAL(10,2)": numbers(Decimal("-99999999.99"), Decimal("0.01")),
    "DECIMAL(38,0)": numbers(Decimal("9" * 38), Decimal("-" + "9" * 38)),
    "DECIMAL(38,30)": numbers(Decimal("9" * 8 + "." + "9" * 30), Decimal("-0." + "0" * 29 + "1")),
    "DECIMAL(65,30)": [(WIDE, WIDE), (f"-{WIDE}", f"-{WIDE}"), ("0", "0." + "0" * 30)],
    "FLOAT": [(repr(value), value) for value in FLOATS],
    "DOUBLE": [(f"'{value!r}'", value) for value in DOUBLES],
    "BIT(1)": [("0", False), ("1", True)],
    "BIT(63)": numbers(0, 2**63 - 1),
    "BIT(64)": numbers(Decimal(0), Decimal(2**64 - 1)),
    "DATE": [
        ("'0001-01-01'", date(1, 1, 1)),
        ("'9999-12-31'", date(9999, 12, 31)),
        ("'2024-02-29'", date(2024, 2, 29)),
    ],
    "DATETIME": [("'2025-08-09 20:00:01'", datetime(2025, 8, 9, 20, 0, 1))],
    "DATETIME(3)": [("'2025-08-09 20:00:01.123'", datetime(2025, 8, 9, 20, 0, 1, 123_000))],
    "DATETIME(6)": [("'0001-01-01'", datetime.min), ("'9999-12-31 23:59:59.999999'", datetime.max)],
    "TIMESTAMP(6) NULL": [
        ("'1970-01-01 00:00:01'", datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)),
        ("'2038-01-19 03:14:07.999999'", datetime(2038, 1, 19, 3, 14, 7, 999_999, tzinfo=UTC)),
    ],
    "TIME": quoted("-838:59:59", "838:59:59", "00:00:00"),
    "TIME(6)": quoted("-838:59:59.000000", "-00:00:00.000001", "23:59:59.999999"),
    "YEAR": [("1901", 1901), ("2155", 2155), ("'0000'", 0)],
    "CHAR(9)": texts("", "ab", "é中😀"),
    "VARCHAR(50)": texts(*TEXTS),
    "VARCHAR(20) CHARACTER SET latin1": [("'ü€'", "ü€"), ("''", "")],
    "VARCHAR(20) CHARACTER SET gbk": [("'中'", "中")],
    "VARCHAR(20) CHARACTER SET utf16": [("'中😀'", "中😀")],
    "TINYTEXT": texts(*TEXTS),
    "TEXT": texts(LONG),
    "MEDIUMTEXT": texts(LONG, ""),
    "LONGTEXT": texts(*TEXTS),
    "ENUM('b','a','é😀','')": quoted("a", "é😀", ""),
    "SET('b','a','é')": [("'a,b'", "b,a"), ("''", ""), ("'é'", "é")],
    "JSON": texts('{"a": [1, null, "\\u00e9 😀"]}', '"NULL"', "null"),
    "BINARY(4)": [("X'00FF'", b"\x00\xff\x00\x00")],
    "VARBINARY(300)": [(f"X'{blob.hex()}'", blob) for blob in BLOBS],
    "TINYBLOB": [("X'00'", b"\0")],
    "BLOB": [(f"X'{blob.hex()}'", blob) for blob in BLOBS],
    "MEDIUMBLOB": [("REPEAT(X'00FF', 40000)", b"\x00\xff" * 40_000)],
    "LONGBLOB": [("''", b"")],
    "INT AS (id * 2)": [],
    "VARCHAR(20) AS (CONCAT('row ', id)) STORED": [],
}
ONLY_IN_MARIADB: Edges = {
    "UUID": quoted("123e4567-e89b-12d3-a456-426655440000"),
    "INET4": quoted("10.0.0.255"),
    "INET6": quoted("2001:db8::ff00:42:8329"),
}
AS_MYSQL_KEEPS_IT: Edges = {
    "JSON": [(text('{"bb": [1.0,null, "\\u00e9 😀"],"a":1e2}'), '{"a": 100.0, "bb": [1.0, null, "é 😀"]}')],
}
"""Values that MySQL does not give back as they were written."""
GENERATED: dict[str, Callable[[int], Any]] = {
    "INT AS (id * 2)": lambda row: row * 2,
    "VARCHAR(20) AS (CONCAT('row ', id)) STORED": lambda row: f"row {row}",
}
SPATIAL = {"geometry", "point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon"}
SPATIAL |= {"geometrycollection", "geomcollection"}


@pytest.fixture(params=["postgres", "duckdb", "redshift"])
def stack(
    request: pytest.FixtureRequest, tmp_path: Path, source_db: Database, pg_db: Database, s3: S3Server
) -> Iterator[Stack]:
    """The source server → S3 → each warehouse."""
    if request.param == "postgres":
        yield server_stack(tmp_path, source_db, pg_db, s3)
    elif request.param == "redshift":
        with RedshiftStandIn(pg_db, s3).running() as redshift:
            yield server_stack(tmp_path, source_db, pg_db, s3, warehouse=redshift.config)
    else:
        path = tmp_path / "dw.duckdb"
        made = server_stack(tmp_path, source_db, pg_db, s3, warehouse={"type": "duckdb", "path": str(path)})

        def query(sql: str) -> list[tuple[Any, ...]]:
            with closing(duckdb.connect(path)) as connection:
                if not sql.startswith("SELECT"):
                    connection.execute(sql)
                    return []
                columns = connection.sql(sql).to_arrow_table().columns
                return list(zip(*(column.to_pylist() for column in columns), strict=True))

        made.warehouse = query
        yield made


@pytest.fixture
def edges(source_kind: str) -> Edges:
    """Edges of every type that the source server has."""
    return {**EDGES, **{"mariadb": ONLY_IN_MARIADB, "mysql": AS_MYSQL_KEEPS_IT}[source_kind]}


def columns(edges: Edges) -> dict[str, str]:
    """Names of the columns by type."""
    return {kind: f"c{place}" for place, kind in enumerate(edges)}


def rows(edges: Edges) -> list[dict[str, tuple[str, Any]]]:
    """What every row holds in each column, NULL where a type has no edge left."""
    most = max(map(len, edges.values())) + 1
    return [
        {
            kind: values[row] if row < len(values) else ("NULL", None)
            for kind, values in edges.items()
            if kind not in GENERATED
        }
        for row in range(most)
    ]


def create(stack: Stack, edges: Edges) -> None:
    """The table, and its rows."""
    declared = ", ".join(f"{name} {kind}" for kind, name in columns(edges).items())
    stack.source(f"CREATE TABLE {stack.schema}.orders (id INT PRIMARY KEY, update_at DATETIME NOT NULL, {declared})")
    at = ago(hours=1)
    for number, row in enumerate(rows(edges)):
        names = ", ".join(columns(edges)[kind] for kind in row)
        values = ", ".join(literal for literal, _ in row.values())
        stack.source(f"INSERT INTO {stack.schema}.orders (id, update_at, {names}) VALUES ({number}, '{at}', {values})")


def plain(value: Any) -> Any:
    """A value as the driver gives it, in one form: floats as bits, instants in UTC, times of a driver as they are."""
    if isinstance(value, float):
        return struct.pack(">d", value) if not math.isnan(value) else "nan"
    if isinstance(value, datetime) and value.tzinfo:
        return value.astimezone(UTC)
    return bytes(value) if isinstance(value, memoryview | bytearray) else value


def verified(stack: Stack) -> Verification:
    ((_, result),) = stack.service.verify(
        [stack.table()], since=None, examples=10, emit=stack.events.append, stop=Stop()
    )
    assert isinstance(result, Verification), result
    return result


def parts(stack: Stack) -> list[str]:
    return [info.key for info in stack.service.workspace.objects.list("") if info.key.endswith(".parquet")]


def test_every_edge_of_every_type_arrives_as_it_is(stack: Stack, edges: Edges) -> None:
    create(stack, edges)
    stack.sync_one()
    names = columns(edges)
    assert f"column {names['DECIMAL(65,30)']} (decimal(65,30)) is carried as text" in stack.log()
    wrong = []
    for kind, name in names.items():
        found = [plain(value) for (value,) in stack.warehouse(f"SELECT {name} FROM orders ORDER BY id")]
        if kind in GENERATED:
            expected = [GENERATED[kind](number) for number in range(len(rows(edges)))]
        else:
            expected = [plain(row[kind][1]) for row in rows(edges)]
        if found != expected:
            wrong.append((kind, found, expected))
    assert wrong == []
    assert verified(stack).result == "right"


def test_every_type_of_the_table_has_an_edge_here() -> None:
    here = {kind.split("(")[0].split(" ")[0].lower() for kind in (*EDGES, *ONLY_IN_MARIADB)} | {"tinyint"}
    described = {name for row in SOURCE_TYPES for name in row.names}
    assert described - here - SPATIAL == set()


def test_impossible_dates_stop_a_table_unless_the_rule_makes_them_null(stack: Stack, source_db: Database) -> None:
    stack.source(
        f"CREATE TABLE {stack.schema}.orders (id INT PRIMARY KEY, update_at DATETIME NOT NULL,"
        " d DATE NOT NULL, t DATETIME(6) NOT NULL)"
    )
    dates = [("0000-00-00", "0000-00-00"), ("2025-00-10", "2025-01-00 10:00:00"), ("2025-02-03", "2025-02-03 01:02:03")]
    values = ", ".join(f"({n}, '{ago(hours=1)}', '{d}', '{t}')" for n, (d, t) in enumerate(dates))
    source_db.execute("SET sql_mode = ''", f"INSERT INTO orders VALUES {values}")
    (refused,) = stack.sync()
    assert "holds 0000-00-00" in str(refused.error)
    assert "zero_dates: null" in str(refused.error)
    stack.reload(orders={"zero_dates": None})
    stack.sync_one()
    assert stack.warehouse("SELECT d, t FROM orders ORDER BY id") == [
        (None, None),
        (None, None),
        (date(2025, 2, 3), datetime(2025, 2, 3, 1, 2, 3)),
    ]
    assert verified(stack).result == "right"


def test_text_longer_than_the_warehouse_holds_stops_a_table_unless_the_rule_cuts_it(stack: Stack) -> None:
    stack.source(f"CREATE TABLE {stack.schema}.orders (id INT PRIMARY KEY, update_at DATETIME NOT NULL, v LONGTEXT)")
    stack.source(
        f"INSERT INTO {stack.schema}.orders VALUES (1, '{ago(hours=1)}', 'x'),"
        f" (2, '{ago(hours=1)}', CONCAT('ab', REPEAT('é', 40000)))"
    )
    whole = "ab" + "é" * 40_000
    is_redshift = stack.service.workspace.warehouse.limits.text_bytes is not None
    if is_redshift:
        (refused,) = stack.sync()
        assert "column v of" in str(refused.error)
        assert "80,002 bytes in the row id = 2" in str(refused.error)
        assert "too_long: truncate" in str(refused.error)
        assert parts(stack) == []
    stack.reload(orders={"too_long": "truncate"})
    stack.sync_one()
    expected = "ab" + "é" * 32_766 if is_redshift else whole
    assert stack.warehouse("SELECT v FROM orders ORDER BY id") == [("x",), (expected,)]
    assert verified(stack).result == "right"
    assert ("column v: 1 texts were cut" in stack.log()) == is_redshift


def test_text_with_a_nul_is_refused_before_it_is_written_where_the_warehouse_cannot_hold_it(stack: Stack) -> None:
    stack.source(f"CREATE TABLE {stack.schema}.orders (id INT PRIMARY KEY, update_at DATETIME NOT NULL, v TEXT)")
    stack.source(f"INSERT INTO {stack.schema}.orders VALUES (7, '{ago(hours=1)}', X'610062')")
    (result,) = stack.sync()
    if stack.service.workspace.warehouse.limits.nul:
        assert stack.warehouse("SELECT v FROM orders") == [("a\0b",)]
        return
    assert "NUL character in the row id = 7" in str(result.error)
    assert parts(stack) == []
    stack.source(f"UPDATE {stack.schema}.orders SET v = 'ab'")
    stack.sync_one()
    assert stack.warehouse("SELECT v FROM orders") == [("ab",)]


def test_a_year_of_schema_changes_ends_with_equal_rows(stack: Stack) -> None:
    table = f"{stack.schema}.orders"
    stack.source(
        f"CREATE TABLE {table} (id INT PRIMARY KEY, update_at DATETIME NOT NULL, v VARCHAR(10), old INT, n INT)"
    )
    stack.source(f"INSERT INTO {table} VALUES (1, '{ago(hours=5)}', 'a', 1, 1), (2, '{ago(hours=5)}', 'b', 2, 2)")
    stack.sync_one()

    stack.source(f"ALTER TABLE {table} ADD COLUMN fresh DECIMAL(10,2)")
    stack.sync_one()
    assert "fresh" not in stack.log(), "told with the first row that has it, not at every sync"
    stack.source(f"INSERT INTO {table} VALUES (3, '{ago(hours=4)}', 'c', 3, 3, 3.50)")
    stack.sync_one()
    assert "column fresh is new (decimal(10,2))" in stack.log()
    assert "orders has new columns, NULL in the rows it had: fresh" in stack.log()
    stack.source(f"ALTER TABLE {table} DROP COLUMN old, MODIFY v VARCHAR(300)")
    stack.source(f"INSERT INTO {table} VALUES (4, '{ago(hours=3)}', '{'d' * 300}', 4, NULL)")
    stack.sync_one()
    assert "column old is gone from the source" in stack.log()
    assert "column v is varchar(300) now, it was varchar(10)" in stack.log()

    assert stack.warehouse("SELECT id, v, old, n, fresh FROM orders ORDER BY id") == [
        (1, "a", 1, 1, None),
        (2, "b", 2, 2, None),
        (3, "c", 3, 3, Decimal("3.50")),
        (4, "d" * 300, None, 4, None),
    ]
    assert verified(stack).result == "right"


def test_a_widened_number_loads_while_it_fits_and_then_names_the_statement(stack: Stack) -> None:
    table = f"{stack.schema}.orders"
    stack.source(f"CREATE TABLE {table} (id INT PRIMARY KEY, update_at DATETIME NOT NULL, n INT)")
    stack.source(f"INSERT INTO {table} VALUES (1, '{ago(hours=5)}', 1)")
    stack.sync_one()
    stack.source(f"ALTER TABLE {table} MODIFY n BIGINT")
    stack.source(f"INSERT INTO {table} VALUES (2, '{ago(hours=4)}', 2)")
    stack.sync_one()
    stack.source(f"INSERT INTO {table} VALUES (3, '{ago(hours=3)}', {2**40})")
    (refused,) = stack.sync()
    assert "narrower than its source" in str(refused.error)
    advice = str(refused.error).partition("nothing was loaded; run ")[2]
    for statement in advice.split("; "):
        stack.warehouse(statement)
    stack.sync_one()
    assert stack.warehouse("SELECT n FROM orders ORDER BY id") == [(1,), (2,), (2**40,)]
    assert verified(stack).result == "right"


def test_excluded_columns_never_leave_the_source_and_renamed_ones_have_their_name(stack: Stack) -> None:
    table = f"{stack.schema}.orders"
    stack.source(
        f"CREATE TABLE {table} (id INT PRIMARY KEY, update_at DATETIME NOT NULL, v INT,"
        " secret VARCHAR(20), place POINT)"
    )
    stack.source(f"INSERT INTO {table} VALUES (1, '{ago(hours=5)}', 1, 'hunter2', POINT(1, 2))")
    stack.warehouse("CREATE SCHEMA mart")
    stack.reload(
        orders={
            "exclude": ["secret", "place"],
            "rename": {"v": "amount", "id": "number"},
            "schema": "mart",
            "target": "sold",
        }
    )
    stack.sync_one()
    stack.source(f"UPDATE {table} SET v = 2, update_at = '{ago(hours=4)}'")
    stack.sync_one()
    assert stack.warehouse("SELECT number, amount FROM mart.sold") == [(1, 2)]
    assert len(stack.warehouse("SELECT * FROM mart.sold")[0]) == 3
    assert not any(b"hunter2" in stack.service.workspace.objects.get(key).data for key in stack.keys(""))
    assert verified(stack).result == "right"

"""Rows taken from the driver's socket: the same as through its cursor, and never fewer without an error."""

import random
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import mysql.connector
import mysql.connector.errors
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.servers import Database
from tests.servers.sources import SourceServer
from tests.sources.conftest import EVERYTHING, ZONE, Apart, SourceCase, mysql_config
from tests.sql import series
from wmtui.config import MySQLConfig
from wmtui.errors import SourceError
from wmtui.sources import SourceTable
from wmtui.sources.mysql import connections, digits, direct, login
from wmtui.sources.mysql.cells import Cells, split
from wmtui.sources.mysql.packets import RowBlocks
from wmtui.sources.mysql.rows import record_batches
from wmtui.sources.mysql.session import Session
from wmtui.sources.mysql.source import MySQLSource

KNOWN_DRIVER = "9.7.0"
EOF = b"\xfe\x03\x00\x02\x00"
OK_AS_EOF = b"\xfe\x00\x00\x02\x00\x03\x00"
DEADLOCK = b"\xff" + struct.pack("<H", 1213) + b"#40001Deadlock found"


def test_the_installed_driver_is_the_one_that_the_direct_way_was_tried_with() -> None:
    assert mysql.connector.__version__ == KNOWN_DRIVER, "read what changed in its network layer, then say so here"
    assert direct.doubt() == ""


def test_rows_are_taken_from_the_socket_of_every_server(source_db: Database) -> None:
    with Session(mysql_config(source_db)) as session:
        assert session.careful == ""


@pytest.mark.parametrize("tls", ["verify", "require"])
def test_rows_are_taken_from_an_encrypted_socket_too(tls_server: tuple[SourceServer, Path], tls: str) -> None:
    server, authority = tls_server
    with server.new_database() as database:
        fill(database, 3_000)
        config = replace(mysql_config(database), tls=tls, ca=str(authority) if tls == "verify" else None)
        assert both_ways(config, database).num_rows == 3_000


@pytest.mark.parametrize("seed", range(4))
def test_both_ways_read_the_same_values_of_every_type(source_db: Database, source_kind: str, seed: int) -> None:
    columns = {**COLUMNS, **(ONLY_IN_MARIADB if source_kind == "mariadb" else {})}
    rng = random.Random(seed)
    source_db.execute(
        "SET time_zone = '+00:00', sql_mode = 'ALLOW_INVALID_DATES'",
        f"CREATE TABLE t (id INT PRIMARY KEY, u DATETIME(6) NOT NULL, {definitions(columns)})",
        *(f"INSERT INTO t VALUES {rows(rng, columns, first)}" for first in range(0, 600, 200)),
    )
    assert both_ways(mysql_config(source_db), source_db).num_rows == 600


def test_both_ways_read_rows_longer_than_a_block_and_than_a_packet(source_db: Database) -> None:
    lengths = [0, 250, 251, 65_535, 65_536, (1 << 21) - 7, 1 << 21, (1 << 24) - 1, 1 << 24, 20 << 20, 5]
    source_db.execute("CREATE TABLE t (id INT PRIMARY KEY, u DATETIME NOT NULL, v LONGBLOB)")
    for number, length in enumerate(lengths):
        source_db.execute(f"INSERT INTO t VALUES ({number}, '2025-01-01', REPEAT(CHAR({65 + number}), {length // 2}))")
        source_db.execute(f"UPDATE t SET v = CONCAT(v, v, '{'x' * (length % 2)}') WHERE id = {number}")
    read = both_ways(mysql_config(source_db), source_db)
    assert [len(value) for value in read["v"].to_pylist()] == lengths


def test_a_driver_without_what_is_needed_is_read_through_its_cursor_and_the_reason_told(
    source_db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(source_db, 10)
    monkeypatch.setitem(direct._INSIDES, direct.MySQLConnection, ("no_such_name",))
    with Session(mysql_config(source_db)) as session:
        assert session.careful == f"mysql-connector-python {mysql.connector.__version__} is not as wmtui knows it"
    assert read(mysql_config(source_db), source_db).num_rows == 10


def test_without_either_way_nothing_is_read(source_db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(direct, "doubt", lambda: "another driver")
    monkeypatch.setattr(login, "HAS_C_EXTENSION", False)
    with pytest.raises(SourceError, match="cannot read from MySQL with the driver that is installed"):
        Session(mysql_config(source_db))


def test_a_session_is_of_use_after_its_rows_were_read(source_db: Database) -> None:
    fill(source_db, 5_000)
    source = MySQLSource(mysql_config(source_db), ZONE)
    with source.connect() as connection:
        table = described(source_db)
        for _ in range(2):
            with closing(connection.read(table, EVERYTHING, 1_000)) as batches:
                assert sum(batch.num_rows for batch in batches) == 5_000
            assert connection.clock(table)


def test_a_query_that_is_ended_from_outside_is_an_error_and_not_the_end_of_rows(source_db: Database) -> None:
    fill(source_db, 60_000)
    with Session(mysql_config(source_db)) as session:
        (me,) = session.query("SELECT CONNECTION_ID() AS me")
        stream = session.stream(f"SELECT * FROM {source_db.name}.t", {})
        pieces = stream.__enter__().pieces(100)
        next(pieces)
        source_db.execute(f"KILL QUERY {me['me']}")
        with pytest.raises(mysql.connector.errors.Error):
            list(pieces)


def both_ways(config: MySQLConfig, database: Database) -> pa.Table:
    """The table's rows, read directly; they are the same through the cursor."""
    taken = read(config, database)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(direct, "doubt", lambda: "for comparison")
        with Session(config) as session:
            assert session.careful == "for comparison"
        fetched = read(config, database)
    assert taken.schema.equals(fetched.schema, check_metadata=True)
    for name in taken.column_names:
        assert taken[name].combine_chunks().equals(fetched[name].combine_chunks()), name
    return taken


def read(config: MySQLConfig, database: Database) -> pa.Table:
    source = Apart(MySQLSource(config, ZONE))
    table = described(database)
    batches = list(source.read(table, EVERYTHING, 700))
    for batch in batches:
        batch.validate(full=True)
    return pa.Table.from_batches(batches, table.schema)


def described(database: Database) -> SourceTable:
    source = Apart(MySQLSource(mysql_config(database), ZONE))
    described: SourceTable = SourceCase(source, database.name, {}, lambda _: None).describe("t", zero_dates=None)
    return described


def fill(database: Database, rows: int) -> None:
    """Rows of some hundred bytes, many more than a socket holds."""
    database.execute(
        "CREATE TABLE t (id INT PRIMARY KEY, u DATETIME NOT NULL, v VARCHAR(500))",
        f"INSERT INTO t SELECT seq, '2025-01-01', REPEAT('x', 500) FROM {series(rows)}",
    )


COLUMNS: dict[str, Sequence[str]] = {
    "TINYINT": ["-128", "127", "0", "9", "10"],
    "SMALLINT UNSIGNED": ["0", "65535"],
    "MEDIUMINT": ["-8388608", "8388607"],
    "INT": ["-2147483648", "2147483647", "-1"],
    "INT(8) ZEROFILL": ["0", "4294967295", "12345678", "123456789"],
    "BIGINT": [str(-(2**63)), str(2**63 - 1), str(10**17), str(10**18 - 1), str(10**18), str(-(10**18))],
    "BIGINT UNSIGNED": ["0", str(2**64 - 1), str(2**63)],
    "DECIMAL(10,2)": ["-99999999.99", "99999999.99", "0", "-0.01", "0.5"],
    "DECIMAL(18,9)": ["999999999.999999999", "-999999999.999999999", "0.000000001"],
    "DECIMAL(19,2)": ["99999999999999999.99", "-99999999999999999.99", "1.1"],
    "DECIMAL(38,10)": ["9" * 28 + "." + "9" * 10, "-0.0000000001", "1"],
    "DECIMAL(5,0)": ["-99999", "0", "7"],
    "DECIMAL(65,30)": ["9" * 35 + "." + "9" * 30, "-1"],
    "DOUBLE": ["1.7976931348623157e308", "5e-324", "-0.1", "0", "1e15", "123456.789"],
    "FLOAT": ["3.4028234663852886e38", "1.401298464324817e-45", "-0.1"],
    "VARCHAR(300) CHARACTER SET utf8mb4": ["''", "'é😀'", "'NULL'", "REPEAT('ü', 126)", "REPEAT('x', 250)", "'a\\0b'"],
    "VARCHAR(300) CHARACTER SET latin1": ["''", "'ü'", "REPEAT('z', 251)"],
    "CHAR(5)": ["'ab'", "''", "'abcde'"],
    "VARBINARY(300)": ["''", "X'00FFFBFCFDFE'", "REPEAT(CHAR(251), 255)"],
    "BLOB": ["''", "REPEAT(CHAR(254), 300)", "REPEAT('q', 60000)"],
    "DATE": ["'0001-01-01'", "'9999-12-31'", "'1969-12-31'", "'2024-02-29'", "'2025-02-30'", "'0000-00-00'"],
    "DATETIME": ["'0001-01-01'", "'9999-12-31 23:59:59'", "'2025-06-30 12:00:01'", "'2025-02-30 01:00:00'"],
    "DATETIME(1)": ["'1969-12-31 23:59:59.9'", "'2025-06-30 12:00:01'", "'0000-00-00'"],
    "DATETIME(3)": ["'1969-12-31 23:59:59.999'", "'2025-06-30 12:00:01'"],
    "DATETIME(6)": ["'0001-01-01 00:00:00.000001'", "'9999-12-31 23:59:59.999999'", "'1900-02-28'"],
    "TIMESTAMP NULL": ["'1970-01-01 00:00:01'", "'2038-01-19 03:14:07'"],
    "TIMESTAMP(6) NULL": ["'1970-01-01 00:00:01.000001'", "'2038-01-19 03:14:07.999999'"],
    "TIME(6)": ["'-838:59:59'", "'838:59:59'", "'00:00:00.000001'"],
    "YEAR": ["1901", "2155", "'0000'"],
    "BIT(1)": ["0", "1"],
    "BIT(64)": ["0", str(2**64 - 1), str(2**63)],
    "ENUM('b','a','É😀')": ["'a'", "'É😀'", "''"],
    "SET('b','a')": ["'a,b'", "''"],
    "JSON": ["'{}'", "'[1, null]'", "'\"é\"'"],
}
ONLY_IN_MARIADB: dict[str, Sequence[str]] = {
    "UUID": ["'123e4567-e89b-12d3-a456-426655440000'"],
    "INET6": ["'2001:db8::ff00:42:8329'"],
}


def definitions(columns: dict[str, Sequence[str]]) -> str:
    return ", ".join(f"c{number} {kind}" for number, kind in enumerate(columns))


def rows(rng: random.Random, columns: dict[str, Sequence[str]], first: int) -> str:
    """200 rows of edges; now and then a whole stretch is NULL, or has none."""
    share = rng.choice([0.0, 0.1, 0.9, 1.0])
    lines = []
    for number in range(first, first + 200):
        values = ("NULL" if rng.random() < share else rng.choice(edges) for edges in columns.values())
        lines.append(f"({number}, '2025-01-01 00:00:00.{rng.randrange(10**6):06}', {', '.join(values)})")
    return ", ".join(lines)


def packets_of(payloads: Sequence[bytes], longest: int = 0xFFFFFF) -> bytes:
    """Payloads as the server sends them, numbered from where column definitions end."""
    sent, number = b"", 7
    for payload in payloads:
        at = 0
        while True:
            piece = payload[at : at + longest]
            sent += struct.pack("<I", len(piece))[:3] + bytes([number % 256]) + piece
            number, at = number + 1, at + longest
            if len(piece) < longest:
                break
    return sent


def row_of(values: Sequence[bytes | None]) -> bytes:
    return b"".join(_cell(value) for value in values)


def _cell(value: bytes | None) -> bytes:
    if value is None:
        return b"\xfb"
    if len(value) < 251:
        return bytes([len(value)]) + value
    return b"\xfc" + struct.pack("<H", len(value)) + value


def receiving(sent: bytes, sizes: Iterator[int]) -> Callable[[memoryview], int]:
    """A socket that hands out so many bytes at each call, and nothing once all are handed out."""
    at = 0

    def receive(view: memoryview) -> int:
        nonlocal at
        piece = sent[at : at + min(len(view), next(sizes))]
        view[: len(piece)] = piece
        at += len(piece)
        return len(piece)

    return receive


def values_read(blocks: RowBlocks, columns: int) -> list[list[bytes | None]]:
    found: list[list[bytes | None]] = []
    for block in blocks:
        lists = [cells.binary().to_pylist() for cells in split(block, columns)]
        found += [list(row) for row in zip(*lists, strict=True)]
    return found


ROWS = st.lists(st.lists(st.none() | st.binary(max_size=600), min_size=2, max_size=2), max_size=40)
SIZES = st.integers(0, 2**32).map(random.Random)


@given(ROWS, SIZES, st.sampled_from([64, 256, 1024, 1 << 16]), st.sampled_from([EOF, OK_AS_EOF]))
def test_rows_are_the_same_however_they_arrive(
    rows: list[list[bytes | None]], rng: random.Random, block: int, end: bytes
) -> None:
    sent = packets_of([*map(row_of, rows), end])
    blocks = RowBlocks(receiving(sent, iter(lambda: rng.choice([1, 2, 3, 5, 100, 5000]), 0)), block)
    assert values_read(blocks, 2) == rows
    assert blocks.done
    assert (blocks.warnings, blocks.status) == (3, 2)


@given(ROWS, SIZES, st.data())
def test_a_connection_that_ends_before_the_last_packet_is_never_the_end_of_rows(
    rows: list[list[bytes | None]], rng: random.Random, data: st.DataObject
) -> None:
    sent = packets_of([*map(row_of, rows), EOF])
    cut = sent[: data.draw(st.integers(0, len(sent) - 1))]
    blocks = RowBlocks(receiving(cut, iter(lambda: rng.choice([1, 7, 900]), 0)), 256)
    with pytest.raises(mysql.connector.errors.InterfaceError):
        values_read(blocks, 2)
    assert not blocks.done


def test_an_error_among_the_rows_is_the_server_s() -> None:
    sent = packets_of([row_of([b"1"]), row_of([b"2"]), DEADLOCK])
    with pytest.raises(mysql.connector.errors.DatabaseError, match="Deadlock found"):
        values_read(RowBlocks(receiving(sent, iter(lambda: 9, 0)), 256), 1)


def test_a_packet_that_is_missing_is_found_out() -> None:
    packets = [packets_of([row_of([b"%d" % number])]) for number in range(2)]
    with pytest.raises(mysql.connector.errors.InterfaceError, match="not in order"):
        values_read(RowBlocks(receiving(b"".join(packets) + packets_of([EOF]), iter(lambda: 900, 0)), 256), 1)


@pytest.mark.parametrize("columns", [1, 3])
def test_a_row_of_more_or_fewer_values_is_refused(columns: int) -> None:
    sent = packets_of([row_of([b"1", b"2"]), EOF])
    with pytest.raises((mysql.connector.errors.InterfaceError, IndexError)):
        values_read(RowBlocks(receiving(sent, iter(lambda: 900, 0)), 256), columns)


TYPES = [
    pa.int16(),
    pa.int32(),
    pa.int64(),
    pa.decimal128(20, 0),
    pa.decimal128(4, 2),
    pa.decimal128(18, 6),
    pa.decimal128(38, 10),
    pa.date32(),
    pa.timestamp("us"),
    pa.timestamp("us", "UTC"),
]
PRINTED = st.one_of(
    st.integers(-(2**64), 2**64).map(str),
    st.integers(-40_000, 40_000).map(str),
    st.decimals(-(10**12), 10**12, places=2).map(str),
    st.decimals(-(10**4), 10**4, places=6).map("{:f}".format),
    st.dates().map(str),
    st.datetimes().map(lambda when: when.isoformat(" ", "microseconds")),
    st.datetimes().map(lambda when: when.isoformat(" ", "seconds")),
    st.from_regex(r"\A\d{4}-\d\d-\d\d( \d\d:\d\d:\d\d(\.\d{1,6})?)?\Z"),
    st.text(st.sampled_from("0123456789-.: eT/"), max_size=26),
)


@given(st.lists(st.none() | PRINTED.map(str.encode), min_size=1, max_size=6), st.sampled_from(TYPES))
@example([b"-0", None], pa.int64())
@example([b"1.5", b"150"], pa.decimal128(4, 2))
@example([b"-0.01", b"99.99"], pa.decimal128(4, 2))
@example([b"100.00"], pa.decimal128(4, 2))
@example([b"2025-02-29"], pa.date32())
@example([b"0000-01-01"], pa.date32())
@example([b"2025-01-01 24:00:00", b"2025-01-01 00:00:60"], pa.timestamp("us"))
@example([b"9223372036854775808"], pa.int64())
@example([b""], pa.int64())
def test_what_is_read_from_its_digits_is_what_a_cast_of_each_value_gives(
    values: list[bytes | None], to: pa.DataType
) -> None:
    (cells,) = _columns_of([values])
    parsed = digits.parsed(cells, to)
    if parsed is not None:
        parsed.validate(full=True)
        table = SourceTable(None, pa.schema([pa.field("v", to, metadata={"source_type": "x"})]), (), "v", 0, False)
        (batch,) = record_batches(Fetched([values]), table, 10)
        assert parsed.equals(batch.column(0))


@given(st.lists(st.none() | st.text(max_size=300).map(str.encode) | st.binary(max_size=300), min_size=1, max_size=6))
def test_text_is_read_only_where_all_of_it_is_utf_8(values: list[bytes | None]) -> None:
    (cells,) = _columns_of([values])
    text = cells.text()
    assert cells.binary().to_pylist() == values
    if text is None:
        assert not all(_is_utf_8(value) for value in values if value is not None)
    else:
        text.validate(full=True)
        assert text.to_pylist() == [value if value is None else value.decode() for value in values]


def _is_utf_8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _columns_of(columns: Sequence[Sequence[bytes | None]]) -> list[Cells]:
    """Columns as they stand in one block."""
    payloads = [row_of(row) for row in zip(*columns, strict=True)]
    return split(next(iter(RowBlocks(receiving(packets_of([*payloads, EOF]), iter(lambda: 1 << 16, 0))))), len(columns))


class Fetched:
    """The same columns as the driver's cursor fetches them."""

    def __init__(self, columns: Sequence[Sequence[bytes | None]]) -> None:
        self._columns = [connections._Fetched(pa.array(column, pa.binary())) for column in columns]

    def pieces(self, _most: int) -> Iterator[Sequence[connections.Column]]:
        yield self._columns

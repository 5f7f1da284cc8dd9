"""Every form of a span against a model in Python, on every source."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import product
from typing import Any

import pytest
from msgspec.structs import replace

from tests.sources.conftest import EVERYTHING, FAR, ZONE, SourceCase, read_rows
from wmtui.model import Key, Order, Position, Span
from wmtui.sources import SourceTable
from wmtui.sources.cursor import wall_clock
from wmtui.sources.keys import key_of
from wmtui.sources.mysql import span_size

START = datetime(2025, 8, 1, 12)
Native = tuple[Any, ...]


@dataclass(frozen=True)
class Shape:
    """A key's columns in SQL, and a key for a number; keys of ascending numbers ascend."""

    columns: str
    names: tuple[str, ...]
    key: Callable[[int], Native]


SHAPES = {
    "integer": Shape("id BIGINT", ("id",), lambda n: (2**53 + 1 + n,)),
    "unsigned": Shape("id DECIMAL(20,0)", ("id",), lambda n: (Decimal(2**64 - 1000 + n),)),
    "composite": Shape("a INTEGER, b VARCHAR(20)", ("a", "b"), lambda n: (n // 10, f"k'{n % 10}")),
    "three columns": Shape(
        "a INTEGER, b DATE, c INTEGER", ("a", "b", "c"), lambda n: (n // 16, date(2025, 1, 1 + n // 4 % 4), n % 4)
    ),
    "text": Shape("id VARCHAR(20)", ("id",), lambda n: (f"é\\{n:04d}",)),
    "decimal": Shape(
        "id DECIMAL(30,4)", ("id",), lambda n: (Decimal("90071992547409930000.0001") + Decimal(n) / 10000,)
    ),
    "binary": Shape("id {binary}", ("id",), lambda n: (b"\xff\x00'" + bytes([n]),)),
    "time": Shape("id {datetime}", ("id",), lambda n: (START + timedelta(microseconds=n),)),
    "utc time": Shape("id {instant}", ("id",), lambda n: (START.replace(tzinfo=UTC) + timedelta(microseconds=n),)),
}


def literal(value: object) -> str:
    match value:
        case bytes():
            return f"UNHEX('{value.hex()}')"
        case datetime():
            return f"'{value.replace(tzinfo=None)}'"
        case int() | Decimal():
            return str(value)
        case None:
            return "NULL"
    return "'" + str(value).replace("'", "''") + "'"


@dataclass(frozen=True)
class Row:
    cursor: datetime | None
    native: Native
    key: Key


def stored(case: SourceCase, shape: Shape, cursor: str, seed: int) -> tuple[SourceTable, list[Row]]:
    """A table of 120 rows, about three to a second, some with a NULL cursor; and the same rows as the model."""
    rng = random.Random(seed)
    in_utc = cursor == "{timestamp}"
    rows = [
        (shape.key(n), START + timedelta(seconds=rng.randrange(40)) if rng.random() > 0.1 else None) for n in range(120)
    ]
    rng.shuffle(rows)
    values = ", ".join(f"({', '.join(map(literal, key))}, {literal(at)})" for key, at in rows)
    case.execute(
        f"CREATE TABLE t ({shape.columns}, u {cursor}, PRIMARY KEY ({', '.join(shape.names)}))",
        "CREATE INDEX by_u ON t (u)",
    )
    case.run([f"INSERT INTO t VALUES {values}"])
    table = case.describe("t", primary_key=shape.names)
    keys = dict(zip(sorted(key for key, _ in rows), all_keys(case, table), strict=True))
    wall = (lambda at: at.replace(tzinfo=UTC).astimezone(ZONE).replace(tzinfo=None)) if in_utc else (lambda at: at)
    return table, [Row(at and wall(at), key, keys[key]) for key, at in rows]


def all_keys(case: SourceCase, table: SourceTable) -> list[Key]:
    """The keys of every row in key order, NULL cursors filled for the reading."""
    case.execute("CREATE TABLE filled AS SELECT * FROM t", "UPDATE filled SET u = '2025-01-01'")
    columns = ", ".join(table.primary_key)
    case.execute(f"CREATE UNIQUE INDEX pk ON filled ({columns})")
    filled = SourceTable(case.name("filled"), table.schema, table.primary_key, "u", 6, False)
    return [
        key_of(batch, row, table) for batch in case.source.read(filled, EVERYTHING, 50) for row in range(batch.num_rows)
    ]


def in_span(row: Row, span: Span, native: dict[Key, Native]) -> bool:
    if row.cursor is None:
        return False
    above_low = span.key_after is None or row.native > native[span.key_after]
    below_high = span.key_upto is None or row.native <= native[span.key_upto]
    return above_low and below_high and behind(row, span, native) and not beyond(row, span.upto, native)


def behind(row: Row, span: Span, native: dict[Key, Native]) -> bool:
    if span.after is None:
        return True
    if span.inclusive and row.cursor == span.after.cursor:
        return True
    return beyond(row, span.after, native)


def beyond(row: Row, position: Position, native: dict[Key, Native]) -> bool:
    if position.key is None:
        return row.cursor > position.cursor
    return (row.cursor, row.native) > (position.cursor, native[position.key])


def in_order(rows: list[Row], order: Order) -> list[Row]:
    if order is Order.CURSOR:
        return sorted(rows, key=lambda row: (row.cursor, row.native))
    return sorted(rows, key=lambda row: row.native)


def forms(rng: random.Random, rows: list[Row]) -> list[Span]:
    """Every combination of the forms of a span once, at random places."""
    some = [row for row in rows if row.cursor]

    def at(with_key: bool) -> Position:
        row = rng.choice(some)
        assert row.cursor
        offset = timedelta(0) if with_key or rng.random() < 0.7 else timedelta(seconds=0.5)
        return Position(row.cursor + offset, row.key if with_key else None)

    spans = []
    for after, upto, low, high in product(("none", "time", "inclusive", "key"), ("time", "key"), (0, 1), (0, 1)):
        spans.append(
            Span(
                rng.choice(list(Order)),
                None if after == "none" else at(after == "key"),
                at(upto == "key"),
                after == "inclusive",
                rng.choice(rows).key if low else None,
                rng.choice(rows).key if high else None,
            )
        )
    return spans


CASES = [
    *((shape, "{datetime}") for shape in SHAPES),
    ("integer", "{timestamp}"),
    ("composite", "{timestamp}"),
]


@pytest.mark.parametrize(("shape", "cursor"), CASES)
def test_a_span_holds_exactly_the_rows_its_words_say(case: SourceCase, shape: str, cursor: str) -> None:
    table, rows = stored(case, SHAPES[shape], cursor, seed=1)
    native = {row.key: row.native for row in rows}
    for span in forms(random.Random(2), rows):
        expected = in_order([row for row in rows if in_span(row, span, native)], span.order)
        read = [
            Row(wall_clock(batch.column("u")[row], ZONE), native[key := key_of(batch, row, table)], key)
            for batch in case.source.read(table, span, 7)
            for row in range(batch.num_rows)
        ]
        assert (in_order(read, span.order) if span.order is Order.NONE else read) == expected, span


def test_batches_are_full_and_no_larger_than_asked(case: SourceCase) -> None:
    table, rows = stored(case, SHAPES["integer"], "{datetime}", seed=3)
    sizes = [batch.num_rows for batch in case.source.read(table, EVERYTHING, 50)]
    assert sum(sizes) == sum(row.cursor is not None for row in rows)
    assert sizes[:-1] == [50] * (len(sizes) - 1)
    assert sizes[-1] <= 50


def test_an_empty_span_yields_no_batch(case: SourceCase) -> None:
    table, _ = stored(case, SHAPES["integer"], "{datetime}", seed=4)
    assert list(case.source.read(table, Span(Order.CURSOR, FAR, FAR), 50)) == []


@pytest.mark.parametrize("cursor", ["{datetime}", "{timestamp}"])
def test_bounds_far_outside_the_data_are_no_error(case: SourceCase, cursor: str) -> None:
    table, rows = stored(case, SHAPES["integer"], cursor, seed=5)
    span = Span(Order.NONE, Position(datetime.min), Position(datetime.max))
    assert len(read_rows(case.source, table, span)) == sum(row.cursor is not None for row in rows)


def test_a_bound_between_two_stored_times_is_not_rounded(server_case: SourceCase) -> None:
    server_case.execute(
        "CREATE TABLE t (id INT PRIMARY KEY, u DATETIME NOT NULL, KEY (u))",
        "INSERT INTO t VALUES (1, '2025-01-01 00:00:00'), (2, '2025-01-01 00:00:01')",
    )
    table = server_case.describe("t")
    between = Position(datetime(2025, 1, 1, 0, 0, 0, 600_000))
    assert [row[0] for row in read_rows(server_case.source, table, Span(Order.CURSOR, None, between))] == [1]
    assert [row[0] for row in read_rows(server_case.source, table, Span(Order.CURSOR, between, FAR))] == [2]


def test_rows_are_counted_before_they_are_read(case: SourceCase) -> None:
    table, rows = stored(case, SHAPES["composite"], "{datetime}", seed=6)
    assert case.source.estimate(table, EVERYTHING) == sum(row.cursor is not None for row in rows)
    assert case.source.state(table, datetime(2026, 1, 1)).counts.nulls == sum(row.cursor is None for row in rows)


def test_a_table_without_a_key_is_read_by_time_alone(case: SourceCase) -> None:
    case.execute("CREATE TABLE t (id INTEGER, u {datetime})")
    case.execute("INSERT INTO t VALUES (1, '2025-01-01'), (1, '2025-01-01'), (2, '2025-01-02'), (3, NULL)")
    table = case.describe("t", primary_key=())
    assert key_of(next(case.source.read(table, EVERYTHING, 10)), 0, table) == ()
    span = Span(Order.CURSOR, Position(datetime(2025, 1, 1), ()), FAR)
    assert read_rows(case.source, table, span) == [(2, datetime(2025, 1, 2))]


@pytest.mark.parametrize("pieces", [1, 5])
@pytest.mark.parametrize("shape", ["integer", "unsigned", "three columns", "text", "binary"])
def test_pieces_cover_a_span_once_also_for_keys_inserted_later(case: SourceCase, shape: str, pieces: int) -> None:
    table, rows = stored(case, SHAPES[shape], "{datetime}", seed=7)
    keys = sorted((row.native, row.key) for row in rows)
    span = Span(Order.PRIMARY_KEY, None, FAR, key_after=keys[9][1], key_upto=keys[89][1])
    for whole in (EVERYTHING, span):
        parts = case.source.split(table, whole, pieces)
        assert 1 <= len(parts) <= pieces
        case.execute("UPDATE t SET u = '2025-08-02' WHERE u IS NULL")
        read = [row for part in parts for row in read_rows(case.source, table, part)]
        assert read == read_rows(case.source, table, whole)


def test_more_pieces_than_keys_are_no_more_than_the_keys(case: SourceCase) -> None:
    for columns, key in (("id INTEGER PRIMARY KEY", "id"), ("name VARCHAR(20) PRIMARY KEY", "name")):
        case.execute(f"CREATE TABLE t ({columns}, u {{datetime}})", "CREATE INDEX by_u ON t (u)")
        case.execute("INSERT INTO t VALUES ('1', '2025-01-01'), ('2', '2025-01-01'), ('3', '2025-01-01')")
        table = case.describe("t", primary_key=[key])
        parts = case.source.split(table, EVERYTHING, 1000)
        assert len(parts) <= 4
        assert [len(read_rows(case.source, table, part)) for part in parts][:3] == [1, 1, 1]
        case.execute("DROP TABLE t")


def test_pieces_have_about_equally_many_rows(case: SourceCase) -> None:
    for shape in ("integer", "text"):
        table, _ = stored(case, SHAPES[shape], "{datetime}", seed=8)
        sizes = [len(read_rows(case.source, table, part)) for part in case.source.split(table, EVERYTHING, 4)]
        assert len(sizes) == 4
        assert max(sizes) <= 60
        case.execute("DROP TABLE t", "DROP TABLE filled")


@pytest.mark.parametrize("shape", ["composite", "three columns", "text", "binary", "decimal"])
@pytest.mark.parametrize("cursor", ["{datetime}", "{timestamp}"])
def test_a_large_span_is_cut_by_a_sample(
    server_case: SourceCase, monkeypatch: pytest.MonkeyPatch, shape: str, cursor: str
) -> None:
    monkeypatch.setattr(span_size, "_SMALL", 1)
    table, rows = stored(server_case, SHAPES[shape], cursor, seed=10)
    span = Span(Order.PRIMARY_KEY, Position(datetime(2025, 1, 1)), FAR, key_after=sorted(row.key for row in rows)[5])
    for whole in (EVERYTHING, span):
        parts = server_case.source.split(table, whole, 3)
        assert len(parts) == 3
        read = [row for part in parts for row in read_rows(server_case.source, table, part)]
        assert read == read_rows(server_case.source, table, whole)


def test_a_large_span_without_an_index_on_its_cursor_stays_whole(
    server_case: SourceCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(span_size, "_SMALL", 1)
    table, _ = stored(server_case, SHAPES["text"], "{datetime}", seed=11)
    server_case.execute("DROP INDEX by_u ON t")
    table = replace(table, cursor_index=None)
    assert server_case.source.split(table, EVERYTHING, 3) == [EVERYTHING]
    assert server_case.source.estimate(table, EVERYTHING) > 0


def test_a_first_load_is_open_at_both_ends(case: SourceCase) -> None:
    table, _ = stored(case, SHAPES["integer"], "{datetime}", seed=9)
    parts = case.source.split(table, EVERYTHING, 3)
    case.execute("INSERT INTO t VALUES (-5, '2025-01-01'), (9223372036854775807, '2025-01-01')")
    assert read_rows(case.source, table, parts[0])[0][0] == -5
    assert read_rows(case.source, table, parts[-1])[-1][0] == 2**63 - 1


def test_an_empty_table_is_one_piece(case: SourceCase) -> None:
    for columns, key in (("id INTEGER PRIMARY KEY", "id"), ("name VARCHAR(20) PRIMARY KEY", "name")):
        case.execute(f"CREATE TABLE t ({columns}, u {{datetime}})", "CREATE INDEX by_u ON t (u)")
        assert case.source.split(case.describe("t", primary_key=[key]), EVERYTHING, 4) == [EVERYTHING]
        case.execute("DROP TABLE t")

"""A span that is read in many statements has the rows that one statement would find."""

import random
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from msgspec.structs import replace

from tests.servers import Database
from tests.sources.conftest import EVERYTHING, FAR, ZONE, Apart, SourceCase, mysql_config, read_rows, rows_of
from tests.sources.test_spans import CASES, SHAPES, Row, forms, in_order, in_span, stored
from tests.sql import series
from wmtui.config.schema import Duration
from wmtui.errors import SourceError, TableError, TimeLimitReached
from wmtui.events import Severity
from wmtui.model import Order, Position, Span
from wmtui.sources.cursor import wall_clock
from wmtui.sources.keys import key_of
from wmtui.sources.mysql import pace, source, table_state
from wmtui.sources.mysql.chunk_size import ChunkLimits, ChunkSize, limits_of
from wmtui.sources.mysql.pace import ReplicaWatch, RowRate
from wmtui.sources.mysql.session import Session
from wmtui.sources.mysql.source import MySQLSource

SMALL = ChunkLimits(seconds=600, most_seconds=600, first=3, rows=7)


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """No statement has more than seven rows of a key's order."""
    monkeypatch.setattr(source, "limits_of", lambda _config: SMALL)


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The statements that rows were read by."""
    seen: list[str] = []
    stream = Session.stream

    def noted(session: Session, sql: str, *arguments: Any) -> Any:
        seen.append(sql)
        return stream(session, sql, *arguments)

    monkeypatch.setattr(Session, "stream", noted)
    return seen


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize(("shape", "cursor"), CASES)
def test_many_statements_find_what_a_span_says(
    server_case: SourceCase, statements: list[str], shape: str, cursor: str
) -> None:
    table, rows = stored(server_case, SHAPES[shape], cursor, seed=21)
    native = {row.key: row.native for row in rows}
    for span in forms(random.Random(22), rows):
        expected = in_order([row for row in rows if in_span(row, span, native)], span.order)
        statements.clear()
        read = [
            Row(wall_clock(batch.column("u")[row], ZONE), native[key := key_of(batch, row, table)], key)
            for batch in server_case.source.read(table, span, 5)
            for row in range(batch.num_rows)
        ]
        assert (in_order(read, span.order) if span.order is Order.NONE else read) == expected, span
        assert len(statements) > len(expected) // 7


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("shape", ["integer", "composite", "text"])
def test_a_scan_in_many_statements_finds_rows_without_a_cursor_too(
    server_case: SourceCase, statements: list[str], shape: str
) -> None:
    table, rows = stored(server_case, SHAPES[shape], "{datetime}", seed=23)
    statements.clear()
    scanned = [key_of(batch, row, table) for batch in server_case.source.scan(table, 5) for row in range(len(batch))]
    assert scanned == [row.key for row in sorted(rows, key=lambda row: row.native)]
    assert len(statements) > len(rows) // 7


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("order", list(Order))
def test_rows_of_one_cursor_value_are_never_parted_without_a_key(
    server_case: SourceCase, statements: list[str], order: Order
) -> None:
    server_case.execute("CREATE TABLE t (id INT, u DATETIME, KEY (u))")
    values = ", ".join(f"({n}, '2025-01-01 00:00:{n // 20:02}')" for n in range(100))
    server_case.execute(f"INSERT INTO t VALUES {values}, (1, '2025-01-01'), (200, NULL)")
    table = server_case.describe("t", primary_key=())
    span = Span(order, None, FAR)
    ids = sorted(row[0] for row in read_rows(server_case.source, table, span, 1000))
    assert ids == sorted([*range(100), 1])
    assert len([sql for sql in statements if "OFFSET" not in sql]) >= 5


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("upto", [FAR, Position(datetime(2025, 10, 26, 2, 30, fold=1))], ids=["far", "within"])
@pytest.mark.parametrize("key", [("id",), ()], ids=["by key", "by value"])
def test_an_hour_that_occurs_twice_is_read_once_each(source_db: Database, key: tuple[str, ...], upto: Position) -> None:
    values = ", ".join(f"({n}, '2025-10-26 0{n % 2}:30:00')" for n in range(40))
    source_db.execute(
        "SET time_zone = '+00:00'",
        "CREATE TABLE t (id INT NOT NULL, u TIMESTAMP NOT NULL, UNIQUE (id), KEY (u))",
        f"INSERT INTO t VALUES {values}",
    )
    berlin = Apart(MySQLSource(mysql_config(source_db), ZoneInfo("Europe/Berlin")))
    case = SourceCase(berlin, source_db.name, {}, lambda _statements: None)
    table = case.describe("t", primary_key=key)
    rows = read_rows(berlin, table, Span(Order.CURSOR, None, upto))
    assert sorted(row[0] for row in rows) == list(range(40))


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("index", ["KEY (u, v)", "KEY (u)"])
def test_an_index_that_does_not_have_the_rows_in_order_is_not_walked(server_case: SourceCase, index: str) -> None:
    server_case.execute(f"CREATE TABLE t (a INT, id INT NOT NULL UNIQUE, v INT, u DATETIME, PRIMARY KEY (a), {index})")
    values = ", ".join(f"({n}, {99 - n}, {n % 5}, '2025-01-01 00:00:0{n % 2}')" for n in range(60))
    server_case.execute(f"INSERT INTO t VALUES {values}")
    table = server_case.describe("t")
    ids = [row[1] for row in read_rows(server_case.source, table, Span(Order.CURSOR, None, FAR))]
    assert len(ids) == len(set(ids)) == 60


def read_first(case: SourceCase, span: Span) -> tuple[Any, Iterator[pa.RecordBatch]]:
    """A table of which the first rows of a span are read, and the reading of the others."""
    case.execute("CREATE TABLE t (id INT PRIMARY KEY, u DATETIME NOT NULL, KEY (u))")
    values = ", ".join(f"({n}, '2025-01-01 00:00:{n % 60:02}')" for n in range(100))
    case.execute(f"INSERT INTO t VALUES {values}")
    batches = case.source.read(case.describe("t"), span, 1000)
    return next(batches), batches


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("order", [Order.CURSOR, Order.PRIMARY_KEY])
@pytest.mark.parametrize(
    "changes",
    [
        ["CREATE TABLE other (id INT PRIMARY KEY, u DATETIME NOT NULL, v INT, KEY (u))",
         "INSERT INTO other SELECT id, u, 1 FROM t", "RENAME TABLE t TO old, other TO t"],
        ["ALTER TABLE t MODIFY COLUMN u DATETIME(3) NOT NULL"],
        ["DROP TABLE t"],
    ],
    ids=["swapped", "altered", "dropped"],
)  # fmt: skip
def test_a_table_that_changes_between_two_statements_ends_the_reading(
    server_case: SourceCase, order: Order, changes: list[str]
) -> None:
    first, batches = read_first(server_case, Span(order, None, FAR))
    assert 0 < first.num_rows < 10
    server_case.execute(*changes)
    with pytest.raises((TableError, SourceError)):
        list(batches)


@pytest.mark.usefixtures("small_chunks")
def test_rows_that_move_beyond_the_window_meanwhile_are_left_to_the_next_run(server_case: SourceCase) -> None:
    high = Position(datetime(2025, 1, 2))
    first, batches = read_first(server_case, Span(Order.CURSOR, None, high))
    server_case.execute("UPDATE t SET u = '2025-01-03' WHERE id % 2 = 0", "DELETE FROM t WHERE id % 5 = 0")
    read = {row[0] for batch in (first, *batches) for row in rows_of(batch)}
    table = server_case.describe("t")
    following = {row[0] for row in read_rows(server_case.source, table, Span(Order.CURSOR, high, FAR))}
    assert {n for n in range(100) if n % 5} <= read | following
    assert following == {n for n in range(100) if n % 5 and n % 2 == 0}


@pytest.mark.usefixtures("small_chunks")
def test_no_statement_is_open_while_rows_are_handed_on(server_case: SourceCase, source_db: Database) -> None:
    _, batches = read_first(server_case, EVERYTHING)
    running = (
        "SELECT COUNT(*) AS n FROM information_schema.processlist"
        f" WHERE db IS NULL AND command <> 'Sleep' AND info LIKE '%{source_db.name}%' AND id <> CONNECTION_ID()"
    )
    for _ in range(3):
        with Session(mysql_config(source_db)) as other:
            assert other.query(running)[0]["n"] == 0
        next(batches)
    with closing(batches):  # type: ignore[type-var]
        pass


def many_rows(database: Database) -> None:
    """20,000 rows."""
    digits = (
        "(SELECT 0 d UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT 5"
    )
    digits += " UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9)"
    database.execute(
        "CREATE TABLE t (id INT PRIMARY KEY, u DATETIME NOT NULL, v VARCHAR(200), KEY (u))",
        "INSERT INTO t SELECT a.d + 10 * b.d + 100 * c.d + 1000 * e.d + 10000 * f.d, '2025-01-01', REPEAT('v', 200)"
        f" FROM {digits} a, {digits} b, {digits} c, {digits} e, (SELECT 0 d UNION ALL SELECT 1) f",
    )


def read_all(session: Session, sql: str, seconds: float) -> None:
    with session.stream(sql, {}, seconds) as rows:
        for _ in rows.pieces(1000):
            pass


def test_a_statement_ends_at_its_time_limit_and_the_session_goes_on(source_db: Database) -> None:
    many_rows(source_db)
    name = f"`{source_db.name}`.t"
    with Session(mysql_config(source_db)) as session:
        with pytest.raises(TimeLimitReached):
            session.query(f"SELECT SUM(a.id * b.id * c.id) AS n FROM {name} a, {name} b, {name} c", {}, 0.1)
        with pytest.raises(TimeLimitReached):
            read_all(session, f"SELECT a.v FROM {name} a, {name} b", 0.3)
        assert session.query("SELECT 1 AS one") == [{"one": 1}]


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("order", [Order.CURSOR, Order.PRIMARY_KEY])
@pytest.mark.parametrize("most", [0, 2], ids=["even for one row", "for three rows"])
def test_a_statement_that_takes_too_long_is_tried_with_fewer_rows(
    server_case: SourceCase, monkeypatch: pytest.MonkeyPatch, order: Order, most: int
) -> None:
    stream = Session.stream

    def cut(session: Session, sql: str, values: Any, seconds: float | None = None) -> Any:
        asked = re.search(r"LIMIT (?:1 OFFSET )?(\d+)$", sql)
        if seconds is not None and asked is not None and int(asked[1]) > most:
            raise TimeLimitReached("ended", "", "")
        return stream(session, sql, values, seconds)

    first, batches = read_first(server_case, Span(order, None, FAR))
    monkeypatch.setattr(Session, "stream", cut)
    assert sorted(row[0] for batch in (first, *batches) for row in rows_of(batch)) == list(range(100))


@pytest.mark.parametrize("order", [Order.CURSOR, Order.PRIMARY_KEY])
def test_a_statement_that_ends_after_its_rows_were_handed_on_is_gone_on_with(
    server_case: SourceCase, monkeypatch: pytest.MonkeyPatch, order: Order
) -> None:
    stream, ended = Session.stream, []

    @contextmanager
    def cut(session: Session, sql: str, values: Any, seconds: float | None = None) -> Iterator[Any]:
        with stream(session, sql, values, seconds) as rows:
            yield Limited(rows, ended) if seconds is not None and "`v`" in sql else rows

    server_case.execute(
        "CREATE TABLE t (id INT PRIMARY KEY, u DATETIME NOT NULL, v TEXT, KEY (u))",
        f"INSERT INTO t SELECT seq, '2025-01-01', REPEAT('x', 200) FROM {series(500)}",
    )
    limits = ChunkLimits(seconds=600, most_seconds=600, first=400, rows=400, size=1000)
    monkeypatch.setattr(source, "limits_of", lambda _config: limits)
    monkeypatch.setattr(Session, "stream", cut)
    table = server_case.describe("t")
    assert [row[0] for row in read_rows(server_case.source, table, Span(order, None, FAR), 10)] == [*range(1, 501)]
    assert ended


class Limited:
    """Rows of a statement that the server ends after some, once in a while."""

    def __init__(self, rows: Any, ended: list[int]) -> None:
        self._rows = rows
        self._ended = ended

    def pieces(self, most: int) -> Iterator[Any]:
        for number, piece in enumerate(self._rows.pieces(most)):
            yield piece
            if number == 15:
                self._ended.append(number)
                raise TimeLimitReached("ended", "", "")


def test_counting_that_takes_too_long_is_given_up(source_db: Database, server_case: SourceCase) -> None:
    many_rows(source_db)
    table = replace(server_case.describe("t"), nullable_cursor=True)
    query = Session.query

    def slow(session: Session, sql: str, values: Any = None, seconds: float | None = None) -> Any:
        if seconds is not None:
            raise TimeLimitReached("ended", "", "")
        return query(session, sql, values)

    with Session(mysql_config(source_db)) as session:
        session.query = partial(slow, session)  # type: ignore[method-assign]
        counts = table_state.state(session, ZONE, table, datetime(2025, 6, 1), None).counts
    assert counts is not None
    assert (counts.nulls, counts.future, counts.newest) == (None, None, datetime(2025, 1, 1))


def test_rows_of_the_next_statement_follow_what_the_last_one_took() -> None:
    size = ChunkSize(ChunkLimits(seconds=1, most_seconds=4, first=100, rows=1000, size=10_000))
    assert size.rows == 100
    size.after(100, 100, 0.001)
    assert size.rows == 400  # no more than four times as many
    size.after(400, 400, 2)
    assert size.rows == 200  # half a second too slow
    size.after(200, 20_000, 0.001)
    assert size.rows == 100  # 100 bytes each
    assert size.shrink()
    assert size.rows == 12
    assert size.shrink()
    assert not size.shrink()


def test_no_statement_has_more_rows_than_a_second_may_bring(source_db: Database) -> None:
    config = replace(mysql_config(source_db), max_rows_per_second=50, max_statement=Duration(seconds=2))
    limits = limits_of(config)
    assert (limits.first, limits.rows, limits.seconds, limits.most_seconds) == (50, 50, 0.5, 2)


class Clock:
    """Stands for `time`: sleeping takes no time but is counted."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(pace, "time", self)

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_more_rows_are_read_when_their_second_has_come(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    rate = RowRate(100)
    assert list(rate.waits()) == []
    rate.took(250)
    assert len(list(rate.waits())) == 5
    assert clock.now == 2.5


def test_a_replica_that_falls_behind_is_left_alone_until_it_has_caught_up(
    monkeypatch: pytest.MonkeyPatch, source_db: Database
) -> None:
    clock = Clock(monkeypatch)
    told: list[tuple[Severity, str]] = []
    delays = iter([2, 10, 90, 80, 60, 1, 1])
    monkeypatch.setattr(pace, "replica_delay", lambda *_: (timedelta(seconds=next(delays)), "a replica"))
    watch = ReplicaWatch(mysql_config(source_db))

    def look(session: Session) -> int:
        clock.now += pace.LOOK_SECONDS
        return len(list(watch.waits(session, lambda text, severity: told.append((severity, text)))))

    with Session(mysql_config(source_db)) as session:
        assert [look(session) for _ in range(4)] == [0, 0, 20, 0]
    assert [severity for severity, _ in told] == [Severity.WARNING, Severity.INFO]
    assert "behind, more than" in told[0][1]


def test_a_replica_whose_delay_is_unknown_is_told_and_read(
    monkeypatch: pytest.MonkeyPatch, source_db: Database
) -> None:
    told: list[str] = []

    def stopped(*_: object) -> None:
        raise SourceError("the source is a replica that has stopped", "", "")

    monkeypatch.setattr(pace, "replica_delay", stopped)
    watch = ReplicaWatch(mysql_config(source_db))
    with Session(mysql_config(source_db)) as session:
        for _ in range(2):
            assert list(watch.waits(session, lambda text, _: told.append(text))) == []
    assert len(told) == 1

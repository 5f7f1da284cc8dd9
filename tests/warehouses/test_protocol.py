"""The statements on the page of the protocol are those that warehouses get, in that order.

Guards against a ledger that was changed without its page, and against a lock that is not the first statement of the
transaction that merges.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import duckdb
import psycopg
import pytest

from tests import protocol_page as page
from tests.warehouses.bench import Bench, at, rows
from wmtui.model import TargetName
from wmtui.warehouses.ledger.statements import LedgerStatements

SCHEMAS = r'(?:"main_db"\."main"|"public")'
NAMES = {"postgres": "PostgreSQL", "redshift": "Redshift", "duckdb": "DuckDB"}
COLUMNS = {"postgres": 1, "redshift": 2, "duckdb": 3}
"""Of the table that says in what warehouses differ."""
CATALOGUE = re.compile(
    r"pg_(class|attribute|namespace|trigger|backend_pid)|duckdb_|current_database|\A((?:RE)?SET (?!LOCAL)|ANALYZE)"
)


class Recorded:
    """A DuckDB connection that notes its statements."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, sent: list[str]) -> None:
        self._connection, self._sent = connection, sent

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def execute(self, statement: str, *values: Any) -> Any:
        self._sent.append(statement)
        return self._connection.execute(statement, *values)

    def executemany(self, statement: str, *values: Any) -> Any:
        self._sent.append(statement)
        return self._connection.executemany(statement, *values)

    def begin(self) -> None:
        self._sent.append("BEGIN")
        self._connection.begin()

    def commit(self) -> None:
        self._connection.commit()
        self._sent.append("COMMIT")


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every statement that a driver sends, as it is sent."""
    found: list[str] = []

    def note(kind: Any, name: str) -> None:
        original = getattr(kind, name)

        def call(self: Any, statement: Any, *values: Any, **options: Any) -> Any:
            found.append(statement.decode() if isinstance(statement, bytes) else str(statement))
            return original(self, statement, *values, **options)

        monkeypatch.setattr(kind, name, call)

    for name in ("execute", "executemany", "copy"):
        note(psycopg.Cursor, name)
    transaction, connect = psycopg.Connection.transaction, duckdb.connect

    @contextmanager
    def noted_transaction(self: Any, *options: Any, **named: Any) -> Iterator[Any]:
        found.append("BEGIN")
        with transaction(self, *options, **named) as inner:
            yield inner
        found.append("COMMIT")

    monkeypatch.setattr(psycopg.Connection, "transaction", noted_transaction)
    monkeypatch.setattr(duckdb, "connect", lambda *a, **k: Recorded(connect(*a, **k), found))
    return found


def test_a_load_sends_the_statements_of_the_page_in_their_order(bench: Bench, sent: list[str]) -> None:
    bench.load(bench.file(rows((1, at(1), "a"))))
    file = bench.file(rows((2, at(1), "a")))
    sent.clear()
    bench.load(file, token=2, load_id="load2")
    assert [_as_on_the_page(each) for each in sent if _shown(each)] == page.statements(NAMES[bench.kind])


@pytest.mark.parametrize("bench", ["postgres", "duckdb"], indirect=True)
def test_a_first_load_sends_the_statements_of_the_page(bench: Bench, sent: list[str]) -> None:
    bench.load(bench.file(rows((1, at(1), "a"))), table="shop.other", target="other")
    file = bench.file(rows((2, at(1), "a")))
    sent.clear()
    bench.load(file, load_id="load2", one_run=True)
    assert [_as_on_the_page(each) for each in sent if _shown(each)] == page.statements(
        f"{NAMES[bench.kind]}, first load"
    )


def _shown(statement: str) -> bool:
    return not CATALOGUE.search(statement) and "wmtui_warehouse" not in statement


def _as_on_the_page(statement: str) -> str:
    """With words for names that differ from load to load."""
    for found, word in (
        (r'"wmtui_staging_[0-9a-f]{8}_load2"', "{staging}"),
        (r'"public"\."wmtui_building_[0-9a-f]{8}_load2"', "{building}"),
        (rf'{SCHEMAS}\."wmtui_ledger_\d\d"', "{ledger}"),
        (rf'{SCHEMAS}\."wmtui_fence_\d\d"', "{fence}"),
        (rf'{SCHEMAS}\."orders"', "{target}"),
        (r"'s3://[^']*/watermark/manifests/load2-1\.json'", "'{manifest}'"),
        (r"IAM_ROLE '[^']*'", "IAM_ROLE '{role}'"),
    ):
        statement = re.sub(found, word, statement)
    return statement


def test_the_first_load_makes_the_tables_of_the_page(bench: Bench, sent: list[str]) -> None:
    bench.load(bench.file(rows((1, at(1), "a"))))
    made = [_plain(each) for several in sent for each in several.split(";") if "wmtui_" in each]
    created = [each for each in made if re.match(r"CREATE (TABLE|OR REPLACE VIEW) wmtui_(w|l|f)", each)]
    assert created == list(_created(bench.kind))


def _plain(statement: str) -> str:
    return re.sub(rf'{SCHEMAS}\."(wmtui_\w+)"', r"\1", " ".join(statement.split()))


def _created(kind: str) -> Iterator[str]:
    """What the page says that a warehouse gets, in order."""
    differences = {row[0]: row[COLUMNS[kind]] for row in page.table(page.section("The warehouse", 2).split("```")[2])}
    numbers = [f"{number:02d}" for number in range(int(differences["tables `{n}`"]))]
    (words,) = re.findall(r"older wmtui shows:\s+`([^`]+)`", page.PAGE)
    (refusal,) = page.quoted(differences["`{refusal}`"])
    after = " ".join(page.quoted(differences["after each CREATE TABLE"]))
    blocks = " ".join("\n".join(page.statements("tables")).split())
    warehouse, ledger, fence, view, fence_view = (each.strip() for each in blocks.split(";") if each.strip())
    lines = [re.sub(r"\( ", "(", each) for each in (warehouse, ledger, fence)]
    tables = [f"{each} {after}".strip() for each in lines]
    yield tables[0]
    for number in numbers:
        yield from (each.replace("{n}", number) for each in tables[1:])
    head, select = re.fullmatch(r"(.* AS) (SELECT .*) UNION ALL …", view).groups()  # type: ignore[union-attr]
    yield f"{head} " + " UNION ALL ".join(select.replace("{n}", number) for number in numbers)
    yield fence_view.replace("{refusal}", refusal.replace("{words}", words))


def test_the_lock_of_the_page_is_the_first_statement_of_transaction_2(bench: Bench, sent: list[str]) -> None:
    rows_of = {row[0]: row for row in page.table(page.section("The warehouse", 2).split("```")[2])}
    (lock, *_) = page.quoted(rows_of["ledger lock"][COLUMNS[bench.kind]]) or [""]
    bench.load(bench.file(rows((1, at(1), "a"))))
    begins = [number for number, statement in enumerate(sent) if statement == "BEGIN"]
    first = next(each for each in sent[begins[-1] + 1 :] if not each.startswith("SET LOCAL"))
    assert (_as_on_the_page(first) == lock) if lock else not any("LOCK" in statement for statement in sent)


def test_a_targets_ledger_is_the_one_that_the_page_reckons(bench: Bench, sent: list[str]) -> None:
    from hashlib import sha256

    assert re.search(r"first four bytes of SHA-256 of `target`,\s+big-endian, modulo the number of tables", page.PAGE)
    bench.load(bench.file(rows((1, at(1), "a"))))
    schema, tables = ("main", 1) if bench.kind == "duckdb" else ("public", 32)
    number = int.from_bytes(sha256(str(TargetName("orders", schema)).encode()).digest()[:4], "big") % tables
    assert any(f"wmtui_ledger_{number:02d}" in each for each in sent if each.startswith("INSERT"))


def test_the_first_format_is_as_the_page_says() -> None:
    copies = LedgerStatements("public").take_over_first_format("orders")
    for name, statement in zip(("wmtui_ledger", "wmtui_fence"), copies, strict=True):
        (columns,) = re.findall(rf"`{name}\s\(([^)]*)\)`", page.section("The warehouse", 2))
        (read,) = re.findall(r"SELECT (.*) FROM", statement)
        used = set(re.findall(r"[a-z_]+", re.sub(r"'[^']*'|\bmax\b", "", read))) | {"target"}
        assert set(re.findall(r"\w+", columns)) == used

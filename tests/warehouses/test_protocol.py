"""Scratch."""
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import duckdb
import psycopg
import pytest

from tests.warehouses.bench import Bench, at, rows


class Statements(list[str]):
    pass


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    said: list[str] = []
    execute, executemany, copy, transaction = psycopg.Cursor.execute, psycopg.Cursor.executemany, psycopg.Cursor.copy, psycopg.Connection.transaction

    def text(q): return q.decode() if isinstance(q, bytes) else str(q)
    for kind in (psycopg.Cursor, psycopg.RawCursor):
        monkeypatch.setattr(kind, "execute", lambda self, q, *a, **k: (said.append(text(q)), execute(self, q, *a, **k))[1])
        monkeypatch.setattr(kind, "executemany", lambda self, q, *a, **k: (said.append(text(q)), executemany(self, q, *a, **k))[1])
        monkeypatch.setattr(kind, "copy", lambda self, q, *a, **k: (said.append(text(q)), copy(self, q, *a, **k))[1])

    @contextmanager
    def tx(self, *a, **k):
        said.append("BEGIN")
        with transaction(self, *a, **k) as t:
            yield t
        said.append("COMMIT")
    monkeypatch.setattr(psycopg.Connection, "transaction", tx)

    class Recording:
        def __init__(self, c): self._c = c
        def __getattr__(self, n): return getattr(self._c, n)
        def execute(self, q, *a): said.append(q); return self._c.execute(q, *a)
        def executemany(self, q, *a): said.append(q); return self._c.executemany(q, *a)
        def begin(self): said.append("BEGIN"); return self._c.begin()
        def commit(self): said.append("COMMIT"); return self._c.commit()
    connect = duckdb.connect
    monkeypatch.setattr(duckdb, "connect", lambda *a, **k: Recording(connect(*a, **k)))
    return said


def test_x(bench: Bench, sent: list[str]) -> None:
    for n in (1, 2):
        f = bench.file(rows((1, at(1), "a")))
        bench.load(f, token=n, load_id=f"load{n}")
        with open(f"/tmp/hproto_sent_{bench.kind}_{n}", "w") as out:
            out.write("\n".join(sent))
        sent.clear()

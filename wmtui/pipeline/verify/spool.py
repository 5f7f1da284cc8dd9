"""Both sides of a table as keys and digests in a database of its own on disk, where they are compared.

DuckDB spills what exceeds its memory, so the size of the table does not matter.
"""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from wmtui.errors import NoRoom
from wmtui.pipeline.verify.result import Counts

_MEMORY = "256MB"


class Kind(IntEnum):
    """What a spooled row says.

    EXPECTED: the source has it, and so should the warehouse. AHEAD: the source has it, and the next extraction reads
    it. OUTSIDE: the source has it, and no extraction read or will read it. WAREHOUSE: the warehouse has it. WAITING: a
    committed file has it that is not loaded. BEYOND: the next extraction reads this key, whatever else is said of it.
    """

    EXPECTED = 0
    AHEAD = 1
    OUTSIDE = 2
    WAREHOUSE = 3
    WAITING = 4
    BEYOND = 5


_CREATE = "CREATE TABLE spool (kind UTINYINT, key BLOB, digest UHUGEINT, cells BLOB)"
_CREATE_WANTED = "CREATE TABLE wanted AS SELECT key FROM keys"

# Without a primary key a row's digest is its key: equal rows are counted.
_INSERT_KEYED = "INSERT INTO spool SELECT kind, key, md5_number(cells), NULL FROM batch"
_INSERT_KEYLESS = "INSERT INTO spool SELECT kind, md5(cells)::BLOB, md5_number(cells), NULL FROM batch"
_INSERT_WANTED_KEYED = """
INSERT INTO spool SELECT kind, key, md5_number(cells), cells FROM batch SEMI JOIN wanted USING (key)
"""
_INSERT_WANTED_KEYLESS = """
INSERT INTO spool SELECT kind, key, md5_number(cells), cells
FROM (SELECT kind, md5(cells)::BLOB AS key, cells FROM batch) SEMI JOIN wanted USING (key)
"""

_JUDGE = """
CREATE TABLE outcome AS
WITH counted AS (
    SELECT key,
        count(*) FILTER (kind IN (0, 1, 2)) AS source,
        count(*) FILTER (kind = 0) AS expected,
        bool_or(kind IN (1, 5)) AS ahead,
        count(*) FILTER (kind = 3) AS warehouse,
        count(*) FILTER (kind = 4) AS files,
        min(digest) < max(digest) AS unlike
    FROM spool GROUP BY key
), compared AS (
    SELECT key, source, warehouse, files, ahead,
        CASE WHEN ahead THEN 0 ELSE greatest(expected - warehouse, 0) END AS absent,
        CASE WHEN source > 0 THEN source WHEN $keyed THEN 1 ELSE warehouse END AS allowed,
        source > 0 AND warehouse > 0 AND unlike AS differs
    FROM counted
), judged AS (
    SELECT key,
        greatest(absent - files, 0) AS missing,
        CASE WHEN source = 0 THEN least(warehouse, allowed) ELSE 0 END AS extra,
        greatest(warehouse - allowed, 0) AS doubled,
        (differs AND NOT ahead AND files = 0)::INTEGER AS differing,
        (differs AND ahead)::INTEGER AS moved_on,
        least(absent, files) + (differs AND NOT ahead AND files > 0)::INTEGER AS waiting
    FROM compared
)
SELECT * FROM judged WHERE missing + extra + doubled + differing + moved_on + waiting > 0
"""
_TOTALS = """
SELECT coalesce(sum(missing), 0)::BIGINT, coalesce(sum(extra), 0)::BIGINT, coalesce(sum(doubled), 0)::BIGINT,
    coalesce(sum(differing), 0)::BIGINT, coalesce(sum(moved_on), 0)::BIGINT, coalesce(sum(waiting), 0)::BIGINT
FROM outcome
"""
_TOTALS_OF = f"{_TOTALS} SEMI JOIN keys USING (key)"
_FIRST = {
    "missing": "SELECT key FROM outcome WHERE missing > 0 ORDER BY octet_length(key), key LIMIT $most",
    "extra": "SELECT key FROM outcome WHERE extra > 0 ORDER BY octet_length(key), key LIMIT $most",
    "doubled": "SELECT key FROM outcome WHERE doubled > 0 ORDER BY octet_length(key), key LIMIT $most",
    "differing": "SELECT key FROM outcome WHERE differing > 0 ORDER BY octet_length(key), key LIMIT $most",
}
_CELLS_OF = "SELECT kind, cells FROM spool WHERE key = $key AND kind <= 3"


class Spool:
    """The spooled rows. wanted: only these keys are taken in, and their cells are kept; None: every key."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, keyed: bool, wanted: Sequence[bytes] | None) -> None:
        self._connection = connection
        self._keyed = keyed
        connection.execute(_CREATE)
        self._insert = _INSERT_KEYED if keyed else _INSERT_KEYLESS
        if wanted is not None:
            self._insert = _INSERT_WANTED_KEYED if keyed else _INSERT_WANTED_KEYLESS
            self._with_arrow("keys", _key_table(wanted), _CREATE_WANTED)

    def add(self, kinds: pa.Array, keys: pa.Array, cells: pa.Array) -> None:
        """Take in rows. keys: encoded; NULL without a primary key. cells: encoded rows; NULL where only keys count."""
        self._with_arrow("batch", pa.table([kinds, keys, cells], names=["kind", "key", "cells"]), self._insert)

    def judge(self) -> None:
        """Compare; once, when everything is taken in."""
        self._connection.execute(_JUDGE, {"keyed": self._keyed})

    def counts(self, keys: Sequence[bytes] | None = None) -> Counts:
        """How many rows are how, of all keys or of these."""
        if keys is None:
            return Counts(*self._connection.execute(_TOTALS).fetchall()[0])
        return Counts(*self._with_arrow("keys", _key_table(keys), _TOTALS_OF)[0])

    def first(self, finding: str, most: int) -> list[bytes]:
        """The first keys of a finding."""
        return [key for (key,) in self._connection.execute(_FIRST[finding], {"most": most}).fetchall()]

    def rows_of(self, key: bytes) -> tuple[list[bytes], list[bytes]]:
        """The encoded rows of a wanted key, of the source and of the warehouse."""
        rows = self._connection.execute(_CELLS_OF, {"key": key}).fetchall()
        in_warehouse = [cells for kind, cells in rows if kind == Kind.WAREHOUSE]
        return [cells for kind, cells in rows if kind != Kind.WAREHOUSE], in_warehouse

    def _with_arrow(self, name: str, table: pa.Table, statement: str) -> list[tuple[Any, ...]]:
        self._connection.register(name, table)
        try:
            return self._connection.execute(statement).fetchall()
        finally:
            self._connection.unregister(name)


@contextmanager
def open_spool(*, keyed: bool, wanted: Sequence[bytes] | None = None) -> Iterator[Spool]:
    """A spool in a temporary folder, which is removed afterwards. Raises TableError when it has no room."""
    with tempfile.TemporaryDirectory(prefix="wmtui-verify-") as folder:
        settings: dict[str, Any] = {
            "memory_limit": _MEMORY,
            "temp_directory": folder,
            "preserve_insertion_order": "false",
        }
        try:
            with duckdb.connect(Path(folder, "spool.duckdb"), config=settings) as connection:
                yield Spool(connection, keyed, wanted)
        except (duckdb.IOException, duckdb.OutOfMemoryException) as error:
            raise NoRoom(
                "cannot compare the two sides",
                str(error).splitlines()[0],
                "about 80 bytes per row are needed on disk; name another folder in TMPDIR",
            ) from error


def _key_table(keys: Sequence[bytes]) -> pa.Table:
    return pa.table([pa.array(keys, pa.binary())], names=["key"])

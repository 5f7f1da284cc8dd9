"""How every key's rows on the two sides compare; which of them are missing, extra, doubled, differing, or excused."""

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import IntEnum
from itertools import islice

import duckdb
import pyarrow as pa
from msgspec import Struct

from wmtui.verify.result import DIFFERENCES, Counts
from wmtui.verify.spool import SCHEMA, Spool, told_in_words

_SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "memory_limit": "128MB",
    "threads": 1,
    "temp_directory": "",
    "preserve_insertion_order": "false",
}


class RowKind(IntEnum):
    """What a row says.

    EXPECTED: the source has it, and so should the warehouse. AHEAD: the source has it, and the next extraction reads
    it. OUTSIDE: the source has it, and no extraction read or will read it; its part says where it lies. WAREHOUSE: the
    warehouse has it. WAITING: a committed file has it that is not loaded; its part says which kind of file. BEYOND: the
    next extraction reads this key, whatever else there is of it. FUTURE: ahead, by a cursor that lies in the future.
    """

    EXPECTED = 0
    AHEAD = 1
    OUTSIDE = 2
    WAREHOUSE = 3
    WAITING = 4
    BEYOND = 5
    FUTURE = 6


OF_SOURCE = (RowKind.EXPECTED, RowKind.AHEAD, RowKind.OUTSIDE, RowKind.FUTURE)
"""Kinds of rows that the source has."""
NOWHERE = 1
"""The part of rows without a cursor: one that lost it differs, while of other parts an earlier version is in order."""

_KINDS = {
    **{kind.name.lower(): int(kind) for kind in RowKind},
    "of_source": ", ".join(str(int(kind)) for kind in OF_SOURCE),
}
"""The kinds as the queries below name them."""

# Without a primary key a row's digest is its key: equal rows are counted.
_ROWS = {
    True: "SELECT kind, part, key, unhex(md5(cells)) AS digest, cursor, cells FROM batch",
    False: "SELECT kind, part, unhex(md5(cells)) AS key, unhex(md5(cells)) AS digest, cursor, cells FROM batch",
}
_ALL = "SELECT kind, part, key, digest, cursor, NULL::BLOB AS cells, hash(key) AS hash FROM ({rows})"
_ONLY = "SELECT *, hash(key) AS hash FROM ({rows}) SEMI JOIN selected USING (key)"
_COMPARE = """
CREATE OR REPLACE TEMP TABLE outcome AS
WITH counted AS (
    SELECT key,
        count(*) FILTER (kind IN ({of_source})) AS source,
        count(*) FILTER (kind = {expected}) AS expected,
        count(*) FILTER (kind = {outside}) AS outside,
        min(part) FILTER (kind = {outside}) AS outside_part,
        bool_or(kind IN ({ahead}, {beyond}, {future})) AS ahead,
        count(*) FILTER (kind = {warehouse}) AS warehouse,
        count(*) FILTER (kind = {waiting}) AS files,
        min(part) FILTER (kind = {waiting}) AS waiting_part,
        min(digest) < max(digest) AS unlike,
        min(cursor) AS cursor
    FROM piece GROUP BY key
), compared AS (
    SELECT *,
        CASE WHEN ahead THEN 0 ELSE greatest(expected - warehouse, 0) END AS absent,
        CASE WHEN ahead THEN 0 ELSE greatest(outside - warehouse, 0) END AS left_out,
        CASE WHEN source > 0 THEN source WHEN $keyed THEN 1 ELSE warehouse END AS allowed,
        source > 0 AND warehouse > 0 AND unlike AS differs,
        coalesce(outside_part > $nowhere, false) AS skipped
    FROM counted
), judged AS (
    SELECT key, cursor,
        greatest(absent - files, 0) AS missing,
        CASE WHEN source = 0 THEN least(warehouse, allowed) ELSE 0 END AS extra,
        greatest(warehouse - allowed, 0) AS doubled,
        (differs AND NOT ahead AND files = 0 AND NOT skipped)::INTEGER AS differing,
        (differs AND ahead)::INTEGER AS moved_on,
        least(absent + left_out, files) + (differs AND NOT ahead AND files > 0)::INTEGER AS waiting,
        greatest(left_out - files, 0) + (differs AND NOT ahead AND files = 0 AND skipped)::INTEGER AS outside,
        outside_part, waiting_part
    FROM compared
)
SELECT * FROM judged WHERE missing + extra + doubled + differing + moved_on + waiting + outside > 0
"""
_TOTALS = """
SELECT coalesce(sum(missing), 0)::BIGINT, coalesce(sum(extra), 0)::BIGINT, coalesce(sum(doubled), 0)::BIGINT,
    coalesce(sum(differing), 0)::BIGINT, coalesce(sum(moved_on), 0)::BIGINT,
    min(cursor) FILTER (missing > 0 OR differing > 0)
FROM outcome
"""
_PARTS = """
SELECT waiting_part, sum(waiting)::BIGINT, min(cursor) FROM outcome WHERE waiting > 0 GROUP BY waiting_part
UNION ALL
SELECT outside_part, sum(outside)::BIGINT, min(cursor) FROM outcome WHERE outside > 0 GROUP BY outside_part
"""
_FIRST = """
SELECT key, missing, extra, doubled, differing, moved_on FROM outcome WHERE {finding} > 0
ORDER BY octet_length(key), key LIMIT $most
"""
_SHOWN = "SELECT kind, key, cells FROM piece SEMI JOIN selected USING (key) WHERE kind IN ({of_source}, {warehouse})"


class Outcome(Struct):
    """How the two sides compare.

    counts: rows. parts: rows that are excused, by their part. first: the first keys of each difference; own: the counts
    of each of these keys. lowest: the least cursor of missing and differing rows, and lowest_of that of each part, as
    the column holds it; None: there is none.
    """

    counts: Counts
    parts: Counter[int]
    first: dict[str, list[bytes]]
    own: dict[bytes, Counts]
    lowest: int | None = None
    lowest_of: dict[int, int] = {}

    def of(self, keys: Iterable[bytes]) -> Counts:
        """The counts of some of the first keys."""
        return sum((self.own.get(key, Counts()) for key in keys), Counts())


class Comparison:
    """Takes in the rows of both sides in any order, then compares them. most: how many keys of each finding to name.

    only: these keys alone are taken in, and their cells are kept; None: every key.
    """

    def __init__(self, spool: Spool, keyed: bool, most: int, only: Sequence[bytes] | None) -> None:
        self._spool = spool
        self._keyed = keyed
        self._most = most
        self._connection = duckdb.connect(":memory:", config=_SETTINGS)
        self._insert = (_ALL if only is None else _ONLY).format(rows=_ROWS[keyed])
        if only is not None:
            self._connection.register("selected", _key_table(only))

    def close(self) -> None:
        """Give its memory back."""
        self._connection.close()

    def add(self, batch: pa.RecordBatch) -> None:
        """Take in rows: kind, part, key (NULL without a primary key), cursor, cells (NULL where only keys count)."""
        self._connection.register("batch", batch)
        prepared = self._connection.sql(self._insert).to_arrow_table().combine_chunks()
        self._connection.unregister("batch")
        for rows in prepared.to_batches():
            self._spool.add(rows.select(SCHEMA.names).cast(SCHEMA), rows.column("hash"))

    def compare(self) -> Outcome:
        """Compare; once, when everything is taken in."""
        outcome = Outcome(counts=Counts(), parts=Counter(), first={finding: [] for finding in DIFFERENCES}, own={})
        for piece in self._spool.pieces():
            with self._registered(piece):
                self._connection.execute(_COMPARE.format(**_KINDS), {"keyed": self._keyed, "nowhere": NOWHERE})
            self._gather(outcome)
        return outcome

    def rows_of(self, keys: Sequence[bytes]) -> Mapping[bytes, tuple[list[bytes], list[bytes]]]:
        """The encoded rows of some keys, of the source and of the warehouse."""
        rows_of: dict[bytes, tuple[list[bytes], list[bytes]]] = {key: ([], []) for key in keys}
        self._connection.register("selected", _key_table(keys))
        for piece in self._spool.pieces():
            with self._registered(piece):
                rows = self._connection.execute(_SHOWN.format(**_KINDS)).fetchall()
            for kind, key, cells in rows:
                rows_of[key][kind == RowKind.WAREHOUSE].append(cells)
        return rows_of

    @contextmanager
    def _registered(self, piece: pa.Table | pa.RecordBatchReader) -> Iterator[None]:
        self._connection.register("piece", piece)
        yield
        self._connection.unregister("piece")

    def _gather(self, outcome: Outcome) -> None:
        """Add a piece's outcome."""
        *numbers, lowest = self._connection.execute(_TOTALS).fetchall()[0]
        outcome.counts = outcome.counts + Counts(*numbers)
        outcome.lowest = _least(outcome.lowest, lowest)
        for part, rows, least in self._connection.execute(_PARTS).fetchall():
            outcome.parts[part] += rows
            if least is not None:
                outcome.lowest_of[part] = min(least, outcome.lowest_of.get(part, least))
        for finding, keys in outcome.first.items():
            if not getattr(outcome.counts, finding):
                continue
            rows = self._connection.execute(_FIRST.format(finding=finding), {"most": self._most}).fetchall()
            outcome.own |= {key: Counts(*own) for key, *own in rows}
            merged = heapq.merge(keys, [row[0] for row in rows], key=_order)
            outcome.first[finding] = list(islice(merged, self._most))
        outcome.own = {key: outcome.own[key] for keys in outcome.first.values() for key in keys}


@contextmanager
def open_comparison(*, keyed: bool, most: int, only: Sequence[bytes] | None = None) -> Iterator[Comparison]:
    """A comparison with a spool of its own, which is gone afterwards. Raises TableError where there is no room."""
    with told_in_words(), _memory(), Spool() as spool:
        comparison = Comparison(spool, keyed, most, only)
        try:
            yield comparison
        finally:
            comparison.close()


@contextmanager
def _memory() -> Iterator[None]:
    """Raises MemoryError for the comparing database's own error of that kind."""
    try:
        yield
    except duckdb.OutOfMemoryException as error:
        raise MemoryError(str(error)) from error


def _order(key: bytes) -> tuple[int, bytes]:
    return len(key), key


def _least(one: int | None, other: int | None) -> int | None:
    return min((value for value in (one, other) if value is not None), default=None)


def _key_table(keys: Sequence[bytes]) -> pa.Table:
    return pa.table([pa.array(keys, pa.binary())], names=["key"])

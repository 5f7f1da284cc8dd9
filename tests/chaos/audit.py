"""What must be true once a clean run has ended, checked with SQL and JSON of the harness's own."""

import hashlib
import io
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pyarrow.parquet as pq

from tests.chaos.editors import broken
from tests.chaos.environment import Table

_LEDGER = (
    "SELECT key, etag, rows, load_id, epoch, token, loaded_at, store FROM {schema}.wmtui_ledger"
    " WHERE table_name = %s ORDER BY store, loaded_at, token"
)


@dataclass(frozen=True)
class Audit:
    """The result of an audit.

    rows: how many the target has. lost: of the source's rows, those it lacks or has another version of. doubled: rows
    it has more than once. differences: everything that is wrong, a line each; none: all is well.
    """

    rows: int
    lost: int
    doubled: int
    differences: list[str]


def audit(table: Table) -> Audit:
    """Look at a table, its store and all of its warehouses from all sides; its name is before each line."""
    rows = lost = doubled = 0
    lines = list(compare_journal(table))
    for schema in table.warehouses.values():
        compared = compare_rows(table, schema)
        rows, lost, doubled = rows + compared.rows, lost + compared.lost, doubled + compared.doubled
        lines += [f"{schema}: {line}" for line in (*compared.differences, *compare_ledger(table, schema))]
    return Audit(rows, lost, doubled, [f"{table.name}: {line}" for line in lines])


def compare_rows(table: Table, schema: str) -> Audit:
    """Source against warehouse, row by row."""
    statement = f"SELECT id, version, note, update_at FROM {table.name} ORDER BY id"
    source = {row[0]: row for row in table.environment.source.query(statement)}
    pg, name = table.environment.pg, f"{schema}.{table.name}"
    is_there = pg.query(f"SELECT to_regclass('{name}') IS NOT NULL")[0][0]
    target = pg.query(statement.replace(table.name, name)) if is_there else []
    counts = Counter(row[0] for row in target)
    held = {row[0]: row for row in target}
    missing, extra = sorted(source.keys() - held.keys()), sorted(held.keys() - source.keys())
    doubled = [key for key, count in counts.items() if count > 1]
    differing = sorted(key for key in source.keys() & held.keys() if source[key] != held[key])
    both = {key: (source[key], held[key]) for key in differing}
    kinds = (
        ("missing", missing, source),
        ("extra", extra, held),
        ("doubled", doubled, held),
        ("differing", differing, both),
    )
    lines = [line for what, keys, rows in kinds for line in _some(what, keys, rows)]
    return Audit(len(target), len(missing) + len(differing), len(doubled), lines)


def _some(what: str, keys: list[Any], rows: dict[Any, Any]) -> Iterator[str]:
    if keys:
        yield f"{len(keys)} rows {what}, first {rows[keys[0]]}"


def compare_ledger(table: Table, schema: str) -> Iterator[str]:
    """A line for each difference of the ledger against files, run documents, load records and the fence."""
    mark = _document(table, f"watermark/tables/{table.full}.json")
    warehouse, ledger = None, []
    if table.environment.pg.query(f"SELECT to_regclass('{schema}.wmtui_ledger') IS NOT NULL")[0][0]:
        ledger = table.environment.pg.query(_LEDGER.format(schema=schema), (table.full,))
        warehouse = table.environment.pg.query(f"SELECT id FROM {schema}.wmtui_warehouse")[0][0]
    files = table.objects(f"incremental/{table.full}/")
    if not table.store_is_outdated:
        yield from _entries_without_file(ledger, files)
    runs = [json.loads(data) for data in table.objects(f"watermark/runs/{table.full}/").values()]
    parts = {
        (part["key"], part["etag"]): (run, part)
        for run in runs if run["state"] == "committed" for r in run["ranges"] for part in r["parts"]
    }  # fmt: skip
    epoch = mark.get("epoch", 1)
    loaded = {(key, etag) for key, etag, _, _, at_epoch, *_ in ledger if at_epoch >= epoch}
    for key, etag in () if table.store_is_outdated else loaded - parts.keys():
        yield f"ledger lists {key} {etag}, which no committed run does"
    left = [
        part["key"]
        for place, (run, part) in parts.items()
        if run["epoch"] == epoch and place not in loaded and not (table.store_is_outdated and part["key"] not in files)
    ]
    if left:
        yield f"{len(left)} parts of committed runs were never loaded, first {left[0]}"
    for place, count in Counter((e[0], e[1], e[4]) for e in ledger).items():
        if count > 1:
            yield f"{count} ledger rows for {place}"
    tokens = [(entry[7], entry[6], entry[5]) for entry in ledger]
    for (store, _, before), (same, at, token) in pairwise(tokens):
        if store == same and token < before:
            yield f"token {token} loaded at {at}, after token {before}"
    entered = {(entry[3], entry[0]) for entry in ledger if entry[4] >= epoch}
    recorded = {(load["load_id"], file["key"]) for load in _records(table, warehouse, epoch) for file in load["files"]}
    for load, key in () if table.store_is_outdated else entered - recorded:
        yield f"load {load} of {key} has no load record"
    for load, key in () if schema in table.restored else recorded - entered:
        yield f"load record {load} of {key} without ledger row"


def _entries_without_file(ledger: list[Any], files: dict[str, bytes]) -> Iterator[str]:
    for key, etag, rows, load_id, *_ in ledger:
        data = files.get(key)
        if data is None:
            yield f"ledger row without file: {key} of load {load_id}"
        elif hashlib.md5(data, usedforsecurity=False).hexdigest() != etag:
            yield f"{key} is not the version that load {load_id} loaded"
        elif pq.read_metadata(io.BytesIO(data)).num_rows != rows:
            yield f"{key} has not the {rows} rows of its ledger row"


def _records(table: Table, warehouse: str | None, epoch: int) -> list[dict[str, Any]]:
    """Loads into a warehouse, as the store has them. One may be recorded twice, on two days, by hosts whose clocks
    differ; its id tells.
    """
    days = [json.loads(data) for data in table.objects(f"watermark/loads/{table.full}/").values()]
    loads = [load for day in days for load in day["loads"]]
    return [load for load in loads if load["epoch"] >= epoch and load["warehouse"] == warehouse]


def compare_journal(table: Table) -> Iterator[str]:
    """A line for each breach: serials without gaps, each change on the one before it, the document the last one."""
    entries = {
        int(key.rpartition("/")[2][:12]): json.loads(data)
        for key, data in table.objects(f"watermark/journal/{table.full}/").items()
    }
    document = _document(table, f"watermark/tables/{table.full}.json")
    if not document:
        if entries:
            yield f"{len(entries)} journal entries and no document"
        return
    change = document["metadata"]["change"]
    entries.setdefault(change["serial"], change)
    if sorted(entries) != list(range(1, len(entries) + 1)) and not table.store_is_outdated:
        yield f"journal serials have gaps: {sorted(set(range(1, max(entries) + 1)) - entries.keys())[:5]}"
    for serial, entry in sorted(entries.items()):
        if entry["serial"] != serial:
            yield f"journal entry {serial} says it is {entry['serial']}"
    yield from broken([entry for _, entry in sorted(entries.items())])
    yield from _edits_against(table.edits, Counter(entry["reason"] for entry in entries.values()))
    newest = entries[max(entries)]
    content = {name: value for name, value in document.items() if name != "metadata"}
    newest_change = {name: value for name, value in newest.items() if name not in ("after", "metadata")}
    if newest_change != change or newest.get("after", content) != content:
        yield f"the document is not what journal entry {newest['serial']} left"


def _edits_against(edits: dict[str, int], reasons: Counter[str]) -> Iterator[str]:
    """An edit that was acknowledged happened once, one that was refused did not; of others it is not known."""
    for reason, code in edits.items():
        expected = {0: (1,), 2: (0,), 5: (0,)}.get(code, (0, 1))
        if reasons[reason] not in expected:
            yield f"the edit {reason}, exit code {code}, is in the journal {reasons[reason]} times"


def _document(table: Table, key: str) -> dict[str, Any]:
    data = table.objects(key).get(key)
    return json.loads(data) if data else {}

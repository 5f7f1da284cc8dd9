"""The page of the protocol says what the product does: examples, fields, keys, versions, and what is written when.

A real pipeline on a local folder writes every kind of document in every form that it can have; what it writes is held
against the page field by field, and the page's examples are read and written by the product. Guards against a format
that was changed without its page, and against a page that describes what is never written.
"""

import json
import re
from base64 import b64decode
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import blake2b, sha256
from itertools import chain
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pyarrow as pa
import pytest

from tests import protocol_page as page
from tests.chaos.steps import REDSHIFT_STEPS, STEPS, kind_of
from tests.protocol_page import Field
from tests.stack import Stack, embedded_stack
from wmtui import layout
from wmtui.events import Stop
from wmtui.files import decisions, verdicts
from wmtui.model import TableName, utc_now
from wmtui.objects.directory import DirectoryStore
from wmtui.pipeline.extract import overlap, part_writer, span_reader
from wmtui.runs.load_records import LoadRecords
from wmtui.runs.run_document import Run, RunStore
from wmtui.service.verification import verify
from wmtui.warehouses import LoadFile
from wmtui.warehouses.ledger import statements as ledger
from wmtui.warehouses.redshift import copy_statements
from wmtui.watermarks import (
    bounds,
    changes,
    documents,
    journal,
    journal_entries,
    lease,
    store_identity,
    system_watermark,
    timestamps,
)
from wmtui.watermarks.changes import Action
from wmtui.watermarks.journal import Journal
from wmtui.watermarks.model import DEFAULT_FIELDS, Watermark
from wmtui.watermarks.store import Author, WatermarkStore
from wmtui.watermarks.store_identity import Root

TABLE = TableName("shop", "orders")
TITLES = {
    "Identity of the store": layout.STORE,
    "Watermark": layout.WATERMARKS,
    "Journal entry": layout.JOURNALS,
    "Lock document": layout.LOCKS,
    "Run document": layout.RUNS,
    "Load records": layout.LOADS,
    "Decisions": layout.DECISIONS,
}
EXAMPLES = page.examples()


class Written:
    """What a pipeline wrote. steps: by operation, the names of its steps. versions: of every document, by key."""

    def __init__(self) -> None:
        self.steps: dict[str, str] = {}
        self.versions: dict[str, list[bytes]] = {}
        self.keys: set[str] = set()
        self._own: set[str] = set()
        self._current: list[str] = []

    def put(self, key: str, data: bytes, condition: Mapping[str, Any]) -> None:
        self.keys.add(key)
        if "/_doctor/" in key:
            return
        self.versions.setdefault(key, []).append(data)
        self.reach(f"put:{kind_of(key, data, self._own, **condition)}")

    def reach(self, step: str) -> None:
        self._current.append(step)

    def during(self, operation: str, work: Callable[[], object]) -> None:
        """Do something as a process of its own would, and keep its steps."""
        self._own.clear()
        self._current.clear()
        work()
        assert operation not in self.steps
        self.steps[operation] = "".join(f"{step} " for step in self._current)

    def documents(self, title: str) -> list[Any]:
        """Every version of every document of a kind."""
        found = [versions for key, versions in self.versions.items() if key.startswith(TITLES[title])]
        return [json.loads(data) for versions in found for data in versions]


class RecordingConnection:
    """A connection to a DuckDB file that tells of the transactions of a load."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, written: Written) -> None:
        self._connection, self._written = connection, written
        self._stages = self._merges = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def __enter__(self) -> "RecordingConnection":
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def execute(self, statement: str, *values: Any) -> Any:
        self._stages |= statement.startswith("CREATE TEMPORARY TABLE")
        return self._connection.execute(statement, *values)

    def executemany(self, statement: str, *values: Any) -> Any:
        self._merges |= "wmtui_ledger" in statement
        return self._connection.executemany(statement, *values)

    def commit(self) -> None:
        self._connection.commit()
        if self._merges:
            self._written.reach("merge commit")
        elif self._stages:
            self._written.reach("stage")
        self._stages = self._merges = False


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """Every operation on one table of a pipeline, in a folder."""
    found, folder = Written(), tmp_path_factory.mktemp("store")
    with pytest.MonkeyPatch.context() as patch:
        put, delete, connect = DirectoryStore.put, DirectoryStore.delete, duckdb.connect

        def recording_put(self: DirectoryStore, key: str, data: bytes, **condition: Any) -> str:
            etag = put(self, key, data, **condition)
            if self.root.startswith(str(folder)):  # Leases of other tests may be renewed meanwhile.
                found.put(key, data, condition)
            return etag

        def recording_delete(self: DirectoryStore, key: str) -> None:
            delete(self, key)
            if key.startswith("incremental/"):
                found.reach("delete:part")

        patch.setattr(DirectoryStore, "server", "a server")
        patch.setattr(DirectoryStore, "put", recording_put)
        patch.setattr(DirectoryStore, "delete", recording_delete)
        patch.setattr(duckdb, "connect", lambda *a, **k: RecordingConnection(connect(*a, **k), found))
        patch.setattr(span_reader, "BATCH_ROWS", 1)
        patch.setattr(part_writer, "PART_BYTES", 1)
        patch.setattr(lease, "_RENEW_SECONDS", 3600)  # Of a busy machine, no renewal comes in between.
        _do_everything(embedded_stack(folder), found)
    return found


def _do_everything(stack: Stack, found: Written) -> None:
    service, table = stack.service, stack.table()
    objects = service.workspace.objects
    stack.create()
    stack.insert((1, 10, "a", stack.ago(minutes=30)), (2, 20, "b", stack.ago(minutes=20)))
    found.during("sync with news", stack.sync_one)
    stack.insert((3, 30, "c", stack.ago(seconds=50)), (4, 40, "d", stack.ago(seconds=40)))
    found.during("the next sync", stack.sync_one)
    found.during("sync without news", stack.sync_one)

    stack.insert((5, 50, "e", stack.ago(seconds=30)))
    found.during("sync --backup-only", lambda: stack.sync_one(backup_only=True))
    found.during("sync --redshift-only", lambda: stack.sync_one(redshift_only=True, batch="nightly-1"))

    found.during("pin, unpin", lambda: service.pins.pin(table, reason="stocktaking", until="2h"))
    service.pins.unpin(table)
    found.during("set, reset, undo, import", lambda: service.watermarks.reset(table))
    service.history.undo(table)
    service.watermarks.set(table, stack.ago(minutes=45).isoformat(" "), reason="again")

    _interrupt(stack)
    found.during("resume of an interrupted run", lambda: stack.sync_one(backup_only=True))
    _interrupt(stack)
    found.during("set over a run", lambda: service.watermarks.set(table, stack.ago(minutes=5).isoformat(" ")))
    stack.sync_one()

    (part, *_) = stack.keys(f"incremental/{table.key}/year=")
    foreign = f"incremental/{table.key}/foreign.parquet"
    objects.put(foreign, objects.get(part).data)
    found.during("decision about files", lambda: service.files.skip(table, [foreign], reason="of a test"))
    service.files.unskip(table, [foreign], reason="not of a test")

    now = Stop()
    found.during("verify", lambda: verify(service.workspace, [table], examples=1, emit=lambda _: None, stop=now))
    held, _ = lease.acquire(objects, stack.clock, Author("dead", "host"), table, "0198a77cf1006b1794", fence=99)
    found.during("unlock", lambda: service.locks.unlock(service.workspace.heartbeat(table), reason="it died"))
    held.release()
    found.during("clean", lambda: [service.leftovers.remove(each) for each in service.leftovers.find([table])])
    stack.warehouse("DELETE FROM orders")
    found.during("accept", lambda: service.ownership.accept(table, reason="meant"))
    found.during("system watermark", lambda: service.watermarks.set_system("aug4", confirmed=True))
    service.health.doctor([table])

    _edit_outside(stack, last_error="by hand")
    found.during("change of a document that was changed outside", lambda: service.pins.pin(table, reason="r"))
    service.pins.unpin(table)
    key = layout.watermark_key(table)
    text = objects.get(key).data
    objects.delete(key)
    found.during("undo of a document that is gone", lambda: service.history.undo(table))
    assert set(json.loads(text)) == set(json.loads(objects.get(key).data))
    stack.source(f"ALTER TABLE {stack.schema}.orders RENAME TO away")
    found.during("sync that fails", lambda: stack.sync(backup_only=True))
    stack.source(f"ALTER TABLE {stack.schema}.away RENAME TO orders")
    found.during("sync without news after a failure", lambda: stack.sync_one(backup_only=True))


def _edit_outside(stack: Stack, **fields: Any) -> None:
    """Change a watermark as another program does."""
    path = Path(stack.service.workspace.objects.uri(layout.watermark_key(stack.table())))
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def _interrupt(stack: Stack) -> None:
    """A first load in the order of the key that stops half-way, after a part."""
    stack.service.watermarks.reset(stack.table())
    stack.sync(stop_after=2)
    assert stack.mark()["pending_extraction"] is not None


@pytest.fixture
def objects(tmp_path: Path) -> DirectoryStore:
    """A folder store that holds every example of the page."""
    store = DirectoryStore(str(tmp_path), utc_now)
    for key, text in EXAMPLES.items():
        store.put(key, text.encode())
    return store


# Fields


@pytest.mark.parametrize("title", TITLES)
def test_every_field_that_is_written_is_documented_and_every_documented_one_is_written(
    written: Written, title: str
) -> None:
    fields = page.fields(title)
    assert len({field.path for field in fields}) == len(fields)
    found = [each for document in written.documents(title) for each in page.paths(document, fields)]
    assert found
    undocumented = {".".join(path) for path, _ in found if not any(field.matches(path) for field in fields)}
    assert undocumented == set()
    assert [f.path for f in fields if not any(f.matches(path) for path, _ in found)] == []


@pytest.mark.parametrize("title", TITLES)
def test_values_have_the_types_that_the_page_says(written: Written, title: str) -> None:
    fields = page.fields(title)
    of_the_page = [json.loads(text) for key, text in EXAMPLES.items() if key.startswith(TITLES[title])]
    for document in [*written.documents(title), *of_the_page]:
        for path, value in page.paths(document, fields):
            field = next(field for field in fields if field.matches(path))
            assert _fits(value, field), (".".join(path), value, field.type)


def _fits(value: Any, field: Field) -> bool:
    kind = field.type.removesuffix(" or null")
    if value is None:
        return kind == "any" or kind != field.type
    if kind.endswith(' or ""'):
        return value == "" or _fits(value, Field(field.path, kind.removesuffix(' or ""')))
    return _TYPES[kind](value)


def _is_instant(value: Any) -> bool:
    return value.endswith("Z") and timestamps.parse_instant(value).tzinfo is not None


def _is_wall(value: Any) -> bool:
    return datetime.fromisoformat(value).tzinfo is None


_TYPES: Mapping[str, Callable[[Any], object]] = {
    "any": lambda _: True,
    "base64": lambda value: len(b64decode(value, validate=True)) % 8 == 0,
    "bool": lambda value: isinstance(value, bool),
    "count": lambda value: type(value) is int and value >= 0,
    "id": lambda value: re.fullmatch("[0-9a-f]{32}", value),
    "instant": _is_instant,
    "journal entry": lambda value: value["changed"] is not None,
    "key": lambda value: all(isinstance(each, int | str) for each in value),
    "list": lambda value: isinstance(value, list),
    "list of text": lambda value: isinstance(value, list) and all(isinstance(each, str) for each in value),
    "number": lambda value: type(value) is int,
    "object": lambda value: isinstance(value, dict),
    "position": lambda value: value.keys() == {"cursor", "key"},
    "run": lambda value: re.fullmatch("[0-9a-f]{18}", value),
    "text": lambda value: isinstance(value, str),
    "wall": _is_wall,
}


# Keys


def test_every_key_that_is_written_fits_one_pattern_and_every_pattern_of_our_own_is_written(written: Written) -> None:
    patterns = page.key_patterns()
    fitting = {key: [p for p, pattern in patterns.items() if pattern.fullmatch(key)] for key in written.keys}
    of_parts = "incremental/<table>/….parquet"  # A part fits both.
    assert {key: found for key, found in fitting.items() if len([p for p in found if p != of_parts]) > 1} == {}
    assert [key for key, found in fitting.items() if not found] == []
    unwritten = {p for p in patterns if all(p not in found for found in fitting.values())}
    # Redshift's alone, and another tool's.
    assert {p.partition("/")[0] + "/" + p.split("/")[1] for p in unwritten} == {
        "watermark/manifests",
        "incremental/year=…",
    }


def test_the_patterns_of_keys_are_those_that_the_code_builds() -> None:
    at = datetime(2025, 8, 14, tzinfo=UTC)
    odd, run, load = TableName("shöp", "v1.2"), "0198a77cf1006b1794", "0" * 32
    built = {
        "watermark/store.json": layout.STORE,
        "watermark/last_run_timestamp.txt": layout.SYSTEM_WATERMARK,
        "watermark/tables/<table>.json": layout.watermark_key(odd),
        "watermark/journal/<table>/<serial>.json": layout.journal_key(odd, 7),
        "watermark/locks/<table>.json": layout.lock_key(odd),
        "watermark/runs/<table>/<run>.json": layout.run_key(odd, run),
        "watermark/loads/<table>/<day>.json": layout.loads_key(odd, at.date()),
        "watermark/decisions/<table>.json": layout.decisions_key(odd),
        "watermark/manifests/<id>-<number>.json": layout.manifest_key(load, 12),
        "watermark/probe/<id>.json": layout.new_probe_key(),
        "<prefix>_doctor/probe": f"{layout.WATERMARKS}{layout.PERMISSION_PROBES}probe",
        "incremental/<table>/year=YYYY/month=MM/day=DD/<table>_<time>_<run>_<token>_<part>.parquet": layout.part_key(
            odd, at, run, 3, 123456
        ),
    }
    foreign = {
        "incremental/<table>/….parquet": f"{layout.data_folder(odd)}any/name.parquet",
        "incremental/year=…/<schema_table>_<YYYYMMDD_HHMMSS>_batch_….parquet": (
            f"{layout.FLAT_DATA}2025/month=08/day=09/shop_orders_20250809_194729_batch_1.parquet"
        ),
    }
    assert layout.FlatNames([TABLE]).owners(foreign[max(foreign, key=len)]) == [TABLE]
    patterns = page.key_patterns()
    assert set(patterns) == set(built) | set(foreign)
    for name, key in (built | foreign).items():
        assert patterns[name].fullmatch(key), (name, key)
    reserved = page.quoted(page.section("What is in a store", 2).split("are reserved")[0])[-2:]
    assert reserved == [layout.BACKFILLS, layout.ALERTS]
    builders = {name for name in vars(layout) if name.endswith("_key") and not name.startswith("is_")}
    assert builders - {"older_watermark_key"} == {
        "watermark_key", "journal_key", "lock_key", "run_key", "loads_key", "decisions_key", "manifest_key",
        "new_probe_key", "part_key",
    }  # fmt: skip


# Examples


def test_the_example_of_the_stores_identity_is_read_and_written_back(objects: DirectoryStore) -> None:
    (found, _), key = store_identity.read(objects) or (None, ""), TITLES["Identity of the store"]
    assert found is not None
    assert json.loads(msgspec.json.encode(found)) == json.loads(EXAMPLES[key])
    store_identity.change(
        objects, lambda known: msgspec.structs.replace(known, roots=(*known.roots, Root("r", "a", "b")))
    )
    assert json.loads(objects.get(key).data)["roots"][:-1] == json.loads(EXAMPLES[key])["roots"]


def test_the_example_of_a_watermark_is_as_its_own_change_left_it_and_takes_another(objects: DirectoryStore) -> None:
    store = WatermarkStore(objects, utc_now, Author("a", "h"))
    stored = store.read(TABLE)
    key = layout.watermark_key(TABLE)
    assert stored.watermark.unchanged_outside
    assert stored.watermark.position is not None
    assert json.loads(stored.watermark.encode()) == json.loads(EXAMPLES[key])
    assert store.unadopted(TABLE) is None
    changed = store.change(TABLE, "note", lambda _: {"x_team": 1})
    assert (changed.serial, changed.fields["metadata"]["store"]) == (
        4,
        json.loads(EXAMPLES["watermark/store.json"])["id"],
    )


def test_the_examples_of_journal_entries_add_up_to_the_example_of_the_watermark(objects: DirectoryStore) -> None:
    mark = WatermarkStore(objects, utc_now, Author("a", "h")).read(TABLE).watermark
    found = Journal(objects, TABLE, mark.change)
    assert found.left_by(3) == (mark.content, {"created_at": mark.fields["metadata"]["created_at"]})
    for serial in (1, 2):
        assert found.get(serial) == json.loads(EXAMPLES[layout.journal_key(TABLE, serial)])
        assert documents.decode("", documents.encode(found.get(serial) or {})) == found.get(serial)


def test_the_example_of_a_lock_document_is_free_and_a_lease_on_it_keeps_what_it_notes(objects: DirectoryStore) -> None:
    before = json.loads(EXAMPLES[layout.lock_key(TABLE)])
    found = lease.read(objects, TABLE)
    assert (found.held, found.token) == (False, before["token"])
    assert found.extracted_to(WatermarkStore(objects, utc_now, Author("a", "h")).read(TABLE).watermark) is not None
    held, _ = lease.acquire(objects, utc_now, Author("a", "h"), TABLE, "0198a77cf1006b1795")
    held.release()
    after = json.loads(objects.get(layout.lock_key(TABLE)).data)
    changed = {"token": before["token"] + 1, "compared_in": {"": before["token"]}}
    assert after == {**before, **changed, "write_id": after["write_id"], "renewed": after["renewed"]}


def test_the_example_of_a_run_document_is_read_and_written_back(objects: DirectoryStore) -> None:
    (key,) = (key for key in EXAMPLES if key.startswith(TITLES["Run document"]))
    text = EXAMPLES[key]
    stored = RunStore(objects, TABLE).read(json.loads(text)["run"])
    assert stored is not None
    assert json.loads(msgspec.json.encode(stored.run)) == json.loads(text)
    assert stored.run.final == stored.run.newest


def test_the_example_of_load_records_is_read_and_another_is_written_beside_it(objects: DirectoryStore) -> None:
    (key,) = (key for key in EXAMPLES if key.startswith(TITLES["Load records"]))
    records = LoadRecords(objects, TABLE)
    (record,) = records.since(None)
    before = json.loads(EXAMPLES[key])
    assert json.loads(msgspec.json.encode([record])) == before["loads"]
    records.add(msgspec.structs.replace(record, load_id="another"))
    after = json.loads(objects.get(key).data)
    assert {**after, "loads": after["loads"][:1]} == before


def test_the_example_of_decisions_is_read_and_written_back(objects: DirectoryStore) -> None:
    key = layout.decisions_key(TABLE)
    decisions.change(objects, TABLE, {})
    after, before = json.loads(objects.get(key).data), json.loads(EXAMPLES[key])
    assert after == {**before, "serial": before["serial"] + 1}
    assert len(decisions.read(objects, TABLE).files) == 1


def test_the_example_of_a_manifest_is_what_redshift_gets() -> None:
    (text,) = (text for key, text in EXAMPLES.items() if key.startswith("watermark/manifests/"))
    (entry,) = json.loads(text)["entries"]
    size = entry["meta"]["content_length"]
    assert json.loads(copy_statements.manifest([LoadFile("k", entry["url"], "e", size, None)])) == json.loads(text)
    assert {field.path.rpartition(".")[2] for field in page.fields("Manifest")} == {
        "entries", "entries[]", "url", "mandatory", "meta", "content_length",
    } - {"entries[]"}  # fmt: skip


def test_the_example_of_the_system_watermark_is_what_the_product_writes(objects: DirectoryStore) -> None:
    before = objects.get(layout.SYSTEM_WATERMARK).data
    wall = system_watermark.read(objects)
    assert wall is not None
    system_watermark.move(objects, wall + timedelta(days=1))
    system_watermark.move(objects, wall)
    assert objects.get(layout.SYSTEM_WATERMARK).data == before


def test_the_examples_of_the_page_are_of_one_store() -> None:
    """Ids, keys, ETags and tokens of one agree with those of the others."""
    of = {title: next(json.loads(t) for k, t in EXAMPLES.items() if k.startswith(p)) for title, p in TITLES.items()}
    mark, run, record = of["Watermark"], of["Run document"], of["Load records"]["loads"][0]
    (part,) = run["ranges"][0]["parts"]
    assert mark["extracted_run"] == run["run"] == of["Lock document"]["committed_run"]
    assert mark["metadata"]["store"] == of["Identity of the store"]["id"]
    assert list(mark["warehouses"]) == [record["warehouse"]] == list(of["Identity of the store"]["warehouses"].values())
    assert [(f["key"], f["etag"], f["rows"]) for f in record["files"]] == [(part["key"], part["etag"], part["rows"])]
    assert f"`{part['key']}`" in page.section("Parts and other files")
    assert f"`watermark/manifests/{record['load_id']}-1.json`" in page.section("Manifest")


def test_fields_that_are_unknown_are_kept_where_the_page_says_so(objects: DirectoryStore) -> None:
    kept = re.search(r"in \*\*(\w+)\*\* and \*\*(\w+ \w+)\*\* they must be kept", " ".join(page.PAGE.split()))
    assert kept
    assert kept.groups() == ("watermarks", "lock documents")
    for key in (layout.watermark_key(TABLE), layout.lock_key(TABLE), layout.decisions_key(TABLE)):
        objects.put(key, json.dumps({**json.loads(EXAMPLES[key]), "x_other": {"a": 1}}).encode())
    WatermarkStore(objects, utc_now, Author("a", "h")).change(TABLE, Action.PIN, lambda _: {"pin": None})
    held, _ = lease.acquire(objects, utc_now, Author("a", "h"), TABLE, "0198a77cf1006b1795")
    held.release()
    decisions.change(objects, TABLE, {})
    known = {
        key: json.loads(objects.get(key).data).get("x_other")
        for key in (layout.watermark_key(TABLE), layout.lock_key(TABLE), layout.decisions_key(TABLE))
    }
    assert list(known.values()) == [{"a": 1}, {"a": 1}, None]


def test_a_sync_goes_on_from_a_store_that_was_written_by_the_page(tmp_path: Path) -> None:
    """As from one that another tool wrote: rows after the position are read, and no others."""
    stack = embedded_stack(tmp_path, timezone="Asia/Shanghai")
    objects = stack.service.workspace.objects
    for key, text in EXAMPLES.items():
        objects.put(key, text.encode())
    stack.create()
    at = datetime(2025, 8, 14, 15, 20, 1)
    before, same, later = (48213376, 1, "", at), (48213377, 2, "", at), (48213378, 3, "", at)
    stack.insert(before, same, later, (48213379, 4, "", at + timedelta(days=1)))
    result = stack.sync_one(backup_only=True)
    mark = stack.mark()
    assert (result.rows_extracted, mark["last_processed_key"], mark["fence"]) == (2, [48213379], 2)
    assert mark["metadata"]["serial"] == 5


# Versions, actions, numbers


def test_the_versions_are_those_of_the_code() -> None:
    rows = {row[0]: row for row in page.table(page.section("JSON"))}
    assert rows["`store.json`"][2:] == [
        str(store_identity.FORMAT),
        f"any whose `min_format` is at most {store_identity.FORMAT}",
    ]
    assert rows["watermark"][2:] == [str(bounds.VERSION), f"up to {bounds.VERSION}, and documents without one"]
    assert rows["ledger and fence"][2] == str(ledger.FORMAT)
    (run,) = (json.loads(text) for key, text in EXAMPLES.items() if key.startswith(TITLES["Run document"]))
    for version, readable in ((1, True), (2, False)):
        try:
            msgspec.convert({**run, "version": version}, Run)
        except msgspec.ValidationError:
            assert not readable
        else:
            assert readable


def test_every_action_of_a_change_is_on_the_page_and_no_other(written: Written) -> None:
    rows = page.table(page.section("Watermark").split("Which change")[1])
    assert sorted(action for row in rows for action in page.quoted(row[0])) == sorted(Action)
    done = {document["action"] for document in written.documents("Journal entry")}
    assert {Action.EXTRACTED, Action.SET, Action.ACCEPTED} <= done <= set(Action)


def test_a_change_writes_no_other_fields_than_the_page_says(written: Written) -> None:
    known = {field.path for field in page.fields("Watermark")}
    text = page.section("Watermark")
    table = page.table(text.split("Which change")[1])
    rows = {action: set(page.quoted(row[2])) & known for row in table for action in page.quoted(row[0])}
    rows["set"] = set(page.quoted(text.split("\n- `set` to T:")[1].split("\n- ")[0])) & known
    free = {Action.RESET, Action.UNDO, Action.IMPORT, Action.EXTERNAL, Action.RESTORED}
    for entry in written.documents("Journal entry"):
        if entry["action"] not in free:
            assert set(entry["changed"]) - {"timezone"} <= rows[entry["action"]], entry["action"]
    (patch, *_) = (set(entry["changed"]) for entry in written.documents("Journal entry") if entry["action"] == "set")
    assert {"load_floor", "placed", "backup_strategy"} <= patch
    mark, now = Watermark.new(TABLE), datetime.now(UTC)
    assert set(changes.set_point(mark, now.replace(tzinfo=None), now, now)) == rows["set"]


def values_of_a_new_table() -> dict[str, Any]:
    text = page.section("Values of a new table", 4)
    block = re.search(r"(?ms)^```json\n(.*?)^```", text)
    assert block
    found: dict[str, Any] = json.loads(block[1])
    return found


def test_the_values_of_a_new_table_are_those_of_the_code() -> None:
    assert values_of_a_new_table() == json.loads(json.dumps(DEFAULT_FIELDS))
    absent = Watermark.decode(
        TABLE, b'{"table_name": "shop.orders", "last_mysql_data_timestamp": null, "s3_file_count": null}', "key"
    )
    assert {name: absent.fields[name] for name in DEFAULT_FIELDS} == values_of_a_new_table()
    version, serial = re.findall(r"`metadata.serial` read as (\d+) and (\d+)", page.PAGE)[0]
    assert absent.fields["metadata"] == {"version": int(version), "serial": int(serial)}


def test_a_digest_can_be_reckoned_from_the_page_alone() -> None:
    new = values_of_a_new_table()
    (document,) = (json.loads(text) for key, text in EXAMPLES.items() if key.startswith(layout.WATERMARKS))
    content = {name: value for name, value in document.items() if name != "metadata"}
    compared = {name: value for name, value in content.items() if name not in new or new[name] != value}
    text = json.dumps(compared, sort_keys=True, separators=(",", ":"))
    assert sha256(text.encode()).hexdigest() == document["metadata"]["change"]["digest"]


def test_a_digest_of_a_row_is_reckoned_as_the_page_says() -> None:
    batch = pa.RecordBatch.from_pydict({"id": [1], "amount": [Decimal("9.50")], "note": ["ü"]})
    row = tuple(value for (value,) in batch.to_pydict().values())
    (found,) = overlap.digests(batch)
    assert found == blake2b(repr(row).encode(), digest_size=8).digest()
    assert overlap.unpack(b"") == frozenset()


@pytest.mark.parametrize(
    ("words", "value"),
    [
        (r"less than (\d+) seconds, both", lease.TTL.total_seconds()),
        (r"renew it every (\d+) seconds", lease._RENEW_SECONDS),
        (r"could not renew for (\d+) seconds", lease.TTL.total_seconds() / 2),
        (r"(\d+) hours of the extraction time", verdicts.SESSION.total_seconds() / 3600),
        (r"stretch of (\d+) serials", journal_entries.WHOLE_EVERY),
        (r"they are more than ([\d,]+) \|", overlap.MOST),
        (r"nested at most (\d+) levels", documents._DEEPEST),
        (r"own values (\d+)\)", bounds.DEEPEST),
        (r"at most ([\d,]+) characters", bounds.LONGEST_TEXT),
        (r"below 10\^(\d+) \(", len(str(bounds.TOO_LARGE)) - 1),
        (r"Years are (\d+) to", timestamps.FIRST_YEAR),
        (r"Years are \d+ to (\d+)", timestamps.LAST_YEAR),
    ],
)  # fmt: skip
def test_numbers_on_the_page_are_those_of_the_code(words: str, value: float) -> None:
    found = re.search(words.replace(" ", r"\s+"), page.PAGE)
    assert found
    assert float(found[1].replace(",", "")) == value


def test_a_million_serials_are_as_the_page_says() -> None:
    assert "more than a million serials" in page.PAGE
    assert journal._FARTHEST == 10**6


def test_texts_that_secrets_are_blanked_in_are_those_of_the_code() -> None:
    (line,) = (line for line in page.PAGE.splitlines() if line.startswith("- Known secrets"))
    assert set(page.quoted(page.PAGE.split("- Known secrets")[1].split("\n\n")[0])) >= documents._FREE_TEXTS, line


# Orders of writes


ELSEWHERE = {"lock ledger", "merge", "put:manifests", "put:lease:renewed", "stage", "stage ahead"}
"""Steps of other warehouses than DuckDB, which has `stage` in later loads, and one that takes ten seconds to come."""


@pytest.mark.parametrize("operation", sorted(page.orders()))
def test_an_operation_writes_what_the_page_says_in_that_order(written: Written, operation: str) -> None:
    pattern = page.orders()[operation]
    for unseen in ("lock ledger ", "merge ", "stage ahead "):
        pattern = pattern.replace(re.escape(unseen.strip()) + " ", "")
    if operation == "set, reset, undo, import":
        pattern = pattern.replace("watermark:set", "watermark:(?:set|reset)")
    found = written.steps[operation]
    assert re.match(pattern, found) if "resume" in operation else re.fullmatch(pattern, found), (pattern, found)


def test_a_first_sync_does_every_step_also_those_that_others_may_leave_out(written: Written) -> None:
    named = [step for step in page.quoted(page.section("sync with news")) if page.is_step(step)]
    assert {step for step in named if f"{step} " not in written.steps["sync with news"]} <= ELSEWHERE


def test_a_sync_without_news_takes_a_failure_back(written: Written) -> None:
    assert re.fullmatch(page.orders()["sync without news"], written.steps["sync without news after a failure"])
    assert "put:watermark:recovered" in written.steps["sync without news after a failure"]


def test_a_set_over_an_interrupted_run_gives_that_up_first(written: Written) -> None:
    assert re.fullmatch(page.orders()["set, reset, undo, import"], written.steps["set over a run"])
    assert "put:run:abandoned" in written.steps["set over a run"]


def test_every_step_that_processes_are_killed_at_is_in_an_order_of_writes() -> None:
    killed_at = {step.partition(":")[2] for step in chain(*STEPS.values(), (step for _, step in REDSHIFT_STEPS))}
    killed_at = {step.partition("#")[0] for step in killed_at if not step.startswith("read:")}
    named = {step for step in page.steps() if not step.startswith("delete:")}
    assert killed_at - named == set()

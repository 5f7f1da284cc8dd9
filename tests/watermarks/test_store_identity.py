"""The id of a store: made once, carried by every copy, and never that of another.

Guards against loads counted as one's own although another store did them, and against an older wmtui that writes
documents it does not understand.
"""

import json
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from tests.clock import HandClock
from tests.servers.s3 import S3Server, hang_up, ignore_headers, serve_then
from wmtui.config import S3Config
from wmtui.errors import ConditionsIgnored, Unreadable
from wmtui.layout import STORE, watermark_key
from wmtui.model import TableName
from wmtui.objects import ObjectStore
from wmtui.objects.directory import DirectoryStore
from wmtui.objects.s3 import S3Store
from wmtui.watermarks import changes, store_identity
from wmtui.watermarks.model import Json, Watermark
from wmtui.watermarks.store import Author, WatermarkStore
from wmtui.watermarks.store_identity import StoreIdentity

ANA = Author("ana", "host-1")
BEN = Author("ben", "host-2")


def note(_: Watermark) -> Json:
    return {"last_error": "x"}


def metadata(objects: ObjectStore, table: TableName) -> Json:
    found: Json = json.loads(objects.get(watermark_key(table)).data)["metadata"]
    return found


def document(objects: ObjectStore) -> Json:
    found: Json = json.loads(objects.get(STORE).data)
    return found


def test_the_first_write_gives_the_store_an_id_that_every_document_bears(
    watermarks: WatermarkStore, objects: ObjectStore, table: TableName
) -> None:
    other = TableName("shop", "customers")
    for changed in (table, other):
        watermarks.change(changed, "note", note)

    made = document(objects)
    assert metadata(objects, table)["store"] == metadata(objects, other)["store"] == made["id"]
    assert (made["format"], made["min_format"], made["warehouses"]) == (2, 2, {})
    root = {"root": objects.uri(""), "at": "2025-08-14T12:00:00Z", "by": "ana@host-1", "reason": None}
    assert made["roots"] == [root]


def test_reading_gives_no_id(watermarks: WatermarkStore, objects: ObjectStore, table: TableName) -> None:
    watermarks.read(table)
    watermarks.system()

    assert watermarks.known_identity() is None
    assert list(objects.list("")) == []


def test_two_stores_have_different_ids(watermarks: WatermarkStore, tmp_path: Any, clock: HandClock) -> None:
    (tmp_path / "other").mkdir()
    other = WatermarkStore(DirectoryStore(str(tmp_path / "other"), clock), clock, ANA)

    assert watermarks.identity().id != other.identity().id


def test_two_first_writers_agree_on_one_id(
    objects: ObjectStore, clock: HandClock, table: TableName, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both see that there is none before either writes."""
    both, looked = Barrier(2), store_identity._of_documents

    def together(seen: ObjectStore) -> str | None:
        found = looked(seen)
        both.wait(30)
        return found

    monkeypatch.setattr(store_identity, "_of_documents", together)
    names = [table, TableName("shop", "customers")]

    def write(name: TableName) -> str:
        watermarks = WatermarkStore(objects, clock, ANA)
        watermarks.change(name, "note", note)
        return watermarks.identity().id

    with ThreadPoolExecutor(2) as threads:
        ids = set(threads.map(write, names))

    assert ids == {document(objects)["id"]} == {metadata(objects, name)["store"] for name in names}


def test_an_id_whose_answer_was_lost_is_the_stores_id(s3: S3Server, clock: HandClock, table: TableName) -> None:
    objects = S3Store(f"s3://{s3.new_bucket()}/lake", S3Config(endpoint_url=s3.endpoint_url))
    s3.faults.add(serve_then(hang_up), method="PUT", key=STORE)

    WatermarkStore(objects, clock, ANA).change(table, "note", note)

    assert metadata(objects, table)["store"] == document(objects)["id"]


def test_a_lost_document_of_the_store_is_restored_with_the_id_that_watermarks_bear(
    watermarks: WatermarkStore, objects: ObjectStore, clock: HandClock, table: TableName
) -> None:
    watermarks.change(table, "note", note)
    known = watermarks.identity().id
    objects.put("watermark/tables/a.broken.json", b"{")
    objects.put("watermark/tables/b.older.json", b'{"table_name": "b.older", "metadata": {"version": 1}}')
    objects.delete(STORE)

    restored = WatermarkStore(objects, clock, BEN)
    restored.change(table, "note", note)

    assert document(objects)["id"] == metadata(objects, table)["store"] == known
    assert not restored.identity().knows(objects.uri("")), "it may be a copy of another place"


def test_a_copy_keeps_its_id_and_does_not_know_its_new_place_until_somebody_accepts_it(
    watermarks: WatermarkStore, objects: ObjectStore, tmp_path: Any, clock: HandClock, table: TableName
) -> None:
    watermarks.change(table, "note", note)
    (tmp_path / "copy").mkdir()
    copy = DirectoryStore(str(tmp_path / "copy"), clock)
    for info in objects.list("watermark/"):
        copy.put(info.key, objects.get(info.key).data)

    copied = WatermarkStore(copy, clock, BEN)
    assert copied.identity() == watermarks.identity()
    assert (copied.identity().knows(objects.uri("")), copied.identity().knows(copy.uri(""))) == (True, False)

    accepted = store_identity.accept_root(copy, now="2025-08-15T00:00:00Z", by="ben@host-2", reason="we moved")

    assert accepted.id == watermarks.identity().id
    assert [(root.root, root.reason) for root in accepted.roots] == [
        (objects.uri(""), None),
        (copy.uri(""), "we moved"),
    ]
    assert accepted.knows(copy.uri(""))
    assert not watermarks.identity().knows(copy.uri(""))


def test_a_store_of_a_newer_format_is_neither_read_nor_written(
    watermarks: WatermarkStore, objects: ObjectStore, clock: HandClock, table: TableName
) -> None:
    watermarks.change(table, "note", note)
    objects.put(STORE, json.dumps({**document(objects), "format": 9, "min_format": 3}).encode())
    before = list(objects.list("watermark/tables/"))

    late = WatermarkStore(objects, clock, BEN)
    for attempt in (lambda: late.change(table, "reset", changes.reset), late.known_identity, late.identity):
        with pytest.raises(Unreadable, match="format 3; this wmtui knows up to 2: upgrade it") as error:
            attempt()
        assert error.value.key == STORE

    assert list(objects.list("watermark/tables/")) == before


def test_a_newer_format_that_this_wmtui_may_still_write_is_written_and_stays(
    objects: ObjectStore, clock: HandClock, table: TableName
) -> None:
    objects.put(STORE, json.dumps({"id": "abc", "format": 9, "min_format": 2, "later": True}).encode())

    WatermarkStore(objects, clock, ANA).change(table, "note", note)

    assert metadata(objects, table)["store"] == "abc"
    assert document(objects) == {"id": "abc", "format": 9, "min_format": 2, "later": True}


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"{}", b'{"id": 7}', b'{"id": "a", "roots": 7}', b"[" * 100_000])
def test_a_corrupt_document_of_the_store_stops_every_change_and_is_kept(
    objects: ObjectStore, clock: HandClock, table: TableName, data: bytes
) -> None:
    objects.put(STORE, data)

    with pytest.raises(Unreadable) as error:
        WatermarkStore(objects, clock, ANA).change(table, "note", note)

    assert error.value.key == STORE
    assert objects.get(STORE).data == data
    assert list(objects.list("watermark/tables/")) == []


def test_the_warehouse_of_each_profile_is_remembered_also_when_two_do_so_at_once(
    watermarks: WatermarkStore, objects: ObjectStore, clock: HandClock
) -> None:
    watermarks.identity()
    profiles = [f"profile-{number}" for number in range(4)]

    def remember(profile: str) -> None:
        WatermarkStore(objects, clock, ANA).remember_warehouse(profile, f"warehouse of {profile}")

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(remember, profiles))

    assert document(objects)["warehouses"] == {profile: f"warehouse of {profile}" for profile in profiles}


def test_a_warehouse_remembered_already_is_not_written_again(
    watermarks: WatermarkStore, objects: ObjectStore, clock: HandClock
) -> None:
    watermarks.remember_warehouse("prod", "w1")
    before = objects.head(STORE)
    clock.advance(hours=1)

    watermarks.remember_warehouse("prod", "w1")
    WatermarkStore(objects, clock, BEN).remember_warehouse("prod", "w1")
    assert objects.head(STORE) == before

    watermarks.remember_warehouse("prod", "w2")
    known = WatermarkStore(objects, clock, BEN).known_identity()
    assert known is not None
    assert known.warehouses == watermarks.identity().warehouses == {"prod": "w2"}


def test_an_edit_that_drops_or_forges_the_id_of_a_document_does_not_change_the_stores(
    watermarks: WatermarkStore, objects: ObjectStore, table: TableName
) -> None:
    watermarks.change(table, "note", note)
    text = objects.get(watermark_key(table)).data.decode()
    known = document(objects)["id"]
    objects.put(watermark_key(table), text.replace(f'"store": "{known}"', '"store": "forged"').encode())
    assert metadata(objects, table)["store"] == "forged"

    watermarks.change(table, "note", note)

    assert metadata(objects, table)["store"] == document(objects)["id"] == known


def test_an_identity_knows_the_roots_it_was_written_from() -> None:
    root = store_identity.Root("s3://a/", "2025-08-14T12:00:00Z", "ana@host-1")

    assert StoreIdentity("x", roots=(root,)).knows("s3://a/")
    assert not StoreIdentity("x").knows("s3://a/")


def test_a_proof_that_does_not_hold_any_more_is_not_trusted_by_the_next_process(
    s3: S3Server, clock: HandClock, table: TableName
) -> None:
    objects = S3Store(f"s3://{s3.new_bucket()}/lake", S3Config(endpoint_url=s3.endpoint_url))
    WatermarkStore(objects, clock, ANA).change(table, "note", note)
    s3.faults.add(ignore_headers("If-Match", "If-None-Match"), times=None)
    with pytest.raises(ConditionsIgnored):
        WatermarkStore(objects, clock, ANA).prove_conditions()

    with pytest.raises(ConditionsIgnored):
        WatermarkStore(objects, clock, BEN).change(table, "note", note)

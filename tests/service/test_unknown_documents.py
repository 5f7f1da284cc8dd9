"""Documents that are no part of the configuration are named, those of the older tool with their table."""

import json
from pathlib import Path

import pytest

from wmtui.model import TableName, utc_now
from wmtui.objects import ObjectStore
from wmtui.objects.directory import DirectoryStore
from wmtui.service import unknown_documents
from wmtui.service.unknown_documents import UnknownDocument

ORDERS = TableName("shop", "orders")


@pytest.fixture
def objects(tmp_path: Path) -> ObjectStore:
    return DirectoryStore(str(tmp_path), utc_now)


def found(objects: ObjectStore, *keys: str, data: bytes = b"{}") -> list[UnknownDocument]:
    for key in keys:
        objects.put(f"watermark/{key}", data)
    return unknown_documents.find(objects, [ORDERS, TableName("shop", "order_lines")])


def test_what_wmtui_writes_is_no_stranger(objects: ObjectStore) -> None:
    own = (
        "store.json", "last_run_timestamp.txt", "tables/shop.orders.json", "locks/shop.orders.json",
        "journal/shop.orders/000000000001.json", "runs/shop.orders/1.json", "loads/shop.orders/2025-08-14.json",
        "decisions/shop.orders.json", "manifests/1.json", "probe/1.json", "tables/_doctor/probe", "_doctor/probe",
    )  # fmt: skip
    assert found(objects, *own) == []


def test_a_document_of_the_older_tool_is_named_with_its_table_and_what_it_had_loaded(objects: ObjectStore) -> None:
    data = json.dumps({"table_name": "shop.order_lines", "processed_s3_files": ["a", "b"]}).encode()
    (document,) = found(objects, "tables/shop_order_lines.json", data=data)
    assert document == UnknownDocument("watermark/tables/shop_order_lines.json", TableName("shop", "order_lines"), 2)
    assert "it names 2 files as loaded, which would be loaded again" in document.finding
    assert "`wmtui watermark set -t shop.order_lines --timestamp …`" in document.next_step


def test_other_tables_other_names_and_other_folders_are_named(objects: ObjectStore) -> None:
    keys = ("tables/shop.gone.json", "tables/notes.txt", "backup/a", "backup/b", "old.json", "tables/shop.orders.json")
    assert [s.key for s in found(objects, *keys)] == [
        "watermark/tables/notes.txt",
        "watermark/tables/shop.gone.json",
        "watermark/backup/",
        "watermark/old.json",
    ]


def test_a_document_that_is_no_json_is_named_all_the_same(objects: ObjectStore) -> None:
    (document,) = found(objects, "tables/shop_orders.json", data=b"\xff{")
    assert (document.table, document.loaded) == (ORDERS, 0)

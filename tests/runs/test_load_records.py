"""Load records: exact round trips, compare-and-swap, and which loads count for a target.

Guards against files loaded again because their record was pruned or could not be read.
"""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta

import pytest

from tests.clock import NOON
from tests.files.conftest import TABLE
from tests.runs.conftest import BROKEN, record
from wmtui.errors import Unreadable
from wmtui.objects import ObjectStore
from wmtui.runs.load_records import Destination, Load, LoadRecords, loaded_files

ORDERS = Destination("w1", "orders")


def test_load_records_are_read_back_oldest_first_from_a_day_on(objects: ObjectStore) -> None:
    loads = LoadRecords(objects, TABLE)
    made = [record(f"load-{days}", NOON + timedelta(days=days), files=2) for days in range(3)]
    for load in made:
        loads.add(load)
    loads.add(record("load-0b"))

    assert list(loads.since(None)) == [made[0], record("load-0b"), *made[1:]]
    assert list(loads.since(date(2025, 8, 15))) == made[1:]
    assert list(loads.since(date(2025, 8, 17))) == []


def test_a_load_recorded_twice_is_one_record(objects: ObjectStore) -> None:
    loads = LoadRecords(objects, TABLE)

    for _ in range(2):
        loads.add(record("load-1"))

    assert list(loads.since(None)) == [record("load-1")]


def test_loads_recorded_at_once_are_all_there(objects: ObjectStore) -> None:
    loads = LoadRecords(objects, TABLE)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda n: loads.add(record(f"load-{n}")), range(8)))

    assert {load.load_id for load in loads.since(None)} == {f"load-{n}" for n in range(8)}


def test_a_load_is_filed_under_the_day_it_ended_in_utc(objects: ObjectStore) -> None:
    LoadRecords(objects, TABLE).add(record("load-1", datetime(2025, 8, 14, 23, 59, tzinfo=UTC)))

    assert [info.key for info in objects.list("watermark/loads/")] == ["watermark/loads/shop.orders/2025-08-14.json"]


@pytest.mark.parametrize("data", [b"", b"[]", b'{"loads": []}', b'{"table": "shop.orders_detail"}', BROKEN[-1]])
def test_corrupt_load_records_are_reported_by_key_and_never_overwritten(objects: ObjectStore, data: bytes) -> None:
    key = "watermark/loads/shop.orders/2025-08-14.json"
    objects.put(key, data)
    loads = LoadRecords(objects, TABLE)

    with pytest.raises(Unreadable) as error:
        list(loads.since(None))
    with pytest.raises(Unreadable):
        loads.add(record("load-1"))

    assert error.value.key == key
    assert objects.get(key).data == data


def test_other_objects_between_load_records_are_no_records(objects: ObjectStore) -> None:
    loads = LoadRecords(objects, TABLE)
    loads.add(record("load-1"))
    for name in ("README.md", ".DS_Store", "2025-08-14.json.bak"):
        objects.put(f"watermark/loads/shop.orders/{name}", b"x")

    assert list(loads.since(None)) == [record("load-1")]


def test_a_file_counts_as_loaded_into_its_target_from_the_first_epoch_to_its_own() -> None:
    records = [record("a", files=2), record("b", epoch=2), record("c", target="orders_copy")]

    assert loaded_files(records, ORDERS, 1) == {"k0": Load("e0", NOON, "b"), "k1": Load("e1", NOON, "a")}
    assert loaded_files(records, ORDERS, 2) == {"k0": Load("e0", NOON, "b")}
    assert loaded_files(records, ORDERS, 3) == {}


def test_only_the_last_load_of_a_key_counts() -> None:
    records = [record("a", version="-v1"), record("b", NOON + timedelta(hours=1), version="-v2")]

    assert loaded_files(records, ORDERS, 1) == {"k0": Load("e0-v2", NOON + timedelta(hours=1), "b")}


def test_a_load_into_another_warehouse_does_not_count_and_one_of_no_warehouse_is_the_default_profile_s() -> None:
    other, nameless = [record("a", warehouse="w2")], [record("a", warehouse=None)]

    for warehouse in ("w1", None):
        assert loaded_files(other, Destination(warehouse, "orders"), 1) == {}
        assert loaded_files(nameless, Destination(warehouse, "orders"), 1) == {"k0": Load("e0", NOON, "a")}
        assert loaded_files(nameless, Destination(warehouse, "orders", unnamed=False), 1) == {}


def test_a_load_recorded_before_warehouses_had_ids_is_read(objects: ObjectStore) -> None:
    file = '{"key": "k0", "uri": "s3://b/a/k0", "etag": "e0", "rows": 10}'
    load = f'{{"load_id": "a", "target": "orders", "epoch": 1, "token": 3, "files": [{file}]'
    times = '"started": "2025-08-14T11:59:00Z", "ended": "2025-08-14T12:00:00Z"}'
    document = f'{{"table": "shop.orders", "version": 1, "loads": [{load}, {times}]}}'
    objects.put("watermark/loads/shop.orders/2025-08-14.json", document.encode())

    assert list(LoadRecords(objects, TABLE).since(None)) == [record("a", warehouse=None)]

"""What every object store promises, tested on S3 over HTTP and on a folder."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, timedelta

import pytest

from tests.objects.conftest import Stores
from wmtui.errors import ObjectMissing, PreconditionFailed
from wmtui.model import Level
from wmtui.objects import ObjectStore
from wmtui.objects.conditional_writes import prove_conditions

DOCUMENT = "watermark/tables/shop.orders.json"
PART = "incremental/shop.orders/year=2025/month=08/day=09/shop.orders_1.parquet"


@pytest.mark.parametrize("key", [DOCUMENT, PART])
@pytest.mark.parametrize("data", [b"", b"\x00\xff\r\n\x1a", "{'Grüße': '你好 🚚'}".encode(), bytes(range(256)) * 5000])
def test_an_object_comes_back_as_it_was_written(store: ObjectStore, key: str, data: bytes) -> None:
    etag = store.put(key, data)

    found = store.get(key)

    assert found.data == data
    assert found.info == store.head(key)
    assert (found.info.key, found.info.etag, found.info.size) == (key, etag, len(data))
    assert list(store.list("")) == [found.info]


@pytest.mark.parametrize("key", [DOCUMENT, PART])
def test_the_end_of_an_object_can_be_read_alone(store: ObjectStore, key: str) -> None:
    store.put(key, b"0123456789")

    assert store.get(key, last=3).data == b"789"
    assert store.get(key, last=3).info == store.head(key)
    assert store.get(key, last=99).data == b"0123456789"


def test_times_are_the_stores_own_aware_and_modification_is_in_whole_seconds(store: ObjectStore) -> None:
    store.put(DOCUMENT, b"1")

    found = store.get(DOCUMENT)

    assert found.now.tzinfo is UTC
    assert found.info.last_modified.tzinfo is UTC
    assert found.info.last_modified.microsecond == 0
    assert timedelta(0) <= found.now - found.info.last_modified < timedelta(minutes=1)


def test_an_etag_is_bare_and_changes_with_the_content(store: ObjectStore) -> None:
    first, second = store.put(DOCUMENT, b"1"), store.put(DOCUMENT, b"2")

    assert first != second
    assert '"' not in first
    assert store.head(DOCUMENT).etag == second


def test_a_missing_object_is_missing_by_every_way_of_asking(store: ObjectStore) -> None:
    store.put("a/b.json", b"1")

    for key in ("a/c.json", "a", "a/b.json/c", "b"):
        with pytest.raises(ObjectMissing):
            store.get(key)
        with pytest.raises(ObjectMissing):
            store.head(key)
    assert list(store.list("b/")) == []


def test_a_deleted_object_is_gone_and_may_be_deleted_again(store: ObjectStore) -> None:
    for key in (DOCUMENT, PART):
        store.put(key, b"1")
        for _ in range(2):
            store.delete(key)
        with pytest.raises(ObjectMissing):
            store.get(key)
    assert list(store.list("")) == []


@pytest.mark.parametrize("key", [DOCUMENT, PART])
def test_creating_is_refused_where_an_object_is(store: ObjectStore, key: str) -> None:
    store.put(key, b"first", if_absent=True)

    with pytest.raises(PreconditionFailed):
        store.put(key, b"second", if_absent=True)

    assert store.get(key).data == b"first"


@pytest.mark.parametrize("key", [DOCUMENT, PART])
def test_overwriting_is_refused_unless_the_etag_is_the_present_one(store: ObjectStore, key: str) -> None:
    stale = store.put(key, b"first")
    present = store.put(key, b"second!", if_match=stale)

    with pytest.raises(PreconditionFailed):
        store.put(key, b"third", if_match=stale)

    assert store.get(key).data == b"second!"
    assert store.get(key).info.etag == present


def test_overwriting_a_missing_object_is_refused(store: ObjectStore) -> None:
    with pytest.raises(PreconditionFailed):
        store.put(DOCUMENT, b"1", if_match="0" * 32)

    assert list(store.list("")) == []


def test_the_conditions_of_a_sound_store_are_proven_and_the_probe_is_removed(store: ObjectStore) -> None:
    prove_conditions(store)

    assert list(store.list("")) == []


@pytest.mark.parametrize("key", [DOCUMENT, PART])
def test_of_eight_threads_creating_one_object_exactly_one_wins(stores: Stores, key: str) -> None:
    store = stores.connect()

    def create(number: int) -> bytes | None:
        data = f"{number}".encode()
        try:
            store.put(key, data, if_absent=True)
        except PreconditionFailed:
            return None
        return data

    with ThreadPoolExecutor(8) as threads:
        winners = [data for data in threads.map(create, range(8)) if data is not None]

    assert winners == [store.get(key).data]


def test_increments_by_32_threads_are_all_counted(stores: Stores) -> None:
    store = stores.connect()
    store.put(DOCUMENT, b"0")

    def increment(_: int) -> None:
        while True:
            found = store.get(DOCUMENT)
            try:
                store.put(DOCUMENT, b"%d" % (int(found.data) + 1), if_match=found.info.etag)
            except PreconditionFailed:
                continue
            return

    with ThreadPoolExecutor(32) as threads:
        list(threads.map(increment, range(32)))

    assert store.get(DOCUMENT).data == b"32"


def test_what_one_client_writes_another_reads_lists_and_may_not_overwrite_unseen(stores: Stores) -> None:
    one, other = stores.connect(), stores.connect()
    seen = one.put(DOCUMENT, b"1")
    other.put(DOCUMENT, b"2", if_match=seen)

    with pytest.raises(PreconditionFailed):
        one.put(DOCUMENT, b"3", if_match=seen)

    assert list(one.list("")) == list(other.list(""))


def test_a_listing_goes_on_past_one_page_to_the_end(stores: Stores) -> None:
    keys = [f"incremental/a/{number:05d}.parquet" for number in range(2500)]
    stores.fill(keys)
    store = stores.connect()

    assert [info.key for info in store.list("incremental/")] == keys
    assert [info.key for info in store.list("incremental/a/", after=keys[1499])] == keys[1500:]


ODD_KEYS = [
    "a",
    "b b/x",
    "b%2Fb/x",
    "b-/x",
    "b.json",
    "b/x=1/y",
    "b/x=1/y.z",
    "b/x=10/y",
    "b/x=1=/y",
    "b0",
    "bä/x",
    "b你/x",
    "b🚚",
    "c+d&e?f#g",
]


def test_keys_come_in_utf8_byte_order_whatever_their_characters(stores: Stores) -> None:
    stores.fill(ODD_KEYS)

    keys = [info.key for info in stores.connect().list("")]

    assert keys == sorted(ODD_KEYS, key=str.encode)


def test_objects_with_odd_keys_can_be_written_and_read(store: ObjectStore) -> None:
    for key in ODD_KEYS:
        store.put(key, key.encode())

    assert [store.get(key).data.decode() for key in ODD_KEYS] == ODD_KEYS
    assert {info.key for info in store.list("")} == set(ODD_KEYS)


def test_after_and_prefix_cut_a_listing_at_any_place(stores: Stores) -> None:
    stores.fill(ODD_KEYS)
    store = stores.connect()
    ordered = sorted(ODD_KEYS, key=str.encode)

    for prefix in ("", "b", "b/", "b/x=1", "b/x=1/", "b/x=1/y", "bä", "nothing"):
        for after in ("", "0", "a", "b", "b/", "b/x=1/y", "b/x=1/yy", "b/z", "b0", "z", *ordered):
            expected = [key for key in ordered if key.startswith(prefix) and key.encode() > after.encode()]
            assert [info.key for info in store.list(prefix, after=after)] == expected, (prefix, after)


def test_a_prefix_that_ends_in_a_slash_keeps_similar_names_out(stores: Stores) -> None:
    stores.fill(["incremental/t_1/a", "incremental/t_10/a"])

    assert [info.key for info in stores.connect().list("incremental/t_1/")] == ["incremental/t_1/a"]


def test_a_key_has_one_address_for_every_client(stores: Stores) -> None:
    one, other = stores.connect(), stores.connect()

    assert one.uri(PART) == other.uri(PART)
    assert one.uri(PART).startswith(one.root)
    assert one.uri(PART).endswith(f"/{PART}")


def test_a_store_in_order_passes_its_check_and_stays_as_it_was(store: ObjectStore) -> None:
    store.put(DOCUMENT, b"1")
    before = list(store.list(""))

    findings = store.check()

    assert [finding.level for finding in findings] == [Level.OK, Level.OK]
    assert list(store.list("")) == before

"""The watermark document: what other tools wrote is read and kept, what is corrupt is reported and kept.

Guards against start points that silently become the beginning after an error, against unknown statuses that make a
watermark "missing", against fields wiped by a change of others, and against documents that grow with history.
"""

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.clock import NOON, HandClock
from wmtui.errors import Unreadable
from wmtui.layout import watermark_key
from wmtui.model import Position, TableName
from wmtui.objects import ObjectStore
from wmtui.watermarks import changes
from wmtui.watermarks.journal import Journal
from wmtui.watermarks.journal_entries import taken_back
from wmtui.watermarks.model import Watermark
from wmtui.watermarks.store import Author, WatermarkStore
from wmtui.watermarks.timestamps import parse_wall

ANA = Author("ana", "host-1")
HOUR = timedelta(hours=1)
MINIMAL = {"table_name": "shop.orders", "last_mysql_data_timestamp": "2025-08-09 20:00:01"}

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=3,
)


def place(objects: ObjectStore, table: TableName, **fields: Any) -> bytes:
    """Put a document as another tool writes it."""
    data = json.dumps({**MINIMAL, **fields}).encode()
    objects.put(watermark_key(table), data)
    return data


def set_to(watermarks: WatermarkStore, table: TableName, point: str = "2025-08-10 00:00:00") -> Watermark:
    return watermarks.change(table, "set", lambda mark: changes.set_point(mark, parse_wall(point), NOON - HOUR, NOON))


def make_older(mark: Watermark, objects: ObjectStore, version: int) -> None:
    """Write a document and the entry of its last change as an earlier version did."""
    assert mark.change is not None
    entry = {name: mark.change[name] for name in ("serial", "write_id", "at", "actor", "host", "action", "reason")}
    later = ("placed", "extracted_run", "warehouses") if version == 1 else ()
    before, after = (
        {name: value for name, value in content.items() if name not in later}
        for content in (taken_back(mark.content, mark.change), mark.content)
    )
    entry |= {"before": before, "after": after}
    metadata = {**mark.fields["metadata"], "version": version, "change": entry}
    document = {**after, "metadata": metadata}
    objects.put(watermark_key(mark.table), json.dumps(document).encode())
    objects.put(Journal(objects, mark.table).key(mark.serial), json.dumps(entry).encode())


def stored(objects: ObjectStore, table: TableName) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(objects.get(watermark_key(table)).data)
    return document


def test_a_missing_document_is_a_new_table(watermarks: WatermarkStore, table: TableName) -> None:
    found = watermarks.read(table)

    assert found.etag is None
    assert found.watermark == Watermark.new(table)
    assert (found.watermark.position, found.watermark.epoch, found.watermark.serial) == (None, 1, 0)
    assert found.watermark.fields["mysql_status"] == found.watermark.fields["redshift_status"] == "pending"


def test_a_name_and_a_data_timestamp_are_enough(
    watermarks: WatermarkStore, objects: ObjectStore, table: TableName
) -> None:
    place(objects, table, created_at="2024-01-01T00:00:00Z")

    mark = watermarks.read(table).watermark

    assert mark.position == Position(parse_wall("2025-08-09 20:00:01"))
    assert (mark.serial, mark.epoch, mark.fence, mark.is_manual) == (0, 1, 0, False)
    assert mark.fields["metadata"]["created_at"] == "2024-01-01T00:00:00Z"


def test_another_tools_fields_statuses_and_age_survive_every_change(
    watermarks: WatermarkStore, objects: ObjectStore, table: TableName
) -> None:
    unknown = {"x_owner": {"team": ["a", None, 1.5]}, "备注": "你好", "odd": "\ud800", "mysql_status": "paused by ops"}
    place(objects, table, **unknown, backup_strategy="nightly", created_at="2024-01-01T00:00:00Z", metadata={"v": [1]})

    assert watermarks.read(table).watermark.fields["mysql_status"] == "paused by ops"
    watermarks.change(table, "note", lambda _: {"last_error": "x"})
    watermarks.change(table, "note", lambda _: {"last_error": None})

    document = stored(objects, table)
    assert {name: document[name] for name in unknown} == unknown
    assert document["backup_strategy"] == "nightly"
    assert document["metadata"]["v"] == [1]
    assert document["metadata"]["created_at"] == "2024-01-01T00:00:00Z"


@given(st.dictionaries(st.text(max_size=5).map("x_".__add__), JSON_VALUES, max_size=3))
def test_any_unknown_field_survives_decoding_and_encoding(unknown: dict[str, Any]) -> None:
    table = TableName("shop", "orders")
    data = json.dumps({**MINIMAL, **unknown}).encode()

    again = Watermark.decode(table, Watermark.decode(table, data, "k").encode(), "k")

    assert {name: again.fields[name] for name in unknown} == unknown


CORRUPT = {
    "empty": b"",
    "blank": b" \n",
    "truncated": b'{"table_name": "shop.orders", "last_mysql',
    "not text": b"\xff\xfe\x00",
    "not UTF-8": b'{"table_name": "shop.orders", "x": "\xff"}',
    "nested without end": b'{"table_name": "shop.orders", "x": ' + b"[" * 100_000,
    "a list": b"[]",
    "null": b"null",
    "a number": b"1",
    "no name": b'{"last_mysql_data_timestamp": "2025-08-09 20:00:01"}',
}
WRONG: dict[str, dict[str, Any]] = {
    "another table": {"table_name": "shop.orders_detail"},
    "a timestamp with a zone": {"last_mysql_data_timestamp": "2025-08-09T20:00:01Z"},
    "a timestamp that is none": {"last_mysql_data_timestamp": "None"},
    "an empty timestamp": {"last_mysql_data_timestamp": ""},
    "a timestamp as number": {"last_mysql_data_timestamp": 1754769601},
    "an extraction time that is none": {"last_mysql_extraction_time": "soon"},
    "an extraction time before the first year": {"last_mysql_extraction_time": "0001-01-01T00:00:00+14:00"},
    "a load time as list": {"last_redshift_load_time": []},
    "a floor that is none": {"load_floor": "x"},
    "a key that is no list": {"last_processed_key": 5},
    "a key of nothing": {"last_processed_key": []},
    "a key of floats": {"last_processed_key": [1.5]},
    "an epoch that is no count": {"epoch": "1"},
    "an epoch that is true": {"epoch": True},
    "an epoch below zero": {"epoch": -1},
    "a fence that is no count": {"fence": 1.0},
    "a status that is no text": {"mysql_status": 3},
    "a strategy that is no text": {"backup_strategy": ["x"]},
    "a run that is no text": {"pending_extraction": 3},
    "an extracted run that is no text": {"extracted_run": 3},
    "a time of placing that is none": {"placed": "soon"},
    "warehouses that are a list": {"warehouses": []},
    "warehouses that are null": {"warehouses": None},
    "a warehouse that is no object": {"warehouses": {"w1": "success"}},
    "metadata that is no object": {"metadata": "x"},
    "a version from the future": {"metadata": {"version": 4}},
    "a version that is no number": {"metadata": {"version": "1"}},
    "a serial that is no count": {"metadata": {"serial": "7"}},
    "a serial below zero": {"metadata": {"serial": -1}},
}


@pytest.mark.parametrize(
    "data",
    [
        *(pytest.param(data, id=name) for name, data in CORRUPT.items()),
        *(pytest.param(json.dumps({**MINIMAL, **fields}).encode(), id=name) for name, fields in WRONG.items()),
    ],
)
def test_a_corrupt_document_is_reported_by_key_and_never_overwritten(
    folder: ObjectStore, clock: HandClock, table: TableName, data: bytes
) -> None:
    watermarks = WatermarkStore(folder, clock, ANA)
    key = watermark_key(table)
    folder.put(key, data)

    with pytest.raises(Unreadable) as error:
        watermarks.read(table)
    with pytest.raises(Unreadable):
        watermarks.change(table, "reset", changes.reset)

    assert error.value.key == key
    assert error.value.why
    assert key in str(error.value)
    assert folder.get(key).data == data


def test_a_change_keeps_every_field_it_does_not_name(
    watermarks: WatermarkStore, objects: ObjectStore, table: TableName
) -> None:
    place(objects, table, last_processed_key=[7, "x"], redshift_rows_loaded=12, pin={"owner": "ana"})

    watermarks.change(table, "failed", lambda _: {"mysql_status": "failed", "last_error": "boom"})

    document = stored(objects, table)
    assert document["last_mysql_data_timestamp"] == MINIMAL["last_mysql_data_timestamp"]
    assert document["last_processed_key"] == [7, "x"]
    assert document["redshift_rows_loaded"] == 12
    assert document["pin"] == {"owner": "ana"}
    assert document["last_error"] == "boom"


def test_setting_a_point_changes_exactly_what_makes_a_watermark_manual(
    watermarks: WatermarkStore, objects: ObjectStore, table: TableName
) -> None:
    place(
        objects,
        table,
        last_mysql_extraction_time="2025-08-14 15:30:45",
        last_processed_key=[7],
        last_error="boom",
        pending_extraction="run-1",
        mysql_status="failed",
        redshift_status="failed",
        redshift_rows_loaded=5,
        fence=3,
        epoch=2,
        pin={"owner": "ana"},
        extracted_run="run-0",
        warehouses={"w1": {"status": "success", "rows": 5, "accepted_at": "2025-08-01T00:00:00Z"}},
    )
    before = watermarks.read(table).watermark.content

    after = set_to(watermarks, table, "2025-08-10 00:00:00.25").content

    assert {name: after[name] for name in after if after[name] != before.get(name)} == {
        "timezone": "UTC",
        "last_mysql_data_timestamp": "2025-08-10 00:00:00.25",
        "load_floor": "2025-08-14T11:00:00Z",
        "placed": "2025-08-14T12:00:00Z",
        "last_mysql_extraction_time": None,
        "last_processed_key": None,
        "last_error": None,
        "pending_extraction": None,
        "extracted_run": None,
        "warehouses": {
            "w1": {
                "status": "pending",
                "rows": 5,
                "accepted_at": "2025-08-01T00:00:00Z",
                "loaded_to": "2025-08-14T11:00:00Z",
            }
        },
        "backup_strategy": "manual_cli",
        "mysql_status": "success",
        "redshift_status": "pending",
    }


def test_a_reset_makes_a_new_table_of_it_in_the_next_epoch(
    watermarks: WatermarkStore, objects: ObjectStore, table: TableName
) -> None:
    place(objects, table, last_processed_key=[7], load_floor="2025-08-01T00:00:00Z", fence=3, epoch=4, x_team="a")
    objects.put("watermark/loads/shop.orders/2025-08-09.json", b"{}")
    set_to(watermarks, table)

    mark = watermarks.change(table, "reset", changes.reset)

    new = Watermark.new(table)
    assert mark.content == {**new.content, "epoch": 5, "fence": 3, "x_team": "a", "timezone": "UTC"}
    assert objects.get("watermark/loads/shop.orders/2025-08-09.json").data == b"{}"
    assert len(list(objects.list("watermark/journal/shop.orders/"))) == 3


def test_after_a_reset_every_warehouse_waits_and_keeps_what_was_accepted_there(
    watermarks: WatermarkStore, objects: ObjectStore, table: TableName
) -> None:
    noted = {"status": "success", "accepted_at": "2025-08-01T00:00:00Z"}
    place(objects, table, redshift_status="success", warehouses={"w1": noted, "w2": {}}, extracted_run="run-0")

    mark = watermarks.change(table, "reset", changes.reset)

    assert mark.fields["warehouses"] == {"w1": {**noted, "status": "pending"}, "w2": {"status": "pending"}}
    assert (mark.load_status("w1", default=True), mark.extracted_run) == ("pending", None)


def test_an_undo_brings_back_no_word_of_what_is_loaded_into_a_warehouse(
    watermarks: WatermarkStore, table: TableName
) -> None:
    first = watermarks.change(table, "loaded", lambda _: {"warehouses": {"w1": {"status": "success", "rows": 5}}})
    later = {"w1": {"status": "success", "rows": 9}, "w2": {"status": "success"}}
    watermarks.change(table, "loaded", lambda _: {"warehouses": later})

    mark = watermarks.change(table, "undo", lambda seen: changes.undo(seen, first))

    assert mark.fields["warehouses"] == {"w1": {"status": "pending", "rows": 9}, "w2": {"status": "pending"}}


def test_a_load_is_noted_for_its_warehouse_and_as_the_tables_own_only_by_the_default_profile() -> None:
    known = {"w1": {"rows": 1, "accepted_at": "2025-08-01T00:00:00Z"}, "w2": {"rows": 2}}
    mark = Watermark.new(TableName("shop", "orders")).patched({"warehouses": known})
    noted = {"status": "success", "rows": 7, "loaded_at": "2025-08-14T12:00:00Z", "error": None, "profile": "prod"}

    def loaded(warehouse: str | None, *, default: bool) -> Watermark:
        patch = changes.finish_load(mark, warehouse, profile="prod", default=default, rows=7, at=NOON)
        return mark.patched(patch)

    other, own = (loaded("w1", default=default) for default in (False, True))
    nameless = loaded(None, default=True)

    assert other.fields["warehouses"] == {"w1": {**known["w1"], **noted}, "w2": {"rows": 2}}
    assert own.fields["warehouses"] == other.fields["warehouses"]
    assert nameless.fields["warehouses"] == known
    assert (other.load_status("w1", default=False), other.load_status("w2", default=False)) == ("success", "pending")
    assert {**other.content, "warehouses": known} == mark.content
    for changed in (own, nameless):
        assert changed.load_status(None, default=True) == "success"
        assert changed.fields["redshift_rows_loaded"] == 7
        assert changed.fields["last_redshift_load_time"] == "2025-08-14T12:00:00Z"


def test_a_document_of_version_1_is_read_and_becomes_one_of_the_newest_at_the_next_change(
    watermarks: WatermarkStore, objects: ObjectStore, table: TableName
) -> None:
    data = place(objects, table, redshift_status="success", x_team="a", metadata={"version": 1, "serial": 0})

    mark = watermarks.read(table).watermark
    assert (mark.extracted_run, mark.placed, mark.loads_into("w1")) == (None, None, {})
    assert mark.load_status("w1", default=True) == "success"
    assert mark.load_status("w1", default=False) == "pending"
    assert objects.get(watermark_key(table)).data == data

    watermarks.change(table, "note", lambda _: {"last_error": "x"})

    document = stored(objects, table)
    assert document["metadata"]["version"] == 3
    assert document["metadata"]["store"] == watermarks.identity().id
    assert {name: document[name] for name in ("placed", "extracted_run", "warehouses")} == {
        "placed": None,
        "extracted_run": None,
        "warehouses": {},
    }
    assert (document["x_team"], document["redshift_status"]) == ("a", "success")


@pytest.mark.parametrize("version", [1, 2])
def test_a_document_of_an_earlier_version_with_a_journal_is_not_taken_for_one_changed_outside(
    watermarks: WatermarkStore, objects: ObjectStore, table: TableName, version: int
) -> None:
    """Its entry has the whole contents before and after, of version 1 without the fields that came later."""
    make_older(watermarks.change(table, "first", lambda _: {"x_count": 1}), objects, version)
    assert watermarks.unadopted(table) is None

    watermarks.change(table, "second", lambda _: {"x_count": 2})

    journal = Journal(objects, table)
    assert [entry["action"] for entry in journal] == ["first", "second"]
    assert [journal.left_by(serial)[0]["x_count"] for serial in (1, 2)] == [1, 2]
    assert stored(objects, table)["metadata"]["version"] == 3


def test_a_reset_keeps_an_operators_pin(watermarks: WatermarkStore, table: TableName) -> None:
    pin = {"owner": "ana", "reason": "audit"}
    watermarks.change(table, "pin", lambda _: {"pin": pin})

    assert watermarks.change(table, "reset", changes.reset).fields["pin"] == pin


def test_a_document_does_not_grow_with_its_history(folder: ObjectStore, clock: HandClock, table: TableName) -> None:
    watermarks = WatermarkStore(folder, clock, ANA)
    for _ in range(10):
        set_to(watermarks, table)
    early = folder.head(watermark_key(table)).size

    for _ in range(190):
        set_to(watermarks, table)

    assert watermarks.read(table).watermark.serial == 200
    assert folder.head(watermark_key(table)).size - early < 20

"""The lock document: every field with its type, and what another version wrote kept.

Guards against a run that reads by what it cannot understand, and against one that drops what a newer wmtui left.
"""

import json
from typing import Any

import pytest

from tests.clock import NOON
from wmtui.errors import Unreadable
from wmtui.watermarks.lock_document import Broken, LastRun, LockDocument, SyncOutcome

KEY = "watermark/locks/shop.orders.json"
FULL = LockDocument(
    token=3,
    owner="ana",
    host="host-1",
    pid=5,
    run="run-1",
    phase="loading",
    rows=9,
    acquired=NOON,
    renewed=NOON,
    last_run=LastRun(NOON, SyncOutcome.FAILED, 7, "the disk is full"),
    last_success=NOON,
    extracted_to=NOON,
    extracted_behind=[1, "2025-08-14 10:00:00", [7]],
    clock_back=[1, "2025-08-14 10:00:00", [7], False],
    newest_key=7,
    held_by="a transaction",
    extracted_from=NOON,
    clock_read=NOON,
    batch="nightly",
    held_since=NOON,
    decisions=2,
    last_verified={"w1": {"result": "right"}},
    committed_run="run-0",
    recorded_in={"w1": "load-1"},
    settled_in={"w1": {"run": "run-0"}},
    listed_in={"w1": {"held_back": 0}},
    target_columns={"prod": {"orders": {"columns": []}}},
    broken=Broken("run-0", "ben", "host-2", "2025-08-14T12:00:00Z", "host is gone"),
    write_id="w",
    extra={"x_team": "finance"},
)


def test_it_is_read_back_as_it_was_written() -> None:
    assert LockDocument.decode(KEY, FULL.encode()) == FULL
    assert LockDocument.decode(KEY, LockDocument().encode()) == LockDocument()


def test_a_document_that_says_nothing_has_the_fields_of_every_version() -> None:
    document = json.loads(LockDocument().encode())
    assert {name: value for name, value in document.items() if value is not None} == {"token": 0, "rows": 0}
    assert {"owner", "last_run", "last_success", "extracted_to", "decisions", "last_verified"} < document.keys()
    assert not {"committed_run", "broken", "write_id", "settled_in"} & document.keys()


def test_a_field_that_it_does_not_know_is_kept() -> None:
    found = LockDocument.decode(KEY, b'{"token": 1, "x_team": {"a": [1]}}')
    assert json.loads(found.encode())["x_team"] == {"a": [1]}


@pytest.mark.parametrize(
    "fields",
    [
        {"last_run": "failed"},
        {"last_run": {"outcome": "failed"}},
        {"last_run": {"at": "soon", "outcome": "failed", "rows": 0}},
        {"last_run": {"at": "2025-08-14T15:00:00Z", "outcome": "failed", "rows": float("inf")}},
        {"broken": {"run": "run-1"}},
        {"renewed": "soon"},
        {"acquired": 5},
        {"pid": "5"},
        {"batch": 5},
        {"newest_key": 1.5},
        {"decisions": True},
        {"held_by": []},
        {"committed_run": 7},
        {"extracted_behind": "2025-08-14"},
        {"recorded_in": {"w1": 5}},
        {"settled_in": {"w1": "run-1"}},
        {"listed_in": []},
        {"last_verified": "yesterday"},
        {"target_columns": 1},
    ],
)
def test_a_note_that_cannot_be_read_counts_as_not_made(fields: dict[str, Any]) -> None:
    assert LockDocument.of(fields) == LockDocument()


@pytest.mark.parametrize("fields", [{"token": "1"}, {"rows": None}, {"extracted_to": "soon"}, {"held_since": 5}])
def test_what_leases_and_reading_go_by_must_be_readable(fields: dict[str, Any]) -> None:
    with pytest.raises(Unreadable, match="not a lock document") as error:
        LockDocument.decode(KEY, json.dumps(fields).encode())
    assert error.value.key == KEY


def test_a_holder_of_whatever_name_holds_the_table() -> None:
    assert LockDocument.of({"owner": 5, "run": 7}).owner == "5"

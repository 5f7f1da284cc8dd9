"""Documents in the store that cannot be read: reported with their key, never overwritten, and other tables go on."""

import json

import pytest

from tests.bad_input.refusals import Refusals

GARBAGE = (b"", b"{", b"\xff\xfe\x00", b"[]", b"null", b"[" * 100_000)

READS = ("wmtui watermark get -t T", "wmtui watermark list", "wmtui files -t T", "wmtui status")
EDITS = ("wmtui watermark set -t T aug4", "wmtui watermark reset -t T")
SYNCS = ("wmtui sync -t T", "wmtui sync -t T --redshift-only", "wmtui sync -t T --dry-run")


def garble(refusals: Refusals, folder: str, **fields: object) -> str:
    """Break the newest document of T in a folder of the store, or give it fields; returns its key."""
    objects, table = refusals.stack.service.workspace.objects, refusals.stack.table()
    key = max(info.key for info in objects.list(f"watermark/{folder}/{table.key}"))
    data = json.dumps({**json.loads(objects.get(key).data), **fields}).encode() if fields else b"{broken"
    objects.put(key, data)
    return key


def goes_on(refusals: Refusals, key: str) -> None:
    """A run leaves the document as it is, fails for T, and syncs U."""
    stack = refusals.stack
    stack.insert((9, "9.50", "nine", stack.ago(minutes=5)), name="items")
    broken = refusals.get(key)

    results = {result["table"]: result for result in refusals.operator.json("wmtui sync -t T -t U", code=1)["tables"]}

    assert key in results[str(stack.table())]["error"]["what"]
    assert results[str(stack.table("items"))]["status"] == "success"
    assert stack.warehouse_rows("items") == stack.source_rows("items")
    refusals.operator.type("wmtui --run", code=1)
    assert key in refusals.operator.err
    assert refusals.get(key) == broken


WRONG_FIELDS = (
    {"table_name": "a.b"},
    {"last_mysql_data_timestamp": "soon"},
    {"last_mysql_data_timestamp": "2025-08-04T00:00:00+08:00"},
    {"last_mysql_extraction_time": 5},
    {"load_floor": "2025-13-01"},
    {"last_processed_key": "x"},
    {"fence": "many"},
    {"epoch": 10**30},
    {"mysql_status": 5},
    {"pending_extraction": 5},
    {"pin": "x"},
    {"pin": {"until": "soon"}},
    {"metadata": {"version": 4}},
    {"metadata": {"serial": 1.5}},
    {"metadata": {"serial": 10**20}},
)


def test_a_corrupt_watermark_is_reported_and_kept(refusals: Refusals) -> None:
    key = f"watermark/tables/{refusals.stack.table().key}.json"
    good = refusals.get(key)

    wrong = (json.dumps({**json.loads(good), **fields}).encode() for fields in WRONG_FIELDS)
    for data in (*wrong, *GARBAGE):
        refusals.put(key, data)
        refusals.operator.type("wmtui watermark get -t T", code=1)
        assert key in refusals.operator.err
    refusals.refused((*READS, *EDITS, *SYNCS), 1, key, "restore an earlier version")


def test_other_tables_go_on_beside_a_corrupt_watermark(refusals: Refusals) -> None:
    goes_on(refusals, garble(refusals, "tables"))
    items = str(refusals.stack.table("items"))

    listed = {found["table"]: found for found in refusals.operator.json("wmtui watermark list", code=1)["tables"]}
    assert listed[items]["document"]["mysql_status"] == "success"
    assert listed[str(refusals.stack.table())]["error"]["code"] == "document-unreadable"
    states = {found["table"]: found for found in refusals.operator.json("wmtui status", code=1)["tables"]}
    assert states[items]["healthy"]
    assert states[str(refusals.stack.table())]["problem"] == "unreadable"


WRONG_LOCKS = (
    {"token": "x"},
    {"rows": "x"},
    {"extracted_to": 5},
    {"last_success": "soon"},
)


def test_a_corrupt_lock_is_reported_and_kept(refusals: Refusals) -> None:
    for fields in WRONG_LOCKS:
        key = garble(refusals, "locks", **fields)
        refusals.refused(("wmtui status", "wmtui watermark list", SYNCS[0]), 1, key, "restore an earlier version")
        refusals.put(key, b'{"token": 1}')
    garble(refusals, "locks")
    refusals.refused((*READS[1:], *EDITS, *SYNCS), 1, key, "restore an earlier version")


def test_other_tables_go_on_beside_a_corrupt_lock(refusals: Refusals) -> None:
    goes_on(refusals, garble(refusals, "locks"))


def test_a_lock_that_names_an_impossible_run_is_no_obstacle(refusals: Refusals) -> None:
    lock = refusals.get(f"watermark/locks/{refusals.stack.table().key}.json")
    settled = {warehouse: {**left, "run": "../x"} for warehouse, left in json.loads(lock)["settled_in"].items()}
    assert settled
    garble(refusals, "locks", committed_run="../x", settled_in=settled)

    refusals.operator.type("wmtui sync -t T")

    assert refusals.stack.warehouse_rows() == refusals.stack.source_rows()


WRONG_RUNS = (
    {"table": "a.b"},
    {"high": "2025-08-04T00:00:00Z"},
    {"low": "2025-08-04T00:00:00+08:00"},
    {"started": "2025-08-04T00:00:00"},
    {"state": "lost"},
    {"ranges": [{"span": 5}]},
    {"final": {"cursor": "2025-08-04T00:00:00Z", "key": [1]}},
    {"version": 2},
)


def test_a_corrupt_run_document_is_reported_and_kept(refusals: Refusals) -> None:
    refusals.operator.type("wmtui sync -t T --backup-only")
    key = garble(refusals, "runs")
    refusals.refused(("wmtui files -t T", "wmtui watermark list"), 1, key, "restore an earlier version")
    refusals.refused(SYNCS[0], 1, key, "restore an earlier version", failed="mysql_status")
    refusals.refused(SYNCS[1], 1, key, "restore an earlier version", failed="redshift_status")


def test_a_run_document_with_a_wrong_field_is_reported(refusals: Refusals) -> None:
    refusals.operator.type("wmtui sync -t T --backup-only")
    key = garble(refusals, "runs", version=1)
    good = refusals.get(key)
    for fields in WRONG_RUNS:
        refusals.put(key, good)
        garble(refusals, "runs", **fields)
        for command in ("wmtui files -t T", "wmtui sync -t T"):
            refusals.operator.type(command, code=1)
            assert key in refusals.operator.err


def test_other_tables_go_on_beside_a_corrupt_run_document(refusals: Refusals) -> None:
    refusals.operator.type("wmtui sync -t T --backup-only")
    goes_on(refusals, garble(refusals, "runs"))


@pytest.mark.parametrize("fields", [{}, {"table": "a.b"}, {"loads": [{"load_id": 1}]}, {"version": 2}], ids=str)
def test_a_corrupt_load_record_is_reported_and_kept(refusals: Refusals, fields: dict[str, object]) -> None:
    key = garble(refusals, "loads", **fields)

    refusals.refused("wmtui files -t T", 1, key, "restore an earlier version")
    refusals.refused("wmtui watermark list", 1, key, "restore an earlier version")


def test_a_load_goes_on_once_its_record_is_restored(refusals: Refusals) -> None:
    good = refusals.get(garble(refusals, "loads", version=1))
    key = garble(refusals, "loads")

    goes_on(refusals, key)
    refusals.put(key, good)
    refusals.operator.type("wmtui sync -t T")

    assert refusals.stack.warehouse_rows() == refusals.stack.source_rows()


SYSTEM = "watermark/last_run_timestamp.txt"


def test_a_corrupt_system_watermark_is_reported_and_kept(refusals: Refusals) -> None:
    for data in (b"", b"soon", b"\xff\xfe", b"2025-08-04T00:00:00Z", b"2025-08-04 00:00:00\n2025-08-05 00:00:00"):
        refusals.put(SYSTEM, data)
        refusals.operator.type("wmtui watermark get", code=1)
        assert SYSTEM in refusals.operator.err
    moves = ("wmtui watermark set aug4 --force", "wmtui watermark reset 1week --force")
    refusals.refused(("wmtui watermark get", *moves), 1, SYSTEM, "restore an earlier version")


def test_a_corrupt_system_watermark_stops_only_tables_that_need_it(refusals: Refusals) -> None:
    refusals.operator.type("wmtui watermark reset -t T")
    refusals.put(SYSTEM, b"soon")

    refusals.refused("wmtui sync -t T", 1, SYSTEM, "restore an earlier version", failed="mysql_status")
    goes_on(refusals, SYSTEM)
    refusals.operator.type("wmtui watermark list", code=1)
    assert str(refusals.stack.table("items")) in refusals.operator.out
    assert SYSTEM in refusals.operator.err

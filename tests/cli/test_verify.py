"""`wmtui verify`."""

import os
import signal
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from tests.cli.conftest import Start, Wmtui
from tests.cli.test_watermark import corrupt
from tests.stack import Stack, ago
from wmtui.verify.row_differences import Comparison
from wmtui.watermarks.last_verification import LastVerified, last_verified

ORDERS = ("-t", "shop.orders")


def test_a_right_table_ends_with_0(wmtui: Wmtui) -> None:
    wmtui("sync", *ORDERS)

    found = wmtui("verify", *ORDERS, "--json")

    (orders,) = found.json["tables"]
    assert (found.code, found.json["exit_code"]) == (0, 0)
    assert (orders["result"], orders["reasons"], orders["left_out"]) == ("right", [], [])
    assert (orders["source_rows"], orders["warehouse_rows"], orders["compared"]) == (3, 3, 3)
    assert orders["examples"] == {"missing": [], "extra": [], "doubled": [], "differing": []}
    assert "✓ right" in wmtui("verify", *ORDERS).out


def test_every_finding_is_counted_listed_and_ends_with_1(wmtui: Wmtui, stack: Stack) -> None:
    wmtui("sync", *ORDERS)
    stack.warehouse("DELETE FROM orders WHERE id = 1")
    stack.warehouse("UPDATE orders SET note = 'bell \x07' WHERE id = 2")
    stack.warehouse("INSERT INTO orders VALUES (9, 1, NULL, NULL)")

    data, text = wmtui("verify", *ORDERS, "--json"), wmtui("verify", *ORDERS)

    (orders,) = data.json["tables"]
    assert (data.code, text.code) == (1, 1)
    assert [orders[finding] for finding in ("missing", "extra", "doubled", "differing")] == [1, 1, 0, 1]
    assert orders["examples"]["missing"] == [{"key": {"id": 1}, "source": None, "warehouse": None}]
    assert orders["examples"]["differing"] == [
        {"key": {"id": 2}, "source": {"note": "note 2"}, "warehouse": {"note": "bell \x07"}}
    ]
    assert orders["result"] == "not_right"
    assert [found["reason"] for found in orders["reasons"]] == ["missing", "differing", "extra"]
    assert "✗ not right" in text.out
    assert "shop.orders: not right: 1 row is missing; `wmtui " in text.out
    assert "shop.orders: missing id 1" in text.out
    assert "shop.orders: extra id 9" in text.out
    assert r"shop.orders: differing id 2: note is 'note 2' in the source, 'bell \x07' in the warehouse" in text.out
    assert "if they were deleted in the source, delete them in orders too" in text.out


def test_counts_stay_whole_when_no_example_is_wanted(wmtui: Wmtui, stack: Stack) -> None:
    wmtui("sync", *ORDERS)
    stack.warehouse("DELETE FROM orders")

    found = wmtui("verify", *ORDERS, "--json", "--examples", "0")

    (orders,) = found.json["tables"]
    assert (orders["missing"], orders["examples"]["missing"]) == (3, [])


def test_files_that_are_not_loaded_are_named_with_the_command_that_loads_them(wmtui: Wmtui) -> None:
    wmtui("sync", *ORDERS, "--backup-only")

    found = wmtui("verify", *ORDERS, "--json")

    (orders,) = found.json["tables"]
    assert found.code == 1
    assert (orders["result"], orders["missing"], orders["not_loaded"]) == ("not_right", 0, 3)
    assert orders["reasons"] == [
        {
            "reason": "not_loaded", "rows": 3, "files": 1,
            "what": "1 file is not loaded, with 3 rows that the warehouse lacks",
            "next": "`wmtui sync -t shop.orders --redshift-only` loads them",
            "commands": ["wmtui sync -t shop.orders --redshift-only"],
        }
    ]  # fmt: skip
    assert wmtui("sync", *ORDERS, "--redshift-only").code == 0
    assert wmtui("verify", *ORDERS).code == 0


def test_what_somebody_left_out_is_named_and_fails_only_where_that_is_asked_for(wmtui: Wmtui) -> None:
    wmtui("watermark", "set", *ORDERS, str(ago(minutes=58, seconds=30)))
    wmtui("sync", *ORDERS)

    data, text = wmtui("verify", *ORDERS, "--json"), wmtui("verify", *ORDERS, "--strict")

    (orders,) = data.json["tables"]
    assert (data.code, text.code, orders["result"]) == (0, 1, "left_out")
    (left,) = orders["left_out"]
    assert (left["reason"], left["rows"], left["serial"]) == ("before_point", 1, 1)
    assert "! left out" in text.out
    assert f"shop.orders: left out by {left['by']} at serial 1: 1 row is before the point of `set`" in text.out


def test_from_expects_rows_that_no_run_extracted(wmtui: Wmtui) -> None:
    wmtui("watermark", "set", *ORDERS, str(ago(minutes=58, seconds=30)))
    wmtui("sync", *ORDERS)

    assert wmtui("verify", *ORDERS).code == 0
    found = wmtui("verify", *ORDERS, "--from", "1day", "--json")

    assert (found.code, found.json["tables"][0]["missing"]) == (1, 1)


def test_a_table_that_cannot_be_compared_does_not_keep_the_others_from_it(wmtui: Wmtui, stack: Stack) -> None:
    wmtui("sync", *ORDERS)
    key = corrupt(stack)

    found = wmtui("verify", *ORDERS, "-t", "shop.items", "--json")

    orders, items = found.json["tables"]
    assert found.code == 1
    assert (orders["table"], items["table"], items["error"]) == ("shop.orders", "shop.items", None)
    assert key in orders["error"]["what"]
    assert key in found.err
    assert "✗ not compared" in wmtui("verify", *ORDERS).out


def test_verify_needs_a_table_and_a_point_it_understands(wmtui: Wmtui) -> None:
    assert wmtui("verify").code == 2
    assert wmtui("verify", *ORDERS, "--from", "yesterdy").code == 2


def test_verify_read_only_changes_nothing_and_says_that_nothing_is_recorded(wmtui: Wmtui, stack: Stack) -> None:
    wmtui("sync", *ORDERS)
    before = stack.mark(), stack.keys(""), noted(stack)

    found = wmtui("verify", *ORDERS, "--read-only")

    assert found.code == 0
    assert "nothing is recorded of this: read-only" in found.err
    assert (stack.mark(), stack.keys(""), noted(stack)) == before
    assert before[2] is None


def test_how_it_ended_is_noted_for_status_and_list(wmtui: Wmtui, stack: Stack) -> None:
    wmtui("sync", *ORDERS)
    watermark = stack.mark()

    wmtui("verify", *ORDERS)

    found = noted(stack)
    assert found is not None
    assert (found.result, found.rows, found.position) == ("right", 3, watermark["last_mysql_data_timestamp"][:19])
    stack.warehouse("DELETE FROM orders WHERE id = 1")
    wmtui("verify", *ORDERS)
    assert (again := noted(stack)) is not None
    assert (again.result, again.rows) == ("not_right", 2)
    assert stack.mark() == watermark


def noted(stack: Stack) -> LastVerified | None:
    """What the lock document says of the last comparison."""
    workspace = stack.service.workspace
    return last_verified(workspace.heartbeat(stack.table()), workspace.warehouse_id)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_however_it_ends_no_temporary_file_stays(
    start: Start, stack: Stack, tmp_path: Path, number: signal.Signals
) -> None:
    rows = "SELECT i, 1, 'x', TIMESTAMP '2025-01-01' + INTERVAL 1 SECOND * i FROM range(10, 400000) t(i)"
    stack.source(f"INSERT INTO shop.orders {rows}")
    stack.sync_one()
    folder = Path(tempfile.mkdtemp(dir=tmp_path))

    process = start("verify", *ORDERS, TMPDIR=str(folder))
    while not spooled(process.pid, folder):
        assert process.poll() is None
        time.sleep(0.01)
    assert list(folder.iterdir()) == []
    os.kill(process.pid, number)

    assert process.wait(60) == {signal.SIGTERM: 143, signal.SIGINT: 130}.get(number, -number)
    assert list(folder.iterdir()) == []


def spooled(pid: int, folder: Path) -> int:
    """Bytes in the files without a name that a process has in a folder."""
    size = 0
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            size += link.stat().st_size if str(link.readlink()).startswith(str(folder)) else 0
    return size


LIMITED = "import resource, runpy; resource.setrlimit(resource.{limit}); runpy.run_module('wmtui', run_name='__main__')"


def test_a_full_disk_is_told_in_words(start: Start, stack: Stack, tmp_path: Path) -> None:
    stack.sync_one()
    limited = ("-c", LIMITED.format(limit="RLIMIT_FSIZE, (1000, 1000)"))

    process = start("verify", *ORDERS, TMPDIR=str(tmp_path), python=limited)

    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "no room to compare the two sides" in err
    assert f"{tmp_path} is full" in err
    assert "TMPDIR=/path wmtui verify" in err


def test_no_folder_for_temporary_files_is_told_in_words(wmtui: Wmtui, monkeypatch: pytest.MonkeyPatch) -> None:
    wmtui("sync", *ORDERS)
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: ["/nowhere"])

    found = wmtui("verify", *ORDERS)

    assert found.code == 1
    assert "no room to compare the two sides" in found.err


@pytest.mark.parametrize("error", [duckdb.OutOfMemoryException("out"), MemoryError(), pa.ArrowMemoryError("malloc")])
def test_too_little_memory_is_told_in_words(wmtui: Wmtui, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    wmtui("sync", *ORDERS)

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(Comparison, "add", fail)

    found = wmtui("verify", *ORDERS)

    assert found.code == 1
    assert "too little memory to compare the two sides" in found.err

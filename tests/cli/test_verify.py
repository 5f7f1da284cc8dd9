"""`wmtui verify`."""

import os
import signal
import tempfile
from pathlib import Path

from tests.cli.conftest import Start, Wmtui
from tests.cli.test_watermark import corrupt
from tests.stack import Stack, ago

ORDERS = ("-t", "shop.orders")


def test_a_right_table_ends_with_0(wmtui: Wmtui) -> None:
    wmtui("sync", *ORDERS)

    found = wmtui("verify", *ORDERS, "--json")

    (orders,) = found.json["tables"]
    assert (found.code, found.json["exit_code"]) == (0, 0)
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
    assert "✗ wrong" in text.out
    assert "shop.orders: missing id 1" in text.out
    assert "shop.orders: extra id 9" in text.out
    assert r"shop.orders: differing id 2: note is 'note 2' in the source, 'bell \x07' in the warehouse" in text.out
    assert "extra rows may be deletions" in text.err


def test_counts_stay_whole_when_no_example_is_wanted(wmtui: Wmtui, stack: Stack) -> None:
    wmtui("sync", *ORDERS)
    stack.warehouse("DELETE FROM orders")

    found = wmtui("verify", *ORDERS, "--json", "--examples", "0")

    (orders,) = found.json["tables"]
    assert (orders["missing"], orders["examples"]["missing"]) == (3, [])


def test_files_that_are_not_loaded_are_named_and_are_no_failure(wmtui: Wmtui) -> None:
    wmtui("sync", *ORDERS, "--backup-only")

    found = wmtui("verify", *ORDERS, "--json")

    (orders,) = found.json["tables"]
    assert found.code == 0
    assert (orders["missing"], orders["not_loaded"], orders["not_loaded_files"]) == (0, 3, 1)
    assert "1 committed file is not loaded yet; load it first" in found.err


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


def test_verify_changes_nothing(wmtui: Wmtui, stack: Stack) -> None:
    wmtui("sync", *ORDERS)
    before = stack.mark(), stack.keys("")

    assert wmtui("verify", *ORDERS, "--read-only").code == 0
    assert (stack.mark(), stack.keys("")) == before


def test_a_signal_ends_it_and_no_temporary_file_stays(start: Start, stack: Stack, tmp_path: Path) -> None:
    rows = "SELECT i, 1, 'x', TIMESTAMP '2025-01-01' + INTERVAL 1 SECOND * i FROM range(10, 600000) t(i)"
    stack.source(f"INSERT INTO shop.orders {rows}")
    stack.sync_one()
    folder = Path(tempfile.mkdtemp(dir=tmp_path))

    process = start("verify", *ORDERS, TMPDIR=str(folder))
    while not any(folder.iterdir()):
        assert process.poll() is None
    os.kill(process.pid, signal.SIGTERM)

    assert process.wait(60) == 143
    assert list(folder.iterdir()) == []

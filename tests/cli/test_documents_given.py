"""Documents that other programs wrote: marks before the first letter, names that stand twice, nesting without end."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Outcome, Wmtui
from tests.stack import Stack

ORDERS = ("-t", "shop.orders")
MARK = b"\xef\xbb\xbf"


def imported(wmtui: Wmtui, folder: Path, data: bytes) -> Outcome:
    (folder / "document.json").write_bytes(data)
    return wmtui("watermark", "set", *ORDERS, "--from-file", "document.json", "--json")


def test_what_get_prints_is_taken_back_without_its_version(wmtui: Wmtui, tmp_path: Path, stack: Stack) -> None:
    wmtui("watermark", "set", *ORDERS, "aug4")
    for mark in (b"", MARK):
        printed = wmtui("watermark", "get", *ORDERS, "--json").out
        assert json.loads(printed)["schema_version"] == 1
        found = imported(wmtui, tmp_path, mark + printed.encode())
        assert found.code == 0, found.err

    assert "schema_version" not in stack.mark()


def test_a_name_that_stands_twice_is_refused(wmtui: Wmtui, tmp_path: Path) -> None:
    data = b'{"table_name": "shop.orders", "epoch": 1, "metadata": {"serial": 0, "serial": 1}}'

    found = imported(wmtui, tmp_path, data)

    assert found.code == 2
    assert "'serial' twice" in found.err


@pytest.mark.parametrize("nested", [b"[" * 30_000, b'{"a":' * 30_000])
def test_nesting_without_end_is_refused(wmtui: Wmtui, tmp_path: Path, stack: Stack, nested: bytes) -> None:
    found = imported(wmtui, tmp_path, nested)
    assert (found.code, "nested too deeply" in found.err) == (2, True)

    stack.service.workspace.objects.put("watermark/tables/shop.orders.json", nested)
    listed = wmtui("watermark", "list", "--json")
    assert (listed.code, listed.json["tables"][0]["error"]["code"]) == (1, "document-unreadable")


def test_a_mark_before_any_document_of_the_store_is_no_letter(wmtui: Wmtui, stack: Stack) -> None:
    assert wmtui("sync", *ORDERS).code == 0
    assert wmtui("watermark", "set", "aug4", "--force").code == 0
    for path in (stack.path.parent / "lake/watermark").rglob("*"):
        if path.suffix in (".json", ".txt"):
            path.write_bytes(MARK + path.read_bytes())
    stack.insert((4, "1.00", "four", stack.ago(minutes=1)))

    assert wmtui("watermark", "get", "--json").json == {"system_watermark": "2025-08-04 00:00:00"}
    assert wmtui("watermark", "history", *ORDERS).code == 0
    assert wmtui("files", *ORDERS).code == 0
    found = wmtui("sync", *ORDERS, "--json")
    assert (found.code, found.json["tables"][0]["rows_loaded"]) == (0, 1), found.err

"""Many editors of one watermark: no edit is lost, none is doubled, and their order is the order in time."""

from pathlib import Path

from tests.chaos.editors import Edit, _out_of_order, edit_at_once, edit_differences
from tests.servers.s3 import S3Server


def test_edits_of_a_folder_store_at_once_are_all_in_the_journal(tmp_path: Path) -> None:
    edits = edit_at_once(str(tmp_path), "", editors=32, edits=10)
    assert len(edits) == 320
    assert list(edit_differences(str(tmp_path), "", edits)) == []


def test_edits_of_an_s3_store_at_once_are_all_in_the_journal(s3: S3Server) -> None:
    store = f"s3://{s3.new_bucket()}/lake"
    edits = edit_at_once(store, s3.endpoint_url, editors=8, edits=8)
    assert len(edits) == 64
    assert list(edit_differences(store, s3.endpoint_url, edits)) == []


def test_a_serial_below_that_of_an_earlier_edit_is_found() -> None:
    edits = [Edit(1, 2, 2, began=0.0, ended=1.0), Edit(2, 1, 1, began=2.0, ended=3.0)]
    assert len(list(_out_of_order(edits))) == 1

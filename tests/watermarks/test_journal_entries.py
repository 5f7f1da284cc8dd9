"""What a change leaves in document and journal: differences, from which every content can be put together again.

Guards against documents that hold large fields several times, and against a way back that is not exactly what was.
"""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.clock import HandClock
from wmtui.errors import Unreadable
from wmtui.layout import watermark_key
from wmtui.model import TableName
from wmtui.objects import ObjectStore
from wmtui.watermarks import journal_entries
from wmtui.watermarks.journal import Journal
from wmtui.watermarks.model import Watermark
from wmtui.watermarks.store import Author, WatermarkStore

ANA = Author("ana", "host-1")
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.floats(-2, 2) | st.text(max_size=2),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=3,
)
CONTENTS = st.dictionaries(st.sampled_from("abcd"), VALUES)


def text(content: Any) -> str:
    """As JSON: 1, 1.0 and true are three values."""
    return json.dumps(content, sort_keys=True)


@given(CONTENTS, CONTENTS)
def test_a_change_leads_from_one_content_to_the_other_and_back(before: dict[str, Any], after: dict[str, Any]) -> None:
    entry = {"changed": journal_entries.changed_fields(before, after)}

    assert text(journal_entries.applied(before, entry)) == text(after)
    assert text(journal_entries.taken_back(after, entry)) == text(before)


@given(CONTENTS, CONTENTS)
def test_contents_have_one_digest_exactly_when_they_are_one(one: dict[str, Any], other: dict[str, Any]) -> None:
    same = text(one) == text(other)

    assert (journal_entries.digest(one, {}) == journal_entries.digest(other, {})) == same


def test_a_field_that_a_later_version_adds_is_no_change() -> None:
    assert journal_entries.digest({"a": 1}, {"later": {}}) == journal_entries.digest(
        {"a": 1, "later": {}}, {"later": {}}
    )


@pytest.mark.parametrize(("serial", "previous", "due"), [(1, 0, True), (2, 1, False), (50, 49, True), (51, 50, False)])
def test_the_first_entry_and_every_50th_hold_the_whole_content(serial: int, previous: int, due: bool) -> None:
    assert journal_entries.is_whole_due(serial, previous) is due


def test_a_50th_serial_that_was_left_out_is_made_up_for() -> None:
    assert journal_entries.is_whole_due(52, 49)


@pytest.fixture
def kept(folder: ObjectStore, clock: HandClock, table: TableName) -> tuple[Journal, list[Watermark]]:
    """A journal of 120 changes, and the document as each left it."""
    watermarks = WatermarkStore(folder, clock, ANA)
    left = [watermarks.change(table, "note", lambda _, n=n: {"x": n, f"x_{n % 7}": [n]}) for n in range(1, 121)]
    return Journal(folder, table), left


def test_what_every_change_left_is_told_from_the_journal(kept: tuple[Journal, list[Watermark]]) -> None:
    journal, left = kept

    for mark in left:
        assert journal.left_by(mark.serial)[0] == mark.content
    assert [entry["serial"] for entry in journal if journal_entries.is_whole(entry)] == [1, 50, 100]
    for earlier, later in pairwise(left):
        assert later.change is not None
        assert journal_entries.taken_back(later.content, later.change) == earlier.content


def test_without_an_entry_in_between_nobody_guesses(kept: tuple[Journal, list[Watermark]], folder: ObjectStore) -> None:
    journal, left = kept
    folder.delete(journal.key(70))

    for serial in (70, 71, 99):
        with pytest.raises(Unreadable, match="missing") as refused:
            journal.left_by(serial)
        assert refused.value.key == journal.key(70)
    assert [journal.left_by(serial)[0] for serial in (69, 100)] == [left[68].content, left[99].content]


def test_changes_that_do_not_add_up_are_not_gone_back_to(
    kept: tuple[Journal, list[Watermark]], folder: ObjectStore
) -> None:
    journal, _ = kept
    entry = json.loads(folder.get(journal.key(70)).data)
    entry["changed"]["x"]["after"] = "another"
    folder.put(journal.key(70), json.dumps(entry).encode())

    with pytest.raises(Unreadable, match="do not add up"):
        journal.left_by(70)


def test_a_large_field_of_another_tool_is_in_the_document_once(
    folder: ObjectStore, clock: HandClock, table: TableName
) -> None:
    size = 300_000
    document = {"table_name": str(table), "last_mysql_data_timestamp": "2025-08-09 20:00:01", "x_large": "x" * size}
    folder.put(watermark_key(table), json.dumps(document).encode())
    watermarks = WatermarkStore(folder, clock, ANA)

    for number in range(1, 60):
        watermarks.change(table, "note", lambda _, n=number: {"last_error": f"{n}"})

    mark = watermarks.read(table).watermark
    assert mark.fields["x_large"] == document["x_large"]
    assert folder.head(watermark_key(table)).size < size + 3_000
    sizes = [folder.head(Journal(folder, table).key(serial)).size for serial in range(1, 61)]
    assert [serial for serial, of_entry in enumerate(sizes, 1) if of_entry > size] == [1, 50]
    assert max(of_entry for of_entry in sizes if of_entry < size) < 2_000


def test_an_edit_made_outside_of_a_document_of_differences_is_told_and_can_be_gone_back_from(
    folder: ObjectStore, clock: HandClock, table: TableName
) -> None:
    watermarks = WatermarkStore(folder, clock, ANA)
    for number in range(3):
        seen = watermarks.change(table, "note", lambda _, n=number: {"x": n})
    document = json.loads(folder.get(watermark_key(table)).data)
    folder.put(watermark_key(table), json.dumps({**document, "x": "outside", "y": None}).encode())

    found = watermarks.unadopted(table)
    watermarks.change(table, "note", lambda _: {"last_error": "later"})

    assert found is not None
    assert found[0] == seen.content
    external = Journal(folder, table).get(4)
    assert external is not None
    assert external["action"] == "external"
    assert external["changed"] == {"x": {"before": 2, "after": "outside"}, "y": {"after": None}}


def test_an_edit_made_outside_is_adopted_although_an_entry_is_missing(
    folder: ObjectStore, clock: HandClock, table: TableName
) -> None:
    """The journal no longer tells what was before; the table goes on, and nothing is made up."""
    watermarks = WatermarkStore(folder, clock, ANA)
    for number in range(3):
        watermarks.change(table, "note", lambda _, n=number: {"x": n, "fence": 7})
    older = json.loads(folder.get(watermark_key(table)).data)
    watermarks.change(table, "note", lambda _: {"x": 3, "fence": 9})
    folder.delete(Journal(folder, table).key(2))
    folder.put(watermark_key(table), json.dumps({**older, "x": "outside"}).encode())

    mark = watermarks.change(table, "note", lambda _: {"last_error": "later"})

    assert (mark.fields["x"], mark.fence, mark.serial) == ("outside", 9, 6)
    assert Journal(folder, table).left_by(6)[0] == mark.content

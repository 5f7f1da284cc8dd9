"""`wmtui watermark pin` and `unpin`: nobody moves a watermark that somebody holds."""

from datetime import timedelta
from typing import Any

import pytest
import yaml

from tests.cli.conftest import Wmtui
from tests.stack import Stack

ORDERS = ("-t", "shop.orders")


def pin(wmtui: Wmtui, *line: str) -> Any:
    found = wmtui("watermark", "pin", *ORDERS, "--reason", "month end", "--json", *line)
    assert found.code == 0, found.err
    return found.json["pin"]


def held_by_another(stack: Stack) -> None:
    """Somebody else pins the table."""
    held = {"owner": "mei.lin", "reason": "audit", "until": None, "at": "2025-08-14T12:00:00Z"}
    stack.service.workspace.watermarks.change(stack.table(), "pin", lambda _: {"pin": held})


@pytest.fixture
def _by_its_clock(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands live by the stack's clock, which tests move."""
    monkeypatch.setattr("wmtui.cli.invocation.utc_now", stack.clock)


def test_a_pinned_table_is_not_extracted_and_says_who_holds_it_why_and_until_when(wmtui: Wmtui, stack: Stack) -> None:
    owner = pin(wmtui)["owner"]

    found = wmtui("sync", *ORDERS, "--json")

    assert found.code == 5
    (table,) = found.json["tables"]
    error = " ".join(table["error"][name] for name in ("what", "why", "next"))
    assert (table["status"], table["code"], table["error"]["code"]) == ("pinned", 5, "pinned")
    for part in ("pinned", f"held by {owner}", "month end", "until it is unpinned", "--redshift-only"):
        assert part in error
    assert stack.keys("incremental/") == []
    assert wmtui("sync", *ORDERS, "--force").code == 5
    assert wmtui("sync", *ORDERS, "--dry-run").code == 5


def test_a_pin_has_owner_reason_expiry_and_its_time(wmtui: Wmtui) -> None:
    held = pin(wmtui, "--until", "2099-01-01 00:00:00")

    assert set(held) == {"owner", "reason", "until", "at"}
    assert (held["reason"], held["until"]) == ("month end", "2099-01-01T00:00:00Z")
    assert "automated, pinned" in wmtui("watermark", "list").out
    people = wmtui("watermark", "get", *ORDERS).out
    assert f"{held['owner']}: month end, until 2099-01-01T00:00:00Z" in people


def test_loading_goes_on(wmtui: Wmtui, stack: Stack) -> None:
    wmtui("sync", *ORDERS, "--backup-only")
    pin(wmtui)

    found = wmtui("sync", *ORDERS, "--redshift-only", "--json")

    assert found.code == 0
    assert found.json["tables"][0]["rows_loaded"] == 3
    assert stack.mark()["pin"] is not None


def test_a_run_over_all_tables_reports_the_pinned_one_and_syncs_the_others(wmtui: Wmtui, stack: Stack) -> None:
    stack.insert((1, "1.00", "item", stack.ago(hours=1)), name="items")
    pin(wmtui)

    found = wmtui("--run", "--json")

    assert found.code == 0
    assert "is pinned" in found.err
    tables = {table["table"]: table for table in found.lines[-1]["tables"]}
    assert (tables["shop.orders"]["status"], tables["shop.orders"]["code"]) == ("pinned", 5)
    assert "held by" in tables["shop.orders"]["error"]["what"]
    assert (tables["shop.items"]["status"], tables["shop.items"]["rows_loaded"]) == ("success", 1)
    assert stack.mark()["last_error"] is None


@pytest.mark.usefixtures("_by_its_clock")
@pytest.mark.parametrize("until", ["2h", "point"])
def test_a_pin_expires(wmtui: Wmtui, stack: Stack, until: str) -> None:
    point = (stack.clock() + timedelta(hours=2)).strftime("%Y-%m-%d %H:%M:%S")
    pin(wmtui, "--until", point if until == "point" else until)
    assert wmtui("sync", *ORDERS).code == 5

    stack.clock.advance(timedelta(hours=2, seconds=1))

    assert wmtui("sync", *ORDERS).code == 0
    assert "pinned" not in wmtui("watermark", "list").out
    assert wmtui("watermark", "set", *ORDERS, "aug4").code == 0


@pytest.mark.parametrize("verb", [("set", "aug4"), ("reset",), ("undo",)], ids=lambda verb: verb[0])
def test_a_pinned_watermark_is_not_moved_by_hand_either(wmtui: Wmtui, stack: Stack, verb: tuple[str, ...]) -> None:
    wmtui("watermark", "set", *ORDERS, "aug1")
    wmtui("watermark", "set", *ORDERS, "1week")
    held_by_another(stack)
    before = stack.mark()

    found = wmtui("watermark", verb[0], *ORDERS, *verb[1:], *(("--to", "1") if verb == ("undo",) else ()), "--force")

    assert (found.code, found.out) == (5, "")
    assert "held by mei.lin" in found.err
    assert "wmtui watermark unpin -t shop.orders" in found.err
    assert stack.mark() == before


def test_a_document_handed_in_neither_overrides_nor_brings_a_pin(wmtui: Wmtui, stack: Stack) -> None:
    free = wmtui("watermark", "get", *ORDERS, "--json").out
    document = stack.path.parent / "document.json"
    document.write_text(free)
    held_by_another(stack)
    assert wmtui("watermark", "set", *ORDERS, "--from-file", "document.json").code == 5

    wmtui("watermark", "unpin", *ORDERS)
    document.write_text(free.replace('"pin": null', '"pin": {"owner": "x"}'))
    assert wmtui("watermark", "set", *ORDERS, "--from-file", "document.json", "--json").json["pin"] is None


def test_unpinning_lets_everything_go_on_and_is_in_the_history(wmtui: Wmtui) -> None:
    pin(wmtui)

    assert wmtui("watermark", "unpin", *ORDERS, "--reason", "month is over").code == 0

    assert wmtui("sync", *ORDERS).code == 0
    pinned, unpinned, *_ = wmtui("watermark", "history", *ORDERS, "--json").json["changes"]
    assert (pinned["action"], pinned["reason"]) == ("pin", "month end")
    assert (unpinned["action"], unpinned["reason"]) == ("unpin", "month is over")
    assert list(pinned["diff"]) == list(unpinned["diff"]) == ["pin"]


def test_undo_brings_no_pin_back(wmtui: Wmtui, stack: Stack) -> None:
    wmtui("watermark", "set", *ORDERS, "aug4")
    pin(wmtui)
    wmtui("watermark", "unpin", *ORDERS)
    assert wmtui("watermark", "undo", *ORDERS).code == 2

    wmtui("watermark", "set", *ORDERS, "aug1")

    assert wmtui("watermark", "undo", *ORDERS, "--to", "2", "--json").json["pin"] is None
    assert stack.mark()["last_mysql_data_timestamp"] == "2025-08-04 00:00:00"


def test_the_owner_may_pin_again_and_nobody_else(wmtui: Wmtui, stack: Stack) -> None:
    pin(wmtui)
    assert pin(wmtui, "--until", "1d")["until"] is not None
    wmtui("watermark", "unpin", *ORDERS)
    held_by_another(stack)

    found = wmtui("watermark", "pin", *ORDERS, "--reason", "mine", "--force")

    assert found.code == 5
    assert "held by mei.lin" in found.err
    assert stack.mark()["pin"]["owner"] == "mei.lin"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (("pin", *ORDERS), "--reason"),
        (("pin", *ORDERS, "--reason", " "), "--reason"),
        (("pin", *ORDERS, "--reason", "x", "--until", "2020-01-01"), "in the past"),
        (("pin", *ORDERS, "--reason", "x", "--until", "3h ago"), "in the past"),
        (("pin", *ORDERS, "--reason", "x", "--until", "soonish"), "unknown preset 'soonish'"),
        (("pin", *ORDERS, "--reason", "x", "--read-only"), "read-only"),
        (("pin", "--reason", "x"), "-t"),
        (("unpin", *ORDERS), "not pinned"),
        (("unpin", *ORDERS, "--read-only"), "read-only"),
    ],
)
def test_a_line_that_holds_nothing_is_refused_and_changes_nothing(
    wmtui: Wmtui, stack: Stack, line: tuple[str, ...], words: str
) -> None:
    found = wmtui("watermark", *line)

    assert (found.code, found.out) == (2, "")
    assert words in found.err
    assert "\n  next: " in found.err
    assert stack.keys("") == []


@pytest.mark.parametrize("verb", ["undo", "unpin", "pin"])
def test_a_protected_profile_wants_a_reason_for_these_too(wmtui: Wmtui, stack: Stack, verb: str) -> None:
    stack.document["profiles"]["test"]["protected"] = True
    stack.path.write_text(yaml.safe_dump(stack.document))

    found = wmtui("watermark", verb, *ORDERS, "--profile", "test")

    assert found.code == 2
    assert "profile test is protected" in found.err

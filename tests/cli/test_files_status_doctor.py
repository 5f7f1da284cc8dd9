"""`wmtui files`, `status` and `doctor`."""

from pathlib import Path

import pytest

from tests.cli.conftest import Wmtui
from tests.cli.test_watermark import corrupt
from tests.stack import Stack

ORDERS = ("-t", "shop.orders")


def foreign(stack: Stack, name: str, table: str = "shop.orders") -> str:
    """Put a file of somebody else's under a table's folder; returns its key."""
    key = f"incremental/{table}/{name}"
    path = stack.path.parent / "lake" / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"PAR1")
    return key


def test_files_as_json_has_a_verdict_per_file(wmtui: Wmtui, stack: Stack) -> None:
    wmtui("sync", *ORDERS)
    key = foreign(stack, "other.parquet")

    found = wmtui("files", *ORDERS, "--json")

    data = found.json
    assert found.code == 0
    assert set(data) == {
        *("table", "found", "selected", "held_back", "verdicts", "reasons", "hint", "since", "all_days_listed_at")
    }
    assert (data["table"], data["found"], data["selected"]) == ("shop.orders", 2, 1)
    assert data["reasons"] == {"loaded": 1, "in_session": 1}
    by_key = {verdict.pop("key"): verdict for verdict in data["verdicts"]}
    assert set(by_key[key]) == {
        "last_modified",
        "size",
        "etag",
        "selected",
        "held_back",
        "rule",
        "reason",
        "distance_seconds",
    }
    assert (by_key[key]["selected"], by_key[key]["rule"], by_key[key]["size"]) == (True, 5, 4)
    assert by_key[key]["distance_seconds"] > 35_000


def test_files_tells_people_why_and_what_would_let_files_in(wmtui: Wmtui, stack: Stack) -> None:
    key = foreign(stack, "other.parquet")
    foreign(stack, "notes.txt")
    wmtui("watermark", "set", *ORDERS, "2099-01-01", "--force")

    lines = wmtui("files", *ORDERS).out.splitlines()

    assert lines[1].startswith("! held back")
    assert key in lines[1]
    assert "too old: not after the watermark 2099-01-01T00:00:00Z" in lines[1]
    text = "\n".join(lines)
    assert "known from the load records" in text
    assert "Found 1 files, filtered to 0 files for loading" in text
    assert "before_watermark 1" in text
    assert "1 name ignored, no Parquet files: incremental/shop.orders/notes.txt" in text
    assert "1 file enters if you set " in text


def test_no_files_at_all_names_the_places_looked_at(wmtui: Wmtui) -> None:
    found = wmtui("files", *ORDERS)

    assert found.code == 0
    assert "Found 0 files, filtered to 0 files for loading" in found.out
    assert "nothing found under incremental/shop.orders/ and incremental/year=" in found.out


@pytest.mark.parametrize("line", [(), ("-t", "shop.ordres")])
def test_files_needs_a_table_it_knows(wmtui: Wmtui, line: tuple[str, ...]) -> None:
    found = wmtui("files", *line, "--json")

    assert (found.code, found.json["error"]["kind"]) == (2, "usage")


def test_status_is_1_until_every_table_was_synced(wmtui: Wmtui) -> None:
    before = wmtui("status", "--json")
    wmtui("--run")
    after = wmtui("status", "--json")

    assert (before.code, after.code) == (1, 0)
    assert [table["problem"] for table in before.json["tables"]] == ["never synced", "never synced"]
    orders, _ = after.json["tables"]
    assert (orders["table"], orders["healthy"], orders["problem"]) == ("shop.orders", True, None)
    assert orders["lag_seconds"] < 60
    assert orders["last_success"].endswith("Z")
    assert (orders["phase"], orders["owner"], orders["error"]) == (None, None, None)


def test_status_is_1_when_the_last_success_is_too_old(wmtui: Wmtui) -> None:
    wmtui("--run")

    found = wmtui("status", "--max-age", "0s")

    assert found.code == 1
    assert "✗ stale" in found.out


def test_status_shows_an_unreadable_table_beside_the_others(wmtui: Wmtui, stack: Stack) -> None:
    wmtui("--run")
    key = corrupt(stack)

    found = wmtui("status")

    assert found.code == 1
    assert "✗ unreadable" in found.out
    assert "✓ ok" in found.out
    assert key in found.err


@pytest.mark.parametrize("age", ["2x", "-1h", "", "1.5h"])
def test_a_bad_age_is_refused(wmtui: Wmtui, age: str) -> None:
    found = wmtui("status", "--max-age", age)

    assert found.code == 2
    assert "such as 5s, 10m, 2h or 1d" in found.err


def test_doctor_finds_everything_in_place(wmtui: Wmtui) -> None:
    found = wmtui("doctor", *ORDERS, "--json")

    assert found.code == 0, found.out
    subjects = [finding["subject"] for finding in found.json["findings"]]
    assert {"conditional writes", "source", "warehouse", "shop.orders: primary key"} <= set(subjects)
    assert "✓ ok" in wmtui("doctor").out


def test_doctor_writes_nothing_when_told_so(wmtui: Wmtui, stack: Stack) -> None:
    found = wmtui("doctor", "--read-only", "--json")

    assert "conditional writes" not in [finding["subject"] for finding in found.json["findings"]]
    assert stack.keys("") == []


def test_doctor_is_1_for_a_table_that_cannot_be_synced(wmtui: Wmtui, stack: Stack) -> None:
    stack.reload(orders={"cursor": "updated"})

    found = wmtui("doctor", *ORDERS)

    assert found.code == 1
    assert "✗ error" in found.out
    assert "update_at" in found.out


def test_doctor_is_4_when_something_cannot_be_reached(wmtui: Wmtui, stack: Stack) -> None:
    stack.document["profiles"]["test"]["source"]["path"] = str(Path("missing") / "source.duckdb")
    stack.reload()

    found = wmtui("doctor", *ORDERS)

    assert found.code == 4
    assert "✓ ok" in found.out


def test_writing_off_what_is_held_back_asks_first_and_needs_a_reason(wmtui: Wmtui, stack: Stack) -> None:
    key = foreign(stack, "other.parquet")
    wmtui("watermark", "set", "-t", "shop.orders", "--timestamp", "2099-01-01 00:00:00", "--force")
    shown = wmtui("files", "-t", "shop.orders")
    assert "! held back" in shown.out
    assert "held back: 1 file" in shown.out
    for refused in (["--write-off"], ["--write-off", "--reason", "r"], ["--key", key], ["--write-off", "--skip", key]):
        assert wmtui("files", "-t", "shop.orders", *refused).code == 2

    done = wmtui("files", "-t", "shop.orders", "--write-off", "--reason", "loaded by hand", "--yes", "--json")
    assert (done.code, done.json["decision"], done.json["keys"]) == (0, "written off", [key])
    assert wmtui("files", "-t", "shop.orders", "--json").json["reasons"] == {"written_off": 1}
    again = wmtui("files", "-t", "shop.orders", "--write-off", "--reason", "again")
    assert (again.code, "nothing is held back" in again.err) == (0, True)

    assert wmtui("files", "-t", "shop.orders", "--unskip", key, "--reason", "a mistake").code == 0
    assert wmtui("files", "-t", "shop.orders", "--json").json["held_back"] == 1


def test_skipping_a_file_is_refused_where_nothing_may_be_changed(wmtui: Wmtui, stack: Stack) -> None:
    key = foreign(stack, "other.parquet")
    assert wmtui("--read-only", "files", "-t", "shop.orders", "--skip", key, "--reason", "r").code == 2
    assert wmtui("files", "-t", "shop.orders", "--json").json["held_back"] == 0

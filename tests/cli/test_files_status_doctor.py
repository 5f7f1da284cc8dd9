"""`wmtui files`, `status` and `doctor`."""

import json
from collections.abc import Mapping
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


def test_data_of_two_days_ago_are_never_young_enough_because_a_run_was(wmtui: Wmtui, stack: Stack) -> None:
    wmtui("--run")
    mark_back(stack, days=2)

    found = wmtui("status", "--max-age", "1h", "--json")

    orders, items = found.json["tables"]
    assert found.code == 1
    assert (orders["state"], orders["severity"], orders["healthy"]) == ("stale", "error", False)
    assert orders["data_age_seconds"] == pytest.approx(2 * 86_400, abs=120)
    assert orders["age_seconds"] < 120
    assert (items["state"], items["healthy"]) == ("pending", True)
    assert "shop.orders: stale: its data is 2 d" in found.err


def test_a_warning_is_counted_and_coloured_and_exits_0(wmtui: Wmtui, stack: Stack) -> None:
    wmtui("--run")
    mark_back(stack, hours=3)

    found = wmtui("status")

    assert found.code == 0
    assert "! late" in found.out
    assert "2 tables: 1 ok, 1 warn" in found.err


def test_a_table_that_was_just_reset_is_not_ok(wmtui: Wmtui) -> None:
    wmtui("--run")
    wmtui("watermark", "reset", *ORDERS, "--yes")

    found = wmtui("status", "--json")

    assert found.code == 1
    assert found.json["tables"][0]["state"] == "reset"


def test_manual_is_a_state_with_who_and_since_when_and_does_not_stay_green(wmtui: Wmtui) -> None:
    wmtui("--run")
    wmtui("watermark", "set", *ORDERS, "-10m")
    fresh = wmtui("status", "--json")
    wmtui("watermark", "set", *ORDERS, "3days")
    forgotten = wmtui("status", "--json")
    people = wmtui("status")

    assert (fresh.json["tables"][0]["state"], fresh.json["tables"][0]["severity"]) == ("manual", "ok")
    assert set(fresh.json["tables"][0]["manual"]) == {"since", "by"}
    assert "@" in fresh.json["tables"][0]["manual"]["by"]
    assert (forgotten.code, forgotten.json["tables"][0]["state"], forgotten.json["tables"][0]["severity"]) == (
        1,
        "manual",
        "error",
    )
    assert "✗ manual since 20" in people.out


def test_a_last_success_in_the_future_is_an_alarm(wmtui: Wmtui, stack: Stack) -> None:
    wmtui("--run")
    change_lock(stack, last_success="2099-01-01T00:00:00Z")

    found = wmtui("status", "--json")

    assert (found.code, found.json["tables"][0]["state"]) == (1, "clock")
    assert "the last success is 2099-01-01T00:00:00Z" in found.json["tables"][0]["why"]


def test_files_held_back_are_a_problem_of_status_and_list(wmtui: Wmtui, stack: Stack) -> None:
    wmtui("--run")
    foreign(stack, "late.parquet")
    wmtui("watermark", "set", *ORDERS, "2099-01-01", "--force")

    found, listed = wmtui("status", "--json"), wmtui("watermark", "list")

    assert (found.code, found.json["tables"][0]["state"], found.json["tables"][0]["held_back"]) == (1, "held back", 1)
    assert "✗ held back" in listed.out


def test_never_verified_is_said_and_the_last_result_is_shown(wmtui: Wmtui, stack: Stack) -> None:
    wmtui("--run")
    before, table = wmtui("status", "--json"), wmtui("status")
    stack.warehouse("DELETE FROM orders WHERE id = 1")
    wmtui("verify", *ORDERS)
    after, listed = wmtui("status", "--json"), wmtui("watermark", "list")

    assert before.json["tables"][0]["verified"] is None
    assert "- never" in table.out
    verified = after.json["tables"][0]["verified"]
    assert (verified["result"], verified["reasons"]) == ("not_right", ["missing"])
    assert f"✗ not right, {verified['at']}" in listed.out


def change_lock(stack: Stack, **fields: object) -> None:
    """As another run would have left it."""
    change(stack, f"watermark/locks/{stack.table().key}.json", fields)


def mark_back(stack: Stack, **span: float) -> None:
    """The watermark and the last look at the source were so long ago; the last run was just now."""
    at = stack.ago(**span)
    change(
        stack, f"watermark/tables/{stack.table().key}.json", {"last_mysql_data_timestamp": f"{at:%Y-%m-%d %H:%M:%S}"}
    )


def change(stack: Stack, key: str, fields: Mapping[str, object]) -> None:
    objects = stack.service.workspace.objects
    objects.put(key, json.dumps({**json.loads(objects.get(key).data), **fields}).encode())


def test_status_shows_an_unreadable_table_beside_the_others(wmtui: Wmtui, stack: Stack) -> None:
    wmtui("--run")
    key = corrupt(stack)

    found = wmtui("status")

    assert found.code == 1
    assert "✗ unreadable" in found.out
    assert "· pending" in found.out
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

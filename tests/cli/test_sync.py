"""`wmtui sync`, `--run` and `--dry-run`: results, exit codes, what goes to which stream."""

from typing import Any

import pytest

from tests.cli.conftest import Wmtui
from tests.cli.test_watermark import corrupt
from tests.stack import Stack

ORDERS = ("-t", "shop.orders")


def test_a_sync_ends_with_a_table_of_results_on_stdout(wmtui: Wmtui, stack: Stack) -> None:
    found = wmtui("sync", *ORDERS)

    assert found.code == 0
    header, row = found.out.splitlines()
    assert header.split("  ")[0] == "table"
    assert row.split()[:7] == ["shop.orders", "✓", "success", "3", "3", "1", "1"]
    assert "shop.orders: Found 1 files, filtered to 1 files for loading" in found.err
    assert len(stack.warehouse_rows()) == 3


def test_sync_as_json_is_one_document_on_stdout(wmtui: Wmtui) -> None:
    found = wmtui("sync", *ORDERS, "-t", "shop.items", "--json")

    assert found.json["exit_code"] == found.code == 0
    orders, items = found.json["tables"]
    assert (orders["table"], orders["status"], orders["rows_loaded"]) == ("shop.orders", "success", 3)
    assert (items["table"], items["rows_extracted"]) == ("shop.items", 0)


def test_run_as_json_is_lines_of_events_and_the_summary_last(wmtui: Wmtui) -> None:
    found = wmtui("--run", "--json")

    *events, summary = found.lines
    assert {event["event"] for event in events} == {"message", "progress", "result"}
    assert all(event["at"].endswith("Z") for event in events)
    assert [e["table"] for e in events if e["event"] == "result"] == ["shop.orders", "shop.items"]
    assert summary["event"] == "summary"
    assert summary["exit_code"] == 0
    assert [table["status"] for table in summary["tables"]] == ["success", "success"]


def test_run_leaves_a_manual_watermark_manual_and_says_so(wmtui: Wmtui) -> None:
    wmtui("watermark", "set", *ORDERS, "aug4")

    found = wmtui("--run")

    assert found.code == 0
    assert "shop.orders: its watermark is manual: only loading" in found.err
    document = wmtui("watermark", "get", *ORDERS, "--json").json
    assert document["backup_strategy"] == "manual_cli"


def held_back(wmtui: Wmtui) -> None:
    """One file, extracted, never loaded, behind a manual watermark."""
    assert wmtui("sync", *ORDERS, "--backup-only").code == 0
    assert wmtui("watermark", "set", *ORDERS, "2099-01-01", "--force").code == 0


def test_loading_nothing_although_files_are_held_back_is_6_with_the_point_that_lets_them_in(wmtui: Wmtui) -> None:
    held_back(wmtui)

    found = wmtui("sync", *ORDERS, "--redshift-only", "--json")

    assert found.code == found.json["exit_code"] == 6
    assert found.json["tables"][0]["status"] == "nothing_selected"
    assert "1 file enters if you set " in found.err
    point = found.err.partition("1 file enters if you set ")[2][:19]
    assert wmtui("watermark", "set", *ORDERS, "--timestamp", point).code == 0
    assert wmtui("sync", *ORDERS, "--redshift-only", "--json").json["tables"][0]["rows_loaded"] == 3


def test_in_run_the_same_is_a_warning(wmtui: Wmtui) -> None:
    held_back(wmtui)

    found = wmtui("--run", "--json")

    assert found.code == found.lines[-1]["exit_code"] == 0
    assert "shop.orders: Found 1 files, filtered to 0 files for loading" in found.err
    assert "warning: shop.orders: nothing selected, " in found.err


def test_one_tables_failure_leaves_the_others_alone_and_is_the_exit_code(wmtui: Wmtui, stack: Stack) -> None:
    corrupt(stack, "items")

    found = wmtui("--run", "--json")

    orders, items = found.lines[-1]["tables"]
    assert found.code == 1
    assert (orders["status"], items["status"]) == ("success", "failed")
    assert "watermark/tables/shop.items.json" in items["error"]["what"]
    assert (items["code"], items["error"]["code"], items["error"]["kind"]) == (1, "document-unreadable", "integrity")


def test_a_missing_table_in_the_source_is_a_configuration_error_of_that_table(wmtui: Wmtui, stack: Stack) -> None:
    stack.reload(ordres={})

    found = wmtui("sync", "-t", "shop.ordres", *ORDERS, "--json")

    assert found.code == 3
    assert [table["status"] for table in found.json["tables"]] == ["failed", "success"]
    assert "orders" in found.json["tables"][0]["error"]["next"]
    assert [table["code"] for table in found.json["tables"]] == [3, 0]


@pytest.mark.parametrize("strategy", ["sequential", "inter-table", "intra-table"])
def test_the_strategy_asked_for_runs(wmtui: Wmtui, strategy: str) -> None:
    found = wmtui("sync", *ORDERS, "-t", "shop.items", "-s", strategy, "--workers", "2")

    assert found.code == 0
    assert wmtui("watermark", "get", *ORDERS, "--json").json["backup_strategy"] == strategy


def test_why_files_were_chosen_is_told_with_debug_only(wmtui: Wmtui) -> None:
    wmtui("watermark", "set", *ORDERS, "aug4")
    words = "Using manual watermark-based incremental Redshift loading: files after"

    assert words in wmtui("sync", *ORDERS, "--redshift-only", "--debug").err
    assert words not in wmtui("sync", *ORDERS, "--redshift-only").err


def test_quiet_leaves_data_and_errors(wmtui: Wmtui, stack: Stack) -> None:
    fine = wmtui("sync", *ORDERS, "--quiet")
    data = wmtui("sync", *ORDERS, "--quiet", "--json")
    corrupt(stack)
    failed = wmtui("sync", *ORDERS, "--quiet")

    assert (fine.code, fine.out, fine.err) == (0, "", "")
    assert data.json["exit_code"] == 0
    assert (failed.code, failed.out) == (1, "")
    assert "watermark/tables/shop.orders.json" in failed.err


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ((), "sync needs -t"),
        ((*ORDERS, "--redshift-only", "--backup-only"), "--redshift-only and --backup-only exclude each other"),
        ((*ORDERS, "--reprocess"), "add --redshift-only"),
        ((*ORDERS, "--redshift-only", "--key", "x"), "--key goes with --reprocess"),
        ((*ORDERS, "--limit", "5", "-s", "intra-table"), "use -s sequential"),
        ((*ORDERS, "--limit", "0"), "'--limit'"),
        ((*ORDERS, "--limit", "many"), "'--limit'"),
        ((*ORDERS, "--workers", "0"), "'--workers'"),
        ((*ORDERS, "-s", "fast"), "'sequential', 'inter-table', 'intra-table'"),
        (("-t", "shop.ordres"), "did you mean shop.orders"),
        ((*ORDERS, "--read-only"), "read-only"),
        ((*ORDERS, "--limt", "5"), "Did you mean one of: '--limit'"),
        ((*ORDERS, "extra"), "unexpected extra argument"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_sync_that_cannot_mean_anything_is_refused_and_changes_nothing(
    wmtui: Wmtui, stack: Stack, line: tuple[str, ...], words: str
) -> None:
    found = wmtui("sync", *line, "--json")

    assert (found.code, found.json["exit_code"]) == (2, 2)
    assert words in found.err
    assert stack.keys("") == []


def test_a_commands_words_behind_run_are_refused(wmtui: Wmtui) -> None:
    assert wmtui("watermark", "list", "--run").code == 2


def plan(wmtui: Wmtui, *line: str) -> dict[str, Any]:
    """The first table's plan."""
    first: dict[str, Any] = wmtui("sync", *ORDERS, "--dry-run", "--json", *line).json["tables"][0]
    return first


def test_a_dry_run_shows_what_would_be_done_and_touches_nothing(wmtui: Wmtui, stack: Stack) -> None:
    found = plan(wmtui)

    assert (found["mode"], found["error"]) == ("automated", None)
    extract = found["extract"]
    assert (extract["low"], extract["origin"]) == (None, "first load")
    assert (extract["strategy"], extract["order"], extract["spans"]) == ("sequential", "primary_key", 1)
    assert extract["estimated_rows"] == 3
    assert found["load"]["found"] == 0
    assert stack.keys("") == []


def test_a_dry_run_shows_every_file_with_its_verdict(wmtui: Wmtui) -> None:
    wmtui("sync", *ORDERS, "--backup-only")

    (verdict,) = plan(wmtui, "--redshift-only")["load"]["verdicts"]
    people = wmtui("sync", *ORDERS, "--redshift-only", "--dry-run").out

    assert (verdict["selected"], verdict["rule"], verdict["reason"]) == (True, 5, "in_session")
    assert verdict["key"] in people
    assert "✓ next" in people
    assert "the warehouse's ledger" in people
    assert plan(wmtui, "--redshift-only")["extract"] is None


def test_a_dry_run_tells_people_window_and_rows(wmtui: Wmtui) -> None:
    wmtui("watermark", "set", *ORDERS, "aug4")

    lines = wmtui("sync", *ORDERS, "--dry-run").out.splitlines()

    assert lines[0] == "shop.orders (manual)"
    assert lines[1].startswith("extract: 2025-08-04 00:00:00 UTC to ")
    assert lines[2].strip() == "sequential, 1 span, about 3 rows"


def test_a_dry_run_ends_as_the_run_would(wmtui: Wmtui, stack: Stack) -> None:
    held_back(wmtui)
    load = wmtui("sync", *ORDERS, "--redshift-only", "--dry-run", "--json")
    unattended = wmtui("--run", "--dry-run")
    corrupt(stack, "items")
    broken = wmtui("--run", "--dry-run", "--json")

    assert load.code == load.json["exit_code"] == 6
    assert unattended.code == 0
    assert broken.code == 1
    assert [table["error"] is None for table in broken.json["tables"]] == [True, False]
    assert "watermark/tables/shop.items.json" in broken.err


def test_a_dry_run_of_a_full_sync_says_what_it_leaves_behind(wmtui: Wmtui, stack: Stack) -> None:
    wmtui("sync", *ORDERS, "--backup-only")
    wmtui("watermark", "set", *ORDERS, "--timestamp", f"{stack.ago(minutes=-2)}")

    people = wmtui("sync", *ORDERS, "--dry-run").out

    assert "this sync leaves behind 1 file, " in people
    assert "3 rows: no later one takes them by itself" in people
    assert plan(wmtui)["load"]["held_back"] == 1

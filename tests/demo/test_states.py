"""What an operator finds in the sandbox, and that every past failure is mended by the next run."""

import re
from collections.abc import Sequence

import duckdb
import pytest

from wmtui.demo.__main__ import compare_all, prove, show
from wmtui.demo.dataset import TABLES, State
from wmtui.demo.reconciliation import Comparison, both_sides, compare
from wmtui.errors import ExitCode
from wmtui.events import Status, Stop, TableResult
from wmtui.files.verdicts import VerdictReason
from wmtui.model import Strategy, TableName
from wmtui.service import Request, Service
from wmtui.service.health import TableStatus

_HELD_BACK = TableName("settlement", "settlement_normal_delivery_detail")


def _tables(*states: State) -> list[TableName]:
    return [made.table for made in TABLES if made.state in states]


def _found(service: Service, *states: State) -> Sequence[TableStatus]:
    return service.health.status(_tables(*states), None)


def _sync(service: Service, *tables: TableName) -> list[TableResult]:
    request = Request(tables, strategy=Strategy.INTER_TABLE)
    return service.syncs.sync(request, emit=lambda _: None, stop=Stop())


def _compare(service: Service, table: TableName) -> Comparison:
    with both_sides(service.workspace.settings) as connection:
        return compare(connection, table, service.workspace.config(table), None)


def test_there_are_about_36_tables_in_every_state(service: Service) -> None:
    assert len(service.workspace.settings.tables) == len(TABLES) == 36
    assert {made.state for made in TABLES} == set(State)
    assert {made.table.schema for made in TABLES} == {"settlement", "orders", "logistics", "inventory", "customer"}


def test_most_tables_are_fine_and_the_others_have_the_problem_they_stand_for(service: Service) -> None:
    fine = _found(service, State.FINE)
    assert len(fine) >= 18
    assert all(status.healthy for status in fine)
    problems = {
        state: {status.problem for status in _found(service, state)}
        for state in (State.STALE, State.FAILED_EXTRACT, State.FAILED_LOAD, State.NEVER_SYNCED)
    }
    assert problems == {
        State.STALE: {"stale"},
        State.FAILED_EXTRACT: {"failed"},
        State.FAILED_LOAD: {"failed"},
        State.NEVER_SYNCED: {"never synced"},
    }


def test_failures_of_the_past_say_which_server_failed_and_how(service: Service) -> None:
    extracts, loads = _found(service, State.FAILED_EXTRACT), _found(service, State.FAILED_LOAD)
    assert {(s.mysql_status, s.redshift_status) for s in extracts} == {("failed", "success")}
    assert {(s.mysql_status, s.redshift_status) for s in loads} == {("success", "failed")}
    errors = [status.error or "" for status in (*extracts, *loads)]
    assert all("2013: Lost connection to MySQL server" in error for error in errors[: len(extracts)])
    assert all("Disk Full" in error or "Serializable" in error for error in errors[len(extracts) :])


@pytest.mark.parametrize("state", [State.PENDING, State.MANUAL, State.FAILED_LOAD])
def test_extracted_parts_wait_for_the_next_load(service: Service, state: State) -> None:
    for table in _tables(state):
        mark = service.watermarks.get(table)
        assert mark.is_manual == (state is State.MANUAL)
        assert mark.fields["redshift_status"] == ("failed" if state is State.FAILED_LOAD else "pending")
        assert service.files.select(table).summary.selected >= 1


def test_a_stale_table_has_fresh_rows_in_its_source(service: Service) -> None:
    previews = service.syncs.preview(Request(tuple(_tables(State.STALE))), emit=lambda _: None)
    assert all((preview.estimate or 0) > 50 for preview in previews)


def test_the_hint_of_the_table_filtered_to_0_lets_its_rows_in(service: Service) -> None:
    summary = service.files.select(_HELD_BACK).summary
    assert str(summary) == "Found 3 files, filtered to 0 files for loading"
    assert summary.reasons == {VerdictReason.BEFORE_WATERMARK: 3}
    assert summary.hint == "3 files enter if you set 2025-08-09 19:47:29"
    service.watermarks.set(_HELD_BACK, summary.hint.rpartition(" set ")[2])
    assert service.files.select(_HELD_BACK).summary.selected == 3
    assert _sync(service, _HELD_BACK)[0].error is None
    found = _compare(service, _HELD_BACK)
    assert (found.warehouse, found.doubled, found.missing) == (found.source, 0, 0)


def test_an_unattended_run_mends_every_failure_and_a_second_one_moves_nothing(service: Service) -> None:
    first = _sync(service)
    assert {r.table for r in first if r.status is not Status.SUCCESS} == {str(_HELD_BACK)}
    assert {r.exit_code for r in first} == {ExitCode.DONE, ExitCode.NOTHING_SELECTED}
    automated = [made.state for made in TABLES if made.state not in (State.MANUAL, State.HELD_BACK)]
    assert all(status.healthy for status in _found(service, *automated))
    assert sum(r.rows_extracted + r.rows_loaded for r in _sync(service)) == 0


def test_the_proof_counts_both_sides_and_notices_what_is_missing_doubled_or_changed(
    service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    assert prove(service) is ExitCode.DONE
    printed = capsys.readouterr().out
    assert "source 40000 = warehouse 40000, 0 doubled\n" in printed
    assert "filtered to 0 files for loading; 3 files enter if you set 2025-08-09 19:47:29\n" in printed
    assert "kill -9: 12 of 36 tables were done; at work on " in printed
    assert "\nand again: 0 rows extracted, 0 loaded\n" in printed
    assert " rows compared, 0 missing, 0 extra, 0 doubled, 0 differing\n" in printed
    rows = re.search(r"36 tables: source (\d+) = warehouse (\d+), 0 doubled\n", printed)
    assert rows
    assert int(rows[1]) == int(rows[2]) > 100_000
    with duckdb.connect(service.workspace.settings.path.parent / "dw.duckdb") as connection:
        connection.execute("DELETE FROM order_header WHERE id IN (7, 8, 9)")
        connection.execute("INSERT INTO order_status_log FROM order_status_log LIMIT 2")
        connection.execute("UPDATE shipment SET city = 'Atlantis' WHERE id = 5")
    found = compare_all(service)
    wrong = {c.table.name: (c.missing, c.doubled, c.strange) for c in found if not c.right}
    assert wrong == {"order_header": (3, 0, 0), "order_status_log": (0, 2, 2), "shipment": (1, 0, 1)}
    assert show(found) is ExitCode.TABLE_FAILED
    assert "wrong: orders.order_header, orders.order_status_log, logistics.shipment" in capsys.readouterr().out

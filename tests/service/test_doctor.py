"""`doctor` finds out what a run will meet by trying it."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from tests.servers.s3 import S3Server, refuse
from tests.stack import Stack, embedded_stack
from wmtui.model import Check, Level
from wmtui.words.states import why

DENIED = refuse(403, "AccessDenied")


@pytest.fixture
def on_s3(tmp_path: Path, s3: S3Server) -> Stack:
    """DuckDB → S3 over HTTP → DuckDB."""
    store = {"store": f"s3://{s3.new_bucket()}/lake", "s3": {"endpoint_url": s3.endpoint_url}}
    stack = embedded_stack(tmp_path, **store)
    stack.create()
    return stack


def findings(stack: Stack, *tables: str) -> dict[str, Check]:
    """By subject; of several about one the worst."""
    order = (Level.OK, Level.WARNING, Level.ERROR)
    found = stack.service.health.doctor([stack.table(name) for name in tables])
    return {check.subject: check for check in sorted(found, key=lambda check: order.index(check.level))}


PREFIXES = ("watermark/tables/", "watermark/journal/", "watermark/locks/", "watermark/runs/", "watermark/loads/",
            "watermark/decisions/", "incremental/shop.orders/")  # fmt: skip


def test_every_prefix_that_a_run_needs_is_tried_and_nothing_stays(on_s3: Stack) -> None:
    found = findings(on_s3, "orders")
    assert found["store rights"].level is Level.OK
    assert all(prefix in found["store rights"].finding for prefix in PREFIXES)
    assert on_s3.keys("") == []


@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_write_that_is_denied_on_one_prefix_is_an_error_that_names_it(
    on_s3: Stack, s3: S3Server, prefix: str
) -> None:
    s3.faults.add(DENIED, method="PUT", key=re.escape(prefix), times=None)
    found = findings(on_s3, "orders")
    denied = found[f"store rights: {prefix}"]
    assert denied.level is Level.ERROR
    assert denied.finding.startswith("may not write: cannot write s3://")
    assert "s3:PutObject" in denied.next_step
    assert prefix not in found["store rights"].finding
    assert [subject for subject in found if subject.startswith("store rights: ")] == [f"store rights: {prefix}"]


def test_without_the_right_to_delete_one_probe_of_a_fixed_name_stays_and_is_told(on_s3: Stack, s3: S3Server) -> None:
    s3.faults.add(DENIED, method="DELETE", times=None)
    for _ in range(2):
        kept = findings(on_s3, "orders")["store rights: watermark/runs/"]
        assert kept.level is Level.WARNING
        assert "watermark/runs/_doctor/probe stays, and is written over the next time" in kept.finding
    assert on_s3.keys("watermark/runs/") == ["watermark/runs/_doctor/probe"]
    s3.faults.clear()
    on_s3.insert((1, "9.50", "a", on_s3.ago(minutes=5)))
    assert on_s3.sync_one().rows_loaded == 1
    assert on_s3.service.files.select(on_s3.table()).summary.found == 1


def test_probes_that_stay_are_no_documents_of_anybody(on_s3: Stack, s3: S3Server) -> None:
    s3.faults.add(DENIED, method="DELETE", times=None)
    findings(on_s3, "orders")
    assert not [subject for subject in findings(on_s3) if subject.startswith("document ")]


@pytest.mark.parametrize(("ahead", "level"), [(0, Level.OK), (20, Level.WARNING), (3600, Level.ERROR)])
def test_a_host_whose_clock_is_off_is_told_from_the_stores(on_s3: Stack, ahead: int, level: Level) -> None:
    on_s3.insert((1, "9.50", "a", on_s3.ago(minutes=5)))
    on_s3.sync_one()
    on_s3.clock.advance(timedelta(seconds=ahead))
    found = findings(on_s3)["clocks"]
    assert found.level is level
    assert "the store" in found.finding


def test_the_age_of_data_and_the_alarm_go_by_the_stores_clock(on_s3: Stack) -> None:
    on_s3.insert((1, "9.50", "a", on_s3.ago(minutes=5)))
    on_s3.clock.advance(timedelta(days=400))
    on_s3.sync_one()
    on_s3.clock.advance(timedelta(days=-400))
    (status,) = on_s3.service.health.status([on_s3.table()], None)
    assert (status.state, status.healthy) == ("clock", False)
    assert "400 d from now: a clock is wrong" in why(status.table, status.judgement)


def test_where_changes_are_refused_nothing_is_written_and_that_is_said(on_s3: Stack) -> None:
    on_s3.service.workspace.read_only = True
    found = findings(on_s3, "orders")
    assert found["store rights"].finding.startswith("not tried: read-only")
    assert on_s3.keys("") == []


def test_what_a_new_column_lacks_is_told_with_the_command_that_fills_it(tmp_path: Path) -> None:
    stack = embedded_stack(tmp_path)
    stack.create()
    stack.insert((1, "1.00", "a", stack.ago(minutes=50)))
    stack.sync_one()
    stack.warehouse("ALTER TABLE orders DROP COLUMN note")
    stack.insert((2, "2.00", "b", stack.ago(minutes=40)))
    stack.sync_one()
    assert "note: loaded before, and dropped from the target since" in stack.log()
    assert "`wmtui watermark reset -t shop.orders`, then a sync, fills them from the source" in stack.log()

    stack.service.watermarks.reset(stack.table())
    stack.sync_one()
    assert [row[2] for row in stack.warehouse_rows()] == ["a", "b"]


def test_a_key_that_another_constraint_finds_twice_is_told_as_that(tmp_path: Path) -> None:
    stack = embedded_stack(tmp_path)
    stack.create()
    stack.warehouse("CREATE TABLE orders (id BIGINT, amount DECIMAL(10,2), note VARCHAR UNIQUE, update_at TIMESTAMP)")
    stack.insert((1, "1.00", "same", stack.ago(minutes=50)), (2, "1.00", "same", stack.ago(minutes=40)))
    (result,) = stack.sync("orders")
    assert result.error is not None
    assert "rows are told apart by id, and another constraint of orders finds two alike" in result.error.why
    assert "drop that constraint" in result.error.next

"""List, pane of one table and first line show one and the same reading, whoever changed what."""

from datetime import timedelta

import pytest

from tests.stack import Stack
from tests.tui.conftest import RUN_ID, opened
from wmtui.service import Author, Service
from wmtui.tui import refresh
from wmtui.tui.panes import table_detail
from wmtui.watermarks import lease


@pytest.fixture
def elsewhere(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Service:
    """Another user of the same store; the screen reads every half second."""
    monkeypatch.setattr(refresh, "REFRESH_SECONDS", 0.5)
    monkeypatch.setattr(refresh, "LIVE_SECONDS", 0.5)
    return Service(stack.service.workspace.settings, clock=stack.clock, author=Author("ann", "desk"))


async def test_an_edit_elsewhere_is_shown_in_the_pane_of_the_table_without_a_key(
    stack: Stack, elsewhere: Service
) -> None:
    async with opened(stack.service, size=(160, 50)) as screen:
        await screen.see("2 shop.orders")
        elsewhere.watermarks.set(stack.table(), "2021-02-03 04:05:06", reason="elsewhere")
        await screen.see("data up to", "2021-02-03 04:05:06")


async def test_a_run_elsewhere_is_shown_in_the_pane_of_the_table_while_it_works_and_when_it_ended(
    stack: Stack, elsewhere: Service
) -> None:
    async with opened(stack.service, size=(160, 50)) as screen:
        held, _ = lease.acquire(
            elsewhere.workspace.objects, stack.clock, elsewhere.workspace.author, stack.table(), RUN_ID
        )
        await screen.see("running", "starting, 0 rows, ann@desk")
        held.set_phase("extracting", 77)
        held.renew()
        await screen.see("extracting, 77 rows")
        held.release()
        await screen.miss("extracting, 77 rows")


async def test_a_table_that_nobody_changes_is_not_read_again(
    stack: Stack, elsewhere: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert elsewhere
    asked, read = [], table_detail.read
    monkeypatch.setattr(table_detail, "read", lambda *of: asked.append(of) or read(*of))
    async with opened(stack.service) as screen:
        before = len(asked)
        await screen.pilot.pause(2.0)
        assert len(asked) == before


def test_ages_of_a_table_grow(stack: Stack) -> None:
    service, table = stack.service, stack.table()
    lease.acquire(service.workspace.objects, stack.clock, service.workspace.author, table, RUN_ID)
    found = table_detail.read(service, table)
    limit = timedelta(hours=6)
    assert table_detail.aged(found.fields, found.look, limit, timedelta(0)) == found.fields
    later = {
        label: text for label, text, _ in table_detail.aged(found.fields, found.look, limit, timedelta(minutes=90))
    }
    assert "heard of 1 h 30 m" in later["running"] or "heard of 90 m" in later["running"]
    assert later["lag"] != {label: text for label, text, _ in found.fields}["lag"]

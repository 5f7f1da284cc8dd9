"""A store that fails, hangs or holds corrupt documents: the screen says so, stays fluid, and goes on."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.servers.s3 import S3Server, hang_up, hold, refuse
from tests.stack import Stack, ago, embedded_stack
from tests.tui.conftest import Open, opened
from wmtui.tui import refresh


@pytest.fixture
def remote(tmp_path: Path, s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> Stack:
    """shop.orders and shop.items behind S3 over HTTP; the screen tries again at once, and reads anew after a second."""
    bucket = s3.new_bucket()
    stack = embedded_stack(tmp_path, store=f"s3://{bucket}/lake", s3={"endpoint_url": s3.endpoint_url})
    stack.reload(items={})
    stack.create()
    stack.insert((1, "9.50", "note", ago(minutes=5)))
    stack.sync_one()
    monkeypatch.setattr(refresh, "BACK_OFF_SECONDS", (0.2, 0.4))
    monkeypatch.setattr(refresh, "REFRESH_SECONDS", 1.0)
    return stack


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (hang_up, ""),
        (refuse(503, "SlowDown"), ""),
        (refuse(403, "ExpiredToken"), "the credentials have expired"),
        (refuse(403, "AccessDenied"), "denies it to these credentials"),
        (refuse(404, "NoSuchBucket"), "bucket"),
    ],
    ids=["dropped connection", "busy", "expired credentials", "no permission", "missing bucket"],
)
async def test_a_store_that_fails_is_told_with_a_countdown_and_what_was_seen_stays(
    remote: Stack, s3: S3Server, fault: object, said: str
) -> None:
    async with opened(remote.service) as screen:
        await screen.see("shop.orders", "✓ ok")
        s3.faults.add(fault, times=None)  # type: ignore[arg-type]
        await screen.see("✗ offline, again in")
        await screen.see("shop.orders", "✓ ok")
        await screen.hear(said)
        told = screen.log.count("ERROR")
        await screen.pilot.pause(1.0)
        assert screen.log.count("ERROR") == told, "the same failure is told once"
        s3.faults.clear()
        await screen.hear("the store answers again")
        await screen.see("seen ")
        await screen.miss("offline")


async def test_a_store_that_is_away_from_the_beginning_leaves_a_screen_that_can_be_used(
    remote: Stack, s3: S3Server
) -> None:
    s3.faults.add(hang_up, times=None)
    async with opened(remote.service) as screen:
        await screen.see("offline", "shop.orders", "shop.items")
        await screen.press("j", "question_mark")
        await screen.see("Keys")
        await screen.press("escape", "e")
        await screen.see("Edit the watermark of shop.items")
        await screen.see("does not answer")
        await screen.press("escape")
        s3.faults.clear()
        await screen.see("✓ ok")


@pytest.fixture
def hung(s3: S3Server) -> Iterator[threading.Event]:
    """Every request hangs from now on, until this is set."""
    arrived, released = threading.Event(), threading.Event()
    s3.faults.add(hold(arrived, released), times=None)
    yield released
    released.set()


async def test_no_key_waits_for_a_store_that_hangs(remote: Stack, s3: S3Server) -> None:
    async with opened(remote.service) as screen:
        await screen.see("✓ ok")
        arrived, released = threading.Event(), threading.Event()
        s3.faults.add(hold(arrived, released), times=None)
        for key in ("j", "ctrl+r", "k", "f", "h", "w", "e"):
            await screen.pilot.press(key)
        await screen.see("Edit the watermark of shop.orders", "reading…")
        await screen.pilot.press("escape", "slash", "i", "t", "e", "m")
        await screen.see("1 of 2")
        await screen.pilot.press("escape", "s")
        await screen.see("Sync shop")
        await screen.pilot.press("escape")
        released.set()
        s3.faults.clear()


async def test_the_screen_can_be_left_while_the_store_hangs(remote: Stack, s3: S3Server) -> None:
    async with opened(remote.service) as screen:
        await screen.see("✓ ok")
        arrived, released = threading.Event(), threading.Event()
        s3.faults.add(hold(arrived, released), times=None)
        await screen.pilot.press("ctrl+r")
        await screen.until(arrived.is_set)
        await screen.pilot.press("q")
        await screen.until(lambda: screen.app.return_value == 0)
        released.set()


async def test_a_save_whose_answer_is_lost_is_told_and_the_watermark_is_as_the_store_says(
    remote: Stack, s3: S3Server
) -> None:
    async with opened(remote.service) as screen:
        await screen.press("e")
        await screen.see("as it is now")
        await screen.type("3h ago")
        await screen.see("are read again")
        s3.faults.add(refuse(500, "InternalError"), method="PUT", times=None)
        await screen.press("enter")
        await screen.see("InternalError")
        s3.faults.clear()
        await screen.press("escape")
    assert remote.mark()["backup_strategy"] != "manual_cli"


async def test_a_corrupt_watermark_is_shown_by_its_key_and_the_others_go_on(open_screen: Open, stack: Stack) -> None:
    path = stack.path.parent / "lake/watermark/tables/shop.orders.json"
    path.write_text('{"table_name": "shop.or')
    async with open_screen() as screen:
        await screen.see("✗ unreadable", "1 unreadable", "shop.lines", "✓ ok")
        await screen.see("watermark/tables/shop.orders.json")
        await screen.press("e")
        await screen.see("watermark/tables/shop.orders.json")
        await screen.press("escape", "u")
        await screen.hear("watermark/tables/shop.orders.json")
        await screen.press("exclamation_mark")
        await screen.see("unreadable")
    assert path.read_text() == '{"table_name": "shop.or'


async def test_an_unreadable_entry_of_the_history_stands_in_its_place(open_screen: Open, stack: Stack) -> None:
    key = f"watermark/journal/shop.orders/{stack.service.watermarks.get(stack.table()).serial - 1:012d}.json"
    (stack.path.parent / "lake" / key).write_text("{")
    async with open_screen() as screen:
        await screen.press("h")
        await screen.see("loaded by hand", "✗")


async def test_what_another_process_changes_is_seen_by_itself(
    open_screen: Open, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refresh, "REFRESH_SECONDS", 0.5)
    async with open_screen() as screen:
        await screen.see("shop.items              · · ✗ never synced")
        stack.insert((1, "1.00", "new", stack.ago(minutes=9)), name="items")
        stack.sync_one("items")
        await screen.see("shop.items              ✓ ✓ ✓ ok")


async def test_ages_grow_while_nobody_touches_a_key(open_screen: Open, stack: Stack) -> None:
    async with open_screen() as screen:
        await screen.see("seen ")
        stack.clock.advance(timedelta(days=2))
        await screen.until(lambda: "seen 1 s ago" in screen.text or "seen 2 s ago" in screen.text)


async def test_a_bug_in_the_background_is_told_by_its_kind_alone(
    open_screen: Open, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("password=hunter2")

    async with open_screen() as screen:
        monkeypatch.setattr(type(stack.service.history), "last_edit", broken)
        await screen.press("u")
        await screen.hear("this is a bug in wmtui (ZeroDivisionError)")
        assert "hunter2" not in screen.text + screen.log


async def test_a_deleted_watermark_is_an_alarm_that_u_answers(open_screen: Open, stack: Stack) -> None:
    path = stack.path.parent / "lake/watermark/tables/shop.orders.json"
    before = stack.service.watermarks.get(stack.table())
    path.unlink()
    async with open_screen() as screen:
        await screen.see("✗ gone, u brings it back", "1 gone", "shop.lines", "✓ ok")
        await screen.see("the watermark of shop.orders is gone", f"the journal has serial {before.serial}")
        await screen.press("u")
        await screen.see("Bring the watermark of shop.orders back")
        await screen.press("tab", "enter")
        await screen.hear("undo")
        await screen.until(path.exists)
    assert stack.service.watermarks.get(stack.table()).content == before.content

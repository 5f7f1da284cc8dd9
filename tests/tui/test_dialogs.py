"""Every dialog: what it says before, what it does, and that Escape and a careless Enter change nothing."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from tests.stack import Stack
from tests.tui.conftest import RUN_ID, Open
from tests.tui.screen import Screen
from wmtui.config import load
from wmtui.events import TableResult
from wmtui.service import Consequence, Service
from wmtui.service.syncs import Syncs
from wmtui.service.watermarks import Watermarks

POINT = "last_mysql_data_timestamp"


def state(stack: Stack) -> str:
    """Every watermark, as text."""
    return json.dumps([dict(stack.mark(name)) for name in ("orders", "items", "lines")], default=str)


def protect(stack: Stack) -> None:
    """The stack's profile as production has it."""
    stack.document["profiles"]["test"]["protected"] = True
    stack.path.write_text(yaml.safe_dump(stack.document, sort_keys=False))
    stack.service = Service(load(stack.path, "test"), clock=stack.clock, author=stack.service.workspace.author)


async def choose(screen: Screen, *keys: str) -> None:
    """From Cancel, where the focus is, to the button that acts."""
    await screen.press(*keys, "tab", "enter")


# Editing


async def test_editing_shows_what_a_point_would_do_while_one_types_and_saves_it(
    open_screen: Open, stack: Stack
) -> None:
    async with open_screen() as screen:
        await screen.press("e")
        await screen.see("Edit the watermark of shop.orders", "lets files in", "as it is now", "aug4")
        await screen.type("3h ago")
        await screen.see("+3 files", "rows", "are read again", "same as: wmtui watermark set")
        await screen.press("enter")
        await screen.see("Files 3/3")
        await screen.hear("shop.orders: set: Found 3 files, filtered to 3 files")
    assert stack.mark()["backup_strategy"] == "manual_cli"
    assert stack.service.history.entries(stack.table())[-1].action == "set"  # type: ignore[union-attr]


async def test_the_point_that_lets_files_in_is_offered_first(open_screen: Open) -> None:
    async with open_screen() as screen:
        await screen.press("e")
        await screen.see("lets files in")
        await screen.press("down", "enter")
        await screen.see("+3 files")
        await screen.press("enter")
        await screen.see("Files 3/3")


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("aug99", "unknown preset 'aug99'"),
        ("2025-02-30", "2025-02-30"),
        ("2999-01-01", "in the future"),
        ("2025-08-09T00:00:00+09:00 x", "2025-08-09T00:00:00+09:00 x"),
    ],
)
async def test_a_bad_point_is_told_at_once_and_cannot_be_saved(
    open_screen: Open, stack: Stack, typed: str, said: str
) -> None:
    before = state(stack)
    async with open_screen() as screen:
        await screen.press("e")
        await screen.see("lets files in")
        await screen.type(typed)
        await screen.see(said)
        await screen.press("enter")
        await screen.see("Edit the watermark of shop.orders")
        await screen.press("escape")
    assert state(stack) == before


async def test_a_point_in_the_future_may_be_forced(open_screen: Open, stack: Stack) -> None:
    async with open_screen(size=(120, 50)) as screen:
        await screen.press("e")
        await screen.see("lets files in")
        await screen.type("2999-01-01")
        await screen.see("in the future")
        screen.app.screen.query_one("#force").focus()
        await screen.press("space")
        await screen.see("[x] force", "--force")
        await screen.until(lambda: "2999-01-01 00:00:00" in screen.text)
        screen.app.screen.query_one("#point").focus()
        await screen.until(lambda: not screen.app.screen.query_one("#yes").disabled)
        await screen.press("enter")
        await screen.hear("set:")
    assert stack.mark()[POINT] == "2999-01-01 00:00:00"


async def test_an_edit_that_somebody_else_made_meanwhile_is_shown_beside_ones_own(
    open_screen: Open, stack: Stack
) -> None:
    async with open_screen() as screen:
        await screen.press("e")
        await screen.see("lets files in")
        await screen.type("3h ago")
        await screen.see("+3 files")
        stack.service.watermarks.set(stack.table(), "2h ago", reason="theirs comes first")
        theirs = stack.mark()[POINT]
        await screen.press("enter")
        await screen.see(
            "Another operator changed the watermark of shop.orders meanwhile", "theirs comes first", theirs
        )
        await screen.see("yours", "3h ago", "nothing was saved")
        assert stack.mark()[POINT] == theirs

        await choose(screen)
        await screen.see("Edit the watermark of shop.orders", f"{theirs} UTC →")
        await screen.until(lambda: not screen.app.screen.query_one("#yes").disabled)
        await screen.press("enter")
        await screen.hear("set:")
    assert stack.mark()[POINT] < theirs


async def test_of_two_edits_theirs_may_be_kept(open_screen: Open, stack: Stack) -> None:
    async with open_screen() as screen:
        await screen.press("e")
        await screen.see("lets files in")
        await screen.type("3h ago")
        await screen.see("+3 files")
        stack.service.watermarks.set(stack.table(), "2h ago")
        before = state(stack)
        await screen.press("enter")
        await screen.see("theirs")
        await screen.press("enter")
        await screen.miss("theirs", "Edit the watermark")
    assert state(stack) == before


async def test_marked_tables_are_edited_to_one_point_however_long_it_takes(
    open_screen: Open, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Watermarks.set

    def slow(self: Watermarks, *arguments: Any, **options: Any) -> Consequence:
        time.sleep(1.1)
        return place(self, *arguments, **options)

    monkeypatch.setattr(Watermarks, "set", slow)
    async with open_screen(size=(120, 50)) as screen:
        await screen.press("space", "space", "e")
        await screen.type("3h ago")
        await screen.see("shop.orders", "+3 files")
        screen.app.screen.query_one("#typed").focus()
        await screen.type("test")
        await screen.press("enter")
        await screen.hear("shop.orders: set:", "shop.items: set:")
    assert stack.mark()[POINT] == stack.mark("items")[POINT] is not None


async def test_marked_tables_are_edited_together_after_one_preview_and_a_typed_name(
    open_screen: Open, stack: Stack
) -> None:
    async with open_screen(size=(120, 50)) as screen:
        await screen.press("space", "space", "e")
        await screen.see("Edit the watermark of 2 tables", "type test to confirm")
        await screen.type("3h ago")
        await screen.see("+3 files, ", "shop.orders", "shop.items", "(and so for 1")
        assert screen.app.screen.query_one("#yes").disabled
        screen.app.screen.query_one("#typed").focus()
        await screen.type("tes")
        assert screen.app.screen.query_one("#yes").disabled
        await screen.type("t")
        await screen.press("enter")
        await screen.hear("shop.orders: set:", "shop.items: set:")
        assert "2 marked" not in screen.text
    assert stack.mark()[POINT] == stack.mark("items")[POINT] is not None
    assert stack.mark("lines")["backup_strategy"] != "manual_cli"


async def test_one_table_that_refuses_an_edit_of_several_does_not_hold_the_others(
    open_screen: Open, stack: Stack
) -> None:
    async with open_screen(size=(120, 50)) as screen:
        await screen.press("space", "space", "e")
        await screen.see("type test to confirm")
        await screen.type("3h ago")
        await screen.see("+3 files")
        stack.service.pins.pin(stack.table("items"), reason="migration", until=None)
        screen.app.screen.query_one("#typed").focus()
        await screen.type("test")
        await screen.press("enter")
        await screen.hear("shop.orders: set:", "shop.items:", "migration")
    assert stack.mark("items")[POINT] is None


async def test_an_edit_of_several_tables_tells_what_is_lost_before_what_is_won(open_screen: Open, stack: Stack) -> None:
    async with open_screen(size=(120, 50)) as screen:
        await screen.press("space", "j", "j", "space", "e")
        await screen.type("1s ago")
        await screen.see("✗ 2 tables lose: rows of up to", "2 tables → ", "from")
        lines = screen.lines
        lost = next(number for number, line in enumerate(lines) if "✗ 2 tables lose" in line)
        won = next(number for number, line in enumerate(lines) if "+0 files" in line)
        assert lost < won
    assert stack.mark("lines")["backup_strategy"] != "manual_cli"


async def test_one_manual_table_among_others_does_not_make_their_sync_load_only(open_screen: Open) -> None:
    async with open_screen() as screen:
        await screen.press("space", "j", "j", "space", "s")
        await screen.see("Sync 2 tables", "the watermark of shop.orders is manual", "wmtui sync -s inter-table")
        assert "same as: wmtui sync --redshift-only" not in screen.text
        await screen.see("2 tables", "table", "left behind")


async def test_marked_tables_that_the_filter_hides_are_counted(open_screen: Open) -> None:
    async with open_screen() as screen:
        await screen.press("space", "space", "slash")
        await screen.type("items")
        await screen.press("enter")
        await screen.see("2 marked, 1 hidden")
        await screen.press("s")
        await screen.see("Sync 2 tables, 1 of them hidden by the filter")
        await screen.press("escape", "e")
        await screen.see("Edit the watermark of 2 tables, 1 of them hidden by the filter")


async def test_what_is_done_to_one_table_says_so_while_several_are_marked(open_screen: Open, stack: Stack) -> None:
    async with open_screen() as screen:
        await screen.press("space", "space", "u")
        await screen.hear("undo is done to one table at a time, and there are 2 marked tables")
        await screen.press("P")
        await screen.hear("pinning is done to one table at a time")
    assert stack.mark()["pin"] is None


# Undo, restore, reset, pin, system


async def test_undo_shows_the_fields_that_go_back_and_is_a_change_of_its_own(open_screen: Open, stack: Stack) -> None:
    before = stack.mark()[POINT]
    stack.service.watermarks.set(stack.table(), "3h ago")
    async with open_screen() as screen:
        await screen.press("u")
        await screen.see("Undo “set” of shop.orders", POINT, f"→ {before}", "same as: wmtui watermark undo")
        await choose(screen, "tab")
        await screen.hear("shop.orders: undo:")
        await screen.press("h")
        await screen.see("undo tester@test-host")
    assert stack.mark()[POINT] == before


async def test_undo_without_primary_key_warns_of_doubled_rows_and_goes_on(open_screen: Open, stack: Stack) -> None:
    stack.reload(orders={"primary_key": [], "lookback": "0s"}, items={}, lines={})
    before = stack.mark()[POINT]
    stack.service.watermarks.set(stack.table(), "1s ago", force=True)
    async with open_screen() as screen:
        await screen.press("u")
        await screen.see("Undo “set” of shop.orders", "appends the same rows once more", "--force")
        await choose(screen, "tab")
        await screen.hear("shop.orders: undo:")
    assert stack.mark()[POINT] == before


async def test_enter_in_a_question_changes_nothing(open_screen: Open, stack: Stack) -> None:
    before = state(stack)
    async with open_screen() as screen:
        for key in ("u", "r"):
            await screen.press(key)
            await screen.see("same as")
            await screen.press("enter")
            await screen.miss("same as")
    assert state(stack) == before


async def test_a_table_nobody_edited_has_nothing_to_undo(open_screen: Open) -> None:
    async with open_screen() as screen:
        await screen.press("G", "u")
        await screen.hear("shop.lines: nothing to undo for shop.lines")


async def test_any_entry_of_the_history_is_restored(open_screen: Open, stack: Stack) -> None:
    stack.service.watermarks.set(stack.table(), "3h ago")
    stack.service.watermarks.set(stack.table(), "2h ago")
    async with open_screen(size=(120, 50)) as screen:
        await screen.press("h")
        await screen.see("loaded by hand")
        changes = screen.app.main.detail_pane.lines.items
        at = next(i for i, change in enumerate(changes) if change.entry.reason == "loaded by hand")
        serial = changes[at].entry.serial
        await screen.press(*["j"] * at, "R")
        await screen.see(f"Restore shop.orders as change {serial} left it", POINT, f"--to {serial}")
        await choose(screen, "tab")
        await screen.hear("undo:")
    assert stack.mark()[POINT] == changes[at].entry.diff[POINT][1]


async def test_restoring_where_nothing_would_change_says_so(open_screen: Open, stack: Stack) -> None:
    before = state(stack)
    async with open_screen() as screen:
        await screen.press("h")
        await screen.see("loaded by hand")
        await screen.press("R")
        await screen.hear("nothing would change")
    assert state(stack) == before


async def test_reset_states_its_effect_first(open_screen: Open, stack: Stack) -> None:
    async with open_screen() as screen:
        await screen.press("r")
        await screen.see(
            "Reset shop.orders", "may be loaded again", "same as: wmtui watermark reset --yes -t shop.orders"
        )
        await choose(screen, "tab")
        await screen.hear("shop.orders: reset:")
    assert stack.mark()[POINT] is None
    assert stack.mark()["epoch"] == 2


async def test_resetting_several_tables_wants_the_profiles_name(open_screen: Open, stack: Stack) -> None:
    async with open_screen() as screen:
        await screen.press("a", "r")
        await screen.see("Reset 3 tables", "type test to confirm")
        assert screen.app.screen.query_one("#yes").disabled
        await screen.type("test")
        await screen.press("enter")
        await screen.hear("shop.orders: reset:", "shop.items: reset:", "shop.lines: reset:")
    assert [stack.mark(name)["epoch"] for name in ("orders", "items", "lines")] == [2, 2, 2]


async def test_a_watermark_is_pinned_with_a_reason_and_an_end_and_unpinned(open_screen: Open, stack: Stack) -> None:
    async with open_screen() as screen:
        await screen.press("P")
        await screen.see("Pin the watermark of shop.orders", "reason (required)")
        assert screen.app.screen.query_one("#yes").disabled
        await screen.type("schema migration")
        await screen.press("tab")
        await screen.type("2h")
        await screen.see("--until 2h")
        await screen.press("enter")
        await screen.hear("shop.orders: pinned")
        await screen.see("manual, pinned", "schema migration")
        assert stack.mark()["pin"]["reason"] == "schema migration"
        await screen.press("e")
        await screen.see("lets files in")
        await screen.type("3h ago")
        await screen.see("+3 files")
        await screen.press("enter")
        await screen.see("schema migration")
        await screen.press("escape", "P")
        await screen.see("Unpin the watermark of shop.orders")
        await choose(screen, "tab")
        await screen.hear("unpinned")
    assert stack.mark()["pin"] is None


async def test_the_system_watermark_wants_the_profiles_name(open_screen: Open, stack: Stack) -> None:
    async with open_screen() as screen:
        await screen.press("S")
        await screen.see("Set the system watermark", "every table without a watermark of its own", "now: -")
        await screen.type("aug4")
        await screen.see("→ 2025-08-04 00:00:00")
        assert screen.app.screen.query_one("#yes").disabled
        await screen.press("tab")
        await screen.type("test")
        await screen.press("enter")
        await screen.hear("moved the system watermark to 2025-08-04 00:00:00")
    assert str(stack.service.watermarks.system()) == "2025-08-04 00:00:00"


# Syncs


async def test_a_manual_watermark_is_offered_redshift_only_first_and_stays_manual(
    open_screen: Open, stack: Stack
) -> None:
    stack.service.watermarks.set(stack.table(), "3h ago")
    async with open_screen() as screen:
        await screen.press("s")
        await screen.see("Sync shop.orders", "loads 3 files of 3", "--redshift-only")
        await screen.press("up")
        await screen.see("! the watermark of shop.orders is manual")
        await screen.press("down", "enter")
        await screen.hear("3 rows loaded from 3 files")
        await screen.see("✓ 1 table synced, 0 rows extracted, 3 loaded")
    assert stack.mark()["backup_strategy"] == "manual_cli"
    assert len(stack.warehouse_rows()) == 3


@pytest.mark.parametrize(
    ("down", "option", "loaded"),
    [
        (0, "", 3),
        (2, "--backup-only", None),
        (3, "-s intra-table", 3),
    ],
)
async def test_a_sync_of_each_kind_runs_in_the_background(
    open_screen: Open, stack: Stack, down: int, option: str, loaded: int | None
) -> None:
    stack.insert(*[(n, "1.00", "new", stack.ago(minutes=9)) for n in (1, 2, 3)], name="items")
    async with open_screen() as screen:
        await screen.press("j", "s")
        await screen.see("Sync shop.items")
        await screen.press(*["down"] * down)
        await screen.see(option)
        await screen.press("enter")
        await screen.hear("3 rows extracted")
        await screen.see("shop.items ")
    if loaded is not None:
        assert len(stack.warehouse_rows("items")) == loaded


async def test_marked_tables_are_synced_together(open_screen: Open, stack: Stack) -> None:
    stack.insert((1, "1.00", "new", stack.ago(minutes=9)), name="items")
    async with open_screen() as screen:
        await screen.press("j", "space", "space", "s")
        await screen.see("Sync 2 tables", "-t shop.items -t shop.lines", "-s inter-table", "reads about 1 row")
        assert screen.app.screen.query_one("#yes").disabled
        screen.app.screen.query_one("#typed").focus()
        await screen.type("test")
        await screen.press("enter")
        await screen.hear("shop.items: success", "shop.lines: success")
        await screen.see("✓ 2 tables synced")


async def test_the_end_of_syncs_is_told_although_their_threads_take_a_moment_to_end(
    open_screen: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync = Syncs.sync

    def slow(self: Syncs, *arguments: Any, **options: Any) -> list[TableResult]:
        results = sync(self, *arguments, **options)
        time.sleep(0.5)
        return results

    monkeypatch.setattr(Syncs, "sync", slow)
    async with open_screen() as screen:
        await screen.press("j", "s", "enter")
        await screen.hear("shop.items: success")
        await screen.see("✓ 1 table synced")


async def test_failures_with_one_cause_are_told_once(open_screen: Open, stack: Stack) -> None:
    async with open_screen() as screen:
        for name in ("items", "lines"):
            stack.source(f"DROP TABLE shop.{name}")
        await screen.press("j", "space", "space", "s")
        await screen.see("Sync 2 tables", "✗ 2 tables cannot be synced")
        screen.app.screen.query_one("#typed").focus()
        await screen.type("test")
        await screen.press("enter")
        await screen.hear("shop.items:", "shop.lines:")
        await screen.see("2 tables, first")
        await screen.press("exclamation_mark")
        await screen.see("2 tables: failed")


# Locks


@pytest.mark.usefixtures("other_run")
async def test_a_run_of_another_process_is_shown_and_its_lock_is_broken_by_its_id(open_screen: Open) -> None:
    async with open_screen(size=(200, 60)) as screen:
        await screen.see("▸ 1 running elsewhere", "▸ extracting, 1,200 rows", "cron@etl-worker")
        await screen.press("U")
        await screen.see("Break the lock of shop.orders", f"type {RUN_ID[-4:]}", f"unlock {RUN_ID}")
        await screen.type(RUN_ID[-4:])
        await screen.press("enter")
        await screen.hear("broke the lock")
        await screen.miss("running elsewhere")


async def test_a_table_that_nobody_runs_has_no_lock_to_break(open_screen: Open) -> None:
    async with open_screen() as screen:
        await screen.press("U")
        await screen.hear("no run holds it")


# Profiles


async def test_a_protected_profile_is_read_only_until_its_name_is_typed(open_screen: Open, stack: Stack) -> None:
    protect(stack)
    before = state(stack)
    async with open_screen() as screen:
        await screen.see("PROTECTED, read-only")
        await screen.press("e")
        await screen.see("Change test?", "type test to confirm")
        await screen.type("tes")
        await screen.press("enter")
        await screen.see("Change test?")
        await screen.press("escape")
        assert state(stack) == before

        await screen.press("e")
        await screen.type("test")
        await screen.press("enter")
        await screen.see("PROTECTED, changes are live", "Edit the watermark of shop.orders", "reason (required here)")
        await screen.type("3h ago")
        await screen.see("+3 files")
        await screen.press("enter")
        await screen.see("Edit the watermark of shop.orders")
        screen.app.screen.query_one("#reason").focus()
        await screen.type("late files")
        await screen.press("enter")
        await screen.hear("set:")
    assert stack.service.history.entries(stack.table())[-1].reason == "late files"  # type: ignore[union-attr]


async def test_p_switches_the_profile_and_reads_the_configuration_and_environment_again(
    open_screen: Open, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = dict(stack.document["profiles"]["test"])
    stack.document["profiles"]["spare"] = {**other, "store": "${SPARE}"}
    monkeypatch.setenv("SPARE", str(stack.path.parent / "spare lake"))
    (stack.path.parent / "spare lake").mkdir()
    stack.document["default_profile"] = "test"
    stack.reload()
    async with open_screen() as screen:
        await screen.press("p")
        await screen.see("Profile", "current: read again", "spare")
        await screen.type("spare")
        await screen.press("enter")
        await screen.see(" spare ", "3 never synced")
        await screen.hear("opened profile spare")

        monkeypatch.delenv("SPARE")
        await screen.press("p", "enter")
        await screen.hear("SPARE")
        await screen.see(" spare ")


async def test_a_profile_is_not_switched_under_its_syncs(open_screen: Open, slow_source: Callable[[], None]) -> None:
    async with open_screen() as screen:
        await screen.pilot.press("j", "s")
        await screen.see("Sync shop.items")
        await screen.pilot.press("enter")
        await screen.see("▸ 1 syncing")
        await screen.pilot.press("p")
        await screen.hear("wait for the syncs, or cancel them")
        slow_source()


# Leaving


async def test_leaving_while_a_sync_runs_asks_and_staying_goes_on(
    open_screen: Open, stack: Stack, slow_source: Callable[[], None]
) -> None:
    async with open_screen() as screen:
        await screen.pilot.press("j", "s")
        await screen.see("Sync shop.items")
        await screen.pilot.press("enter")
        await screen.see("▸ 1 syncing")
        await screen.pilot.press("q")
        await screen.see("1 sync under way", "stay", "finish", "abort")
        await screen.pilot.press("enter")
        await screen.miss("under way")
        assert screen.app.return_value is None

        await screen.pilot.press("q")
        await screen.see("finish")
        await screen.pilot.press("down", "enter")
        await screen.hear("leaving once 1 sync has ended")
        slow_source()
        await screen.until(lambda: screen.app.return_value == 0)
    assert stack.mark("items")["mysql_status"] == "success"


async def test_a_sync_is_cancelled_between_parts(open_screen: Open, slow_source: Callable[[], None]) -> None:
    async with open_screen() as screen:
        await screen.pilot.press("j", "s")
        await screen.see("Sync shop.items")
        await screen.pilot.press("enter")
        await screen.see("▸ 1 syncing")
        await screen.pilot.press("x")
        await screen.hear("shop.items: stopping between parts")
        slow_source()
        await screen.settle()
        await screen.hear("interrupted")


async def test_there_is_nothing_to_cancel_where_nothing_runs(open_screen: Open) -> None:
    async with open_screen() as screen:
        await screen.press("x")
        await screen.hear("no sync of this screen works on it")

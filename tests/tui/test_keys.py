"""Every key does what the help says it does."""

import json
from pathlib import Path

import pytest
from textual.events import Key

from tests.stack import Stack
from tests.tui.conftest import Open
from tests.tui.screen import Screen
from wmtui.tui.keys.actions import ACTIONS
from wmtui.tui.shell import format_key

ORDERS, ITEMS, LINES = "shop.orders", "shop.items", "shop.lines"


def under_cursor(screen: Screen) -> str:
    return str(screen.app.current)


async def test_it_opens_on_the_tables_and_shows_the_watermark_of_the_first(open_screen: Open) -> None:
    async with open_screen() as screen:
        await screen.see("1 Tables", ORDERS, ITEMS, LINES, "2 shop.orders", "3 Sync log", "3 tables · ", "seen ")
        await screen.see("[Watermark]", "mode           manual", "Found 3 files, filtered to 0 files")
        assert screen.app.focused is screen.app.main.tables_pane.lines


@pytest.mark.parametrize(
    ("keys", "table"),
    [
        (["j"], ITEMS),
        (["down"], ITEMS),
        (["j", "j", "k"], ITEMS),
        (["j", "up"], ORDERS),
        (["G"], LINES),
        (["end"], LINES),
        (["G", "g"], ORDERS),
        (["G", "home"], ORDERS),
        (["pagedown"], LINES),
        (["G", "pageup"], ORDERS),
        (["k"], ORDERS),
    ],
)
async def test_the_cursor_moves(open_screen: Open, keys: list[str], table: str) -> None:
    async with open_screen() as screen:
        await screen.press(*keys)

        assert under_cursor(screen) == table
        await screen.see(f"2 {table}")


async def test_numbers_and_tab_give_the_focus_to_a_pane_enter_opens_and_escape_goes_back(open_screen: Open) -> None:
    async with open_screen() as screen:
        app = screen.app
        for key, pane in (
            ("2", app.main.detail_pane.lines),
            ("3", app.main.log_pane.lines),
            ("1", app.main.tables_pane.lines),
        ):
            await screen.press(key)
            assert app.focused is pane
        await screen.press("tab")
        assert app.focused is app.main.detail_pane.lines
        await screen.press("escape")
        assert app.focused is app.main.tables_pane.lines
        await screen.press("enter")
        assert app.focused is app.main.detail_pane.lines


async def type_at_once(screen: Screen, text: str) -> None:
    """As a paste or a slow connection delivers it."""
    for character in text:
        key = {"/": "slash", " ": "space", "\n": "enter", "-": "minus"}.get(character, character)
        screen.app.post_message(Key(key, None if character == "\n" else character))
    await screen.settle()


async def test_letters_typed_at_once_behind_a_key_that_moves_the_focus_are_no_commands(open_screen: Open) -> None:
    async with open_screen() as screen:
        await type_at_once(screen, "/jorders")
        await screen.see("/jorders", "no table matches")
        assert not screen.app.screen.is_modal


async def test_letters_typed_at_once_behind_a_key_that_opens_a_dialog_are_typed_there(
    open_screen: Open, stack: Stack
) -> None:
    async with open_screen() as screen:
        await type_at_once(screen, "e3h ago")
        await screen.see("Edit the watermark of shop.orders", "3h ago", "+3 files")
        await type_at_once(screen, "\n")
        await screen.hear("set:")
        await type_at_once(screen, "jjkjs")
        await screen.see("Sync shop.lines")
    assert stack.mark()["backup_strategy"] == "manual_cli"


async def test_enter_typed_ahead_saves_once_it_is_known_what_the_point_does(open_screen: Open, stack: Stack) -> None:
    async with open_screen() as screen:
        await type_at_once(screen, "e3h ago\n")
        await screen.hear("shop.orders: set: Found 3 files, filtered to 3 files")
        await type_at_once(screen, "eaug99\n")
        await screen.see("unknown preset 'aug99'", "Edit the watermark")
        await screen.press("escape")
    assert stack.service.history.entries(stack.table())[-1].serial == stack.mark()["metadata"]["serial"]  # type: ignore[union-attr]


async def test_tabs_open_by_their_letters_and_by_brackets(open_screen: Open) -> None:
    async with open_screen() as screen:
        await screen.press("f")
        await screen.see("[Files 0/3]", "too old", "▲ watermark")
        await screen.press("h")
        await screen.see("[History]", "loaded by hand", "rows per run")
        await screen.press("w")
        await screen.see("[Watermark]")
        await screen.press("right_square_bracket")
        await screen.see("[Files 0/3]")
        await screen.press("left_square_bracket", "left_square_bracket")
        await screen.see("[History]")


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
async def test_every_line_of_every_list_can_be_scrolled_into_its_pane(open_screen: Open, size: tuple[int, int]) -> None:
    async with open_screen(size=size) as screen:
        pane = screen.app.main.detail_pane
        for key in ("w", "f", "h"):
            await screen.press(key)
            assert pane.content_region.contains_region(pane.lines.region), key


async def test_files_may_be_narrowed_to_those_kept_and_those_dropped(open_screen: Open) -> None:
    async with open_screen() as screen:
        await screen.press("t")
        await screen.see("[Files 0/3]", "no files are kept")
        await screen.press("t")
        await screen.see("too old")
        await screen.press("t")
        await screen.see("too old")
        assert screen.app.main.detail_pane.kept == "all"


async def test_a_filter_narrows_the_tables_and_counts_them(open_screen: Open) -> None:
    async with open_screen() as screen:
        await screen.press("slash")
        await screen.type("item")
        await screen.see("/item · 1 of 3", ITEMS)
        await screen.miss(LINES)
        await screen.press("enter")
        assert under_cursor(screen) == ITEMS
        await screen.press("escape")
        await screen.see(LINES)

        await screen.press("slash")
        await screen.type("nothing so")
        await screen.see("0 of 3", "no table matches")
        await screen.press("escape")
        await screen.see(ORDERS)


async def test_a_filter_finds_tables_by_what_is_wrong_with_them(open_screen: Open) -> None:
    async with open_screen() as screen:
        await screen.press("slash")
        await screen.type("never")
        await screen.see("1 of 3", ITEMS)


async def test_tables_are_sorted_by_each_order_in_turn_and_the_cursor_stays_on_its_table(open_screen: Open) -> None:
    async with open_screen() as screen:
        await screen.press("j")
        seen = []
        for _ in range(10):
            await screen.press("o")
            seen.append([str(table) for table in screen.app.main.tables_pane.lines.items])
            assert under_cursor(screen) == ITEMS
        assert sorted([ORDERS, ITEMS, LINES]) in seen
        assert seen[-1] is not seen[0]
        assert len({tuple(order) for order in seen}) > 1


async def test_tables_are_marked_one_by_one_or_all_that_are_shown(open_screen: Open) -> None:
    async with open_screen() as screen:
        await screen.press("space", "space")
        await screen.see("● shop.orders", "● shop.items", "2 marked")
        await screen.press("escape")
        await screen.miss("marked")
        await screen.press("a")
        await screen.see("3 marked")
        await screen.press("a")
        await screen.miss("marked")


async def test_colon_jumps_to_a_table_by_a_part_of_its_name(open_screen: Open) -> None:
    async with open_screen() as screen:
        await screen.press("colon")
        await screen.see("Jump to a table")
        await screen.type("lin")
        await screen.press("enter")
        assert under_cursor(screen) == LINES
        await screen.see("2 shop.lines")


async def test_exclamation_mark_groups_problems_by_cause(open_screen: Open) -> None:
    async with open_screen() as screen:
        await screen.press("exclamation_mark")
        await screen.see("Problems by cause", "1 table: never synced", ITEMS)
        await screen.press("escape")
        await screen.miss("Problems by cause")


@pytest.mark.parametrize(
    ("pane", "first"), [("1", "Sync: start"), ("2", "Watermark: edit"), ("3", "Sync: start")], ids=["1", "2", "3"]
)
async def test_help_names_every_key_those_of_the_focused_pane_first(open_screen: Open, pane: str, first: str) -> None:
    async with open_screen(size=(120, 60)) as screen:
        await screen.press(pane)
        await screen.press("question_mark")
        await screen.see("Keys", f"in {pane} ", first)
        text = screen.text
        for action in ACTIONS:
            assert action.title in text
            assert all(format_key(key) in text for key in action.keys.split(","))
        assert text.index(first) < text.index("everywhere")


async def test_the_palette_has_every_action_and_runs_it(open_screen: Open) -> None:
    async with open_screen() as screen:
        await screen.press("ctrl+p")
        await screen.see("Sync: start", "key s")
        await screen.type("zoom")
        await screen.see("View: zoom (the pane)")
        await screen.press("enter")
        await screen.until(lambda: screen.app.screen.has_class("zoomed"))


async def test_z_shows_the_focused_pane_alone_and_everything_again(open_screen: Open) -> None:
    async with open_screen() as screen:
        await screen.press("2", "z")
        await screen.miss("1 Tables", "3 Sync log")
        await screen.see("2 shop.orders")
        await screen.press("z")
        await screen.see("1 Tables", "3 Sync log")
        await screen.press("z", "escape")
        await screen.see("1 Tables")


async def test_y_copies_the_line_under_the_cursor(open_screen: Open) -> None:
    async with open_screen() as screen:
        await screen.press("y")
        assert screen.app.clipboard == ORDERS
        await screen.press("f", "y")
        assert screen.app.clipboard.endswith(".parquet")
        await screen.press("w", "y")
        assert screen.app.clipboard.startswith("20")


async def test_enter_shows_the_whole_of_a_line_that_a_pane_is_too_narrow_for(open_screen: Open) -> None:
    async with open_screen(size=(80, 24)) as screen:
        await screen.press("f")
        await screen.see("too old")
        await screen.press("enter")
        await screen.see("held back:", "not after the watermark", "ETag")
        await screen.press("escape", "h")
        await screen.see("set")
        await screen.press("enter")
        await screen.see("because: loaded by hand", "load_floor")


async def test_ctrl_r_reads_everything_anew(open_screen: Open, stack: Stack) -> None:
    async with open_screen() as screen:
        stack.service.watermarks.set(stack.table("items"), "2h ago")
        stack.insert((9, "1.00", "x", stack.clock()), name="lines")
        await screen.press("ctrl+r")
        await screen.press("j")
        await screen.see("mode           manual")


async def test_the_log_follows_is_paused_searched_and_filtered_by_severity(open_screen: Open) -> None:
    async with open_screen() as screen:
        app = screen.app
        for number in range(30):
            app.say(f"line {number}")
        from wmtui.events import Severity

        app.say("something odd", Severity.WARNING)
        await screen.see("something odd", "following")
        await screen.press("3", "F")
        await screen.see("paused")
        app.say("a late line")
        await screen.see("1 new line")
        await screen.press("F")
        await screen.see("a late line", "following")

        await screen.press("l")
        await screen.miss("line 29")
        await screen.see("something odd")
        await screen.press("l", "l")
        await screen.see("a late line")

        await screen.press("slash")
        await screen.type("late")
        await screen.see("a late line", "/late")
        await screen.miss("line 29")
        await screen.press("escape")
        await screen.see("a late line")


async def test_going_up_in_the_log_pauses_it(open_screen: Open) -> None:
    async with open_screen() as screen:
        for number in range(30):
            screen.app.say(f"line {number}")
        await screen.see("line 29")
        await screen.press("3", "k", "k")
        await screen.see("paused")
        await screen.press("G")
        await screen.see("following")


async def test_the_log_is_saved_to_a_file(open_screen: Open, own_folder: Path) -> None:
    async with open_screen() as screen:
        screen.app.say("to be kept")
        await screen.press("ctrl+s")
        await screen.until(lambda: bool(list(own_folder.glob("wmtui-*.log"))))
        (saved,) = own_folder.glob("wmtui-*.log")
        assert "to be kept" in saved.read_text()


async def test_q_leaves(open_screen: Open) -> None:
    async with open_screen() as screen:
        await screen.pilot.press("q")
        await screen.pilot.pause()
        assert screen.app.return_value == 0


async def test_keys_of_the_screen_do_nothing_behind_a_dialog(open_screen: Open, stack: Stack) -> None:
    before = json.dumps(dict(stack.mark()))
    async with open_screen() as screen:
        await screen.press("question_mark")
        await screen.see("Keys")
        await screen.press("s", "e", "r", "u", "q", "x")
        await screen.see("Keys")
        await screen.press("escape")
        await screen.miss("Sync shop", "Edit the watermark", "Reset shop")
        assert screen.app.return_value is None
    assert json.dumps(dict(stack.mark())) == before


async def test_read_only_greys_the_keys_that_change_something_and_refuses_them(open_screen: Open, stack: Stack) -> None:
    from wmtui.service import Service

    reader = Service(stack.service.workspace.settings, clock=stack.clock, read_only=True)
    async with open_screen(service=reader) as screen:
        await screen.see("read-only")
        await screen.press("e", "s", "r", "u", "P", "S")
        await screen.miss("Edit the watermark", "Sync shop", "Reset", "Undo “", "Pin the", "Set the system")


async def test_a_keymap_file_moves_keys_and_what_is_wrong_in_it_is_told_once(
    open_screen: Open, own_folder: Path
) -> None:
    folder = own_folder / "config" / "wmtui"
    folder.mkdir(parents=True)
    (folder / "keymap.yaml").write_text("view.zoom: ctrl+t\nno.such: x\nsync.start: 7\n")
    async with open_screen() as screen:
        await screen.hear("unknown action 'no.such'", "sync.start needs a key")
        await screen.press("ctrl+t")
        assert screen.app.screen.has_class("zoomed")
        await screen.press("ctrl+t", "z")
        assert not screen.app.screen.has_class("zoomed")
        await screen.press("question_mark")
        await screen.see("^t")


async def test_a_keymap_that_is_no_yaml_leaves_every_key_as_it_is(open_screen: Open, own_folder: Path) -> None:
    folder = own_folder / "config" / "wmtui"
    folder.mkdir(parents=True)
    (folder / "keymap.yaml").write_text("{: [")
    async with open_screen() as screen:
        await screen.hear("cannot read", "keymap.yaml")
        await screen.press("j")
        assert under_cursor(screen) == ITEMS

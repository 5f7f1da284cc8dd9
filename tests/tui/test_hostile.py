"""Names, reasons and errors from outside are shown as they are, wherever text is shown: never taken for markup or
for commands to the terminal."""

import os
import re
from pathlib import Path

import pytest
import yaml
from textual.widgets import Input

from tests.stack import Stack
from tests.tui.conftest import Open, opened
from tests.tui.screen import Screen
from wmtui import config
from wmtui.events import Severity
from wmtui.model import TableName
from wmtui.service import Author, Service
from wmtui.watermarks import lease

HOSTILE = {
    "a closing tag": "[/]",
    "a variable": "[$primary]x",
    "a style": "[bold red]x[/bold red]",
    "an action": "[@click=quit]x[/]",
    "wide characters": "出荷明細表",
    "200 characters": "n" * 200,
    "control characters": "a\x1b[31mb\tc\x07d\u202ee\x85f",
    "combining characters": "e\u0301\u200b\u200dx",
    "an unfinished tag": "[",
    "a backslash": "a\\[b\\",
}
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]")


async def look(screen: Screen, *keys: str) -> str:
    """Press keys; what is shown then is as wide as the screen, and holds no control character."""
    await screen.press(*keys)
    await screen.settle()
    for line in screen.lines:
        assert not CONTROL.search(line), repr(line)
    assert len(screen.lines) == screen.app.size.height
    return screen.text


EVERYTHING = "".join(name for name in HOSTILE.values() if len(name) < 100)


@pytest.mark.parametrize("size", [(80, 24), (200, 60)], ids=["80x24", "200x60"])
async def test_hostile_tables_are_listed_opened_and_found(stack: Stack, size: tuple[int, int]) -> None:
    stack.document["tables"] = {f"shop.{name}": {} for name in HOSTILE.values()}
    service = stack.reload()
    async with opened(service, size=size) as screen:
        text = await look(screen)
        for name in HOSTILE.values():
            assert name[:4] in text or not (name.isascii() and name.isprintable())
            await look(screen, "j")
        for keys in (["colon"], ["escape", "exclamation_mark"], ["escape", "a", "e"]):
            await look(screen, *keys)
        await screen.see("type test to confirm")
        screen.app.screen.query_one("#point", Input).value = "3h ago"
        await screen.see("→ ")
        await look(screen)


@pytest.mark.parametrize(
    ("name", "size"), [(EVERYTHING, (80, 24)), ("n" * 200, (200, 60))], ids=["everything", "200 characters"]
)
async def test_a_hostile_table_is_shown_everywhere(stack: Stack, name: str, size: tuple[int, int]) -> None:
    stack.document["tables"] = {f"shop.{name}": {}, **stack.document["tables"]}
    service = stack.reload()
    table = TableName("shop", name)
    folder = stack.path.parent / "lake" / "incremental" / table.key
    folder.mkdir(parents=True)
    (folder / "part.parquet").write_bytes(b"PAR1")
    service.watermarks.set(table, "5s ago", reason=f"because {name}")
    service.watermarks.set(table, "3s ago", reason=f"because {name}")
    async with opened(service, size=size) as screen:
        shown = name[:6] if name.isascii() and name.isprintable() else ""
        assert shown in await look(screen)
        for keys in (
            ["f"], ["enter"], ["escape", "h"], ["enter"], ["escape", "w"], ["enter"], ["escape", "escape", "z"], ["z"],
            ["exclamation_mark"], ["escape", "colon"], ["escape", "slash"], ["escape", "question_mark"],
            ["escape", "ctrl+p"], ["escape", "e"],
        ):  # fmt: skip
            await look(screen, *keys)
        await screen.type("3h ago")
        await screen.see("→")
        await look(screen, "escape", "r")
        await look(screen, "escape", "P")
        await screen.type("why [/] not")
        await look(screen, "enter")
        await screen.hear("pinned")
        await look(screen, "P")
        await look(screen, "tab", "tab", "enter")
        await look(screen, "escape", "u")
        await look(screen, "escape", "space", "j", "space", "e")
        await look(screen, "escape", "escape", "g", "s")
        await look(screen, "up", "enter")
        await screen.hear("failed")
        await look(screen, "3", "k", "enter")
        await look(screen, "escape", "y")
        screen.app.say(f"something about {name}", Severity.ERROR, table)
        screen.app.notify(f"something about {name}")
        await screen.pilot.pause(0.2)
        await look(screen)


async def test_hostile_owners_and_reasons_are_shown(stack: Stack) -> None:
    name = EVERYTHING
    author = Author(name, name)
    service = Service(stack.service.workspace.settings, clock=stack.clock, author=author)
    service.watermarks.set(stack.table(), "5s ago", reason=name)
    service.pins.pin(stack.table("items"), reason=name, until=None)
    held, _ = lease.acquire(service.workspace.objects, stack.clock, author, stack.table("lines"), "0198a4f3c0001a2b3c")
    held.set_phase("extracting", 12)
    held.renew()
    async with opened(stack.service, size=(120, 40)) as screen:
        for keys in (["h"], ["enter"], ["escape", "1", "j"], ["w"], ["1", "P"], ["escape", "j"], ["U"], ["escape"]):
            await look(screen, *keys)
    held.release()


async def test_a_hostile_store_and_profile_are_shown(stack: Stack, tmp_path: Path) -> None:
    lake = tmp_path / "la[b]ke [$primary]"
    lake.mkdir()
    stack.document["profiles"] = {"[/]prod": {**stack.document["profiles"]["test"], "store": str(lake)}}
    stack.path.write_text(yaml.safe_dump(stack.document))
    service = Service(config.load(stack.path, "[/]prod"), clock=stack.clock)
    async with opened(service, size=(200, 60)) as screen:
        text = await look(screen)
        assert "[/]prod" in text
        assert "la[b]ke [$primary]" in text
        await look(screen, "a", "e")
        await screen.see("type [/]prod to confirm")


async def test_a_hostile_file_name_is_shown(open_screen: Open, stack: Stack) -> None:
    folder = stack.path.parent / "lake" / "incremental" / stack.table().key
    for name in HOSTILE.values():
        path = folder / f"{name[:100]}.parquet".replace("/", "_")
        path.write_bytes(b"PAR1")
        os.utime(path, (1, 1))
    async with open_screen(size=(200, 60)) as screen:
        await look(screen, "f")
        for _ in HOSTILE:
            await look(screen, "enter")
            await look(screen, "escape", "j")


async def test_a_theme_and_a_keymap_with_hostile_texts_are_told_and_nothing_else(
    open_screen: Open, own_folder: Path
) -> None:
    folder = own_folder / "config" / "wmtui"
    (folder / "themes").mkdir(parents=True)
    (folder / "themes" / "[x].yaml").write_text("background: '[/]'\n")
    (folder / "keymap.yaml").write_text("'[/]': '[$primary]'\n")
    async with open_screen() as screen:
        await look(screen)
        await screen.hear("unknown action '[/]'")
        await look(screen, "T")
        await screen.hear("[x].yaml")

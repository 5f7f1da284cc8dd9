"""Scenes of the demo, drawn the same each time: for tests that compare pictures, and for the pictures of the README.

`python -m tests.tui.scenes FOLDER` draws those of the README.
"""

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

from msgspec import Struct
from textual.widgets import Input

from tests.tui.screen import Screen
from wmtui.demo import open_demo
from wmtui.demo.replay import MOMENT
from wmtui.errors import ExitCode
from wmtui.events import Message, Phase, Progress, Severity, Status, TableResult
from wmtui.runs import run_document
from wmtui.service import Author, Service
from wmtui.tui import image_file
from wmtui.tui.app import WmtuiApp
from wmtui.tui.start import Start

AUTHOR = Author("mei.lin", "ops-laptop")
FOLDER = Path(".cache", "wmtui", "demo")
"""Of the sandbox, in a home folder."""


class Scene(Struct, frozen=True):
    """keys: from the opened screen; `…text` is typed. sees: what is drawn then. back: keys that undo them."""

    name: str
    keys: tuple[str, ...]
    sees: tuple[str, ...]
    back: tuple[str, ...] = ("escape",)
    happens: Callable[[Screen], Awaitable[None]] | None = None


class _Standing:
    """Monotonic seconds that pass when somebody says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def _sync(screen: Screen) -> None:
    """Tables are under way since four seconds, as real syncs tell it; the first of them is done."""
    done, staging, reading = (f"settlement.settlement_{name}_detail" for name in ("return", "fee", "claim"))
    screen.app.sync_queue.events.extend(
        [
            Message(reading, Severity.INFO, "extracting from 2025-08-14 15:22:38 UTC to 2025-08-14 15:30:40 UTC"),
            Message(done, Severity.INFO, "Found 3 files, filtered to 1 file for loading"),
            TableResult(done, Status.SUCCESS, ExitCode.DONE, 0, 640, 0, 1, 1.4),
            Message(staging, Severity.INFO, "Found 4 files, filtered to 2 files for loading"),
            Progress(staging, Phase.STAGING, 18_200, 1, 2),
            Progress(reading, Phase.EXTRACTING, 241_000, 3),
        ]
    )
    await screen.settle()
    assert isinstance(screen.app.clock, _Standing)
    screen.app.clock.now += 4.0
    screen.app.main.tables_pane.lines.redraw()
    screen.app.show_status()


SCENES = (
    Scene("tables", (), ("1 Tables", "2 settlement.", "filtered to 0"), ()),
    Scene("files", ("f",), ("[Files 0/3]",), ("w", "1")),
    Scene("history", ("h",), ("rows per run",), ("w", "1")),
    Scene("edit", ("e", "…2025-08-09 19:47:29"), ("+3 files", "same as")),
    Scene("sync", ("s",), ("same as",)),
    Scene("reset", ("r",), ("epoch",)),
    Scene("bulk", ("space", "space", "space", "e", "…3h ago"), ("3 tables", "+"), ("escape", "escape", "g")),
    Scene("pin", ("P",), ("Pin",)),
    Scene("problems", ("exclamation_mark",), ("Problems by cause",)),
    Scene("filter", ("slash", "…orders ok"), ("/orders ok",)),
    Scene("help", ("question_mark",), ("Keys",)),
    Scene("palette", ("ctrl+p", "…water"), ("Watermark: edit",)),
    Scene("themes", ("T",), ("fjord",)),
    Scene("syncing", (), ("▸ extr", "▸ 2 syncing"), (), _sync),
)


def make_sandbox(home: Path) -> None:
    """The demo's sandbox in a home folder, equal down to the names of its runs."""
    with patch.object(run_document, "secrets", SimpleNamespace(token_hex="00".__mul__)):
        open_demo(home / FOLDER, False, lambda _: None)


def open_service(home: Path) -> Service:
    """The sandbox in a home folder; its clock stands still."""
    settings, _ = open_demo(home / FOLDER, False, lambda _: None)
    return Service(settings, clock=lambda: MOMENT, author=AUTHOR)


@asynccontextmanager
async def opened(service: Service, size: tuple[int, int], theme: str) -> AsyncIterator[Screen]:
    """The demo's screen as it opens; its clocks stand still, and no cursor blinks."""
    app = WmtuiApp(Start(service=service, options=("--demo",), theme=theme, walkthrough=True), clock=_Standing())
    with patch.object(Input, "cursor_blink", False):
        async with app.run_test(size=size) as pilot:
            screen = Screen(app, pilot)
            await screen.settle()
            yield screen


async def drawn(screen: Screen, scene: Scene) -> str:
    """Go to a scene and back; returns its picture as SVG."""
    for key in scene.keys:
        await (screen.type(key[1:]) if key.startswith("…") else screen.press(key))
    if scene.happens is not None:
        await scene.happens(screen)
    await screen.see(*scene.sees)
    await screen.settle()
    svg = image_file.portable(screen.app.export_screenshot(title=image_file.title(screen.app.service.workspace)))
    await screen.press(*scene.back)
    return svg


PICTURES = {"tables": "harbour", "edit": "harbour", "files": "paper", "syncing": "isles"}
"""Scenes that the README shows, and their themes."""


async def draw(folder: Path, service: Service) -> None:
    """Draw the pictures of the README."""
    for theme in dict.fromkeys(PICTURES.values()):
        async with opened(service, (120, 40), theme) as screen:
            folder.mkdir(parents=True, exist_ok=True)
            for scene in SCENES:
                if PICTURES.get(scene.name) == theme:
                    image_file.save(await drawn(screen, scene), folder / f"{scene.name}.png")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="wmtui-scenes-") as home:
        os.environ |= {"HOME": home, "XDG_CONFIG_HOME": home}
        make_sandbox(Path(home))
        asyncio.run(draw(Path(sys.argv[1]), open_service(Path(home))))

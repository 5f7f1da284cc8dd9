"""The screen without a terminal, over embedded pipelines; tests press keys and read what is drawn."""

import shutil
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from tests.stack import Stack, ago, embedded_stack
from wmtui import config
from wmtui.pipeline import extraction, parts
from wmtui.service import Author, Service
from wmtui.tui.app import Start, WmtuiApp
from wmtui.watermarks import lease
from wmtui.watermarks.lease import Lease

PATIENCE_SECONDS = 20.0
RUN_ID = "0198a4f3c0001a2b3c"


class Screen:
    """A running screen and somebody at its keyboard."""

    def __init__(self, app: WmtuiApp, pilot: Pilot[Any]) -> None:
        self.app = app
        self.pilot = pilot

    @property
    def lines(self) -> list[str]:
        """What is drawn, line by line."""
        return [strip.text for strip in self.app.screen._compositor.render_strips()]

    @property
    def text(self) -> str:
        """What is drawn."""
        return "\n".join(self.lines)

    @property
    def log(self) -> str:
        """The sync log, whole lines, also those that are scrolled out or cut at the border."""
        return "\n".join(str(line) for line in self.app.log_pane.lines.items)

    async def press(self, *keys: str) -> None:
        """Press keys, and let what they start end."""
        await self.pilot.press(*keys)
        await self.settle()

    async def type(self, text: str) -> None:
        """Type a text."""
        await self.press(*("space" if character == " " else character for character in text))

    async def see(self, *words: str) -> None:
        """Wait until all of this is drawn."""
        await self.until(lambda: all(word in self.text for word in words), f"{words} in\n{self.text}")

    async def hear(self, *words: str) -> None:
        """Wait until all of this is in the log."""
        await self.until(lambda: all(word in self.log for word in words), f"{words} in the log")

    async def miss(self, *words: str) -> None:
        """Wait until none of this is drawn."""
        await self.until(lambda: not any(word in self.text for word in words), f"no {words}")

    async def until(self, holds: Callable[[], bool], what: str = "it") -> None:
        """Wait until something holds."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not holds():
            assert time.monotonic() < deadline, f"waited in vain for {what}; shown is\n{self.text}\nlog\n{self.log}"
            await self.pilot.pause(0.02)

    async def settle(self) -> None:
        """Wait until nobody works in the background, and what was found is drawn."""
        app, quiet = self.app, 0
        deadline = time.monotonic() + PATIENCE_SECONDS
        while quiet < 2:
            await self.pilot.pause(0.02)
            still = not (app.crew.busy or app.runs.busy or app.runs.events or app._reading.found or app.settling)
            quiet = quiet + 1 if still else 0
            assert time.monotonic() < deadline, f"still busy; shown is\n{self.text}"


Open = Callable[..., AbstractAsyncContextManager[Screen]]


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the user chose is kept in a folder of the test's own, which is where pictures and logs are saved too."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Stack:
    """What `stack` copies: made once per process."""
    stack = embedded_stack(tmp_path_factory.mktemp("built"))
    stack.reload(items={}, lines={})
    for name in ("orders", "items", "lines"):
        stack.create(name)
    for number in (1, 2, 3):
        stack.insert((number, "9.50", f"note {number}", ago(minutes=60 - number)))
        stack.sync_one(backup_only=True)
        stack.let_pass(seconds=30)
    stack.insert((1, "1.00", "a line", ago(minutes=50)), name="lines")
    stack.sync_one("lines")
    stack.service.watermarks.set(stack.table(), "5s ago", reason="loaded by hand")
    return stack


@pytest.fixture
def stack(built: Stack, tmp_path: Path) -> Stack:
    """Three tables: orders has a manual watermark that leaves its three files out, items is new, lines was synced."""
    stack = embedded_stack(tmp_path)
    shutil.copytree(built.path.parent, tmp_path, dirs_exist_ok=True)
    stack.clock.offset = built.clock.offset
    stack.reload(items={}, lines={})
    return stack


@asynccontextmanager
async def opened(service: Service, *, size: tuple[int, int] = (120, 40), **start: Any) -> AsyncIterator[Screen]:
    """The screen of a service; what still runs at the end is stopped."""
    app = WmtuiApp(Start(service=service, **start))
    async with app.run_test(size=size, notifications=True) as pilot:
        screen = Screen(app, pilot)
        await screen.settle()
        yield screen
        app.runs.cancel_all()
        if app.return_value is None:
            await screen.settle()


@pytest.fixture
def open_screen(stack: Stack) -> Open:
    """Opens the screen of the stack: as `async with open_screen(size=(80, 24)) as screen`."""

    def reopen(name: str) -> Service:
        return Service(config.load(stack.path, name), clock=stack.clock, author=stack.service.workspace.author)

    def make(**start: Any) -> AbstractAsyncContextManager[Screen]:
        given = {"reopen": reopen, "profiles": stack.service.workspace.settings.profiles, **start}
        return opened(given.pop("service", stack.service), **given)

    return make


@pytest.fixture
def other_run(stack: Stack) -> Iterator[Lease]:
    """A live run of another host that holds shop.orders."""
    author = Author("cron", "etl-worker")
    held, _ = lease.acquire(stack.service.workspace.objects, stack.clock, author, stack.table(), RUN_ID)
    held.beat("extracting", 1200)
    held.renew()
    yield held
    held.release({})


@pytest.fixture
def slow_source(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """shop.items has rows, whose second batch only comes once this is called."""
    monkeypatch.setattr(extraction, "BATCH_ROWS", 1)
    monkeypatch.setattr(parts, "PART_BYTES", 1)
    stack.insert(*[(number, "1.00", "new", stack.ago(minutes=9)) for number in range(1, 9)], name="items")
    source, go_on = stack.service.workspace.source, threading.Event()
    read = source.read

    def slow(*args: Any) -> Iterator[Any]:
        for number, batch in enumerate(read(*args)):
            if number:
                go_on.wait(PATIENCE_SECONDS)
            yield batch

    monkeypatch.setattr(source, "read", slow)
    yield go_on.set
    go_on.set()

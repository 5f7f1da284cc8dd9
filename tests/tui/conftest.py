"""The screen without a terminal, over embedded pipelines; tests press keys and read what is drawn."""

import shutil
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.stack import Stack, ago, embedded_stack
from tests.tui.screen import PATIENCE_SECONDS, Screen
from wmtui import config
from wmtui.pipeline.extract import part_writer, span_reader
from wmtui.service import Author, Service
from wmtui.tui.app import WmtuiApp
from wmtui.tui.start import Start
from wmtui.watermarks import lease
from wmtui.watermarks.lease import Lease

RUN_ID = "0198a4f3c0001a2b3c"
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
    app.NOTIFICATION_TIMEOUT = PATIENCE_SECONDS  # A busy machine may look at a toast later than it is shown to people.
    async with app.run_test(size=size, notifications=True) as pilot:
        screen = Screen(app, pilot)
        await screen.until(lambda: app.reader.age is not None or app.reader.failure is not None)
        await screen.settle()
        yield screen
        app.sync_queue.cancel_all()
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
    held.set_phase("extracting", 1200)
    held.renew()
    yield held
    held.release()


@pytest.fixture
def slow_source(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """shop.items has rows, whose second batch only comes once this is called."""
    monkeypatch.setattr(span_reader, "BATCH_ROWS", 1)
    monkeypatch.setattr(part_writer, "PART_BYTES", 1)
    stack.insert(*[(number, "1.00", "new", stack.ago(minutes=9)) for number in range(1, 9)], name="items")
    go_on = threading.Event()

    def slow(read: Any, *args: Any) -> Iterator[Any]:
        for number, batch in enumerate(read(*args)):
            if number:
                go_on.wait(PATIENCE_SECONDS)
            yield batch

    stack.patch_source(monkeypatch, "read", slow)
    yield go_on.set
    go_on.set()

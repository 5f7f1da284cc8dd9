"""A running screen and somebody at its keyboard."""

import time
from collections.abc import Callable
from typing import Any

from textual.pilot import Pilot

from wmtui.tui.app import WmtuiApp

PATIENCE_SECONDS = 20.0


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
        return "\n".join(str(line) for line in self.app.main.log_pane.lines.items)

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
            still = not (app.background.busy or app.sync_queue.busy or app.sync_queue.events) and app.reader.still
            quiet = quiet + 1 if still else 0
            assert time.monotonic() < deadline, f"still busy; shown is\n{self.text}"

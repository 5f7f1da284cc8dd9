"""Keys typed ahead, as a paste or a slow connection delivers them, go where the keys before them lead.

Textual passes every key to the widget that has the focus when the key arrives, also while a key before it is still on
its way to move the focus or to open a dialog: of `/reset` typed at once, `r`, `e` and `s` would be commands.
"""

import asyncio
import time
from collections import deque
from typing import Generic, TypeVar

from textual import on
from textual.app import App
from textual.dom import DOMNode
from textual.events import Event, Key
from textual.message import Message

HELD_SECONDS = 2.0
"""No key waits longer than this for a dialog that takes none, or for the key before it."""
QUIET_SECONDS = 2.0
TYPING_SECONDS = 0.3
_WAY_SECONDS = 0.1
_AGAIN_SECONDS = 0.02

_Result = TypeVar("_Result")


class KeyTaken(Message):
    """Goes the way of a key, after it: when it arrives, every widget has had the key. number: which key."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


class KeyQueueApp(App[_Result], Generic[_Result]):
    """An application that takes one key at a time."""

    def __init__(self) -> None:
        super().__init__()
        self._typed: deque[Key] = deque()
        self._key = 0
        self._target: DOMNode | None = None
        """The widget that has the newest key, until every widget has had it."""
        self._since = 0.0

    @property
    def quiet(self) -> bool:
        """No key was typed for a while."""
        return time.monotonic() - self._since > QUIET_SECONDS

    def give_way(self, *, hurry: bool) -> None:
        """For threads that work through much: leave the processor to the screen, most of it while keys are typed."""
        if time.monotonic() - self._since < TYPING_SECONDS:
            time.sleep(_WAY_SECONDS)
        elif not hurry:
            time.sleep(_WAY_SECONDS / 3)

    async def on_event(self, event: Event) -> None:
        """Keys queue up; everything else goes on as always."""
        if isinstance(event, Key) and not event.is_forwarded:
            self._typed.append(event)
            if len(self._typed) == 1:
                await self._type()
        else:
            await super().on_event(event)

    async def _type(self) -> None:
        """Pass the next key on, once the one before was taken and the screen can take it."""
        await asyncio.sleep(0)  # A command that waits is a task of its own: let it open its dialog first.
        if not self._typed:
            return
        under_way = self._target is not None and self._target.is_attached
        opening = self.screen.is_modal and self.focused is None
        if (under_way or opening) and time.monotonic() < self._since + HELD_SECONDS:
            self.set_timer(_AGAIN_SECONDS, self._type)
            return
        self._key += 1
        self._since = time.monotonic()
        target = self._target = self.focused or self.screen
        await super().on_event(self._typed.popleft())
        target.post_message(KeyTaken(self._key))

    @on(KeyTaken)
    def _take(self, taken: KeyTaken) -> None:
        if taken.number == self._key:
            self._target = None
            self.call_later(self._type)  # After the focus that the key may have asked for.

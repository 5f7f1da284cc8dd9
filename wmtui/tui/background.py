"""Work that waits for stores and databases, off the screen's thread.

A daemon thread per piece of work, so that leaving never waits for a server that hangs; the screen's thread alone
touches widgets.
"""

import asyncio
import threading
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from textual.app import App
from textual.message import Message

from wmtui.errors import WmtuiError, as_wmtui_error

_T = TypeVar("_T")


class WorkDone(Message):
    """A piece of work ended. resume: continues with its outcome; to be called by the screen's thread."""

    def __init__(self, resume: Callable[[], None]) -> None:
        super().__init__()
        self.resume = resume


class Background:
    """Does work in threads of its own and hands the outcome to the screen's thread."""

    def __init__(self, app: App[Any]) -> None:
        self._app = app
        self.busy = 0
        """Pieces of work under way; counted by the screen's thread alone."""

    def start(self, work: Callable[[], _T], done: Callable[[_T], None], failed: Callable[[WmtuiError], None]) -> None:
        """Begin the work; then `done` gets its result, or `failed` its error, which is a Bug unless users cause it."""
        self.busy += 1

        def finish(go_on: Callable[[], None]) -> None:
            def resume() -> None:
                self.busy -= 1
                go_on()

            self._app.post_message(WorkDone(resume))

        def body() -> None:
            try:
                result = work()
            except Exception as error:  # noqa: BLE001 - a thread's exception would vanish
                finish(partial(failed, as_wmtui_error(error)))
            else:
                finish(partial(done, result))

        threading.Thread(target=body, name="background", daemon=True).start()

    async def run(self, work: Callable[[], _T]) -> _T:
        """Do the work, wait without blocking the screen, and return its result. Raises WmtuiError, as `start` does."""
        outcome: asyncio.Future[_T] = asyncio.get_running_loop().create_future()

        def done(result: _T) -> None:
            if not outcome.done():  # It is, where the command was cancelled.
                outcome.set_result(result)

        def failed(error: WmtuiError) -> None:
            if not outcome.done():
                outcome.set_exception(error)

        self.start(work, done, failed)
        return await outcome

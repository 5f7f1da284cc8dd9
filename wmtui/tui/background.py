"""Work that waits for stores and databases, off the screen's thread.

A daemon thread per piece of work, so that leaving never waits for a server that hangs; the screen's thread alone
touches widgets.
"""

import threading
from collections.abc import Callable
from typing import Any, TypeVar

from msgspec import Struct
from textual.app import App
from textual.message import Message

from wmtui.errors import WmtuiError

_T = TypeVar("_T")


class Ready(Message):
    """Work ended: its continuation is to be called by the screen's thread."""

    def __init__(self, go_on: Callable[[], None]) -> None:
        super().__init__()
        self.go_on = go_on


class Bug(Struct, frozen=True):
    """An exception that no user can cause. Its text is not shown: nobody vouches for it."""

    name: str


Failure = WmtuiError | Bug


class Background:
    """Does work in threads of its own and hands the outcome to the screen's thread."""

    def __init__(self, app: App[Any]) -> None:
        self._app = app
        self.busy = 0
        """Pieces of work under way; counted by the screen's thread alone."""

    def do(self, work: Callable[[], _T], then: Callable[[_T], None], failed: Callable[[Failure], None]) -> None:
        """Do the work; then continue with what it returned, or with why it failed."""
        self.busy += 1

        def finish(go_on: Callable[[], None]) -> None:
            def settle() -> None:
                self.busy -= 1
                go_on()

            self._app.post_message(Ready(settle))

        def body() -> None:
            try:
                result = work()
            except WmtuiError as error:
                finish(lambda told=error: failed(told))  # type: ignore[misc]
            except Exception as error:  # noqa: BLE001 - a thread's exception would vanish
                name = type(error).__name__
                finish(lambda: failed(Bug(name)))
            else:
                finish(lambda: then(result))

        threading.Thread(target=body, name="background", daemon=True).start()


def words(failure: Failure) -> str:
    """A failure as a line: what, why and the next step."""
    if isinstance(failure, Bug):
        return f"this is a bug in wmtui ({failure.name}) — run the equal command with --debug and report the traceback"
    return failure.in_one_line

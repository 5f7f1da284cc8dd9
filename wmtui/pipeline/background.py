"""Work in the background of a thread that reads: writing one part while the next is read."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor


class Background:
    """One piece of work at a time in a thread of its own: the next part is read while this one is written.

    Bounded: submitting waits for the piece before. An error of a piece is raised at the next call.
    """

    def __init__(self, name: str) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._pending: Future[None] | None = None

    def submit(self, work: Callable[[], None]) -> None:
        """Wait for the piece before, then start this one."""
        self.wait()
        self._pending = self._pool.submit(work)

    def wait(self) -> None:
        """Wait for the piece under way; raises its error."""
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.result()

    def close(self) -> None:
        """Let the piece under way end, without its error."""
        self._pool.shutdown(wait=True)

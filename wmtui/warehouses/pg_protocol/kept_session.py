"""One session for several operations: opened by the first of them, and again once it does not serve any more."""

import select
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Generic, TypeVar

import psycopg

from wmtui.warehouses.pg_protocol.session import PgSession

_Session = TypeVar("_Session", bound=PgSession)


class KeptSession(Generic[_Session]):
    """A session that operations of several threads take in turn. open_session: opens one."""

    def __init__(self, open_session: Callable[[], _Session]) -> None:
        self._open_session = open_session
        self._session: _Session | None = None
        self._lock = threading.Lock()

    @contextmanager
    def taken(self) -> Iterator[_Session]:
        """The session, for one operation. An operation that fails leaves none: what it did there is unknown."""
        with self._lock:
            if self._session is None or not _is_open(self._session):
                self._close()
                self._session = self._open_session()
            try:
                yield self._session
            except BaseException:
                self._close()
                raise

    def close(self) -> None:
        """End the session, once the operation under way is done."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            with suppress(psycopg.Error):
                session.close()


def _is_open(session: PgSession) -> bool:
    """Whether the server still waits for statements: one that says anything unasked has ended the connection."""
    if session.closed:
        return False
    poll = select.poll()
    poll.register(session.fileno, select.POLLIN)
    return not poll.poll(0)

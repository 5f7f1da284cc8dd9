"""The socket below a connection of the driver, which does not show it: to leave a result unread without draining it."""

import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Lock

_FOLDER = "/dev/fd"
_claimed: set[int] = set()
_lock = Lock()


class ClaimedSocket:
    """The socket that a connection has just opened to a port; none where that cannot be told for sure, as when another
    thread connects to the same port at this moment.
    """

    def __init__(self, port: int) -> None:
        with _lock:
            new = [number for number in _sockets_to(port) if number not in _claimed]
            self._number = new[0] if len(new) == 1 else None
            _claimed.update(new[:1] if len(new) == 1 else ())

    def shut_down(self) -> None:
        """End the conversation at once: the driver's next read fails, and so does the server's next write."""
        if self._number is not None:
            with suppress(OSError), _borrowed(self._number) as found:
                found.shutdown(socket.SHUT_RDWR)

    def release(self) -> None:
        """To be called before the connection is closed: its number is free for another socket then."""
        with _lock:
            if self._number is not None:
                _claimed.discard(self._number)
            self._number = None


def _sockets_to(port: int) -> list[int]:
    """Our open sockets whose other end is this port."""
    numbers: list[int] = []
    with suppress(OSError):
        numbers = [int(name) for name in os.listdir(_FOLDER)]  # noqa: PTH208 - numbers are wanted, not paths
    return [number for number in numbers if _leads_to(number, port)]


def _leads_to(number: int, port: int) -> bool:
    with suppress(OSError):
        if stat.S_ISSOCK(os.fstat(number).st_mode):
            with _borrowed(number) as found:
                address = found.getpeername()
                return isinstance(address, tuple) and address[1] == port
    return False


@contextmanager
def _borrowed(number: int) -> Iterator[socket.socket]:
    """Another's socket, which stays open."""
    borrowed = socket.socket(fileno=number)
    try:
        yield borrowed
    finally:
        borrowed.detach()

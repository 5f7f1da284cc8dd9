"""The socket below a connection of the driver, which does not show it: to leave a result unread without draining it."""

import os
import socket
import stat
from collections.abc import Iterator, Set
from contextlib import contextmanager, suppress
from threading import Lock

_FOLDER = "/dev/fd"
_PATIENCE = 3.0
"""Seconds to wait for another connection that is being opened."""

_Identity = tuple[int, int]
"""A socket's number, which is used again after it, and its node, which is not."""

_claimed: set[int] = set()
_lock = Lock()
_one_at_a_time = Lock()


class ClaimedSocket:
    """The socket of one connection; none where it is not certain which one that is."""

    def __init__(self) -> None:
        self._number: int | None = None

    def claim(self, port: int, before: Set[_Identity]) -> None:
        """Take the one that leads to a port and was not there before."""
        with _lock:
            new = [number for number, node in _sockets_to(port) - before if number not in _claimed]
            if len(new) == 1:
                self._number = new[0]
                _claimed.add(self._number)

    def shut_down(self) -> None:
        """End the conversation at once: the driver's next read fails, and so does the server's next write."""
        if self._number is not None:
            with suppress(OSError), _borrowed(self._number) as borrowed:
                borrowed.shutdown(socket.SHUT_RDWR)

    def release(self) -> None:
        """To be called before the connection is closed: its number is free for another socket then."""
        with _lock:
            if self._number is not None:
                _claimed.discard(self._number)
            self._number = None


@contextmanager
def opening(port: int) -> Iterator[ClaimedSocket]:
    """Claims the socket to a port that is opened in this block; none is claimed when the block raises.

    Connections are opened one after the other, so that each can be recognised, but none waits long for one that gets no
    answer.
    """
    alone = _one_at_a_time.acquire(timeout=_PATIENCE)
    try:
        before = _sockets_to(port)
        socket_of_it = ClaimedSocket()
        yield socket_of_it
        socket_of_it.claim(port, before)
    finally:
        if alone:
            _one_at_a_time.release()


def _sockets_to(port: int) -> set[_Identity]:
    """Our open sockets whose other end is this port."""
    numbers: list[int] = []
    with suppress(OSError):
        numbers = [int(name) for name in os.listdir(_FOLDER)]  # noqa: PTH208 - file descriptors, not paths
    sockets = set()
    for number in numbers:
        with suppress(OSError):
            if _leads_to(number, port):
                sockets.add((number, os.fstat(number).st_ino))
    return sockets


def _leads_to(number: int, port: int) -> bool:
    with suppress(OSError):
        if stat.S_ISSOCK(os.fstat(number).st_mode):
            with _borrowed(number) as borrowed:
                address = borrowed.getpeername()
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

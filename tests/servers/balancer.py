"""A small TCP balancer: one address, several servers, each connection to the next one in turn."""

import socket
from collections.abc import Sequence
from contextlib import suppress
from itertools import cycle
from threading import Lock, Thread
from typing import Any, Self

from tests.servers import LOOPBACK, Server, free_port


class Balancer:
    """Listens on `host`:`port` as a context manager. passed: bytes that came from the servers, by connection."""

    host = LOOPBACK

    def __init__(self, *servers: Server) -> None:
        self.port = free_port()
        self.passed: list[int] = []
        self._lock = Lock()
        self._order = cycle(servers)
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server((self.host, self.port))

    def __enter__(self) -> Self:
        Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            for opened in (self._listener, *self._sockets):
                with suppress(OSError):
                    opened.shutdown(socket.SHUT_RDWR)
                opened.close()

    def turn(self, *servers: Server, then: Sequence[Server] = ()) -> None:
        """Send the next connections to these servers, one each, then to those of `then` in turn, or to the last."""

        def order() -> Any:
            yield from servers
            yield from cycle(then or servers[-1:])

        self._order = order()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                chosen = next(self._order)
                server = socket.create_connection((chosen.host, chosen.port))
                with self._lock:
                    number = len(self.passed)
                    self.passed.append(0)
                    self._sockets += [client, server]
                Thread(target=self._pass_on, args=(client, server, None), daemon=True).start()
                Thread(target=self._pass_on, args=(server, client, number), daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket, counted: int | None) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if counted is not None:
                    self.passed[counted] += len(data)
                target.sendall(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

"""A proxy before PostgreSQL that loses the connection at the commit of a merge, once."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.servers import LOOPBACK


class CommitBreaker:
    """deliver: whether the server still gets the COMMIT whose answer the client will never see."""

    def __init__(self, server_port: int, deliver: bool) -> None:
        self._server_port = server_port
        self._deliver = deliver
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port: int = self._listener.getsockname()[1]
        self.broken = 0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Accept connections until the end of the block."""
        acceptor = threading.Thread(target=self._accept)
        acceptor.start()
        try:
            yield
        finally:
            self._listener.shutdown(socket.SHUT_RDWR)
            acceptor.join()
            self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,)).start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.create_connection((LOOPBACK, self._server_port)) as server:
            answers = threading.Thread(target=self._forward, args=(server, client))
            answers.start()
            self._requests(client, server)
            client.close()
            with suppress(OSError):
                server.shutdown(socket.SHUT_WR)
            answers.join()

    def _requests(self, client: socket.socket, server: socket.socket) -> None:
        merging = False
        with suppress(OSError):
            while data := client.recv(65536):
                merging = merging or b"LOCK TABLE" in data
                if merging and not self.broken and b"COMMIT" in data:
                    self.broken += 1
                    client.shutdown(socket.SHUT_RDWR)
                    if self._deliver:
                        server.sendall(data)
                    return
                server.sendall(data)

    def _forward(self, server: socket.socket, client: socket.socket) -> None:
        while data := server.recv(65536):
            with suppress(OSError):
                client.sendall(data)

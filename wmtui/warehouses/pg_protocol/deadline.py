"""An end to waiting for a server that neither answers nor goes away."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Timer
from typing import Any

import psycopg


@contextmanager
def deadline(connection: "psycopg.Connection[Any]", seconds: float) -> Iterator[None]:
    """Give the connection up when the block takes longer: servers end their statements themselves, if they live.

    Raises OperationalError, as for a connection that broke: what the server did is unknown.
    """
    expired = Event()

    def give_up() -> None:
        expired.set()
        with suppress(OSError, psycopg.Error):
            twin = socket.socket(fileno=os.dup(connection.fileno()))
            with twin:
                twin.shutdown(socket.SHUT_RDWR)

    timer = Timer(seconds, give_up)
    timer.daemon = True
    timer.start()
    try:
        yield
    except psycopg.OperationalError as error:
        if not expired.is_set():
            raise
        raise psycopg.OperationalError(f"no answer within {seconds:,.0f} seconds") from error
    finally:
        timer.cancel()

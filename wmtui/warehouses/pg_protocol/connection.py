"""Opening a connection by psycopg, with the TLS that tables.yaml asks for."""

from typing import Any

import psycopg

from wmtui.config import PostgresConfig, RedshiftConfig, Secret
from wmtui.errors import WarehouseError
from wmtui.warehouses.pg_protocol.errors import unreachable

_SSL_MODES = {"verify": "verify-full", "require": "require", "disable": "disable"}
_CONNECT_SECONDS = 10


def address_of(config: PostgresConfig | RedshiftConfig) -> str:
    """The server and database as messages name them."""
    return f"{config.host}:{config.port}/{config.database}"


def connect(config: PostgresConfig | RedshiftConfig, user: str, password: Secret) -> "psycopg.Connection[Any]":
    """An open connection in autocommit. Raises WarehouseError when the server refuses it, or answers without TLS."""
    try:
        connection = psycopg.connect(
            host=config.host,
            port=config.port,
            dbname=config.database,
            user=user,
            password=password.reveal(),
            sslmode=_SSL_MODES[config.tls],
            sslrootcert=config.ca or ("system" if config.tls == "verify" else None),
            gssencmode="disable",
            client_encoding="utf8",
            connect_timeout=_CONNECT_SECONDS,
            keepalives_idle=30,
            keepalives_interval=10,
            keepalives_count=3,
            tcp_user_timeout=60_000,
            application_name="wmtui",
            autocommit=True,
            prepare_threshold=None,
            cursor_factory=psycopg.RawCursor,
        )
    except psycopg.OperationalError as error:
        raise unreachable(address_of(config), error) from error
    if config.tls != "disable" and not connection.pgconn.ssl_in_use:
        connection.close()
        raise WarehouseError(
            f"the connection to the warehouse {address_of(config)} is not encrypted",
            "the server answered without TLS",
            "turn TLS on at the server, or set tls: disable in tables.yaml",
        )
    return connection

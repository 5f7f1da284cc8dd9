"""Logging in: the direct way to rows where it is possible, else the careful one, and why."""

from mysql.connector.errors import ConnectionTimeoutError
from mysql.connector.errors import Error as DriverError

from wmtui.config import MySQLConfig
from wmtui.errors import SourceError
from wmtui.sources.mysql import direct
from wmtui.sources.mysql.connections import HAS_C_EXTENSION, Connection, CursorConnection

_UNREACHABLE = {2002, 2003, 2005}
_CLIENTS_OWN = range(2000, 3000)


def log_in(config: MySQLConfig) -> tuple[Connection, str]:
    """A connection, and why its rows come the careful way, "" for the direct one.

    What the direct way cannot do is tried the careful way, whose C code knows more logins. Raises the driver's errors,
    SourceError for a file of certificates that cannot be used and for a driver that allows neither way.
    """
    reason, refused = direct.doubt(), None
    if not reason:
        try:
            return direct.DirectConnection(config), ""
        except DriverError as error:
            if _is_final(error) or not HAS_C_EXTENSION:
                raise
            reason, refused = error.msg or str(error), error
    if not HAS_C_EXTENSION:
        raise SourceError(
            "cannot read from MySQL with the driver that is installed",
            f"{reason}, and it has no C extension",
            "install a wheel of mysql-connector-python 9.7 for this platform",
        ) from refused
    return CursorConnection(config), reason


def _is_final(error: DriverError) -> bool:
    """Whether another way to log in cannot help: the server itself refused, or none answers."""
    if isinstance(error, ConnectionTimeoutError) or error.errno in _UNREACHABLE:
        return True
    return error.errno is not None and error.errno > 0 and error.errno not in _CLIENTS_OWN

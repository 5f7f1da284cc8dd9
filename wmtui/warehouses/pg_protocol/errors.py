"""What PostgreSQL's errors mean to the user: what happened, why, and the next step."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import errors as pg

from wmtui.errors import LoadRefused, TargetUnreadable, WarehouseError, WmtuiError

# Refusals to connect carry no code, only the server's or libpq's words.
_CONNECT_STEPS = (
    ("password", "check user and password of the warehouse in tables.yaml"),
    ("pg_hba.conf", "let this host and user in on the server, or change tls in tables.yaml"),
    ("does not exist", "check database and user of the warehouse in tables.yaml"),
    ("certificate", "set ca to the authority's certificate in tables.yaml, or tls to require"),
    ("does not support SSL", "turn TLS on at the server, or set tls: disable in tables.yaml"),
)
_COPY_COLUMN = re.compile(r"COPY .*?, line \d+, column (.+?)(?:: |$)", re.DOTALL)


def unreachable(address: str, error: psycopg.Error) -> WarehouseError:
    """A connection that was not made."""
    why = " ".join(str(error).split())
    step = next(
        (step for words, step in _CONNECT_STEPS if words in str(error)), "check that the server runs and answers"
    )
    return WarehouseError(f"cannot connect to the warehouse {address}", why, step)


@contextmanager
def translated(address: str, *, loads: bool) -> Iterator[None]:
    """Turn the driver's errors into ours: TableError where the data do not fit, else WarehouseError. loads: what is
    done writes into the target; else it only reads.
    """
    try:
        yield
    except psycopg.Error as error:
        raise _translate(address, error, loads=loads) from error


def connection_lost(error: psycopg.Error) -> bool:
    """Whether the server went away, so that how the transaction ended is unknown."""
    return isinstance(error, psycopg.OperationalError) and (error.sqlstate or "08").startswith(("08", "57P"))


_REFUSALS: tuple[tuple[type[psycopg.Error], str, str], ...] = (
    (pg.InsufficientPrivilege, "the warehouse lacks a privilege", "grant what is missing; `wmtui doctor` lists it"),
    (pg.InvalidSchemaName, "the warehouse lacks the schema", "create it, or correct schema in tables.yaml"),
    (pg.IdleInTransactionSessionTimeout, "this process fell asleep while others waited for it", "run it again"),
    (pg.LockNotAvailable, "the warehouse stays locked", "another load is at work; try again when it is done"),
    (pg.QueryCanceled, "the warehouse gave up on a statement", "look for what keeps the server busy"),
)
_MISFITS = (psycopg.DataError, psycopg.IntegrityError, psycopg.ProgrammingError, psycopg.NotSupportedError)


def _translate(address: str, error: psycopg.Error, *, loads: bool) -> WmtuiError:
    why = " ".join(filter(None, (error.diag.message_primary or str(error).strip(), error.diag.message_detail)))
    for kind, what, step in _REFUSALS:
        if isinstance(error, kind):
            return WarehouseError(f"{what} ({address})", why, step)
    if isinstance(error, _MISFITS) and not loads:
        return TargetUnreadable(
            f"the target cannot be read{_column(error)}", why, "nothing was changed; look at the target"
        )
    if isinstance(error, _MISFITS):
        return LoadRefused(
            f"the target cannot take the rows{_column(error)}", why, "nothing was loaded; fix the target"
        )
    if connection_lost(error):
        step = "run it again; nothing is loaded twice" if loads else "run it again"
        return WarehouseError(f"lost the warehouse {address}", why, step)
    return WarehouseError(f"the warehouse {address} failed", why, "look into the server's log")


def _column(error: psycopg.Error) -> str:
    match = _COPY_COLUMN.search(error.diag.context or "")
    name = error.diag.column_name or (match[1] if match else "")
    return f", column {name}" if name else ""

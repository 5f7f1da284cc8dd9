"""Transaction 2 of a load on PostgreSQL and Redshift: lock, merge, and again after a conflict."""

import random
import time
from collections.abc import Callable
from datetime import timedelta

import psycopg
from msgspec import Struct

from wmtui.errors import WarehouseError
from wmtui.warehouses.load_request import LoadRequest, LoadResult, Pause
from wmtui.warehouses.pg_protocol.session import PgSession

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 15.0
"""Seconds before the second attempt at most, doubled before each later one, and before any."""


class Retries(Struct, frozen=True):
    """How the transaction is tried again, with another transaction in its way.

    limit: how long after the first conflict another attempt begins. pause: waits between two attempts.
    """

    is_conflict: Callable[[psycopg.Error], bool]
    limit: timedelta
    pause: Pause


def merge_with_retries(
    session: PgSession, request: LoadRequest, merge: Callable[[], LoadResult], retries: Retries
) -> LoadResult:
    """Transaction 2. merge: what is done in it, once the target's ledger is locked.

    Raises WarehouseError when every attempt within the limit conflicted.
    """
    attempts, began = 0, time.monotonic()
    while True:
        attempts += 1
        try:
            return _merge_once(session, request, merge)
        except psycopg.Error as error:
            if not retries.is_conflict(error):
                raise
            if attempts == 1:
                began = time.monotonic()
            pause = pause_after(attempts)
            if time.monotonic() - began + pause > retries.limit.total_seconds():
                raise _gave_up(request.target, attempts, error) from error
        retries.pause(pause)


def pause_after(attempts: int) -> float:
    """Seconds before the next attempt: any up to a bound that doubles, so that two that conflict part."""
    return random.uniform(0, min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(attempts - 1, 10)))


def _gave_up(target: str, attempts: int, error: psycopg.Error) -> WarehouseError:
    reason = " ".join(filter(None, (error.diag.message_primary or str(error).strip(), error.diag.message_detail)))
    return WarehouseError(
        f"the merge into {target} conflicted with other transactions (attempts: {attempts})",
        reason,
        "nothing was loaded; run it again when what else writes into the target is done, or raise conflict_timeout in"
        " tables.yaml",
    )


def _merge_once(session: PgSession, request: LoadRequest, merge: Callable[[], LoadResult]) -> LoadResult:
    with session.transaction():
        session.lock_ledger(request.target)
        return merge()

"""Transaction 2 of a load on PostgreSQL and Redshift: lock, merge, and again after a conflict."""

import random
import time
from collections.abc import Callable

import psycopg
from msgspec import Struct

from wmtui.warehouses.load_request import LoadRequest, LoadResult
from wmtui.warehouses.pg_protocol.session import PgSession


class Retries(Struct, frozen=True):
    """When the transaction is tried again, with another transaction in its way, and how often in all.

    pause: seconds before the second attempt at most; before each later one as many more.
    """

    is_conflict: Callable[[psycopg.Error], bool]
    attempts: int
    pause: float


def merge_with_retries(
    session: PgSession, request: LoadRequest, merge: Callable[[], LoadResult], retries: Retries
) -> LoadResult:
    """Transaction 2. merge: what is done in it, once the target's ledger is locked."""
    for attempt in range(1, retries.attempts):
        try:
            return _merge_once(session, request, merge)
        except psycopg.Error as error:
            if not retries.is_conflict(error):
                raise
            time.sleep(random.uniform(0, retries.pause * attempt))
    return _merge_once(session, request, merge)


def _merge_once(session: PgSession, request: LoadRequest, merge: Callable[[], LoadResult]) -> LoadResult:
    with session.transaction():
        session.lock_ledger(request.target)
        return merge()

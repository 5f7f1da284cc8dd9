"""Proof that a store checks the conditions of conditional writes; some S3-compatible servers ignore them silently."""

import contextlib

from wmtui.errors import ConditionsIgnored, NotAStore, ObjectMissing, PreconditionFailed, StoreError, WriteContended
from wmtui.layout import new_probe_key
from wmtui.objects.base import ObjectStore

_STALE_ETAG = "0" * 32


def prove_conditions(store: ObjectStore) -> None:
    """Write a probe object under every condition and see that the store accepts and refuses as it must.

    Costs six requests, once per store. A store that wants ETags unquoted in If-Match is spoken to so from then on.
    Raises ConditionsIgnored when a condition is ignored or a true one is refused, and StoreError.
    """
    key = new_probe_key()
    try:
        _prove(store, key)
    except (ObjectMissing, WriteContended) as error:
        what = f"cannot try conditional writes in {store.root}"
        raise StoreError(what, f"another process touched {key}", "try again") from error
    finally:
        # A role that may not delete leaves probes of a few bytes, and may edit all the same.
        with contextlib.suppress(StoreError):
            store.delete(key)


def changed_since(store: ObjectStore, key: str, etag: str | None) -> bool:
    """Whether an object is another one than that of this ETag (None: whether there is one): a refusal was right."""
    try:
        return store.head(key).etag != etag
    except ObjectMissing:
        return etag is not None


def refuses_always(store: ObjectStore, key: str) -> NotAStore:
    """The error for a store that answers 412 although the condition holds."""
    return NotAStore(
        f"cannot write {store.uri(key)}",
        "the store answers 412, as if it had been changed meanwhile, and it was not",
        "look for a proxy in between that answers for the store, and run `wmtui doctor`",
    )


def _prove(store: ObjectStore, key: str) -> None:
    # Refused although the key is new: the answer got lost and the client met its own first attempt.
    if not _accepts(store, key, b"1", if_absent=True) and not changed_since(store, key, None):
        raise refuses_always(store, key)
    if _accepts(store, key, b"2", if_absent=True):
        raise _ignored(store, "it overwrote an object that was to be created only if absent (If-None-Match)")
    for quoted in (True, False):
        store.quotes_etags = quoted
        if _accepts(store, key, b"3", if_match=_STALE_ETAG):
            raise _ignored(store, "it overwrote an object that had changed meanwhile (If-Match)")
        if _accepts(store, key, b"4", if_match=store.head(key).etag) or store.get(key).data == b"4":
            return
    raise _ignored(store, "it refuses to overwrite an object that has not changed (If-Match)")


def _accepts(
    store: ObjectStore, key: str, data: bytes, *, if_match: str | None = None, if_absent: bool = False
) -> bool:
    try:
        store.put(key, data, if_match=if_match, if_absent=if_absent)
    except PreconditionFailed:
        return False
    return True


def _ignored(store: ObjectStore, why: str) -> ConditionsIgnored:
    return ConditionsIgnored(
        f"{store.root} does not check conditional writes",
        f"{why}, so two people editing at once would overwrite each other",
        "upgrade the server or use one that supports If-Match and If-None-Match; reading still works",
    )

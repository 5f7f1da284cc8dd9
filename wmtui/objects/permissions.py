"""Which rights a store grants below a prefix, found by using them on an object of a fixed name."""

from collections.abc import Callable

from msgspec import Struct

from wmtui.errors import ObjectMissing, StoreError
from wmtui.layout import PERMISSION_PROBES
from wmtui.objects.base import ObjectStore

_PROBE = f"{PERMISSION_PROBES}probe"


class Rights(Struct, frozen=True):
    """What was tried below a prefix. refused: each action that failed, in words, with its error.

    left: the key of the probe that could not be removed; "" if there is none.
    """

    prefix: str
    refused: tuple[tuple[str, StoreError], ...] = ()
    left: str = ""


def try_rights(store: ObjectStore, prefix: str) -> Rights:
    """Write, read, list and delete one small object below a prefix; everything is tried, whatever is refused."""
    key, refused = f"{prefix}{_PROBE}", {}
    actions: dict[str, Callable[[], object]] = {
        "write": lambda: store.put(key, b"{}"),
        "read": lambda: store.get(key),
        "list": lambda: list(store.list(f"{prefix}{PERMISSION_PROBES}")),
        "delete": lambda: store.delete(key),
    }
    for action, do in actions.items():
        try:
            do()
        except ObjectMissing:
            continue  # Absent is an answer, not a refusal.
        except StoreError as error:
            refused[action] = error
    return Rights(prefix, tuple(refused.items()), key if "delete" in refused and "write" not in refused else "")

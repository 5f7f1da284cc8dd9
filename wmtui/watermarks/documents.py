"""JSON documents and conditional writes of them, done in this one place."""

import codecs
import json
import random
import time
from collections.abc import Mapping
from typing import Any

from wmtui.errors import Conflict, PreconditionFailed, Unreadable, WriteContended
from wmtui.objects import ObjectStore
from wmtui.objects.conditional_writes import changed_since, refuses_always
from wmtui.secrets import redact, redacted

Json = dict[str, Any]

_ATTEMPTS = 20
_GROUNDLESS = 5
"""So often a store may refuse a condition that holds: a write of another, since undone, may have been in the way."""
_DEEPEST = 200
"""How far documents nest: what is read can be written again, without the interpreter's own limit in the way."""


def encode(document: Mapping[str, Any]) -> bytes:
    """A document as indented JSON in UTF-8; half a surrogate pair, which UTF-8 cannot hold, stays an escape."""
    return json.dumps(document, indent=2, ensure_ascii=False).encode(errors="backslashreplace") + b"\n"


def decode(key: str, data: bytes) -> Json:
    """The JSON object under a key; raises Unreadable with the key and the reason."""
    try:
        document = json.loads(text_of(data))
    except RecursionError:
        raise Unreadable(key, "it is nested too deeply") from None
    except ValueError as error:
        raise Unreadable(key, f"not JSON: {error}" if data.strip() else "it is empty") from None
    if not isinstance(document, dict):
        raise Unreadable(key, f"a JSON object was expected, not {type(document).__name__}")
    if may_be_deeper(data, _DEEPEST) and is_deeper(document, _DEEPEST):
        raise Unreadable(key, "it is nested too deeply")
    return document


def may_be_deeper(data: bytes, levels: int) -> bool:
    """Whether JSON text has enough brackets to be nested so deeply: nearly none has."""
    return data.count(b"[") + data.count(b"{") > levels


def is_deeper(value: Any, levels: int) -> bool:
    """Whether a JSON value has more than so many levels of objects and lists."""
    inner = [value]
    for _ in range(levels):
        inner = [
            item
            for outer in inner
            if isinstance(outer, dict | list)
            for item in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not inner:
            return False
    return any(isinstance(item, dict | list) for item in inner)


def text_of(data: bytes) -> bytes:
    """A document's bytes without the mark that some editors put before UTF-8."""
    return data.removeprefix(codecs.BOM_UTF8)


def write(objects: ObjectStore, key: str, data: bytes, etag: str | None) -> str:
    """Write over the object with this ETag (None: only if there is none); repeated while another write is under way.

    Returns the new ETag. Raises PreconditionFailed, also when the write met its own first attempt; StoreError, also for
    a store that refuses as if the object had changed although it has not; and Conflict when others never let it
    through.
    """
    groundless = 0
    data = _without_secrets(data)
    for attempt in range(_ATTEMPTS):
        try:
            return objects.put(key, data, if_match=etag, if_absent=etag is None)
        except WriteContended:
            pause(attempt)
        except PreconditionFailed:
            if changed_since(objects, key, etag):
                raise
            groundless += 1
            if groundless == _GROUNDLESS:
                raise refuses_always(objects, key) from None
            pause(attempt)
    raise Conflict(f"could not write {key}", "others keep writing it at the same moment", "try again")


_FREE_TEXTS = frozenset({"actor", "batch", "by", "error", "host", "last_error", "owner", "reason", "why"})
"""Fields that hold words of people, hosts and libraries; in any other a secret's text may be part of a key."""


def _without_secrets(data: bytes) -> bytes:
    """A document whose free texts hold no known secret: what is stored stays, the journal for ever."""
    text = data.decode(errors="replace")
    if redact(text) == text:
        return data
    try:
        document = json.loads(data)
    except ValueError:
        return data
    return encode(cleaned) if (cleaned := _cleaned(document)) != document else data


def _cleaned(value: Any) -> Any:
    if isinstance(value, list):
        return [_cleaned(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {name: redacted(item) if name in _FREE_TEXTS else _cleaned(item) for name, item in value.items()}


def pause(attempt: int) -> None:
    """Wait a moment, longer and more unevenly from attempt to attempt, so that racing writers get out of step."""
    time.sleep(random.uniform(0, 0.01 * min(attempt + 1, 20)))

"""Reading a watermark document that a user hands in."""

import json
import sys
from pathlib import Path
from typing import Any

from wmtui.errors import UsageError
from wmtui.service import text_of

_NEXT = "give what `wmtui watermark get -t schema.table --json` printed"
_LARGEST = 64 * 2**20
"""Bytes that are read: the list of loaded files, which `get --show-files` adds, is long."""


class _Twice(ValueError):
    """A name that stands twice in one object."""


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise _Twice(next(repr(name) for name in names if names.count(name) > 1))
    return found


def read_document(path: str) -> dict[str, Any]:
    """The JSON object in a file, or on stdin for `-`; raises UsageError."""
    name = "stdin" if path == "-" else path
    try:
        data = _read(path)
        if len(data) > _LARGEST:
            raise UsageError(f"{name} is no watermark", f"it has more than {_LARGEST:,} bytes", _NEXT)
        found = json.loads(text_of(data), object_pairs_hook=_without_twins)
    except OSError as error:
        raise UsageError(f"cannot read {name}", error.strerror or "", "name a file that you may read") from None
    except _Twice as error:
        raise UsageError(f"{name} has {error} twice", "only one of them could count", "remove one") from None
    except ValueError as error:
        raise UsageError(f"{name} is not JSON", str(error), _NEXT) from None
    except RecursionError:
        raise UsageError(f"{name} is no watermark", "it is nested too deeply", _NEXT) from None
    if not isinstance(found, dict):
        raise UsageError(f"{name} is no watermark", "a JSON object was expected", _NEXT)
    return found


def _read(path: str) -> bytes:
    """A little more than is allowed at most, however much there is."""
    if path == "-":
        return sys.stdin.buffer.read(_LARGEST + 1)
    with Path(path).open("rb") as file:
        return file.read(_LARGEST + 1)

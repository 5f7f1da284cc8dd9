"""Reading a watermark document that somebody hands in."""

import json
import sys
from pathlib import Path
from typing import Any

from wmtui.errors import UsageError

_NEXT = "give what `wmtui watermark get -t schema.table --json` printed"


def read_document(place: str) -> dict[str, Any]:
    """The JSON object in a file, or on stdin for `-`; raises UsageError."""
    name = "stdin" if place == "-" else place
    try:
        found = json.loads(sys.stdin.buffer.read() if place == "-" else Path(place).read_bytes())
    except OSError as error:
        raise UsageError(f"cannot read {name}", error.strerror or "", "name a file that you may read") from None
    except ValueError as error:
        raise UsageError(f"{name} is not JSON", str(error), _NEXT) from None
    except RecursionError:
        raise UsageError(f"{name} is no watermark", "it is nested too deeply", _NEXT) from None
    if not isinstance(found, dict):
        raise UsageError(f"{name} is no watermark", "a JSON object was expected", _NEXT)
    return found

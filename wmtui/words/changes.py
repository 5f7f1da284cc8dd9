"""Changes of watermarks, in words."""

import json
from collections.abc import Mapping
from typing import Any

from wmtui.words.values import ABSENT, in_one_line

_VALUE_WIDTH = 40
"""Characters of a value that are shown; `--json` has it whole."""


def differences(diff: Mapping[str, tuple[Any, Any]]) -> list[tuple[str, str]]:
    """Each field, and how its value changes; long values are cut."""
    return [(name, f"{_value(old)} → {_value(new)}") for name, (old, new) in diff.items()]


def _value(value: Any) -> str:
    if value is None:
        return ABSENT
    text = in_one_line(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
    return text if len(text) <= _VALUE_WIDTH else f"{text[: _VALUE_WIDTH - 1]}…"

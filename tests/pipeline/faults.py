"""Runs that are killed at a named place: everything before it is durable, nothing after it was done."""

import threading
from typing import Any

import pytest

from wmtui.errors import StoreError
from wmtui.pipeline.extract import run_writer


def crash_when_saving(patch: pytest.MonkeyPatch, number: int) -> None:
    """Kill the run before it lists a part for the so-many-th time (from 1), and ever after."""
    list_part = run_writer.RunWriter._list_part
    lock = threading.Lock()
    calls = 0

    def crash(*args: Any, **named: Any) -> None:
        nonlocal calls
        with lock:
            calls += 1
        if calls >= number:
            raise StoreError("killed before the run document was written")
        list_part(*args, **named)

    patch.setattr(run_writer.RunWriter, "_list_part", crash)

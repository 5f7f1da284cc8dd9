"""The quickest tests first: most mutants are dead before a slow one begins."""

import json
from functools import cache
from pathlib import Path

import pytest


@cache
def _seconds() -> dict[str, float]:
    """How long each test took when mutmut ran all of them."""
    known = Path("mutmut-stats.json")
    return json.loads(known.read_text())["duration_by_test"] if known.exists() else {}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: _seconds().get(item.nodeid, 0))

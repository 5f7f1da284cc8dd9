"""Pytest as mutmut is to run it: no server, and the quickest tests first, so that most mutants end before a slow one.

Durability is no rule of these modules: nothing waits for a disk.
"""

import json
import os
from functools import cache
from pathlib import Path

import pytest
from hypothesis import settings

_SERVERS = {"s3_server", "servers_with", "postgres", "pgbouncer"}

os.fsync = lambda _: None
settings.register_profile("mutants", max_examples=25, derandomize=True, database=None, deadline=None)
settings.load_profile("mutants")


@cache
def _seconds() -> dict[str, float]:
    """How long each test took when mutmut ran all of them."""
    known = Path("mutmut-stats.json")
    return json.loads(known.read_text())["duration_by_test"] if known.exists() else {}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what starts a server; the rest by time."""
    served = [item for item in items if _SERVERS.intersection(getattr(item, "fixturenames", ()))]
    config.hook.pytest_deselected(items=served)
    items[:] = sorted((item for item in items if item not in served), key=lambda item: _seconds().get(item.nodeid, 0))

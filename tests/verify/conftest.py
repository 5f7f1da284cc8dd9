"""Comparisons on real servers and embedded; most tests run on both."""

from pathlib import Path

import pytest

from tests.servers.sources import on_servers
from tests.stack import Stack, embedded_stack, server_stack


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """The pipelines that a test runs on, unless its module has one of its own."""
    if "stack" in metafunc.fixturenames and not hasattr(metafunc.module, "stack"):
        metafunc.parametrize("stack", on_servers(metafunc, ["servers", "embedded"]), indirect=True)


@pytest.fixture
def stack(request: pytest.FixtureRequest, tmp_path: Path) -> Stack:
    """A whole pipeline with an empty `orders` table."""
    if request.param == "embedded":
        made = embedded_stack(tmp_path)
    else:
        made = server_stack(tmp_path, *(request.getfixturevalue(name) for name in ("source_db", "pg_db", "s3")))
    made.create()
    return made

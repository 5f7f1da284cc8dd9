"""The pipeline on real servers and embedded; most tests run on both."""

from pathlib import Path

import pytest

from tests.stack import Stack, embedded_stack, server_stack


@pytest.fixture(params=["servers", "embedded"])
def stack(request: pytest.FixtureRequest, tmp_path: Path) -> Stack:
    """A whole pipeline with an empty `orders` table."""
    if request.param == "embedded":
        made = embedded_stack(tmp_path)
    else:
        made = server_stack(tmp_path, *(request.getfixturevalue(name) for name in ("mysql_db", "pg_db", "s3")))
    made.create()
    return made

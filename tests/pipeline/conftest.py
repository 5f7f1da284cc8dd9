"""The pipeline on real servers and embedded; most tests run on both."""

from pathlib import Path

import pytest

from tests.stack import Stack, embedded_stack, server_stack
from wmtui.pipeline import extraction, parts


@pytest.fixture(params=["servers", "embedded"])
def stack(request: pytest.FixtureRequest, tmp_path: Path) -> Stack:
    """A whole pipeline with an empty `orders` table."""
    if request.param == "embedded":
        made = embedded_stack(tmp_path)
    else:
        made = server_stack(tmp_path, *(request.getfixturevalue(name) for name in ("mysql_db", "pg_db", "s3")))
    made.create()
    return made


@pytest.fixture
def embedded(tmp_path: Path) -> Stack:
    """DuckDB → folder → DuckDB with an empty `orders` table, all by one clock that tests move."""
    made = embedded_stack(tmp_path)
    made.create()
    return made


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A part every ten rows."""
    monkeypatch.setattr(extraction, "BATCH_ROWS", 10)
    monkeypatch.setattr(parts, "PART_BYTES", 1)

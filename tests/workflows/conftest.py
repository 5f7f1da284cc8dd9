"""An operator of a pipeline on real servers, and of one embedded."""

from pathlib import Path

import pytest

from tests.shell import KINDS, Operator, new_operator


@pytest.fixture(params=KINDS)
def operator(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Operator:
    """An operator of a pipeline with two empty tables, orders (T) and items (U)."""
    return new_operator(request.param, request, tmp_path, capsys, monkeypatch)

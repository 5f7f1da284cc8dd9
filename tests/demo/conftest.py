"""One complete sandbox per process, which tests copy; and quick small ones."""

import shutil
from pathlib import Path

import pytest

from tests.demo.few import make_few
from wmtui.demo import open_demo
from wmtui.service import Service


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A complete sandbox as it is made; not to be used itself."""
    folder = tmp_path_factory.mktemp("demo") / "sandbox"
    open_demo(folder, False, lambda _: None)
    return folder


@pytest.fixture
def service(built: Path, tmp_path: Path) -> Service:
    """A complete sandbox of the test's own, opened."""
    folder = tmp_path / "demo"
    shutil.copytree(built, folder)
    settings, clock = open_demo(folder, False, lambda _: None)
    return Service(settings, clock=clock)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sandboxes made in this test have few tables."""
    make_few(monkeypatch.setattr)

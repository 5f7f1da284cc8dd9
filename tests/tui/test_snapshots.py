"""Every screen looks as its picture does; `pytest tests/tui/test_snapshots.py --snapshot-update` draws them again."""

import shutil
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode

from tests.tui.scenes import SCENES, drawn, make_sandbox, open_service, opened


class Drawing(SingleFileSnapshotExtension):
    """An SVG, to be looked at with a browser."""

    file_extension = "svg"
    _write_mode = WriteMode.TEXT


@pytest.fixture(scope="session")
def built_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home folder with a new sandbox; not to be used itself."""
    home = tmp_path_factory.mktemp("home")
    make_sandbox(home)
    return home


@pytest.fixture
def home(built_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder with a sandbox of the test's own."""
    home = tmp_path / "home"
    shutil.copytree(built_home, home)
    monkeypatch.setenv("HOME", str(home))
    return home


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
@pytest.mark.parametrize("theme", ["harbour", "paper"])
async def test_every_screen_looks_as_it_was_drawn(
    home: Path, snapshot: SnapshotAssertion, size: tuple[int, int], theme: str
) -> None:
    different = []
    async with opened(open_service(home), size, theme) as screen:
        for scene in SCENES:
            if await drawn(screen, scene) != snapshot(name=scene.name, extension_class=Drawing):
                different.append(scene.name)
    assert not different, "look at them after --snapshot-update"

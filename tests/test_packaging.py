"""What `pip install .` installs, and what it is tested with."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[1]
BUILD = "import sys; from setuptools.build_meta import build_wheel; build_wheel(sys.argv[1])"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> ZipFile:
    """The wheel, built from a copy of the sources so that nothing is left in the tree; needs no network."""
    folder = tmp_path_factory.mktemp("wheel")
    sources = folder / "sources"
    shutil.copytree(ROOT / "wmtui", sources / "wmtui", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, sources)
    subprocess.run([sys.executable, "-c", BUILD, folder], cwd=sources, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return ZipFile(built)


def test_every_module_and_data_file_is_in_the_wheel(wheel: ZipFile) -> None:
    files = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "wmtui").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert files <= set(wheel.namelist())


def test_the_wheel_has_only_the_package(wheel: ZipFile) -> None:
    assert {name.split("/", 1)[0] for name in wheel.namelist()} == {"wmtui", "wmtui-0.1.0.dist-info"}


def test_the_command_is_installed(wheel: ZipFile, tmp_path: Path) -> None:
    wheel.extractall(tmp_path)
    start = (
        "import importlib.metadata as m; print(m.entry_points(group='console_scripts', name='wmtui')['wmtui'].load())"
    )
    done = subprocess.run(
        [sys.executable, "-c", start], cwd=tmp_path, capture_output=True, text=True, check=True, env={"PYTHONPATH": "."}
    )
    assert done.stdout.startswith("<function run")


def test_everything_that_is_installed_is_pinned() -> None:
    pinned = dict(
        line.lower().split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if line[:1] != "#"
    )
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    names = {re.split(r"[^\w.-]", requirement, maxsplit=1)[0].lower() for requirement in wanted}
    assert names <= pinned.keys()
    assert all(re.fullmatch(r"[\w.+!-]+", version) for version in pinned.values())

"""What `pip install .` installs, and what it is tested with."""

import email
import importlib.metadata
import re
import shutil
import subprocess
import sys
import tomllib
from itertools import chain
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


def test_the_wheel_says_what_it_is_where_it_runs_and_under_which_licence(wheel: ZipFile) -> None:
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    metadata = email.message_from_bytes(wheel.read(name))
    assert metadata["License-Expression"] == "MIT"
    assert metadata["Author"]
    assert metadata["Keywords"]
    classifiers = metadata.get_all("Classifier", [])
    assert {"Environment :: Console", "Operating System :: POSIX :: Linux", "Typing :: Typed"} <= set(classifiers)
    assert not any("Windows" in classifier or "OS Independent" in classifier for classifier in classifiers)
    minimum = metadata["Requires-Python"].removeprefix(">=")
    assert f"Programming Language :: Python :: {minimum}" in classifiers


def test_every_place_that_the_metadata_name_is_in_the_repository(wheel: ZipFile) -> None:
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    places = [url.split(", ")[1] for url in email.message_from_bytes(wheel.read(name)).get_all("Project-URL", [])]
    assert places
    assert all((ROOT / place).is_file() for place in places)


def test_whoever_imports_it_gets_its_types(wheel: ZipFile) -> None:
    assert "wmtui/py.typed" in wheel.namelist()


def test_the_licence_of_every_package_that_is_not_permissive_is_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8").lower()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for requirement in project["dependencies"]:
        name = re.split(r"[^\w.-]", requirement, maxsplit=1)[0]
        metadata = importlib.metadata.metadata(name)
        words = " ".join(
            [metadata["License-Expression"] or metadata["License"] or "", *metadata.get_all("Classifier", [])]
        )
        if "GPL" in words or "MPL" in words:
            assert name in readme


def test_everything_that_is_installed_is_pinned() -> None:
    pinned = dict(
        line.lower().split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if line[:1] != "#"
    )
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    names = {re.split(r"[^\w.-]", requirement, maxsplit=1)[0].lower() for requirement in wanted}
    assert names <= pinned.keys()
    assert all(re.fullmatch(r"[\w.+!-]+", version) for version in pinned.values())

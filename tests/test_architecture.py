"""What modules import: no heavy library before its first use, since cron starts wmtui every few minutes; no circles."""

import ast
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from importlib.util import find_spec
from pathlib import Path

import pytest

from wmtui import service

HEAVY = {"boto3", "botocore", "duckdb", "mysql", "psycopg", "pyarrow", "rich", "textual"}
LIGHT_MODULES = [
    "wmtui.config",
    "wmtui.objects",
    "wmtui.sources",
    "wmtui.warehouses",
    "wmtui.watermarks",
    "wmtui.files",
    "wmtui.pipeline",
    "wmtui.service",
    "wmtui.cli.main",
]


def loaded_by(statement: str) -> set[str]:
    """The top-level packages in a fresh interpreter after a statement."""
    script = f"{statement}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("module", [module for module in LIGHT_MODULES if find_spec(module)])
def test_importing_it_loads_no_heavy_library(module: str) -> None:
    assert loaded_by(f"import {module}") & HEAVY == set()


def test_a_heavy_library_would_be_noticed() -> None:
    assert "duckdb" in loaded_by("import duckdb")


ROOT = Path(__file__).parent.parent


def modules_below(package: str) -> dict[str, Path]:
    """Every module of a top-level package, by its dotted name."""
    paths = (ROOT / package).rglob("*.py")
    names = {path: ".".join(path.relative_to(ROOT).with_suffix("").parts) for path in paths}
    return {name.removesuffix(".__init__"): path for path, name in names.items()}


def imported(source: str, modules: Iterable[str]) -> Iterator[str]:
    """Which of these modules a source text imports, wherever the import stands: in functions and for types too."""
    known = set(modules)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = (f"{node.module}.{alias.name}" for alias in node.names)
            yield from (
                name if name in known else node.module for name in names if name in known or node.module in known
            )


def circle(graph: Mapping[str, Iterable[str]]) -> list[str]:
    """One circle of imports, from a module back to itself; empty where there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


@pytest.mark.parametrize("package", ["wmtui", "tests", "benchmarks"])
def test_no_modules_import_each_other_in_a_circle(package: str) -> None:
    modules = modules_below(package)
    assert len(modules) > 5
    assert circle({name: set(imported(path.read_text(), modules)) - {name} for name, path in modules.items()}) == []


def test_a_circle_would_be_noticed_inside_functions_and_among_types_too() -> None:
    sources = {
        "a": "def f():\n    import b",
        "b": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from c import d",
        "c": "",
        "c.d": "from a import f",
    }
    graph = {name: set(imported(source, sources)) for name, source in sources.items()}
    assert sorted(set(circle(graph))) == ["a", "b", "c.d"]


FIRST = "wmtui.mysql_library"
"""What has to be imported before pyarrow; where a module uses that, a package around it imports this."""


def test_wherever_pyarrow_is_used_the_driver_of_mysql_was_loaded_before() -> None:
    modules = modules_below("wmtui")
    trees = {name: path.read_text() for name, path in modules.items()}
    first = {name for name, text in trees.items() if FIRST in set(imported(text, [FIRST]))}
    with_pyarrow = {name for name, text in trees.items() if set(imported(text, ["pyarrow"]))}
    covered = {name for name in modules if any(name.startswith(f"{package}.") for package in first)}
    uncovered = with_pyarrow - covered
    users = {user for user, text in trees.items() if uncovered & set(imported(text, uncovered))}

    assert len(with_pyarrow) > 20
    assert uncovered == {"wmtui.column_types"}
    assert users <= covered


@pytest.mark.parametrize("package", ["sources", "warehouses", "pipeline", "verify", "demo"])
def test_a_package_that_uses_pyarrow_loads_the_driver_of_mysql(package: str) -> None:
    assert "_mysql_connector" in loaded_by(f"import wmtui.{package}")


def test_whatever_service_exports_is_there() -> None:
    assert [name for name in service.__all__ if getattr(service, name, None) is None] == []
    with pytest.raises(AttributeError):
        _ = service.Nothing  # type: ignore[attr-defined]

"""What an import brings in: cron starts wmtui every few minutes, so heavy libraries wait for their first use."""

import subprocess
import sys
from importlib.util import find_spec

import pytest

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

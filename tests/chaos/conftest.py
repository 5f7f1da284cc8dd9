"""One lab for all chaos tests of a process."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.lab import Lab, private_lab


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder is chaos."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.chaos)


@pytest.fixture(scope="module")
def redshift_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab whose warehouse is the stand-in for Redshift."""
    with private_lab(tmp_path_factory.mktemp("chaos"), "redshift") as made:
        yield made


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Servers, a bucket and a nursery of processes."""
    with private_lab(tmp_path_factory.mktemp("chaos")) as made:
        yield made

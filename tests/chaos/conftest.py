"""One lab of each kind for all chaos tests of a process."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import pytest

from tests.chaos.environment import Lab, private_lab


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder is chaos."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.chaos)


@pytest.fixture(scope="session")
def labs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str, str], Lab]]:
    """Servers, a bucket and a nursery of processes, by the kinds of source and warehouse; equal ones share one lab."""
    with ExitStack() as stack:
        yield cache(lambda *kinds: stack.enter_context(private_lab(tmp_path_factory.mktemp("chaos"), *kinds)))


@pytest.fixture
def lab(labs: Callable[[str, str], Lab], source_kind: str) -> Lab:
    """The lab of the source server under test, with PostgreSQL."""
    return labs(source_kind, "postgres")


@pytest.fixture
def redshift_lab(labs: Callable[[str, str], Lab], source_kind: str) -> Lab:
    """The same with the stand-in for Redshift."""
    return labs(source_kind, "redshift")

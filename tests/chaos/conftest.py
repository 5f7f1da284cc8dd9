"""One environment of each kind for all chaos tests of a process."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import pytest

from tests.chaos.environment import Environment, private_environment


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder is chaos."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.chaos)


@pytest.fixture(scope="session")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str, str], Environment]]:
    """Servers, a bucket and a fork server, by the kinds of source and warehouse; equal ones share one environment."""
    with ExitStack() as stack:
        yield cache(lambda *kinds: stack.enter_context(private_environment(tmp_path_factory.mktemp("chaos"), *kinds)))


@pytest.fixture
def environment(environments: Callable[[str, str], Environment], source_kind: str) -> Environment:
    """The environment of the source server under test, with PostgreSQL."""
    return environments(source_kind, "postgres")


@pytest.fixture
def redshift_environment(environments: Callable[[str, str], Environment], source_kind: str) -> Environment:
    """The same with the stand-in for Redshift."""
    return environments(source_kind, "redshift")

"""One lab for all chaos tests of a process."""

from collections.abc import Iterator

import pytest

from tests.chaos.lab import Lab, private_lab


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Servers, a bucket and a nursery of processes."""
    with private_lab(tmp_path_factory.mktemp("chaos")) as made:
        yield made

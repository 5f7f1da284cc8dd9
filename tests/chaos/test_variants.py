"""The harness finds what is broken: every variant of the product does harm in its scenario, the product does none."""

from collections.abc import Iterable
from typing import Any

import pytest

from tests.chaos.environment import Environment
from tests.chaos.scenarios import POOLED, SCENARIOS, run_scenario
from tests.chaos.variants import VARIANTS
from tests.servers import pgbouncer


def params(names: Iterable[str]) -> list[Any]:
    """Those that need PgBouncer are skipped without it."""
    skip = pytest.mark.skipif(not pgbouncer.is_there(), reason=pgbouncer.NO_PGBOUNCER)
    return [pytest.param(name, marks=skip if name in POOLED else ()) for name in names]


@pytest.mark.parametrize("name", params(SCENARIOS))
def test_the_product_survives_the_scenario(environment: Environment, name: str) -> None:
    assert run_scenario(environment, name, None) == []


@pytest.mark.parametrize("name", params(VARIANTS))
def test_a_broken_variant_is_found_by_its_scenario(environment: Environment, name: str) -> None:
    assert run_scenario(environment, name, name) != []

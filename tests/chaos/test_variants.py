"""The harness finds what is broken: every variant of the product does harm in its scenario, the product does none."""

import pytest

from tests.chaos.lab import Lab
from tests.chaos.scenarios import SCENARIOS, play
from tests.chaos.variants import VARIANTS


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_product_survives_the_scenario(lab: Lab, name: str) -> None:
    assert play(lab, name, None) == []


@pytest.mark.parametrize("name", VARIANTS)
def test_a_broken_variant_is_found_by_its_scenario(lab: Lab, name: str) -> None:
    assert play(lab, name, name) != []

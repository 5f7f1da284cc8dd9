"""Kills and faults before the stand-in for Redshift, where loading is done otherwise."""

import random

import pytest

from tests.chaos.campaign import Campaign
from tests.chaos.environment import Environment
from tests.chaos.steps import REDSHIFT_STEPS

pytestmark = pytest.mark.timeout(300)

SEED = 20250804


def test_a_kill_within_a_load_into_redshift_loses_and_doubles_nothing(redshift_environment: Environment) -> None:
    campaign = Campaign(redshift_environment, SEED)
    campaign.by_name(random.Random(SEED).sample(REDSHIFT_STEPS, 10))
    assert not campaign.score.differences, campaign.score


def test_kills_and_faults_before_redshift_lose_and_double_nothing(redshift_environment: Environment) -> None:
    campaign = Campaign(redshift_environment, SEED)
    campaign.at_random(20)
    assert not campaign.score.differences, campaign.score

"""Kills and faults with a fixed seed; `make chaos` goes on as long as one likes."""

import random

import pytest

from tests.chaos.campaign import Campaign
from tests.chaos.lab import Lab
from tests.chaos.steps import REDSHIFT_STEPS, every_step

pytestmark = pytest.mark.timeout(300)

SEED = 20250804


def test_a_kill_at_a_named_step_loses_and_doubles_nothing(lab: Lab) -> None:
    campaign = Campaign(lab, SEED)
    campaign.by_name(random.Random(SEED).sample(every_step(), 12))
    assert not campaign.score.differences, campaign.score


def test_kills_and_faults_at_random_times_lose_and_double_nothing(lab: Lab) -> None:
    campaign = Campaign(lab, SEED)
    campaign.at_random(30)
    assert not campaign.score.differences, campaign.score


def test_a_kill_within_a_load_into_redshift_loses_and_doubles_nothing(redshift_lab: Lab) -> None:
    campaign = Campaign(redshift_lab, SEED)
    campaign.by_name(random.Random(SEED).sample(REDSHIFT_STEPS, 10))
    assert not campaign.score.differences, campaign.score


def test_kills_and_faults_before_redshift_lose_and_double_nothing(redshift_lab: Lab) -> None:
    campaign = Campaign(redshift_lab, SEED)
    campaign.at_random(30)
    assert not campaign.score.differences, campaign.score

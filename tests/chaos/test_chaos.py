"""Kills and faults with a fixed seed, a part on each source server; `make chaos` goes on as long as one likes."""

import random

import pytest

from tests.chaos.campaign import Campaign
from tests.chaos.environment import Environment
from tests.chaos.steps import every_step
from tests.servers.sources import SOURCES

pytestmark = pytest.mark.timeout(300)

SEED = 20250804

Plan = list[tuple[str, str]]


def share(plan: Plan, source_kind: str) -> Plan:
    """The part of a plan that falls to a source server."""
    return plan[list(SOURCES).index(source_kind) :: len(SOURCES)]


def test_a_kill_at_a_named_step_loses_and_doubles_nothing(environment: Environment, source_kind: str) -> None:
    campaign = Campaign(environment, SEED)
    campaign.by_name(share(random.Random(SEED).sample(every_step(), 12), source_kind))
    assert not campaign.score.differences, campaign.score


def test_kills_and_faults_at_random_times_lose_and_double_nothing(environment: Environment) -> None:
    campaign = Campaign(environment, SEED)
    campaign.at_random(15)
    assert not campaign.score.differences, campaign.score

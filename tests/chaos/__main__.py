"""`python -m tests.chaos`: every step by name, then kills and faults at random until there are enough."""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.chaos.campaign import Campaign, every_step
from tests.chaos.lab import private_lab


def main() -> int:
    """Run one campaign, print its summary; 1 if anything differs."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos")
    parser.add_argument("-n", type=int, default=300, help="how many kills and faults")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--random-only", action="store_true")
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="wmtui-chaos-"))
    print(f"logs of every process: {folder}")
    with private_lab(folder) as lab:
        campaign = Campaign(lab, asked.seed)
        if not asked.random_only:
            campaign.by_name(every_step())
            print(campaign.score)
        campaign.at_random(max(0, asked.n - campaign.score.total))
    print(campaign.score)
    return bool(campaign.score.differences)


if __name__ == "__main__":
    sys.exit(main())

"""`python -m tests.chaos`: every step by name, kills and faults at random until there are enough, edits at once."""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import wmtui.mysql_library  # noqa: F401 - before anything brings pyarrow.
from tests.chaos.campaign import Campaign
from tests.chaos.editors import edit_at_once, edit_differences
from tests.chaos.environment import private_environment
from tests.chaos.steps import REDSHIFT_STEPS, every_step
from tests.servers.s3 import ENVIRONMENT, S3Server
from tests.servers.sources import SOURCES

_EDITORS, _EDITS = 32, 50


def main() -> int:
    """Run one campaign, print its summary; 1 if anything differs."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos")
    parser.add_argument("-n", type=int, default=300, help="how many kills and faults")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--random-only", action="store_true", help="leave out the kills at every step by name")
    parser.add_argument("--edits-only", action="store_true", help="only the edits at once")
    parser.add_argument("--source", choices=tuple(SOURCES), default="mariadb")
    parser.add_argument("--warehouse", choices=("postgres", "redshift"), default="postgres")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="wmtui-chaos-"))
    print(f"logs of every process: {folder}", flush=True)
    differences = [] if arguments.edits_only else _campaign(folder, arguments)
    if not arguments.random_only:
        differences += _edits(folder)
    return bool(differences)


def _campaign(folder: Path, arguments: argparse.Namespace) -> list[str]:
    with private_environment(folder, arguments.source, arguments.warehouse) as environment:
        campaign = Campaign(environment, arguments.seed)
        if not arguments.random_only:
            campaign.by_name(every_step() if arguments.warehouse == "postgres" else REDSHIFT_STEPS)
            print(campaign.score, flush=True)
        campaign.at_random(arguments.n - campaign.score.total)
    print(campaign.score, flush=True)
    return campaign.score.differences


def _edits(folder: Path) -> list[str]:
    os.environ.update(ENVIRONMENT)
    all_differences: list[str] = []
    with S3Server() as s3:
        lake = folder / "lake"
        lake.mkdir()
        for store, endpoint in ((str(lake), ""), (f"s3://{s3.new_bucket()}/lake", s3.endpoint_url)):
            began = time.monotonic()
            edits = edit_at_once(store, endpoint, _EDITORS, _EDITS)
            differences = list(edit_differences(store, endpoint, edits))
            kind = "S3" if endpoint else "a folder"
            print(
                f"{_EDITORS} processes edited one watermark in {kind} {_EDITS} times each: {len(edits)} edits, "
                f"{len(differences)} differences, {time.monotonic() - began:.0f} s",
                *(f"  DIFFERENCE {line}" for line in differences[:20]),
                sep="\n",
                flush=True,
            )
            all_differences += differences
    return all_differences


if __name__ == "__main__":
    sys.exit(main())

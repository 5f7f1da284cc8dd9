"""The suite for a real Redshift runs: here against the stand-in, as a user would start it."""

import os
import subprocess
import sys
from pathlib import Path

import yaml

from tests.servers import Database
from tests.servers.redshift import RedshiftStandIn
from tests.servers.s3 import S3Server

ROOT = Path(__file__).parents[2]
TESTS = (
    "test_the_account",
    "test_a_failed",
    "test_text_grows",
    "test_a_new_column",
    "test_an_update_replaces",
    "test_singles",
)


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "tests/live", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env={**os.environ, **variables}, capture_output=True, text=True, check=False
    )


def test_the_live_suite_runs_where_its_variables_say(tmp_path: Path, pg_db: Database, s3: S3Server) -> None:
    with RedshiftStandIn(pg_db, s3).running() as stand_in:
        profile = {
            "store": f"s3://{s3.new_bucket()}/lake",
            "s3": {"endpoint_url": s3.endpoint_url},
            "source": {"type": "duckdb", "path": "none.duckdb"},
            "warehouse": stand_in.config,
        }
        config = tmp_path / "tables.yaml"
        config.write_text(yaml.safe_dump({"version": 1, "profiles": {"live": profile}, "tables": {"shop.orders": {}}}))
        done = run("-k", " or ".join(TESTS), WMTUI_LIVE_CONFIG=str(config), WMTUI_LIVE_PROFILE="live")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(".") >= len(TESTS)
    assert pg_db.query("SELECT 1 FROM pg_namespace WHERE nspname LIKE 'wmtui_live%'") == []


def test_without_its_variables_it_asks_nothing_of_anybody() -> None:
    done = run()
    assert done.returncode == 5, done.stdout  # nothing collected

"""Contestants in rounds: who fails takes part no more and is told by name; and one run on real servers."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from benchmarks.comparison import Contestant, WrongResult, compare
from benchmarks.machinery import Servers
from benchmarks.options import Options
from benchmarks.peers import Peer, Unavailable
from benchmarks.process import run
from benchmarks.rounds import Role, Sample
from benchmarks.transfers import extraction
from tests.servers.mariadb import MariaDB
from tests.sql import series

FAILED = subprocess.CalledProcessError(3, ["dlt"], "Traceback\nValueError: no such column\nbye\n")


def contestant(name: str, role: Role, *found: Sample | Exception) -> Contestant:
    """One that measures these, one after the other."""
    left: Iterator[Sample | Exception] = iter(found)

    def measure() -> Sample:
        one = next(left)
        if isinstance(one, Exception):
            raise one
        return one

    return Contestant(name, role, 1000, measure)


def sample(wall: float, others: float = 0.0) -> Sample:
    return Sample(wall, wall, wall, 1, others)


def test_every_round_runs_all_in_turn() -> None:
    ran: list[str] = []

    def one(name: str, role: Role) -> Contestant:
        return Contestant(name, role, 1000, lambda: (ran.append(name), sample(1))[1])

    compare("some", [one("client", "limit"), one("wmtui", "ours")], Options(rounds=2))
    assert ran == ["client", "wmtui"] * 2


def test_noisy_rounds_are_run_again() -> None:
    quiet, noisy = sample(1), sample(1, others=0.9)
    found = compare("some", [contestant("wmtui", "ours", noisy, quiet, noisy, quiet)], Options(rounds=2))
    assert (found.rows[0].rounds, found.rows[0].noisy) == (2, 0)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (FAILED, "exit 3: ValueError: no such column"),
        (subprocess.TimeoutExpired(["dlt"], 60), "was ended after 60 s"),
        (Unavailable("dlt could not be installed: no network"), "dlt could not be installed: no network"),
        (WrongResult("9 rows arrived in place of 1,000"), "9 rows arrived in place of 1,000"),
    ],
)
def test_a_peer_that_fails_is_told_and_the_others_go_on(error: Exception, reason: str) -> None:
    ours = contestant("wmtui", "ours", sample(1), sample(1))
    found = compare("some", [ours, contestant("dlt", "peer", sample(2), error)], Options(rounds=2))
    assert found.failures == {"dlt": reason}
    assert [row.name for row in found.rows] == ["wmtui"]
    assert found.rows[0].of_peer is None
    assert not found.failed


def test_when_all_fail_there_is_an_end() -> None:
    found = compare("some", [contestant("wmtui", "ours", WrongResult("none"))], Options(rounds=2))
    assert found.failed


def test_a_program_counts_with_the_processes_that_it_starts(tmp_path: Path) -> None:
    work = (
        "import time; held = bytearray(60_000_000); s = time.process_time()\nwhile time.process_time() < s + 0.4: pass"
    )
    nested = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {work!r}], check=True); print('said')"
    done = run([sys.executable, "-c", nested], folder=tmp_path)
    assert done.cpu >= 0.4
    assert done.peak > 60_000_000
    assert done.output == "said\n"


def test_a_program_is_ended_with_all_that_it_started_when_its_time_is_up() -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        run(["sh", "-c", "sleep 600 & wait"], seconds=0.2)


def test_a_peer_that_cannot_be_installed_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("benchmarks.peers.CACHE", tmp_path / "cache")
    monkeypatch.setattr("benchmarks.peers.HERE", tmp_path)
    monkeypatch.setattr("venv.create", lambda folder, **_: _failing_pip(folder))
    (tmp_path / "none.txt").write_text("none==1\n")
    with pytest.raises(Unavailable, match=r"^none could not be installed: no such package$"):
        Peer("none", "none").install()


def _failing_pip(folder: Path) -> None:
    pip = folder / "bin" / "pip"
    pip.parent.mkdir(parents=True)
    pip.write_text("#!/bin/sh\necho WARNING: old\necho no such package\nexit 1\n")
    pip.chmod(0o755)


def test_a_first_load_is_measured_on_servers_of_its_own() -> None:
    options = Options(rows_asked=2000, rounds=1, repeats=0, source="mariadb", peers=False)
    with Servers(options) as servers:
        plain, over_tls = extraction(servers)
    assert (plain.title, over_tls.title) == ("MariaDB → S3, 2,000 rows", "MariaDB over TLS → S3, 2,000 rows")
    for found in (plain, over_tls):
        assert found.failures == {}
        limit, ours = found.rows
        assert ours.of_limit == pytest.approx(limit.sample.wall / ours.sample.wall)
        assert ours.sample.client > 0 < ours.sample.servers
        assert ours.sample.memory > 10_000_000


@pytest.mark.parametrize("build", [False, True])
def test_a_users_own_server_is_read_and_left_as_it_was(build: bool, tmp_path: Path) -> None:
    with MariaDB() as server, server.new_database() as shop:
        shop.execute(
            "CREATE TABLE orders (id BIGINT PRIMARY KEY, update_at DATETIME)",
            f"INSERT INTO orders SELECT seq, NOW() - INTERVAL seq MINUTE FROM {series(300, 'numbers')}",
        )
        profile = {"store": str(tmp_path / "lake"), "source": shop.config, "warehouse": shop.config | WAREHOUSE}
        name = f"{shop.name}.orders"
        path = tmp_path / "tables.yaml"
        path.write_text(yaml.safe_dump({"version": 1, "profiles": {"own": profile}, "tables": {name: {}}}))
        before = server.query("SELECT table_schema, table_name FROM information_schema.tables")
        options = Options(rows_asked=2000, rounds=1, repeats=0, config=path, table=name, build=build, peers=False)
        with Servers(options) as servers:
            (found,) = extraction(servers)
        assert server.query("SELECT table_schema, table_name FROM information_schema.tables") == before
    assert found.failures == {}
    assert {row.rows for row in found.rows} == {2000 if build else 300}


WAREHOUSE = {"type": "postgres", "host": "127.0.0.1", "database": "unused"}
"""Of the profile: it is not loaded into."""

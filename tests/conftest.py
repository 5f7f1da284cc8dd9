"""Fixtures shared by all tests: private database servers, started when the first test asks for one."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache

import pytest

from tests.servers import Database
from tests.servers.mariadb import MariaDB
from tests.servers.postgres import Postgres
from tests.servers.s3 import ENVIRONMENT, S3Server, shared_loader


def pytest_xdist_auto_num_workers() -> int:
    """With `-n auto`: half as many again as there are processors, because tests wait for servers and leases."""
    return max(2, (os.cpu_count() or 2) * 3 // 2)


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDB]:
    """The MariaDB server of this process. A test that kills it must start it again."""
    with MariaDB() as server:
        yield server


@pytest.fixture(scope="session")
def mariadb_with() -> Iterator[Callable[..., MariaDB]]:
    """Starts a further server with arguments such as `--default-time-zone=+08:00`; equal arguments share one."""
    with ExitStack() as stack:
        yield cache(lambda *arguments: stack.enter_context(MariaDB(*arguments)))


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """The PostgreSQL server of this process. A test that kills it must start it again."""
    with Postgres() as server:
        yield server


@pytest.fixture
def mysql_db(mariadb: MariaDB) -> Iterator[Database]:
    """A MariaDB database of the test's own."""
    with mariadb.new_database() as database:
        yield database


@pytest.fixture
def pg_db(postgres: Postgres) -> Iterator[Database]:
    """A PostgreSQL database of the test's own."""
    with postgres.new_database() as database:
        yield database


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """The S3 server of this process; tests ask for `s3`."""
    with S3Server() as server:
        yield server


@pytest.fixture
def s3(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    """An S3 server without buckets, faults or remembered requests, and credentials for it in the environment.

    Clients repeat failed requests at once, and read botocore's files once per process.
    """
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0)
    monkeypatch.setattr("botocore.session.create_loader", shared_loader)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    yield s3_server
    s3_server.reset()

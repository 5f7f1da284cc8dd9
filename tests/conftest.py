"""Fixtures shared by all tests: private database servers, started when the first test asks for one."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache, partial

import pytest

from tests.servers import Database
from tests.servers import pgbouncer as bouncer
from tests.servers.mariadb import MariaDB
from tests.servers.mysql import MySQL
from tests.servers.postgres import Postgres
from tests.servers.s3 import ENVIRONMENT, S3Server, shared_loader
from tests.servers.sources import NO_MYSQL, SOURCES, SourceServer, require, source_kinds
from wmtui import secrets


def pytest_xdist_auto_num_workers() -> int:
    """With `-n auto`: half as many again as there are processors, because tests wait for servers and leases."""
    return max(2, (os.cpu_count() or 2) * 3 // 2)


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--source mysql`: the server that every test with a source server runs on."""
    purpose = "the one source server of every test; without it tests run on MariaDB, and some on both"
    parser.addoption("--source", choices=tuple(SOURCES), help=purpose)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test whose fixtures name the source server runs on each that its module is to run on."""
    if "source_kind" in metafunc.fixturenames and len(kinds := source_kinds(metafunc)) > 1:
        metafunc.parametrize("source_kind", kinds, indirect=True)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say at the end which server was not tested."""
    reasons = [str(report.longrepr) for report in terminalreporter.stats.get("skipped", ())]
    for name, why in (("MySQL", NO_MYSQL), ("PgBouncer", bouncer.NO_PGBOUNCER)):
        if skipped := sum(why in reason for reason in reasons):
            terminalreporter.write_line(f"{name} was not tested, {skipped} tests were skipped: {why}", yellow=True)


@pytest.fixture(autouse=True)
def no_secrets_of_other_tests() -> Iterator[None]:
    """What one test calls a secret may be a word of another."""
    yield
    secrets.forget_all()


@pytest.fixture
def source_kind(request: pytest.FixtureRequest) -> str:
    """`mariadb` or `mysql`: the one that the test's parameters name, else that of `--source`."""
    parameters = request.node.callspec.params.values() if hasattr(request.node, "callspec") else ()
    named = [value for value in parameters if isinstance(value, str) and value in SOURCES]
    return require(named[0] if named else request.config.getoption("source") or "mariadb")


@pytest.fixture(scope="session")
def servers_with() -> Iterator[Callable[..., SourceServer]]:
    """Starts a source server of a kind, with arguments or without; equal ones share one server of this process."""
    with ExitStack() as stack:
        yield cache(lambda kind, *arguments, **zone: stack.enter_context(SOURCES[kind](*arguments, **zone)))


@pytest.fixture
def source_server(servers_with: Callable[..., SourceServer], source_kind: str) -> SourceServer:
    """The source server under test. A test that kills it must start it again."""
    return servers_with(source_kind)


@pytest.fixture
def source_server_with(servers_with: Callable[..., SourceServer], source_kind: str) -> Callable[..., SourceServer]:
    """Starts a further source server, with arguments such as `--server-id=7`; equal ones share one."""
    return partial(servers_with, source_kind)


@pytest.fixture(scope="session")
def mariadb(servers_with: Callable[..., SourceServer]) -> MariaDB:
    """MariaDB, for tests of what it alone has. A test that kills it must start it again."""
    return servers_with("mariadb")


@pytest.fixture(scope="session")
def mysql_server(servers_with: Callable[..., SourceServer]) -> MySQL:
    """MySQL, for tests of what it alone has. A test that kills it must start it again."""
    return servers_with(require("mysql"))


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """The PostgreSQL server of this process. A test that kills it must start it again."""
    with Postgres() as server:
        yield server


@pytest.fixture
def source_db(source_server: SourceServer) -> Iterator[Database]:
    """A database of the test's own on the source server under test."""
    with source_server.new_database() as database:
        yield database


@pytest.fixture
def pg_db(postgres: Postgres) -> Iterator[Database]:
    """A PostgreSQL database of the test's own."""
    with postgres.new_database() as database:
        yield database


@pytest.fixture
def pgbouncer(request: pytest.FixtureRequest, postgres: Postgres, pg_db: Database) -> Iterator[Database]:
    """`pg_db` through a PgBouncer of the test's own, one transaction after the other on any of its sessions.

    An indirect parameter is a mapping of PgBouncer's settings, such as `{"default_pool_size": 1}`.
    """
    if not bouncer.is_there():
        pytest.skip(bouncer.NO_PGBOUNCER)
    with bouncer.PgBouncer(postgres, **getattr(request, "param", {})) as server:
        yield server.serve(pg_db)


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

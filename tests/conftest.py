"""Fixtures shared by all tests: private database servers, started when the first test asks for one."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache

import pytest

from tests.servers import Database
from tests.servers.mariadb import MariaDB
from tests.servers.postgres import Postgres


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

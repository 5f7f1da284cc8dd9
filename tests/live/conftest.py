"""A real Redshift, by environment variables:

    WMTUI_LIVE_CONFIG   a tables.yaml
    WMTUI_LIVE_PROFILE  a profile of it whose warehouse is of type redshift, and whose store is S3

    .venv/bin/pytest tests/live

Without them there is nothing here to collect. Every test has a schema of its own, created and dropped, and a folder of
its own in the store, emptied afterwards: the account needs CREATE on the database.
"""

import os
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from uuid import uuid4

import pytest
from msgspec.structs import replace

from tests.warehouses.bench import Bench
from wmtui.config import RedshiftConfig, Settings, load
from wmtui.model import utc_now
from wmtui.objects import ObjectStore, open_store
from wmtui.warehouses.pg_protocol.connection import connect as open_connection
from wmtui.warehouses.redshift.warehouse import RedshiftWarehouse

CONFIG, PROFILE = "WMTUI_LIVE_CONFIG", "WMTUI_LIVE_PROFILE"

collect_ignore_glob = [] if CONFIG in os.environ else ["test_*.py"]


@pytest.fixture(scope="session")
def settings() -> Settings:
    """The configuration."""
    return load(os.environ[CONFIG], os.environ.get(PROFILE))


@pytest.fixture
def store(settings: Settings) -> Iterator[ObjectStore]:
    """A folder of the test's own in the store."""
    root = f"{settings.profile.store.rstrip('/')}/live-{uuid4().hex[:12]}"
    made = open_store(replace(settings.store, root=root), utc_now)
    yield made
    for info in list(made.list("")):
        made.delete(info.key)


@pytest.fixture
def bench(settings: Settings, store: ObjectStore) -> Iterator[Bench]:
    """Redshift, in a schema of the test's own."""
    assert isinstance(settings.profile.warehouse, RedshiftConfig), f"{PROFILE} names no Redshift"
    schema = f"wmtui_live_{uuid4().hex[:12]}"
    config = replace(settings.profile.warehouse, schema=schema)

    def connect() -> RedshiftWarehouse:
        return RedshiftWarehouse(config, store)

    def query(statement: str) -> list[tuple[Any, ...]]:
        warehouse = RedshiftWarehouse(config, store)
        with closing(open_connection(config, *warehouse._credentials())) as connection:
            connection.execute(f'SET search_path TO "{schema}"'.encode())
            connection.execute("SET extra_float_digits TO 2")
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def execute(statement: str) -> None:
        query(statement)

    execute(f'CREATE SCHEMA "{schema}"')
    yield Bench("redshift", connect(), query, execute, connect, Uploaded(store), store.uri("").rstrip("/"), (schema,))
    execute(f'DROP SCHEMA "{schema}" CASCADE')


class Uploaded(dict[str, bytes]):
    """Files that are in the store too, because Redshift reads them there."""

    def __init__(self, store: ObjectStore) -> None:
        super().__init__()
        self._store = store

    def __setitem__(self, key: str, data: bytes) -> None:
        super().__setitem__(key, data)
        self._store.put(key, data)

"""The stores that the contract is tested on."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.servers.s3 import S3Server
from wmtui.config import S3Config
from wmtui.model import utc_now
from wmtui.objects import ObjectStore
from wmtui.objects.directory import DirectoryStore
from wmtui.objects.s3 import S3Store


class Stores(NamedTuple):
    """One place seen by several clients, and a quick way to put many empty objects there."""

    connect: Callable[[], ObjectStore]
    fill: Callable[[Iterable[str]], None]


@pytest.fixture(params=["s3", "s3 with a prefix", "folder"])
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Stores:
    """An empty store of each kind; S3 sits behind HTTP."""
    if request.param == "folder":
        return Stores(lambda: DirectoryStore(str(tmp_path), utc_now), lambda keys: create_files(tmp_path, keys))
    server: S3Server = request.getfixturevalue("s3")
    bucket = server.new_bucket()
    prefix = "some/präfix/" if "prefix" in request.param else ""
    config = S3Config(endpoint_url=server.endpoint_url)
    return Stores(
        lambda: S3Store(f"s3://{bucket}/{prefix}", config),
        lambda keys: server.fill(bucket, (prefix + key for key in keys)),
    )


@pytest.fixture
def store(stores: Stores) -> ObjectStore:
    """One client of an empty store."""
    return stores.connect()


def create_files(folder: Path, keys: Iterable[str]) -> None:
    """Empty files, put there by another program."""
    for key in keys:
        (folder / key).parent.mkdir(parents=True, exist_ok=True)
        (folder / key).touch()

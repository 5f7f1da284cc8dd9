"""A store of each kind, and the watermark store on it."""

from pathlib import Path

import pytest

from tests.clock import HandClock
from wmtui.config import S3Config
from wmtui.model import TableName
from wmtui.objects import ObjectStore
from wmtui.objects.directory import DirectoryStore
from wmtui.objects.s3 import S3Store
from wmtui.watermarks.store import Author, WatermarkStore


@pytest.fixture
def table() -> TableName:
    return TableName("shop", "orders")


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def folder(tmp_path: Path, clock: HandClock) -> ObjectStore:
    """A store in a folder, which goes by `clock`."""
    return DirectoryStore(str(tmp_path), clock)


@pytest.fixture(params=["folder", "s3"])
def objects(request: pytest.FixtureRequest) -> ObjectStore:
    """An empty store of each kind; S3 sits behind HTTP and has its own clock."""
    if request.param == "folder":
        found: ObjectStore = request.getfixturevalue("folder")
        return found
    server = request.getfixturevalue("s3")
    return S3Store(f"s3://{server.new_bucket()}/lake", S3Config(endpoint_url=server.endpoint_url))


@pytest.fixture
def watermarks(objects: ObjectStore, clock: HandClock) -> WatermarkStore:
    return WatermarkStore(objects, clock, Author("ana", "host-1"))

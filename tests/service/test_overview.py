"""Reading many tables again costs by what changed, and shows what reading all of them would show."""

import threading
from datetime import timedelta
from pathlib import Path

import pytest

from tests.servers.s3 import S3Server, refuse
from tests.stack import Stack, ago, embedded_stack
from wmtui import layout
from wmtui.model import TableName
from wmtui.service import Author, Look, Service, Versions
from wmtui.watermarks import lease

RUN_ID = "0198a4f3c0001a2b3c"
NAMES = ("orders", "items", "lines")


class Glance:
    """What an overview told last of every table, and what it was asked for."""

    def __init__(self, service: Service) -> None:
        self.overview = service.overview
        self.looks: dict[TableName, Look] = {}
        self.told: list[TableName] = []
        self.times = 0
        self.versions: Versions | None = None

    def first(self, tables: list[TableName]) -> None:
        """Read all tables."""
        self.versions = self.overview.versions()
        self.overview.look_at(tables, self._take, threading.Event(), waiting=True)

    def again(self, *, most_counted: int = 200) -> None:
        """Read what changed."""
        self.told.clear()
        self.times = 0
        self.versions = self.overview.look_again(
            self.looks, self.versions, self._take, threading.Event(), most_counted=most_counted
        )

    def _take(self, *looks: Look) -> None:
        self.looks |= {look.table: look for look in looks}
        self.times += 1
        self.told += [look.table for look in looks]


@pytest.fixture
def stack(s3: S3Server, tmp_path: Path) -> Stack:
    """Three tables that were synced into a bucket."""
    stack = embedded_stack(tmp_path, store=f"s3://{s3.new_bucket()}/lake", s3={"endpoint_url": s3.endpoint_url})
    stack.reload(items={}, lines={})
    for name in NAMES:
        stack.create(name)
        stack.insert((1, "1.00", "a row", ago(minutes=9)), name=name)
        stack.sync_one(name)
    return stack


@pytest.fixture
def glance(stack: Stack) -> Glance:
    """All tables as they were read once."""
    glance = Glance(stack.service)
    glance.first([stack.table(name) for name in NAMES])
    return glance


@pytest.fixture
def elsewhere(stack: Stack) -> Service:
    """Another user of the same store."""
    return Service(stack.service.workspace.settings, clock=stack.clock, author=Author("ann", "desk"))


def documents_read(s3: S3Server) -> set[str]:
    """The tables whose documents were asked for."""
    keys = [key for method, key in s3.requests if method == "GET" and key.endswith(".json")]
    return {key.rpartition("/")[2] for key in keys if f"/{layout.WATERMARKS}" in key or f"/{layout.LOCKS}" in key}


def test_tables_that_nobody_changed_cost_a_listing_of_each_folder_however_many_they_are(
    stack: Stack, glance: Glance, s3: S3Server
) -> None:
    s3.requests.clear()
    glance.again()
    assert sorted(glance.told) == sorted(stack.table(name) for name in NAMES)
    assert glance.times == 1, "who is told may leave the processor to others each time"
    assert not documents_read(s3)
    assert len([key for _, key in s3.requests if not key]) == 3
    assert len(s3.requests) <= 4, "and one for whose store it is"


def test_only_the_table_that_was_changed_elsewhere_is_read_and_counted(
    stack: Stack, glance: Glance, elsewhere: Service, s3: S3Server
) -> None:
    table = stack.table("items")
    elsewhere.watermarks.set(table, "2021-02-03 04:05:06", reason="elsewhere")
    s3.requests.clear()
    glance.again()
    assert documents_read(s3) == {"shop.items.json"}
    mark = glance.looks[table].mark
    assert mark is not None
    assert (mark.is_manual, glance.looks[table].waiting) == (True, 0)
    s3.requests.clear()
    glance.again()
    assert not documents_read(s3)


def test_a_run_elsewhere_shows_and_is_dead_once_nobody_renews_it(
    stack: Stack, glance: Glance, elsewhere: Service
) -> None:
    table, workspace = stack.table(), elsewhere.workspace
    lease.acquire(workspace.objects, stack.clock, workspace.author, table, RUN_ID)
    glance.again()
    assert glance.looks[table].status.phase == "starting"
    stack.clock.advance(lease.TTL + timedelta(seconds=5))
    glance.again()
    assert glance.looks[table].status.phase is None


def test_a_table_that_could_not_be_read_is_read_again_although_its_documents_are_the_same(
    stack: Stack,
) -> None:
    glance, table = Glance(stack.service), stack.table()
    key = layout.watermark_key(table)
    good = stack.service.workspace.objects.get(key).data
    stack.service.workspace.objects.put(key, b"{")
    glance.first([table])
    assert glance.looks[table].mark is None
    stack.service.workspace.objects.put(key, good)
    glance.versions = glance.overview.versions()
    glance.again()
    assert glance.looks[table].mark is not None


def test_the_system_watermark_counts_for_tables_without_a_point_of_their_own(
    stack: Stack, glance: Glance, elsewhere: Service, s3: S3Server
) -> None:
    stack.reload(items={}, lines={}, added={})
    glance = Glance(stack.service)
    glance.first([stack.table(name) for name in (*NAMES, "added")])
    elsewhere.watermarks.set_system("2021-02-03 04:05:06", confirmed=True)
    s3.requests.clear()
    glance.again()
    assert documents_read(s3) == {"shop.added.json"}


def test_where_documents_may_not_be_listed_all_are_read(glance: Glance, s3: S3Server) -> None:
    s3.faults.add(refuse(403, "AccessDenied"), method="GET", key="^$")
    s3.requests.clear()
    glance.again()
    assert glance.versions is None
    assert len(documents_read(s3)) == len(NAMES)


def test_files_of_too_many_changed_tables_are_not_counted(stack: Stack, glance: Glance, elsewhere: Service) -> None:
    for name in NAMES:
        elsewhere.watermarks.set(stack.table(name), "2021-02-03 04:05:06", reason="elsewhere")
    glance.again(most_counted=2)
    assert {look.waiting for look in glance.looks.values()} == {None}
    assert len(glance.told) == len(NAMES)

"""The pipeline on real servers and embedded; most tests run on both."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pipeline.extractions import Bench, open_bench
from tests.servers import Database
from tests.servers.redshift import RedshiftStandIn
from tests.servers.s3 import S3Server
from tests.servers.sources import on_servers
from tests.stack import Stack, embedded_stack, server_stack
from wmtui.pipeline.extract import part_writer, span_reader

ON_REDSHIFT = ("test_incremental",)
"""Tests that run on the stand-in for Redshift too; the others are about source and store."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """The pipelines that a test runs on, unless its module has one of its own."""
    if "stack" in metafunc.fixturenames and not hasattr(metafunc.module, "stack"):
        name = metafunc.module.__name__.rpartition(".")[2]
        kinds = ["servers", "embedded", *(["redshift"] if name in ON_REDSHIFT else [])]
        metafunc.parametrize("stack", on_servers(metafunc, kinds), indirect=True)


@pytest.fixture
def stack(request: pytest.FixtureRequest, tmp_path: Path) -> Stack:
    """A whole pipeline with an empty `orders` table."""
    if request.param == "embedded":
        made = embedded_stack(tmp_path)
    elif request.param == "redshift":
        made = request.getfixturevalue("redshift_stack")
    else:
        made = server_stack(tmp_path, *(request.getfixturevalue(name) for name in ("source_db", "pg_db", "s3")))
    made.create()
    return made


@pytest.fixture
def redshift_stack(tmp_path: Path, source_db: Database, pg_db: Database, s3: S3Server) -> Iterator[Stack]:
    """The source server → S3 over HTTP → the stand-in for Redshift."""
    with RedshiftStandIn(pg_db, s3).running() as redshift:
        warehouse = {**redshift.config, "iam_role": "arn:aws:iam::123456789012:role/reads-lake"}
        yield server_stack(tmp_path, source_db, pg_db, s3, warehouse=warehouse)


@pytest.fixture
def embedded(tmp_path: Path) -> Stack:
    """DuckDB → folder → DuckDB with an empty `orders` table, all by one clock that tests move."""
    made = embedded_stack(tmp_path)
    made.create()
    return made


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A part every ten rows."""
    monkeypatch.setattr(span_reader, "BATCH_ROWS", 10)
    monkeypatch.setattr(part_writer, "PART_BYTES", 1)


@pytest.fixture
def part_per_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """A part for every batch."""
    monkeypatch.setattr(part_writer, "PART_BYTES", 1)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A table under a lease, embedded, of which a test makes one extraction."""
    with open_bench(tmp_path) as made:
        yield made

"""Loading a backlog: hundreds of small files that wait for a warehouse, by one sync into PostgreSQL."""

import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from benchmarks.figures import Figure
from benchmarks.listing import Lake
from benchmarks.options import Options
from tests.servers.postgres import Postgres
from tests.servers.s3 import ENVIRONMENT, S3Server

FILES = 400


def figures(options: Options) -> Iterator[Figure]:
    """Seconds by how many files wait: a tenth of them, and all."""
    os.environ.update(ENVIRONMENT)
    with ExitStack() as stack:
        postgres, s3 = stack.enter_context(Postgres()), stack.enter_context(S3Server())
        for count in (FILES // 10,) if options.quick else (FILES // 10, FILES):
            taken = [_load(postgres, s3, count) for _ in range(options.rounds)]
            yield Figure(f"backlog of {count} files", statistics.median(taken), "s")


def _load(postgres: Postgres, s3: S3Server, count: int) -> float:
    with postgres.new_database() as database, tempfile.TemporaryDirectory() as folder:
        lake = Lake(Path(folder), s3, database.config)
        for _ in range(count):
            lake.extract()
        began = time.perf_counter()
        lake.load()
        taken = time.perf_counter() - began
        ((rows,),) = database.query("SELECT count(*) FROM orders")
    assert rows == count + 1, f"{rows} rows of {count + 1} arrived"
    return taken

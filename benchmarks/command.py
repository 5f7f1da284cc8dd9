"""How long commands take to start, each against the least that a Python program needs for the same.

`wmtui watermark get` of a store in S3 against a boto3 client and one GET of the same document; of a folder, and
`wmtui --help`, against the import of click, json and yaml. Run in turn.
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import yaml

from benchmarks.figures import Figure
from benchmarks.options import Options
from benchmarks.process import compared, interleaved
from tests.servers.s3 import ENVIRONMENT, S3Server

KEY = "watermark/tables/shop.orders.json"
DOCUMENT = b'{"table_name": "shop.orders", "last_mysql_data_timestamp": "2025-08-09 20:00:01"}'
WITH_S3 = f"""
import sys, boto3
client = boto3.client("s3", endpoint_url=sys.argv[1])
client.get_object(Bucket=sys.argv[2], Key={KEY!r})["Body"].read()
"""
WITHOUT = "import click, json, yaml"
TIMES = 15


def figures(options: Options) -> Iterator[Figure]:
    """A row for each command."""
    times = TIMES // 3 if options.quick else TIMES
    os.environ.update(ENVIRONMENT)
    with ExitStack() as stack:
        s3 = stack.enter_context(S3Server())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        bucket = s3.new_bucket()
        s3.fill(bucket, [KEY], DOCUMENT)
        (folder / "lake" / KEY).parent.mkdir(parents=True)
        (folder / "lake" / KEY).write_bytes(DOCUMENT)
        on_s3 = configure(folder / "s3.yaml", f"s3://{bucket}", {"s3": {"endpoint_url": s3.endpoint_url}})
        on_disk = configure(folder / "folder.yaml", str(folder / "lake"), {})
        wmtui = [sys.executable, "-m", "wmtui"]
        get = ["watermark", "get", "-t", "shop.orders", "--json"]
        commands = [
            [*wmtui, "--config", on_s3, *get],
            [sys.executable, "-c", WITH_S3, s3.endpoint_url, bucket],
            [*wmtui, "--config", on_disk, *get],
            [*wmtui, "--help"],
            [sys.executable, "-c", WITHOUT],
        ]
        of_s3, with_s3, of_folder, of_help, without = interleaved(commands, times)
    yield compared("watermark get, S3, to a boto3 client and one GET", of_s3, with_s3, 1.5)
    yield compared("watermark get, a folder, to importing click, json, yaml", of_folder, without, 2)
    yield compared("--help, to importing click, json, yaml", of_help, without, 2)


def configure(path: Path, store: str, others: dict[str, object]) -> str:
    """Write a tables.yaml of one table; returns its path."""
    embedded = {"type": "duckdb", "path": "none.duckdb"}
    profile = {"store": store, **others, "source": embedded, "warehouse": embedded}
    path.write_text(yaml.safe_dump({"version": 1, "profiles": {"p": profile}, "tables": {"shop.orders": {}}}))
    return str(path)

"""Reading thousands of watermarks from S3, against a boto3 client that gets the same documents by as many threads."""

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

COUNT = 5_000
THREADS = 8
BUDGET = 1.5
"""Of the ratio, where so many are read that the start of the program is no matter."""
LEAST = f"""
import sys, boto3, botocore.config, concurrent.futures
client = boto3.client("s3", endpoint_url=sys.argv[1], config=botocore.config.Config(max_pool_connections={THREADS}))
keys = [f"watermark/tables/shop.table_{{number}}.json" for number in range(int(sys.argv[3]))]
with concurrent.futures.ThreadPoolExecutor({THREADS}) as pool:
    got = list(pool.map(lambda key: client.get_object(Bucket=sys.argv[2], Key=key)["Body"].read(), keys))
assert all(got)
"""


def figures(options: Options) -> Iterator[Figure]:
    """The command that lists all of them."""
    count = COUNT // 10 if options.quick else COUNT
    os.environ.update(ENVIRONMENT)
    with ExitStack() as stack:
        s3 = stack.enter_context(S3Server())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        bucket = s3.new_bucket()
        for number in range(count):
            name = f"shop.table_{number}"
            document = f'{{"table_name": "{name}", "last_mysql_data_timestamp": "2025-08-09 20:00:01"}}'
            s3.fill(bucket, [f"watermark/tables/{name}.json"], document.encode())
        embedded = {"type": "duckdb", "path": "none.duckdb"}
        store = {"store": f"s3://{bucket}", "s3": {"endpoint_url": s3.endpoint_url}}
        profile = {**store, "source": embedded, "warehouse": embedded}
        tables: dict[str, object] = {f"shop.table_{number}": {} for number in range(count)}
        path = folder / "tables.yaml"
        path.write_text(yaml.safe_dump({"version": 1, "profiles": {"p": profile}, "tables": tables}))
        ours = [sys.executable, "-m", "wmtui", "--config", str(path), "watermark", "list", "--json"]
        least = [sys.executable, "-c", LEAST, s3.endpoint_url, bucket, str(count)]
        listed, got = interleaved([ours, least], 3)
    yield compared(f"{count:,} watermarks, to a boto3 client", listed, got, None if options.quick else BUDGET)

"""`wmtui watermark get` against its floor: python, a boto3 client and one GET of the same document."""

import os
import sys
import tempfile
from pathlib import Path

import yaml

from benchmarks.measure import pairs
from tests.servers.s3 import ENVIRONMENT, S3Server

FLOOR = """
import sys, boto3
client = boto3.client("s3", endpoint_url=sys.argv[1])
client.get_object(Bucket=sys.argv[2], Key="watermark/tables/shop.orders.json")["Body"].read()
"""
DOCUMENT = b'{"table_name": "shop.orders", "last_mysql_data_timestamp": "2025-08-09 20:00:01"}'
TIMES = 15


def main() -> None:
    """Print both medians and their ratio."""
    os.environ.update(ENVIRONMENT)
    with S3Server() as s3, tempfile.TemporaryDirectory() as folder:
        bucket = s3.new_bucket()
        s3.fill(bucket, ["watermark/tables/shop.orders.json"], DOCUMENT)
        path = Path(folder) / "tables.yaml"
        embedded = {"type": "duckdb", "path": "none.duckdb"}
        store = {"store": f"s3://{bucket}", "s3": {"endpoint_url": s3.endpoint_url}}
        profile = {**store, "source": embedded, "warehouse": embedded}
        path.write_text(yaml.safe_dump({"version": 1, "profiles": {"p": profile}, "tables": {"shop.orders": {}}}))
        get = [sys.executable, "-m", "wmtui", "--config", str(path), "watermark", "get", "-t", "shop.orders", "--json"]
        floor = [sys.executable, "-c", FLOOR, s3.endpoint_url, bucket]
        ours, least = pairs(get, floor, TIMES)
    print(f"watermark get {ours * 1000:.0f} ms, floor {least * 1000:.0f} ms, ratio {ours / least:.2f} (budget 1.5)")

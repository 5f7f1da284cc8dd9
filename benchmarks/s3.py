"""S3 over HTTP in a process of its own, whose processor time is the server's: `python -m benchmarks.s3`.

It prints its address, and for each line it is given how many requests it has answered. It serves until its standard
input ends, also because who started it was killed.
"""

import subprocess
import sys
from types import TracebackType
from typing import Self
from uuid import uuid4

import boto3

from tests.servers.s3 import ENVIRONMENT, S3Server


class S3Process:
    """The server of the tests, seen from outside: moto, which keeps objects in memory."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.s3"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self._process.stdout is not None
        self.endpoint_url = self._process.stdout.readline().strip()
        self.client = boto3.client(
            "s3",
            endpoint_url=self.endpoint_url,
            aws_access_key_id=ENVIRONMENT["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=ENVIRONMENT["AWS_SECRET_ACCESS_KEY"],
            region_name=ENVIRONMENT["AWS_DEFAULT_REGION"],
        )
        return self

    def __exit__(self, _type: type[BaseException] | None, _error: object, _trace: TracebackType | None) -> None:
        self._process.communicate()

    @property
    def pid(self) -> int:
        return self._process.pid

    def new_bucket(self) -> str:
        """The name of a new, empty bucket."""
        name = f"bench-{uuid4().hex[:12]}"
        self.client.create_bucket(Bucket=name)
        return name

    def keys(self, bucket: str) -> list[str]:
        """All keys of a bucket."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        return [item["Key"] for page in pages for item in page.get("Contents", [])]

    def empty(self, bucket: str) -> None:
        """Remove what is in a bucket, which takes memory."""
        keys = self.keys(bucket)
        for low in range(0, len(keys), 1000):
            found = [{"Key": key} for key in keys[low : low + 1000]]
            self.client.delete_objects(Bucket=bucket, Delete={"Objects": found})

    def requests(self) -> int:
        """How many requests were answered so far."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("count\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


if __name__ == "__main__":
    with S3Server() as server:
        print(server.endpoint_url, flush=True)
        for _ in sys.stdin:
            print(len(server.requests), flush=True)

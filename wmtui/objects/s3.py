"""Objects in S3 or a compatible server."""

import base64
import hashlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    IncompleteReadError,
    ReadTimeoutError,
    ResponseStreamingError,
)
from botocore.parsers import ResponseParserError

from wmtui.config import S3Config
from wmtui.errors import ConfigError, ObjectMissing, PreconditionFailed, StoreError, WriteContended
from wmtui.model import Check, Level
from wmtui.objects.base import ObjectInfo, StoredObject
from wmtui.objects.clock import StoreClock
from wmtui.objects.s3_client import build_client
from wmtui.objects.s3_errors import Place, no_store, wants_checksum
from wmtui.objects.s3_listing import Pages

if TYPE_CHECKING:
    from botocore.awsrequest import AWSResponse
    from mypy_boto3_s3 import S3Client

_BROKEN_BODY = (IncompleteReadError, ReadTimeoutError, ResponseStreamingError)
_BODY_ATTEMPTS = 3
_ARCHIVES = ("GLACIER", "DEEP_ARCHIVE")
"""Storage classes whose objects cannot be read until they are restored; GLACIER_IR can."""


class S3Store:
    """An ObjectStore below `s3://bucket[/prefix]`.

    clock: is told the time of every answer. Raises ConfigError for a root without a bucket. The client is built at the
    first request. botocore repeats a failed request, so a conditional write may meet its own first attempt and raise
    PreconditionFailed although it took place.
    """

    def __init__(self, root: str, config: S3Config, clock: StoreClock | None = None) -> None:
        address = root.removeprefix("s3://").strip("/")
        self.root = f"s3://{address}"
        self.quotes_etags = True
        self.server = config.endpoint_url or "Amazon S3"
        self._bucket, _, prefix = address.partition("/")
        if not self._bucket:
            raise ConfigError(f"store {root!r} names no bucket", "", "write s3://bucket or s3://bucket/prefix")
        self._base = f"{prefix}/" if prefix else ""
        self._config = config
        self._clock = clock
        self._place = Place(self._bucket, self.server)
        self._lock = threading.Lock()
        self._sends_md5 = False
        self._built: S3Client | None = None

    def uri(self, key: str) -> str:
        """`s3://bucket/prefix/key`."""
        return f"s3://{self._bucket}/{self._base}{key}"

    def get(self, key: str, *, last: int | None = None) -> StoredObject:
        """The whole object, or its last bytes; a body that breaks off is asked for again."""
        part: dict[str, Any] = {} if last is None else {"Range": f"bytes=-{last}"}
        with self._asking("read", key) as client:
            for attempt in range(_BODY_ATTEMPTS):
                answer = client.get_object(Bucket=self._bucket, Key=self._base + key, **part)
                try:
                    data = answer["Body"].read()
                    break
                except _BROKEN_BODY:
                    if attempt == _BODY_ATTEMPTS - 1:
                        raise
        return StoredObject(self._described(key, answer), data, self._server_time(answer))

    def head(self, key: str) -> ObjectInfo:
        """The object without its content. A HEAD has no error code, so a 404 asks whether the bucket is there."""
        try:
            with self._asking("look at", key) as client:
                answer = client.head_object(Bucket=self._bucket, Key=self._base + key)
        except ObjectMissing:
            with self._asking("look at", key) as client:
                client.list_objects_v2(Bucket=self._bucket, Prefix=self._base + key, MaxKeys=1)
            raise
        return self._described(key, answer)

    def put(self, key: str, data: bytes, *, if_match: str | None = None, if_absent: bool = False) -> str:
        """Write in one request; conditions are the store's own."""
        conditions: dict[str, Any] = {}
        if if_match is not None:
            conditions["IfMatch"] = f'"{if_match}"' if self.quotes_etags else if_match
        if if_absent:
            conditions["IfNoneMatch"] = "*"
        try:
            with self._asking("write", key) as client:
                etag: str | None = self._put(client, key, data, conditions).get("ETag")
        except ObjectMissing as missing:
            raise PreconditionFailed(f"{key} is missing") from missing
        except WriteContended as contended:
            if conditions:
                raise
            raise StoreError(
                f"cannot write {self.uri(key)}", "another write of it is under way", "try again"
            ) from contended
        if not etag:
            raise no_store(f"cannot write {self.uri(key)}", self._place.endpoint, "the answer has no ETag")
        return etag.strip('"')

    def _put(self, client: "S3Client", key: str, data: bytes, conditions: Mapping[str, Any]) -> Mapping[str, Any]:
        """Put the object; with its MD5 where the bucket wants one, as one with object lock does."""
        request = partial(client.put_object, Bucket=self._bucket, Key=self._base + key, Body=data, **conditions)
        if not self._sends_md5:
            try:
                return request()
            except ClientError as error:
                if not wants_checksum(error):
                    raise
                self._sends_md5 = True
        digest = hashlib.md5(data, usedforsecurity=False).digest()
        return request(ContentMD5=base64.b64encode(digest).decode())

    def delete(self, key: str) -> None:
        """Remove the object."""
        with suppress(ObjectMissing), self._asking("delete", key) as client:
            answer = client.delete_object(Bucket=self._bucket, Key=self._base + key)["ResponseMetadata"]
            if answer["HTTPStatusCode"] == 200 and "html" in answer["HTTPHeaders"].get("content-type", ""):
                raise no_store(f"cannot delete {self.uri(key)}", self._place.endpoint, "the answer is a page of HTML")

    def list(self, prefix: str, *, after: str = "") -> Iterator[ObjectInfo]:
        """Pages of 1,000 keys, each one request, fetched as they are consumed."""
        below = self._base + prefix
        request: dict[str, Any] = {"Bucket": self._bucket, "Prefix": below, "StartAfter": self._base + after}
        pages = Pages(below, f"cannot list {self.uri(prefix)}", self._place.endpoint)
        while True:
            with self._asking("list", prefix) as client:
                page = client.list_objects_v2(**request)
                following = pages.after(page)
                listed = [self._listed(item) for item in page.get("Contents", ())]
            yield from listed
            if following is None:
                return
            request["ContinuationToken"] = following

    def unfinished(self, _age: timedelta, /) -> Sequence[ObjectInfo]:
        """None: an object is written in one request, wholly or not at all."""
        return ()

    def discard(self, _key: str, /) -> None:
        """Nothing to remove."""

    def check(self) -> Sequence[Check]:
        """Whether the store can be listed and read; writes nothing."""
        checks = []
        try:
            first = next(self.list(""), None)
            checks.append(Check(self.root, Level.OK, f"answers at {self._place.endpoint} and can be listed"))
            if first is not None:
                self.head(first.key)
                checks.append(Check(self.root, Level.OK, "objects can be read"))
        except ObjectMissing:
            pass
        except StoreError as error:
            checks.append(Check(self.root, Level.ERROR, str(error), error.next_step))
        return checks

    def _client(self) -> "S3Client":
        with self._lock:
            if self._built is None:
                self._built = build_client(self._config)
                if self._clock is not None:
                    self._built.meta.events.register("after-call.s3", self._heard)
            return self._built

    def _heard(self, http_response: "AWSResponse", **_: object) -> None:
        if self._clock is not None:
            self._clock.heard(http_response.headers.get("Date"))

    @contextmanager
    def _asking(self, action: str, key: str) -> "Iterator[S3Client]":
        """Give the client, and turn what it raises into the store's own errors."""
        try:
            yield self._client()
        except ClientError as error:
            if answer := _answer(error, key):
                raise answer from error
            raise self._place.explain(error, f"cannot {action} {self.uri(key)}") from error
        except (BotoCoreError, ValueError) as error:
            raise self._place.explain(error, f"cannot {action} {self.uri(key)}") from error
        except (ResponseParserError, KeyError) as error:
            problem = "the answer is no XML" if isinstance(error, ResponseParserError) else f"the answer has no {error}"
            raise no_store(f"cannot {action} {self.uri(key)}", self._place.endpoint, problem) from error

    def _listed(self, item: Mapping[str, Any]) -> ObjectInfo:
        key = item["Key"][len(self._base) :]
        archived = item.get("StorageClass") in _ARCHIVES
        return ObjectInfo(key, item["ETag"].strip('"'), item["Size"], _utc(item["LastModified"]), archived)

    def _described(self, key: str, answer: Mapping[str, Any]) -> ObjectInfo:
        for name in ("ETag", "LastModified", "ContentLength"):
            if name not in answer:
                raise no_store(f"cannot read {self.uri(key)}", self._place.endpoint, f"the answer has no {name}")
        _, _, whole = answer.get("ContentRange", "").partition("/")
        size = int(whole) if whole else answer["ContentLength"]
        in_archive = answer.get("StorageClass") in _ARCHIVES or "ArchiveStatus" in answer
        archived = in_archive and 'ongoing-request="false"' not in answer.get("Restore", "")
        return ObjectInfo(key, answer["ETag"].strip('"'), size, _utc(answer["LastModified"]), archived)

    def _server_time(self, answer: Mapping[str, Any]) -> datetime:
        date = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
        if date is None:
            raise StoreError(
                f"{self._place.endpoint} sends no Date header",
                "leases expire by the store's clock, which is unknown",
                "remove the proxy in between that drops it",
            )
        return parsedate_to_datetime(date).astimezone(UTC)


def _answer(error: ClientError, key: str) -> Exception | None:
    """The answer that callers handle, None for a failure. A HEAD has no code but its status."""
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    code = error.response.get("Error", {}).get("Code")
    if code == "NoSuchKey" or (code == "404" and error.operation_name == "HeadObject"):
        return ObjectMissing(key)
    if status == 412:
        return PreconditionFailed(key)
    if status == 409 and error.operation_name == "PutObject":
        return WriteContended(key)
    return None


def _utc(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(microsecond=0)

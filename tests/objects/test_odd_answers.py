"""Servers in front of a store, or instead of one, that answer what no store answers: each is a clear failure."""

import re
import traceback
from collections.abc import Callable

import pytest

from tests.servers.s3 import Action, Answer, Environ, S3Server, Serve, answer, refuse, rewrite
from wmtui.config import S3Config
from wmtui.errors import StoreError, Unreadable
from wmtui.layout import watermark_key
from wmtui.model import TableName, utc_now
from wmtui.objects.conditional_writes import prove_conditions
from wmtui.objects.s3 import S3Store
from wmtui.pipeline.extract.part_writer import put_part
from wmtui.watermarks import lease
from wmtui.watermarks.store import Author, WatermarkStore

LOGIN = b"<!DOCTYPE html><html><body><p>Log in<br></body></html>"
XHTML = b"<html><head><title>Log in</title></head><body/></html>"
HTML = ("Content-Type", "text/html; charset=utf-8")
TABLE = TableName("shop", "orders")


@pytest.fixture
def store(s3: S3Server) -> S3Store:
    """A store with three objects."""
    bucket = s3.new_bucket()
    s3.fill(bucket, ["in/a", "in/b", "in/c"], b"1")
    return S3Store(f"s3://{bucket}", S3Config(endpoint_url=s3.endpoint_url))


def failure(call: Callable[[], object], *words: str) -> StoreError:
    """The StoreError of a call, in which these words stand, and which comes of no bug."""
    with pytest.raises(StoreError) as caught:
        call()
    text = caught.value.in_one_line
    assert all(word in text for word in words), text
    assert "RecursionError" not in "".join(traceback.format_exception(caught.value))
    return caught.value


def listing(body: str) -> Action:
    return answer(200, f'<?xml version="1.0"?><ListBucketResult>{body}</ListBucketResult>'.encode())


def item(key: str) -> str:
    at, etag = "2025-08-14T15:30:45.000Z", "0" * 32
    return f"<Contents><Key>{key}</Key><LastModified>{at}</LastModified><ETag>{etag}</ETag><Size>1</Size></Contents>"


@pytest.mark.parametrize(
    ("action", "words"),
    [
        (answer(200, LOGIN, HTML), "no XML"),
        (answer(200, XHTML, HTML), "no listing"),
        (answer(200), "no listing"),
        (answer(200, b'{"error": "log in"}'), "no XML"),
        (listing(""), "no listing"),
        (listing(item("in/a")), "no listing"),
        (listing("<Name>b</Name><IsTruncated>true</IsTruncated>"), "breaks off"),
        (listing(f"<Name>b</Name><IsTruncated>true</IsTruncated>{item('in/a')}"), "breaks off"),
        (listing(f"<Name>b</Name>{item('elsewhere/a')}"), "not asked for"),
        (listing("<Name>b</Name><Contents><Key>in/a</Key></Contents>"), "the answer has no 'ETag'"),
        (
            listing(
                "<Name>b</Name><IsTruncated>true</IsTruncated><NextContinuationToken>x</NextContinuationToken>"
                + item("in/a")
            ),
            "repeats itself",
        ),
        (
            listing("<Name>b</Name><IsTruncated>true</IsTruncated><NextContinuationToken>x</NextContinuationToken>"),
            "repeats itself",
        ),
        (answer(302, LOGIN, HTML, ("Location", "http://127.0.0.1:9/login")), "HTTP 302"),
        (answer(301), "does not say to which region"),
        (answer(307, LOGIN), "does not say to which region"),
    ],
)
def test_an_answer_that_is_no_listing_is_a_failure_and_never_an_empty_one(
    store: S3Store, s3: S3Server, action: Action, words: str
) -> None:
    s3.faults.add(action, times=None)
    failure(lambda: list(store.list("in/")), words, "cannot list", store.root)


def test_a_listing_with_new_tokens_for_ever_is_a_failure(store: S3Store, s3: S3Server) -> None:
    tokens = iter(range(1000))

    def act(environ: Environ, serve: Serve) -> Answer:
        token = f"<NextContinuationToken>{next(tokens)}</NextContinuationToken>"
        return listing(f"<Name>b</Name><IsTruncated>true</IsTruncated>{token}{item('in/a')}")(environ, serve)

    s3.faults.add(act, times=None)
    failure(lambda: list(store.list("in/")), "repeats itself")


def test_a_listing_of_an_older_server_without_a_count_of_keys_is_one(store: S3Store, s3: S3Server) -> None:
    s3.faults.add(rewrite(lambda body: re.sub(b"<KeyCount>.*?</KeyCount>", b"", body)), times=None)
    assert [info.key for info in store.list("in/")] == ["in/a", "in/b", "in/c"]


@pytest.mark.parametrize("call", ["get", "head", "put", "create", "delete"])
@pytest.mark.parametrize("status", [200, 301])
def test_a_login_page_is_no_object_and_no_success(store: S3Store, s3: S3Server, call: str, status: int) -> None:
    s3.faults.add(answer(status, LOGIN, HTML), times=None)
    calls: dict[str, Callable[[], object]] = {
        "get": lambda: store.get("in/a"),
        "head": lambda: store.head("in/a"),
        "put": lambda: store.put("in/a", b"2"),
        "create": lambda: store.put("in/d", b"2", if_absent=True),
        "delete": lambda: store.delete("in/a"),
    }
    failure(calls[call], store.root)


def test_a_page_of_html_under_a_documents_key_is_unreadable(store: S3Store, s3: S3Server) -> None:
    s3.faults.add(rewrite(lambda _: LOGIN), method="GET", key="tables", times=None)
    marks = WatermarkStore(store, utc_now, Author("me", "here"))
    store.put(watermark_key(TABLE), b"{}")
    with pytest.raises(Unreadable, match="not JSON"):
        marks.read(TABLE)


def test_a_store_that_always_answers_412_is_refused_before_anything_is_written(store: S3Store, s3: S3Server) -> None:
    s3.faults.add(refuse(412, "PreconditionFailed"), method="PUT", times=None)
    failure(lambda: prove_conditions(store), "answers 412", "it was not")
    marks = WatermarkStore(store, utc_now, Author("me", "here"))
    failure(lambda: marks.change(TABLE, "set", lambda _: {}), "answers 412", "it was not")
    failure(lambda: put_part(store, "in/part", b"1"), "answers 412", "it was not")


@pytest.mark.parametrize("existing", [False, True])
def test_a_document_that_is_always_answered_with_412_is_told_as_such(
    store: S3Store, s3: S3Server, existing: bool
) -> None:
    marks = WatermarkStore(store, utc_now, Author("me", "here"))
    marks.change(TABLE, "set", lambda _: {})
    s3.faults.add(refuse(412, "PreconditionFailed"), method="PUT", key="tables/" if existing else "locks/", times=None)
    before = len(s3.requests)
    if existing:
        failure(lambda: marks.change(TABLE, "set", lambda _: {}), "answers 412", "it was not")
    else:
        failure(lambda: lease.acquire(store, utc_now, Author("me", "here"), TABLE, "run"), "answers 412", "it was not")
    assert len(s3.requests) - before < 30


def test_a_412_that_had_no_reason_once_is_tried_again(store: S3Store, s3: S3Server) -> None:
    marks = WatermarkStore(store, utc_now, Author("me", "here"))
    marks.change(TABLE, "set", lambda _: {})
    s3.faults.add(refuse(412, "PreconditionFailed"), method="PUT", key="tables/", times=2)
    assert marks.change(TABLE, "set", lambda _: {}).serial == 2


@pytest.mark.parametrize(
    "message",
    [
        "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters",
        "Missing required header for this request: Content-Md5",
    ],
)
def test_a_bucket_with_object_lock_gets_the_checksum_that_it_requires(
    store: S3Store, s3: S3Server, message: str
) -> None:
    def lock(environ: Environ, serve: Serve) -> Answer:
        if "HTTP_CONTENT_MD5" in environ:
            return serve(environ)
        body = f"<Error><Code>InvalidRequest</Code><Message>{message}</Message></Error>"
        return Answer(400, [("Content-Type", "application/xml")], body.encode())

    s3.faults.add(lock, method="PUT", times=None)
    prove_conditions(store)
    store.put("in/d", b"2", if_absent=True)
    assert store.get("in/d").data == b"2"
    refused = [request for request in s3.requests if request == ("PUT", "in/d")]
    assert len(refused) == 1

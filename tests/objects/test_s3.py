"""What is particular to S3: its failures, told in plain words, and how requests are made."""

import socket
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.servers.s3 import (
    ENVIRONMENT,
    Action,
    Answer,
    Environ,
    S3Server,
    Serve,
    hang_up,
    hold,
    refuse,
    serve_then,
    truncate_body,
)
from wmtui.config import S3Config
from wmtui.errors import ConfigError, ObjectMissing, PreconditionFailed, StoreError, WriteContended
from wmtui.model import Level
from wmtui.objects import s3 as adapter
from wmtui.objects.s3 import S3Store

CALLS: dict[str, Callable[[S3Store], object]] = {
    "get": lambda store: store.get("key"),
    "head": lambda store: store.head("key"),
    "put": lambda store: store.put("key", b"1"),
    "create": lambda store: store.put("key", b"1", if_absent=True),
    "overwrite": lambda store: store.put("key", b"1", if_match="0" * 32),
    "delete": lambda store: store.delete("key"),
    "list": lambda store: list(store.list("")),
}
every_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


@pytest.fixture
def store(s3: S3Server) -> S3Store:
    """A store in a bucket of its own."""
    return S3Store(f"s3://{s3.new_bucket()}", S3Config(endpoint_url=s3.endpoint_url))


def failure(call: Callable[[S3Store], object], store: S3Store) -> StoreError:
    """The StoreError of a call, which tells what, why and what next, and no secret."""
    with pytest.raises(StoreError) as caught:
        call(store)
    error = caught.value
    assert store.root in error.what
    assert error.why
    assert error.next_step
    assert ENVIRONMENT["AWS_SECRET_ACCESS_KEY"] not in "".join(traceback.format_exception(error))
    return error


@every_call
def test_a_missing_bucket_is_a_failure_and_never_an_absent_object(s3: S3Server, call: Callable[..., object]) -> None:
    error = failure(call, S3Store("s3://no-such-bucket/x", S3Config(endpoint_url=s3.endpoint_url)))

    assert "no-such-bucket does not exist" in error.why


@every_call
def test_a_dead_endpoint_is_named(s3: S3Server, monkeypatch: pytest.MonkeyPatch, call: Callable[..., object]) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with socket.create_server(("127.0.0.1", 0)) as closing:
        endpoint = f"http://127.0.0.1:{closing.getsockname()[1]}"

    error = failure(call, S3Store(f"s3://{s3.new_bucket()}", S3Config(endpoint_url=endpoint)))

    assert f"{endpoint} does not answer" in error.why


@every_call
@pytest.mark.parametrize(
    ("refusal", "why"),
    [
        (refuse(403, "AccessDenied"), "denies it"),
        (refuse(403, "InvalidAccessKeyId"), "does not know the access key"),
        (refuse(403, "SignatureDoesNotMatch"), "the secret key is wrong"),
        (refuse(400, "ExpiredToken"), "have expired"),
        (refuse(500, "InternalError"), "fails"),
        (refuse(404, "Nonsense"), "answered"),
    ],
    ids=["denied", "unknown key", "wrong secret", "expired", "broken", "nonsense"],
)
def test_a_refusal_is_explained(
    store: S3Store, s3: S3Server, call: Callable[..., object], refusal: Action, why: str
) -> None:
    s3.faults.add(refusal, times=None)

    error = failure(call, store)

    # A HEAD has no body and so no code.
    assert why in error.why or s3.requests[0][0] == "HEAD"


def test_missing_credentials_are_said_to_be_missing(store: S3Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")

    assert "no usable credentials" in failure(CALLS["get"], store).why


def test_an_unknown_credentials_profile_is_named(s3: S3Server) -> None:
    config = S3Config(endpoint_url=s3.endpoint_url, profile="nobody")

    assert "nobody" in failure(CALLS["get"], S3Store("s3://bucket", config)).why


def test_an_endpoint_that_is_no_url_is_told(s3: S3Server) -> None:
    store = S3Store(f"s3://{s3.new_bucket()}", S3Config(endpoint_url="minio:9000 "))

    assert "minio:9000" in failure(CALLS["get"], store).why


def test_a_root_without_a_bucket_is_a_configuration_error() -> None:
    with pytest.raises(ConfigError, match="names no bucket"):
        S3Store("s3://", S3Config())


def test_a_role_is_assumed_with_the_chains_credentials(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", s3.endpoint_url)
    role = "arn:aws:iam::123456789012:role/loader"
    store = S3Store(f"s3://{s3.new_bucket()}", S3Config(endpoint_url=s3.endpoint_url, role_arn=role))
    signatures = []

    def remember(environ: Environ, serve: Serve) -> Answer:
        signatures.append(environ["HTTP_AUTHORIZATION"])
        return serve(environ)

    s3.faults.add(remember, times=None)
    store.put("key", b"1")
    store.get("key")

    assert ["Credential=testing/" in signature for signature in signatures] == [True, False, False]
    assert [method for method, _ in s3.requests] == ["POST", "PUT", "GET"]


def test_a_role_that_may_not_be_assumed_is_told(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", s3.endpoint_url)
    s3.faults.add(refuse(403, "AccessDenied"), method="POST")
    role = "arn:aws:iam::123456789012:role/loader"
    store = S3Store(f"s3://{s3.new_bucket()}", S3Config(endpoint_url=s3.endpoint_url, role_arn=role))

    assert "the role cannot be assumed" in failure(CALLS["get"], store).why


def test_a_busy_store_is_asked_again(store: S3Store, s3: S3Server) -> None:
    s3.faults.add(refuse(503, "SlowDown"), times=2)

    store.put("key", b"1")

    assert store.get("key").data == b"1"


def test_a_conditional_write_whose_answer_was_lost_looks_refused_and_took_place(store: S3Store, s3: S3Server) -> None:
    s3.faults.add(serve_then(hang_up), method="PUT")

    with pytest.raises(PreconditionFailed):
        store.put("key", b"mine", if_absent=True)

    assert store.get("key").data == b"mine"


def test_a_write_in_the_way_of_another_is_contended(store: S3Store, s3: S3Server) -> None:
    s3.faults.add(refuse(409, "ConditionalRequestConflict"), method="PUT")

    with pytest.raises(WriteContended):
        store.put("key", b"1", if_absent=True)


def test_a_write_without_condition_in_the_way_of_another_is_an_error_that_says_so(store: S3Store, s3: S3Server) -> None:
    s3.faults.add(refuse(409, "OperationAborted"), method="PUT")

    with pytest.raises(StoreError, match="another write of it is under way"):
        store.put("key", b"1")


def test_a_write_that_arrives_late_does_not_undo_one_that_overtook_it(store: S3Store, s3: S3Server) -> None:
    seen = store.put("key", b"1")
    arrived, released = threading.Event(), threading.Event()
    s3.faults.add(hold(arrived, released), method="PUT")

    with ThreadPoolExecutor(1) as threads:
        late = threads.submit(store.put, "key", b"late", if_match=seen)
        arrived.wait()
        store.put("key", b"2", if_match=seen)
        released.set()
        with pytest.raises(PreconditionFailed):
            late.result()

    assert store.get("key").data == b"2"


def test_a_body_that_breaks_off_is_read_again(store: S3Store, s3: S3Server) -> None:
    store.put("key", b"x" * 100_000)
    s3.faults.add(truncate_body, method="GET", times=2)

    assert store.get("key").data == b"x" * 100_000


def test_a_body_that_always_breaks_off_is_a_failure(store: S3Store, s3: S3Server) -> None:
    store.put("key", b"x" * 100_000)
    s3.faults.add(truncate_body, method="GET", times=None)

    failure(CALLS["get"], store)


def test_a_page_that_fails_ends_the_listing_with_a_failure(store: S3Store, s3: S3Server) -> None:
    s3.fill(store.root.removeprefix("s3://"), (f"{number:04d}" for number in range(1001)))
    listing = store.list("")
    next(listing)
    s3.faults.add(refuse(403, "ExpiredToken"), times=None)

    with pytest.raises(StoreError, match="expired"):
        list(listing)


def test_a_listing_costs_requests_for_what_comes_after_only(store: S3Store, s3: S3Server) -> None:
    s3.fill(store.root.removeprefix("s3://"), (f"{number:04d}" for number in range(2500)))

    assert len(list(store.list("", after="2399"))) == 100
    assert len(s3.requests) == 1


def test_a_store_that_hides_its_clock_is_refused(store: S3Store) -> None:
    store.put("key", b"1")
    hide = lambda parsed, **_: parsed["ResponseMetadata"]["HTTPHeaders"].pop("date")  # noqa: E731
    store._client().meta.events.register("after-call.s3.GetObject", hide)

    with pytest.raises(StoreError, match="Date"):
        store.get("key")


def test_threads_share_one_client_built_at_the_first_request(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch, store: S3Store
) -> None:
    built = []
    build_client = adapter.build_client
    monkeypatch.setattr(adapter, "build_client", lambda config: built.append(config) or build_client(config))
    store = S3Store(store.root, S3Config(endpoint_url=s3.endpoint_url))
    assert built == []

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(lambda _: list(store.list("")), range(8))) == [[]] * 8

    assert len(built) == 1


def test_the_check_of_a_broken_store_is_a_finding(store: S3Store, s3: S3Server) -> None:
    store.put("key", b"1")
    s3.faults.add(refuse(403, "AccessDenied"), method="HEAD", times=None)
    reading = store.check()
    s3.faults.add(refuse(403, "AccessDenied"), times=None)
    listing = store.check()

    assert [finding.level for finding in reading] == [Level.OK, Level.ERROR]
    assert [finding.level for finding in listing] == [Level.ERROR]
    assert "s3:ListBucket" in listing[0].next_step


def test_the_check_of_an_empty_store_passes(store: S3Store) -> None:
    assert [finding.level for finding in store.check()] == [Level.OK]


def test_an_object_keeps_its_last_modified_in_every_view(store: S3Store, s3: S3Server) -> None:
    store.put("key", b"1")
    written = store.head("key").last_modified.replace(year=2020)
    s3.set_last_modified(store.root.removeprefix("s3://"), "key", written)

    assert [info.last_modified for info in (*store.list(""), store.head("key"), store.get("key").info)] == [written] * 3


def test_absent_objects_of_a_prefix_are_not_found_by_head(s3: S3Server) -> None:
    bucket = s3.new_bucket()
    s3.fill(bucket, ["key"])

    with pytest.raises(ObjectMissing):
        S3Store(f"s3://{bucket}/prefix", S3Config(endpoint_url=s3.endpoint_url)).head("key")

"""The proof that a store checks conditions, against servers that do, that don't, and that want them otherwise."""

import pytest

from tests.servers.s3 import (
    Action,
    Answer,
    Environ,
    S3Server,
    Serve,
    hang_up,
    ignore_headers,
    refuse,
    require_unquoted_etags,
    serve_then,
)
from wmtui.config import S3Config
from wmtui.errors import ConditionsIgnored, PreconditionFailed, StoreError
from wmtui.objects.conditional_writes import prove_conditions
from wmtui.objects.s3 import S3Store


@pytest.fixture
def store(s3: S3Server) -> S3Store:
    """A store in a bucket of its own."""
    return S3Store(f"s3://{s3.new_bucket()}", S3Config(endpoint_url=s3.endpoint_url))


def refuse_if_match(environ: Environ, serve: Serve) -> Answer:
    """A server that takes no If-Match for true."""
    if "HTTP_IF_MATCH" in environ:
        return refuse(412, "PreconditionFailed")(environ, serve)
    return serve(environ)


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (ignore_headers("If-Match", "If-None-Match"), "If-None-Match"),
        (ignore_headers("If-None-Match"), "If-None-Match"),
        (ignore_headers("If-Match"), "If-Match"),
        (refuse_if_match, "refuses"),
    ],
    ids=["ignores both", "ignores If-None-Match", "ignores If-Match", "refuses If-Match"],
)
def test_a_store_without_conditions_is_refused_and_left_clean(
    store: S3Store, s3: S3Server, fault: Action, why: str
) -> None:
    s3.faults.add(fault, times=None)

    with pytest.raises(ConditionsIgnored, match=why) as caught:
        prove_conditions(store)

    assert store.root in caught.value.what
    assert caught.value.next_step
    assert list(store.list("")) == []


def test_a_store_that_wants_unquoted_etags_gets_them_from_then_on(store: S3Store, s3: S3Server) -> None:
    s3.faults.add(require_unquoted_etags, times=None)

    prove_conditions(store)

    etag = store.put("key", b"1")
    store.put("key", b"2", if_match=etag)
    with pytest.raises(PreconditionFailed):
        store.put("key", b"3", if_match=etag)
    assert store.get("key").data == b"2"


@pytest.mark.parametrize("served_before", range(4))
def test_lost_answers_do_not_spoil_the_proof(store: S3Store, s3: S3Server, served_before: int) -> None:
    for _ in range(served_before):
        s3.faults.add(ignore_headers(), method="PUT")
    s3.faults.add(serve_then(hang_up), method="PUT")

    prove_conditions(store)

    assert store.quotes_etags
    assert list(store.list("")) == []


def test_a_role_that_may_not_delete_may_edit_all_the_same(store: S3Store, s3: S3Server) -> None:
    s3.faults.add(refuse(403, "AccessDenied"), method="DELETE")

    prove_conditions(store)

    assert [info.key.startswith("watermark/probe/") for info in store.list("")] == [True]


def test_a_store_that_refuses_writes_has_proven_nothing(store: S3Store, s3: S3Server) -> None:
    s3.faults.add(refuse(403, "AccessDenied"), method="PUT")

    with pytest.raises(StoreError, match="denies") as caught:
        prove_conditions(store)

    assert not isinstance(caught.value, ConditionsIgnored)


def test_a_probe_touched_by_somebody_else_is_a_failure_and_no_verdict(store: S3Store, s3: S3Server) -> None:
    s3.faults.add(refuse(409, "ConditionalRequestConflict"), method="PUT")

    with pytest.raises(StoreError, match="another process"):
        prove_conditions(store)

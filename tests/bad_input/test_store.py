"""Object stores that are not there, refuse access, do not answer, are full, or cannot be trusted."""

import errno
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.bad_input.refusals import TOKEN, WRONG_PASSWORD, Refusals, embedded, servers
from tests.servers import free_port
from tests.servers.s3 import S3Server, hold, ignore_headers, refuse
from wmtui.objects import directory

READS = ("wmtui watermark get -t T", "wmtui watermark get", "wmtui watermark list", "wmtui files -t T", "wmtui status")
CHANGES = (
    "wmtui watermark set -t T aug4",
    "wmtui watermark reset -t T",
    "wmtui watermark set aug4 --force",
    "wmtui watermark reset 1week --force",
    "wmtui sync -t T",
    "wmtui sync -t T -t U -s inter-table",
    "wmtui sync -t T --dry-run",
    "wmtui --run",
)
EDITS = tuple(command for command in CHANGES if "--dry-run" not in command)
COMMANDS = (*READS, *CHANGES)
ONE_OF_EACH = (READS[2], CHANGES[0], CHANGES[4])


@servers
def test_a_missing_bucket_is_told_by_name(refusals: Refusals) -> None:
    refusals.profile(store="s3://no-such-bucket/lake")

    refusals.refused(ONE_OF_EACH, 4, "the bucket no-such-bucket does not exist", "check `store`")
    refusals.doctor_finds(4, "no-such-bucket does not exist")


@servers
@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (403, "InvalidAccessKeyId", ["does not know the access key", "renew the credentials"]),
        (403, "SignatureDoesNotMatch", ["the secret key is wrong", "renew the credentials"]),
        (400, "ExpiredToken", ["the credentials have expired", "aws sso login"]),
        (400, "InvalidToken", ["refuses the session token", "aws sso login"]),
        (403, "AccessDenied", ["denies it to these credentials", "need s3:ListBucket"]),
        (403, "RequestTimeTooSkewed", ["clock differs too much", "set the clock"]),
    ],
)
def test_refused_credentials_are_told(
    refusals: Refusals, s3: S3Server, status: int, code: str, words: list[str]
) -> None:
    refusals.monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", WRONG_PASSWORD)
    refusals.monkeypatch.setenv("AWS_SESSION_TOKEN", TOKEN)
    s3.faults.add(refuse(status, code), times=None)

    refusals.refused(ONE_OF_EACH, 4, *words)
    refusals.doctor_finds(4, words[0])


@servers
def test_missing_credentials_are_told(refusals: Refusals) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        refusals.monkeypatch.delenv(name)

    refusals.refused(ONE_OF_EACH, 4, "no usable credentials", "aws sso login")


@servers
def test_an_unknown_aws_profile_is_told(refusals: Refusals) -> None:
    refusals.profile(s3={"profile": "nobody"})

    refusals.refused(COMMANDS, 4, "nobody", "s3.profile")


@servers
@pytest.mark.parametrize(
    ("endpoint", "words"),
    [(f"http://127.0.0.1:{free_port()}", "does not answer"), ("lake.example", "lake.example"), ("http://", "http://")],
    ids=["dead", "no URL", "no host"],
)
def test_a_dead_endpoint_is_told_with_its_address(refusals: Refusals, endpoint: str, words: str) -> None:
    refusals.profile(s3={"endpoint_url": endpoint})

    refusals.refused(ONE_OF_EACH, 4, endpoint, words)


@servers
def test_a_store_that_hangs_is_given_up_on(refusals: Refusals, s3: S3Server) -> None:
    refusals.monkeypatch.setattr("wmtui.objects.s3_client.READ_SECONDS", 0.05)
    released = threading.Event()
    s3.faults.add(hold(threading.Event(), released), times=None)
    try:
        refusals.refused(("wmtui watermark get -t T", "wmtui sync -t T"), 4, "does not answer", s3.endpoint_url)
    finally:
        released.set()


@servers
@pytest.mark.parametrize("code", ["InternalError", "SlowDown"])
def test_a_store_that_fails_is_told_with_its_words(refusals: Refusals, s3: S3Server, code: str) -> None:
    s3.faults.add(refuse(503, code), times=None)

    refusals.refused(ONE_OF_EACH, 4, code, "try again")


@servers
@pytest.mark.parametrize("header", ["If-Match", "If-None-Match"])
def test_a_store_that_ignores_conditions_is_read_but_not_edited(refusals: Refusals, s3: S3Server, header: str) -> None:
    s3.faults.add(ignore_headers(header), times=None)

    refusals.refused(EDITS, 4, "does not check conditional writes", header, "reading still works")
    refusals.doctor_finds(4, "does not check conditional writes")
    for command in READS:
        refusals.operator.type(command)


@servers
def test_a_role_that_may_only_read_is_told_what_it_lacks(refusals: Refusals, s3: S3Server) -> None:
    s3.faults.add(refuse(403, "AccessDenied"), method="PUT|DELETE", times=None)

    refusals.refused(EDITS, 4, "s3:PutObject")
    for command in READS:
        refusals.operator.type(command)


@embedded
def test_a_missing_folder_is_told(refusals: Refusals) -> None:
    refusals.profile(store="nowhere/lake")

    refusals.refused(COMMANDS, 4, "nowhere/lake does not exist", "mounted", "mkdir -p")
    refusals.doctor_finds(4, "nowhere/lake does not exist")
    assert not (refusals.stack.path.parent / "nowhere").exists()


@embedded
def test_a_folder_below_a_file_is_told(refusals: Refusals) -> None:
    (refusals.stack.path.parent / "file").write_text("")
    for store in ("file", "file/lake"):
        refusals.profile(store=store)
        refusals.refused(ONE_OF_EACH, 4, f"{store} does not exist", "no such folder")


@contextmanager
def failing_disk(monkeypatch: pytest.MonkeyPatch, number: int, concerns: Callable[[bytes], bool]) -> Iterator[None]:
    """Writing files of which the data is such fails with this error number."""
    write = directory.temporary_file

    def fail(folder: Path, data: bytes, mtime_ns: int) -> AbstractContextManager[Path]:
        if concerns(data):
            raise OSError(number, errno.errorcode[number])
        return write(folder, data, mtime_ns)

    with monkeypatch.context() as patch:
        patch.setattr(directory, "temporary_file", fail)
        yield


@embedded
@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, ["the disk is full", "free some space"]),
        (errno.EACCES, ["may not do that", "owner or mode"]),
        (errno.EROFS, ["read-only", "mount it writable"]),
    ],
    ids=["full", "denied", "read-only"],
)
def test_a_folder_that_takes_no_document_is_told(refusals: Refusals, number: int, words: list[str]) -> None:
    with failing_disk(refusals.monkeypatch, number, lambda _: True):
        refusals.refused(EDITS, 4, *words)
        for command in READS:
            refusals.operator.type(command)


@embedded
def test_a_folder_without_room_for_its_own_files_is_told(refusals: Refusals) -> None:
    (refusals.stack.path.parent / "lake2").mkdir()
    (refusals.stack.path.parent / "lake2/.wmtui").write_text("a file where a folder should be")
    refusals.profile(store="lake2")

    refusals.refused(("wmtui watermark set -t T aug4", "wmtui sync -t T", "wmtui --run"), 4, "cannot write")


def test_a_part_that_finds_no_room_loses_nothing(refusals: Refusals, kind: str, request: pytest.FixtureRequest) -> None:
    stack, mark = refusals.stack, refusals.stack.mark()

    def sync() -> dict[str, Any]:
        found: dict[str, Any] = refusals.operator.json("wmtui sync -t T", code=4)
        return found["tables"][0]

    if kind == "embedded":
        with failing_disk(refusals.monkeypatch, errno.ENOSPC, lambda data: data.startswith(b"PAR1")):
            result = sync()
        assert "the disk is full" in result["error"]["why"]
    else:
        s3 = request.getfixturevalue("s3")
        s3.faults.add(refuse(507, "XMinioStorageFull"), method="PUT", key="parquet$", times=None)
        result = sync()
        s3.faults.clear()
        assert "XMinioStorageFull" in result["error"]["why"]
    assert result["files_written"] == 0
    assert stack.mark()["last_mysql_data_timestamp"] == mark["last_mysql_data_timestamp"]
    assert len(stack.warehouse_rows()) == 2

    refusals.operator.type("wmtui sync -t T")

    assert stack.warehouse_rows() == stack.source_rows()

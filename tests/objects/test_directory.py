"""What is particular to a folder: files, links, full disks, and other programs at work in it."""

import errno
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.objects.conftest import create_files
from wmtui.errors import ObjectMissing, StoreError
from wmtui.model import Level, utc_now
from wmtui.objects import directory_listing
from wmtui.objects.directory import DirectoryStore

DOCUMENT = "watermark/tables/shop.orders.json"
PART = "incremental/shop.orders/year=2025/part.parquet"

_INCREMENT = """
import sys
from wmtui.errors import PreconditionFailed
from wmtui.model import utc_now
from wmtui.objects.directory import DirectoryStore

store, done = DirectoryStore(sys.argv[1], utc_now), 0
while done < 50:
    found = store.get("counter.json")
    try:
        store.put("counter.json", b"%d" % (int(found.data) + 1), if_match=found.info.etag)
        done += 1
    except PreconditionFailed:
        pass
"""


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    """A store in an empty folder."""
    return DirectoryStore(str(tmp_path), utc_now)


def files(folder: Path) -> list[str]:
    """Every file of the folder but the lock, hidden ones too."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and path.name != "lock")


@pytest.mark.parametrize("place", ["missing", "missing/deeper", "file", "file/deeper"])
def test_a_folder_that_is_not_there_is_a_failure_and_never_an_empty_store(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    store = DirectoryStore(str(tmp_path / place), utc_now)

    for call in (
        lambda: store.get(DOCUMENT),
        lambda: store.head(DOCUMENT),
        lambda: store.put(DOCUMENT, b"1"),
        lambda: store.delete(DOCUMENT),
        lambda: list(store.list("")),
    ):
        with pytest.raises(StoreError, match="does not exist") as caught:
            call()
        assert "mkdir -p" in caught.value.next_step
    assert [finding.level for finding in store.check()] == [Level.ERROR]
    assert files(tmp_path) == ["file"]


def test_a_folder_that_cannot_be_written_is_a_failure_and_still_readable(store: DirectoryStore, tmp_path: Path) -> None:
    create_files(tmp_path, [DOCUMENT, ".wmtui"])

    with pytest.raises(StoreError, match="cannot write"):
        store.put(DOCUMENT, b"1")

    assert store.get(DOCUMENT).data == b""


REFUSALS = {errno.ENOSPC: "disk is full", errno.EACCES: "may not", errno.EROFS: "read-only", errno.EIO: "error"}


@pytest.mark.parametrize("key", [DOCUMENT, PART])
@pytest.mark.parametrize("number", REFUSALS)
def test_a_write_that_the_disk_refuses_leaves_everything_as_it_was(
    store: DirectoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str, number: int
) -> None:
    before = store.put(key, b"before")
    present = files(tmp_path)

    def refuse(_: int) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as disk:
        disk.setattr(os, "fsync", refuse)
        with pytest.raises(StoreError, match=REFUSALS[number]) as caught:
            store.put(key, b"after")

    assert key in caught.value.what
    assert caught.value.next_step
    assert files(tmp_path) == present
    assert (store.get(key).data, store.get(key).info.etag) == (b"before", before)


@pytest.mark.parametrize("key", ["../x", "a/../../x", "/etc/x", "a//x", "a/./x", "", "a/", ".wmtui/lock", "a\0b"])
def test_a_key_that_names_no_file_below_the_folder_is_refused(store: DirectoryStore, key: str) -> None:
    for call in (store.get, store.head, store.delete, lambda key: store.put(key, b"1")):
        with pytest.raises(StoreError, match="cannot be an object"):
            call(key)


def test_a_listing_outside_the_folder_is_refused(store: DirectoryStore) -> None:
    with pytest.raises(StoreError, match="cannot be an object"):
        list(store.list("../"))


def test_a_name_longer_than_the_file_system_allows_is_told(store: DirectoryStore) -> None:
    with pytest.raises(StoreError, match="255 bytes"):
        store.put("ä" * 128 + ".json", b"1")


def test_what_the_store_keeps_for_itself_is_never_listed(store: DirectoryStore, tmp_path: Path) -> None:
    store.put(PART, b"1")

    assert [info.key for info in store.list("")] == [PART]
    assert [info.key for info in store.list(".w")] == []
    assert [name for name in files(tmp_path) if name != PART] == [f".wmtui/etags/{PART}"]


def test_nothing_remains_of_a_deleted_object(store: DirectoryStore, tmp_path: Path) -> None:
    store.put(PART, b"1")
    store.delete(PART)

    assert files(tmp_path) == []


def test_times_come_from_the_clock_of_the_store(tmp_path: Path) -> None:
    now = datetime(2025, 8, 9, 20, 0, 1, 999_999, tzinfo=UTC)
    store = DirectoryStore(str(tmp_path), lambda: now)
    store.put(PART, b"1")

    found = store.get(PART)

    assert found.now == now
    assert found.info.last_modified == now.replace(microsecond=0)


def test_a_document_edited_by_hand_has_another_etag_although_size_and_time_are_the_same(
    store: DirectoryStore, tmp_path: Path
) -> None:
    etag = store.put(DOCUMENT, b"1")
    status = (tmp_path / DOCUMENT).stat()
    (tmp_path / DOCUMENT).write_bytes(b"2")
    os.utime(tmp_path / DOCUMENT, ns=(status.st_atime_ns, status.st_mtime_ns))

    assert store.head(DOCUMENT).etag != etag


def test_a_part_replaced_by_another_program_has_another_etag(store: DirectoryStore, tmp_path: Path) -> None:
    etag = store.put(PART, b"1")
    (tmp_path / PART).write_bytes(b"2")

    assert store.head(PART).etag == store.get(PART).info.etag != etag


def test_a_foreign_file_keeps_its_etag_until_it_changes(store: DirectoryStore, tmp_path: Path) -> None:
    create_files(tmp_path, [PART])
    etag = store.head(PART).etag

    assert [info.etag for info in store.list("")] == [etag] == [store.get(PART).info.etag]
    os.utime(tmp_path / PART, (0, 0))
    assert store.head(PART).etag != etag


def test_links_to_folders_and_files_are_followed_and_dangling_ones_left_out(tmp_path: Path) -> None:
    create_files(tmp_path / "elsewhere", ["incremental/a.parquet", "b.parquet"])
    root = tmp_path / "root"
    root.symlink_to(tmp_path / "real")
    (tmp_path / "real").mkdir()
    (root / "incremental").symlink_to(tmp_path / "elsewhere" / "incremental")
    (root / "b.parquet").symlink_to(tmp_path / "elsewhere" / "b.parquet")
    (root / "dangling").symlink_to(tmp_path / "nothing")
    store = DirectoryStore(str(root), utc_now)

    store.put("incremental/c.parquet", b"1")

    assert [info.key for info in store.list("")] == ["b.parquet", "incremental/a.parquet", "incremental/c.parquet"]


def test_files_whose_name_is_not_utf8_are_left_out(store: DirectoryStore, tmp_path: Path) -> None:
    create_files(tmp_path, ["a", os.fsdecode(b"caf\xe9"), "z"])

    assert [info.key for info in store.list("")] == ["a", "z"]


def test_a_file_removed_while_listing_is_left_out(store: DirectoryStore, tmp_path: Path) -> None:
    create_files(tmp_path, ["a", "b", "c/d"])
    listing = store.list("")
    next(listing)
    (tmp_path / "b").unlink()
    (tmp_path / "c" / "d").unlink()
    (tmp_path / "c").rmdir()

    assert list(listing) == []


def test_a_listing_enters_only_folders_with_something_to_list(
    store: DirectoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = [f"incremental/t/day={day:02d}/x.parquet" for day in range(1, 32)]
    create_files(tmp_path, [*days, "incremental/u/x.parquet", "watermark/x.json"])
    entered: list[str] = []
    scandir = os.scandir
    monkeypatch.setattr(
        directory_listing.os, "scandir", lambda folder: entered.append(Path(folder).name) or scandir(folder)
    )

    found = [info.key for info in store.list("incremental/t/", after="incremental/t/day=30/")]

    assert found == days[29:]
    assert entered == ["t", "day=30", "day=31"]


def test_other_accounts_may_read_what_the_umask_lets_them(store: DirectoryStore, tmp_path: Path) -> None:
    create_files(tmp_path, ["foreign"])
    store.put(DOCUMENT, b"1")

    assert (tmp_path / DOCUMENT).stat().st_mode == (tmp_path / "foreign").stat().st_mode


def test_a_folder_is_no_object(store: DirectoryStore) -> None:
    store.put(PART, b"1")

    with pytest.raises(ObjectMissing):
        store.head("incremental/shop.orders")
    with pytest.raises(StoreError, match="cannot write"):
        store.put("incremental/shop.orders", b"1")


def test_increments_by_two_processes_are_all_counted(store: DirectoryStore, tmp_path: Path) -> None:
    store.put("counter.json", b"0")
    command = [sys.executable, "-c", _INCREMENT, str(tmp_path)]
    with subprocess.Popen(command) as one, subprocess.Popen(command) as other:
        assert [one.wait(), other.wait()] == [0, 0]

    assert store.get("counter.json").data == b"100"

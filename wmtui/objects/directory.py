"""Objects as files of a local folder, with S3's conditions."""

import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from wmtui.errors import ObjectMissing, PreconditionFailed, StoreError
from wmtui.model import Check, Clock, Level
from wmtui.objects.atomic_files import locked, make_folder, move, remove, temporary_file
from wmtui.objects.base import ObjectInfo, StoredObject
from wmtui.objects.directory_listing import HIDDEN, walk
from wmtui.objects.file_errors import ABSENT, explain, no_folder

_DOCUMENTS = (".json", ".txt")
"""Small and perhaps edited by hand, so that their ETag is the hash of what they hold now."""


_TEMPORARY = f"{HIDDEN}/temporary"


class DirectoryStore:
    """An ObjectStore in a folder: a key is the path of its file below it.

    The folder must exist, as a bucket must: a mistyped path or a disk that is not mounted is an error, never an empty
    store. LastModified comes from `clock` at the write, and `now` too. Conditions hold among all processes of a host
    that write through this class (one flock). Files that others put there are objects as well, except those whose name
    is not UTF-8. The ETag of data is remembered at the write; for foreign data it is size and modification time.
    """

    server = ""

    def __init__(self, root: str, clock: Clock) -> None:
        self._folder = Path(root).absolute()
        self.root = str(self._folder)
        self.quotes_etags = True
        self._hidden = self._folder / HIDDEN
        self._etags = self._hidden / "etags"
        self._temporary = self._folder / _TEMPORARY
        self._clock = clock

    def uri(self, key: str) -> str:
        """The file's absolute path."""
        return f"{self.root}/{key}"

    def get(self, key: str, *, last: int | None = None) -> StoredObject:
        """The whole object, or its last bytes."""
        path = self._path(key)
        with self._explained("read", key):
            info, data = self._read(key, path)
        return StoredObject(info, data if last is None else data[-last:], self._clock())

    def head(self, key: str) -> ObjectInfo:
        """The object without its content; a document is read all the same, for its ETag."""
        path = self._path(key)
        with self._explained("look at", key):
            return self._look(key, path)

    def put(self, key: str, data: bytes, *, if_match: str | None = None, if_absent: bool = False) -> str:
        """Write durably: after the return, content and name survive a power cut."""
        path = self._path(key)
        mtime_ns = int(self._clock().timestamp()) * 10**9
        etag = _hash(data)
        with self._writing("write", key):
            make_folder(self._temporary)
            with temporary_file(self._temporary, data, mtime_ns) as written, self._locked():
                self._check_conditions(key, path, if_match, if_absent)
                make_folder(path.parent)
                if not key.endswith(_DOCUMENTS):
                    # Before the data, which counts as foreign until both agree.
                    make_folder((self._etags / key).parent)
                    note = f"{etag} {len(data)} {mtime_ns}".encode()
                    with temporary_file(self._temporary, note, mtime_ns) as noted:
                        move(noted, self._etags / key)
                move(written, path)
        return etag

    def delete(self, key: str) -> None:
        """Remove the file; its folder stays."""
        path = self._path(key)
        with self._writing("delete", key):
            make_folder(self._hidden)
            with self._locked():
                for file in (path, self._etags / key):
                    with suppress(*ABSENT):
                        remove(file)

    def list(self, prefix: str, *, after: str = "") -> Iterator[ObjectInfo]:
        """Walks only folders that may hold a key after `after`; a file removed meanwhile is left out."""
        self._require_folder()
        base = prefix[: prefix.rfind("/") + 1]
        folder = self._path(base[:-1]) if base else self._folder
        with self._explained("list", prefix):
            for key in walk(folder, base, prefix, after):
                with suppress(*ABSENT):
                    yield self._look(key, self._folder / key)

    def unfinished(self, age: timedelta, /) -> Sequence[ObjectInfo]:
        """Temporary files of processes that died while they wrote."""
        self._require_folder()
        before, writes = self._clock() - age, []
        with self._explained("list", _TEMPORARY):
            for key in walk(self._temporary, f"{_TEMPORARY}/", "", ""):
                with suppress(*ABSENT):
                    status = (self._folder / key).stat()
                    writes.append(_described(key, "", status))
        return [info for info in writes if info.last_modified <= before]

    def discard(self, key: str, /) -> None:
        """Remove a temporary file."""
        with self._writing("remove", key):
            remove(self._temporary / Path(key).name)

    def check(self) -> Sequence[Check]:
        """Whether the folder can be listed and written; writes nothing."""
        try:
            next(self.list(""), None)
        except StoreError as error:
            return [Check(self.root, Level.ERROR, str(error), error.next_step)]
        finding = Check(self.root, Level.OK, "the folder is there and can be listed")
        if os.access(self.root, os.W_OK | os.X_OK):
            return [finding, Check(self.root, Level.OK, "the folder can be written")]
        return [finding, Check(self.root, Level.ERROR, "the folder cannot be written", "change its owner or its mode")]

    def _path(self, key: str) -> Path:
        parts = key.split("/")
        if parts[0] == HIDDEN or "\0" in key or not {"", ".", ".."}.isdisjoint(parts):
            raise StoreError(
                f"{key!r} cannot be an object of {self.root}",
                "a key is the path of a file below the folder, without empty, . and .. parts",
                "correct the name",
            )
        return self._folder.joinpath(*parts)

    def _require_folder(self) -> None:
        if not self._folder.is_dir():
            raise no_folder(self.root)

    @contextmanager
    def _explained(self, action: str, key: str) -> Iterator[None]:
        """Tell what the system refuses; a path without a file is ObjectMissing if the store itself is there."""
        try:
            yield
        except ABSENT as error:
            self._require_folder()
            raise ObjectMissing(key) from error
        except OSError as error:
            raise explain(error, f"cannot {action} {self.uri(key)}") from error

    @contextmanager
    def _writing(self, action: str, key: str) -> Iterator[None]:
        self._require_folder()
        try:
            yield
        except OSError as error:
            raise explain(error, f"cannot {action} {self.uri(key)}") from error

    def _locked(self) -> AbstractContextManager[None]:
        return locked(self._hidden / "lock")

    def _check_conditions(self, key: str, path: Path, if_match: str | None, if_absent: bool) -> None:
        try:
            current = self._look(key, path).etag
        except ABSENT:
            current = None
        if (if_absent and current is not None) or (if_match is not None and current != if_match):
            raise PreconditionFailed(f"{key} is {'missing' if current is None else f'at ETag {current}'}")

    def _read(self, key: str, path: Path) -> tuple[ObjectInfo, bytes]:
        with path.open("rb") as file:
            data = file.read()
            status = os.fstat(file.fileno())
        etag = _hash(data) if key.endswith(_DOCUMENTS) else self._remembered_etag(key, status)
        return _described(key, etag, status), data

    def _look(self, key: str, path: Path) -> ObjectInfo:
        if key.endswith(_DOCUMENTS):
            return self._read(key, path)[0]
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise IsADirectoryError(path)
        return _described(key, self._remembered_etag(key, status), status)

    def _remembered_etag(self, key: str, status: os.stat_result) -> str:
        """The ETag noted at the write, unless the file was changed since or is foreign."""
        try:
            etag, _, written = (self._etags / key).read_text().partition(" ")
        except ABSENT:
            written = etag = ""
        same = written == f"{status.st_size} {status.st_mtime_ns}"
        return etag if same else f"{status.st_size:x}-{status.st_mtime_ns:x}"


def _described(key: str, etag: str, status: os.stat_result) -> ObjectInfo:
    return ObjectInfo(key, etag, status.st_size, datetime.fromtimestamp(status.st_mtime_ns // 10**9, UTC))


def _hash(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()

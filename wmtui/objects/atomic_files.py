"""Files that are either wholly there or not at all, also after a crash or a power cut."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4


@contextmanager
def locked(lock_file: Path) -> Iterator[None]:
    """Hold the one lock that threads and processes of this host share; it ends with the process at the latest."""
    # Opened again by every holder: flock excludes descriptions of an open file, not threads.
    descriptor = os.open(lock_file, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def temporary_file(folder: Path, data: bytes, mtime_ns: int) -> Iterator[Path]:
    """A file of the folder with this content on disk; gone at the end unless it was moved away.

    It is readable as the umask says, which files of the `tempfile` module are not.
    """
    path = folder / uuid4().hex
    try:
        with path.open("xb") as file:
            file.write(data)
            file.flush()
            os.utime(file.fileno(), ns=(mtime_ns, mtime_ns))
            os.fsync(file.fileno())
        yield path
    finally:
        path.unlink(missing_ok=True)


def move(source: Path, target: Path) -> None:
    """Put a file in its place, over what was there."""
    source.replace(target)
    _sync(target.parent)


def remove(path: Path) -> None:
    """Remove a file, if it is there."""
    path.unlink(missing_ok=True)
    if path.parent.is_dir():
        _sync(path.parent)


def make_folder(folder: Path) -> None:
    """Create a folder and those above it, where they are missing."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        _sync(folder.parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

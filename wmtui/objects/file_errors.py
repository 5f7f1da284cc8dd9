"""What the operating system says about files, told to an operator: what failed, why, and the next step."""

import errno

from wmtui.errors import StoreDenied, StoreError

ABSENT = (FileNotFoundError, NotADirectoryError, IsADirectoryError)
"""How a path without a file of its own answers."""

_FULL = ("the disk is full", "free some space, then try again; nothing was half-written")
_DENIED = ("this account may not do that there", "change the folder's owner or mode, or run as its owner")

_REASONS = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EACCES: _DENIED,
    errno.EPERM: _DENIED,
    errno.EROFS: ("the disk is mounted read-only", "mount it writable"),
    errno.ENAMETOOLONG: ("a name in it is longer than the file system allows (255 bytes)", "use a store on S3"),
    errno.EXDEV: ("a folder of the store is a link to another disk", "put the whole store on one disk"),
}

_DENIALS = {errno.EACCES, errno.EPERM, errno.EROFS}


def explain(error: OSError, what: str) -> StoreError:
    """The StoreError for a failed call; `what` is what could not be done."""
    why, next_step = _REASONS.get(error.errno or 0, (error.strerror or str(error), "look at the disk and its mount"))
    return (StoreDenied if error.errno in _DENIALS else StoreError)(what, why, next_step)


def no_folder(root: str) -> StoreError:
    """The StoreError for a store whose folder is not there."""
    return StoreError(
        f"the store {root} does not exist",
        "there is no such folder",
        f"check `store` in tables.yaml and that its disk is mounted; for a new store: mkdir -p {root}",
    )

"""Files of a folder tree in the order in which S3 lists keys."""

import os
from collections.abc import Iterator
from pathlib import Path

from wmtui.objects.file_errors import ABSENT

HIDDEN = ".wmtui"
"""The folder at the top of a store for its lock, temporary files and ETags of data; no key may name it."""


def walk(folder: Path, base: str, prefix: str, after: str) -> Iterator[str]:
    """Keys below `folder`, whose own key is `base` ("" or ending in a slash), in UTF-8 byte order.

    Only keys that start with `prefix` and sort after `after`; folders that can't hold one are not entered. Names that
    are not UTF-8 are left out, as is HIDDEN, and folders removed meanwhile are empty. Raises OSError.
    """
    try:
        with os.scandir(folder) as entries:
            # A folder's keys all begin with its name and a slash, which decides where they sort among its siblings.
            names = sorted(f"{entry.name}/" if entry.is_dir() else entry.name for entry in entries)
    except ABSENT:
        return
    for key in (base + name for name in names if _is_utf8(name)):
        if not key.endswith("/"):
            if key.startswith(prefix) and key > after:
                yield key
        elif _may_match(key, prefix) and (key > after or after.startswith(key)) and key != f"{HIDDEN}/":
            yield from walk(folder / key[len(base) :], key, prefix, after)


def _may_match(folder_key: str, prefix: str) -> bool:
    return folder_key.startswith(prefix) or prefix.startswith(folder_key)


def _is_utf8(name: str) -> bool:
    # Python shows bytes that are not UTF-8 as lone surrogates, which cannot be encoded.
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True

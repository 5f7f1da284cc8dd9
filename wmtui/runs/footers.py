"""The footer of a Parquet file: schema, counts, and a digest that tells its content from another of equal size."""

import hashlib

from wmtui.objects import ObjectStore

FOOTER_BYTES = 128 * 2**10
"""Enough for some hundred columns and row groups; a larger footer is read with the whole file."""
MAGIC = b"PAR1"
_TRAILER_BYTES = 4 + len(MAGIC)
"""The footer's length and the magic number, with which a Parquet file ends."""


def footer_of(data: bytes) -> bytes | None:
    """The footer with its trailer, of a file or of its end; None where the end does not hold all of it."""
    if len(data) < _TRAILER_BYTES or not data.endswith(MAGIC):
        return None
    size = int.from_bytes(data[-_TRAILER_BYTES : -len(MAGIC)], "little") + _TRAILER_BYTES
    return data[-size:] if size <= len(data) else None


def footer_digest(data: bytes) -> str | None:
    """SHA-256 of the footer, in hexadecimal: it names offsets, sizes and statistics of every column chunk."""
    footer = footer_of(data)
    return None if footer is None else hashlib.sha256(footer).hexdigest()


def same_content(objects: ObjectStore, key: str, footer: str) -> bool:
    """Whether an object has the footer of this digest. Raises ObjectMissing, StoreError."""
    end = objects.get(key, last=FOOTER_BYTES).data
    if footer_of(end) is None:
        end = objects.get(key).data
    return footer_digest(end) == footer

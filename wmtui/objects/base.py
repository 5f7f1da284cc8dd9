"""The small surface wmtui needs of an object store; S3 and a local folder both provide it."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from msgspec import Struct

from wmtui.model import Check


class ObjectInfo(Struct, frozen=True):
    """One object as a listing or HEAD shows it.

    last_modified: aware UTC, whole seconds, by the store's clock. etag: without surrounding quotes. size: bytes.
    archived: its content must be restored before anybody can read it; a listing says so of a restored one, too.
    """

    key: str
    etag: str
    size: int
    last_modified: datetime
    archived: bool = False


class StoredObject(Struct, frozen=True):
    """An object with its content. `now` is the store's own clock at the answer (HTTP Date), aware UTC."""

    info: ObjectInfo
    data: bytes
    now: datetime


class ObjectStore(Protocol):
    """Keys are relative to the store's root and never start with `/`.

    Every method raises StoreError when the store refuses or does not answer: an error is never an empty result.
    Instances are safe to share between threads.
    """

    root: str
    """What users typed or would recognise: `s3://bucket/prefix` or the folder's path."""

    quotes_etags: bool
    """Whether the store wants the ETag of a condition in quotes; a folder doesn't mind."""

    server: str
    """The address of who answers for the store; "" for a folder, which this very process answers for."""

    def uri(self, key: str) -> str:
        """The address of a key outside this program, e.g. `s3://bucket/prefix/key`; stable, the ledger holds it."""
        ...

    def get(self, key: str, *, last: int | None = None) -> StoredObject:
        """The whole object, or only its last bytes, of one that has any.

        Raises ObjectMissing on a definite 404 of the key (a missing bucket is a StoreError).
        """
        ...

    def head(self, key: str) -> ObjectInfo:
        """The object without its content. Raises ObjectMissing."""
        ...

    def put(self, key: str, data: bytes, *, if_match: str | None = None, if_absent: bool = False) -> str:
        """Write and return the new ETag.

        if_match: write only if the object's ETag is this one. if_absent: write only if there is no object.
        Raises PreconditionFailed (412; for `if_match` also when the object is missing) and WriteContended (409), both
        only under a condition.
        """
        ...

    def delete(self, key: str) -> None:
        """Remove the object; removing what is not there is no error."""
        ...

    def list(self, prefix: str, *, after: str = "") -> Iterator[ObjectInfo]:
        """Every object whose key starts with `prefix` and sorts after `after`, in UTF-8 byte order, to the end."""
        ...

    def unfinished(self, age: timedelta, /) -> Sequence[ObjectInfo]:
        """What writes that never ended have left, at least so old by the store's clock; none of it is an object.

        A store that takes an object in one request has none.
        """
        ...

    def discard(self, key: str, /) -> None:
        """Remove what an unfinished write left, by the key that `unfinished` gave it."""
        ...

    def check(self) -> Sequence[Check]:
        """Findings for `doctor`: reachability and permissions; a broken store is a finding, not an exception."""
        ...
